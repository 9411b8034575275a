"""The daemon's HTTP door when it goes badly: many slow clients, no descriptors left, the end.

    doortest.py BUILD
"""

import os
import re
import resource
import signal
import socket
import sys
import tempfile
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness"), HERE]

from api import Api  # noqa: E402
from archive import zip_files  # noqa: E402
from daemon import Daemon  # noqa: E402
from daemontest import BUILD, WAIT_S, wait_for  # noqa: E402
from sanitizer import sanitize_of  # noqa: E402
from tlstest import Reader  # noqa: E402

FUNCTIONS = os.path.join(BUILD, "tests", "daemon", "daemon_functions")
LIST = "/2015-03-31/functions"


class DoorCase(unittest.TestCase):
    config = ""
    environ = None
    files_max = None  # hard limit of descriptors of the daemon

    def setUp(self):
        self.sockets = []
        self.scratch = tempfile.TemporaryDirectory(prefix="pawl-test-")
        self.daemon = Daemon(BUILD, os.path.join(self.scratch.name, "data"),
                             environ=self.environ)
        path = self.daemon.data + ".conf"
        with open(path, "w", encoding="utf-8") as file:
            file.write("[daemon]\nlisten = 127.0.0.1:0\n" + self.config)
        self.daemon.arguments = ["--config", path]
        if self.files_max is not None:
            self.limit_files(path)
        self.daemon.run()
        words = dict(word.split("=", 1) for word in self.daemon.ready_line.split() if "=" in word)
        self.port = int(words["listen"].rsplit(":", 1)[1])
        with open(os.path.join(self.daemon.data, "token"), encoding="utf-8") as file:
            self.token = file.read().strip()
        self.api = Api(self.daemon.socket)

    def limit_files(self, path):
        """Through a program that lowers both limits and then is the daemon."""
        program = os.path.join(self.scratch.name, "limited")
        with open(program, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\nulimit -Sn 40\nulimit -Hn {self.files_max}\n"
                       f"exec {self.daemon.program} \"$@\"\n")
        os.chmod(program, 0o700)
        self.daemon.program = program

    def tearDown(self):
        for sock in self.sockets:
            sock.close()
        try:
            self.daemon.end()
        finally:
            self.scratch.cleanup()

    # --- clients ---------------------------------------------------------------------

    def connect(self, number=0):
        """From one of many loopback addresses, since each has its own limit."""
        sock = socket.socket()
        sock.settimeout(WAIT_S)
        sock.bind((f"127.0.{number // 200 + 1}.1", 0))
        sock.connect(("127.0.0.1", self.port))
        self.sockets.append(sock)
        return sock

    def head(self, method="GET", path=LIST, length=0):
        return (f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
                f"{self.token}\r\nContent-Length: {length}\r\n\r\n").encode()

    def list_on(self, sock):
        sock.sendall(self.head())
        status, _, body = Reader(sock).answer()
        self.assertEqual(status, 200, body)

    def resident_kb(self):
        with open(f"/proc/{self.daemon.process.pid}/status", encoding="utf-8") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))

    def log(self):
        with open(self.daemon.log, encoding="utf-8", errors="replace") as file:
            return file.read()


class EndTest(DoorCase):
    """SIGTERM with requests in all states."""

    IN_FLIGHT = 6

    def deploy(self):
        self.api.create_function("ponders", zip_files({"bootstrap": FUNCTIONS}), "ponders")
        return LIST + "/ponders/invocations"

    def started(self):
        lines = self.api.request("GET", "/pawl/v1/logs/ponders").body.decode()
        return lines.count("START RequestId")

    def end_of(self, sock):
        try:
            return sock.recv(65536)
        except ConnectionResetError:
            return b""

    def is_refused(self):
        try:
            self.connect()
            return False
        except OSError:
            return True

    def test_what_is_in_flight_is_answered_and_the_rest_is_told(self):
        path = self.deploy()
        body = b'"' + b"x" * 1_000_000 + b'"'
        idle = [self.connect() for _ in range(10)]
        for sock in idle:
            self.list_on(sock)
        silent = [self.connect() for _ in range(3)]
        head = self.connect()
        head.sendall(self.head()[:-10])
        half = self.connect()
        half.sendall(self.head("POST", path, 1000) + b'"half')
        busy = [self.connect() for _ in range(self.IN_FLIGHT)]
        for sock in busy:
            sock.sendall(self.head("POST", path, len(body)) + body)
        wait_for("all of them to run", lambda: self.started() == self.IN_FLIGHT)
        self.daemon.process.send_signal(signal.SIGTERM)
        wait_for("the end to begin", lambda: "ending: running functions" in self.log())
        for sock in idle + silent:
            self.assertEqual(self.end_of(sock), b"")
        for sock in (head, half):
            status, fields, _ = Reader(sock).answer()
            self.assertEqual((status, fields["connection"]), (503, "close"))
        wait_for("nobody to be let in any more", self.is_refused)
        for sock in busy:
            reader = Reader(sock)
            status, fields, answer = reader.answer()
            self.assertEqual((status, answer), (200, body))
            self.assertEqual(fields["connection"], "close")
            self.assertEqual(self.end_of(sock), b"")
            sock.close()
        head.close()
        half.close()
        self.assertEqual(self.daemon.process.wait(WAIT_S), 0)


