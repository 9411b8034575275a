"""The load of a recording, and what it was told.

A fact is something that the daemon has answered, with the number of operations that had
been recorded when the answer was here: a disk that was cut later must hold it. Facts come
from clients (starts, callbacks, stops, functions, what was read) and from the workflows
themselves, which tell a ledger what they do next, and so what they had an answer for.
"""

import io
import json
import mmap
import os
import queue
import random
import socketserver
import struct
import threading
import time
import zipfile

from api import CLOSED, FUNCTIONS, ApiError, quote

FLOW, SUB, EVENT = "storm-flow", "storm-sub", "storm-event"
OPERATIONS = "sssaarwwccix"
LINE_FIELDS = 6
LONG_S = 200  # bound for the end of an execution that is waited for


class Facts:
    """Lines of: operations recorded, kind, subject, operation, a text in hexadecimal."""

    def __init__(self, path, counter_path):
        self.file = open(path, "w", encoding="ascii")
        self.lock = threading.Lock()
        self.count = 0
        with open(counter_path, "r+b") as counter:
            self.counter = mmap.mmap(counter.fileno(), 8, mmap.MAP_SHARED, mmap.PROT_READ)

    def now(self):
        return struct.unpack_from("=Q", self.counter)[0]

    def note(self, kind, subject, operation="-", text="", seq=None):
        """At once when the answer is here: what comes between makes the fact weaker."""
        seq = self.now() if seq is None else seq
        with self.lock:
            self.file.write(f"{seq}\t{kind}\t{subject}\t{operation}\t{text.encode().hex()}\n")
            self.count += 1

    def close(self):
        with self.lock:
            self.file.close()


class Gate:
    """What the threads of one recording share."""

    def __init__(self, api, facts, options, is_lenient):
        self.is_lenient = is_lenient  # of a daemon that is known to be wrong
        self.api = api
        self.facts = facts
        self.options = options
        self.lock = threading.Lock()
        self.open = set()  # executions not known to have ended
        self.started = 0
        self.functions = 0
        self.callbacks = queue.Queue()
        self.ending = threading.Event()
        self.failure = None

    def next_start(self):
        with self.lock:
            if self.started >= self.options.executions:
                return None
            if len(self.open) >= self.options.open_max:
                return 0
            self.started += 1
            return self.started

    def is_done(self):
        """What a wrong daemon has lost never ends."""
        with self.lock:
            has_started = self.started >= self.options.executions
            return has_started and (self.is_lenient or not self.open)

    def close(self, arn):
        with self.lock:
            self.open.discard(arn)


# --- workflows -------------------------------------------------------------------------------


class Ledger(socketserver.ThreadingUnixStreamServer):
    """Takes the lines of storm_worker and answers each with `ok`."""

    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, path, gate):
        self.gate = gate
        self.lock = threading.Lock()
        self.done = {}  # invocation: (operation, extra) that has not been proved yet
        self.known = set()  # callbacks: a replay names them again
        super().__init__(path, LedgerLines)
        os.chmod(path, 0o777)
        threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True).start()

    def take(self, line, seq):
        fields = line.split("\t")
        if len(fields) != LINE_FIELDS:
            return
        kind, arn, op, attempt, invocation, extra = fields
        with self.lock:
            self.prove(kind, arn, op, invocation, seq)
            if kind == "done":
                self.done[invocation] = (op, extra)
            is_new = kind == "callback" and extra not in self.known
            if is_new:
                self.known.add(extra)
        if kind == "start" and attempt != "1":
            self.gate.facts.note("retried", arn, op, seq=seq)
        elif kind == "after":
            self.gate.facts.note("waited", arn, op, seq=seq)
        elif is_new:
            self.gate.facts.note("opened", arn, op, seq=seq)
            self.gate.callbacks.put((arn, op, extra))

    def prove(self, kind, arn, op, invocation, seq):
        """Who goes on to another operation had an answer."""
        done_op, extra = self.done.get(invocation, (None, None))
        if done_op is None or kind in ("enter", "leave"):
            return
        del self.done[invocation]
        if extra != "fail" and op != done_op:
            self.gate.facts.note("step", arn, done_op, f'"{extra}"', seq=seq)


class LedgerLines(socketserver.StreamRequestHandler):
    def handle(self):
        try:
            for line in self.rfile:
                seq = self.server.gate.facts.now()
                self.server.take(line.decode("utf-8", "replace").rstrip("\n"), seq)
                self.request.sendall(b"ok\n")
        except OSError:  # the environment is gone
            pass


# --- clients ---------------------------------------------------------------------------------


class Client(threading.Thread):
    def __init__(self, gate, index):
        super().__init__(name=f"{type(self).__name__}-{index}", daemon=True)
        self.gate = gate
        self.api = gate.api
        self.facts = gate.facts
        self.rng = random.Random(f"{gate.options.seed}/{self.name}")

    def run(self):
        try:
            while not self.gate.ending.is_set():
                self.try_step()
        except Exception as error:  # a recording with a client less is not the one asked for
            if not self.gate.ending.is_set():
                self.gate.failure = f"{self.name}: {type(error).__name__}: {error}"

    def try_step(self):
        try:
            self.step()
        except ApiError:
            if not self.gate.is_lenient:
                raise

    def pause(self, most_s):
        self.gate.ending.wait(self.rng.uniform(0, most_s))


