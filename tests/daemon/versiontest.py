"""Versions and aliases, of the whole daemon over its real socket.

    versiontest.py BUILD

Each test has a daemon of its own and real functions (functions.c) in real sandboxes.
"""

import base64
import hashlib
import http.client
import json
import os
import random
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness"), HERE]

import boto  # noqa: E402
from api import FUNCTIONS, UnixConnection, quote  # noqa: E402
from archive import zip_files  # noqa: E402
from boto import boto3  # noqa: E402
from case import ARN, DURABLE, FUNCTIONS as PROGRAM, Case  # noqa: E402
from daemontest import wait_for  # noqa: E402
from laws import check_history  # noqa: E402

ROLE = "arn:aws:iam::000000000000:role/test"
KILLS = 12


def make_zip(mark):
    return zip_files({"bootstrap": PROGRAM, f"mark-{mark}": PROGRAM})


def hash_of(archive):
    return base64.b64encode(hashlib.sha256(archive).digest()).decode()


def marked(mark):
    return {"Environment": {"Variables": {"MARK": mark}}}


class VersionTest(Case):
    # --- asking ----------------------------------------------------------------------

    def ask(self, method, path, body=None):
        answer = self.api.request(method, FUNCTIONS + path,
                                  None if body is None else json.dumps(body))
        return answer.json() if answer.body else {}

    def deploy(self, name, handler, mark="one", **more):
        """Its versions 1, 2, ... differ in their marks."""
        return self.api.create_function(name, make_zip("0"), handler, Publish=True,
                                        **marked(mark), **more)

    def publish(self, name, mark):
        self.ask("PUT", f"/{name}/configuration", marked(mark))
        return self.ask("POST", f"/{name}/versions", {})["Version"]

    def alias(self, name, alias, version, method="POST", **weights):
        body = {"FunctionVersion": version, "Name": alias}
        if weights:
            body["RoutingConfig"] = {"AdditionalVersionWeights": {
                key[1:]: value for key, value in weights.items()}}
        return self.ask(method, f"/{name}/aliases" + ("" if method == "POST" else f"/{alias}"),
                        body)

    def run_as(self, function, **more):
        answer = self.api.invoke(function, "null", **more)
        return answer.headers["x-amz-executed-version"], json.loads(answer.body)

    def expect(self, function, version, mark):
        executed, seen = self.run_as(function)
        self.assertEqual((executed, seen["version"], seen["mark"]), (version, version, mark))
        return seen["arn"]

    def versions(self, name):
        return [one["Version"] for one in self.ask("GET", f"/{name}/versions")["Versions"]]

    # --- invokes ---------------------------------------------------------------------

    def test_an_invoke_runs_what_its_qualifier_says(self):
        self.assertEqual(self.deploy("f", "version")["Version"], "1")
        self.assertEqual(self.publish("f", "two"), "2")
        self.ask("PUT", "/f/configuration", marked("three"))
        self.alias("f", "live", "1")
        self.alias("f", "next", "$LATEST")
        for _ in range(2):
            self.assertEqual(self.expect("f", "$LATEST", "three"), ARN + "f")
            self.assertEqual(self.expect("f:$LATEST", "$LATEST", "three"), ARN + "f:$LATEST")
            self.assertEqual(self.expect("f:1", "1", "one"), ARN + "f:1")
            self.assertEqual(self.expect(ARN + "f:2", "2", "two"), ARN + "f:2")
            self.assertEqual(self.expect("f:live", "1", "one"), ARN + "f:live")
            self.expect("123456789012:function:f:next", "$LATEST", "three")
            self.kill_and_restart()
        self.alias("f", "live", "2", method="PUT")
        self.expect("f:live", "2", "two")
        self.refused(404, "ResourceNotFoundException", "Function not found: " + ARN + "f:3",
                     self.run_as, "f:3")
        self.refused(404, "ResourceNotFoundException", ARN + "f:dead", self.run_as, "f:dead")
        for elsewhere in (ARN.replace("us-east-1", "eu-west-1"), ARN.replace("1234", "4321")):
            self.refused(404, "ResourceNotFoundException", "Function not found", self.run_as,
                         elsewhere + "f:1")
        self.refused(400, "InvalidParameterValueException", "name", self.run_as, "f:1:2")
        self.refused(400, "InvalidParameterValueException", "derived qualifier", self.api.request,
                     "POST", f"{FUNCTIONS}/{quote('f:1')}/invocations?Qualifier=2")

    def test_the_log_says_the_version(self):
        self.deploy("f", "version")
        self.run_as("f:1")
        self.run_as("f")
        lines = self.api.request("GET", "/pawl/v1/logs/f").body.decode()
        self.assertRegex(lines, r"START RequestId: [0-9a-f-]+ Version: 1\b")
        self.assertRegex(lines, r"START RequestId: [0-9a-f-]+ Version: \$LATEST")

    def test_dry_runs_and_events_say_the_version(self):
        self.deploy("f", "version")
        self.alias("f", "live", "1")
        answer = self.api.invoke("f:live", "null", kind="DryRun")
        self.assertEqual((answer.status, answer.headers["x-amz-executed-version"]), (204, "1"))
        answer = self.api.invoke("f:live", "null", kind="Event")
        self.assertEqual((answer.status, answer.headers["x-amz-executed-version"]), (202, "1"))
        wait_for("the event", lambda: "Version: 1" in self.api.request(
            "GET", "/pawl/v1/logs/f").body.decode())

    # --- executions ------------------------------------------------------------------

    def start(self, function, name=None):
        answer = self.api.invoke(function, "null", kind="Event", name=name)
        return answer.headers["x-amz-durable-execution-arn"]

    def answer_call(self, arn):
        def asked():
            return next((event["CallbackStartedDetails"]["CallbackId"]
                         for event in self.api.history(arn)
                         if event["EventType"] == "CallbackStarted"), None)
        self.api.callback(wait_for("a callback", asked), "succeed", '"go on"')

    def result(self, arn):
        def closed():
            execution = self.api.get_execution(arn)
            return execution if execution["Status"] != "RUNNING" else None
        execution = wait_for("the end", closed)
        self.assertEqual(execution["Status"], "SUCCEEDED")
        check_history(self.api.history(arn), "SUCCEEDED")
        return json.loads(execution["Result"])

    def test_an_execution_stays_on_its_version(self):
        self.deploy("f", "later-version", **DURABLE)
        self.alias("f", "live", "1")
        self.refused(400, "InvalidParameterValueException", "unqualified", self.start, "f")
        arn = self.start("f:live", name="order")
        self.assertTrue(arn.startswith(ARN + "f:1/durable-execution/order/"), arn)
        self.assertEqual(self.publish("f", "two"), "2")
        self.alias("f", "live", "2", method="PUT")
        other = self.start("f:live")
        self.assertTrue(other.startswith(ARN + "f:2/durable-execution/"), other)
        self.ask("DELETE", "/f?Qualifier=1")
        self.refused(404, "ResourceNotFoundException", "f:1", self.start, "f:1")
        self.kill_and_restart()
        self.assertEqual(self.start("f:live", name="order"), arn)  # whatever it says now
        execution = self.api.get_execution(arn)
        self.assertEqual((execution["Version"], execution["FunctionArn"]), ("1", ARN + "f:1"))
        for each, version, mark in ((arn, "1", "one"), (other, "2", "two")):
            self.answer_call(each)
            seen = self.result(each)
            self.assertEqual((seen["version"], seen["mark"]), (version, mark))

    def test_executions_are_listed_by_version(self):
        self.deploy("f", "later-version", **DURABLE)
        self.publish("f", "two")
        self.alias("f", "live", "1", _2=0.5)
        arns = [self.start(f"f:{version}") for version in ("$LATEST", "1", "2")]

        def listed(query):
            return [one["DurableExecutionArn"] for one in self.api.request(
                "GET", f"/2025-12-01/functions/f/durable-executions{query}").json()[
                    "DurableExecutions"]]
        self.assertEqual(listed(""), arns[:1])
        self.assertEqual(listed("?Qualifier=%24LATEST"), arns[:1])
        self.assertEqual(listed("?Qualifier=1"), arns[1:2])
        self.assertEqual(set(listed("?Qualifier=live")), set(arns[1:]))

    def test_an_attached_caller_is_told_the_versions_of_the_execution(self):
        self.deploy("f", "version", **DURABLE)
        self.alias("f", "live", "1")
        first = self.run_as("f:live", name="order")
        self.assertEqual(first[0], "1")
        self.publish("f", "two")
        self.alias("f", "live", "2", method="PUT")
        self.assertEqual(self.run_as("f:live", name="order"), first)
        self.kill_and_restart()
        self.assertEqual(self.run_as("f:live", name="order"), first)

    def test_chained_invokes_choose_a_version(self):
        self.deploy("plain", "version")
        self.deploy("durable", "version", **DURABLE)
        self.publish("plain", "two")
        for name in ("plain", "durable"):
            self.alias(name, "live", "1")
        self.deploy("caller", "others-version", **DURABLE)
        for target, version in (("plain:live", "1"), ("plain:2", "2"), ("plain", "$LATEST"),
                                ("durable:live", "1"), (ARN + "durable:1", "1")):
            answer = self.api.invoke("caller:1", json.dumps(target))
            self.assertEqual(json.loads(answer.body)["version"], version, target)
            arn = answer.headers["x-amz-durable-execution-arn"]
            started = next(event["ChainedInvokeStartedDetails"] for event in self.api.history(arn)
                           if event["EventType"] == "ChainedInvokeStarted")
            self.assertEqual(started["FunctionName"], target)
            self.assertEqual(started["ExecutedVersion"], version)
            self.assertIn(f":{version}/durable-execution/", started["DurableExecutionArn"])
        for target in ("plain:9", "plain:dead", "nobody:1", "durable"):
            answer = self.api.invoke("caller:1", json.dumps(target))
            self.assertEqual(answer.headers["x-amz-function-error"], "Unhandled", target)
            history = self.api.history(answer.headers["x-amz-durable-execution-arn"])
            started = next(event["ChainedInvokeStartedDetails"] for event in history
                           if event["EventType"] == "ChainedInvokeStarted")
            self.assertNotIn("ExecutedVersion", started)

    def test_a_chained_invoke_runs_the_version_that_it_recorded(self):
        self.deploy("plain", "version")
        self.publish("plain", "two")
        self.alias("plain", "live", "1", _2=0.5)
        self.deploy("caller", "others-version", **DURABLE)
        seen = set()
        for _ in range(24):
            answer = self.api.invoke("caller:1", '"plain:live"')
            history = self.api.history(answer.headers["x-amz-durable-execution-arn"])
            started = next(event["ChainedInvokeStartedDetails"] for event in history
                           if event["EventType"] == "ChainedInvokeStarted")
            self.assertEqual(json.loads(answer.body)["version"], started["ExecutedVersion"])
            seen.add(started["ExecutedVersion"])
        self.assertEqual(seen, {"1", "2"})  # one of 2^23 fails

    # --- weights ---------------------------------------------------------------------

    def test_weights_share_the_invokes_out(self):
        self.deploy("f", "version")
        self.publish("f", "two")
        self.alias("f", "live", "1", _2=0.5)
        seen = {self.run_as("f:live")[0] for _ in range(64)}  # one of 2^63 fails
        self.assertEqual(seen, {"1", "2"})
        self.alias("f", "live", "1", method="PUT", _2=1)
        self.assertEqual({self.run_as("f:live")[0] for _ in range(16)}, {"2"})
        self.alias("f", "live", "1", method="PUT", _2=0)
        self.assertEqual({self.run_as("f:live")[0] for _ in range(16)}, {"1"})

    def test_a_name_attaches_whatever_the_weights_say(self):
        self.deploy("f", "version", **DURABLE)
        self.publish("f", "two")
        self.alias("f", "live", "1", _2=0.5)
        for name in ("a", "b", "c", "d"):
            first = self.run_as("f:live", name=name)
            self.assertEqual([self.run_as("f:live", name=name) for _ in range(8)], [first] * 8)

    # --- what stays ------------------------------------------------------------------

    def test_a_restart_keeps_versions_and_aliases(self):
        self.deploy("f", "version")
        self.publish("f", "two")
        self.publish("f", "three")
        self.ask("DELETE", "/f?Qualifier=2")
        self.ask("DELETE", "/f?Qualifier=3")
        alias = self.alias("f", "live", "1")
        before = self.ask("GET", "/f/versions")
        self.kill_and_restart()
        self.assertEqual(self.ask("GET", "/f/versions"), before)
        self.assertEqual(self.versions("f"), ["$LATEST", "1"])
        self.assertEqual(self.ask("GET", "/f/aliases/live"), alias)
        self.assertEqual(self.publish("f", "four"), "4")  # no number twice
        self.refused(409, "ResourceConflictException", "[live]", self.ask, "DELETE",
                     "/f?Qualifier=1")
        self.ask("DELETE", "/f/aliases/live")
        self.ask("DELETE", "/f?Qualifier=1")
        self.kill_and_restart()
        self.assertEqual(self.versions("f"), ["$LATEST", "4"])

    def test_the_sweep_leaves_versions_and_their_code(self):
        self.deploy("f", "version")
        for mark in ("a", "b", "c"):
            self.ask("PUT", "/f/code", {"ZipFile": base64.b64encode(make_zip(mark)).decode()})
        self.kill_and_restart()  # it sweeps a second later

        def swept():
            with open(self.daemon.log, encoding="utf-8") as file:
                return "old revisions of functions were removed" in file.read()
        wait_for("a sweep", swept)
        self.expect("f:1", "1", "one")
        self.expect("f", "$LATEST", "one")
        self.assertEqual(self.ask("GET", "/f?Qualifier=1")["Configuration"]["CodeSha256"],
                         hash_of(make_zip("0")))

    def test_a_deleted_function_takes_all_with_it(self):
        self.deploy("f", "version")
        self.alias("f", "live", "1")
        self.ask("DELETE", "/f")
        for qualifier in ("", ":1", ":live", ":$LATEST"):
            self.refused(404, "ResourceNotFoundException", "Function not found", self.run_as,
                         "f" + qualifier)
        self.deploy("f", "version", mark="again")
        self.refused(404, "ResourceNotFoundException", "Cannot find alias", self.ask, "GET",
                     "/f/aliases/live")
        self.expect("f:1", "1", "again")

    def test_a_name_is_free_while_executions_go_on(self):
        self.deploy("f", "later-version", **DURABLE)
        arn = self.start("f:1")
        wait_for("its pause", lambda: any(event["EventType"] == "InvocationCompleted"
                                          for event in self.api.history(arn)))
        self.ask("DELETE", "/f")
        self.deploy("f", "version", mark="again")
        self.kill_and_restart()
        self.expect("f:1", "1", "again")
        self.answer_call(arn)
        self.assertEqual(self.result(arn)["mark"], "one")

    # --- crashes ---------------------------------------------------------------------

    def send_and_kill(self, path, body, delay_s):
        connection = UnixConnection(self.daemon.socket, 60)
        try:
            connection.request("PUT", FUNCTIONS + path, json.dumps(body))
            time.sleep(delay_s)  # anywhere between here and the answer
        except (OSError, http.client.HTTPException):
            pass
        self.kill_and_restart()
        connection.close()

    def test_kill_9_leaves_all_of_a_publication_or_nothing(self):
        seed = random.randrange(1 << 30)
        print(f"seed {seed}", file=sys.stderr)
        chance = random.Random(seed)
        self.deploy("f", "version")
        code, number = hash_of(make_zip("0")), 1
        for kill in range(KILLS):
            archive = make_zip(f"kill-{kill}")
            body = {"ZipFile": base64.b64encode(archive).decode(), "Publish": True}
            self.send_and_kill("/f/code", body, chance.random() * 0.03)
            numbers = self.versions("f")
            if self.ask("GET", "/f")["Configuration"]["CodeSha256"] != code:
                code, number = hash_of(archive), number + 1
            self.assertEqual(numbers, ["$LATEST"] + [str(n + 1) for n in range(number)])
            for qualifier in ("$LATEST", str(number)):
                shown = self.ask("GET", f"/f/configuration?Qualifier={quote(qualifier)}")
                self.assertEqual(shown["CodeSha256"], code)
        self.expect(f"f:{number}", str(number), "one")

    # --- AWS's own client ------------------------------------------------------------

    @unittest.skipIf(boto3 is None, "boto3 cannot be imported")
    def test_awss_own_client_works_with_versions_and_aliases(self):
        client = boto.client(self.daemon.socket)
        made = client.create_function(
            FunctionName="f", Role=ROLE, Runtime="provided.al2023", Handler="version",
            Code={"ZipFile": make_zip("0")}, Publish=True, Timeout=60)
        self.assertEqual(made["Version"], "1")
        for waiter, more in (("function_exists", {}), ("function_active_v2", {}),
                             ("function_updated_v2", {}), ("function_active", {}),
                             ("function_updated", {}),
                             ("published_version_active", {"Qualifier": "1"})):
            client.get_waiter(waiter).wait(FunctionName="f", **more)
        archive = make_zip("1")
        dry = client.update_function_code(FunctionName="f", ZipFile=archive, DryRun=True)
        self.assertEqual((dry["CodeSha256"], dry["Version"]), (hash_of(archive), "$LATEST"))
        self.assertEqual(client.get_function(FunctionName="f")["Configuration"]["CodeSha256"],
                         made["CodeSha256"])
        with self.assertRaises(client.exceptions.PreconditionFailedException):
            client.update_function_code(FunctionName="f", ZipFile=archive, RevisionId="x")
        latest = client.get_function_configuration(FunctionName="f")["RevisionId"]
        updated = client.update_function_code(FunctionName="f", ZipFile=archive, Publish=True,
                                              RevisionId=latest, Architectures=["x86_64"])
        self.assertEqual((updated["Version"], updated["FunctionArn"]), ("2", ARN + "f:2"))
        again = client.publish_version(FunctionName="f", CodeSha256=hash_of(archive))
        self.assertEqual(again["Version"], "2")
        with self.assertRaises(client.exceptions.InvalidParameterValueException):
            client.publish_version(FunctionName="f", CodeSha256="x")
        pages = client.get_paginator("list_versions_by_function").paginate(
            FunctionName="f", PaginationConfig={"PageSize": 1})
        self.assertEqual([one["Version"] for page in pages for one in page["Versions"]],
                         ["$LATEST", "1", "2"])
        pages = client.get_paginator("list_functions").paginate(FunctionVersion="ALL")
        self.assertEqual([one["FunctionArn"] for page in pages for one in page["Functions"]],
                         [ARN + "f:$LATEST", ARN + "f:1", ARN + "f:2"])
        self.check_aliases_of_awss_own_client(client)

    def check_aliases_of_awss_own_client(self, client):
        made = client.create_alias(FunctionName="f", Name="live", FunctionVersion="1",
                                   RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}})
        self.assertEqual(made["AliasArn"], ARN + "f:live")
        self.assertEqual(made["RoutingConfig"], {"AdditionalVersionWeights": {"2": 0.1}})
        with self.assertRaises(client.exceptions.ResourceConflictException):
            client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
        with self.assertRaises(client.exceptions.PreconditionFailedException):
            client.update_alias(FunctionName="f", Name="live", RevisionId="x")
        moved = client.update_alias(FunctionName="f", Name="live", FunctionVersion="2",
                                    RoutingConfig={}, RevisionId=made["RevisionId"])
        self.assertNotIn("RoutingConfig", moved)
        self.assertEqual(client.invoke(FunctionName="f", Qualifier="live")["ExecutedVersion"], "2")
        with self.assertRaises(client.exceptions.ResourceConflictException):
            client.delete_function(FunctionName="f", Qualifier="2")
        pages = client.get_paginator("list_aliases").paginate(FunctionName="f",
                                                              FunctionVersion="2")
        self.assertEqual([one["Name"] for page in pages for one in page["Aliases"]], ["live"])
        client.delete_alias(FunctionName="f", Name="live")
        with self.assertRaises(client.exceptions.ResourceNotFoundException):
            client.get_alias(FunctionName="f", Name="live")
        client.delete_function(FunctionName="f", Qualifier="2")
        client.delete_function(FunctionName="f")


if __name__ == "__main__":
    unittest.main(verbosity=2)
