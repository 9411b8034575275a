"""Durable functions in JavaScript, with AWS's own SDK, in a whole daemon. Run by `run`."""

import base64
import json
import os
import tempfile
import textwrap
import time
import unittest

import node_case
from api import Api
from archive import zip_files, zip_texts
from daemon import Daemon
from laws import check_history

DURABLE = {"ExecutionTimeout": 3600, "RetentionPeriodInDays": 1}
WAIT_S = 120

# A step that fails once, a wait, a callback, a map, branches, a chained invoke: its results.
ORDER = """
    import { createRetryStrategy, JitterStrategy, withDurableExecution }
      from '@aws/durable-execution-sdk-js';
    const retryStrategy = createRetryStrategy({
      maxAttempts: 3, initialDelay: { seconds: 1 }, jitter: JitterStrategy.NONE });
    export const handler = withDurableExecution(async (event, context) => {
      const charged = await context.step('charge', async (step) => {
        if (step.attempt === 1) throw new Error('declined');
        return event.amount * 2;
      }, { retryStrategy });
      await context.wait('cool down', { seconds: 1 });
      const approved = await context.waitForCallback('approval', async (id) => {
        console.log(`callback ${id}`);
      });
      const squares = await context.map('squares', [1, 2, 3],
        async (child, item) => child.step('square', async () => item * item));
      const both = await context.parallel('both', [
        async (child) => child.step('left', async () => 'l'),
        async (child) => { await child.wait({ seconds: 1 }); return 'r'; },
      ]);
      const echoed = await context.invoke('echo', process.env.ECHO, { n: charged });
      return { charged, approved, squares: squares.getResults(), both: both.getResults(), echoed };
    });
    """


