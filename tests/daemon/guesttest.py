"""The Runtime API: what a runtime is given, and what it may answer.

    guesttest.py BUILD
"""

import base64
import json
import os
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness"), HERE]

from daemontest import wait_for  # noqa: E402
from guestfixture import INVOKE, RESPONSE_MAX, UUID, GuestFixture  # noqa: E402

NEXT = "/2018-06-01/runtime/invocation/next"
RESPONSE = "/2018-06-01/runtime/invocation/{id}/response"
ERROR = "/2018-06-01/runtime/invocation/{id}/error"


class NextTest(GuestFixture):
    def test_a_payload_arrives_byte_for_byte(self):
        self.deploy()
        for payload in (b' {"a" : 1.50 ,\n"b":"\\u00e9\\/"} ', '"é\U0001f600"'.encode(), b"[]",
                        b'"%s"' % (b"x" * 6291454)):
            self.assertEqual(self.api.invoke("f", payload).body, payload)

    def test_no_payload_is_an_empty_object(self):
        self.deploy()
        self.assertEqual(self.api.invoke("f", b"").body, b"{}")

    def test_the_headers_say_whose_it_is(self):
        self.deploy(Timeout=20)
        context = {"client": {"app_title": "pawl"}}
        before_ms = time.time() * 1000
        answer = self.api.request("POST", INVOKE.format("f%3A%24LATEST"), '{"do":"facts"}', {
            "x-amz-client-context": base64.b64encode(json.dumps(context).encode()).decode(),
            "x-amzn-trace-id": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"})
        after_ms = time.time() * 1000
        headers = {name.lower(): value for name, value in answer.json()["headers"].items()}
        self.assertEqual(headers["lambda-runtime-aws-request-id"],
                         answer.headers["x-amzn-requestid"])
        self.assertEqual(headers["lambda-runtime-invoked-function-arn"],
                         "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST")
        self.assertRegex(headers["lambda-runtime-trace-id"],
                         "^Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1;"
                         "Lineage=[0-9a-f]{8}:1$")
        self.assertEqual(json.loads(headers["lambda-runtime-client-context"]), context)
        deadline_ms = int(headers["lambda-runtime-deadline-ms"])
        self.assertGreater(deadline_ms, before_ms + 19000)
        self.assertLessEqual(deadline_ms, after_ms + 20000)
        self.assertNotIn("lambda-runtime-aws-tenant-id", headers)

    def test_an_unqualified_invoke_has_an_unqualified_arn(self):
        self.deploy()
        headers = self.does("facts").json()["headers"]
        self.assertEqual(headers["Lambda-Runtime-Invoked-Function-Arn"],
                         "arn:aws:lambda:us-east-1:123456789012:function:f")
        self.assertNotIn("Lambda-Runtime-Client-Context", headers)

    def test_a_tenants_invoke_says_its_tenant(self):
        self.deploy(TenancyConfig={"TenantIsolationMode": "PER_TENANT"})
        pids = set()
        for tenant in ("blue team", "red"):
            answer = self.api.invoke("f", '{"do":"facts"}', tenant_id=tenant).json()
            self.assertEqual(answer["headers"]["Lambda-Runtime-Aws-Tenant-Id"], tenant)
            pids.add(answer["environ"]["AWS_LAMBDA_LOG_STREAM_NAME"])
        self.assertEqual(len(pids), 2)

    def test_an_environment_knows_that_it_was_provisioned(self):
        self.deploy(Publish=True)
        path = "/2019-09-30/functions/f/provisioned-concurrency?Qualifier=1"
        self.api.request("PUT", path, '{"ProvisionedConcurrentExecutions":1}')
        wait_for("it is ready", lambda: self.api.request("GET", path).json()["Status"] == "READY")
        environ = self.api.invoke("f:1", '{"do":"facts"}').json()["environ"]
        self.assertEqual(environ["AWS_LAMBDA_INITIALIZATION_TYPE"], "provisioned-concurrency")

    def test_the_environment_has_lambdas_variables(self):
        self.deploy(MemorySize=256, Environment={"Variables": {"MINE": "ä=1", "LANG": "C"}})
        environ = self.does("facts").json()["environ"]
        expected = {
            "_HANDLER": "a.handler", "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f", "LAMBDA_TASK_ROOT": "/var/task",
            "TZ": ":UTC", "PATH": "/usr/local/bin:/usr/bin/:/bin:/opt/bin", "MINE": "ä=1",
            "LANG": "C"}
        self.assertEqual({name: environ.get(name) for name in expected}, expected)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            self.assertTrue(environ[name])
        self.assertRegex(environ["AWS_LAMBDA_LOG_STREAM_NAME"],
                         r"^\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}$")
        self.assertRegex(environ["AWS_LAMBDA_RUNTIME_API"], r"^127\.0\.0\.1:\d+$")
        self.assertEqual(environ["AWS_ENDPOINT_URL_LAMBDA"],
                         "http://" + environ["AWS_LAMBDA_RUNTIME_API"])
        for name in ("AWS_EXECUTION_ENV", "AWS_LAMBDA_MAX_CONCURRENCY"):  # provided.*, and one
            self.assertNotIn(name, environ)

    def test_it_runs_in_the_task_root_with_only_loopback(self):
        self.deploy()
        facts = self.does("facts").json()
        self.assertEqual((facts["cwd"], facts["listing"]), ("/var/task", ["bootstrap"]))
        self.assertEqual(facts["interfaces"], ["lo"])


class ResponseTest(GuestFixture):
    def test_any_bytes_come_back(self):
        self.deploy()
        content = bytes(range(256)) * 8
        answer = self.does("raw", base64=base64.b64encode(content).decode())
        self.assertEqual(answer.body, content)
        self.assertNotIn("x-amz-function-error", answer.headers)

    def test_an_empty_response_is_one(self):
        self.deploy()
        self.assertEqual(self.does("raw", base64="").body, b"")

    def test_a_response_may_be_as_large_as_lambdas(self):
        self.deploy()
        self.assertEqual(self.does("fill", bytes=RESPONSE_MAX).body, b"x" * RESPONSE_MAX)
        self.assertEqual(self.does("kept", name="filled").json()[0], 202)

    def test_one_byte_more_is_an_error_for_both(self):
        self.restart_with("[limits]\nenvironments_each_max = 1\n")
        self.deploy()
        first = self.does("facts").json()["environ"]["AWS_LAMBDA_LOG_STREAM_NAME"]
        answer = self.does("fill", bytes=RESPONSE_MAX + 1)
        self.check_error(answer, "Function.ResponseSizeTooLarge",
                         r"Response payload size exceeded maximum allowed payload size "
                         r"\(6291556 bytes\)\.")
        status, text = self.does("kept", name="filled").json()
        self.assertEqual((status, json.loads(text)["errorType"]), (413, "RequestEntityTooLarge"))
        self.assertEqual(self.does("facts").json()["environ"]["AWS_LAMBDA_LOG_STREAM_NAME"],
                         first)

    def test_a_runtime_hears_that_far_too_much_is_too_much(self):
        self.deploy()
        self.does("fill", bytes=40 << 20)
        self.assertEqual(self.does("kept", name="filled").json()[0], 413)

    def test_a_chunked_response_is_one(self):
        self.deploy()
        answer = self.does("chunks", pieces=["[1,", {"sleep": 0.05}, "2", "]"])
        self.assertEqual(answer.body, b"[1,2]")

    def test_a_chunked_response_has_the_same_limit(self):
        self.deploy()
        self.assertEqual(len(self.does("chunks", pieces=[RESPONSE_MAX]).body), RESPONSE_MAX)
        answer = self.does("chunks", pieces=[RESPONSE_MAX, 1])
        self.check_error(answer, "Function.ResponseSizeTooLarge", ".*6291556 bytes.*")
        self.check_works()

    def test_another_id_is_refused(self):
        self.deploy()
        wrong = "/2018-06-01/runtime/invocation/%s/%s"
        paths = [wrong % (one, what) for what in ("response", "error") for one in (
            "00000000-0000-0000-0000-000000000000", "x", "%2F", "..")]
        answers = self.does("ask", requests=[
            {"method": "POST", "path": path, "body": "{}"} for path in paths]).json()
        for status, _, text in answers:
            self.assertEqual((status, json.loads(text)["errorType"]), (400, "InvalidRequestID"))

    def test_a_second_response_is_refused(self):
        self.deploy()
        twice = {"method": "POST", "path": RESPONSE, "body": "1"}
        self.assertEqual(self.does("ask", requests=[
            twice, dict(twice, body="2"), dict(twice, path=ERROR)], keeps=1).body, b"1")
        answers = self.does("kept", name="answers").json()
        self.assertEqual([answer[0] for answer in answers], [202, 400, 400])
        self.assertEqual(json.loads(answers[0][2]), {"status": "OK"})

    def test_a_response_cut_off_can_be_sent_again(self):
        self.deploy()
        self.assertEqual(self.does("cut", value=5).body, b"5")

    def test_a_runtime_that_dies_in_its_response_is_one_that_exited(self):
        self.deploy()
        self.check_error(self.does("cut", exit=3), "Runtime.ExitError",
                         f"RequestId: {UUID} Error: Runtime exited with error: exit status 3")
        self.check_works()

    def test_unknown_paths_and_methods_are_told(self):
        self.deploy()
        asked = [("GET", "/2018-06-01/runtime/invocation"), ("POST", NEXT), ("GET", RESPONSE),
                 ("GET", "/2018-06-01/runtime/restore/next")]
        answers = self.does("ask", requests=[
            {"method": method, "path": path} for method, path in asked]).json()
        for status, _, text in answers:
            self.assertEqual((status, json.loads(text)["errorType"]), (404, "Runtime.UnknownPath"))

    def test_extensions_and_telemetry_are_not_here(self):
        self.deploy()
        answers = self.does("ask", requests=[
            {"method": "POST", "path": "/2020-01-01/extension/register", "body": "{}"},
            {"method": "GET", "path": "/2020-01-01/extension/event/next"},
            {"method": "PUT", "path": "/2022-07-01/telemetry", "body": "{}"},
            {"method": "PUT", "path": "/2020-08-15/logs", "body": "{}"}]).json()
        kinds = [(status, json.loads(text)["errorType"]) for status, _, text in answers]
        self.assertEqual(kinds, [(403, "Extension.NotSupported")] * 2 +
                         [(403, "Telemetry.NotSupported")] * 2)
        self.assertIn("pawl logs", answers[0][2])


class ErrorTest(GuestFixture):
    def raised(self, body, headers=None):
        answer = self.does("raise", body=body, headers=headers)
        self.assertEqual((answer.status, answer.headers.get("x-amz-function-error")),
                         (200, "Unhandled"))
        return answer.body

    def test_an_error_is_the_callers_as_it_was_written(self):
        self.deploy()
        for text in ('{ "errorType" : "E", "errorMessage":"m\\u00e9", "stackTrace":["a", 1],'
                     ' "more": {"x": [null]} }',
                     '{"errorType":"E","errorMessage":"m","trace":["E: m","    at f"]}',
                     '{"errorMessage":"zero \\u0000 within","errorType":"E"}', "{}"):
            self.assertEqual(self.raised(text).decode(), text)

    def test_what_is_no_document_is_the_message_of_one(self):
        self.deploy()
        header = {"Lambda-Runtime-Function-Error-Type": "Mine"}
        for body, headers, kind in (("it broke", {}, "Runtime.Unknown"),
                                    ("", {}, "Runtime.Unknown"), ("it broke", header, "Mine")):
            error = json.loads(self.raised(body, headers))
            self.assertEqual((error["errorType"], error["errorMessage"]), (kind, body))

    def test_an_error_need_not_be_text(self):
        self.deploy()
        answer = self.does("post", what="error",
                           base64=base64.b64encode(b"\xff\xfe\x00 no text").decode())
        self.assertEqual(answer.headers["x-amz-function-error"], "Unhandled")
        self.assertIn("no text", json.loads(answer.body.decode())["errorMessage"])

    def test_a_huge_error_arrives(self):
        self.deploy()
        text = '{"errorType":"E","errorMessage":"%s"}' % ("x" * 6000000)
        answer = self.does("run", code="""
one.post("error", '{"errorType":"E","errorMessage":"%s"}' % ("x" * 6000000))
""")
        self.assertEqual(answer.body.decode(), text)
        self.check_works()

    def test_an_error_beyond_the_limit_is_refused(self):
        self.deploy(Timeout=5)
        answer = self.does("ask", requests=[
            {"method": "POST", "path": ERROR, "body": {"$fill": RESPONSE_MAX + 1}}])
        status, _, _ = answer.json()[0]
        self.assertEqual(status, 413)


if __name__ == "__main__":
    unittest.main(verbosity=2)
