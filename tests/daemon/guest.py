#!/usr/bin/python3
"""A runtime of its own for the tests: the bootstrap of a function that does what the event
of the invocation says. It speaks plain HTTP with its door; nothing of it is an SDK's."""

import base64
import ctypes
import http.client
import json
import os
import socket
import sys
import threading
import time
import urllib.parse

API = os.environ.get("AWS_LAMBDA_RUNTIME_API", "")
RUNTIME = "/2018-06-01/runtime"
DURABLE = "/2025-12-01/durable-executions/"
CALLBACKS = "/2025-12-01/durable-execution-callbacks/"
kept = {}  # of earlier invocations in this environment
together = {}
lock = threading.Lock()


def quote(text):
    return urllib.parse.quote(text, safe="")


class Client:
    """One connection, which is opened again when it was closed."""

    def __init__(self):
        self.connection = http.client.HTTPConnection(API)

    def ask(self, method, path, body=None, headers=None):
        self.connection.request(method, path, body=body, headers=headers or {})
        answer = self.connection.getresponse()
        return answer.status, dict(answer.headers), answer.read()


def filled(value):
    """{"$fill": N} is a text of N characters."""
    if isinstance(value, dict):
        if "$fill" in value:
            return "x" * value["$fill"]
        return {key: filled(one) for key, one in value.items()}
    return [filled(one) for one in value] if isinstance(value, list) else value


class Invocation:
    def __init__(self, client, headers, event):
        self.client = client
        self.headers = headers
        self.event = event
        self.id = headers["Lambda-Runtime-Aws-Request-Id"]

    def post(self, what, body, headers=None):
        if isinstance(body, str):
            body = body.encode()
        return self.client.ask("POST", f"{RUNTIME}/invocation/{self.id}/{what}", body, headers)

    def respond(self, value):
        return self.post("response", json.dumps(value))


# --- ordinary invocations ----------------------------------------------------------------


def interfaces():
    with open("/proc/net/dev", encoding="ascii") as file:
        return [line.split(":")[0].strip() for line in file if ":" in line]


def can_reach(address):
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((address[0], address[1])) == 0


def do_respond(one, order):
    one.respond(order.get("value"))


def do_raw(one, order):
    one.post("response", base64.b64decode(order["base64"]))


def do_fill(one, order):
    answer = one.post("response", b"x" * order["bytes"])
    with lock:
        kept["filled"] = [answer[0], answer[2].decode()]


def do_kept(one, order):
    one.respond(kept.get(order["name"]))


def do_facts(one, _order):
    one.respond({"headers": one.headers, "environ": dict(os.environ), "cwd": os.getcwd(),
                 "interfaces": interfaces(), "pid": os.getpid(),
                 "listing": sorted(os.listdir(".")), "event": one.event.decode()})


def do_post(one, order):
    """An end with any headers and body."""
    body = base64.b64decode(order["base64"]) if "base64" in order else filled(order["body"])
    one.post(order["what"], body, order.get("headers"))


def do_ask(one, order):
    """Any requests of its door; the answers are the response."""
    answers = []
    for request in order["requests"]:
        path = request["path"].replace("{id}", one.id)
        body = filled(request.get("body"))
        status, headers, text = one.client.ask(request["method"], path, body,
                                               request.get("headers"))
        answers.append([status, {name.lower(): value for name, value in headers.items()},
                        text.decode()])
    if order.get("keeps"):
        with lock:
            kept["answers"] = answers
    else:
        one.respond(answers)


