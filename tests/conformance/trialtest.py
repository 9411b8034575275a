#!/usr/bin/python3
"""A trial against a made-up daemon: right for all 78 requirements, then wrong in one way at
a time, each of which the trial must notice."""

import copy
import json
import os
import sys
import time
import types
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "harness")]

# pylint: disable=wrong-import-position
import laws  # noqa: E402
import trial  # noqa: E402
from api import ApiError  # noqa: E402
from requirement import load_all  # noqa: E402
from sdks import SDKS  # noqa: E402
from selftest import fill  # noqa: E402

MEMBERS = {"StartTimestamp": 1.5, "EndTimestamp": 1.5, "ScheduledEndTimestamp": 1.5,
           "Duration": 1, "ExecutionTimeout": 60, "RequestId": "r", "CallbackId": "CB",
           "FunctionName": "f", "Error": {"Payload": {"ErrorType": "E"}},
           "Result": {"Truncated": False}, "Input": {"Truncated": False}}

ALL = {requirement.id: requirement for requirement in load_all()}


def make_lawful(events, status):
    """Adds what every history has and a requirement need not say."""
    if events[-1]["EventType"] not in laws.TERMINAL and status != "RUNNING":
        kind = next(k for k, s in laws.TERMINAL.items() if s == status)
        events.append({"EventType": kind, "EventId": len(events) + 1})
    attempts = {}
    for event in events:
        kind = event["EventType"]
        event["EventTimestamp"] = 1000.0 + event["EventId"]
        details = event.setdefault(kind + "Details", {})
        if not isinstance(details, dict):
            details = event[kind + "Details"] = {}
        for member in laws.DETAILS[kind]:
            if member != "RetryDetails" and details.get(member) in (None, {}, "anything"):
                details[member] = MEMBERS[member]
        if kind in ("StepSucceeded", "StepFailed"):
            attempts[event["Id"]] = attempts.get(event["Id"], 0) + 1
            details.setdefault("RetryDetails", {})["CurrentAttempt"] = attempts[event["Id"]]
    return events


class MadeUp:
    """Answers as a daemon would that does just what the requirement wants."""

    def __init__(self, requirement):
        self.requirement = requirement
        want = requirement.result or {"ExecutionStatus": "RUNNING"}
        self.status = want["ExecutionStatus"]
        result = want.get("Result")
        self.result = result if result == '"HELLO"' else json.dumps(result)
        first = {"EventType": "ExecutionStarted", "EventId": 1}
        self.events = make_lawful([first] + [fill(e) for e in requirement.history], self.status)
        self.lines = []
        for log in requirement.logs:
            text = log["match"]["message"].strip("/").replace("\\", "")
            self.lines += [{"message": text}] * log["count"]
        self.sent = []

    def invoke(self, _function, _payload, kind, **_more):
        headers = {"x-amz-durable-execution-arn": "arn"}
        if kind == "RequestResponse" and self.status != "SUCCEEDED":
            headers["x-amz-function-error"] = "Unhandled"
        return types.SimpleNamespace(status=202 if kind == "Event" else 200, headers=headers,
                                     body=self.result.encode())

    def get_execution(self, _arn):
        return {"Status": self.status, "Result": self.result}

    def history(self, _arn, items_max=1000, is_reverse=False):
        return copy.deepcopy(self.events[::-1] if is_reverse else self.events)

    def callback(self, callback_id, operation, body):
        self.sent.append((callback_id, operation, body))

    def stop(self, _arn):
        self.status = "STOPPED"
        self.events.append({"EventType": "ExecutionStopped", "EventId": len(self.events) + 1,
                            "EventTimestamp": 5000.0, "ExecutionStoppedDetails": {"Error": {}}})

    def logs(self, _function, _arn):
        return self.lines


def find(requirement_id):
    return copy.deepcopy(ALL[requirement_id])


