#!/usr/bin/python3
"""A daemon small enough to be believed, to try the storm on.

It keeps the promises that the storm looks for in the dullest way (one lock, one journal of
JSON lines, synced before each answer) and breaks one of them when PAWL_CONTROL says so. It
knows only what the storm asks for: its own functions, whose workflows it runs itself.
"""

import base64
import http.server
import json
import os
import signal
import socketserver
import sys
import threading
import time
import urllib.parse
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
CONTROL = os.environ.get("PAWL_CONTROL", "")
ARN = "arn:aws:lambda:local:000000000000:function:%s:$LATEST/durable-execution/%s/%s"
POINTS = ("journal.before-write", "journal.after-sync")
passed = []
ENDED = {"SUCCEEDED": "ExecutionSucceeded", "STOPPED": "ExecutionStopped"}


def now():
    return int(time.time() * 1000) / 1000


def pass_point(name):
    """Kills the daemon at the n-th passage of the point that PAWL_CRASH_POINT names."""
    point, _, count = os.environ.get("PAWL_CRASH_POINT", "").partition(":")
    if point == name:
        passed.append(name)
        if len(passed) == int(count):
            os.kill(os.getpid(), signal.SIGKILL)


class Refused(Exception):
    def __init__(self, status, name):
        super().__init__(name)
        self.status = status
        self.name = name


class Execution:
    def __init__(self, arn, function, name, payload, parent):
        self.arn, self.function, self.name = arn, function, name
        self.payload, self.parent = payload, parent
        self.status = "RUNNING"
        self.result = None
        self.events = []
        self.ops = {}        # name: {"status", "due", "attempt", "value", "callback"}
        self.attempt = 0
        self.is_running = False
        self.is_dirty = False

    def event(self, kind, op=None, **details):
        made = {"EventId": len(self.events) + 1, "EventType": kind, "EventTimestamp": now(),
                kind + "Details": details}
        if op:
            made.update({"Id": op, "Name": op})
            if "." in op:
                made["ParentId"] = op.split(".")[0]
        self.events.append(made)
        return made["EventTimestamp"]


class Journal:
    """Lines `[key, value]`: the last value of a key counts."""

    def __init__(self, path):
        self.values = {}
        self.delayed = {}
        if os.path.exists(path):
            with open(path, "rb") as file:
                for line in file.read().split(b"\n")[:-1]:
                    key, value = json.loads(line)
                    self.values[key] = value
        self._cut(path)
        self.file = open(path, "ab", buffering=0)

    @staticmethod
    def _cut(path):
        """A line without its end was never promised."""
        if os.path.exists(path):
            with open(path, "rb+") as file:
                file.truncate(file.read().rfind(b"\n") + 1)

    def write(self, key, value):
        pass_point("journal.before-write")
        self.file.write(json.dumps([key, value]).encode() + b"\n")
        os.fdatasync(self.file.fileno())
        pass_point("journal.after-sync")

    def write_later(self, key, value):
        self.delayed[key] = json.loads(json.dumps(value))

    def flush(self, *keys):
        for key in keys or list(self.delayed):
            if key in self.delayed:
                self.write(key, self.delayed.pop(key))


