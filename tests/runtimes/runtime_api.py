"""A stand-in for the Runtime API of an environment, and a runtime that is run against it.

It hands out what is queued, in order, and keeps what it is answered. Nothing is lost when a
runtime asks late: /next waits.
"""

import http.server
import json
import os
import queue
import subprocess
import sys
import threading
import time
import uuid

WAIT_S = 60
POLL_S = 0.02
PREFIX = "/2018-06-01/runtime/"


class Answered:
    """What a runtime posted: kind is `response`, `error` or `init/error`."""

    def __init__(self, kind, request_id, headers, body):
        self.kind = kind
        self.request_id = request_id
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, headers=None, body=b""):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):  # pylint: disable=invalid-name
        assert self.path == PREFIX + "invocation/next", self.path
        self.server.api.note_asking(1)
        event = self.server.api.events.get()
        self.server.api.note_asking(-1)
        if event is None:  # the test is over
            self.close_connection = True
            return
        self.reply(200, *event)

    def read_body(self):
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self.rfile.read(int(self.headers["content-length"]))
        body = b""
        while True:
            size = int(self.rfile.readline(), 16)
            body += self.rfile.read(size)
            while size == 0 and self.rfile.readline().strip():
                pass  # trailers
            if size == 0:
                return body
            self.rfile.readline()

    def do_POST(self):  # pylint: disable=invalid-name
        body = self.read_body()
        words = self.path[len(PREFIX):].split("/")
        if words == ["init", "error"]:
            answered = Answered("init/error", None, self.headers, body)
        else:
            answered = Answered(words[2], words[1], self.headers, body)
        self.server.api.answers.put(answered)
        self.reply(self.server.api.status, {"Content-Type": "application/json"},
                   b'{"status":"OK"}')


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A runtime that is killed leaves its connections broken."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class RuntimeApi:
    def __init__(self):
        self.events = queue.Queue()
        self.answers = queue.Queue()
        self.status = 202
        self.asking = 0
        self.changed = threading.Condition()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.api = self
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(POLL_S,),
                                       daemon=True)
        self.thread.start()

    def note_asking(self, change):
        with self.changed:
            self.asking += change
            self.changed.notify_all()

    def wait_asking(self, count):
        """Until so many ask at once."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.asking == count, WAIT_S), self.asking

    def send(self, event, deadline_s=60, raw=None, **headers):
        """Queues an invocation; headers as trace_id="…" for Lambda-Runtime-Trace-Id."""
        request_id = str(uuid.uuid4())
        body = json.dumps(event).encode() if raw is None else raw
        named = {"Lambda-Runtime-Aws-Request-Id": request_id,
                 "Lambda-Runtime-Deadline-Ms": str(int((time.time() + deadline_s) * 1000)),
                 "Lambda-Runtime-Invoked-Function-Arn":
                     "arn:aws:lambda:us-east-1:123456789012:function:f",
                 "Content-Type": "application/json"}
        for name, value in headers.items():
            named["Lambda-Runtime-" + name.title().replace("_", "-")] = value
        self.events.put((named, body))
        return request_id

    def answer(self):
        return self.answers.get(timeout=WAIT_S)

    def close(self):
        with self.changed:
            for _ in range(self.asking):
                self.events.put(None)
        self.server.shutdown()
        self.server.server_close()


class Runtime:
    """`bootstrap` on code in a directory; its output is text once it has ended."""

    def __init__(self, bootstrap, code, handler, api, **environ):
        self.process = subprocess.Popen(
            [bootstrap], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, cwd=code, text=True,
            env={"PATH": os.environ["PATH"], "AWS_LAMBDA_RUNTIME_API": api.address,
                 "_HANDLER": handler, "LAMBDA_TASK_ROOT": code, "AWS_REGION": "us-east-1",
                 "AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
                 "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
                 "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
                 "AWS_LAMBDA_LOG_STREAM_NAME": "2026/11/23/[$LATEST]0", **environ})

    def wait(self):
        """(exit code, output) of one that ends by itself."""
        output, _ = self.process.communicate(timeout=WAIT_S)
        return self.process.returncode, output

    def end(self):
        self.process.kill()
        return self.process.communicate()[0]
