"""Starting, watching and ending a daemon of one's own."""

import os
import signal
import subprocess
import threading
import time

from sanitizer import is_report

REPORT_LINES = 40  # the beginning of a sanitizer's report


class DaemonError(Exception):
    pass


class Daemon:
    """`pawl serve` on a data directory. It may be started again after it has ended; what it
    prints goes to `<data>.log`, so that a failed run can be read afterwards. A report of a
    sanitizer in it is an error when the daemon ends, in whichever way."""

    def __init__(self, build, data, arguments=(), environ=None, program=None):
        self.program = program or os.path.join(build, "invoke", "pawl")
        self.data = data
        self.socket = os.path.join(os.path.dirname(data), "pawl.sock")
        self.log = data + ".log"
        self.arguments = list(arguments)
        self.environ = dict(os.environ, **(environ or {}))
        self.process = None
        self.reader = None
        self.ready = None
        self.ready_line = ""
        self.report = []

    def start(self, environ=None):
        command = [self.program, "serve", "--data", self.data, "--socket", self.socket]
        self.ready = threading.Event()
        self.process = subprocess.Popen(
            command + self.arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=dict(self.environ, **(environ or {})))
        self.reader = threading.Thread(target=self._read, args=(self.process, self.ready),
                                       daemon=True)
        self.reader.start()

    def _read(self, process, ready):
        with open(self.log, "ab") as log:
            for line in process.stdout:
                log.write(line)
                log.flush()
                if (self.report or is_report(line)) and len(self.report) < REPORT_LINES:
                    self.report.append(line.decode("utf-8", "replace").rstrip())
                if line.startswith(b"ready"):
                    self.ready_line = line.decode("utf-8", "replace").strip()
                    ready.set()
        process.stdout.close()

    def wait_ready(self, timeout_s=60):
        """True when it serves; False when it ended before. A daemon that does neither in
        `timeout_s` is an error."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            if self.ready.wait(0.01):
                return True
            if self.process.poll() is not None:
                return self.ready.wait(0.1)
        raise DaemonError(f"not ready within {timeout_s} s, see {self.log}")

    def run(self, timeout_s=60):
        self.start()
        if not self.wait_ready(timeout_s):
            self.reader.join(timeout_s)
            self._judge()
            raise DaemonError(f"ended with {self.process.returncode}, see {self.log}")

    def said(self, name):
        """What the ready line has under NAME=..."""
        words = (word.split("=", 1) for word in self.ready_line.split() if "=" in word)
        return dict(words)[name]

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        if self.is_alive():
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        self._judge()

    def end(self, timeout_s=40):
        """SIGTERM, then -9. Returns whether the gentle way was enough."""
        if self.is_alive():
            self.process.terminate()
            try:
                self.process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()
                return False
            self.reader.join(timeout_s)  # its last words
        self._judge()
        return True

    def _judge(self):
        if self.report:
            raise DaemonError("\n".join(self.report))

    def launcher_pid(self):
        """The child whose argv[1] is `launcher`, or None."""
        parent = self.process.pid
        try:
            with open(f"/proc/{parent}/task/{parent}/children", encoding="ascii") as file:
                children = file.read().split()
        except OSError:
            return None
        for pid in children:
            if is_launcher(pid):
                return int(pid)
        return None


def is_launcher(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().split(b"\0")
    except OSError:
        return False
    return len(words) > 1 and words[1] == b"launcher"
