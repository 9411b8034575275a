"""Durable executions of Lambda runtimes: the event, checkpoints over HTTP, and the state.

    checkpointtest.py BUILD

Each test has a daemon of its own. guest.py follows, invocation by invocation, the rounds
that the execution's input has; its result is what it was given and answered.
"""

import json
import os
import re
import signal
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness"), HERE]

from api import Api  # noqa: E402
from daemontest import DURABLE, wait_for  # noqa: E402
from laws import check_history  # noqa: E402
from guestfixture import GuestFixture  # noqa: E402

PENDING = {"call": "answer", "value": {"Status": "PENDING"}}
STALE = "Invalid Checkpoint Token"
RESULT_MAX = 6291456


def checkpoint(*updates, **more):
    return dict(more, call="checkpoint", updates=list(updates))


def update(kind, action, name, **more):
    return dict(more, Id=name, Type=kind, Action=action)


def step(name, payload=None, **more):
    """Both halves of a step that succeeds."""
    done = update("STEP", "SUCCEED", name, **more)
    if payload is not None:
        done["Payload"] = payload
    return update("STEP", "START", name, **more), done


class CheckpointFixture(GuestFixture):
    def setUp(self):
        super().setUp()
        self.deploy("f", **DURABLE)

    def starts(self, *rounds, name=None, kind="Event"):
        answer = self.api.invoke("f:$LATEST", json.dumps({"rounds": rounds}), kind=kind, name=name)
        return answer.headers["x-amz-durable-execution-arn"]

    def runs(self, *rounds):
        """Its trace: what each order got, and the events, in order."""
        answer = self.api.invoke("f:$LATEST", json.dumps({"rounds": rounds}))
        self.assertNotIn("x-amz-function-error", answer.headers, answer.body[:2000])
        self.arn = answer.headers["x-amz-durable-execution-arn"]
        return answer.json()

    def got(self, trace, name=None):
        return [one["got"] for one in trace if "got" in one and name in (None, one["order"])]

    def events(self, trace):
        return [one["event"] for one in trace if "event" in one]

    def kinds(self, arn):
        return [event["EventType"] for event in self.api.history(arn)]

    def until_event(self, arn, kind):
        return wait_for(kind, lambda: next(
            (event for event in self.api.history(arn) if event["EventType"] == kind), None))

    def until_closed(self, arn):
        return wait_for("the end", lambda: next(
            (one for one in [self.api.get_execution(arn)] if one["Status"] != "RUNNING"), None))

    def check_refused(self, got, text):
        self.assertEqual(got["status"], 400, got)
        self.assertTrue(got["answer"]["message"].startswith(text), got["answer"])
        self.assertEqual(got["answer"]["message"], got["answer"]["Message"])