def do_chunks(one, order):
    """A response in pieces: ["text" | number of bytes | {"sleep": s}], then its trailers."""
    def pieces():
        for piece in order["pieces"]:
            if isinstance(piece, dict):
                time.sleep(piece["sleep"])
            elif isinstance(piece, int):
                for at in range(0, piece, 65536):
                    yield b"x" * min(65536, piece - at)
            else:
                yield piece.encode()
    headers = dict(order.get("headers", {}))
    trailers = order.get("trailers", {})
    if order.get("is_streaming"):
        headers["Lambda-Runtime-Function-Response-Mode"] = "streaming"
    if trailers:
        headers["Trailer"] = ", ".join(trailers)
    connection = http.client.HTTPConnection(API)
    connection.putrequest("POST", f"{RUNTIME}/invocation/{one.id}/response")
    for name, value in dict(headers, **{"Transfer-Encoding": "chunked"}).items():
        connection.putheader(name, value)
    connection.endheaders()
    sent = 0
    for piece in pieces():
        connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        sent += len(piece)
        with lock:
            kept["sent"] = sent
    lines = "".join(f"{name}: {value}\r\n" for name, value in trailers.items())
    connection.send(b"0\r\n" + lines.encode() + b"\r\n")
    answer = connection.getresponse()
    answer.read()
    connection.close()


def do_cut(one, order):
    """The connection is lost in the middle of the response; then it answers, or not."""
    connection = http.client.HTTPConnection(API)
    connection.putrequest("POST", f"{RUNTIME}/invocation/{one.id}/response")
    if order.get("is_streaming"):
        connection.putheader("Lambda-Runtime-Function-Response-Mode", "streaming")
    connection.putheader("Content-Length", "1000")
    connection.endheaders(b"half of it")
    connection.close()
    if "exit" in order:
        os._exit(order["exit"])
    one.respond(order.get("value"))


def do_exit(_one, order):
    os._exit(order["status"])


def do_crash(_one, _order):
    ctypes.string_at(0)


def do_hang(_one, _order):
    time.sleep(3600)


def do_hoard(_one, _order):
    hoard = []
    while True:
        hoard.append(b"x" * (16 << 20))


def do_raise(one, order):
    one.post("error", filled(order["body"]), order.get("headers"))


def do_respond_and_exit(one, order):
    one.respond(order.get("value"))
    os._exit(order["status"])


def do_exit_idle(one, order):
    """Asks for the next one, and exits shortly after."""
    one.respond(order.get("value"))
    threading.Timer(0.2, os._exit, (order["status"],)).start()


def do_meet(one, order):
    """Waits until `count` are here at once."""
    with lock:
        barrier = together.setdefault(order["name"], threading.Barrier(order["count"]))
    barrier.wait(30)
    one.respond({"id": one.id, "number": order["number"], "pid": os.getpid()})


def do_print(one, order):
    print(order["text"], flush=True)
    one.respond(None)


def do_run(one, order):
    """Some Python, whose `out` is the response."""
    names = {"one": one, "API": API, "can_reach": can_reach}
    exec(order["code"], names)  # pylint: disable=exec-used
    one.respond(names.get("out"))


# --- durable executions ------------------------------------------------------------------


