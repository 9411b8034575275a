"""A daemon of the test's own, and what every test of it needs."""
import http.client
import os
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from sanitizer import find_reports

PAWL = os.environ["PAWL"]
DEADLINE_S = 60


def wait_for(what, condition):
    end = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.02)
    return found


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=DEADLINE_S)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Case(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="pawl-test.")
        self.directory = self.scratch.name
        self.data = os.path.join(self.directory, "data")
        self.socket = os.path.join(self.directory, "run", "pawl.sock")
        self.processes = []
        self.drain_s = 1

    def tearDown(self):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(DEADLINE_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            process.stdout.close()
        reports = find_reports(self.log().encode()) if self.processes else []
        self.scratch.cleanup()
        self.assertEqual(reports, [])

    def start(self, *arguments, command="serve", **environ):
        """Starts the daemon; its stderr goes to `log`."""
        with open(os.path.join(self.directory, "log"), "ab") as log:
            process = subprocess.Popen(
                [PAWL, command, "--data", self.data, "--socket", self.socket, "--cache-dir",
                 os.path.join(self.directory, "cache"), "--drain", str(self.drain_s), *arguments],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                env=dict(os.environ, **environ))
        self.processes.append(process)
        return process

    def serve(self, *arguments, **environ):
        process = self.start(*arguments, **environ)
        line = process.stdout.readline().decode()
        if not line.startswith("ready "):
            self.skip_without_sandbox()
            self.fail(f"not ready: {self.log()}")
        return process, line

    def skip_without_sandbox(self):
        if "namespaces" in self.log():
            self.skipTest("this machine gives no sandbox")

    def log(self):
        with open(os.path.join(self.directory, "log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def ask(self, method, path, body=None):
        connection = Connection(self.socket)
        connection.request(method, path, body)
        answer = connection.getresponse()
        found = answer.status, answer.read().decode()
        connection.close()
        return found

    def refused(self, code, words, *arguments, **environ):
        process = self.start(*arguments, **environ)
        out = process.stdout.read()
        process.wait(DEADLINE_S)
        if code == 1:
            self.skip_without_sandbox()
        self.assertEqual(out, b"")
        self.assertIn(words, self.log())
        self.assertEqual(process.returncode, code)