class EventTest(CheckpointFixture):
    def test_the_first_event_is_the_execution_alone(self):
        trace = self.runs([])
        event = self.events(trace)[0]
        self.assertEqual(set(event), {"DurableExecutionArn", "CheckpointToken",
                                      "InitialExecutionState", "UpdatedOperationIds"})
        self.assertEqual(event["DurableExecutionArn"], self.arn)
        self.assertRegex(event["CheckpointToken"], r"^[A-Za-z0-9+/]+={0,2}$")
        self.assertEqual(event["UpdatedOperationIds"], [])
        self.assertEqual(set(event["InitialExecutionState"]), {"Operations"})
        operation, = event["InitialExecutionState"]["Operations"]
        name, uuid = self.arn.split("/")[-2:]
        self.assertIsInstance(operation.pop("StartTimestamp"), int)
        self.assertEqual(operation, {
            "Id": uuid, "Name": name, "Type": "EXECUTION", "Status": "STARTED",
            "ExecutionDetails": {"InputPayload": '{"rounds": [[]]}'}})

    def test_an_execution_without_a_payload_has_an_input_all_the_same(self):
        answer = self.api.invoke("f:$LATEST", b"", kind="Event")
        arn = answer.headers["x-amz-durable-execution-arn"]
        self.until_event(arn, "InvocationCompleted")  # it wants rounds, and fails without
        self.api.stop(arn)

    def test_a_later_event_has_the_operations_in_the_order_of_their_starts(self):
        trace = self.runs(
            [checkpoint(*step("b", "1"), update("WAIT", "START", "w", Name="cool", SubType="Wait",
                                                WaitOptions={"WaitSeconds": 1}),
                        *step("a", "2")), PENDING],
            [])
        first, second = self.events(trace)
        operations = second["InitialExecutionState"]["Operations"]
        self.assertEqual([op["Id"] for op in operations][1:], ["b", "w", "a"])
        self.assertEqual(operations[0], first["InitialExecutionState"]["Operations"][0])
        wait = operations[2]
        self.assertEqual((wait["Name"], wait["SubType"], wait["Status"]),
                         ("cool", "Wait", "SUCCEEDED"))
        times = [wait["StartTimestamp"], wait["EndTimestamp"],
                 wait["WaitDetails"]["ScheduledEndTimestamp"]]
        self.assertEqual([type(one) for one in times], [int] * 3)
        self.assertEqual(times[2] - times[0], 1000)
        self.assertEqual(operations[1]["StepDetails"], {"Attempt": 1, "Result": "1"})
        self.assertEqual(second["UpdatedOperationIds"], ["w"])
        self.assertNotEqual(first["CheckpointToken"], second["CheckpointToken"])

    def test_children_of_a_closed_context_are_pruned(self):
        def context(name, **more):
            return (update("CONTEXT", "START", name),
                    *step(name + "-1", "1", ParentId=name),
                    update("CONTEXT", "START", name + "-2", ParentId=name),
                    *step(name + "-3", "1", ParentId=name + "-2"),
                    update("CONTEXT", "SUCCEED", name + "-2", ParentId=name, Payload="2"),
                    update("CONTEXT", "SUCCEED", name, Payload="3", **more))
        trace = self.runs(
            [checkpoint(*context("closed")), checkpoint(
                *context("kept", ContextOptions={"ReplayChildren": True})),
             checkpoint(update("WAIT", "START", "w", WaitOptions={"WaitSeconds": 1})), PENDING],
            [])
        operations = self.events(trace)[1]["InitialExecutionState"]["Operations"]
        self.assertEqual([op["Id"] for op in operations][1:],
                         ["closed", "kept", "kept-1", "kept-2", "w"])
        self.assertEqual(operations[2]["ContextDetails"], {"Result": "3", "ReplayChildren": True})
        self.assertEqual(operations[1]["ContextDetails"], {"Result": "3"})

    def test_a_step_that_is_tried_again(self):
        error = {"ErrorMessage": "declined", "ErrorType": "Error", "StackTrace": ["a", "b"],
                 "ErrorData": "é"}
        trace = self.runs(
            [checkpoint(update("STEP", "START", "s"),
                        update("STEP", "RETRY", "s", Error=error,
                               StepOptions={"NextAttemptDelaySeconds": 1})), PENDING],
            [checkpoint(update("STEP", "START", "s"),
                        update("STEP", "SUCCEED", "s", Payload="1"))])
        answer = self.got(trace)[0]["answer"]["NewExecutionState"]["Operations"][0]
        self.assertEqual(answer["Status"], "PENDING")
        details = answer["StepDetails"]
        self.assertIsInstance(answer["StartTimestamp"], float)
        self.assertAlmostEqual(details.pop("NextAttemptTimestamp"), answer["StartTimestamp"] + 1,
                               places=2)
        self.assertEqual(details, {"Attempt": 1, "Error": error})
        again = self.events(trace)[1]["InitialExecutionState"]["Operations"][1]
        self.assertEqual((again["Status"], again["StepDetails"]),
                         ("READY", {"Attempt": 1, "Error": error}))
        self.assertEqual(self.events(trace)[1]["UpdatedOperationIds"], ["s"])
        last = self.got(trace)[1]["answer"]["NewExecutionState"]["Operations"][0]
        self.assertEqual(last["StepDetails"], {"Attempt": 2, "Result": "1"})

    def test_a_condition_keeps_its_state_between_attempts(self):
        trace = self.runs(
            [checkpoint(update("STEP", "START", "s"),
                        update("STEP", "RETRY", "s", Payload="[1]",
                               StepOptions={"NextAttemptDelaySeconds": 1})), PENDING],
            [checkpoint(update("STEP", "START", "s")), checkpoint(
                update("STEP", "SUCCEED", "s", Payload="[2]"))])
        again = self.events(trace)[1]["InitialExecutionState"]["Operations"][1]
        self.assertEqual(again["StepDetails"], {"Attempt": 1, "Result": "[1]"})
        self.assertEqual([one["answer"]["NewExecutionState"]["Operations"][0]["StepDetails"]
                          for one in self.got(trace)[1:]],
                         [{"Attempt": 1, "Result": "[1]"}, {"Attempt": 2, "Result": "[2]"}])


