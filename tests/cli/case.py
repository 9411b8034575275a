"""What every end-to-end test of the client needs."""
import json
import os
import pty
import shutil
import subprocess
import sys
import tempfile
import unittest

from fake_daemon import FakeDaemon

PROGRAM = os.environ["PAWL_CLI"]
TIMEOUT_S = 60
ARN = "arn:aws:lambda:us-east-1:123456789012:function:orders:$LATEST/durable-execution/order-7/" \
      "0190a5b2-7c3d-7e1f-8a2b-3c4d5e6f7081"
ARN_PATH = "arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Aorders%3A%24LATEST%2F" \
           "durable-execution%2Forder-7%2F0190a5b2-7c3d-7e1f-8a2b-3c4d5e6f7081"


class Result:
    def __init__(self, code, out, err):
        self.code, self.raw, self.out, self.err = code, out, out.decode(), err.decode()

    def json(self):
        return json.loads(self.out)


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="pawl-cli-")
        self.daemon = None

    def tearDown(self):
        if self.daemon:
            self.daemon.close()
        shutil.rmtree(self.directory)

    def script(self, *answers):
        self.daemon = FakeDaemon(self.directory, answers)

    def environment(self, **more):
        variables = {"PATH": os.environ["PATH"], "HOME": self.directory, "TZ": "UTC",
                     "PAWL_SOCKET": os.path.join(self.directory, "pawl.sock")}
        variables.update({name: value for name, value in os.environ.items()
                          if name.endswith("_OPTIONS")})
        variables.update(more)
        return {name: value for name, value in variables.items() if value is not None}

    def pawl(self, *words, stdin=b"", cwd=None, **variables):
        done = subprocess.run([PROGRAM, *words], input=stdin, capture_output=True, cwd=cwd,
                              env=self.environment(**variables), timeout=TIMEOUT_S, check=False)
        return Result(done.returncode, done.stdout, done.stderr)

    def terminal(self, *words, columns=100, **variables):
        """Runs with stdout on a terminal of that width."""
        ours, theirs = pty.openpty()
        import fcntl
        import struct
        import termios
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        child = subprocess.Popen([PROGRAM, *words], stdin=subprocess.DEVNULL, stdout=theirs,
                                 stderr=subprocess.PIPE,
                                 env=self.environment(TERM="xterm", **variables))
        os.close(theirs)
        out = b""
        try:
            while piece := os.read(ours, 65536):
                out += piece
        except OSError:
            pass  # Linux: the other end was closed
        os.close(ours)
        _, err = child.communicate(timeout=TIMEOUT_S)
        return Result(child.returncode, out.replace(b"\r\n", b"\n"), err)

    def assert_code(self, result, code):
        self.assertEqual(result.code, code, f"stdout: {result.out}\nstderr: {result.err}")

    def assert_asked(self, *lines):
        """Exactly these requests came, in this order: "GET /path"."""
        self.assertEqual([f"{r.method} {r.target}" for r in self.daemon.requests], list(lines))
        self.assertEqual(self.daemon.answers, [], "the script has more answers")


def main():
    unittest.main(module=sys.modules["__main__"], verbosity=1)