class Durable(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="pawl-test-")
        self.addCleanup(self.scratch.cleanup)
        self.daemon = Daemon(node_case.build, os.path.join(self.scratch.name, "data"))
        self.addCleanup(self.daemon.end)  # first, and also when what follows fails
        self.daemon.run()
        self.api = Api(self.daemon.socket)
        self.api.add_runtime("nodejs22.x", node_case.runtime)

    def kill_and_restart(self):
        self.daemon.kill()
        self.daemon.run()
        self.api = Api(self.daemon.socket)

    def deploy(self, texts, name="f", is_durable=True, archive=None, **more):
        if is_durable:
            more["DurableConfig"] = DURABLE
        archive = archive or zip_texts({file: textwrap.dedent(text)
                                        for file, text in texts.items()})
        self.api.create_function(name, archive, "index.handler", Runtime="nodejs22.x",
                                 MemorySize=256, **more)
        return name + ":$LATEST"

    def wait_for(self, what, look):
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            found = look()
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"{what}: not within {WAIT_S} s")

    def start(self, function, event, name=None):
        answer = self.api.invoke(function, json.dumps(event), kind="Event", name=name)
        return answer.headers["x-amz-durable-execution-arn"]

    def closed(self, arn):
        return self.wait_for("the end", lambda: next(
            (one for one in [self.api.get_execution(arn)] if one["Status"] != "RUNNING"), None))

    def event(self, arn, kind, name=None):
        return self.wait_for(kind, lambda: next(
            (one for one in self.api.history(arn)
             if one["EventType"] == kind and name in (None, one.get("Name"))), None))

    def result(self, arn):
        execution = self.closed(arn)
        self.assertEqual(execution["Status"], "SUCCEEDED", execution)
        self.assertIsNone(check_history(self.api.history(arn), "SUCCEEDED"))
        return json.loads(execution["Result"])

    # --- where the SDK comes from -----------------------------------------------------------

    def test_a_commonjs_function_has_the_runtimes_sdk(self):
        function = self.deploy({"index.js": """
            const { withDurableExecution } = require('@aws/durable-execution-sdk-js');
            exports.handler = withDurableExecution(
              async (event, context) => context.step('one', async () => event + 1));"""})
        answer = self.api.invoke(function, "4")
        self.assertEqual(answer.json(), 5)

    def test_a_zip_may_bring_its_own_sdk(self):
        """As `npm install` leaves it; the runtime's is not looked at."""
        modules = os.path.join(node_case.runtime, "node_modules")
        files = {}
        for directory, _, names in os.walk(modules):
            for name in names:
                path = os.path.join(directory, name)
                if not os.path.islink(path):
                    files[os.path.relpath(path, node_case.runtime)] = path
        index = os.path.join(self.scratch.name, "index.mjs")
        with open(index, "w", encoding="utf-8") as out:
            out.write(textwrap.dedent("""
                import { withDurableExecution } from '@aws/durable-execution-sdk-js';
                export const handler = withDurableExecution(async (event, context) =>
                  context.step('one', async () =>
                    import.meta.resolve('@aws/durable-execution-sdk-js')));"""))
        files["index.mjs"] = index
        function = self.deploy({}, archive=zip_files(files))
        self.assertIn("file:///var/task/node_modules/@aws/durable-execution-sdk-js/",
                      self.api.invoke(function, "{}").json())

    def publish(self, name, texts):
        body = {"Content": {"ZipFile": base64.b64encode(zip_texts(texts)).decode()}}
        return self.api.request("POST", f"/2018-10-31/layers/{name}/versions",
                                json.dumps(body)).json()["LayerVersionArn"]

    def test_packages_come_from_layers(self):
        """Those for this Node.js before those for any, and both before the runtime's."""
        layers = [self.publish(name, {
            f"nodejs/{place}/{package}/index.js": f"exports.from = '{name}';"
            for place in places for package in ("both", name)})
            for name, places in (("every", ["node_modules"]), ("only22", ["node22/node_modules"]),
                                 ("only20", ["node20/node_modules"]))]
        for number, text in enumerate(("""
                const both = require('both'), every = require('every'), only = require('only22');
                exports.handler = async () => [both.from, every.from, only.from];""", """
                import both from 'both'; import every from 'every'; import only from 'only22';
                export const handler = async () => [both.from, every.from, only.from];""")):
            name = f"f{number}"
            self.deploy({["index.js", "index.mjs"][number]: text}, name, is_durable=False,
                        Layers=layers)
            self.assertEqual(self.api.invoke(name, "{}").json(), ["only22", "every", "only22"])
        self.deploy({"index.js": "exports.handler = async () => require('only20').from;"}, "old",
                    is_durable=False, Layers=layers)
        self.assertIn("Cannot find module 'only20'",
                      self.api.invoke("old", "{}").json()["errorMessage"])

    # --- what it does -----------------------------------------------------------------------

    def deploy_order(self):
        self.deploy({"index.mjs": "export const handler = async (event) => event;"}, "echo",
                    is_durable=False)
        return self.deploy({"index.mjs": ORDER},
                           Environment={"Variables": {"ECHO": "echo"}})

    def answer_callback(self, arn):
        started = self.event(arn, "CallbackStarted")
        self.api.callback(started["CallbackStartedDetails"]["CallbackId"], "succeed", b"yes")

    def test_every_operation_leads_to_its_result(self):
        arn = self.start(self.deploy_order(), {"amount": 21})
        self.answer_callback(arn)
        self.assertEqual(self.result(arn), {"charged": 42, "approved": "yes",
                                            "squares": [1, 4, 9], "both": ["l", "r"],
                                            "echoed": {"n": 42}})

    def test_it_goes_on_after_kill_9_wherever_it_was(self):
        arn = self.start(self.deploy_order(), {"amount": 21})
        for kind, name in (("StepFailed", "charge"), ("WaitStarted", "cool down"),
                           ("CallbackStarted", None)):
            self.event(arn, kind, name)
            self.kill_and_restart()
        self.answer_callback(arn)
        for kind, name in (("ContextSucceeded", "squares"), ("ChainedInvokeStarted", "echo")):
            self.event(arn, kind, name)
            self.kill_and_restart()
        self.assertEqual(self.result(arn)["echoed"], {"n": 42})
        done = [event["Id"] for event in self.api.history(arn)
                if event["EventType"] == "StepSucceeded"]
        self.assertEqual(len(done), len(set(done)))  # no step has two results

    def test_a_result_beyond_a_response_arrives_by_checkpoint(self):
        function = self.deploy({"index.mjs": """
            import { withDurableExecution } from '@aws/durable-execution-sdk-js';
            export const handler = withDurableExecution(async (event) => 'x'.repeat(event));"""})
        most = 7 * 1024 * 1024 - 2  # and its quotes
        for size in (6 * 1024 * 1024 - 2, most):
            self.assertEqual(len(self.result(self.start(function, size))), size)
        parent = self.deploy({"index.mjs": """
            import { withDurableExecution } from '@aws/durable-execution-sdk-js';
            export const handler = withDurableExecution(async (event, context) =>
              (await context.invoke('whole', 'f:$LATEST', event)).length);"""}, "parent")
        self.assertEqual(self.result(self.start(parent, most)), most)

    def test_a_thousand_steps_are_told_again_in_pages(self):
        function = self.deploy({"index.mjs": """
            import { withDurableExecution } from '@aws/durable-execution-sdk-js';
            export const handler = withDurableExecution(async (event, context) => {
              let sum = 0;
              for (let i = 0; i < event; i++) {
                sum += (await context.step(`s${i}`, async () => ({ i, pad: 'p'.repeat(8000) }))).i;
              }
              await context.wait({ seconds: 1 });
              return sum;
            });"""}, Timeout=300)
        self.assertEqual(self.result(self.start(function, 1000)), 499500)

    def test_changed_code_fails_by_the_sdks_own_rule(self):
        function = self.deploy({"index.mjs": """
            import { withDurableExecution } from '@aws/durable-execution-sdk-js';
            let run = 0;
            export const handler = withDurableExecution(async (event, context) => {
              await context.step(run++ === 0 ? 'before' : 'after', async () => 1);
              await context.wait({ seconds: 1 });
            });"""})
        execution = self.closed(self.start(function, 0))
        self.assertEqual((execution["Status"], execution["Error"]["ErrorType"]),
                         ("FAILED", "NonDeterministicExecutionError"))

    def test_log_lines_belong_to_the_execution(self):
        function = self.deploy({"index.mjs": """
            import { withDurableExecution } from '@aws/durable-execution-sdk-js';
            export const handler = withDurableExecution(async (event, context) => {
              context.logger.info(`hello ${event}`);
              await context.wait({ seconds: 1 });
              context.logger.info(`goodbye ${event}`);
            });"""})
        arn = self.start(function, "you")
        self.closed(arn)
        for words in ("hello you", "goodbye you"):
            self.wait_for(words, lambda text=words: sum(
                text in line.get("message", "") for line in self.api.logs("f", arn)) == 1)