class TokenTest(CheckpointFixture):
    def test_a_checkpoint_sent_again_has_the_same_answer(self):
        longest = "c" * 64
        trace = self.runs([checkpoint(*step("a", '"é\\u0000"'), client=longest),
                           checkpoint(*step("a", '"é\\u0000"'), client=longest,
                                      token="previous"),
                           checkpoint(*step("b", "2"))])
        first, again, other = self.got(trace)
        self.assertEqual(first["status"], 200)
        self.assertEqual(first["text"], again["text"])
        self.assertEqual(other["status"], 200)
        self.assertEqual(self.kinds(self.arn).count("StepSucceeded"), 2)

    def test_a_used_token_is_stale(self):
        trace = self.runs([checkpoint(*step("a"), client="one"),
                           checkpoint(*step("a"), client="two", token="previous"),
                           checkpoint(*step("b")), checkpoint(*step("c"), token="first")])
        first, other, then, old = self.got(trace)
        self.check_refused(other, STALE)
        self.check_refused(old, STALE)
        self.assertEqual((first["status"], then["status"]), (200, 200))

    def test_a_token_that_nobody_made_is_refused(self):
        trace = self.runs([checkpoint(*step("a"), token="tampered"),
                           checkpoint(*step("a"), token="Zm9v"),
                           checkpoint(*step("a"), token="not base64!"),
                           checkpoint(*step("a"), token=""), checkpoint(*step("b"))])
        answers = self.got(trace)
        for answer in answers[:3]:
            self.check_refused(answer, STALE)
        self.assertEqual((answers[3]["status"], answers[4]["status"]), (400, 200))

    def test_a_token_is_one_executions(self):
        first = self.runs([])
        token = self.events(first)[0]["CheckpointToken"]
        trace = self.runs([checkpoint(*step("a"), token=token), {"call": "state", "token": token}])
        for answer in self.got(trace):
            self.check_refused(answer, STALE)

    def test_a_token_dies_with_its_invocation(self):
        trace = self.runs(
            [checkpoint(update("WAIT", "START", "w", WaitOptions={"WaitSeconds": 1})), PENDING],
            [checkpoint(*step("a"), token="first"), {"call": "state", "token": "first"},
             checkpoint(*step("b"))])
        for answer in self.got(trace)[1:3]:
            self.check_refused(answer, STALE)
        self.assertEqual(self.got(trace)[3]["status"], 200)

    def test_a_token_dies_with_its_execution(self):
        arn = self.starts([checkpoint(*step("a")), {"call": "sleep", "s": 2},
                           checkpoint(*step("b")), PENDING])
        self.until_event(arn, "StepSucceeded")
        self.api.stop(arn)
        self.assertEqual(self.kinds(arn)[-1], "ExecutionStopped")
        time.sleep(2.5)  # nothing that it still says counts
        self.assertEqual(self.kinds(arn)[-1], "ExecutionStopped")
        check_history(self.api.history(arn), "STOPPED")

    def test_a_refused_checkpoint_leaves_its_token_good(self):
        start = update("WAIT", "START", "w", WaitOptions={"WaitSeconds": 1})
        wrong = [
            ([update("STEP", "SUCCEED", "a", Error={"ErrorType": "E"})],
             "Cannot provide an Error for SUCCEED action."),
            ([update("EXECUTION", "SUCCEED", "x"), update("EXECUTION", "SUCCEED", "y")],
             "Cannot checkpoint multiple EXECUTION updates."),
            ([update("EXECUTION", "SUCCEED", "x"), *step("y")],
             "EXECUTION checkpoint must be the last update."),
            ([start, start], "Cannot checkpoint multiple operations with the same ID."),
            ([*step("a", ParentId="nobody")], "Invalid parent operation id."),
            ([update("WAIT", "RETRY", "w")], "Invalid action for the given operation type."),
            ([update("NOTHING", "START", "w")], "Unknown operation type."),
            ([update("STEP", "RETRY", "s", Error={"ErrorType": "E"})],
             "Invalid StepOptions for the given action."),
            ([update("STEP", "FAIL", "a", Error={"ErrorMessage": {"$fill": 33000}})],
             "Error object size must be less than 32768 bytes."),
            ([update("STEP", "START", "a b")], ""), ([{"Type": "STEP"}], ""), (["x"], ""),
        ]
        trace = self.runs([checkpoint(*updates) for updates, _ in wrong] + [
            checkpoint(*step("a"), start)])
        answers = self.got(trace)
        for (_, text), answer in zip(wrong, answers):
            self.check_refused(answer, text)
            self.assertFalse(answer["answer"]["message"].startswith(STALE))
        self.assertEqual(answers[-1]["status"], 200)

    def test_a_batch_is_all_or_nothing(self):
        trace = self.runs([checkpoint(*step("a"), *step("b", ParentId="nobody")),
                           checkpoint()])
        self.assertEqual(self.got(trace)[1]["answer"]["NewExecutionState"]["Operations"], [])
        self.assertNotIn("StepStarted", self.kinds(self.arn))

    def test_a_checkpoint_without_updates_is_a_poll(self):
        trace = self.runs([checkpoint(), checkpoint()])
        first, second = self.got(trace)
        self.assertEqual(first["answer"]["NewExecutionState"], {"Operations": []})
        self.assertNotEqual(first["answer"]["CheckpointToken"], second["answer"]["CheckpointToken"])

    def test_a_checkpoint_that_is_no_checkpoint(self):
        trace = self.runs([
            {"call": "request", "method": "POST",
             "path": "/2025-12-01/durable-executions/{arn}/checkpoint", "body": body}
            for body in ("", "{", "[]", '{"Updates":[]}', '{"CheckpointToken":7}',
                         '{"CheckpointToken":"Zm9v","Updates":{}}')])
        self.assertEqual([one["status"] for one in self.got(trace)], [400] * 6)


