"""A daemon that follows a script: it listens on a unix socket, takes one request
after another and gives each the next prepared answer. What was asked is kept as it
came, so a test can compare every byte of it."""
import json
import os
import socket
import threading


class Request:
    def __init__(self, line, headers, body):
        self.method, self.target, self.version = line.split(" ")
        self.headers = headers
        self.body = body

    def __repr__(self):
        return f"{self.method} {self.target} {self.body[:200]!r}"


class Answer:
    """`pieces` are sent as chunks; `drop` closes the connection instead."""

    def __init__(self, status=200, body=b"", headers=None, pieces=None, drop=False):
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        elif isinstance(body, str):
            body = body.encode()
        self.status, self.body, self.headers = status, body, headers or {}
        self.pieces, self.drop = pieces, drop

    def send(self, sock):
        lines = [f"HTTP/1.1 {self.status} Scripted"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.pieces is not None:
            lines.append("transfer-encoding: chunked")
        elif self.status != 204:
            lines.append(f"content-length: {len(self.body)}")
        sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        if self.pieces is None:
            sock.sendall(self.body)
            return
        for piece in self.pieces:
            sock.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        sock.sendall(b"0\r\n\r\n")


def error(status, name, message, headers=None):
    body = {"Type": "User", "Message": message, "message": message}
    return Answer(status, body, {"x-amzn-errortype": name, **(headers or {})})


def read_request(stream):
    line = stream.readline()
    if not line:
        return None
    headers = {}
    while True:
        header = stream.readline().rstrip(b"\r\n").decode()
        if not header:
            break
        name, value = header.split(":", 1)
        assert name.lower() not in headers, f"header {name} came twice"
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", "0")))
    return Request(line.rstrip(b"\r\n").decode(), headers, body)


class FakeDaemon:
    def __init__(self, directory, answers):
        self.path = os.path.join(directory, "pawl.sock")
        self.answers = list(answers)
        self.requests = []
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen(8)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        with sock, sock.makefile("rb") as stream:
            self.answer(sock, stream)

    def answer(self, sock, stream):
        while True:
            request = read_request(stream)
            if request is None:
                return
            self.requests.append(request)
            answer = self.answers.pop(0) if self.answers else Answer(599, "the script is over")
            if answer.drop:
                return
            try:
                answer.send(sock)
            except (BrokenPipeError, ConnectionResetError):
                return

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        finally:
            self.listener.close()
        self.thread.join(10)
        os.unlink(self.path)