class Execution:
    """One invocation of a durable execution. Its input has `rounds`, lists of orders: the
    k-th invocation in this environment follows the k-th. All that was seen is kept, and
    can become the result."""

    def __init__(self, one, event):
        self.one = one
        self.arn = event["DurableExecutionArn"]
        self.token = event["CheckpointToken"]
        self.used = []
        self.answered = False
        operations = event["InitialExecutionState"]["Operations"]
        self.operations = {op["Id"]: op for op in operations}
        self.first_ids = set(self.operations)
        self.input = json.loads(operations[0]["ExecutionDetails"].get("InputPayload", "null"))
        with lock:
            self.seen = kept.setdefault(self.arn, [])
        self.round = sum(1 for entry in self.seen if "event" in entry)
        self.seen.append({"event": event, "id": one.id})

    def path(self, what):
        return f"{DURABLE}{quote(self.arn)}/{what}"

    def token_of(self, name):
        tokens = {"current": self.token, "previous": (self.used or [""])[-1],
                  "first": self.seen[0]["event"]["CheckpointToken"]}
        if name == "tampered":
            at = len(self.token) // 2
            other = "A" if self.token[at] != "A" else "B"
            return self.token[:at] + other + self.token[at + 1:]
        return tokens.get(name, name)

    def checkpoint(self, order):
        token = self.token_of(order.get("token", "current"))
        body = {"CheckpointToken": token, "ClientToken": order.get("client", os.urandom(8).hex()),
                "Updates": filled(order.get("updates", []))}
        status, _, text = self.one.client.ask(
            "POST", self.path("checkpoint"), json.dumps(body),
            {"content-type": "application/json"})
        answer = json.loads(text)
        if status == 200:
            if order.get("token") != "previous":
                self.used.append(token)
            self.token = answer["CheckpointToken"]
            for op in answer["NewExecutionState"]["Operations"]:
                self.operations[op["Id"]] = op
        return {"status": status, "answer": answer, "text": text.decode()}

    def state(self, order):
        token = quote(self.token_of(order.get("token", "current")))
        query = f"?CheckpointToken={token}"
        for name in ("MaxItems", "Marker"):
            if name in order:
                query += f"&{name}={quote(str(order[name]))}"
        status, _, text = self.one.client.ask("GET", self.path("state") + query)
        return {"status": status, "answer": json.loads(text), "bytes": len(text)}

    def pages(self, order):
        pages = []
        marker = {"Marker": order["Marker"]} if "Marker" in order else {}
        for _ in range(1000):
            page = self.state(dict(order, **marker))
            pages.append(page)
            if not page["answer"].get("NextMarker"):
                break
            marker = {"Marker": page["answer"]["NextMarker"]}
        return {"pages": [{"ids": [op["Id"] for op in page["answer"]["Operations"]],
                           "bytes": page["bytes"]} for page in pages]}

    def rest_of_state(self, _order):
        """What the event's page has not."""
        state = self.seen[-1]["event"]["InitialExecutionState"]
        first = {"ids": [op["Id"] for op in state["Operations"]],
                 "bytes": len(json.dumps(state))}
        if "NextMarker" not in state:
            return [first]
        return [first] + self.pages({"Marker": state["NextMarker"]})["pages"]

    def exit_first(self, _order):
        if len(self.operations) == 1 or "a" not in self.first_ids:
            os._exit(3)

    def until(self, order):
        """Polls until the operation has that status."""
        for _ in range(3000):
            if self.operations.get(order["id"], {}).get("Status") == order["is"]:
                return self.operations[order["id"]]
            self.checkpoint({})
            time.sleep(0.02)
        raise TimeoutError(order["id"])

    def callback(self, order):
        callback_id = self.operations[order["id"]]["CallbackDetails"]["CallbackId"]
        status, _, text = self.one.client.ask(
            "POST", f"{CALLBACKS}{quote(callback_id)}/{order['how']}",
            order.get("body", "").encode())
        return {"status": status, "answer": text.decode()}

    def request(self, order):
        status, headers, text = self.one.client.ask(
            order["method"], order["path"].replace("{arn}", quote(self.arn)), order.get("body"),
            order.get("headers"))
        return {"status": status, "headers": headers, "answer": text.decode()}

    def steps(self, order):
        """A workflow: so many steps, each said before and after; a wait after every tenth."""
        for number in range(order["count"]):
            name = f"step-{number}"
            if self.operations.get(name, {}).get("Status") == "SUCCEEDED":
                continue
            print(f"runs {name}-of-{order['of']}", flush=True)
            updates = [{"Id": name, "Type": "STEP", "Action": "START"},
                       {"Id": name, "Type": "STEP", "Action": "SUCCEED", "Payload": str(number)}]
            if number % 10 == 9:
                updates.append({"Id": f"wait-{number}", "Type": "WAIT", "Action": "START",
                                "WaitOptions": {"WaitSeconds": 1}})
            answer = self.checkpoint({"updates": updates})
            if answer["status"] != 200:
                raise RuntimeError(answer["text"])
            print(f"did {name}-of-{order['of']}", flush=True)
            if number % 10 == 9:
                return {"answer": {"Status": "PENDING"}}
        return {"answer": {"Status": "SUCCEEDED", "Result": json.dumps(
            [op["StepDetails"]["Result"] for op in self.operations.values()
             if op["Type"] == "STEP"])}}

    def work(self, order):
        """Step by step until a checkpoint is refused, as an SDK ends then; or to its end."""
        for number in range(order["count"]):
            name = f"step-{number}"
            if name in self.first_ids:
                continue
            answer = self.checkpoint({"updates": [
                {"Id": name, "Type": "STEP", "Action": "START"},
                {"Id": name, "Type": "STEP", "Action": "SUCCEED", "Payload": self.one.id}]})
            if answer["status"] != 200:
                self.answered = True
                self.one.post("error", json.dumps(
                    {"errorType": "CheckpointFailed", "errorMessage": answer["text"]}))
                return
            time.sleep(order["s"])
        self.answer({"Status": "SUCCEEDED", "Result": json.dumps(len(self.operations) - 1)})

    def follow(self, order):
        kind = order["call"]
        if kind == "sleep":
            time.sleep(order["s"])
        elif kind == "exit":
            os._exit(order["status"])
        elif kind == "error":
            self.answered = True
            self.one.post("error", filled(order["body"]), order.get("headers"))
        elif kind == "post":
            self.answered = True
            self.one.post("response", order["body"])
        elif kind == "work":
            self.work(order)
        elif kind == "steps":
            self.answer(self.steps(order)["answer"])
        elif kind == "answer_summary":
            pages = self.seen[-1]["got"]
            self.answer({"Status": "SUCCEEDED", "Result": json.dumps({
                "ids": [name for page in pages for name in page["ids"]], "pages": len(pages),
                "bytes": [page["bytes"] for page in pages]})})
        elif kind == "answer":
            self.answer(filled(order["value"]))
        elif kind == "print":
            print(order["text"], flush=True)
        else:
            self.seen.append({"order": order.get("as", kind), "got": getattr(self, kind)(order)})

    def answer(self, value):
        if not self.answered:
            self.answered = True
            self.one.respond(value)

    def run(self):
        rounds = self.input["rounds"]
        for order in rounds[min(self.round, len(rounds) - 1)]:
            self.follow(order)
        self.answer({"Status": "SUCCEEDED", "Result": json.dumps(self.seen)})


