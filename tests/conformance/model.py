#!/usr/bin/python3
"""A model of the daemon: what the requirements say, as plainly as possible, in memory.

Handlers of the C SDK can be judged on it before and apart from the daemon:

    tests/conformance/run --sdk c --build build --daemon tests/conformance/model.py

Each invocation is a process of its own that speaks the native protocol on PAWL_FD. There
is no sandbox, nothing survives its end, and one lock is held wherever anything changes.
"""

import base64
import hashlib
import http.server
import io
import json
import os
import socket
import socketserver
import subprocess
import sys
import threading
import time
import urllib.parse
import uuid
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import protocol as p  # noqa: E402  pylint: disable=wrong-import-position

CONTEXT, STEP, WAIT, CALLBACK, INVOKE = 2, 3, 4, 5, 6
START, SUCCEED, FAIL, RETRY = 1, 2, 3, 4
STARTED, PENDING, READY, SUCCEEDED, FAILED, TIMED_OUT = 1, 2, 3, 4, 5, 7
KINDS = {CONTEXT: "Context", STEP: "Step", WAIT: "Wait", CALLBACK: "Callback",
         INVOKE: "ChainedInvoke"}
FAILURES_MAX = 5
ACCOUNT = "arn:aws:lambda:local:000000000000:function:"


class Refused(Exception):
    def __init__(self, status, name):
        super().__init__(name)
        self.status = status
        self.name = name


def now_ms():
    return int(time.time() * 1000)


def error_json(data):
    """The ErrorObject of an encoded error."""
    error = p.decode(p.ERROR, data)
    names = {"type": "ErrorType", "message": "ErrorMessage", "data": "ErrorData"}
    return {names[key]: value for key, value in error.items() if value}


def make_error(kind, message):
    return p.encode(p.ERROR, {"type": kind, "message": message})


