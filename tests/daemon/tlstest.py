"""TLS at the daemon's TCP door, spoken by Python's own ssl module.

    tlstest.py BUILD

The certificates are made here, by openssl(1), and the daemon listens on loopback.
"""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness")]

from api import Api  # noqa: E402
from archive import zip_files  # noqa: E402
from daemon import Daemon  # noqa: E402

try:
    import boto3
except ImportError:
    boto3 = None
    print("SKIPPED: boto3 cannot be imported: AWS's own client does not speak TLS here",
          file=sys.stderr)

BUILD = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "build"
HANDLERS = os.path.join(BUILD, "tests", "conformance", "conformance_handlers")
WAIT_S = 60
STATUS = "/pawl/v1/status"
FUNCTIONS = "/2015-03-31/functions"


def wait_for(what, condition):
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {WAIT_S} s")


def make_certificate(directory, name, kind="ec", options=()):
    """A certificate that is its own root, and its key; the paths of both."""
    certificate = os.path.join(directory, name + ".pem")
    key = os.path.join(directory, name + ".key")
    keys = {"ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
            "rsa": ["-newkey", "rsa:2048"]}
    subprocess.run(["openssl", "req", "-x509", *keys[kind], *(options or ["-nodes"]), "-keyout",
                    key, "-out", certificate, "-days", "2", "-subj", f"/CN={name}", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.chmod(key, 0o600)
    return certificate, key


class Reader:
    """Answers, one after the other, from anything with recv()."""

    def __init__(self, sock):
        self.sock = sock
        self.data = b""

    def more(self):
        piece = self.sock.recv(65536)
        if not piece:
            raise EOFError(self.data[:200])
        self.data += piece

    def answer(self):
        while b"\r\n\r\n" not in self.data:
            self.more()
        head, self.data = self.data.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines[1:])
        length = int(fields["content-length"])
        while len(self.data) < length:
            self.more()
        body, self.data = self.data[:length], self.data[length:]
        return int(lines[0].split()[1]), fields, body


class TlsCase(unittest.TestCase):
    limits = ""

    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="pawl-test-")
        self.certificate, self.key = make_certificate(self.scratch.name, "first")
        self.daemon = Daemon(BUILD, os.path.join(self.scratch.name, "data"))
        self.config = self.daemon.data + ".conf"
        self.daemon.arguments = ["--config", self.config]
        self.configure(self.certificate, self.key)
        self.daemon.run()
        words = dict(word.split("=", 1) for word in self.daemon.ready_line.split() if "=" in word)
        self.port = int(words["listen"].rsplit(":", 1)[1])
        with open(os.path.join(self.daemon.data, "token"), encoding="utf-8") as file:
            self.token = file.read().strip()

    def tearDown(self):
        try:
            self.daemon.end()
        finally:
            self.scratch.cleanup()

    def configure(self, certificate, key, more=""):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f"[daemon]\nlisten = 127.0.0.1:0\n{self.limits}{more}"
                       f"[http]\ntls_certificate = {certificate}\ntls_key = {key}\n")

    # --- clients ---------------------------------------------------------------------

    def context(self, certificate=None):
        return ssl.create_default_context(cafile=certificate or self.certificate)

    def connect(self, context=None, **more):
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S)
        try:
            return (context or self.context()).wrap_socket(raw, server_hostname="localhost",
                                                           **more)
        except BaseException:
            raw.close()
            raise

    def request(self, method="GET", path=STATUS, body=b"", more=""):
        return (f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
                f"{self.token}\r\nContent-Length: {len(body)}\r\n{more}\r\n").encode() + body

    def ask(self, sock, **request):
        sock.sendall(self.request(**request))
        return Reader(sock).answer()

    def list(self, sock):
        status, _, body = self.ask(sock, path=FUNCTIONS)
        self.assertEqual(status, 200, body)
        return json.loads(body)["Functions"]


