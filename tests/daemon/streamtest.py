"""Responses that a runtime streams, from its socket to the client's.

    streamtest.py BUILD
"""

import base64
import json
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness"), HERE]

import struct  # noqa: E402
import zlib  # noqa: E402

from api import UnixConnection  # noqa: E402
from archive import zip_files  # noqa: E402
from daemontest import BUILD, wait_for  # noqa: E402
from case import Case  # noqa: E402
from sanitizer import sanitize_of  # noqa: E402

STREAM = "/2021-11-15/functions/streams/response-streaming-invocations"
MB = 1 << 20
RESIDENT_MB_MAX = 60  # of the daemon, with its caches, while tens of MB go through it


def text_of(headers):
    found = {}
    while headers:
        size = headers[0]
        name = headers[1:1 + size].decode()
        (length,) = struct.unpack(">H", headers[2 + size:4 + size])
        found[name] = headers[4 + size:4 + size + length].decode()
        headers = headers[4 + size + length:]
    return found


class Frames:
    """The frames of an answer, as they come."""

    def __init__(self, response):
        self.response = response

    def take(self, length):
        data = b""
        while len(data) < length:
            piece = self.response.read(length - len(data))
            if not piece:
                raise EOFError(f"{len(data)} of {length} bytes")
            data += piece
        return data

    def next(self):
        """(type, payload), or None behind the last one."""
        first = self.response.read(1)
        if not first:
            return None
        prelude = first + self.take(11)
        total, headers, crc = struct.unpack(">III", prelude)
        rest = self.take(total - 12)
        if crc != zlib.crc32(prelude[:8]) or \
                zlib.crc32(prelude + rest[:-4]) != struct.unpack(">I", rest[-4:])[0]:
            raise ValueError("a checksum is wrong")
        return text_of(rest[:headers])[":event-type"], rest[headers:-4]

    def all(self):
        frames = []
        while True:
            frame = self.next()
            if frame is None:
                return frames
            frames.append(frame)


class StreamTest(Case):
    def setUp(self):
        super().setUp()
        self.api.create_function("streams", zip_files({
            "bootstrap": os.path.join(HERE, "streams.py")}), "streams", MemorySize=256)

    def ask(self, **event):
        connection = UnixConnection(self.daemon.socket, 60)
        self.addCleanup(connection.close)
        connection.request("POST", STREAM, json.dumps(event), {"x-amz-log-type": "Tail"})
        response = connection.getresponse()
        self.assertEqual(response.status, 200)
        return connection, Frames(response)

    def logged(self, line):
        text = self.api.request("GET", "/pawl/v1/logs/streams").body.decode()
        return text.count(json.dumps(line))

    def resident_mb(self):
        with open(f"/proc/{self.daemon.process.pid}/status", encoding="utf-8") as file:
            return next(int(line.split()[1]) for line in file
                        if line.startswith("VmRSS")) >> 10

    def check_parts(self, frames, parts, size):
        data = b"".join(payload for kind, payload in frames if kind == "PayloadChunk")
        self.assertEqual(data, b"".join((b"%08d" % number) * (size // 8)
                                        for number in range(parts)))

    def test_all_parts_come_in_order(self):
        _, frames = self.ask(parts=100, bytes=8000)
        frames = frames.all()
        self.check_parts(frames, 100, 8000)
        kind, payload = frames[-1]
        self.assertEqual(kind, "InvokeComplete")
        end = json.loads(payload)
        self.assertEqual(list(end), ["LogResult"])
        self.assertIn("\nbegins\n", base64.b64decode(end["LogResult"]).decode())

    def test_the_first_part_comes_before_the_last_is_made(self):
        """More than all buffers on the way hold, to a client that reads one frame."""
        _, frames = self.ask(parts=3000, bytes=16384)
        kind, payload = frames.next()
        self.assertEqual((kind, payload[:8]), ("PayloadChunk", b"00000000"))
        wait_for("its beginning", lambda: self.logged("begins") == 1)
        self.assertEqual(self.logged("has said all"), 0)
        if sanitize_of(BUILD) == "none":
            self.assertLess(self.resident_mb(), RESIDENT_MB_MAX)
        rest = frames.all()
        self.check_parts([(kind, payload)] + rest, 3000, 16384)
        wait_for("its end", lambda: self.logged("has said all") == 1)

    def test_an_error_after_parts_ends_the_stream(self):
        _, frames = self.ask(parts=2, bytes=800, error="no more of it")
        frames = frames.all()
        self.check_parts(frames, 2, 800)
        end = json.loads(frames[-1][1])
        self.assertTrue(end["ErrorCode"])
        self.assertIn("no more of it", end["ErrorDetails"])

    def test_a_client_that_leaves_does_not_hold_up_the_function(self):
        connection, frames = self.ask(parts=3000, bytes=16384)
        frames.next()
        connection.sock.close()
        connection.close()
        wait_for("its end", lambda: self.logged("has said all") == 1)
        _, frames = self.ask(parts=1, bytes=8)
        self.check_parts(frames.all(), 1, 8)
        self.assertEqual(self.api.request("GET", "/pawl/v1/status").json()[
            "EnvironmentsStarted"], 1)

    def test_more_than_lambda_streams_is_cut_with_an_error(self):
        connection, frames = self.ask(parts=3300, bytes=65536)
        length = 0
        kind, payload = frames.next()
        while kind == "PayloadChunk":
            length += len(payload)
            kind, payload = frames.next()
        self.assertLessEqual(length, 200 * MB)
        self.assertGreater(length, 199 * MB)
        self.assertIn("Function.ResponseSizeTooLarge", json.loads(payload)["ErrorDetails"])
        self.assertIsNone(frames.next())

    def test_invoke_gets_it_whole_or_not_at_all(self):
        whole = self.api.invoke("streams", '{"parts":300,"bytes":16384}')
        self.assertEqual(len(whole.body), 300 * 16384)
        more = self.api.invoke("streams", '{"parts":500,"bytes":16384}')
        self.assertEqual(more.headers["x-amz-function-error"], "Unhandled")
        self.assertEqual(more.json()["errorType"], "Function.ResponseSizeTooLarge")


if __name__ == "__main__":
    unittest.main(verbosity=2)