class Execution:
    def __init__(self, model, function, payload, name, on_end=None):
        self.model, self.function, self.payload = model, function, payload
        self.id = uuid.uuid4()
        self.name = name or str(self.id)
        self.arn = f"{ACCOUNT}{function['name']}:$LATEST/durable-execution/{self.name}/{self.id}"
        self.status, self.result, self.error = "RUNNING", None, None
        self.on_end = on_end
        self.events, self.ops, self.logs = [], {}, []
        self.changes = 0     # counts changes of operations
        self.delivered = 0   # changes that the running invocation knows
        self.attempt = self.failures = self.seq = 0
        self.answer = b""    # to the last checkpoint
        self.running = None  # the socket of the invocation
        self.later = []      # ends of chained invokes that wait for their place
        self.ended = threading.Event()
        self.event("ExecutionStarted", None, Input=self.text(payload), ExecutionTimeout=7200)

    @staticmethod
    def text(payload):
        body = {"Truncated": False}
        if payload is not None:
            body["Payload"] = payload.decode()
        return body

    def event(self, kind, op, **details):
        last = self.events[-1]["EventTimestamp"] if self.events else 0
        event = {"EventId": len(self.events) + 1, "EventType": kind,
                 "EventTimestamp": max(last, now_ms() / 1000), kind + "Details": details}
        if op is None and kind.startswith("Execution"):
            event.update(Id=str(self.id), Name=self.name)
        for key, name in (("id", "Id"), ("name", "Name"), ("sub_type", "SubType"),
                          ("parent_id", "ParentId")):
            if op is not None and op[key]:
                event[name] = op[key]
        self.events.append(event)

    def touch(self, op):
        self.changes += 1
        op["changed"] = self.changes

    # --- what checkpoints do ------------------------------------------------------------

    def apply(self, update):
        op = self.ops.get(update["id"])
        if op is None:
            op = {key: update[key] for key in ("id", "type", "parent_id", "name", "sub_type")}
            op.update(status=0, attempt=0, start_ms=now_ms(), result=None, error=None,
                      due_ms=0, callback_id="", replay_children=0)
            self.ops[op["id"]] = op
        action = {START: self.begin, RETRY: self.retry}.get(update["action"], self.close_op)
        action(op, update)
        self.touch(op)

    def begin(self, op, update):
        op["status"] = STARTED
        details = {}
        if op["type"] == WAIT:
            op["due_ms"] = now_ms() + 1000 * update["wait_s"] + 1
            details = {"Duration": update["wait_s"],
                       "ScheduledEndTimestamp": op["due_ms"] / 1000}
            self.model.after(update["wait_s"] + 0.001, self.end_wait, op, update["wait_s"])
        elif op["type"] == CALLBACK:
            details = self.begin_callback(op, update)
        elif op["type"] == INVOKE:
            payload = update["payload"] if update["has_payload"] else None
            details = {"FunctionName": update["function"], "Input": self.text(payload)}
            if update["tenant_id"]:
                details["TenantId"] = update["tenant_id"]
            self.model.chain(self, op, update["function"], payload, update["tenant_id"])
        self.event(KINDS[op["type"]] + "Started", op, **details)

    def begin_callback(self, op, update):
        op["callback_id"] = base64.b64encode(os.urandom(24)).decode()
        op["heartbeat_s"], op["beats"] = update["heartbeat_s"], 0
        self.model.callbacks[op["callback_id"]] = (self, op)
        details = {"CallbackId": op["callback_id"]}
        if update["timeout_s"]:
            details["Timeout"] = update["timeout_s"]
            self.model.after(update["timeout_s"], self.time_out, op, "Callback.Timeout", None)
        if update["heartbeat_s"]:
            details["HeartbeatTimeout"] = update["heartbeat_s"]
            self.beat(op)
        return details

    def beat(self, op):
        op["beats"] += 1
        self.model.after(op["heartbeat_s"], self.time_out, op, "Callback.Heartbeat", op["beats"])

    def retry(self, op, update):
        op["attempt"] += 1
        op["status"] = PENDING
        details = {"CurrentAttempt": op["attempt"], "NextAttemptDelaySeconds": update["delay_s"]}
        if update["has_error"]:
            op["error"] = update["error"]
            self.event("StepFailed", op, Error={"Payload": error_json(update["error"])},
                       RetryDetails=details)
        else:
            op["result"] = update["payload"]
            self.event("StepSucceeded", op, Result=self.text(update["payload"]),
                       RetryDetails=details)
        op["due_ms"] = now_ms() + 1000 * update["delay_s"]
        self.model.after(update["delay_s"], self.make_ready, op)

    def close_op(self, op, update):
        is_good = update["action"] == SUCCEED
        op["status"] = SUCCEEDED if is_good else FAILED
        op["replay_children"] = update["replay_children"]
        op["result"] = update["payload"] if update["has_payload"] else None
        op["error"] = update["error"] if update["has_error"] else None
        details = self.end_details(op)
        if op["type"] == STEP:
            op["attempt"] += 1
            details["RetryDetails"] = {"CurrentAttempt": op["attempt"]}
        self.event(KINDS[op["type"]] + ("Succeeded" if is_good else "Failed"), op, **details)

    def end_details(self, op):
        if op["status"] == SUCCEEDED:
            return {"Result": self.text(op["result"])}
        return {"Error": {"Payload": error_json(op["error"] or b""), "Truncated": False}}

    # --- what comes from outside ----------------------------------------------------------

    def end_wait(self, op, seconds):
        op["status"] = SUCCEEDED
        self.event("WaitSucceeded", op, Duration=seconds)
        self.wake(op)

    def make_ready(self, op):
        if op["status"] == PENDING:
            op["status"] = READY
            self.wake(op)

    def time_out(self, op, kind, beats):
        if op["status"] == STARTED and beats in (None, op["beats"]):
            self.end_op(op, TIMED_OUT, None, make_error(kind, "Callback timed out"))

    def end_op(self, op, status, result, error):
        op.update(status=status, result=result, error=error)
        phase = {SUCCEEDED: "Succeeded", FAILED: "Failed", TIMED_OUT: "TimedOut"}[status]
        self.event(KINDS[op["type"]] + phase, op, **self.end_details(op))
        self.wake(op)

    def end_chained(self, op, status, result, error):
        """In its place: after the end of the invocation that asked, or at a checkpoint."""
        self.later.append((op, status, result, error))
        if self.running is None:
            self.flush_later()
        else:
            p.send(self.running, p.NOTICE, self.attempt)

    def flush_later(self):
        later, self.later = self.later, []
        for op, status, result, error in later:
            if self.status == "RUNNING":
                self.end_op(op, status, result, error)

    def wake(self, op):
        self.touch(op)
        if self.running is not None:
            p.send(self.running, p.NOTICE, self.attempt)
        elif self.status == "RUNNING":
            self.dispatch()

    # --- invocations --------------------------------------------------------------------------

    def wire_ops(self, since):
        """What changed, without the children of closed contexts."""
        return [self.wire_op(op) for op in self.ops.values()
                if op["changed"] > since and not self.is_pruned(op)]

    def is_pruned(self, op):
        parent = self.ops.get(op["parent_id"])
        while parent is not None:
            if parent["status"] in (SUCCEEDED, FAILED) and not parent["replay_children"]:
                return True
            parent = self.ops.get(parent["parent_id"])
        return False

    @staticmethod
    def wire_op(op):
        wire = {key: op[key] for key in ("id", "type", "status", "parent_id", "name", "sub_type",
                                         "attempt", "replay_children", "start_ms", "due_ms",
                                         "callback_id")}
        for key in ("result", "error"):
            if op[key] is not None:
                wire["has_" + key], wire[key] = 1, op[key]
        return wire

    def dispatch(self):
        self.attempt += 1
        self.seq = 0
        self.delivered = self.changes
        message = {"request_id": str(uuid.uuid4()), "is_durable": 1, "execution_arn": self.arn,
                   "attempt": self.attempt, "execution_id": self.id.bytes,
                   "operations": self.wire_ops(0), "last": len(self.events),
                   "start_ms": int(self.events[0]["EventTimestamp"] * 1000)}
        self.running, process = self.model.spawn(self.function, self.payload, self.attempt, message)
        threading.Thread(target=self.listen, daemon=True,
                         args=(self.running, process, self.attempt, message["request_id"])).start()

    def listen(self, sock, process, attempt, request):
        start = now_ms() / 1000
        outcome = None
        while outcome is None:
            kind, body = p.receive(sock)
            with self.model.lock:
                if kind == p.CHECKPOINT:
                    self.checkpoint(sock, attempt, p.decode(p.CHECKPOINT_FIELDS, body))
                elif kind == p.LOG:
                    text = p.decode(p.LOG_FIELDS, body)["text"]
                    self.logs.append({"message": text})
                elif kind == p.COMPLETE:
                    outcome = p.decode(p.COMPLETE_FIELDS, body)
                elif kind is None:
                    outcome = {"outcome": 3, "error": make_error(
                        "Runtime.ExitError", f"RequestId: {request} Error: Runtime exited")}
        process.kill()
        process.wait()
        with self.model.lock:
            sock.close()
            self.complete(outcome, start, request)

    def checkpoint(self, sock, attempt, message):
        if message["seq"] == self.seq:  # repeated: the same answer, nothing is applied
            p.send(sock, p.CHECKPOINTED, attempt, self.answer)
            return
        answer = {"seq": message["seq"]}
        if self.status != "RUNNING" or message["seq"] != self.seq + 1:
            answer["refusal"] = "InvalidParameterValueException"
            answer["message"] = "Invalid Checkpoint Token"
        else:
            for update in message["updates"]:
                self.apply(update)
            self.flush_later()
            answer.update(operations=self.wire_ops(self.delivered), last=len(self.events))
            self.delivered = self.changes
            self.failures = 0
            self.seq = message["seq"]
        self.answer = p.encode(p.CHECKPOINTED_FIELDS, answer)
        p.send(sock, p.CHECKPOINTED, attempt, self.answer)

    def complete(self, outcome, start, request):
        self.running = None
        if self.status != "RUNNING":
            return
        kind = outcome["outcome"]
        error = {"Payload": error_json(outcome["error"])} if kind == 3 else {}
        self.event("InvocationCompleted", None, StartTimestamp=start,
                   EndTimestamp=now_ms() / 1000, RequestId=request, Error=error)
        if kind == 1:
            self.close("SUCCEEDED", outcome["payload"] if outcome["has_payload"] else None, None)
        elif kind in (2, 4) or (kind == 3 and self.failures + 1 >= FAILURES_MAX):
            self.close("FAILED", None, outcome["error"])
        else:
            self.failures += kind == 3
            self.go_on(kind == 3)

    def go_on(self, is_failed):
        changes = self.changes
        self.flush_later()  # dispatches if anything came
        if self.running is None and (is_failed or changes > self.delivered):
            self.dispatch()

    def close(self, status, result, error):
        self.status, self.result, self.error = status, result, error
        if status == "SUCCEEDED":
            self.event("ExecutionSucceeded", None, Result=self.text(result))
        else:
            kind = "ExecutionFailed" if status == "FAILED" else "ExecutionStopped"
            self.event(kind, None, Error={"Payload": error_json(error or b"")})
        self.ended.set()


