"""Invoke: every type, what comes in, what comes out, and every way to fail."""

import base64
import json
import os
import re
import unittest.mock

from case import AWS_HANDLERS, DURABLE, Case, needs, wait_for

ARN = "arn:aws:lambda:us-east-1:123456789012:function:"
MB = 1 << 20
ENVELOPE = 50  # of a durable function's answer; a native program leaves it free in each


class Invoke(Case):
    program = AWS_HANDLERS

    def call(self, name, payload=None, **more):
        """(the answer, its payload read as JSON)"""
        answer = self.invoke(name, payload, **more)
        content = answer["Payload"].read()
        return answer, json.loads(content) if content else None

    def failure(self, name, payload=None, **more):
        """The error that the function ended with."""
        answer, error = self.call(name, payload, **more)
        self.assertEqual((answer["StatusCode"], answer["FunctionError"]), (200, "Unhandled"))
        self.assertTrue(error["errorMessage"], error)
        return error

    # --- what goes in and comes out ----------------------------------------------------------

    def test_an_answer_is_the_functions_bytes(self):
        self.deploy("echo")
        for payload in (b'{"a": [1, 2.50, "\\u00e9"] }', b'"text"', b"17", b"null", b"[]",
                        "\"\u00e9\U0001f600\"".encode()):
            answer = self.client.invoke(FunctionName="echo", Payload=payload)
            self.assertEqual(answer["Payload"].read(), payload)
            self.assertEqual((answer["StatusCode"], answer["ExecutedVersion"]), (200, "$LATEST"))
            self.assertNotIn("FunctionError", answer)
            self.assertNotIn("LogResult", answer)
            self.assertNotIn("DurableExecutionArn", answer)

    def test_a_function_without_an_answer(self):
        self.deploy("silent", "nothing")
        _, payload = self.call("silent", 1)
        self.assertIsNone(payload)

    def test_an_invoke_without_a_payload(self):
        self.deploy("bare", "context")
        self.assertFalse(self.call("bare")[1]["hasInput"])
        self.assertTrue(self.call("bare", 1)[1]["hasInput"])

    def test_six_megabytes_fit_each_way(self):
        self.deploy("whole", "echo", MemorySize=512)
        payload = b'"' + b"x" * (6 * MB - ENVELOPE - 2) + b'"'
        answer = self.client.invoke(FunctionName="whole", Payload=payload)
        self.assertEqual(answer["Payload"].read(), payload)
        self.deploy("takes", "nothing", MemorySize=512)
        payload = b'"' + b"x" * (6 * MB - 2) + b'"'
        answer = self.client.invoke(FunctionName="takes", Payload=payload)
        self.assertNotIn("FunctionError", answer)

    def test_a_larger_answer_is_the_functions_error(self):
        self.deploy("toolarge", "large", MemorySize=512)
        error = self.failure("toolarge", 6 * MB + 1)
        self.assertEqual(error["errorType"], "Function.ResponseSizeTooLarge")

    def test_the_context_reaches_the_function(self):
        self.deploy("told", "context", Timeout=33)
        context = json.dumps({"custom": {"a": "\u00e9"}, "env": {}}, ensure_ascii=False).encode()
        _, seen = self.call("told:$LATEST", 1,
                            ClientContext=base64.b64encode(context).decode())
        self.assertEqual(json.loads(seen["clientContext"]), json.loads(context))
        self.assertTrue(30_000 < seen["timeLeftMs"] <= 33_000, seen)
        self.assertTrue(seen["traceId"] == "" or seen["traceId"].startswith("Root="), seen)

    def test_a_loop_of_a_functions_own_calls_is_ended(self):
        """botocore sends the trace along, as it does inside a function."""
        self.deploy("circles", "context")
        inside = {"AWS_LAMBDA_FUNCTION_NAME": "circles", "_X_AMZN_TRACE_ID": "Root=1-2-3"}
        with unittest.mock.patch.dict(os.environ, inside):
            for _ in range(16):
                _, seen = self.call("circles", 1)
                os.environ["_X_AMZN_TRACE_ID"] = seen["traceId"]
            for call, more in ((self.client.invoke, {}),
                               (self.client.invoke, {"InvocationType": "Event"}),
                               (self.client.invoke_with_response_stream, {})):
                self.refused("RecursiveInvocationException", call, FunctionName="circles", **more)
            self.client.put_function_recursion_config(FunctionName="circles",
                                                      RecursiveLoop="Allow")
            _, seen = self.call("circles", 1)
            self.assertTrue(seen["traceId"].endswith(":17"), seen)

    def test_a_request_has_one_id(self):
        self.deploy("same", "context")
        answer, seen = self.call("same", 1)
        self.assertEqual(seen["requestId"], answer["ResponseMetadata"]["RequestId"])

    def test_the_arn_is_the_one_that_was_invoked(self):
        self.deploy("invoked", "context")
        _, seen = self.call("invoked", 1)
        self.assertEqual(seen["functionArn"], ARN + "invoked")
        _, seen = self.call("invoked:$LATEST", 1)
        self.assertEqual(seen["functionArn"], ARN + "invoked:$LATEST")

    def test_the_environment_is_the_functions(self):
        self.deploy("env", "environment", Environment={"Variables": {"COLOUR": "r\u00f6d"}})
        _, seen = self.call("env")
        self.assertEqual(seen, {"name": "env", "version": "$LATEST", "region": "us-east-1",
                                "colour": "r\u00f6d"})

    def test_a_tenant_id_reaches_the_function(self):
        self.deploy("tenants", "context", TenancyConfig={"TenantIsolationMode": "PER_TENANT"})
        self.deploy("alone", "context")
        for tenant in ("blue", "a b/c:d=e+f-g@h._"):
            _, seen = self.call("tenants", 1, TenantId=tenant)
            self.assertEqual(seen["tenantId"], tenant)
        for function, more in (("tenants", {}), ("alone", {"TenantId": "blue"})):
            error = self.refused("InvalidParameterValueException", self.client.invoke,
                                 FunctionName=function, **more)
            self.assertIn("tenancy", error["Error"]["Message"])

    # --- types -----------------------------------------------------------------------------

    def test_an_event_is_accepted_and_runs(self):
        self.deploy("later", "lines")
        answer = self.invoke("later", 3, InvocationType="Event")
        self.assertEqual((answer["StatusCode"], answer["Payload"].read()), (202, b""))
        self.assertNotIn("LogResult", answer)
        wait_for("its lines", lambda: "line 3 of 3" in self.logs("later"))

    def test_a_dry_run_runs_nothing(self):
        self.deploy("never", "lines")
        answer = self.invoke("never", 1, InvocationType="DryRun")
        self.assertEqual((answer["StatusCode"], answer["Payload"].read()), (204, b""))
        self.invoke("never", 2)
        self.assertNotIn("line 1 of 1", self.logs("never"))
        self.refused("ResourceNotFoundException", self.client.invoke, FunctionName="nobody",
                     InvocationType="DryRun")

    def test_the_log_comes_with_the_answer(self):
        self.deploy("logs", "lines")
        answer, _ = self.call("logs", 3, LogType="Tail")
        log = base64.b64decode(answer["LogResult"]).decode()
        request_id = re.search(r"START RequestId: (\S+)", log).group(1)
        for words in (f"START RequestId: {request_id} Version: $LATEST", "line 1 of 3",
                      "line 3 of 3", f"END RequestId: {request_id}",
                      f"REPORT RequestId: {request_id}\tDuration: "):
            self.assertIn(words, log)
        answer, _ = self.call("logs", 1000, LogType="Tail")
        log = base64.b64decode(answer["LogResult"]).decode()
        self.assertLessEqual(len(log), 4096)
        self.assertIn("line 1000 of 1000", log)
        self.assertNotIn("line 1 of 1000", log)
        answer, _ = self.call("logs", 1, LogType="None")
        self.assertNotIn("LogResult", answer)

    # --- failures ----------------------------------------------------------------------------

    def test_a_functions_error_is_its_own(self):
        self.deploy("declines", "fails")
        error = self.failure("declines")
        self.assertEqual((error["errorType"], error["errorMessage"]), ("Declined", "card 1234"))

    def test_a_timeout(self):
        self.deploy("slow", "sleeps", Timeout=1)
        answer, error = self.call("slow", 30)
        self.assertEqual(answer["FunctionError"], "Unhandled")
        self.assertEqual(error["errorType"], "Sandbox.Timedout")
        self.assertRegex(error["errorMessage"], r"^RequestId: [0-9a-f-]{36} Error: Task timed "
                                                r"out after 1\.00 seconds$")

    def test_a_process_that_ends(self):
        self.deploy("leaves", "exits")
        error = self.failure("leaves", 3)
        self.assertEqual(error["errorType"], "Runtime.ExitError")
        self.assertRegex(error["errorMessage"], r"^RequestId: [0-9a-f-]{36} Error: .*exit status 3")
        error = self.failure("leaves", 0)
        self.assertRegex(error["errorMessage"], "without providing a reason")
        self.deploy("killed", "dies")
        error = self.failure("killed")
        self.assertEqual(error["errorType"], "Runtime.ExitError")
        self.assertIn("signal: killed", error["errorMessage"])
        self.assertEqual(self.call("leaves", 3)[0]["FunctionError"], "Unhandled")

    # --- durable -----------------------------------------------------------------------------

    def test_a_durable_function_is_waited_for(self):
        self.deploy("pauses", "pauses", DurableConfig=DURABLE)
        answer, payload = self.call("pauses:$LATEST", 1, DurableExecutionName="first")
        self.assertEqual((answer["StatusCode"], payload, answer["ExecutedVersion"]),
                         (200, 2, "$LATEST"))
        self.assertIn("/durable-execution/first/", answer["DurableExecutionArn"])
        again, payload = self.call("pauses:$LATEST", 1, DurableExecutionName="first")
        self.assertEqual((again["DurableExecutionArn"], payload),
                         (answer["DurableExecutionArn"], 2))
        self.refused("DurableExecutionAlreadyStartedException", self.client.invoke,
                     FunctionName="pauses:$LATEST", DurableExecutionName="first", Payload=b"2")

    def test_a_durable_function_that_fails(self):
        self.deploy("broken", "fails", DurableConfig=DURABLE)
        answer, error = self.call("broken:$LATEST")
        self.assertEqual(answer["FunctionError"], "Unhandled")
        self.assertEqual((error["errorType"], error["errorMessage"]), ("Declined", "card 1234"))
        self.assertTrue(answer["DurableExecutionArn"])

    def test_a_durable_function_is_invoked_by_a_qualified_name(self):
        self.deploy("unqualified", "echo", DurableConfig=DURABLE)
        error = self.refused("InvalidParameterValueException", self.client.invoke,
                             FunctionName="unqualified")
        self.assertIn("unqualified", error["Error"]["Message"])
        self.call("unqualified", 1, Qualifier="$LATEST")
        self.refused("InvalidParameterValueException", self.client.invoke,
                     FunctionName="unqualified:$LATEST", Qualifier="1")

    # --- refusals ----------------------------------------------------------------------------

    def test_what_is_no_invoke_is_refused(self):
        self.deploy("strict", "echo")
        invalid = "InvalidParameterValueException"
        for name, more in (
                ("InvalidRequestContentException", {"Payload": b"{"}),
                ("InvalidRequestContentException", {"Payload": b"\xff"}),
                ("InvalidRequestContentException", {"Payload": b"{} {}"}),
                (invalid, {"InvocationType": "Later"}),
                (invalid, {"LogType": "All"}),
                (invalid, {"ClientContext": "no base64!"}),
                (invalid, {"ClientContext": base64.b64encode(b"no json").decode()}),
                (invalid, {"ClientContext": base64.b64encode(b'"' + b"x" * 3000 +
                                                             b'"').decode()}),
                (invalid, {"TenantId": "a;b"}),
                (invalid, {"DurableExecutionName": "a b"}),
                (invalid, {"DurableExecutionName": "not-durable"}),
                ("ResourceNotFoundException", {"Qualifier": "7"}),
                ("ResourceNotFoundException", {"Qualifier": "nobody"})):
            with self.subTest(**{key: value[:40] for key, value in more.items()}):
                self.refused(name, self.loose.invoke, FunctionName="strict", **more)

    def test_what_is_too_large_is_refused(self):
        self.deploy("small", "echo")
        for payload, kind in ((6 * MB, "RequestResponse"), (MB, "Event")):
            self.refused("RequestTooLargeException", self.client.invoke, FunctionName="small",
                         Payload=b'"' + b"x" * payload + b'"', InvocationType=kind)
        self.refused("RequestTooLargeException", self.client.invoke_with_response_stream,
                     FunctionName="small", Payload=b'"' + b"x" * 6 * MB + b'"')


