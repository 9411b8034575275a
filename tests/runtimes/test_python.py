"""The runtime python3.11 against a stand-in of the Runtime API.

    test_python.py BOOTSTRAP
"""

import os
import sys
import tempfile
import textwrap
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from runtime_api import Runtime, RuntimeApi  # noqa: E402

BOOTSTRAP = os.path.abspath(sys.argv.pop(1))


class PythonRuntime(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="pawl-python-")
        self.api = RuntimeApi()
        self.runtime = None
        self.output = ""

    def tearDown(self):
        if self.runtime is not None:
            self.runtime.end()
        self.api.close()
        self.scratch.cleanup()

    def start(self, source, handler="app.handler", file="app.py", **environ):
        path = os.path.join(self.scratch.name, file)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as out:
            out.write(textwrap.dedent(source))
        self.runtime = Runtime(BOOTSTRAP, self.scratch.name, handler, self.api, **environ)

    def call(self, event, **more):
        request_id = self.api.send(event, **more)
        answer = self.api.answer()
        self.assertEqual(answer.request_id, request_id)
        return answer

    def ended(self):
        code, output = self.runtime.wait()
        self.runtime = None
        return code, output

    # --- answers ------------------------------------------------------------------------

    def test_what_the_handler_returns_is_the_response(self):
        self.start("def handler(event, context): return {'got': event}")
        for event in ({"a": [1, None, "ü"]}, [], "text", 7, None):
            answer = self.call(event)
            self.assertEqual((answer.kind, answer.json()), ("response", {"got": event}))
            self.assertEqual(answer.headers["content-type"], "application/json")

    def test_letters_beyond_ascii_go_out_as_they_are(self):
        self.start("def handler(event, context): return 'Grüße ✓'")
        self.assertEqual(self.call(0).body, '"Grüße ✓"'.encode())

    def test_a_decimal_is_a_number(self):
        self.start("""
            from decimal import Decimal
            def handler(event, context): return [Decimal('2'), Decimal('2.5')]
            """)
        self.assertEqual(self.call(0).body, b"[2, 2.5]")

    def test_a_handler_in_a_package_is_found(self):
        self.start("def run(event, context): return 'here'", "pkg/inner/mod.run",
                   "pkg/inner/mod.py")
        self.assertEqual(self.call(0).json(), "here")

    def test_an_empty_payload_is_an_empty_object(self):
        self.start("def handler(event, context): return event")
        self.assertEqual(self.call(None, raw=b"").json(), {})

    # --- wrappers -----------------------------------------------------------------------

    def wrap(self, text, mode=0o755):
        path = os.path.join(self.scratch.name, "wrapper")
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        os.chmod(path, mode)
        return path

    def test_a_wrapper_is_given_the_command(self):
        wrapper = self.wrap('#!/bin/sh\nexport WRAPPED="$#"\nexec "$@"\n')
        self.start("import os\ndef handler(event, context): return os.environ['WRAPPED']",
                   AWS_LAMBDA_EXEC_WRAPPER=wrapper)
        self.assertEqual(self.call(0).json(), "2")

    def test_a_wrapper_that_cannot_run_is_named(self):
        for path, words in (("/nowhere/wrapper", "/nowhere/wrapper: does not exist"),
                            (self.wrap("", 0o644), "is not an executable")):
            self.start("def handler(event, context): return 0", AWS_LAMBDA_EXEC_WRAPPER=path)
            code, output = self.ended()
            self.assertNotEqual(code, 0)
            self.assertIn(words, output)

    # --- the context ----------------------------------------------------------------------

    def test_the_context_says_what_is_known(self):
        self.start("""
            import os
            def handler(event, context):
                return [context.aws_request_id, context.function_name, context.function_version,
                        context.memory_limit_in_mb, context.log_group_name,
                        context.log_stream_name, context.invoked_function_arn, context.tenant_id,
                        context.client_context.client.app_title, context.client_context.env,
                        context.client_context.custom, context.identity.cognito_identity_id,
                        os.environ['_X_AMZN_TRACE_ID']]
            """)
        answer = self.call(0, trace_id="Root=1-5", aws_tenant_id="acme",
                           client_context='{"client":{"app_title":"T"},"env":{"a":"b"}}',
                           cognito_identity='{"cognitoIdentityId":"c"}')
        self.assertEqual(answer.json(), [
            answer.request_id, "f", "$LATEST", "128", "/aws/lambda/f", "2026/11/23/[$LATEST]0",
            "arn:aws:lambda:us-east-1:123456789012:function:f", "acme", "T", {"a": "b"}, None,
            "c", "Root=1-5"])

    def test_what_an_invocation_lacks_is_none(self):
        self.start("""
            import os
            def handler(event, context):
                return [context.tenant_id, context.client_context, context.trace_id,
                        context.identity.cognito_identity_pool_id,
                        os.environ.get('_X_AMZN_TRACE_ID')]
            """)
        self.call(0, trace_id="Root=1-5", aws_tenant_id="acme", client_context="{}")
        self.assertEqual(self.call(0).json(), [None] * 5)

    def test_the_remaining_time_runs_down_to_zero(self):
        self.start("def handler(event, context): return context.get_remaining_time_in_millis()")
        remaining = self.call(0, deadline_s=30).json()
        self.assertTrue(0 < remaining <= 30000, remaining)
        self.assertEqual(self.call(0, deadline_s=-1).json(), 0)

    # --- errors ---------------------------------------------------------------------------

    def test_an_error_has_type_message_and_stack_of_the_function(self):
        self.start("""
            class Broken(Exception): pass
            def inner(): raise Broken('no good')
            def handler(event, context): inner()
            """)
        answer = self.call(0)
        self.assertEqual(answer.kind, "error")
        self.assertEqual(answer.headers["lambda-runtime-function-error-type"], "Broken")
        document = answer.json()
        self.assertEqual((document["errorType"], document["errorMessage"],
                          document["requestId"]), ("Broken", "no good", answer.request_id))
        self.assertEqual(len(document["stackTrace"]), 2)
        self.assertIn("in handler", document["stackTrace"][0])
        self.assertIn("raise Broken", document["stackTrace"][1])
        self.assertEqual(self.call(0).kind, "error")  # and it goes on

    def test_what_cannot_be_json_is_a_marshal_error(self):
        self.start("def handler(event, context): return {1, 2}")
        document = self.call(0).json()
        self.assertEqual(document["errorType"], "Runtime.MarshalError")
        self.assertIn("set is not JSON serializable", document["errorMessage"])

    def test_a_payload_that_is_not_json_is_an_unmarshal_error(self):
        self.start("def handler(event, context): return 1")
        self.assertEqual(self.call(0, raw=b"{oops").json()["errorType"],
                         "Runtime.UnmarshalError")

    def test_an_exit_ends_the_process_with_its_status(self):
        self.start("""
            import sys
            def handler(event, context):
                print('last words')
                sys.exit(event)
            """)
        self.api.send(3)
        self.assertEqual(self.ended(), (3, "last words\n"))

    # --- beginnings -------------------------------------------------------------------------

    def init_error(self, *arguments, **more):
        self.start(*arguments, **more)
        answer = self.api.answer()
        self.assertEqual(answer.kind, "init/error")
        self.assertEqual(answer.headers["lambda-runtime-function-error-type"],
                         answer.json()["errorType"])
        code, output = self.ended()
        self.assertEqual(code, 1)
        return answer.json()["errorType"], answer.json()["errorMessage"], output

    def test_a_module_that_is_not_there_is_told(self):
        kind, message, _ = self.init_error("", "other.handler")
        self.assertEqual((kind, message), (
            "Runtime.ImportModuleError",
            "Unable to import module 'other': No module named 'other'"))

    def test_a_function_that_is_not_there_is_told(self):
        kind, message, _ = self.init_error("", "app.nothing")
        self.assertEqual((kind, message), ("Runtime.HandlerNotFound",
                                           "Handler 'nothing' missing on module 'app'"))

    def test_bad_syntax_is_told(self):
        self.assertEqual(self.init_error("def handler(:")[0], "Runtime.UserCodeSyntaxError")

    def test_a_handler_without_a_dot_is_told(self):
        self.assertEqual(self.init_error("", "app")[0], "Runtime.MalformedHandlerName")

    def test_an_import_that_raises_is_told_with_its_own_type(self):
        kind, message, output = self.init_error("raise KeyError('no such key')")
        self.assertEqual((kind, message), ("KeyError", "'no such key'"))
        self.assertIn("raise KeyError('no such key')", output)

    # --- the log ----------------------------------------------------------------------------

    def log_of(self, source, **environ):
        self.start(source, **environ)
        answer = self.call(0)
        self.api.wait_asking(1)
        output = self.runtime.end()
        self.runtime = None
        return answer.request_id, output

    def test_prints_and_log_lines_go_to_stdout(self):
        request_id, output = self.log_of("""
            import logging
            def handler(event, context):
                print('printed')
                logging.getLogger('x').warning('logged %d', 5)
            """)
        printed, logged = output.splitlines()
        self.assertEqual(printed, "printed")
        self.assertRegex(logged, rf"^\[WARNING\]\t20\d\d-.*Z\t{request_id}\tlogged 5$")

    def test_json_logging_writes_an_object_a_line(self):
        request_id, output = self.log_of("""
            import logging
            def handler(event, context):
                logging.getLogger('x').info('logged')
            """, AWS_LAMBDA_LOG_FORMAT="JSON", AWS_LAMBDA_LOG_LEVEL="INFO")
        self.assertIn('"level": "INFO"', output)
        self.assertIn(f'"requestId": "{request_id}"', output)

    # --- several at once ----------------------------------------------------------------------

    def test_as_many_run_at_once_as_are_allowed(self):
        self.start("""
            import threading
            meeting = threading.Barrier(3)
            def handler(event, context):
                meeting.wait(30)
                return [event, context.aws_request_id]
            """, AWS_LAMBDA_MAX_CONCURRENCY="3")
        sent = {self.api.send(i): i for i in range(3)}
        for _ in range(3):
            answer = self.api.answer()
            self.assertEqual(answer.json(), [sent[answer.request_id], answer.request_id])

    def test_without_concurrency_one_runs_after_the_other(self):
        self.start("def handler(event, context): return event")
        self.api.wait_asking(1)
        self.assertEqual([self.call(i).json() for i in range(3)], [0, 1, 2])
        self.api.wait_asking(1)

    def test_an_exit_of_one_thread_ends_all(self):
        self.start("import sys\ndef handler(event, context): sys.exit(4)",
                   AWS_LAMBDA_MAX_CONCURRENCY="3")
        self.api.send(0)
        self.assertEqual(self.ended()[0], 4)

    # --- the daemon's answers -----------------------------------------------------------------

    def test_a_refused_answer_is_not_the_end(self):
        self.start("def handler(event, context): return event")
        self.api.status = 413
        self.call(1)
        self.api.wait_asking(1)
        self.api.status = 202
        self.assertEqual(self.call(2).json(), 2)

    def test_a_broken_environment_is_the_end(self):
        self.start("def handler(event, context): return event")
        self.api.status = 500
        self.call(1)
        code, output = self.ended()
        self.assertEqual(code, 1)
        self.assertIn("answered 500", output)


if __name__ == "__main__":
    unittest.main(verbosity=1)
