"""Asynchronous invokes: what becomes of them, and who is told.

    eventtest.py BUILD

Each test has a daemon of its own and real functions (functions.c) in real sandboxes. The
ledger of who was told what is the list of a durable function's executions.
"""

import json
import os
import random
import re
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness"), HERE]

from daemontest import wait_for  # noqa: E402
from case import ARN, Case, DURABLE, UUID  # noqa: E402

CONFIG = "/2019-09-25/functions/{}/event-invoke-config"
EVENTS = 40


class EventTest(Case):
    def configure(self, function, on_success=None, on_failure=None, **more):
        destinations = {}
        if on_success:
            destinations["OnSuccess"] = {"Destination": ARN + on_success}
        if on_failure:
            destinations["OnFailure"] = {"Destination": ARN + on_failure}
        return self.api.request("PUT", CONFIG.format(function), json.dumps(
            dict(more, DestinationConfig=destinations))).json()

    def send(self, function, payload, **more):
        answer = self.api.invoke(function, json.dumps(payload), kind="Event", **more)
        self.assertEqual(answer.status, 202)
        return answer.headers["x-amzn-requestid"]

    def told(self, ledger):
        """What the durable function `ledger` was told, by what the event was sent with."""
        records = []
        for one in self.executions(ledger):
            execution = self.api.get_execution(one["DurableExecutionArn"])
            records.append(json.loads(execution["InputPayload"]))
        return records

    def until_told(self, ledger, count=1):
        wait_for(f"{count} records", lambda: len(self.executions(ledger)) >= count)
        return self.told(ledger)

    def ended(self):
        return self.api.request("GET", "/pawl/v1/status").json()["Executions"]["Hot"] == 0

    # --- what is told -------------------------------------------------------------------

    def test_a_success_is_told(self):
        self.deploy("keeps")
        self.deploy("ledger", "keeps", **DURABLE)
        self.configure("keeps", on_success="ledger:$LATEST", on_failure="ledger:$LATEST")
        request_id = self.send("keeps", {"order": 7})
        record, = self.until_told("ledger")
        self.assertRegex(record.pop("timestamp"), r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual(record, {
            "version": "1.0",
            "requestContext": {"requestId": request_id, "functionArn": ARN + "keeps:$LATEST",
                               "condition": "Success", "approximateInvokeCount": 1},
            "requestPayload": {"order": 7},
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
            "responsePayload": {"order": 7}})
        wait_for("the end", self.ended)
        listed = self.api.request("GET", "/pawl/v1/executions?Kind=event").json()
        self.assertEqual(listed["Executions"], [])  # told, and so forgotten

    def test_a_failure_is_told_with_its_error(self):
        self.deploy("fails")
        self.deploy("ledger", "keeps", **DURABLE)
        self.configure("fails", on_failure="ledger:$LATEST", MaximumRetryAttempts=0)
        self.send("fails", [1])
        record, = self.until_told("ledger")
        self.assertEqual(record["requestContext"]["condition"], "RetriesExhausted")
        self.assertEqual(record["requestContext"]["approximateInvokeCount"], 1)
        self.assertEqual(record["requestPayload"], [1])
        self.assertEqual(record["responseContext"], {
            "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"})
        self.assertEqual(record["responsePayload"],
                         {"errorType": "Broken", "errorMessage": "it never works"})

    def test_what_is_no_json_is_told_as_a_text(self):
        self.deploy("mumbles")
        self.deploy("ledger", "keeps", **DURABLE)
        self.configure("mumbles", on_success="ledger:$LATEST")
        self.api.invoke("mumbles", "", kind="Event")
        record, = self.until_told("ledger")
        self.assertEqual((record["requestPayload"], record["responsePayload"]),
                         (None, 'not "JSON"'))

    def test_a_response_that_is_too_large_is_left_out(self):
        self.deploy("fills")
        self.deploy("ledger", "keeps", **DURABLE)
        self.configure("fills", on_success="ledger:$LATEST")
        self.send("fills", 6291400)
        record, = self.until_told("ledger")
        self.assertEqual((record["requestPayload"], record["responsePayload"]), (6291400, None))

    def test_an_ordinary_function_is_told_too(self):
        self.deploy("keeps")
        self.deploy("second", "keeps")
        self.deploy("ledger", "keeps", **DURABLE)
        self.configure("keeps", on_success="second")
        self.configure("second", on_success="ledger:$LATEST")
        self.send("keeps", "x")
        record, = self.until_told("ledger")
        self.assertEqual(record["requestPayload"]["requestPayload"], "x")
        wait_for("the end", self.ended)
        self.assertEqual(len(self.executions("ledger")), 1)

    def test_a_durable_function_tells_its_end(self):
        self.deploy("waits", **DURABLE)
        self.deploy("ledger", "keeps", **DURABLE)
        self.configure("waits", on_success="ledger:$LATEST")
        self.send("waits:$LATEST", "x")
        record, = self.until_told("ledger")
        self.assertEqual((record["requestContext"]["condition"], record["responsePayload"]),
                         ("Success", "x"))
        self.api.invoke("waits:$LATEST", '"y"')  # synchronous: its caller is told
        wait_for("the end", self.ended)
        self.assertEqual(len(self.executions("ledger")), 1)

    def test_a_destination_that_is_gone_holds_up_nothing(self):
        self.deploy("keeps")
        self.deploy("gone", "keeps")
        self.configure("keeps", on_success="gone")
        self.api.request("DELETE", "/2015-03-31/functions/gone")
        self.send("keeps", "x")
        wait_for("the end", self.ended)
        self.kill_and_restart()
        wait_for("the end", self.ended)
        with open(self.daemon.log, encoding="utf-8") as file:
            self.assertRegex(file.read(), rf"{UUID} of {re.escape(ARN)}keeps:\$LATEST: its "
                             rf"destination {re.escape(ARN)}gone was not told of its end: there "
                             "is no such function")

    def test_events_of_a_shut_function_go_to_the_failure_destination(self):
        self.deploy("keeps")
        self.deploy("ledger", "keeps", **DURABLE)
        self.configure("keeps", on_failure="ledger:$LATEST")
        if self.shut("keeps") != 200:
            self.skipTest("PutFunctionConcurrency is not offered")
        self.send("keeps", "x")
        record, = self.until_told("ledger")
        self.assertEqual(record["requestContext"]["condition"], "RetriesExhausted")
        self.assertEqual(record["responsePayload"]["errorType"],
                         "ReservedFunctionConcurrentInvocationLimitExceeded")

    def shut(self, function):
        try:
            return self.api.request("PUT", f"/2017-10-31/functions/{function}/concurrency",
                                    '{"ReservedConcurrentExecutions":0}').status
        except Exception as error:  # noqa: BLE001
            return getattr(error, "status", 0)

    # --- settings -----------------------------------------------------------------------

    def test_settings_survive_kill_9(self):
        self.deploy("keeps")
        self.deploy("ledger", "keeps", **DURABLE)
        before = self.configure("keeps", on_success="ledger:$LATEST", MaximumRetryAttempts=1,
                                MaximumEventAgeInSeconds=60)
        self.assertLess(abs(before["LastModified"] - time.time()), 60)
        self.kill_and_restart()
        self.assertEqual(self.api.request("GET", CONFIG.format("keeps")).json(), before)
        self.assertEqual(self.api.request("GET", CONFIG.format("keeps") + "/list").json(),
                         {"FunctionEventInvokeConfigs": [before]})
        self.api.request("DELETE", CONFIG.format("keeps"))
        self.send("keeps", "x")
        wait_for("the end", self.ended)
        self.assertEqual(self.executions("ledger"), [])

    def test_an_event_that_is_too_old_to_be_tried_again_fails(self):
        self.deploy("fails")
        self.deploy("ledger", "keeps", **DURABLE)
        self.configure("fails", on_failure="ledger:$LATEST", MaximumEventAgeInSeconds=60)
        self.api.invoke("fails", '"warm"')
        self.send("fails", "x")  # the first retry would be 60 s after its end
        record, = self.until_told("ledger")
        self.assertEqual(record["requestContext"]["condition"], "EventAgeExceeded")
        self.assertEqual(record["responsePayload"]["errorType"], "Broken")

    def test_each_qualifier_has_settings_of_its_own(self):
        self.deploy("keeps")
        self.deploy("ledger", "keeps", **DURABLE)
        self.api.request("POST", "/2015-03-31/functions/keeps/versions", "{}")
        self.api.request("POST", "/2015-03-31/functions/keeps/aliases",
                         '{"Name":"live","FunctionVersion":"1"}')
        self.api.request("PUT", CONFIG.format("keeps") + "?Qualifier=live", json.dumps(
            {"DestinationConfig": {"OnSuccess": {"Destination": ARN + "ledger:$LATEST"}}}))
        for name, payload in (("keeps", 1), ("keeps:1", 2), ("keeps:live", 3)):
            self.send(name, payload)
        record, = self.until_told("ledger")
        wait_for("the end", self.ended)
        self.assertEqual(len(self.executions("ledger")), 1)
        self.assertEqual((record["requestPayload"], record["requestContext"]["functionArn"],
                          record["responseContext"]["executedVersion"]),
                         (3, ARN + "keeps:1", "1"))

    # --- crashes --------------------------------------------------------------------------

    def test_each_end_is_told_once_whenever_the_daemon_dies(self):
        """Acknowledged events against the ledger, with kill -9 between any two steps."""
        self.deploy("keeps")
        self.deploy("fails")
        self.deploy("ledger", "keeps", **DURABLE)
        self.configure("keeps", on_success="ledger:$LATEST")
        self.configure("fails", on_failure="ledger:$LATEST", MaximumRetryAttempts=0)
        seed = int(os.environ.get("PAWL_SEED", "1"))
        print(f"PAWL_SEED={seed}", file=sys.stderr)
        chance = random.Random(seed)
        sent = []
        for number in range(EVENTS):
            function = chance.choice(("keeps", "fails"))
            self.send(function, number, invocation_id=f"event-{number}")
            sent.append(number)
            if chance.random() < 0.4:
                time.sleep(chance.random() * 0.15)  # where it dies is chance
                self.kill_and_restart()
        wait_for("all of them", lambda: len(self.executions("ledger")) >= len(sent))
        wait_for("the end", self.ended)
        self.kill_and_restart()
        wait_for("the end", self.ended)
        self.assertEqual(sorted(one["requestPayload"] for one in self.told("ledger")), sent)
        self.daemon.end()
        done = subprocess.run([self.daemon.program, "verify", "--data", self.daemon.data],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def crash_points(self):
        done = subprocess.run([self.daemon.program, "serve", "--list-crash-points"],
                              capture_output=True, text=True, timeout=60, check=False)
        return done.stdout.split() if done.returncode == 0 else []

    def test_each_end_is_told_once_from_every_crash_point(self):
        """In a build with -Dcrash_points=true."""
        points = [point for point in ("child_start", "before_append", "before_actions",
                                      "before_answer", "after_answer", "parent_told")
                  if point in self.crash_points()]
        if not points:
            self.skipTest("the build has no crash points")
        self.deploy("keeps")
        self.deploy("ledger", "keeps", **DURABLE)
        self.configure("keeps", on_success="ledger:$LATEST")
        sent = []
        for point in points:
            for passage in range(1, 9):
                self.daemon.end()
                self.daemon.start({"PAWL_CRASH_POINT": f"{point}:{passage}"})
                if self.daemon.wait_ready():
                    sent += self.try_to_send(len(sent))
                wait_for("its end, or the event's", lambda: not self.daemon.is_alive()
                         or self.is_at_rest(len(sent)))
                self.kill_and_restart()
                wait_for("the record", lambda: len(self.executions("ledger")) >= len(sent))
        wait_for("the end", self.ended)
        told = sorted(one["requestPayload"] for one in self.told("ledger"))
        self.assertEqual(sorted(set(told)), told)
        self.assertLessEqual(set(sent), set(told))

    def try_to_send(self, number):
        from api import Api
        import http.client
        self.api = Api(self.daemon.socket)
        try:
            self.send("keeps", f"{number}", invocation_id=f"event-{number}")
        except (OSError, http.client.HTTPException):
            return []  # not acknowledged: it may have been taken in
        return [f"{number}"]

    def is_at_rest(self, count):
        import http.client
        try:
            return len(self.executions("ledger")) >= count and self.ended()
        except (OSError, http.client.HTTPException):
            return False


if __name__ == "__main__":
    unittest.main(verbosity=2)