class AnswerTest(CheckpointFixture):
    def test_an_answer_has_what_it_updated(self):
        trace = self.runs([
            checkpoint(update("CONTEXT", "START", "c", Name="map", SubType="Map"),
                       *step("s", "2", ParentId="c", Name="calc", SubType="Step"),
                       update("CALLBACK", "START", "k", CallbackOptions={"TimeoutSeconds": 60}),
                       update("WAIT", "START", "w", WaitOptions={"WaitSeconds": 2}))])
        operations = self.got(trace)[0]["answer"]["NewExecutionState"]["Operations"]
        context, one, callback, wait = operations
        self.assertEqual((context["Id"], context["Status"], context["ContextDetails"]),
                         ("c", "STARTED", {}))
        self.assertEqual((one["ParentId"], one["Name"], one["SubType"], one["StepDetails"]),
                         ("c", "calc", "Step", {"Attempt": 1, "Result": "2"}))
        self.assertRegex(callback["CallbackDetails"]["CallbackId"], r"^[A-Za-z0-9+/]+={0,2}$")
        self.assertAlmostEqual(wait["WaitDetails"]["ScheduledEndTimestamp"],
                               wait["StartTimestamp"] + 2, places=2)
        self.assertLess(wait["StartTimestamp"], 1e10)  # seconds

    def test_what_ended_meanwhile_comes_with_the_next_answer(self):
        trace = self.runs([checkpoint(update("WAIT", "START", "w",
                                             WaitOptions={"WaitSeconds": 1})),
                           {"call": "until", "id": "w", "is": "SUCCEEDED"}, checkpoint()])
        self.assertEqual(self.got(trace, "until")[0]["Status"], "SUCCEEDED")
        self.assertEqual(self.got(trace)[-1]["answer"]["NewExecutionState"]["Operations"], [])
        self.assertEqual(len(self.events(trace)), 1)

    def test_a_callback_is_answered_while_the_invocation_runs(self):
        for how, body, expected in (("succeed", '"é"', {"Result": '"é"'}), ("succeed", "", {}),
                                    ("fail", '{"ErrorType":"E"}', {"Error": {"ErrorType": "E"}})):
            status = "SUCCEEDED" if how == "succeed" else "FAILED"
            trace = self.runs([
                checkpoint(update("CALLBACK", "START", "k")),
                {"call": "callback", "id": "k", "how": "heartbeat"},
                {"call": "callback", "id": "k", "how": how, "body": body},
                {"call": "until", "id": "k", "is": status},
                {"call": "callback", "id": "k", "how": how, "body": body}])
            details = self.got(trace, "until")[0]["CallbackDetails"]
            details.pop("CallbackId")
            self.assertEqual(details, expected)
            self.assertEqual([one["status"] for one in self.got(trace, "callback")],
                             [200, 200, 400])

    def test_a_callback_wakes_an_execution(self):
        arn = self.starts([checkpoint(update("CALLBACK", "START", "k")), PENDING], [])
        started = self.until_event(arn, "CallbackStarted")
        self.until_event(arn, "InvocationCompleted")
        self.api.callback(started["CallbackStartedDetails"]["CallbackId"], "succeed", "[1]")
        trace = json.loads(self.until_closed(arn)["Result"])
        operation = self.events(trace)[1]["InitialExecutionState"]["Operations"][1]
        self.assertEqual((operation["Status"], operation["CallbackDetails"]["Result"]),
                         ("SUCCEEDED", "[1]"))
        check_history(self.api.history(arn), "SUCCEEDED")

    def test_a_chained_invoke_comes_back(self):
        self.deploy("plain")
        trace = self.runs(
            [checkpoint(
                update("CHAINED_INVOKE", "START", "good", Payload='{"do":"respond","value":[1]}',
                       ChainedInvokeOptions={"FunctionName": "plain"}),
                update("CHAINED_INVOKE", "START", "bad", Payload=json.dumps(
                    {"do": "raise", "body": '{"errorType":"E","errorMessage":"m",'
                                            '"stackTrace":["l"]}'}),
                    ChainedInvokeOptions={"FunctionName": "plain"}),
                update("CHAINED_INVOKE", "START", "none",
                       ChainedInvokeOptions={"FunctionName": "nobody"})),
             {"call": "until", "id": "good", "is": "SUCCEEDED"},
             {"call": "until", "id": "bad", "is": "FAILED"},
             {"call": "until", "id": "none", "is": "FAILED"}])
        good, bad, none = [one["ChainedInvokeDetails"] for one in self.got(trace, "until")]
        self.assertEqual(good, {"Result": "[1]"})
        self.assertEqual(bad, {"Error": {"ErrorType": "E", "ErrorMessage": "m",
                                         "StackTrace": ["l"]}})
        self.assertEqual(none["Error"]["ErrorType"], "ResourceNotFoundException")

    def test_payloads_keep_every_character(self):
        texts = ['"\\u0000\\ud83d\\ude00\\n\\"\\\\\\/"', '"\U0001f600\u2028é\u007f"', "not JSON \t",
                 "\x01\x1f\x00\"\\", "", " "]
        trace = self.runs(
            [checkpoint(*[one for number, text in enumerate(texts)
                          for one in step(f"s{number}", text)],
                        update("WAIT", "START", "w", WaitOptions={"WaitSeconds": 1})), PENDING],
            [])
        answered = self.got(trace)[0]["answer"]["NewExecutionState"]["Operations"]
        replayed = self.events(trace)[1]["InitialExecutionState"]["Operations"][1:]
        for operations in (answered, replayed):
            self.assertEqual([op["StepDetails"].get("Result") for op in operations
                              if op["Type"] == "STEP"], texts)
        results = [event["StepSucceededDetails"]["Result"].get("Payload")
                   for event in self.api.history(self.arn)
                   if event["EventType"] == "StepSucceeded"]
        self.assertEqual(results, texts)


