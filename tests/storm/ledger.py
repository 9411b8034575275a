#!/usr/bin/python3
"""The outside ledger: what happened, written by somebody whom nobody kills.

    ledger.py SOCKET FILE

Each line that a speaker sends is appended with a number and the monotonic time, synced,
and only then answered with `ok`; lines that came together share a sync. So whatever
waited for its answer is known to have happened, in the order of the lines.

The ledger itself judges one thing, because only it can at that moment: when an invocation
speaks for an execution while another one that has not left still has its connection, two
attempts run side by side. What a dead speaker left unread is written first.

A speaker that sends `subscribe` is sent every `callback` line from then on.
"""

import os
import selectors
import socket
import sys
import time

from entries import FIELDS, format_line

CHUNK = 65536
LINE_MAX = 65536


class Speaker:
    def __init__(self, sock, number):
        self.sock = sock
        self.number = number
        self.unread = b""
        self.answers = 0
        self.is_open = True
        self.is_subscriber = False

    def read(self):
        """Complete lines that have arrived. At the end of the stream is_open is False."""
        while self.is_open:
            try:
                data = self.sock.recv(CHUNK, socket.MSG_DONTWAIT)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                data = b""
            if not data:
                self.is_open = False
            self.unread += data
            if len(self.unread) > LINE_MAX * 16:
                self.is_open = False
        *lines, self.unread = self.unread.split(b"\n")
        return [line.decode("utf-8", "replace") for line in lines]


class Ledger:
    def __init__(self, socket_path, file_path):
        self.file = open(file_path, "ab", buffering=0)
        self.batch = []
        self.callbacks = []
        self.touched = {}
        self.seq = 0
        self.speakers = 0
        self.holders = {}  # execution: (invocation, speaker)
        self.selector = selectors.DefaultSelector()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(socket_path)
        os.chmod(socket_path, 0o777)
        self.listener.listen(1024)
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ, None)

    def run(self):
        while True:
            for key, _ in self.selector.select():
                if key.data is None:
                    self._accept()
                else:
                    self._take(key.data)
            self._commit()

    def _accept(self):
        sock, _ = self.listener.accept()
        self.speakers += 1
        self.selector.register(sock, selectors.EVENT_READ, Speaker(sock, self.speakers))

    def _take(self, speaker):
        self.touched[speaker.number] = speaker
        for line in speaker.read():
            if line == "subscribe":
                speaker.is_subscriber = True
                continue
            speaker.answers += 1
            fields = line.split("\t")
            if len(fields) == FIELDS:
                self._note(speaker, fields)

    def _note(self, speaker, fields):
        kind, arn, _, _, invocation, _ = fields
        if arn != "-" and invocation != "-":
            self._hold(speaker, kind, arn, invocation.partition("/")[0])  # without a branch
        self._append(speaker.number, "\t".join(fields))
        if kind == "callback":
            self.callbacks.append("\t".join(fields) + "\n")

    def _hold(self, speaker, kind, arn, invocation):
        holder = self.holders.get(arn)
        if holder is not None and holder[0] != invocation:
            self._displace(arn, holder, invocation)
        if kind == "leave":
            self.holders.pop(arn, None)
        else:
            self.holders[arn] = (invocation, speaker)

    def _displace(self, arn, holder, invocation):
        """The holder must be dead; what it said before it died comes first."""
        old, speaker = holder
        del self.holders[arn]
        if speaker.is_open:
            self._take(speaker)
        if speaker.is_open and self.holders.get(arn, (None,))[0] in (None, old):
            self._append(0, format_line("overlap", arn, invocation=invocation, extra=old))

    def _append(self, number, text):
        self.seq += 1
        self.batch.append(f"{self.seq}\t{time.monotonic_ns()}\t{number}\t{text}\n")

    def _commit(self):
        if self.batch:
            self.file.write("".join(self.batch).encode())
            os.fdatasync(self.file.fileno())
            self.batch = []
        for speaker in self.touched.values():
            self._answer(speaker)
        self.touched = {}
        self._publish()

    def _answer(self, speaker):
        answers = b"ok\n" * speaker.answers
        speaker.answers = 0
        if speaker.is_open and answers:
            self._send(speaker, answers)
        if not speaker.is_open and speaker.sock.fileno() >= 0:
            self.selector.unregister(speaker.sock)
            speaker.sock.close()

    def _publish(self):
        text = "".join(self.callbacks).encode()
        self.callbacks = []
        if not text:
            return
        for key in list(self.selector.get_map().values()):
            if key.data is not None and key.data.is_subscriber:
                self._send(key.data, text)

    @staticmethod
    def _send(speaker, data):
        try:
            speaker.sock.sendall(data)
        except OSError:
            speaker.is_open = False


class Notes:
    """A client's connection to the ledger; one for each thread."""

    def __init__(self, socket_path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.connect(socket_path)
        except OSError:
            self.sock.close()
            raise
        self.file = self.sock.makefile("r", encoding="utf-8")

    def note(self, *fields, **more):
        self.sock.sendall((format_line(*fields, **more) + "\n").encode())
        if self.file.readline() != "ok\n":
            raise RuntimeError("the ledger does not answer")

    def subscribe(self):
        """Yields the fields of each `callback` line from now on."""
        self.sock.sendall(b"subscribe\n")
        for line in self.file:
            yield line.rstrip("\n").split("\t")


if __name__ == "__main__":
    Ledger(sys.argv[1], sys.argv[2]).run()
