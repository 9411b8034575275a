"""The runtime nodejs22.x, as packaging/runtimes/nodejs22.x/make makes it, against a stand-in
of the Runtime API. Run by `run`."""

import os
import tempfile
import textwrap
import unittest

import node_case
from runtime_api import Runtime, RuntimeApi

PACKAGE = "node_modules/greeter/"
PACKAGE_FILES = {PACKAGE + "package.json": '{"name":"greeter","version":"1.0.0","main":"a.js"}',
                 PACKAGE + "a.js": "module.exports = { greet: (who) => `own ${who}` };"}


class NodeRuntime(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="pawl-node-")
        self.api = RuntimeApi()
        self.runtime = None

    def tearDown(self):
        if self.runtime is not None:
            self.runtime.end()
        self.api.close()
        self.scratch.cleanup()

    def start(self, files, handler="index.handler", **environ):
        for name, source in files.items():
            path = os.path.join(self.scratch.name, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as out:
                out.write(textwrap.dedent(source))
        self.runtime = Runtime(os.path.join(node_case.runtime, "bootstrap"), self.scratch.name,
                               handler, self.api, **environ)

    def call(self, event, **more):
        request_id = self.api.send(event, **more)
        answer = self.api.answer()
        self.assertEqual(answer.request_id, request_id)
        return answer

    # --- how it is started --------------------------------------------------------------------

    def test_node_has_the_flags_of_awss_runtime(self):
        self.start({"index.js": """
            exports.handler = async () => [typeof global.gc, require('node:http').maxHeaderSize];
            """})
        self.assertEqual(self.call(0).json(), ["function", 81920])

    def test_a_wrapper_is_given_the_command(self):
        wrapper = os.path.join(self.scratch.name, "wrapper")
        with open(wrapper, "w", encoding="utf-8") as out:
            out.write('#!/bin/sh\nexport WRAPPED=yes\nexec "$@" --trace-uncaught\n')
        os.chmod(wrapper, 0o755)
        self.start({"index.js": "exports.handler = async () => process.env.WRAPPED;"},
                   AWS_LAMBDA_EXEC_WRAPPER=wrapper)
        self.assertEqual(self.call(0).json(), "yes")

    def test_a_wrapper_that_is_not_there_is_named(self):
        self.start({}, AWS_LAMBDA_EXEC_WRAPPER="/nowhere/wrapper")
        code, output = self.runtime.wait()
        self.runtime = None
        self.assertEqual((code, output), (127, "/nowhere/wrapper: does not exist\n"))

    # --- modules ----------------------------------------------------------------------------

    def test_an_es_module_runs(self):
        self.start({"index.mjs": "export const handler = async (event) => ({ got: event });"})
        answer = self.call({"a": [1, "ü"]})
        self.assertEqual((answer.kind, answer.json()), ("response", {"got": {"a": [1, "ü"]}}))

    def test_a_commonjs_module_runs(self):
        self.start({"index.js": "exports.handler = async (event) => event + 1;"})
        self.assertEqual(self.call(1).json(), 2)

    def test_an_es_module_finds_the_packages_of_its_zip(self):
        self.start(dict(PACKAGE_FILES, **{"index.mjs": """
            import greeter from 'greeter';
            export const handler = async (event) => greeter.greet(event);"""}))
        self.assertEqual(self.call("you").json(), "own you")

    def test_a_commonjs_module_finds_the_packages_of_its_zip(self):
        self.start(dict(PACKAGE_FILES, **{"index.js": """
            const { greet } = require('greeter');
            exports.handler = async (event) => greet(event);"""}))
        self.assertEqual(self.call("you").json(), "own you")

    def test_an_es_module_finds_the_durable_sdk_of_the_runtime(self):
        self.start({"index.mjs": """
            import { withDurableExecution } from '@aws/durable-execution-sdk-js';
            import { LambdaClient } from '@aws-sdk/client-lambda';
            export const handler = async () => [typeof withDurableExecution, LambdaClient.name];
            """})
        self.assertEqual(self.call(0).json(), ["function", "LambdaClient"])

    def test_a_commonjs_module_finds_the_durable_sdk_of_the_runtime(self):
        self.start({"index.js": """
            const { withDurableExecution } = require('@aws/durable-execution-sdk-js');
            exports.handler = async () => typeof withDurableExecution;"""})
        self.assertEqual(self.call(0).json(), "function")

    def test_the_packages_of_the_zip_come_before_the_runtimes(self):
        name = "node_modules/@aws/durable-execution-sdk-js/"
        self.start({name + "package.json": '{"name":"x","version":"1.0.0","main":"a.js"}',
                    name + "a.js": "module.exports = { mine: true };",
                    "index.mjs": """
            import sdk from '@aws/durable-execution-sdk-js';
            export const handler = async () => sdk.mine;"""})
        self.assertIs(self.call(0).json(), True)

    def test_a_package_that_is_nowhere_is_told(self):
        self.start({"index.mjs": "import 'no-such-package'; export const handler = 1;"})
        answer = self.api.answer()
        self.assertEqual(answer.kind, "init/error")
        self.assertIn("Cannot find package 'no-such-package'", answer.json()["errorMessage"])
        self.assertNotEqual(self.runtime.wait()[0], 0)
        self.runtime = None

    # --- the rest ---------------------------------------------------------------------------

    def test_the_context_and_the_variables_are_lambdas(self):
        self.start({"index.mjs": """
            export const handler = async (event, context) => [
              context.awsRequestId, context.functionName, context.tenantId,
              context.invokedFunctionArn, context.getRemainingTimeInMillis() > 0,
              process.env._X_AMZN_TRACE_ID, process.env.AWS_EXECUTION_ENV,
              process.version.split('.')[0]];"""})
        answer = self.call(0, trace_id="Root=1-5", aws_tenant_id="acme")
        self.assertEqual(answer.json(), [
            answer.request_id, "f", "acme", "arn:aws:lambda:us-east-1:123456789012:function:f",
            True, "Root=1-5", "AWS_Lambda_nodejs22.x", "v22"])

    def test_an_error_is_told_and_the_runtime_goes_on(self):
        self.start({"index.mjs": """
            export const handler = async (event) => { throw new RangeError('no ' + event); };"""})
        for i in range(2):
            answer = self.call(i)
            self.assertEqual(answer.kind, "error")
            self.assertEqual((answer.json()["errorType"], answer.json()["errorMessage"]),
                             ("RangeError", f"no {i}"))

    def test_handlers_with_a_callback_are_refused(self):
        self.start({"index.js": "exports.handler = (event, context, callback) => callback();"})
        answer = self.api.answer()
        self.assertEqual(answer.kind, "init/error")
        self.assertIn("callback-based function handlers", answer.json()["errorMessage"])
        self.assertNotEqual(self.runtime.wait()[0], 0)
        self.runtime = None

    def test_an_exit_ends_the_process(self):
        self.start({"index.mjs": "export const handler = async () => process.exit(3);"})
        self.api.send(0)
        self.assertEqual(self.runtime.wait()[0], 3)
        self.runtime = None

    def test_what_it_prints_has_time_id_and_level(self):
        self.start({"index.mjs": "export const handler = async () => console.warn('told');"})
        answer = self.call(0)
        self.api.wait_asking(1)
        output = self.runtime.end()
        self.runtime = None
        self.assertRegex(output, rf"^20\d\d-\S+Z\t{answer.request_id}\tWARN\ttold\n$")

    def test_it_streams_its_response(self):
        self.start({"index.mjs": """
            export const handler = awslambda.streamifyResponse(async (event, stream) => {
              stream.setContentType('text/plain');
              stream.write('one ');
              stream.end('two');
            });"""})
        answer = self.call(0)
        self.assertEqual(answer.headers["lambda-runtime-function-response-mode"], "streaming")
        self.assertEqual(answer.body, b"one two")

    def test_several_run_at_once(self):
        self.start({"index.mjs": """
            let here = 0, open;
            const all = new Promise((resolve) => { open = resolve; });
            export const handler = async (event, context) => {
              if (++here === 3) open();
              await all;
              return [event, context.awsRequestId];
            };"""}, AWS_LAMBDA_MAX_CONCURRENCY="3", AWS_LAMBDA_NODEJS_WORKER_COUNT="1")
        sent = {self.api.send(i): i for i in range(3)}
        for _ in range(3):
            answer = self.api.answer()
            self.assertEqual(answer.json(), [sent[answer.request_id], answer.request_id])