class StateTest(CheckpointFixture):
    def test_the_state_comes_in_pages(self):
        updates = [one for number in range(7) for one in step(f"s{number}", str(number))]
        trace = self.runs([checkpoint(*updates), {"call": "state"},
                           {"call": "pages", "MaxItems": 3}, {"call": "pages", "MaxItems": 100},
                           {"call": "state", "MaxItems": 2, "Marker": "6"}])
        whole = self.got(trace, "state")[0]["answer"]
        ids = [self.arn.split("/")[-1]] + [f"s{number}" for number in range(7)]
        self.assertEqual([op["Id"] for op in whole["Operations"]], ids)
        self.assertNotIn("NextMarker", whole)
        self.assertIsInstance(whole["Operations"][1]["StartTimestamp"], float)
        threes, one_page = self.got(trace, "pages")
        self.assertEqual([page["ids"] for page in threes["pages"]], [ids[:3], ids[3:6], ids[6:]])
        self.assertEqual([page["ids"] for page in one_page["pages"]], [ids])

    def test_a_large_state_comes_by_a_marker(self):
        one = {"$fill": 250000}
        rounds = [[checkpoint(*[half for number in range(first, first + 4)
                                for half in step(f"s{number}", one)])
                   for first in range(0, 24, 4)] + [
                       checkpoint(update("WAIT", "START", "w", WaitOptions={"WaitSeconds": 1})),
                       PENDING],
                  [{"call": "rest_of_state"}, {"call": "answer_summary"}]]
        answer = self.api.invoke("f:$LATEST", json.dumps({"rounds": rounds}))
        self.assertNotIn("x-amz-function-error", answer.headers, answer.body[:500])
        summary = answer.json()
        self.assertEqual(summary["ids"][1:], [f"s{number}" for number in range(24)] + ["w"])
        self.assertGreater(summary["pages"], 1)
        self.assertLess(max(summary["bytes"]), 6 << 20)

    def test_a_marker_that_is_none_is_refused(self):
        trace = self.runs([{"call": "state", "Marker": "x"}, {"call": "state", "Marker": "99"},
                           {"call": "state", "MaxItems": "x"}])
        self.assertEqual([one["status"] for one in self.got(trace)], [400, 400, 400])


