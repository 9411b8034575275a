"""The clients: threads that start, complete, read and stop executions all the time.

Each client notes in the ledger what it asks and what it was told, asks again when a kill
left the outcome open, and never goes on before it knows. Some requests go out as pairs
that contradict each other, so that a refusal computed from a state that is then lost
shows: the one refused is asked again first, and must be refused again.
"""

import hashlib
import http.client
import json
import queue
import random
import threading
import time

from api import CLOSED, ApiError
from checker import digest_of
from ledger import Notes

FLOW, SUB, EVENT, FORGER = "storm-flow", "storm-sub", "storm-event", "storm-forger"
OPERATIONS = "ssaarwwcix"
JS_OPERATIONS = OPERATIONS + "mpqq"
# A request that gets no definite answer in this time fails the run. One in ten waits for what a
# workflow becomes, and every kill costs one in JavaScript the start of another Node.js.
FOREVER_S = {"c": 300, "js": 1200}


class Gate:
    """What the storm tells its clients, and what they tell it."""

    def __init__(self, api, ledger, seed, open_max, sdk="c"):
        self.api = api
        self.ledger = ledger
        self.seed = seed
        self.open_max = open_max
        self.operations = JS_OPERATIONS if sdk == "js" else OPERATIONS
        self.forever_s = FOREVER_S[sdk]
        self.serving = threading.Event()
        self.flowing = threading.Event()
        self.contradicting = threading.Event()  # only pairs, as many as there can be
        self.settling = threading.Event()  # nothing new is begun
        self.ending = threading.Event()
        self.lock = threading.Lock()
        self.acks = 0
        self.running = set()  # executions not known to have ended
        self.starting = 0
        self.batch = 0
        self.number = 0
        self.callbacks = queue.Queue()
        self.failure = None

    def reopen(self):
        """After everything has settled: the next batch may begin."""
        self.settling.clear()
        self.ending.clear()
        self.batch += 1

    def acked(self):
        with self.lock:
            self.acks += 1

    def may_start(self):
        """Counts the caller among those that start, if it may."""
        with self.lock:
            open_now = len(self.running) + self.starting
            is_full = open_now >= self.open_max and not self.contradicting.is_set()
            if self.settling.is_set() or is_full:
                return False
            self.starting += 1
            return True

    def settle(self):
        with self.lock:
            self.settling.set()

    def next_number(self):
        with self.lock:
            self.number += 1
            return self.number


class Client(threading.Thread):
    """`step` is run again and again while the storm lasts."""

    def __init__(self, gate, index):
        super().__init__(name=f"{type(self).__name__}-{index}", daemon=True)
        self.gate = gate
        self.api = gate.api
        self.rng = random.Random(f"{gate.seed}/{gate.batch}/{self.name}")
        self.notes = Notes(gate.ledger)

    def run(self):
        try:
            while not self.gate.ending.is_set():
                if self.gate.flowing.wait(0.1):
                    self.step()
        except Exception as error:  # the storm must not go on with a client less
            self.gate.failure = f"{self.name}: {type(error).__name__}: {error}"

    def ask_once(self, send):
        """("ok", answer), ("refused", error) or ("unknown", error)."""
        self.gate.serving.wait(self.gate.forever_s)
        try:
            return "ok", send()
        except ApiError as error:
            if error.status == 429 or error.status >= 500:
                return "unknown", error
            return "refused", error
        except (OSError, http.client.HTTPException) as error:
            return "unknown", error

    def ask(self, send):
        """Until it is known: (outcome, answer, whether an earlier try was left open)."""
        end = time.monotonic() + self.gate.forever_s
        was_unknown = False
        while True:
            outcome, answer = self.ask_once(send)
            if outcome != "unknown":
                return outcome, answer, was_unknown
            was_unknown = True
            if time.monotonic() > end:
                raise TimeoutError(f"no definite answer in {self.gate.forever_s} s: {answer}")
            time.sleep(self.rng.uniform(0.001, 0.02))

    def pair(self, first, second):
        """Sends both at once. [(outcome, answer), (outcome, answer)]"""
        outcomes = [None, None]

        def other():
            outcomes[1] = self.ask_once(second)

        thread = threading.Thread(target=other, daemon=True)
        thread.start()
        outcomes[0] = self.ask_once(first)
        thread.join()
        return outcomes


