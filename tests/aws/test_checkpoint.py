"""Checkpoints and the state of an execution: what a durable SDK says for its function."""

import json
import os

from archive import zip_files
from case import DURABLE, Case, wait_for

HOLDING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "holding_bootstrap.py")
STALE = "Invalid Checkpoint Token"


class Checkpoints(Case):
    def begin(self, name, payload=None):
        """(ARN, the event that its function was given) of an execution that runs."""
        archive = zip_files({"bootstrap": HOLDING})
        self.client.create_function(**self.settings(name, DurableConfig=DURABLE,
                                                    Code={"ZipFile": archive}))
        arn = self.start(name + ":$LATEST", payload)
        return arn, wait_for("the event", lambda: self.given(name))

    def given(self, name):
        for line in self.logs(name).splitlines():
            message = json.loads(line).get("message", "") if line.startswith("{") else ""
            if message.startswith("GIVEN "):
                return json.loads(message[len("GIVEN "):])
        return None

    def checkpoint(self, arn, token, *updates, **more):
        answer = self.client.checkpoint_durable_execution(
            DurableExecutionArn=arn, CheckpointToken=token, Updates=list(updates), **more)
        return answer["CheckpointToken"], {one["Id"]: one for one in answer[
            "NewExecutionState"].get("Operations", ())}

    def state(self, arn, token, **more):
        return self.client.get_durable_execution_state(DurableExecutionArn=arn,
                                                       CheckpointToken=token, **more)

    def stale(self, call, **arguments):
        error = self.refused("InvalidParameterValueException", call, **arguments)
        self.assertTrue(error["Error"]["Message"].startswith(STALE), error)

    def test_the_event_is_what_an_sdk_wants(self):
        arn, event = self.begin("event", {"a": 1})
        self.assertEqual(event["DurableExecutionArn"], arn)
        first = event["InitialExecutionState"]["Operations"][0]
        self.assertEqual((first["Type"], first["Status"]), ("EXECUTION", "STARTED"))
        self.assertEqual(json.loads(first["ExecutionDetails"]["InputPayload"]), {"a": 1})
        self.assertIsInstance(first["StartTimestamp"], int)  # milliseconds, here alone
        self.assertGreater(first["StartTimestamp"], 10 ** 12)
        self.client.stop_durable_execution(DurableExecutionArn=arn)

    def test_operations_go_through_their_lives(self):
        arn, event = self.begin("lives")
        token = event["CheckpointToken"]
        token, seen = self.checkpoint(arn, token, {
            "Id": "c", "Type": "CONTEXT", "Action": "START", "Name": "child",
            "SubType": "RunInChildContext"})
        self.assertEqual((seen["c"]["Status"], seen["c"]["Name"]), ("STARTED", "child"))
        token, seen = self.checkpoint(
            arn, token,
            {"Id": "s", "Type": "STEP", "Action": "START", "ParentId": "c", "Name": "charge"},
            {"Id": "w", "Type": "WAIT", "Action": "START", "WaitOptions": {"WaitSeconds": 1}},
            {"Id": "b", "Type": "CALLBACK", "Action": "START",
             "CallbackOptions": {"TimeoutSeconds": 60, "HeartbeatTimeoutSeconds": 30}})
        self.assertEqual(seen["s"]["ParentId"], "c")
        self.assertTrue(seen["w"]["WaitDetails"]["ScheduledEndTimestamp"])
        callback_id = seen["b"]["CallbackDetails"]["CallbackId"]
        token, seen = self.checkpoint(
            arn, token,
            {"Id": "s", "Type": "STEP", "Action": "RETRY", "Error": {"ErrorType": "Busy"},
             "StepOptions": {"NextAttemptDelaySeconds": 1}})
        self.assertEqual((seen["s"]["Status"], seen["s"]["StepDetails"]["Attempt"]),
                         ("PENDING", 1))
        self.client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b'"y"')
        ended = {}
        def poll():
            nonlocal token
            token, changed = self.checkpoint(arn, token)
            ended.update({key: one["Status"] for key, one in changed.items()})
            return ended.get("w") == "SUCCEEDED" and ended.get("s") == "READY"
        wait_for("the timers", poll)
        self.assertEqual(ended, {"w": "SUCCEEDED", "s": "READY", "b": "SUCCEEDED"})
        token, seen = self.checkpoint(
            arn, token, {"Id": "s", "Type": "STEP", "Action": "START"},
            {"Id": "s", "Type": "STEP", "Action": "SUCCEED", "Payload": '"paid"'})
        self.assertEqual((seen["s"]["Status"], seen["s"]["StepDetails"]["Result"]),
                         ("SUCCEEDED", '"paid"'))
        page = self.state(arn, token)
        self.assertEqual([one["Id"] for one in page["Operations"]][1:], ["c", "s", "w", "b"])
        self.client.stop_durable_execution(DurableExecutionArn=arn)
        kinds = [one["EventType"] for one in self.history(arn)]
        self.assertEqual(kinds, [
            "ExecutionStarted", "ContextStarted", "StepStarted", "WaitStarted", "CallbackStarted",
            "StepFailed", *sorted(kinds[6:8]), "StepStarted", "StepSucceeded",
            "ExecutionStopped"])
        self.stale(self.client.checkpoint_durable_execution, DurableExecutionArn=arn,
                   CheckpointToken=token)

    def test_a_token_is_good_once(self):
        arn, event = self.begin("once")
        first = event["CheckpointToken"]
        step = {"Id": "1", "Type": "STEP", "Action": "START"}
        second, seen = self.checkpoint(arn, first, step, ClientToken="same")
        again, repeated = self.checkpoint(arn, first, step, ClientToken="same")
        self.assertEqual((again, repeated), (second, seen))
        third, _ = self.checkpoint(arn, second)
        for token in (first, "Zm9v"):
            self.stale(self.client.checkpoint_durable_execution, DurableExecutionArn=arn,
                       CheckpointToken=token)
            self.stale(self.client.get_durable_execution_state, DurableExecutionArn=arn,
                       CheckpointToken=token)
        self.checkpoint(arn, third)
        self.client.stop_durable_execution(DurableExecutionArn=arn)

    def test_a_state_comes_in_pages(self):
        arn, event = self.begin("paged")
        token, _ = self.checkpoint(arn, event["CheckpointToken"], *[
            {"Id": str(number), "Type": "STEP", "Action": "SUCCEED", "Payload": str(number)}
            for number in range(25)])
        whole = self.state(arn, token)["Operations"]
        self.assertEqual(len(whole), 26)
        pages = self.client.get_paginator("get_durable_execution_state").paginate(
            DurableExecutionArn=arn, CheckpointToken=token, PaginationConfig={"PageSize": 7})
        self.assertEqual([one for page in pages for one in page["Operations"]], whole)
        self.client.stop_durable_execution(DurableExecutionArn=arn)

    def test_what_cannot_be_is_refused_and_changes_nothing(self):
        arn, event = self.begin("rules")
        token = event["CheckpointToken"]
        step = {"Id": "1", "Type": "STEP", "Action": "START"}
        for words, updates in (
                ("Invalid action for the given operation type.",
                 [{"Id": "1", "Type": "WAIT", "Action": "RETRY"}]),
                ("Invalid parent operation id.", [dict(step, ParentId="nobody")]),
                ("Cannot checkpoint multiple operations with the same ID.", [step, step]),
                ("Cannot provide an Error for SUCCEED action.",
                 [dict(step, Action="SUCCEED", Error={"ErrorType": "x"})]),
                ("Cannot provide a Payload for FAIL action.",
                 [dict(step, Action="FAIL", Payload="x")]),
                ("Invalid StepOptions for the given action.", [dict(step, Action="RETRY")]),
                ("EXECUTION checkpoint must be the last update.",
                 [{"Id": "e", "Type": "EXECUTION", "Action": "SUCCEED"}, step]),
                ("Cannot cancel a WAIT that does not exist or has already completed.",
                 [{"Id": "1", "Type": "WAIT", "Action": "CANCEL"}])):
            with self.subTest(words=words):
                error = self.refused("InvalidParameterValueException",
                                     self.client.checkpoint_durable_execution,
                                     DurableExecutionArn=arn, CheckpointToken=token,
                                     Updates=updates)
                self.assertEqual(error["Error"]["Message"], words)
        self.assertEqual(len(self.state(arn, token)["Operations"]), 1)
        self.client.stop_durable_execution(DurableExecutionArn=arn)