class EndTest(CheckpointFixture):
    def ends(self, *orders):
        answer = self.api.invoke("f:$LATEST", json.dumps({"rounds": [orders]}))
        self.arn = answer.headers["x-amz-durable-execution-arn"]
        return answer

    def test_a_verdict_has_a_result_or_not(self):
        for value, expected in (({"Status": "SUCCEEDED", "Result": "[1, 2]"}, b"[1, 2]"),
                                ({"Status": "SUCCEEDED"}, b""),
                                ({"Status": "SUCCEEDED", "Result": '"é\\u0000\U0001f600"'},
                                 '"é\\u0000\U0001f600"'.encode())):
            answer = self.ends({"call": "answer", "value": value})
            self.assertNotIn("x-amz-function-error", answer.headers)
            self.assertEqual(answer.body, expected)

    def test_a_failed_verdict_is_the_executions_error(self):
        error = {"ErrorType": "E", "ErrorMessage": "m", "StackTrace": ["l"], "ErrorData": "d"}
        answer = self.ends({"call": "answer", "value": {"Status": "FAILED", "Error": error}})
        self.assertEqual(answer.headers["x-amz-function-error"], "Unhandled")
        self.assertEqual(self.api.get_execution(self.arn)["Error"], error)
        self.assertEqual(self.kinds(self.arn),
                         ["ExecutionStarted", "InvocationCompleted", "ExecutionFailed"])

    def test_a_long_error_is_kept_shortened(self):
        error = {"ErrorType": "E", "ErrorMessage": {"$fill": 3000000}, "StackTrace": ["l"] * 2000,
                 "ErrorData": "d"}
        self.ends({"call": "answer", "value": {"Status": "FAILED", "Error": error}})
        kept = self.api.get_execution(self.arn)["Error"]
        self.assertEqual(kept["ErrorType"], "E")
        self.assertTrue(kept["ErrorMessage"].endswith("(shortened)"), kept["ErrorMessage"][-50:])
        self.assertTrue(32000 < len(json.dumps(kept, ensure_ascii=False)) <= 32768)

    def test_a_long_error_of_an_invocation_is_tried_again(self):
        error = self.fails_then_succeeds({"call": "error", "body": json.dumps(
            {"errorType": "E", "errorMessage": "m", "trace": ["at f" * 1000] * 100})})
        self.assertEqual((error["ErrorType"], error["ErrorMessage"]), ("E", "m"))
        self.assertEqual(error["StackTrace"], ["at f" * 1000] * 8)

    def test_a_result_of_six_megabytes_comes_back(self):
        answer = self.ends({"call": "answer", "value": {
            "Status": "SUCCEEDED", "Result": {"$fill": RESULT_MAX - 50}}})
        self.assertEqual(len(answer.body), RESULT_MAX - 50)

    def test_a_larger_result_comes_by_a_checkpoint(self):
        answer = self.ends(
            checkpoint(update("EXECUTION", "SUCCEED", "nobody-knows-it",
                              Payload={"$fill": RESULT_MAX})),
            {"call": "answer", "value": {"Status": "SUCCEEDED", "Result": ""}})
        self.assertEqual(len(answer.body), RESULT_MAX)
        self.assertEqual(self.kinds(self.arn),
                         ["ExecutionStarted", "InvocationCompleted", "ExecutionSucceeded"])

    def test_pending_with_nothing_pending_fails(self):
        answer = self.ends(PENDING)
        self.assertEqual(answer.headers["x-amz-function-error"], "Unhandled")
        self.assertEqual(self.api.get_execution(self.arn)["Status"], "FAILED")

    def fails_then_succeeds(self, *orders):
        """The rounds are counted in the environment; one that ends with it is told apart by
        what the execution has."""
        arn = self.starts(list(orders), [{"call": "answer", "value": {
            "Status": "SUCCEEDED", "Result": "1"}}])
        self.assertEqual(self.until_closed(arn)["Status"], "SUCCEEDED")
        first = next(event for event in self.api.history(arn)
                     if event["EventType"] == "InvocationCompleted")
        return first["InvocationCompletedDetails"]["Error"].get("Payload")

    def test_an_error_of_an_invocation_is_tried_again(self):
        error = self.fails_then_succeeds({"call": "error", "body": json.dumps(
            {"errorType": "E", "errorMessage": "m", "trace": ["E: m", "  at f"]})})
        self.assertEqual((error["ErrorType"], error["ErrorMessage"]), ("E", "m"))
        self.assertEqual(error["StackTrace"], ["E: m", "  at f"])

    def test_a_verdict_that_is_none_is_tried_again(self):
        for body in ("", "{", "null", "[]", '"SUCCEEDED"', "{}", '{"Status":"DONE"}',
                     '{"Status":1}', '{"Status":"SUCCEEDED","Result":1}',
                     '{"Status":"FAILED","Error":"x"}'):
            error = self.fails_then_succeeds({"call": "post", "body": body})
            self.assertEqual(error["ErrorType"], "Pawl.InvalidDurableResponse", body)

    def test_an_exit_is_tried_again_from_its_last_checkpoint(self):
        arn = self.starts([checkpoint(*step("a", "1")), {"call": "exit_first"}, checkpoint(
            *step("b", "2")), {"call": "answer", "value": {"Status": "SUCCEEDED"}}])
        self.assertEqual(self.until_closed(arn)["Status"], "SUCCEEDED")
        events = self.api.history(arn)
        first = next(event for event in events if event["EventType"] == "InvocationCompleted")
        error = first["InvocationCompletedDetails"]["Error"]["Payload"]
        self.assertEqual(error["ErrorType"], "Runtime.ExitError")
        self.assertRegex(error["ErrorMessage"], "exit status 3$")
        check_history(events, "SUCCEEDED")