class Toy:
    def __init__(self, data, launcher):
        os.makedirs(data, exist_ok=True)
        self.lock = threading.RLock()
        self.journal = Journal(os.path.join(data, "journal"))
        self.launcher = launcher
        self.executions, self.names, self.callbacks, self.events = {}, {}, {}, {}
        self.load()

    def load(self):
        for key, value in self.journal.values.items():
            if key.startswith("event:"):
                self.events[key[6:]] = value
                continue
            execution = Execution(key, "", "", "", None)
            execution.__dict__.update(value)
            self.index(execution)

    def index(self, execution):
        self.executions[execution.arn] = execution
        self.names[execution.function, execution.name] = execution
        for name, op in execution.ops.items():
            if op.get("callback"):
                self.callbacks[op["callback"]] = (execution, name)

    def recover(self):
        with self.lock:
            for execution in list(self.executions.values()):
                if execution.status == "RUNNING":
                    if execution.is_running:
                        self.completed(execution, {"Payload": {"ErrorType": "Pawl.Restarted"}})
                    if CONTROL == "drop-due":
                        for op in execution.ops.values():
                            op["due"] = None
                    self.dispatch(execution)
            for event, is_done in self.events.items():
                if not is_done:
                    self.tell({"event": event})

    def commit(self, *executions, is_asked=False):
        """`is_asked`: a client asked, and settle() comes before its answer."""
        for execution in executions:
            value = dict(execution.__dict__)
            if CONTROL == "answer-first" or (is_asked and CONTROL == "uncommitted-refusal"):
                self.journal.write_later(execution.arn, value)
            else:
                self.journal.delayed.pop(execution.arn, None)
                self.journal.write(execution.arn, value)

    def settle(self, execution):
        """What all that follows waits for; under that control a refusal does not."""
        if CONTROL == "uncommitted-refusal":
            time.sleep(0.03)
            with self.lock:
                self.journal.flush(execution.arn)

    def tell(self, message):
        self.launcher.sendall(json.dumps(message).encode() + b"\n")

    # --- executions ---------------------------------------------------------------------

    def start(self, function, name, payload, parent=None):
        with self.lock:
            found = self.names.get((function, name))
            if found is not None and found.payload != payload:
                raise Refused(409, "DurableExecutionAlreadyStartedException")
            execution = found or self.make(function, name, payload, parent)
        if parent is None:
            self.settle(execution)
        with self.lock:
            if found is None and execution.status == "RUNNING" and not execution.is_running:
                self.dispatch(execution)
        return execution

    def make(self, function, name, payload, parent):
        arn = ARN % (function, name, uuid.uuid4())
        execution = Execution(arn, function, name, payload, parent)
        execution.event("ExecutionStarted", Input={"Payload": payload}, ExecutionTimeout=86400)
        self.index(execution)
        self.commit(execution, is_asked=parent is None)
        return execution

    def dispatch(self, execution):
        execution.attempt += 1
        execution.is_running, execution.is_dirty = True, False
        self.commit(execution)
        message = {"arn": execution.arn, "attempt": execution.attempt,
                   "payload": execution.payload, "ops": execution.ops}
        self.tell(message)
        if CONTROL == "skip-token" and execution.attempt % 5 == 2:
            self.tell(message)

    def wake(self, execution):
        execution.is_dirty = True
        if not execution.is_running and execution.status == "RUNNING":
            self.dispatch(execution)

    def completed(self, execution, error=None):
        execution.is_running = False
        execution.event("InvocationCompleted", StartTimestamp=now(), EndTimestamp=now(),
                        RequestId=str(uuid.uuid4()), Error=error or {})

    def close(self, execution, status, **details):
        execution.status = status
        execution.event(ENDED[status], execution.arn[-36:], **details)
        if execution.parent and status == "SUCCEEDED":
            arn, op = execution.parent
            parent = self.executions[arn]
            if parent.status == "RUNNING" and parent.ops[op]["status"] == "STARTED":
                parent.ops[op]["status"] = "SUCCEEDED"
                parent.event("ChainedInvokeSucceeded", op, Result={"Payload": execution.result})
                self.commit(parent, execution)
                self.wake(parent)

    def stop(self, execution):
        with self.lock:
            if execution.status == "RUNNING":
                self.close(execution, "STOPPED", Error={})
                self.commit(execution, is_asked=True)
        self.settle(execution)
        return {"StopTimestamp": now()}

    def complete(self, callback_id, payload):
        with self.lock:
            if callback_id not in self.callbacks:
                raise Refused(404, "ResourceNotFoundException")
            execution, name = self.callbacks[callback_id]
            op = execution.ops[name]
            if execution.status != "RUNNING" or op["status"] != "STARTED":
                raise Refused(400, "CallbackTimeoutException")
            op["status"], op["value"] = "SUCCEEDED", payload
            execution.event("CallbackSucceeded", name, Result={"Payload": payload})
            self.commit(execution, is_asked=True)
        self.settle(execution)
        with self.lock:
            if execution.status == "RUNNING":
                self.wake(execution)

    def tick(self):
        with self.lock:
            for execution in list(self.executions.values()):
                if execution.status == "RUNNING":
                    self.tick_one(execution)
            if CONTROL == "answer-first":
                self.journal.flush()

    def tick_one(self, execution):
        due = [(name, op) for name, op in execution.ops.items()
               if op.get("due") and op["due"] <= now()]
        for name, op in due:
            op["due"] = None
            if op["status"] == "STARTED":
                op["status"] = "SUCCEEDED"
                execution.event("WaitSucceeded", name, Duration=1)
            else:
                op["status"] = "READY"
        if due:
            self.commit(execution)
            self.wake(execution)

    # --- the functions' side ----------------------------------------------------------------

    def hear(self, message):
        """Answers of the launcher's threads. None: nothing to answer."""
        with self.lock:
            if "event" in message:
                self.events[message["event"]] = True
                self.journal.write("event:" + message["event"], True)
                return None
            execution = self.executions[message["arn"]]
            is_stale = message["attempt"] != execution.attempt or not execution.is_running
            if execution.status != "RUNNING" or (is_stale and CONTROL != "skip-token"):
                return {"refused": True}
            if "outcome" in message:
                return self.hear_end(execution, message)
            self.update(execution, message["op"], message["action"], message.get("value"))
            self.commit(execution)
            return {"op": execution.ops.get(message["op"])}

    def hear_end(self, execution, message):
        self.completed(execution)
        if message["outcome"] == "SUCCEEDED":
            execution.result = message["value"]
            self.close(execution, "SUCCEEDED", Result={"Payload": message["value"]})
        self.commit(execution)
        if execution.is_dirty:
            self.wake(execution)
        return {}

    def update(self, execution, name, action, value):
        op = execution.ops.setdefault(name, {"status": "NEW", "attempt": 0, "due": None})
        retry = {"CurrentAttempt": op["attempt"] + 1}
        if action == "step":
            op["status"] = "STARTED"
            execution.event("StepStarted", name)
        elif action == "succeed":
            op.update(status="SUCCEEDED", value=value, attempt=op["attempt"] + 1)
            execution.event("StepSucceeded", name, Result={"Payload": value}, RetryDetails=retry)
        elif action == "retry":
            retry["NextAttemptDelaySeconds"] = 1
            at = execution.event("StepFailed", name, Error={}, RetryDetails=retry)
            op.update(status="PENDING", due=round(at + 1, 3), attempt=op["attempt"] + 1)
        elif action == "wait":
            due = round(now() + 1.002, 3)
            execution.event("WaitStarted", name, Duration=1, ScheduledEndTimestamp=due)
            op.update(status="STARTED", due=due)
        elif action == "callback":
            op.update(status="STARTED",
                      callback=base64.b64encode(os.urandom(18)).decode())
            self.callbacks[op["callback"]] = (execution, name)
            execution.event("CallbackStarted", name, CallbackId=op["callback"])
        elif action == "child":
            op["status"] = "STARTED"
            execution.event("ContextStarted", name)
        elif action == "child-end":
            op["status"] = "SUCCEEDED"
            execution.event("ContextSucceeded", name, Result={})
        elif action == "invoke":
            op["status"] = "STARTED"
            execution.event("ChainedInvokeStarted", name, FunctionName="storm-sub")
            self.start("storm-sub", f"{execution.arn}/{name}", '{"plan":"sas"}',
                       (execution.arn, name))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    toy = None

    def log_message(self, *_arguments):
        pass

    def answer(self, status, body=b"", **headers):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def serve(self):
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length).decode()
        words = [urllib.parse.unquote(word) for word in self.path.split("?")[0].split("/")[2:]]
        try:
            self.route(words, body)
        except Refused as refused:
            self.answer(refused.status, {"message": refused.name},
                        x_amzn_errortype=refused.name)

    do_GET = do_POST = serve

    def route(self, words, body):
        if words[0] == "functions" and len(words) == 1:
            self.answer(201, {})
        elif words[0] == "functions":
            self.invoke(words[1].split(":")[0], body)
        elif words[0] == "durable-execution-callbacks":
            self.toy.complete(words[1], body)
            self.answer(200, {})
        else:
            self.execution(words[1:], "ReverseOrder" in self.path)

    def invoke(self, function, body):
        toy = self.toy
        if function == "storm-event":
            event = json.loads(body)["event"]
            with toy.lock:
                if event not in toy.events:
                    toy.events[event] = False
                    toy.journal.write("event:" + event, False)
                    toy.tell({"event": event})
            self.answer(202)
            return
        execution = toy.start(function, self.headers["x-amz-durable-execution-name"], body)
        arn = {"x_amz_durable_execution_arn": execution.arn}
        if self.headers["x-amz-invocation-type"] == "Event":
            self.answer(202, **arn)
            return
        while execution.status == "RUNNING":
            time.sleep(0.02)
        self.answer(200, (execution.result or "").encode(), **arn)

    def execution(self, words, _is_reverse):
        toy = self.toy
        execution = toy.executions.get(words[0])
        if execution is None:
            raise Refused(404, "ResourceNotFoundException")
        if words[1:] == ["stop"]:
            self.answer(200, toy.stop(execution))
            return
        with toy.lock:
            if CONTROL == "uncommitted-refusal":
                toy.journal.flush(execution.arn)
            if words[1:] == ["history"]:
                found = {"Events": execution.events}
            else:
                found = {"Status": execution.status, "Result": execution.result}
            body = json.dumps(found).encode()
        self.answer(200, body)


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128

    def get_request(self):
        request, _ = super().get_request()
        return request, ("local", 0)


def listen(toy, stream):
    """Each message of a thread in the launcher; when the launcher goes, so do we."""
    def answer(message):
        found = toy.hear(message)
        if found is not None:
            with toy.lock:
                toy.tell(dict(found, to=message["from"]))

    try:
        for line in stream:
            message = json.loads(line)
            threading.Thread(target=answer, args=(message,), daemon=True).start()
    finally:
        os._exit(74)


def tick_forever(toy):
    while True:
        time.sleep(0.03)
        toy.tick()


def main():
    if "--list-crash-points" in sys.argv:
        print("\n".join(POINTS))
        return 0
    options = dict(zip(sys.argv[2::2], sys.argv[3::2]))
    from toy_launcher import start_launcher
    launcher = start_launcher(options["--data"], options["--config"])
    toy = Toy(options["--data"], launcher)
    if os.path.exists(options["--socket"]):
        os.unlink(options["--socket"])
    Handler.toy = toy
    toy.recover()
    for target, arguments in ((listen, (toy, launcher.makefile("r"))), (tick_forever, (toy,))):
        threading.Thread(target=target, args=arguments, daemon=True).start()
    server = Server(options["--socket"], Handler)
    print("ready toy", flush=True)
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.path.insert(0, HERE)
    sys.exit(main())