@needs("InvokeWithResponseStream")
class Streams(Case):
    program = AWS_HANDLERS

    def stream(self, name, payload=None, **more):
        """(what came in pieces, the last event, the answer)"""
        if payload is not None:
            more["Payload"] = json.dumps(payload)
        answer = self.client.invoke_with_response_stream(FunctionName=name, **more)
        events = list(answer["EventStream"])
        pieces = [one["PayloadChunk"]["Payload"] for one in events if "PayloadChunk" in one]
        self.assertEqual(list(events[-1]), ["InvokeComplete"])
        return b"".join(pieces), events[-1]["InvokeComplete"], answer

    def test_an_answer_comes_as_a_stream(self):
        self.deploy("streams")
        content, last, answer = self.stream("streams", {"a": 1})
        self.assertEqual((content, last), (b'{"a": 1}', {}))
        self.assertEqual((answer["StatusCode"], answer["ExecutedVersion"]), (200, "$LATEST"))
        self.assertEqual(answer["ResponseStreamContentType"],
                         "application/vnd.amazon.eventstream")
        large = "x" * 3 * MB
        self.assertEqual(json.loads(self.stream("streams", large)[0]), large)

    def test_a_failure_is_in_its_last_event(self):
        self.deploy("streams-error", "fails")
        _, last, _ = self.stream("streams-error", 1)
        self.assertTrue(last["ErrorCode"], last)
        self.assertIn("card 1234", last["ErrorDetails"])

    def test_a_log_is_in_its_last_event(self):
        self.deploy("streams-log", "lines")
        _, last, _ = self.stream("streams-log", 2, LogType="Tail")
        self.assertIn("line 2 of 2", base64.b64decode(last["LogResult"]).decode())

    def test_a_dry_run_has_no_stream(self):
        self.deploy("streams-dry")
        answer = self.client.invoke_with_response_stream(FunctionName="streams-dry",
                                                         InvocationType="DryRun")
        self.assertEqual(answer["StatusCode"], 204)


@needs("InvokeAsync")
class OldAsync(Case):
    program = AWS_HANDLERS

    def test_it_is_accepted_and_runs(self):
        self.deploy("old", "lines")
        answer = self.client.invoke_async(FunctionName="old", InvokeArgs=b"2")
        self.assertEqual(answer["Status"], 202)
        wait_for("its lines", lambda: "line 2 of 2" in self.logs("old"))
