"""pawl invoke: headers, payloads, outcomes, and what is tried again."""
import base64
import json
import os
import re

import case
from fake_daemon import Answer, error

PLAIN = Answer(200, {"Configuration": {"FunctionName": "f"}})
DURABLE = Answer(200, {"Configuration": {"DurableConfig": {"ExecutionTimeout": 5}}})
URL = "/2015-03-31/functions/f/invocations"
UUID4 = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class Invoke(case.Case):
    def headers(self, n):
        return {name: value for name, value in self.daemon.requests[n].headers.items()
                if name.startswith("x-amz") or name == "content-type"}

    def test_result_is_printed_as_it_came(self):
        self.script(PLAIN, Answer(200, b'{"a" : 1.10}'))
        result = self.pawl("invoke", "f", '{"x":1}')
        self.assert_code(result, 0)
        self.assertEqual(result.out, '{"a" : 1.10}\n')
        self.assert_asked("GET /2015-03-31/functions/f", "POST " + URL)
        self.assertEqual(self.daemon.requests[1].body, b'{"x":1}')
        self.assertEqual(self.headers(1), {"x-amz-invocation-type": "RequestResponse",
                                           "content-type": "application/octet-stream"})
        self.assertTrue(UUID4.fullmatch(self.daemon.requests[1].headers["amz-sdk-invocation-id"]))

    def test_durable_function_is_invoked_as_latest(self):
        self.script(DURABLE, Answer(200, b"7", {"X-Amz-Durable-Execution-Arn": case.ARN}))
        result = self.pawl("invoke", "f", "--name", "order-7", "--tenant-id", "blue")
        self.assert_code(result, 0)
        self.assert_asked("GET /2015-03-31/functions/f", "POST " + URL + "?Qualifier=%24LATEST")
        self.assertEqual(self.headers(1)["x-amz-durable-execution-name"], "order-7")
        self.assertEqual(self.headers(1)["x-amz-tenant-id"], "blue")
        self.assertEqual(self.daemon.requests[1].headers["content-length"], "0")

    def test_given_qualifier_is_left_alone(self):
        self.script(DURABLE, Answer(200, b"7"))
        self.assert_code(self.pawl("invoke", "f:3"), 0)
        self.assert_asked("GET /2015-03-31/functions/f%3A3",
                          "POST /2015-03-31/functions/f%3A3/invocations")

    def test_unqualified_arn_of_a_durable_function_gets_latest(self):
        self.script(DURABLE, Answer(200, b"7"))
        self.assert_code(self.pawl("invoke", "arn:aws:lambda:r:123456789012:function:f"), 0)
        self.assertTrue(self.daemon.requests[1].target.endswith("invocations?Qualifier=%24LATEST"))

    def test_payload_comes_from_a_file_or_stdin(self):
        path = os.path.join(self.directory, "event.json")
        with open(path, "wb") as file:
            file.write(b"[1]\n")
        self.script(PLAIN, Answer(200, b"1"), PLAIN, Answer(200, b"1"), PLAIN, Answer(200, b"1"))
        self.assert_code(self.pawl("invoke", "f", "@" + path), 0)
        self.assert_code(self.pawl("invoke", "f", "-", stdin=b"[2]"), 0)
        self.assert_code(self.pawl("invoke", "f", "--", "-5"), 0)
        self.assertEqual([r.body for r in self.daemon.requests if r.method == "POST"],
                         [b"[1]\n", b"[2]", b"-5"])

    def test_asynchronous_prints_the_arn_or_that_it_is_accepted(self):
        self.script(DURABLE, Answer(202, b"", {"X-Amz-Durable-Execution-Arn": case.ARN}),
                    PLAIN, Answer(202, b""))
        result = self.pawl("invoke", "f", "{}", "--async")
        self.assert_code(result, 0)
        self.assertEqual(result.out, case.ARN + "\n")
        self.assertEqual(self.headers(1)["x-amz-invocation-type"], "Event")
        self.assertEqual(self.pawl("invoke", "f", "--async").out, "accepted\n")

    def test_log_goes_to_stderr(self):
        log = base64.b64encode(b"START\nhello \x1b[31m\n").decode()
        self.script(PLAIN, Answer(200, b"1", {"X-Amz-Log-Result": log}))
        result = self.pawl("invoke", "f", "--log")
        self.assert_code(result, 0)
        self.assertEqual(self.headers(1)["x-amz-log-type"], "Tail")
        self.assertEqual((result.out, result.err), ("1\n", "START\nhello ?[31m\n"))

    def test_function_error_is_exit_1(self):
        failure = {"errorType": "Bad", "errorMessage": "no stock", "stackTrace": ["at a", "at b"]}
        self.script(DURABLE, Answer(200, failure, {"X-Amz-Function-Error": "Unhandled",
                                                   "X-Amz-Durable-Execution-Arn": case.ARN}))
        result = self.pawl("invoke", "f")
        self.assert_code(result, 1)
        self.assertEqual(result.out, "")
        self.assertEqual(result.err, "pawl: function 'f' failed: Bad: no stock\n"
                         "pawl:     at a\npawl:     at b\n"
                         f"pawl: its events: pawl history '{case.ARN}'\n")

    def test_json_holds_payload_and_headers(self):
        self.script(DURABLE, Answer(200, b'{"n":12345678901234567890}',
                                    {"X-Amz-Executed-Version": "$LATEST",
                                     "X-Amz-Durable-Execution-Arn": case.ARN}),
                    PLAIN, Answer(200, b"not json"))
        result = self.pawl("invoke", "f", "--output", "json")
        self.assertEqual(result.out, '{"StatusCode":200,"ExecutedVersion":"$LATEST",'
                         f'"DurableExecutionArn":"{case.ARN}",'
                         '"Payload":{"n":12345678901234567890}}\n')
        result = self.pawl("invoke", "f", "--output", "json")
        self.assertEqual(result.json(), {"StatusCode": 200, "Payload": "not json"})

    def test_unknown_function_is_exit_3(self):
        self.script(error(404, "ResourceNotFoundException", "Function not found: f"))
        result = self.pawl("invoke", "f")
        self.assert_code(result, 3)
        self.assertEqual(result.err, "pawl: cannot invoke 'f': Function not found: f (404, "
                         "ResourceNotFoundException)\n")

    def test_refusal_is_exit_4(self):
        self.script(DURABLE, error(409, "DurableExecutionAlreadyStartedException:http://x/",
                                   "other payload"))
        result = self.pawl("invoke", "f", "--name", "x")
        self.assert_code(result, 4)
        self.assertIn("other payload (409, DurableExecutionAlreadyStartedException)", result.err)

    def test_throttled_invoke_is_tried_again_with_the_same_id(self):
        throttle = error(429, "TooManyRequestsException", "Rate exceeded", {"Retry-After": "0"})
        self.script(DURABLE, throttle, throttle, Answer(200, b"1"))
        self.assert_code(self.pawl("invoke", "f"), 0)
        ids = {r.headers["amz-sdk-invocation-id"] for r in self.daemon.requests[1:]}
        self.assertEqual((len(self.daemon.requests), len(ids)), (4, 1))

    def test_throttled_for_good_is_exit_6(self):
        throttle = error(429, "TooManyRequestsException", "Rate exceeded")
        self.script(PLAIN, throttle, throttle, throttle, throttle)
        result = self.pawl("invoke", "f")
        self.assert_code(result, 6)
        self.assertEqual(result.err,
                         "pawl: cannot invoke 'f' now: Rate exceeded: try again later\n")
        self.assertEqual(len(self.daemon.requests), 5)

    def test_ordinary_invoke_is_not_repeated_when_the_connection_is_lost(self):
        self.script(PLAIN, Answer(drop=True))
        result = self.pawl("invoke", "f")
        self.assert_code(result, 5)
        self.assertIn("whether it was done is not known", result.err)
        self.assertEqual(len(self.daemon.requests), 2)

    def test_ordinary_invoke_is_not_repeated_after_500(self):
        self.script(PLAIN, error(500, "ServiceException", "broken"))
        self.assert_code(self.pawl("invoke", "f"), 6)
        self.assertEqual(len(self.daemon.requests), 2)

    def test_durable_invoke_is_repeated_when_the_connection_is_lost(self):
        self.script(DURABLE, Answer(drop=True), Answer(500, ""), Answer(200, b"1"))
        self.assert_code(self.pawl("invoke", "f"), 0)
        ids = {r.headers["amz-sdk-invocation-id"] for r in self.daemon.requests[1:]}
        self.assertEqual((len(self.daemon.requests), len(ids)), (4, 1))

    def test_line_ends_cannot_make_headers(self):
        result = self.pawl("invoke", "f", "--name", "a\r\nX-Evil: 1")
        self.assert_code(result, 2)

    def test_too_long_a_payload_is_refused_here(self):
        result = self.pawl("invoke", "f", "-", stdin=b"x" * ((6 << 20) + 1))
        self.assert_code(result, 2)
        self.assertIn("is longer than 6291456 bytes", result.err)


case.main()
