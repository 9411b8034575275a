"""The daemon with threads in front of its loop (`[http] threads`).

    threadtest.py BUILD

The other suites of the door, with threads, are run from here too.
"""

import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness"), HERE]

ARGUMENTS = sys.argv[:1] + sys.argv[2:]  # each suite takes the first that it finds

import doortest  # noqa: E402
import tlstest  # noqa: E402
from archive import zip_files  # noqa: E402
from daemontest import BUILD, WAIT_S, wait_for  # noqa: E402
from sanitizer import sanitize_of  # noqa: E402
from tlstest import Reader  # noqa: E402

tlstest.BUILD = BUILD

THREADS = 3
HANDLERS = os.path.join(BUILD, "tests", "conformance", "conformance_handlers")
HTTP = f"[http]\nthreads = {THREADS}\n"
LIST = doortest.LIST


class ThreadTest(doortest.DoorCase):
    config = HTTP

    def names(self):
        """Of the daemon's threads."""
        tasks = f"/proc/{self.daemon.process.pid}/task"
        names = []
        for task in os.listdir(tasks):
            with open(f"{tasks}/{task}/comm", encoding="utf-8") as file:
                names.append((task, file.read().strip()))
        return names

    def http_threads(self):
        return [task for task, name in self.names() if name == "pawl-http"]

    def switches(self, tasks):
        total = 0
        for task in tasks:
            with open(f"/proc/{self.daemon.process.pid}/task/{task}/status",
                      encoding="utf-8") as file:
                total += sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)
        return total

    def test_clients_are_dealt_out_to_all_threads(self):
        tasks = self.http_threads()
        self.assertEqual(len(tasks), THREADS)
        before = {task: self.switches([task]) for task in tasks}
        for number in range(64):
            self.list_on(self.connect(number))
        for task in tasks:
            self.assertGreater(self.switches([task]), before[task])

    def test_without_requests_the_threads_sleep(self):
        sock = self.connect()
        self.list_on(sock)
        sock.close()
        tasks = self.http_threads()

        def sleep_for_a_second():
            before = self.switches(tasks)
            time.sleep(1)
            return self.switches(tasks) == before

        wait_for("a second in which no thread wakes up", sleep_for_a_second)
        before = self.switches(tasks)
        self.list_on(self.connect())
        self.assertGreater(self.switches(tasks), before)  # the count counts

    def test_signals_are_for_the_main_thread(self):
        wanted = (1 << (signal.SIGTERM - 1)) | (1 << (signal.SIGHUP - 1))
        for task in self.http_threads():
            with open(f"/proc/{self.daemon.process.pid}/task/{task}/status",
                      encoding="utf-8") as file:
                blocked = next(int(line.split()[1], 16) for line in file
                               if line.startswith("SigBlk"))
            self.assertEqual(blocked & wanted, wanted)

    def test_calls_are_filtered_in_the_threads_too(self):
        if sanitize_of(BUILD) != "none":
            self.skipTest("sanitizers trace their own process")
        for task in self.http_threads():
            with open(f"/proc/{self.daemon.process.pid}/task/{task}/status",
                      encoding="utf-8") as file:
                fields = dict(line.split(":", 1) for line in file)
            self.assertEqual((fields["Seccomp"].strip(), fields["CapEff"].strip()),
                             ("2", "0" * 16))

    def test_an_address_that_is_taken_is_refused(self):
        other = os.path.join(self.scratch.name, "other")
        done = subprocess.run(
            [self.daemon.program, "serve", "--data", other, "--socket", other + ".sock",
             "--config", self.daemon.data + ".conf", "--isolation", "none",
             "--listen", f"127.0.0.1:{self.port}"],
            capture_output=True, text=True, timeout=WAIT_S, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(f"bind to 127.0.0.1:{self.port}: Address already in use", done.stderr)
        self.list_on(self.connect())

    def test_more_than_sixteen_are_refused(self):
        config = os.path.join(self.scratch.name, "wrong.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write("[http]\nthreads = 17\n")
        done = subprocess.run([self.daemon.program, "serve", "--config", config],
                              capture_output=True, text=True, timeout=WAIT_S, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("threads: it must be a number from 0 to 16", done.stderr)

    def test_many_clients_get_their_own_answers(self):
        self.api.create_function("echo", zip_files({"bootstrap": HANDLERS}), "echo")
        failures = []

        def ask(number):
            try:
                sock = self.connect(number)
                reader = Reader(sock)
                for turn in range(30):
                    size = (7, 5000, 200_000)[turn % 3]
                    body = b'"' + str(number * 1000 + turn).encode() + b"x" * size + b'"'
                    sock.sendall(self.head("POST", LIST + "/echo/invocations", len(body)))
                    sock.sendall(body)
                    status, _, answer = reader.answer()
                    if (status, answer) != (200, body):
                        failures.append((number, turn, status, answer[:100]))
            except (OSError, EOFError) as error:
                failures.append((number, error))

        clients = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        self.assertEqual(failures, [])

    def test_a_body_of_a_stranger_is_not_waited_for(self):
        sock = self.connect()
        sock.sendall(b"POST /2015-03-31/functions/f/invocations HTTP/1.1\r\nHost: localhost\r\n"
                     b"Content-Length: 1000000\r\n\r\n" + b"x" * 1000)
        status, fields, _ = Reader(sock).answer()
        self.assertEqual((status, fields["connection"]), (413, "close"))


class ThreadedEndTest(doortest.EndTest):
    config = HTTP


class ThreadedSlowTest(doortest.SlowTest):
    config = doortest.SlowTest.config + HTTP


class ThreadedTlsTest(tlstest.TlsCase):
    """The certificate is every thread's, before and after it is changed."""

    def configure(self, certificate, key, more=""):
        super().configure(certificate, key, more)
        with open(self.config, "a", encoding="utf-8") as file:
            file.write(f"threads = {THREADS}\n")

    def open(self, certificate):
        context = ssl.create_default_context(cafile=certificate)
        sock = socket.create_connection(("127.0.0.1", self.port), WAIT_S)
        return context.wrap_socket(sock, server_hostname="localhost")

    def list_on(self, sock):
        sock.sendall(f"GET {LIST} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
                     f"{self.token}\r\n\r\n".encode())
        return Reader(sock).answer()[0]

    def test_a_new_certificate_is_for_all_who_come_next(self):
        old = [self.open(self.certificate) for _ in range(12)]
        self.assertEqual([self.list_on(sock) for sock in old], [200] * 12)
        second = tlstest.make_certificate(self.scratch.name, "second")
        self.configure(*second)
        self.daemon.process.send_signal(signal.SIGHUP)
        wait_for("the new one", lambda: self.is_shown(second[0]))
        for _ in range(24):
            with self.open(second[0]) as sock:
                self.assertEqual(self.list_on(sock), 200)
        self.assertEqual([self.list_on(sock) for sock in old], [200] * 12)
        for sock in old:
            sock.close()

    def is_shown(self, certificate):
        try:
            self.open(certificate).close()
            return True
        except ssl.SSLError:
            return False


if __name__ == "__main__":
    unittest.main(argv=ARGUMENTS)
