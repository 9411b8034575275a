"""The checker and the relay themselves: planted differences must be found."""

import json
import struct
import unittest
import zlib

from relay import read_exchanges
from shapes import Checker, Exchange, read_frames

ID = {"x-amzn-requestid": "01234567-89ab-cdef-0123-456789abcdef",
      "content-type": "application/json"}
DURABLE = "/2025-12-01/durable-executions/arn%3Aaws"
EXECUTION = {
    "DurableExecutionArn": "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST/"
                           "durable-execution/n/0123", "DurableExecutionName": "n",
    "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST",
    "StartTimestamp": 1795422821.977, "Status": "RUNNING"}


def exchange(body, status=200, target=DURABLE, method="GET", **headers):
    headers = dict(ID, **{name.replace("_", "-"): value for name, value in headers.items()})
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Exchange(method, target, {}, b"", status, headers, text)


def refusal(name, status, **more):
    body = dict({"Type": "User", "message": "m", "Message": "m"}, **more)
    return exchange(body, status, x_amzn_errortype=name)


def frame(headers, payload):
    head = b"".join(struct.pack(">B", len(name)) + name.encode() + struct.pack(
        ">BH", 7, len(value)) + value.encode() for name, value in headers.items())
    text = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    text += struct.pack(">I", zlib.crc32(text)) + head + payload
    return text + struct.pack(">I", zlib.crc32(text))


class Shapes(unittest.TestCase):
    def setUp(self):
        self.checker = Checker()

    def found(self, one):
        return " ".join(self.checker.check(one))

    def test_a_right_answer_has_no_difference(self):
        self.assertEqual(self.found(exchange(EXECUTION)), "")
        self.assertEqual(self.found(refusal("ResourceNotFoundException", 404)), "")

    def test_planted_differences_are_found(self):
        for change, words in (
                ({"Status": None}, "Status is required and missing"),
                ({"Status": "PAUSED"}, "not one of"),
                ({"Colour": "red"}, "Colour is not in the model"),
                ({"StartTimestamp": 1795422821977}, "no seconds since 1970"),
                ({"StartTimestamp": "2026-11-23T08:33:41Z"}, "not a number of seconds"),
                ({"EndTimestamp": True}, "not a number of seconds"),
                ({"DurableExecutionName": "a b"}, "not as"),
                ({"DurableExecutionArn": "arn:aws:nothing"}, "not as"),
                ({"ExecutionDataIncluded": "true"}, "not true or false"),
                ({"DurableConfig": []}, "not an object"),
                ({"DurableConfig": {"ExecutionTimeout": 0}}, "ExecutionTimeout is 0, not 1"),
                ({"DurableConfig": {"ExecutionTimeout": 1.5}}, "not an integer"),
                ({"Error": {"StackTrace": "line"}}, "not a list"),
                ({"Error": {"StackTrace": [1]}}, "not a string")):
            with self.subTest(change=change):
                self.assertIn(words, self.found(exchange(dict(EXECUTION, **change))))

    def test_headers_and_status_are_compared(self):
        self.assertIn("x-amzn-requestid", self.found(exchange(EXECUTION, x_amzn_requestid="1")))
        self.assertIn("content-type", self.found(exchange(EXECUTION, content_type="text/plain")))
        self.assertIn("status 201", self.found(exchange(EXECUTION, 201)))
        self.assertIn("not a JSON object", self.found(exchange(b"[]")))

    def test_errors_are_compared(self):
        for one, words in (
                (refusal("ResourceNotFoundException", 400), "has status 400, not 404"),
                (refusal("ResourceConflictException", 409), "not one of its errors"),
                (refusal("ResourceNotFoundException", 404, Type="Service"), "the Type"),
                (refusal("ResourceNotFoundException", 404, message=""), "no message"),
                (refusal("ResourceNotFoundException", 404, Hint="x"), "not in the model"),
                (refusal("TooManyRequestsException", 429), "without Retry-After"),
                (refusal("TooManyRequestsException", 429, Reason="Busy"), "not one of"),
                (exchange(EXECUTION, 404), "no x-amzn-errortype"),
                (exchange(b"gone", 404, x_amzn_errortype="ResourceNotFoundException"),
                 "not a JSON object")):
            with self.subTest(words=words):
                self.assertIn(words, self.found(one))

    def test_the_moment_of_a_function_is_a_text(self):
        target = "/2015-03-31/functions/f/configuration"
        good = {"LastModified": "2026-11-23T08:33:41.977+0000"}
        self.assertEqual(self.found(exchange(good, target=target)), "")
        for bad in ("2026-11-23T08:33:41Z", 1795422821.977):
            self.assertIn("LastModified", self.found(exchange({"LastModified": bad},
                                                              target=target)))

    def test_an_event_stream_is_read(self):
        target = "/2021-11-15/functions/f/response-streaming-invocations"
        chunk = frame({":event-type": "PayloadChunk", ":message-type": "event",
                       ":content-type": "application/octet-stream"}, b"hello")
        last = frame({":event-type": "InvokeComplete", ":message-type": "event",
                      ":content-type": "application/json"}, b"{}")
        def found(body):
            return self.found(exchange(body, target=target, method="POST",
                                       content_type="application/vnd.amazon.eventstream"))
        self.assertEqual(found(chunk + last), "")
        self.assertIn("does not end with", found(chunk))
        self.assertIn("checksum", found(chunk.replace(b"hello", b"hullo") + last))
        self.assertIn("cut off", found(chunk + last[:8]))
        self.assertEqual(read_frames(chunk)[0][1], b"hello")

    def test_an_operation_is_found_by_its_path(self):
        for method, target, wanted in (
                ("GET", "/2015-03-31/functions/?MaxItems=1", "ListFunctions"),
                ("GET", "/2015-03-31/functions/a%2Fb", "GetFunction"),
                ("GET", "/2019-09-25/functions/f/event-invoke-config/list",
                 "ListFunctionEventInvokeConfigs"),
                ("GET", "/2019-09-30/functions/f/provisioned-concurrency?Qualifier=1",
                 "GetProvisionedConcurrencyConfig"),
                ("GET", "/2019-09-30/functions/f/provisioned-concurrency?MaxItems=1&List=ALL",
                 "ListProvisionedConcurrencyConfigs"),
                ("PATCH", "/2015-03-31/functions", None)):
            self.assertEqual(self.checker.model.find(method, target), wanted)


class Tapes(unittest.TestCase):
    sent = (b"POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
            b"GET /b HTTP/1.1\r\nHost: x\r\n\r\nGET /c HTTP/1.1\r\n\r\n")
    received = (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n"
                b"HTTP/1.1 204 No Content\r\nX-Y: z\r\n\r\n")

    def test_exchanges_on_one_connection_are_told_apart(self):
        found = read_exchanges(self.sent, self.received)
        self.assertEqual([(one.target, one.status, one.body) for one in found],
                         [("/a", 200, b"abc"), ("/b", 200, b"de"), ("/c", 204, b"")])
        self.assertEqual(found[0].request_body, b"{}")
        self.assertEqual(found[2].headers["x-y"], "z")

    def test_what_is_not_whole_is_left_for_later(self):
        for cut in range(len(self.received)):
            found = read_exchanges(self.sent, self.received[:cut])
            self.assertEqual([one.status for one in found], [200, 200, 204][:len(found)])
        self.assertEqual(read_exchanges(b"", b""), [])


if __name__ == "__main__":
    unittest.main()