class Starter(Client):
    """Starts workflows of random plans; now and then two of one name."""

    def step(self):
        if not self.gate.may_start():
            time.sleep(0.005)
            return
        self.start_one()
        with self.gate.lock:
            self.gate.starting -= 1

    def start_one(self):
        name = f"e{self.gate.next_number()}"
        payload = self.make_payload()
        chance = self.rng.random()
        if self.gate.contradicting.is_set():
            self.start_pair(name, payload, self.make_payload())
        elif chance < 0.05:
            self.start_named(name, '{"plan":"w"}', FORGER)
        elif chance < 0.2:
            self.start_pair(name, payload, self.make_payload())
        else:
            self.start_named(name, payload)

    def make_payload(self):
        count = self.rng.randint(2, 6)
        plan = "".join(self.rng.choice(self.gate.operations) for _ in range(count))
        filler = "x" * self.rng.choice((0, 0, 100, 4000))
        salt = self.rng.getrandbits(48)
        return json.dumps({"plan": plan, "salt": f"{salt:012x}", "filler": filler})

    def send(self, name, payload, function=FLOW):
        self.notes.note("ask-start", op=name, extra=digest(payload))
        kind = "RequestResponse" if self.rng.random() < 0.1 else "Event"
        timeout_s = 120 if kind == "RequestResponse" else None
        return lambda: self.api.invoke(function + ":$LATEST", payload, kind, name=name,
                                       timeout_s=timeout_s)

    def start_named(self, name, payload, function=FLOW):
        self.note_start(name, payload, *self.ask(self.send(name, payload, function))[:2])

    def note_start(self, name, payload, outcome, answer):
        if outcome == "ok":
            arn = answer.headers.get("x-amz-durable-execution-arn", "")
            self.notes.note("ack-start", arn=arn, op=name, extra=digest(payload))
            with self.gate.lock:
                self.gate.running.add(arn)
            self.gate.acked()
        elif answer.name == "DurableExecutionAlreadyStartedException":
            self.notes.note("conflict", op=name, extra=digest(payload))
        else:
            self.notes.note("odd", op=name, extra=f"start refused: {answer}")

    def start_pair(self, name, *payloads):
        """The refused one is asked again before the one whose outcome is open."""
        outcomes = self.pair(*(self.send(name, payload) for payload in payloads))
        pairs = sorted(zip(payloads, outcomes), key=lambda pair: pair[1][0] == "unknown")
        for payload, (outcome, answer) in pairs:
            if outcome == "unknown":
                continue
            self.note_start(name, payload, outcome, answer)
            if outcome == "refused":
                self.start_named(name, payload)
        for payload, (outcome, _) in pairs:
            if outcome == "unknown":
                self.start_named(name, payload)


def digest(payload):
    return hashlib.sha256(payload.encode()).hexdigest()[:16]