class TrialTest(unittest.TestCase):
    def setUp(self):
        self.logs_s = trial.LOGS_S
        trial.LOGS_S = 0
        self.now = 0.0
        trial.time = types.SimpleNamespace(sleep=self.sleep, monotonic=lambda: self.now)

    def sleep(self, seconds):
        self.now += seconds + 0.001

    def tearDown(self):
        trial.time, trial.LOGS_S = time, self.logs_s

    def judge(self, made_up, wait_s=30):
        return trial.Trial(made_up, SDKS["c"], made_up.requirement, wait_s).run()

    def test_a_right_daemon_passes_all(self):
        for requirement in ALL.values():
            self.assertIsNone(self.judge(MadeUp(requirement)), requirement.id)

    def test_callbacks_are_sent_as_said(self):
        made_up = MadeUp(find("4-5"))
        self.assertIsNone(self.judge(made_up))
        self.assertEqual([sent[1] for sent in made_up.sent], ["heartbeat", "succeed"])
        made_up = MadeUp(find("4-6"))
        self.judge(made_up)
        self.assertEqual(made_up.sent[0][1], "fail")
        self.assertEqual(json.loads(made_up.sent[0][2])["ErrorType"], "RejectedError")

    def test_of_two_callbacks_the_one_due_first_is_answered_first(self):
        made_up = MadeUp(find("4-19"))
        for event in made_up.events:
            if event["EventType"] == "CallbackStarted":
                event["CallbackStartedDetails"]["CallbackId"] = event["Name"]
        self.assertIsNone(self.judge(made_up))
        names = [event["Name"] for event in made_up.events
                 if event["EventType"] == "CallbackStarted"]
        self.assertEqual([sent[0] for sent in made_up.sent], names)

    def test_a_wrong_answer_to_a_waiting_caller_is_found(self):
        made_up = MadeUp(find("1-1"))
        made_up.invoke = lambda *_a, **_m: types.SimpleNamespace(
            status=200, headers={"x-amz-durable-execution-arn": "arn"}, body=b'"other"')
        self.assertIn("answer", self.judge(made_up))

    def test_a_failure_told_as_a_success_is_found(self):
        made_up = MadeUp(find("1-19"))
        made_up.invoke = lambda *_a, **_m: types.SimpleNamespace(
            status=200, headers={"x-amz-durable-execution-arn": "arn"}, body=b"null")
        self.assertIn("answer", self.judge(made_up))

    def test_an_answer_without_an_execution_is_found(self):
        made_up = MadeUp(find("1-1"))
        made_up.invoke = lambda *_a, **_m: types.SimpleNamespace(status=200, headers={}, body=b"")
        self.assertIn("no durable execution", self.judge(made_up))

    def test_an_execution_that_never_ends_is_found(self):
        made_up = MadeUp(find("1-1"))
        made_up.status = "RUNNING"
        self.assertIn("not within", self.judge(made_up, wait_s=0))

    def test_a_callback_that_never_comes_is_found(self):
        made_up = MadeUp(find("4-1"))
        made_up.events = made_up.events[:1]
        self.assertIn("callback", self.judge(made_up, wait_s=0))

    def test_a_refused_callback_is_found(self):
        made_up = MadeUp(find("4-1"))

        def refuse(*_arguments):
            raise ApiError(400, "CallbackTimeoutException", "closed")

        made_up.callback = refuse
        self.assertIn("CallbackTimeout", self.judge(made_up))

    def test_pages_that_differ_are_found(self):
        for wrong in ({"items_max": 2}, {"is_reverse": True}):
            made_up = MadeUp(find("1-1"))
            right = made_up.history
            made_up.history = lambda arn, wrong=wrong, right=right, **more: (
                right(arn, **more)[:-1] if more == wrong else right(arn, **more))
            self.assertIn("history", self.judge(made_up))

    def test_missing_and_further_log_lines_are_found(self):
        for requirement_id in ("1-7", "1-17", "1-18", "3-11", "3-17"):
            made_up = MadeUp(find(requirement_id))
            made_up.lines = made_up.lines[1:]
            self.assertIn("log", self.judge(made_up))
            made_up = MadeUp(find(requirement_id))
            made_up.lines = made_up.lines + made_up.lines[:1]
            self.assertIn("log", self.judge(made_up))

    def test_a_stop_without_effect_is_found(self):
        made_up = MadeUp(find("2-5"))
        made_up.stop = lambda _arn: None
        self.assertIn("stopped", self.judge(made_up))

    def test_an_unlawful_history_is_found(self):
        made_up = MadeUp(find("1-1"))
        made_up.events[0]["ExecutionStartedDetails"].pop("ExecutionTimeout")
        self.assertIn("ExecutionTimeout", self.judge(made_up))


if __name__ == "__main__":
    unittest.main()
