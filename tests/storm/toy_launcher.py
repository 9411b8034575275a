#!/usr/bin/python3
"""The launcher of the toy: the workflows of worker.c, in threads of a process that dies
with the daemon and holds a lock until then."""

import fcntl
import itertools
import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))


def start_launcher(data, config):
    """Returns the daemon's end. The process is called as `python3 launcher FD …`."""
    os.makedirs(data, exist_ok=True)
    shutil.copy(os.path.abspath(__file__), os.path.join(data, "launcher"))
    with open(config, encoding="utf-8") as file:
        grant = next(line for line in file if line.startswith("grants")).split("=")[1].strip()
    ours, theirs = socket.socketpair()
    command = [sys.executable, "launcher", str(theirs.fileno()), os.path.join(grant, "socket"),
               HERE]
    subprocess.Popen(command, cwd=data, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
    theirs.close()
    if ours.recv(1) != b"!":
        raise RuntimeError("the launcher has no lock")
    return ours


class Suspended(Exception):
    pass


class Worker(threading.Thread):
    numbers = itertools.count(1)
    lock = threading.Lock()
    waiting = {}

    def __init__(self, link, ledger, message):
        super().__init__(daemon=True)
        self.link = link
        self.message = message
        self.number = next(self.numbers)
        self.notes = Notes(ledger)
        self.answers = queue.Queue()
        self.waiting[self.number] = self.answers

    def run(self):
        if "event" in self.message:
            self.notes.note("event", op=self.message["event"])
            self.send({"event": self.message["event"]})
        else:
            self.run_flow()
        self.notes.sock.close()
        self.notes.file.close()

    def send(self, message):
        line = json.dumps(dict(message, **{"from": self.number})).encode() + b"\n"
        with self.lock:
            self.link.sendall(line)

    def ask(self, **message):
        self.send(dict(message, arn=self.arn, attempt=self.message["attempt"]))
        answer = self.answers.get()
        if answer.get("refused"):
            raise Suspended
        return answer

    # --- the workflow of worker.c -------------------------------------------------------

    def run_flow(self):
        self.arn = self.message["arn"]
        self.ops = self.message["ops"]
        self.invocation = f"i{self.message['attempt']}-{os.getpid()}-{self.number}"
        self.steps = {}
        self.note("enter")
        try:
            self.run_plan(json.loads(self.message["payload"])["plan"])
            end = {"outcome": "SUCCEEDED", "value": json.dumps({"steps": self.steps})}
        except Suspended:
            end = {"outcome": "PENDING"}
        self.note("leave")
        try:
            self.ask(**end)
        except Suspended:
            pass

    def note(self, kind, op="-", attempt=0, extra="-"):
        self.notes.note(kind, self.arn, op, attempt, self.invocation, extra)

    def run_plan(self, plan):
        for i, letter in enumerate(plan):
            self.operation(letter, f"{letter}{i}")

    def operation(self, letter, name):
        if letter in "sar":
            self.steps[name] = self.step(letter, name)
        elif letter == "w":
            self.wait(name)
        elif letter == "c":
            self.callback(name)
        elif letter == "i":
            self.until_done(name, "invoke")
        else:
            self.child(name)

    def op(self, name):
        return self.ops.get(name) or {"status": "NEW", "attempt": 0}

    def step(self, letter, name):
        op = self.op(name)
        if op["status"] == "SUCCEEDED":
            return json.loads(op["value"])
        if op["status"] == "PENDING":
            raise Suspended
        if op["status"] == "STARTED" and letter == "a":  # interrupted
            self.ask(op=name, action="retry")
            raise Suspended
        if op["status"] != "STARTED":
            self.ask(op=name, action="step")
        return self.run_step(letter, name, op["attempt"] + 1)

    def run_step(self, letter, name, attempt):
        self.note("start", name, attempt, "once" if letter == "a" else "least")
        if letter == "r" and attempt == 1:
            self.note("done", name, attempt, "fail")
            self.ask(op=name, action="retry")
            raise Suspended
        value = os.urandom(8).hex()
        self.note("done", name, attempt, value)
        self.ask(op=name, action="succeed", value=json.dumps(value))
        return value

    def until_done(self, name, action):
        op = self.op(name)
        if op["status"] == "NEW":
            op = self.ask(op=name, action=action)["op"]
            self.ops[name] = op
        if op["status"] != "SUCCEEDED":
            raise Suspended

    def wait(self, name):
        self.note("before", name, extra="1")
        self.until_done(name, "wait")
        self.note("after", name, extra="1")

    def callback(self, name):
        if self.op(name)["status"] == "NEW":
            self.ops[name] = self.ask(op=name, action="callback")["op"]
        self.note("callback", name, extra=self.op(name)["callback"])
        self.until_done(name, "callback")

    def child(self, name):
        op = self.op(name)
        if op["status"] == "SUCCEEDED":
            return
        if op["status"] == "NEW":
            self.ask(op=name, action="child")
        self.step("s", name + ".s")
        self.wait(name + ".w")
        self.step("a", name + ".a")
        self.ask(op=name, action="child-end")


def serve(link, ledger):
    for line in link.makefile("r"):
        message = json.loads(line)
        if "to" in message:
            Worker.waiting[message["to"]].put(message)
        else:
            Worker(link, ledger, message).start()
    os._exit(0)


def main():
    lock = open("launcher.lock", "w", encoding="ascii")
    fcntl.flock(lock, fcntl.LOCK_EX)
    link = socket.socket(fileno=int(sys.argv[1]))
    link.sendall(b"!")
    serve(link, sys.argv[2])


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[3])
    from ledger import Notes
    main()