class Starter(Client):
    """Durable executions, named or not, some waited for."""

    def step(self):
        number = self.gate.next_start()
        if not number:
            self.pause(0.02)
            return
        plan = "".join(self.rng.choice(OPERATIONS) for _ in range(self.rng.randint(2, 6)))
        filler = "x" * self.rng.choice((0, 0, 0, 100, 4000, 40000))
        payload = json.dumps({"plan": plan, "number": number, "filler": filler})
        name = f"e{number}" if self.rng.random() < 0.8 else None
        is_waiting = name is not None and self.rng.random() < 0.1 and "c" not in plan
        kind = "RequestResponse" if is_waiting else "Event"
        answer = self.api.invoke(FLOW + ":$LATEST", payload, kind, name=name, timeout_s=LONG_S)
        seq = self.facts.now()
        arn = answer.headers["x-amz-durable-execution-arn"]
        self.facts.note("started", arn, text=payload, seq=seq)
        with self.gate.lock:
            self.gate.open.add(arn)


class Eventer(Client):
    """Asynchronous invokes of an ordinary function; some are known by an id, and asked
    for again."""

    number = 0

    def step(self):
        if self.number == self.gate.options.executions:
            self.pause(0.1)
            return
        self.number += 1
        payload = json.dumps({"event": f"v{self.number}"})
        request = f"request-{self.number}" if self.rng.random() < 0.5 else None
        for _ in range(2 if request and self.rng.random() < 0.3 else 1):
            self.api.invoke(EVENT, payload, "Event", invocation_id=request)
            self.facts.note("event", "-", text=payload)
        self.pause(0.05)


class Completer(Client):
    def step(self):
        try:
            arn, op, callback_id = self.gate.callbacks.get(timeout=0.05)
        except queue.Empty:
            return
        try:
            self.complete(arn, op, callback_id)
        except ApiError as error:
            if error.name != "CallbackTimeoutException":  # its execution was stopped
                raise

    def complete(self, arn, op, callback_id):
        chance = self.rng.random()
        if chance < 0.2:
            self.heartbeat(arn, op, callback_id)
        if chance < 0.7:
            self.end(arn, op, callback_id, "succeed")
        elif chance < 0.85:
            self.end(arn, op, callback_id, "fail")
        else:
            self.stop(arn)

    def heartbeat(self, arn, op, callback_id):
        for count in range(1, 4):
            self.api.callback(callback_id, "heartbeat", "")
            self.facts.note("heartbeat", arn, op, str(count))

    def end(self, arn, op, callback_id, how):
        payload = json.dumps(f"cb-{self.rng.getrandbits(40):010x}")
        body = payload if how == "succeed" else json.dumps({"ErrorMessage": payload})
        self.api.callback(callback_id, how, body)
        self.facts.note("succeeded" if how == "succeed" else "refused", arn, op,
                        payload if how == "succeed" else "")

    def stop(self, arn):
        self.api.stop(arn)
        self.facts.note("stopped", arn)


class Reader(Client):
    """Looks at open executions: what it was shown must stay, ends above all."""

    def step(self):
        with self.gate.lock:
            running = sorted(self.gate.open)
        if not running:
            self.pause(0.02)
            return
        arn = self.rng.choice(running)
        try:
            self.read(arn)
        except ApiError:
            self.gate.close(arn)
            raise

    def read(self, arn):
        if self.rng.random() < 0.3:
            events = len(self.api.history(arn))
            self.facts.note("seen", arn, text=str(events))
        execution = self.api.get_execution(arn)
        seq = self.facts.now()
        if execution["Status"] in CLOSED:
            self.facts.note("closed", arn, execution["Status"], execution.get("Result", ""),
                            seq=seq)
            self.gate.close(arn)
        self.pause(0.01)


class Keeper(Client):
    """Functions that come and go, each with code of its own."""

    def step(self):
        with self.gate.lock:
            self.gate.functions += 1
            name = f"passing-{self.gate.functions}"
        code = self.rng.randbytes(self.rng.choice((500, 20_000, 70_000)))
        self.api.create_function(name, zip_bytes(code), name)
        self.facts.note("function", name)
        self.pause(0.3)
        if self.rng.random() < 0.6:
            self.api.request("DELETE", f"{FUNCTIONS}/{quote(name)}")
            self.facts.note("deleted", name)
        self.pause(0.3)


def zip_bytes(code):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        info = zipfile.ZipInfo("bootstrap", (2026, 1, 1, 0, 0, 0))
        info.external_attr = 0o100755 << 16
        archive.writestr(info, code)
    return out.getvalue()


def run_load(gate, limit_s):
    """Until every execution has ended. An error text, or None."""
    clients = [kind(gate, i) for kind, count in ((Starter, 4), (Eventer, 1), (Completer, 2),
                                                 (Reader, 2), (Keeper, 1)) for i in range(count)]
    for client in clients:
        client.start()
    end = time.monotonic() + limit_s
    while not gate.is_done() and gate.failure is None:
        if time.monotonic() > end:
            gate.failure = f"{len(gate.open)} executions are still open after {limit_s} s"
        time.sleep(0.02)
    gate.ending.set()
    for client in clients:
        client.join(60)
    return gate.failure