def serve():
    client = Client()
    while True:
        status, headers, event = client.ask("GET", RUNTIME + "/invocation/next")
        if status != 200:
            sys.exit(f"next: {status} {event}")
        one = Invocation(client, headers, event)
        try:
            order = json.loads(event)
        except ValueError:
            order = None
        if isinstance(order, dict) and "DurableExecutionArn" in order:
            Execution(one, order).run()
        elif isinstance(order, dict) and "do" in order:
            globals()["do_" + order["do"]](one, order)
        else:
            one.post("response", event)


def begin():
    """What its function is told to do before the first question."""
    how = os.environ.get("BEGIN", "")
    if how.startswith("exit:"):
        sys.exit(int(how[5:]))
    elif how == "crash":
        ctypes.string_at(0)
    elif how == "hang":
        time.sleep(3600)
    elif how == "error":
        Client().ask("POST", RUNTIME + "/init/error", json.dumps(
            {"errorType": "Begin.Failed", "errorMessage": "it does not begin",
             "stackTrace": ["line 1"]}), {"Lambda-Runtime-Function-Error-Type": "Header.Type"})
        sys.exit(1)


def main():
    begin()
    threads = [threading.Thread(target=serve) for _ in range(
        int(os.environ.get("AWS_LAMBDA_MAX_CONCURRENCY", "1")) - 1)]
    for thread in threads:
        thread.start()
    serve()


if __name__ == "__main__":
    main()
