"""A durable function in JavaScript, with AWS's own SDK and runtime, driven by AWS's own client."""

import io
import json
import os
import unittest
import zipfile

from case import BUILD, DURABLE, Case

RUNTIME = os.path.join(BUILD, "runtimes", "nodejs22.x")
HANDLER = """
import { withDurableExecution } from '@aws/durable-execution-sdk-js';

export const handler = withDurableExecution(async (event, context) => {
  const charged = await context.step('charge', async () => event.amount * 2);
  await context.wait('pause', { seconds: 1 });
  const answer = await context.waitForCallback('approval', async (id) => {
    console.log('asked', id);
  });
  return context.runInChildContext('ship', (child) =>
    child.step('send', async () => ({ charged, answer: JSON.parse(answer) })));
});
"""


def zip_text(name, text):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, text)
    return out.getvalue()


@unittest.skipIf(not os.path.exists(os.path.join(RUNTIME, "bootstrap")),
                 "nodejs22.x was not made: ./dev runtimes")
class JavaScript(Case):
    def test_an_execution_goes_on_after_kill_9(self):
        self.run_pawl("runtime", "add", "nodejs22.x", RUNTIME)
        self.client.create_function(**self.settings(
            "orders", "index.handler", Runtime="nodejs22.x", DurableConfig=DURABLE,
            MemorySize=512, Code={"ZipFile": zip_text("index.mjs", HANDLER)}))
        arn = self.start("orders:$LATEST", {"amount": 21}, DurableExecutionName="first")
        started = self.until_event(arn, "CallbackStarted")
        self.daemon.kill()
        self.daemon.run()
        self.client.send_durable_execution_callback_success(
            CallbackId=started["CallbackStartedDetails"]["CallbackId"], Result=b'"yes"')
        answer = self.invoke("orders:$LATEST", {"amount": 21}, DurableExecutionName="first")
        self.assertEqual(answer["DurableExecutionArn"], arn)
        self.assertEqual(json.loads(answer["Payload"].read()), {"charged": 42, "answer": "yes"})
        kinds = [event["EventType"] for event in self.history(arn)]
        self.assertEqual((kinds[0], kinds[-1]), ("ExecutionStarted", "ExecutionSucceeded"))
        self.assertEqual(kinds.count("ContextSucceeded"), 2)
        steps = [event.get("Name") for event in self.history(arn)
                 if event["EventType"] == "StepSucceeded"]
        self.assertEqual((steps[0], steps[-1]), ("charge", "send"))

    def test_an_event_may_be_nothing(self):
        self.run_pawl("runtime", "add", "nodejs22.x", RUNTIME)
        for name, more, text in (
                ("plain", {}, "export const handler = async (event) => event;\n"),
                ("durable", {"DurableConfig": DURABLE}, """
import { withDurableExecution } from '@aws/durable-execution-sdk-js';
export const handler = withDurableExecution(async (event) => event);
""")):
            self.client.create_function(**self.settings(
                name, "index.handler", Runtime="nodejs22.x", MemorySize=512,
                Code={"ZipFile": zip_text("index.mjs", text)}, **more))
            answer = self.invoke(name + ":$LATEST")
            self.assertEqual(json.loads(answer["Payload"].read()), {}, name)

    def test_an_error_of_javascript_is_told(self):
        self.run_pawl("runtime", "add", "nodejs22.x", RUNTIME)
        self.client.create_function(**self.settings(
            "throws", "index.handler", Runtime="nodejs22.x", MemorySize=512, Code={
                "ZipFile": zip_text("index.mjs", "export const handler = async () => {\n"
                                                 "  throw new TypeError('no such card');\n};\n")}))
        answer = self.invoke("throws", {})
        error = json.loads(answer["Payload"].read())
        self.assertEqual((answer["FunctionError"], error["errorType"], error["errorMessage"]),
                         ("Unhandled", "TypeError", "no such card"))
        self.assertTrue(error["trace"])