class CrashTest(CheckpointFixture):
    def done_and_run(self):
        """In the order of the log: the steps that were said to be done, and run again."""
        done, again = set(), []
        for line in self.log_lines("f"):
            match = re.search(r"(runs|did) (step-\d+)-of-(\w+)", line)
            if match is None:
                continue
            kind, name = match.group(1), match.group(2) + match.group(3)
            if kind == "did":
                done.add(name)
            elif name in done:
                again.append(name)
        return done, again

    def test_done_steps_are_not_run_again_after_kill_9(self):
        arns = [self.starts([{"call": "steps", "count": 60, "of": f"n{number}"}])
                for number in range(3)]
        for turn in range(1, 4):
            wait_for("some steps", lambda turn=turn: len(self.done_and_run()[0]) > 25 * turn)
            self.daemon.kill()
            self.daemon.run()
            self.api = Api(self.daemon.socket)
        for arn in arns:
            execution = self.until_closed(arn)
            self.assertEqual(execution["Status"], "SUCCEEDED", execution)
            self.assertEqual(json.loads(execution["Result"]), [str(one) for one in range(60)])
            check_history(self.api.history(arn), "SUCCEEDED")
        self.assertEqual(self.done_and_run()[1], [])

    def test_a_condition_keeps_its_state_over_a_kill_9(self):
        """The next life's answer to START has it, which only the views hold then. A runtime
        that is new begins with the first round again."""
        arn = self.starts(
            [checkpoint(update("STEP", "START", "s")),
             checkpoint(update("STEP", "RETRY", "s", Payload="[1]",
                               StepOptions={"NextAttemptDelaySeconds": 2})), PENDING],
            [checkpoint(update("STEP", "SUCCEED", "s", Payload="[2]"))])
        self.until_event(arn, "InvocationCompleted")
        self.daemon.kill()
        self.daemon.run()
        self.api = Api(self.daemon.socket)
        execution = self.until_closed(arn)
        self.assertEqual(execution["Status"], "SUCCEEDED", execution)
        answers = [one["answer"]["NewExecutionState"]["Operations"][0]["StepDetails"]
                   for one in self.got(json.loads(execution["Result"]))]
        self.assertEqual(answers[0], {"Attempt": 1, "Result": "[1]"})
        self.assertEqual(answers[-1], {"Attempt": 3, "Result": "[2]"})

    def test_sigterm_suspends_at_the_next_checkpoint(self):
        arn = self.starts([{"call": "work", "count": 200, "s": 0.05}])  # some 10 s
        self.until_event(arn, "StepSucceeded")
        self.daemon.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.daemon.process.wait(25), 0)  # drain_s is 30
        self.daemon.run()
        self.api = Api(self.daemon.socket)
        self.assertEqual(self.until_closed(arn)["Result"], "200")
        events = self.api.history(arn)
        check_history(events, "SUCCEEDED")
        ends = [event["InvocationCompletedDetails"]["Error"].get("Payload", {}).get("ErrorType")
                for event in events if event["EventType"] == "InvocationCompleted"]
        self.assertEqual(ends, ["Pawl.Restarted", None])


if __name__ == "__main__":
    unittest.main(verbosity=2)