class TlsTest(TlsCase):
    # --- handshakes --------------------------------------------------------------------

    def test_versions_1_2_and_1_3_are_spoken_and_older_ones_are_not(self):
        for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"),
                              (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
            context = self.context()
            context.minimum_version = context.maximum_version = version
            with self.connect(context) as sock:
                self.assertEqual(sock.version(), name)
                self.assertEqual(self.list(sock), [])
        context = self.context()
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with self.assertRaises(ssl.SSLError):
            self.connect(context)

    def test_the_protocol_is_http_1_1_or_nothing(self):
        for offered, chosen in ((["h2", "http/1.1"], "http/1.1"), ([], None)):
            context = self.context()
            if offered:
                context.set_alpn_protocols(offered)
            with self.connect(context) as sock:
                self.assertEqual(sock.selected_alpn_protocol(), chosen)
                self.list(sock)
        context = self.context()
        context.set_alpn_protocols(["h2"])
        with self.assertRaisesRegex(ssl.SSLError, "(?i)no_application_protocol|no application"):
            self.connect(context)

    def test_a_session_is_resumed(self):
        context = self.context()
        with self.connect(context) as sock:
            self.list(sock)
            session = sock.session
        with self.connect(context, session=session) as sock:
            self.assertTrue(sock.session_reused)
            self.list(sock)

    def test_a_certificate_that_the_client_does_not_know_harms_nobody(self):
        other, _ = make_certificate(self.scratch.name, "other")
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.connect(self.context(other))
        with self.connect() as sock:
            self.list(sock)

    # --- bytes -------------------------------------------------------------------------

    def test_large_bodies_go_both_ways(self):
        api = Api(self.daemon.socket)
        api.create_function("echo", zip_files({"bootstrap": HANDLERS}), "echo", MemorySize=512)
        payload = json.dumps("x" * 5_900_000).encode()
        with self.connect() as sock:
            for _ in range(3):
                status, _, body = self.ask(sock, method="POST", body=payload,
                                           path=f"{FUNCTIONS}/echo/invocations")
                self.assertEqual(status, 200, body[:200])
                self.assertEqual(body, payload)

    def test_a_connection_is_used_again_and_again(self):
        with self.connect() as sock:
            for _ in range(200):
                self.assertEqual(self.list(sock), [])

    def test_pipelined_requests_are_answered_in_order(self):
        paths = [FUNCTIONS if number % 3 else "/none" for number in range(100)]
        with self.connect() as sock:
            sock.sendall(b"".join(self.request(path=path) for path in paths))
            reader = Reader(sock)
            statuses = [reader.answer()[0] for _ in paths]
        self.assertEqual(statuses, [200 if path == FUNCTIONS else 404 for path in paths])

    def handshake_by_hand(self, raw):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.context().wrap_bio(incoming, outgoing, server_hostname="localhost")
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                raw.sendall(outgoing.read())
                incoming.write(raw.recv(65536))
        raw.sendall(outgoing.read())
        return tls, incoming, outgoing

    def test_what_came_before_the_end_of_a_session_is_answered(self):
        """More than are handled at once, and `close_notify` in the same segment."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S) as raw:
            tls, incoming, outgoing = self.handshake_by_hand(raw)
            tls.write(self.request(path=FUNCTIONS) * 40)
            with self.assertRaises(ssl.SSLWantReadError):
                tls.unwrap()
            raw.sendall(outgoing.read())
            data = b""
            while piece := raw.recv(65536):
                incoming.write(piece)
                try:
                    while text := tls.read(65536):
                        data += text
                except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                    pass
        self.assertEqual(data.count(b"HTTP/1.1 200 OK\r\n"), 40)

    def test_bytes_may_come_one_by_one(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S) as raw:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = self.context().wrap_bio(incoming, outgoing, server_hostname="localhost")

            def trickle():
                for byte in outgoing.read():
                    raw.sendall(bytes([byte]))

            def until(call):
                while True:
                    try:
                        return call()
                    except ssl.SSLWantReadError:
                        trickle()
                        incoming.write(raw.recv(65536))

            until(tls.do_handshake)
            tls.write(self.request(path=FUNCTIONS))
            trickle()
            self.assertIn(b"HTTP/1.1 200 OK", until(lambda: tls.read(65536)))

    # --- AWS's own client ------------------------------------------------------------------

    @unittest.skipIf(boto3 is None, "boto3 cannot be imported")
    def test_requests_that_are_signed_pass(self):
        made = subprocess.run([self.daemon.program, "keys", "create", "--output", "json",
                               "--socket", self.daemon.socket], capture_output=True, text=True,
                              timeout=WAIT_S, check=True)
        key = json.loads(made.stdout)
        client = boto3.client("lambda", region_name="us-east-1", verify=self.certificate,
                              endpoint_url=f"https://127.0.0.1:{self.port}",
                              aws_access_key_id=key["AccessKeyId"],
                              aws_secret_access_key=key["SecretAccessKey"])
        self.assertEqual(client.list_functions()["Functions"], [])
        with self.assertRaises(client.exceptions.ResourceNotFoundException):
            client.invoke(FunctionName="nobody", Payload=b"1" * 1_000_000)

    # --- what is not TLS -----------------------------------------------------------------

    def talk_raw(self, data):
        with socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S) as raw:
            raw.sendall(data)
            raw.shutdown(socket.SHUT_WR)
            answer = b""
            try:
                while piece := raw.recv(65536):
                    answer += piece
            except ConnectionResetError:
                pass
        return answer

    def test_plain_http_is_told_to_use_https(self):
        answer = self.talk_raw(self.request())
        self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), answer)
        self.assertIn(b"connection: close", answer)
        self.assertIn(b"use https", answer)
        self.assertEqual(answer.count(b"HTTP/1.1"), 1)

    def test_nothing_behind_a_broken_handshake_is_read(self):
        hello = bytes.fromhex("160301")
        for tail in (b"\xff\xff" + b"A" * 300, b"\x00\x05hello" + self.request(),
                     b"\x00\x00", b"\x40\x00" + b"\x01\x00\x3f\xfc" + bytes(16380)):
            answer = self.talk_raw(hello + tail)
            self.assertNotIn(b"HTTP", answer)
            if answer:
                self.assertEqual(answer[0], 0x15)  # an alert
        with self.connect() as sock:
            self.list(sock)

    def test_a_record_that_was_changed_ends_the_connection(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S) as raw:
            tls, _, outgoing = self.handshake_by_hand(raw)
            tls.write(self.request())
            record = bytearray(outgoing.read())
            record[-1] ^= 1
            raw.sendall(record)
            answer = b""
            try:
                while piece := raw.recv(65536):
                    answer += piece
            except ConnectionResetError:
                pass
        with self.connect() as sock:
            self.list(sock)

    # --- files -----------------------------------------------------------------------------

    def read_again(self, expected):
        with open(self.daemon.log, "rb") as file:
            before = file.read().count(expected)
        self.daemon.process.send_signal(signal.SIGHUP)

        def is_logged():
            with open(self.daemon.log, "rb") as file:
                return file.read().count(expected) > before
        wait_for("the daemon to read its configuration", is_logged)

    def test_a_new_certificate_is_used_from_the_next_connection_on(self):
        second, second_key = make_certificate(self.scratch.name, "second", "rsa")
        with self.connect() as old:
            self.list(old)
            os.replace(second, self.certificate)
            os.replace(second_key, self.key)
            self.read_again(b"the configuration was read again\n")
            self.list(old)
        with self.connect() as sock:
            self.assertEqual(sock.getpeercert()["subject"][0][0][1], "second")
            self.list(sock)

    def test_files_that_cannot_be_used_change_nothing(self):
        with open(self.key, "w", encoding="utf-8") as file:
            file.write("rubbish")
        self.read_again(b"the TLS certificate stays as it was")
        with self.connect() as sock:
            self.assertEqual(sock.getpeercert()["subject"][0][0][1], "first")
            self.list(sock)

    def refused(self, arguments):
        done = subprocess.run(
            [self.daemon.program, "serve", "--data", self.daemon.data + "2", "--socket",
             self.daemon.socket + "2", *arguments], capture_output=True, text=True, timeout=WAIT_S,
            check=False)
        self.assertNotEqual(done.returncode, 0)
        return done.stderr

    def test_a_start_without_usable_files_says_why(self):
        _, other_key = make_certificate(self.scratch.name, "other")
        locked, locked_key = make_certificate(self.scratch.name, "locked",
                                              options=["-passout", "pass:secret"])
        listen = ["--listen", "127.0.0.1:0"]
        self.assertIn("TLS needs both", self.refused(["--tls-cert", self.certificate, *listen]))
        self.assertIn("TLS needs both", self.refused(["--tls-key", self.key, *listen]))
        for certificate, key, expected in (
                (self.certificate, other_key, other_key),
                (self.certificate, "/none.key", "/none.key: No such file"),
                ("/none.pem", self.key, "/none.pem: No such file"),
                (self.key, self.key, "it must be PEM"),
                (locked, locked_key, "not encrypted"),
                (self.certificate, self.scratch.name, "it is not a file")):
            said = self.refused(["--tls-cert", certificate, "--tls-key", key, *listen])
            self.assertIn(expected, said)
        elsewhere = ["--listen", "192.0.2.1:9100"]  # an address that nobody has
        self.assertIn("tls_certificate", self.refused(elsewhere))
        self.assertIn("bind to 192.0.2.1:9100", self.refused(
            ["--tls-cert", self.certificate, "--tls-key", self.key, *elsewhere]))


class SlowTest(TlsCase):
    """Handshakes that take too long, with a deadline that a test can wait for."""

    limits = "[limits]\nheader_ms = 400\n"

    def test_a_slow_handshake_is_ended_while_others_are_served(self):
        silent = socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S)
        half = socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S)
        drip = socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S)
        outgoing = ssl.MemoryBIO()
        tls = self.context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
        with self.assertRaises(ssl.SSLWantReadError):
            tls.do_handshake()
        hello = outgoing.read()
        half.sendall(hello[:len(hello) // 2])
        drip.settimeout(0.01)
        ended = False
        for byte in hello[:-1] * 100:
            try:
                drip.sendall(bytes([byte]))
                ended = drip.recv(1) == b""
            except TimeoutError:
                pass
            except OSError:
                ended = True
            if ended:
                break
        self.assertTrue(ended)
        self.assertEqual(silent.recv(1), b"")
        self.assertEqual(half.recv(1), b"")
        with self.connect() as sock:
            self.list(sock)
        for sock in (silent, half, drip):
            sock.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
