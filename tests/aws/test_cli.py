"""The AWS CLI, as its users type it. Its version does not matter but for what it knows."""

import json
import os
import unittest

import clients
from archive import zip_files, zip_texts
from case import AWS_HANDLERS, ROLE, Case, needs, wait_for

CLI = clients.find_cli()
VERSION = clients.cli_version(CLI) if CLI else None
DURABLE = '{"ExecutionTimeout":600,"RetentionPeriodInDays":1}'


@unittest.skipIf(VERSION is None, "no AWS CLI on this machine (Debian's awscli)")
class Cli(Case):
    program = AWS_HANDLERS

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with open(os.path.join(cls.scratch.name, "f.zip"), "wb") as file:
            file.write(zip_files({"bootstrap": cls.program}))

    def create(self, name, handler, *more):
        made = self.cli("create-function", "--function-name", name, "--runtime",
                        "provided.al2023", "--handler", handler, "--role", ROLE, "--zip-file",
                        "fileb://f.zip", *more)
        self.assertEqual(made["FunctionName"], name)
        return made

    def cli_invoke(self, name, payload, *more):
        """(what the CLI says, what the function said)"""
        path = os.path.join(self.scratch.name, "in.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write(payload)
        said = self.cli("invoke", "--function-name", name, "--payload", "fileb://in.json", *more,
                        "out.json")
        with open(os.path.join(self.scratch.name, "out.json"), encoding="utf-8") as file:
            return said, file.read()

    def cli_refused(self, name, operation, *words):
        done = self.run_cli(*words)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, rf"\({name}\) when calling the {operation} operation"
                                      r"( \(reached max retries: \d\))?: ")

    def test_a_function_from_its_zip_to_its_end(self):
        self.create("walk", "echo", "--environment", "Variables={COLOUR=red}", "--tags",
                    "team=blue", "--timeout", "9")
        self.cli("wait", "function-active-v2", "--function-name", "walk")
        self.assertEqual(self.cli("get-function", "--function-name", "walk")["Tags"],
                         {"team": "blue"})
        changed = self.cli("update-function-configuration", "--function-name", "walk",
                           "--memory-size", "256")
        self.assertEqual((changed["MemorySize"], changed["Timeout"]), (256, 9))
        self.cli("wait", "function-updated-v2", "--function-name", "walk")
        self.cli("update-function-code", "--function-name", "walk", "--zip-file",
                 "fileb://f.zip")
        self.assertEqual(self.cli("get-function-configuration", "--function-name", "walk")[
            "MemorySize"], 256)
        said, payload = self.cli_invoke("walk", '{"a": 1}', "--log-type", "Tail")
        self.assertEqual((said["StatusCode"], payload), (200, '{"a": 1}'))
        self.assertTrue(said["LogResult"])
        self.cli("delete-function", "--function-name", "walk", is_text=True)
        self.cli_refused("ResourceNotFoundException", "GetFunction", "get-function",
                         "--function-name", "walk")

    def test_a_list_in_pages(self):
        for number in range(3):
            self.create(f"page-{number}", "echo")
        names = self.cli("list-functions", "--page-size", "1", "--query",
                         "Functions[].FunctionName")
        self.assertEqual([name for name in names if name.startswith("page-")],
                         ["page-0", "page-1", "page-2"])
        first = self.cli("list-functions", "--max-items", "1")
        self.assertEqual(len(first["Functions"]), 1)
        rest = self.cli("list-functions", "--starting-token", first["NextToken"])
        self.assertEqual(len(rest["Functions"]), len(names) - 1)

    def test_a_layer_from_its_zip_to_its_function(self):
        with open(os.path.join(self.scratch.name, "layer.zip"), "wb") as file:
            file.write(zip_texts({"word": "shared"}))
        made = self.cli("publish-layer-version", "--layer-name", "words", "--zip-file",
                        "fileb://layer.zip", "--compatible-runtimes", "python3.11",
                        "--license-info", "MIT")
        self.assertEqual((made["Version"], made["LicenseInfo"]), (1, "MIT"))
        self.create("layered", "echo", "--layers", made["LayerVersionArn"])
        shown = self.cli("get-function-configuration", "--function-name", "layered", "--query",
                         "Layers[].Arn")
        self.assertEqual(shown, [made["LayerVersionArn"]])
        self.assertEqual(self.cli("get-layer-version-by-arn", "--arn", made["LayerVersionArn"]),
                         made)
        self.assertEqual(self.cli("list-layers", "--query", "Layers[].LayerName"), ["words"])
        self.cli("delete-layer-version", "--layer-name", "words", "--version-number", "1",
                 is_text=True)
        self.cli_refused("InvalidParameterValueException", "UpdateFunctionConfiguration",
                         "update-function-configuration", "--function-name", "layered",
                         "--layers", made["LayerVersionArn"])
        self.assertEqual(self.cli_invoke("layered", "7")[1], "7")

    def test_an_error_is_told_by_its_name(self):
        self.create("taken", "fails")
        self.cli_refused("ResourceConflictException", "CreateFunction", "create-function",
                         "--function-name", "taken", "--runtime", "provided.al2023", "--handler",
                         "x", "--role", ROLE, "--zip-file", "fileb://f.zip")
        said, payload = self.cli_invoke("taken", "{}")
        self.assertEqual(said["FunctionError"], "Unhandled")
        self.assertEqual(json.loads(payload)["errorType"], "Declined")

    def test_a_durable_execution_from_its_start_to_its_history(self):
        self.create("order", "pauses", "--durable-config", DURABLE)
        said, _ = self.cli_invoke("order:$LATEST", "1", "--invocation-type", "Event",
                                  "--durable-execution-name", "first")
        arn = said["DurableExecutionArn"]
        listed = self.cli("list-durable-executions-by-function", "--function-name", "order")
        self.assertEqual([one["DurableExecutionArn"] for one in listed["DurableExecutions"]],
                         [arn])
        shown = wait_for("the end", lambda: next((one for one in [self.cli(
            "get-durable-execution", "--durable-execution-arn", arn)]
            if one["Status"] != "RUNNING"), None))
        self.assertEqual((shown["Status"], shown["Result"]), ("SUCCEEDED", "2"))
        history = self.cli("get-durable-execution-history", "--durable-execution-arn", arn,
                           "--page-size", "2")
        self.assertEqual(history["Events"][-1]["EventType"], "ExecutionSucceeded")
        said, payload = self.cli_invoke("order:$LATEST", "1", "--durable-execution-name", "first")
        self.assertEqual((said["DurableExecutionArn"], payload), (arn, "2"))

    def test_callbacks_and_stop(self):
        self.create("asks", "asks", "--durable-config", DURABLE)
        for verb, more, status in (
                ("send-durable-execution-callback-success", ("--result", "fileb://in.json"),
                 "SUCCEEDED"),
                ("send-durable-execution-callback-failure", ("--error", "ErrorType=No"), "FAILED")):
            said, _ = self.cli_invoke("asks:$LATEST", "1", "--invocation-type", "Event")
            arn = said["DurableExecutionArn"]
            started = self.until_event(arn, "CallbackStarted")
            callback = ("--callback-id", started["CallbackStartedDetails"]["CallbackId"])
            self.cli("send-durable-execution-callback-heartbeat", *callback, is_text=True)
            self.cli(verb, *callback, *more, is_text=True)
            self.assertEqual(self.until_closed(arn)["Status"], status)
        said, _ = self.cli_invoke("asks:$LATEST", "1", "--invocation-type", "Event")
        stopped = self.cli("stop-durable-execution", "--durable-execution-arn",
                           said["DurableExecutionArn"], "--error", "ErrorMessage=enough")
        self.assertTrue(stopped["StopTimestamp"])

    @needs("PublishVersion", "CreateAlias")
    def test_versions_and_aliases(self):
        self.create("released", "echo")
        function = ("--function-name", "released")
        self.assertEqual(self.cli("publish-version", *function)["Version"], "1")
        self.cli("create-alias", *function, "--name", "live", "--function-version", "1")
        self.cli("update-function-configuration", *function, "--description", "two")
        self.assertEqual(self.cli("publish-version", *function)["Version"], "2")
        alias = self.cli("update-alias", *function, "--name", "live", "--routing-config",
                         "AdditionalVersionWeights={2=0.25}")
        self.assertEqual(alias["RoutingConfig"], {"AdditionalVersionWeights": {"2": 0.25}})
        self.assertEqual(self.cli("list-versions-by-function", *function, "--query",
                                  "Versions[].Version"), ["$LATEST", "1", "2"])
        said, _ = self.cli_invoke("released", "1", "--qualifier", "2")
        self.assertEqual(said["ExecutedVersion"], "2")
        self.cli("delete-alias", *function, "--name", "live", is_text=True)
        self.cli_refused("ResourceNotFoundException", "GetAlias", "get-alias", *function,
                         "--name", "live")

    @needs("PutFunctionConcurrency", "TagResource", "AddPermission")
    def test_settings(self):
        arn = self.create("set", "echo")["FunctionArn"]
        function = ("--function-name", "set")
        self.cli("put-function-concurrency", *function, "--reserved-concurrent-executions", "0")
        self.cli_refused("TooManyRequestsException", "Invoke", "invoke", *function, "out.json")
        self.cli("delete-function-concurrency", *function, is_text=True)
        self.cli("tag-resource", "--resource", arn, "--tags", "a=b,c=d", is_text=True)
        self.cli("untag-resource", "--resource", arn, "--tag-keys", "a", is_text=True)
        self.assertEqual(self.cli("list-tags", "--resource", arn)["Tags"], {"c": "d"})
        self.cli("add-permission", *function, "--statement-id", "s", "--action",
                 "lambda:InvokeFunction", "--principal", "sns.amazonaws.com")
        self.assertIn('"Sid":"s"', self.cli("get-policy", *function)["Policy"].replace(" ", ""))
        self.cli("remove-permission", *function, "--statement-id", "s", is_text=True)
        self.assertTrue(self.cli("get-account-settings")["AccountUsage"]["FunctionCount"])

    @needs("PutFunctionEventInvokeConfig")
    def test_an_event_invoke_config(self):
        self.create("quiet", "echo")
        function = ("--function-name", "quiet")
        put = self.cli("put-function-event-invoke-config", *function, "--maximum-retry-attempts",
                       "0")
        self.assertEqual(put["MaximumRetryAttempts"], 0)
        self.cli("update-function-event-invoke-config", *function,
                 "--maximum-event-age-in-seconds", "90")
        shown = self.cli("get-function-event-invoke-config", *function)
        self.assertEqual((shown["MaximumRetryAttempts"], shown["MaximumEventAgeInSeconds"]),
                         (0, 90))
        self.assertEqual(len(self.cli("list-function-event-invoke-configs", *function)[
            "FunctionEventInvokeConfigs"]), 1)
        self.cli("delete-function-event-invoke-config", *function, is_text=True)

    @needs("PutProvisionedConcurrencyConfig")
    def test_provisioned_concurrency(self):
        self.create("warm", "echo")
        function = ("--function-name", "warm", "--qualifier",
                    self.cli("publish-version", "--function-name", "warm")["Version"])
        put = self.cli("put-provisioned-concurrency-config", *function,
                       "--provisioned-concurrent-executions", "1")
        self.assertEqual(put["RequestedProvisionedConcurrentExecutions"], 1)
        wait_for("it", lambda: self.cli("get-provisioned-concurrency-config", *function)[
            "Status"] == "READY")
        self.cli("delete-provisioned-concurrency-config", *function, is_text=True)
