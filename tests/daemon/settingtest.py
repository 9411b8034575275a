"""What belongs to a function beside its code: concurrency, tags, policy, recursion; of the
whole daemon over its real socket.

    settingtest.py BUILD

Each test has a daemon of its own and real functions (functions.c) in real sandboxes. A
function is held by a file that is not there yet, in a directory that it is granted.
"""

import json
import os
import sys
import tempfile
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness"), HERE]

import boto  # noqa: E402
from api import Api, ApiError, quote  # noqa: E402
from archive import zip_files  # noqa: E402
from boto import boto3  # noqa: E402
from daemon import Daemon  # noqa: E402
from daemontest import BUILD, wait_for  # noqa: E402

FUNCTIONS = os.path.join(BUILD, "tests", "daemon", "daemon_functions")
DURABLE = {"DurableConfig": {"ExecutionTimeout": 3600, "RetentionPeriodInDays": 1}}
ARN = "arn:aws:lambda:us-east-1:123456789012:function:"
RESERVED = "ReservedFunctionConcurrentInvocationLimitExceeded"
ACCOUNT = "ConcurrentInvocationLimitExceeded"


class SettingTest(unittest.TestCase):
    limits = ""

    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="pawl-test-")
        self.held = os.path.join(self.scratch.name, "held")
        os.mkdir(self.held)
        config = os.path.join(self.scratch.name, "pawl.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write(f"[limits]\n{self.limits}\n")
            for name in ("f", "g", "durable"):
                file.write(f"[function {name}]\ngrants = {self.held}\n")
        self.daemon = Daemon(BUILD, os.path.join(self.scratch.name, "data"),
                             ["--config", config])
        self.run_daemon()

    def tearDown(self):
        try:
            self.daemon.end()
        finally:
            self.scratch.cleanup()

    def run_daemon(self):
        self.daemon.run()
        self.api = Api(self.daemon.socket)

    def kill_and_restart(self):
        self.daemon.kill()
        self.run_daemon()

    def deploy(self, name, handler="is-held", **more):
        self.api.create_function(name, zip_files({"bootstrap": FUNCTIONS}), handler,
                                 Environment={"Variables": {"HELD_DIR": self.held}}, **more)

    def ask(self, method, path, body=None):
        answer = self.api.request(method, path, json.dumps(body) if body is not None else None)
        return answer.json() if answer.body else None

    def reserve(self, name, number):
        return self.ask("PUT", f"/2017-10-31/functions/{name}/concurrency",
                        {"ReservedConcurrentExecutions": number})

    def limits_of_account(self):
        return self.ask("GET", "/2016-08-19/account-settings")["AccountLimit"]

    def release(self, name):
        with open(os.path.join(self.held, name), "w", encoding="ascii"):
            pass

    def counted(self, what):
        return self.ask("GET", "/pawl/v1/status")["Invocations"][what]

    def in_background(self, function, payload, **more):
        """A synchronous invoke; returns what waits for its answer."""
        answers = []
        thread = threading.Thread(
            target=lambda: answers.append(self.api.invoke(function, payload, **more)))
        running = self.counted("Running")
        thread.start()
        wait_for("it runs", lambda: self.counted("Running") > running)

        def join():
            thread.join(60)
            self.assertEqual(len(answers), 1)
            return answers[0]
        return join

    def refused(self, reason, call, *arguments, **more):
        with self.assertRaises(ApiError) as caught:
            call(*arguments, **more)
        self.assertEqual((caught.exception.status, caught.exception.name,
                          caught.exception.reason),
                         (429, "TooManyRequestsException", reason))
        self.assertGreaterEqual(int(caught.exception.headers["retry-after"]), 1)


class ReservedTest(SettingTest):
    def test_what_was_set_is_there_after_kill_9(self):
        self.deploy("f", Tags={"born": "here"})
        self.assertEqual(self.reserve("f", 7), {"ReservedConcurrentExecutions": 7})
        self.ask("POST", "/2017-03-31/tags/" + quote(ARN + "f"), {"Tags": {"team": "blue"}})
        self.ask("POST", "/2015-03-31/functions/f/policy",
                 {"StatementId": "s", "Action": "lambda:InvokeFunction",
                  "Principal": "s3.amazonaws.com"})
        self.ask("PUT", "/2024-08-31/functions/f/recursion-config", {"RecursiveLoop": "Allow"})
        before = self.shown()
        self.assertEqual(before[0]["Concurrency"], {"ReservedConcurrentExecutions": 7})
        self.assertEqual(before[0]["Tags"], {"born": "here", "team": "blue"})
        self.assertEqual(json.loads(before[1]["Policy"])["Statement"][0]["Sid"], "s")
        self.assertEqual(before[2], {"RecursiveLoop": "Allow"})
        self.assertEqual(before[3]["UnreservedConcurrentExecutions"], 993)
        self.kill_and_restart()
        self.assertEqual(self.shown(), before)
        self.ask("DELETE", "/2015-03-31/functions/f")
        self.deploy("f")
        self.assertNotIn("Tags", self.api.get_function("f"))
        self.assertEqual(self.limits_of_account()["UnreservedConcurrentExecutions"], 1000)

    def shown(self):
        return [self.api.get_function("f"),
                self.ask("GET", "/2015-03-31/functions/f/policy"),
                self.ask("GET", "/2024-08-31/functions/f/recursion-config"),
                self.limits_of_account()]

    def test_over_its_reserved_number_a_caller_is_refused(self):
        self.deploy("f")
        self.deploy("g")
        self.reserve("f", 1)
        first = self.in_background("f", '"one"')
        self.refused(RESERVED, self.api.invoke, "f", '"two"')
        other = self.in_background("g", '"other"')
        self.release("other")
        self.assertEqual(other().body, b'"other"')
        self.release("one")
        self.assertEqual(first().body, b'"one"')
        self.release("two")
        self.assertEqual(self.api.invoke("f", '"two"').body, b'"two"')

    def test_events_wait_for_their_turn(self):
        self.deploy("f")
        self.reserve("f", 1)
        first = self.in_background("f", '"one"')
        self.release("two")
        self.assertEqual(self.api.invoke("f", '"two"', kind="Event").status, 202)
        wait_for("it waits", lambda: self.counted("Waiting") == 1)
        self.assertEqual(self.counted("Total"), 1)
        self.release("one")
        first()
        wait_for("it has run", lambda: self.counted("Total") == 2 and
                 self.counted("Running") == 0)

    def test_with_nothing_reserved_it_never_runs(self):
        self.deploy("f")
        self.release("x")
        self.reserve("f", 0)
        for _ in range(2):
            self.refused(RESERVED, self.api.invoke, "f", '"x"')
            self.kill_and_restart()
        self.ask("DELETE", "/2017-10-31/functions/f/concurrency")
        self.assertEqual(self.api.invoke("f", '"x"').body, b'"x"')

    def test_a_durable_function_is_refused_before_it_starts(self):
        self.deploy("durable", **DURABLE)
        self.reserve("durable", 1)
        first = self.in_background("durable:$LATEST", '"one"', name="first")
        self.refused(RESERVED, self.api.invoke, "durable:$LATEST", '"two"', name="second")
        self.assertEqual(self.executions(), ["first"])
        answers = []  # of one that comes back to what runs, and is not refused
        again = threading.Thread(target=lambda: answers.append(
            self.api.invoke("durable:$LATEST", '"one"', name="first")))
        again.start()
        self.release("one")
        self.assertEqual(first().body, b'"one"')
        again.join(60)
        self.assertEqual([answer.body for answer in answers], [b'"one"'])
        self.release("two")
        self.assertEqual(self.api.invoke("durable:$LATEST", '"two"', name="second").body,
                         b'"two"')

    def executions(self):
        page = self.ask("GET", "/2025-12-01/functions/durable/durable-executions")
        return [one["DurableExecutionName"] for one in page["DurableExecutions"]]

    def test_a_hundred_are_left_to_the_others(self):
        self.deploy("f")
        self.deploy("g")
        self.reserve("f", 500)
        with self.assertRaises(ApiError) as caught:
            self.reserve("g", 401)
        self.assertEqual(caught.exception.name, "InvalidParameterValueException")
        self.assertIn("[100]", caught.exception.message)
        self.reserve("g", 400)
        self.reserve("f", 400)
        self.assertEqual(self.limits_of_account()["UnreservedConcurrentExecutions"], 200)


class ProvisionedTest(SettingTest):
    def path(self, qualifier):
        return f"/2019-09-30/functions/f/provisioned-concurrency?Qualifier={qualifier}"

    def provision(self, qualifier, number):
        return self.ask("PUT", self.path(qualifier), {"ProvisionedConcurrentExecutions": number})

    def until_ready(self, qualifier, number):
        config = wait_for("it is ready", lambda: next(
            (one for one in [self.ask("GET", self.path(qualifier))] if one["Status"] == "READY"),
            None))
        self.assertEqual([config[key + "ProvisionedConcurrentExecutions"]
                          for key in ("Requested", "Allocated", "Available")], [number] * 3)

    def environments(self):
        return len(self.ask("GET", "/pawl/v1/status")["Environments"])

    def publish(self, description):
        return self.ask("POST", "/2015-03-31/functions/f/versions", {"Description": description})

    def gone(self, qualifier):
        with self.assertRaises(ApiError) as caught:
            self.ask("GET", self.path(qualifier))
        self.assertEqual(caught.exception.status, 404)
        return caught.exception.name

    def setUp(self):
        super().setUp()
        self.deploy("f", Publish=True)
        self.release("x")

    def test_environments_are_ready_before_they_are_needed(self):
        answer = self.provision("1", 2)
        self.assertEqual(answer["RequestedProvisionedConcurrentExecutions"], 2)
        self.until_ready("1", 2)
        self.assertEqual(self.environments(), 2)
        started = self.ask("GET", "/pawl/v1/status")["EnvironmentsStarted"]
        self.assertEqual(self.api.invoke("f:1", '"x"').body, b'"x"')
        self.assertEqual(self.ask("GET", "/pawl/v1/status")["EnvironmentsStarted"], started)
        self.kill_and_restart()
        self.until_ready("1", 2)
        self.assertEqual(self.environments(), 2)
        self.ask("DELETE", self.path("1"))
        self.assertEqual(self.gone("1"), "ProvisionedConcurrencyConfigNotFoundException")

    def test_an_alias_takes_its_environments_along(self):
        self.ask("PUT", "/2015-03-31/functions/f/configuration", {"Timeout": 50})
        self.assertEqual(self.publish("two")["Version"], "2")
        self.ask("POST", "/2015-03-31/functions/f/aliases",
                 {"Name": "live", "FunctionVersion": "1"})
        self.provision("live", 1)
        self.until_ready("live", 1)
        self.ask("PUT", "/2015-03-31/functions/f/aliases/live", {"FunctionVersion": "2"})
        self.until_ready("live", 1)
        started = self.ask("GET", "/pawl/v1/status")["EnvironmentsStarted"]
        self.assertEqual(self.api.invoke("f:2", '"x"').body, b'"x"')
        self.assertEqual(self.ask("GET", "/pawl/v1/status")["EnvironmentsStarted"], started)
        self.ask("DELETE", "/2015-03-31/functions/f/aliases/live")
        self.assertEqual(self.gone("live"), "ResourceNotFoundException")
        self.ask("POST", "/2015-03-31/functions/f/aliases",
                 {"Name": "live", "FunctionVersion": "1"})
        self.assertEqual(self.gone("live"), "ProvisionedConcurrencyConfigNotFoundException")

    def test_a_deleted_function_leaves_none(self):
        self.provision("1", 1)
        self.until_ready("1", 1)
        self.ask("DELETE", "/2015-03-31/functions/f")
        wait_for("they are gone", lambda: self.environments() == 0)


@unittest.skipIf(boto3 is None, "boto3 cannot be imported")
class ClientTest(SettingTest):
    """AWS's own client asks, and understands what it is told."""

    def setUp(self):
        super().setUp()
        self.deploy("f", Publish=True, Tags={"born": "here"})
        self.client = boto.client(self.daemon.socket)

    def test_concurrency(self):
        client = self.client
        self.assertNotIn("ReservedConcurrentExecutions",
                         client.get_function_concurrency(FunctionName="f"))
        client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
        self.assertEqual(client.get_function_concurrency(
            FunctionName=ARN + "f")["ReservedConcurrentExecutions"], 0)
        with self.assertRaises(client.exceptions.TooManyRequestsException) as caught:
            client.invoke(FunctionName="f", Payload=b'"x"')
        self.assertEqual(caught.exception.response["Reason"], RESERVED)
        self.assertEqual(caught.exception.response["retryAfterSeconds"], "1")
        client.delete_function_concurrency(FunctionName="f")
        self.assertNotIn("Concurrency", client.get_function(FunctionName="f"))
        account = client.get_account_settings()
        self.assertEqual(account["AccountLimit"]["ConcurrentExecutions"], 1000)
        self.assertEqual(account["AccountUsage"]["FunctionCount"], 1)
        self.assertGreater(account["AccountUsage"]["TotalCodeSize"], 0)

    def test_tags(self):
        client = self.client
        client.tag_resource(Resource=ARN + "f", Tags={"team": "blue", "a b": "ä"})
        self.assertEqual(client.list_tags(Resource=ARN + "f")["Tags"],
                         {"born": "here", "team": "blue", "a b": "ä"})
        client.untag_resource(Resource=ARN + "f", TagKeys=["born", "a b"])
        self.assertEqual(client.get_function(FunctionName="f")["Tags"], {"team": "blue"})

    def test_permissions(self):
        client = self.client
        said = client.add_permission(FunctionName="f", StatementId="s",
                                     Action="lambda:InvokeFunction",
                                     Principal="events.amazonaws.com",
                                     SourceArn="arn:aws:events:us-east-1:123456789012:rule/r")
        policy = client.get_policy(FunctionName="f")
        self.assertEqual(json.loads(policy["Policy"])["Statement"],
                         [json.loads(said["Statement"])])
        with self.assertRaises(client.exceptions.ResourceConflictException):
            client.add_permission(FunctionName="f", StatementId="s", Action="*", Principal="*")
        with self.assertRaises(client.exceptions.PreconditionFailedException):
            client.remove_permission(FunctionName="f", StatementId="s", RevisionId="x")
        client.remove_permission(FunctionName="f", StatementId="s",
                                 RevisionId=policy["RevisionId"])
        with self.assertRaises(client.exceptions.ResourceNotFoundException):
            client.get_policy(FunctionName="f")

    def test_recursion(self):
        client = self.client
        self.assertEqual(client.get_function_recursion_config(
            FunctionName="f")["RecursiveLoop"], "Terminate")
        client.put_function_recursion_config(FunctionName="f", RecursiveLoop="Allow")
        self.assertEqual(client.get_function_recursion_config(
            FunctionName="f")["RecursiveLoop"], "Allow")

    def test_provisioned_concurrency(self):
        client = self.client
        named = {"FunctionName": "f", "Qualifier": "1"}
        with self.assertRaises(
                client.exceptions.ProvisionedConcurrencyConfigNotFoundException):
            client.get_provisioned_concurrency_config(**named)
        client.put_provisioned_concurrency_config(ProvisionedConcurrentExecutions=1, **named)
        wait_for("it is ready", lambda: client.get_provisioned_concurrency_config(
            **named)["Status"] == "READY")
        listed = client.list_provisioned_concurrency_configs(FunctionName="f")
        self.assertEqual([one["FunctionArn"] for one in listed["ProvisionedConcurrencyConfigs"]],
                         [ARN + "f:1"])
        client.delete_provisioned_concurrency_config(**named)
        self.assertEqual(client.list_provisioned_concurrency_configs(
            FunctionName="f")["ProvisionedConcurrencyConfigs"], [])


class AccountTest(SettingTest):
    limits = "concurrency_max = 1"

    def test_over_the_accounts_number_a_caller_is_refused(self):
        self.deploy("f")
        self.deploy("g")
        self.assertEqual(self.limits_of_account()["ConcurrentExecutions"], 1)
        first = self.in_background("f", '"one"')
        self.release("two")
        self.refused(ACCOUNT, self.api.invoke, "g", '"two"')
        self.api.invoke("g", '"two"', kind="Event")
        wait_for("it waits", lambda: self.counted("Waiting") == 1)
        self.release("one")
        first()
        wait_for("it has run", lambda: self.counted("Total") == 2 and
                 self.counted("Running") == 0)
        self.assertEqual(self.api.invoke("g", '"two"').body, b'"two"')


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
