"""Invokes in all their forms, of the whole daemon over its real socket.

    invoketest.py BUILD

Each test has a daemon of its own and real functions (functions.c) in real sandboxes.
"""

import base64
import http.client
import json
import os
import sys
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness"), HERE]

import boto  # noqa: E402
from api import Api, ApiError  # noqa: E402
from boto import boto3  # noqa: E402
from daemontest import wait_for  # noqa: E402
from case import Case, DURABLE, TENANCY, UUID  # noqa: E402

INVOKE = "/2015-03-31/functions/{}/invocations"
STREAM = "/2021-11-15/functions/{}/response-streaming-invocations"
TRACE = r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0"
LINEAGE = ";Lineage=[0-9a-f]{8}:1$"  # its own first run


class InvokeTest(Case):
    # --- what a function sees --------------------------------------------------------

    def test_a_handler_sees_what_its_caller_said(self):
        self.deploy("facts")
        context = {"client": {"app_title": "é"}, "custom": {}}
        answer = self.post(INVOKE, "facts", "{}", {
            "x-amz-client-context": base64.b64encode(json.dumps(context).encode()).decode(),
            "x-amzn-trace-id": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"})
        seen = answer.json()
        self.assertEqual(seen["context"], context)
        self.assertRegex(seen["traceId"],
                         "^Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1" + LINEAGE)
        self.assertEqual(seen["requestId"], answer.headers["x-amzn-requestid"])
        self.assertEqual(answer.headers["x-amz-executed-version"], "$LATEST")

    def test_a_trace_is_made_where_none_was_given(self):
        self.deploy("facts")
        traces = {self.api.invoke("facts", "{}").json()["traceId"] for _ in range(3)}
        self.assertEqual(len(traces), 3)
        for trace in traces:
            self.assertRegex(trace, f"^{TRACE}{LINEAGE}")

    def test_of_an_execution_the_trace_is_the_same_each_time(self):
        function = self.deploy("later-facts", **DURABLE)
        given = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
        context = base64.b64encode(b'{"custom":{}}').decode()
        for headers, expected in (({"x-amzn-trace-id": given}, given), ({}, None)):
            answer = self.post(INVOKE, function, "{}",
                               dict(headers, **{"x-amz-client-context": context}))
            execution = self.api.get_execution(answer.headers["x-amz-durable-execution-arn"])
            trace = execution["TraceHeader"]["XAmznTraceId"]
            self.assertRegex(trace, f"^{TRACE}$") if expected is None else \
                self.assertEqual(trace, expected)
            seen = answer.json()["traceId"]  # by its second invocation
            self.assertRegex(seen, f"^{trace}{LINEAGE}")
            self.assertIsNone(answer.json()["context"])

    # --- the log ---------------------------------------------------------------------

    def tail(self, answer):
        return base64.b64decode(answer.headers["x-amz-log-result"]).decode()

    def check_tail(self, text, request_id):
        lines = text.splitlines()
        self.assertEqual(lines[0], f"START RequestId: {request_id} Version: $LATEST")
        self.assertEqual(lines[1:3], ["what it logged", "what it printed"])
        self.assertEqual(lines[3], f"END RequestId: {request_id}")
        self.assertRegex(lines[4], f"^REPORT RequestId: {request_id}\tDuration: "
                         r"\d+\.\d\d ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB"
                         r"(\tInit Duration: \d+\.\d\d ms)?$")

    def test_the_tail_of_the_log_is_lambdas(self):
        self.deploy("talks")
        answer = self.post(INVOKE, "talks", "{}", {"x-amz-log-type": "Tail"})
        self.check_tail(self.tail(answer), answer.headers["x-amzn-requestid"])
        self.assertIn("Init Duration", self.tail(answer))
        again = self.post(INVOKE, "talks", "{}", {"x-amz-log-type": "Tail"})
        self.assertNotIn("Init Duration", self.tail(again))
        self.assertNotIn("x-amz-log-result", self.api.invoke("talks", "{}").headers)

    def test_of_an_execution_the_tail_is_its_last_invocations(self):
        function = self.deploy("talks", **DURABLE)
        answer = self.post(INVOKE, function, "{}", {"x-amz-log-type": "Tail"})
        lines = self.tail(answer).splitlines()
        self.assertRegex(lines[0], f"^START RequestId: {UUID} Version: .LATEST$")
        self.assertEqual(lines[1:3], ["what it logged", "what it printed"])
        self.assertRegex(lines[4], "^REPORT RequestId: ")
        waits = self.deploy("waits", **DURABLE)
        text = self.tail(self.post(INVOKE, waits, "{}", {"x-amz-log-type": "Tail"}))
        self.assertEqual(text.count("START RequestId"), 1)

    # --- refusals ----------------------------------------------------------------------

    def test_tenants_are_named_where_they_must_be(self):
        self.deploy("facts")
        self.deploy("isolated", "facts", **TENANCY)
        self.refused(400, "InvalidParameterValueException",
                     "The invoked function is enabled with tenancy configuration. Add a valid "
                     "tenant ID in your request and try again.", self.api.invoke, "isolated", "{}")
        self.refused(400, "InvalidParameterValueException",
                     "The invoked function is not enabled with tenancy configuration.",
                     self.api.invoke, "facts", "{}", tenant_id="blue")
        self.refused(400, "InvalidParameterValueException", "tenantId",
                     self.api.invoke, "isolated", "{}", tenant_id="a;b")
        seen = self.api.invoke("isolated", "{}", tenant_id="blue team").json()
        self.assertEqual(seen["tenantId"], "blue team")

    def test_what_cannot_be_invoked_says_why(self):
        self.deploy("keeps")
        durable = self.deploy("waits", **DURABLE)
        self.refused(400, "InvalidParameterValueException",
                     "You cannot invoke a durable function using an unqualified ARN.",
                     self.api.invoke, "waits", "{}")
        self.refused(400, "InvalidParameterValueException", "DurableExecutionName",
                     self.api.invoke, "keeps", "{}", name="one")
        self.refused(400, "InvalidParameterValueException", "durableExecutionName",
                     self.api.invoke, durable, "{}", name="a b")
        self.refused(400, "InvalidRequestContentException", "Could not parse request body",
                     self.api.invoke, "keeps", "{")
        self.refused(404, "ResourceNotFoundException", "", self.api.invoke, "keeps:7", "{}")
        self.refused(404, "ResourceNotFoundException", "", self.api.invoke, "nobody", "{}")
        self.refused(413, "RequestTooLargeException", "", self.api.invoke, "keeps",
                     '"%s"' % ("x" * 1048575), kind="Event")
        self.refused(400, "InvalidParameterValueException", "qualifier", self.api.request, "POST",
                     INVOKE.format("keeps%3A%24LATEST") + "?Qualifier=7", "{}")

    def test_errors_of_a_function_are_200_with_a_header(self):
        self.deploy("fails")
        self.deploy("crashes")
        for kind, expected in (("fails", {"errorType": "Broken",
                                          "errorMessage": "it never works"}),
                               ("crashes", {"errorType": "Runtime.ExitError"})):
            answer = self.api.invoke(kind, "{}")
            self.assertEqual(answer.headers["x-amz-function-error"], "Unhandled")
            self.assertEqual(dict(answer.json(), **expected), answer.json())
        self.assertRegex(answer.json()["errorMessage"],
                         f"^RequestId: {UUID} Error: Runtime exited with error: exit status 3$")

    def test_a_dry_run_runs_nothing(self):
        self.deploy("keeps")
        self.assertEqual(self.api.invoke("keeps", "{}", kind="DryRun").status, 204)
        self.assertEqual(self.post(STREAM, "keeps", "{}",
                                   {"x-amz-invocation-type": "DryRun"}).status, 204)
        self.refused(404, "ResourceNotFoundException", "", self.api.invoke, "nobody", "{}",
                     kind="DryRun")
        status = self.api.request("GET", "/pawl/v1/status").json()
        self.assertEqual(status["Environments"], [])

    # --- InvokeAsync ---------------------------------------------------------------------

    def test_invoke_async_is_an_event_by_its_old_name(self):
        path = "/2014-11-13/functions/{}/invoke-async"
        function = self.deploy("keeps", **DURABLE)
        answer = self.post(path, function, '{"a":1}')
        self.assertEqual((answer.status, answer.body), (202, b""))
        arn = answer.headers["x-amz-durable-execution-arn"]
        wait_for("its end", lambda: self.api.get_execution(arn)["Status"] == "SUCCEEDED")
        self.assertEqual(self.api.get_execution(arn)["Result"], '{"a":1}')
        self.refused(404, "ResourceNotFoundException", "", self.post, path, "nobody", "{}")
        self.refused(400, "InvalidRequestContentException", "", self.post, path, function, "{")
        self.refused(413, "RequestTooLargeException", "", self.post, path, function,
                     '"%s"' % ("x" * 1048575))

    # --- streams ---------------------------------------------------------------------------

    def client(self):
        return boto.client(self.daemon.socket)

    @unittest.skipIf(boto3 is None, "boto3 cannot be imported")
    def test_a_stream_is_read_by_awss_own_client(self):
        self.deploy("keeps")
        self.deploy("fails")
        self.deploy("talks")
        self.deploy("fills")
        client = self.client()
        payload = json.dumps({"text": "é" * 100})
        answer = client.invoke_with_response_stream(FunctionName="keeps", Payload=payload)
        self.assertEqual((answer["StatusCode"], answer["ExecutedVersion"]), (200, "$LATEST"))
        events = list(answer["EventStream"])
        self.assertEqual(events[0]["PayloadChunk"]["Payload"].decode(), payload)
        self.assertEqual(events[1:], [{"InvokeComplete": {}}])
        events = list(client.invoke_with_response_stream(
            FunctionName="fills", Payload="6000000")["EventStream"])
        chunks = [event["PayloadChunk"]["Payload"] for event in events[:-1]]
        self.assertEqual(b"".join(chunks), b'"' + b"x" * 5999998 + b'"')
        self.assertGreater(len(chunks), 10)
        end = list(client.invoke_with_response_stream(
            FunctionName="fails", Payload="{}")["EventStream"])[-1]["InvokeComplete"]
        self.assertEqual(end["ErrorCode"], "Unhandled")
        self.assertEqual(json.loads(end["ErrorDetails"])["errorMessage"], "it never works")
        answer = client.invoke_with_response_stream(FunctionName="talks", Payload="{}",
                                                    LogType="Tail")
        end = list(answer["EventStream"])[-1]["InvokeComplete"]
        self.check_tail(base64.b64decode(end["LogResult"]).decode(),
                        answer["ResponseMetadata"]["RequestId"])
        with self.assertRaises(client.exceptions.ResourceNotFoundException):
            client.invoke_with_response_stream(FunctionName="nobody", Payload="{}")
        with self.assertRaises(client.exceptions.InvalidRequestContentException):
            client.invoke_with_response_stream(FunctionName="keeps", Payload="{")

    @unittest.skipIf(boto3 is None, "boto3 cannot be imported")
    def test_a_durable_function_streams_its_end(self):
        function = self.deploy("waits", **DURABLE)
        client = self.client()
        answer = client.invoke_with_response_stream(FunctionName=function, Payload='"later"')
        events = list(answer["EventStream"])
        self.assertEqual(events, [{"PayloadChunk": {"Payload": b'"later"'}},
                                  {"InvokeComplete": {}}])
        self.assertIn("x-amz-durable-execution-arn", answer["ResponseMetadata"]["HTTPHeaders"])

    # --- waiting across crashes ----------------------------------------------------------

    def in_background(self, call):
        """Runs it; the list gets what came of it."""
        outcome = []

        def run():
            try:
                outcome.append(call(Api(self.daemon.socket)))
            except (ApiError, OSError, http.client.HTTPException) as error:
                outcome.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        self.addCleanup(thread.join)
        return outcome

    def test_a_call_sent_again_after_kill_9_attaches(self):
        """As an SDK does it: the same amz-sdk-invocation-id, or the same name."""
        function = self.deploy("waits", **DURABLE)
        for how in ({"invocation_id": "0f6b9bd8-6a34-4ba1-9a3c-6f6f2d3c1b11"}, {"name": "mine"}):
            before = len(self.executions("waits"))
            lost = self.in_background(lambda api: api.invoke(function, '"x"', **how))
            wait_for("the start", lambda: len(self.executions("waits")) == before + 1)
            self.kill_and_restart()
            wait_for("a lost connection", lambda: lost)
            self.assertIsInstance(lost[0], (OSError, http.client.HTTPException))
            again = self.api.invoke(function, '"x"', **how)
            self.assertEqual(again.body, b'"x"')
            self.assertEqual(len(self.executions("waits")), before + 1)
            once_more = self.api.invoke(function, '"x"', **how)
            self.assertEqual(once_more.headers["x-amz-durable-execution-arn"],
                             again.headers["x-amz-durable-execution-arn"])
            self.refused(409, "DurableExecutionAlreadyStartedException", "", self.api.invoke,
                         function, '"y"', **how)

    def test_many_callers_wait_for_one_execution(self):
        function = self.deploy("waits", **DURABLE)
        calls = [self.in_background(lambda api: api.invoke(function, '"x"', name="one"))
                 for _ in range(5)]
        for call in calls:
            wait_for("an answer", lambda call=call: call)
            self.assertEqual(call[0].body, b'"x"')
        self.assertEqual(len(self.executions("waits")), 1)

    def test_a_stopped_execution_is_an_error_for_who_waits(self):
        function = self.deploy("waits-for-ever", **DURABLE)
        call = self.in_background(lambda api: api.invoke(function, '"x"', name="one"))
        wait_for("the start", lambda: self.executions("waits-for-ever"))
        self.api.stop(self.executions("waits-for-ever")[0]["DurableExecutionArn"])
        wait_for("an answer", lambda: call)
        self.assertEqual(call[0].headers["x-amz-function-error"], "Unhandled")


if __name__ == "__main__":
    unittest.main(verbosity=2)