class SlowTest(DoorCase):
    """As many slow clients as there is room for."""

    SLOW = 1500
    config = f"[limits]\nconnections_max = {SLOW + 1}\n"
    environ = {"MALLOC_PERTURB_": "0"}  # it would touch what is only reserved

    @staticmethod
    def setUpClass():
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def open_slow(self):
        slow = []
        for number in range(self.SLOW):
            sock = self.connect(number)
            sock.sendall(self.head()[:40] if number % 3 else
                         self.head("POST", LIST, 60000) + b"x" * 1000)
            slow.append(sock)
        return slow

    def drip(self, slow, stop):
        while not stop.wait(0.05):
            for sock in slow:
                try:
                    sock.send(b"x")
                except OSError:
                    pass  # the server has given it up

    def test_the_good_clients_are_served_meanwhile(self):
        good = self.connect(100_00)
        self.list_on(good)
        before_kb = self.resident_kb()
        slow = self.open_slow()
        stop = threading.Event()
        dripping = threading.Thread(target=self.drip, args=(slow, stop))
        dripping.start()
        try:
            most_kb = 0
            told = 0
            while told < self.SLOW:  # until the last of them has been given up
                for _ in range(20):
                    self.list_on(good)
                    self.api.request("GET", LIST)  # the operator's socket
                most_kb = max(most_kb, self.resident_kb())
                told = sum(self.is_told(sock) for sock in slow)
        finally:
            stop.set()
            dripping.join()
        if sanitize_of(BUILD) == "none":
            self.assertLess(most_kb, before_kb + self.SLOW * 8 + 4096)
        for sock in slow:
            sock.close()
        self.list_on(self.connect(200_00))

    def is_told(self, sock):
        """408, or the end of the connection, has arrived."""
        try:
            return sock.recv(4, socket.MSG_DONTWAIT | socket.MSG_PEEK) is not None
        except BlockingIOError:
            return False
        except OSError:
            return True


@unittest.skipIf(sanitize_of(BUILD) != "none", "sanitizers need descriptors themselves")
class FilesCase(DoorCase):
    def open_many(self):
        """Some of them the daemon may close at once."""
        for number in range(400):
            try:
                self.connect(number).sendall(self.head()[:30])
            except OSError:
                pass

    def close_all_but(self, good):
        for sock in self.sockets:
            if sock is not good:
                sock.close()

    def is_served(self):
        try:
            sock = self.connect()
            sock.sendall(self.head())
            return Reader(sock).answer()[0] == 200
        except (OSError, EOFError):
            return False


class FewFilesTest(FilesCase):
    """Fewer descriptors than clients: some are kept for what is not a client."""

    files_max = 600

    def test_the_soft_limit_is_raised_and_tcp_has_its_part(self):
        with open(f"/proc/{self.daemon.process.pid}/limits", encoding="utf-8") as file:
            line = next(line for line in file if line.startswith("Max open files"))
        self.assertEqual(line.split()[3:5], [str(self.files_max)] * 2)
        self.assertIn("connections_max is 236 instead of 10000", self.log())

    def test_functions_and_the_operator_have_theirs(self):
        self.api.create_function("keeps", zip_files({"bootstrap": FUNCTIONS}), "keeps")
        self.api.local.connection.close()
        good = self.connect()
        self.list_on(good)
        self.open_many()
        for _ in range(50):
            self.list_on(good)
        self.assertEqual(self.api.invoke("keeps", "1").body, b"1")  # starts an environment
        self.close_all_but(good)
        wait_for("room for a new client", self.is_served)


class NoFilesTest(FilesCase):
    """None left at all."""

    files_max = 80

    def test_it_goes_on_with_those_it_has(self):
        good = self.connect()
        self.list_on(good)
        self.open_many()
        for _ in range(50):
            self.list_on(good)
        self.close_all_but(good)
        wait_for("room for a new client", self.is_served)
        self.list_on(good)
        self.assertLess(len(re.findall(r"accept", self.log())), 20, self.log()[-2000:])


if __name__ == "__main__":
    unittest.main(verbosity=2)