class Completer(Client):
    """Completes the callbacks that workflows note in the ledger."""

    def step(self):
        try:
            arn, callback_id = self.gate.callbacks.get(timeout=0.1)
        except queue.Empty:
            return
        time.sleep(self.rng.uniform(0, 0.05))
        payloads = [json.dumps(f"cb-{self.rng.getrandbits(40):010x}") for _ in range(2)]
        if self.rng.random() < 0.2 or self.gate.contradicting.is_set():
            self.complete_pair(arn, callback_id, payloads)
        else:
            self.complete(arn, callback_id, payloads[0], False)

    def send(self, callback_id, payload):
        self.notes.note("ask-callback", op=callback_id, extra=payload)
        return lambda: self.api.callback(callback_id, "succeed", payload)

    def complete(self, arn, callback_id, payload, was_tried):
        send = self.send(callback_id, payload)
        outcome, answer, was_unknown = self.ask(send)
        self.note_end(arn, callback_id, payload, outcome, answer, was_tried or was_unknown)

    def note_end(self, arn, callback_id, payload, outcome, answer, was_tried):
        if outcome == "ok":
            self.notes.note("ack-callback", arn=arn, op=callback_id, extra=payload)
            self.gate.acked()
        elif answer.name == "CallbackTimeoutException":
            self.notes.note("closed-callback", arn=arn, op=callback_id)
            if not was_tried and self.status_of(arn) not in CLOSED:
                self.notes.note("odd", arn=arn, op=callback_id,
                                extra="refused as closed, but nobody had completed it")
        elif answer.name == "ResourceNotFoundException":
            self.notes.note("lost-callback", arn=arn, op=callback_id)
        else:
            self.notes.note("odd", arn=arn, op=callback_id, extra=f"refused: {answer}")

    def status_of(self, arn):
        outcome, answer, _ = self.ask(lambda: self.api.get_execution(arn))
        return answer["Status"] if outcome == "ok" else None

    def complete_pair(self, arn, callback_id, payloads):
        outcomes = self.pair(*(self.send(callback_id, payload) for payload in payloads))
        for payload, (outcome, answer) in zip(payloads, outcomes):
            if outcome != "unknown":
                self.note_end(arn, callback_id, payload, outcome, answer, True)
        for payload, (outcome, _) in zip(payloads, outcomes):
            if outcome == "refused":
                self.complete(arn, callback_id, payload, True)
        for payload, (outcome, _) in zip(payloads, outcomes):
            if outcome == "unknown":
                self.complete(arn, callback_id, payload, True)


class Eventer(Client):
    """Asynchronous invokes of an ordinary function."""

    def step(self):
        if self.gate.settling.is_set():
            time.sleep(0.05)
            return
        number = self.gate.next_number()
        event = f"v{number}"
        self.notes.note("ask-event", op=event)
        payload = json.dumps({"event": event})
        outcome, answer, _ = self.ask(
            lambda: self.api.invoke(EVENT, payload, "Event", invocation_id=event))
        if outcome == "ok":
            self.notes.note("ack-event", op=event)
            self.gate.acked()
        else:
            self.notes.note("odd", op=event, extra=f"event refused: {answer}")
        time.sleep(self.rng.uniform(0, 0.1))


class Reader(Client):
    """Reads histories, notes what it was shown, takes what has ended off the list, and
    stops one now and then."""

    def step(self):
        with self.gate.lock:
            running = sorted(self.gate.running)
        if not running:
            time.sleep(0.02)
            return
        arn = self.rng.choice(running)
        if self.rng.random() < 0.02 and not self.gate.settling.is_set():
            self.stop(arn)
        self.read(arn)
        time.sleep(self.rng.uniform(0, 0.01))

    def read(self, arn):
        outcome, events, _ = self.ask(lambda: self.api.history(arn))
        if outcome != "ok":
            self.notes.note("odd", arn=arn, extra=f"history refused: {events}")
            return
        self.notes.note("seen", arn=arn, op=str(len(events)), extra=digest_of(events))
        outcome, execution, _ = self.ask(lambda: self.api.get_execution(arn))
        if outcome == "ok" and execution["Status"] in CLOSED:
            with self.gate.lock:
                self.gate.running.discard(arn)

    def stop(self, arn):
        outcome, answer, _ = self.ask(lambda: self.api.stop(arn))
        if outcome != "ok":
            self.notes.note("odd", arn=arn, extra=f"stop refused: {answer}")
            return
        outcome, execution, _ = self.ask(lambda: self.api.get_execution(arn))
        if outcome == "ok":
            self.notes.note("ack-stop", arn=arn, extra=execution["Status"])
            self.gate.acked()


class Listener(threading.Thread):
    """Hands the callbacks noted in the ledger to the completers, each once."""

    def __init__(self, gate):
        super().__init__(name="listener", daemon=True)
        self.gate = gate
        self.notes = Notes(gate.ledger)
        self.known = set()

    def run(self):
        for fields in self.notes.subscribe():
            arn, callback_id = fields[1], fields[5]
            if callback_id not in self.known:
                self.known.add(callback_id)
                self.gate.callbacks.put((arn, callback_id))


def make_clients(gate, starters=4, completers=3, eventers=1, readers=2):
    clients = []
    for kind, count in ((Starter, starters), (Completer, completers), (Eventer, eventers),
                        (Reader, readers)):
        clients += [kind(gate, i) for i in range(count)]
    return clients