class Model:
    def __init__(self, data):
        self.data = data
        self.lock = threading.RLock()
        self.functions, self.executions, self.callbacks = {}, {}, {}

    def after(self, seconds, fn, *arguments):
        def fire():
            with self.lock:
                if fn.__self__.status == "RUNNING":
                    fn(*arguments)

        timer = threading.Timer(seconds, fire)
        timer.daemon = True
        timer.start()

    def create(self, body):
        archive = base64.b64decode(body["Code"]["ZipFile"])
        program = os.path.join(self.data, hashlib.sha256(archive).hexdigest(), "bootstrap")
        with self.lock:
            if not os.path.exists(program):
                with zipfile.ZipFile(io.BytesIO(archive)) as file:
                    file.extract("bootstrap", os.path.dirname(program))
                os.chmod(program, 0o755)
        self.functions[body["FunctionName"]] = {
            "name": body["FunctionName"], "program": program, "handler": body["Handler"],
            "is_durable": "DurableConfig" in body,
            "variables": body.get("Environment", {}).get("Variables", {})}

    def spawn(self, function, payload, number, message):
        """A process that has been given one INVOKE."""
        ours, theirs = socket.socketpair()
        environ = dict(function["variables"], _HANDLER=function["handler"],
                       PAWL_FD=str(theirs.fileno()))
        process = subprocess.Popen([function["program"]], env=environ, stdin=subprocess.DEVNULL,
                                   pass_fds=[theirs.fileno()])
        theirs.close()
        message.update(has_payload=1, payload=payload, deadline_ms=now_ms() + 60000,
                       function_arn=f"{ACCOUNT}{function['name']}:$LATEST")
        p.send(ours, p.INVOKE, number, p.encode(p.INVOKE_FIELDS, message))
        return ours, process

    def run_once(self, function, payload, tenant_id):
        """An ordinary function: its COMPLETE."""
        message = {"request_id": str(uuid.uuid4()), "tenant_id": tenant_id or ""}
        with self.lock:
            sock, process = self.spawn(function, payload, 1, message)
        while True:
            kind, body = p.receive(sock)
            if kind == p.COMPLETE or kind is None:
                process.kill()
                process.wait()
                sock.close()
                return p.decode(p.COMPLETE_FIELDS, body or b"\x08\x03")

    def chain(self, parent, op, name, payload, tenant_id):
        function = self.functions[name.split(":")[0]]

        def run():
            found = self.run_once(function, payload, tenant_id)
            with self.lock:
                if found["outcome"] == 1:
                    parent.end_chained(op, SUCCEEDED, found["payload"], None)
                else:
                    parent.end_chained(op, FAILED, None, found["error"])

        threading.Thread(target=run, daemon=True).start()

    def start(self, name, payload, execution_name):
        with self.lock:
            execution = Execution(self, self.functions[name.split(":")[0]], payload,
                                  execution_name)
            self.executions[execution.arn] = execution
            execution.dispatch()
        return execution

    def complete_callback(self, callback_id, operation, body):
        with self.lock:
            execution, op = self.callbacks[callback_id]
            if op["status"] != STARTED:
                raise Refused(400, "CallbackTimeoutException")
            if operation == "heartbeat":
                execution.beat(op)
            elif operation == "succeed":
                execution.end_op(op, SUCCEEDED, body or None, None)
            else:
                error = json.loads(body or b"{}")
                execution.end_op(op, FAILED, None, make_error(
                    error.get("ErrorType", ""), error.get("ErrorMessage", "")))

    def stop(self, execution):
        with self.lock:
            if execution.status == "RUNNING":
                execution.close("STOPPED", None, None)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model = None

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
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        path, _, query = self.path.partition("?")
        words = [urllib.parse.unquote(word) for word in path.split("/")[1:]]
        try:
            self.route(words, urllib.parse.parse_qs(query), body)
        except Refused as refused:
            self.answer(refused.status, {"message": refused.name},
                        x_amzn_errortype=refused.name)

    do_GET = do_POST = serve

    def route(self, words, query, body):
        if words[-1] == "functions":
            self.model.create(json.loads(body))
            self.answer(201, {})
        elif words[-1] == "invocations":
            self.invoke(words[2], body)
        elif words[1] == "durable-execution-callbacks":
            self.model.complete_callback(words[2], words[3], body)
            self.answer(200, {})
        elif words[0] == "pawl":
            execution = self.model.executions[query["Execution"][0]]
            self.answer(200, b"".join(json.dumps(line).encode() + b"\n"
                                      for line in execution.logs))
        else:
            self.execution(self.model.executions[words[2]], words[3:], query)

    def invoke(self, name, body):
        execution = self.model.start(name, body, self.headers["x-amz-durable-execution-name"])
        headers = {"x_amz_durable_execution_arn": execution.arn}
        if self.headers["x-amz-invocation-type"] == "Event":
            self.answer(202, **headers)
            return
        execution.ended.wait()
        if execution.status != "SUCCEEDED":
            headers["x_amz_function_error"] = "Unhandled"
        self.answer(200, execution.result or b"", **headers)

    def execution(self, execution, words, query):
        if words == ["stop"]:
            self.model.stop(execution)
        with self.model.lock:
            if words == ["history"]:
                body = page(execution.events, query)
            else:
                body = {"Status": execution.status}
                if execution.result is not None:
                    body["Result"] = execution.result.decode()
                if execution.error is not None:
                    body["Error"] = error_json(execution.error)
            body = json.dumps(body).encode()
        self.answer(200, body)


def page(events, query):
    at = int(query.get("Marker", ["0"])[0])
    end = at + int(query["MaxItems"][0])
    ordered = events[::-1] if "ReverseOrder" in query else events
    found = {"Events": ordered[at:end]}
    if end < len(events):
        found["NextMarker"] = str(end)
    return found


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128

    def get_request(self):
        request, _ = super().get_request()
        return request, ("local", 0)


def main():
    options = dict(zip(sys.argv[2::2], sys.argv[3::2]))
    os.makedirs(options["--data"], exist_ok=True)
    Handler.model = Model(options["--data"])
    server = Server(options["--socket"], Handler)
    print("ready model", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
