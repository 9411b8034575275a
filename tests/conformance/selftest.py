#!/usr/bin/python3
"""The judge is judged: right histories pass, every planted fault is found.

A right history is made out of each requirement; then each thing that the requirement
says is made wrong in turn, and the matcher must object.
"""

import copy
import json
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "harness")]

# pylint: disable=wrong-import-position
import laws  # noqa: E402
from matcher import (ABSENT, Matcher, generate, match_history, match_logs,  # noqa: E402
                     match_result, substitute)
from requirement import load_all  # noqa: E402

REGEX_SAMPLES = {"${/^[0-5]$/}": 3, "${/^([0-9]|10)$/}": 10,
                 "${/.*TransientError$/}": "TransientError"}
WRONG = "planted"


def fill(value):
    """What a right daemon would have put there."""
    if isinstance(value, dict):
        return {key: fill(item) for key, item in value.items()}
    if isinstance(value, list):
        return [fill(item) for item in value]
    if value == "*":
        return "anything"
    return REGEX_SAMPLES.get(value, value)


def right_history(requirement):
    events = [fill(want) for want in requirement.history]
    return [{"EventId": 1, "EventType": "ExecutionStarted"}] + events


def constrained(value, path=()):
    """The paths of all leaves that the requirement really says something about."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from constrained(item, path + (key,))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from constrained(item, path + (i,))
    elif value not in ("*", None):
        yield path


def plant(history, path, value):
    history = copy.deepcopy(history)
    at = history
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return history


def uses(requirement, mark):
    return json.dumps(requirement.history).count(json.dumps(mark))


def value_at(value, path):
    for key in path:
        value = value[key]
    return value


class MatcherTest(unittest.TestCase):
    def test_all_78_requirements_are_there(self):
        self.assertEqual(len(load_all()), 78)

    def test_right_histories_pass(self):
        for requirement in load_all():
            self.assertIsNone(match_history(requirement.history, right_history(requirement)),
                              requirement.id)

    def test_each_wrong_value_is_found(self):
        count = 0
        for requirement in load_all():
            right = right_history(requirement)
            for path in constrained(requirement.history):
                want = value_at(requirement.history, path)
                if str(want).startswith("${") and want not in REGEX_SAMPLES \
                        and uses(requirement, want) == 1:
                    continue  # a binding used once may be anything
                planted = plant(right, (path[0] + 1,) + path[1:], WRONG)
                self.assertIsNotNone(match_history(requirement.history, planted),
                                     f"{requirement.id} {path}")
                count += 1
        self.assertGreater(count, 1000)

    def test_each_missing_event_is_found(self):
        for requirement in load_all():
            right = right_history(requirement)
            for i in range(1, len(right)):
                planted = right[:i] + right[i + 1:]
                self.assertIsNotNone(match_history(requirement.history, planted))

    def test_swapped_events_are_found(self):
        for requirement in load_all():
            right = right_history(requirement)
            for i in range(1, len(right) - 1):
                planted = copy.deepcopy(right)
                planted[i]["EventId"], planted[i + 1]["EventId"] = i + 2, i + 1
                self.assertIsNotNone(match_history(requirement.history, planted),
                                     f"{requirement.id} at {i}")

    def test_further_events_are_allowed(self):
        for requirement in load_all():
            more = right_history(requirement) + [{"EventId": 99, "EventType": "Other"}]
            self.assertIsNone(match_history(requirement.history, more))

    def test_a_binding_needs_a_value_and_keeps_it(self):
        matcher = Matcher()
        self.assertIsNotNone(matcher.match("${ID1}", ABSENT))
        self.assertIsNone(matcher.match("${ID1}", "a"))
        self.assertIsNone(matcher.match("${ID1}", "a"))
        self.assertIsNotNone(matcher.match("${ID1}", "b"))

    def test_true_is_not_one(self):
        self.assertIsNotNone(Matcher().match({"a": 1}, {"a": True}))
        self.assertIsNotNone(Matcher().match({"a": False}, {"a": 0}))

    def test_variables_are_generated_and_substituted(self):
        values = generate({"A": "${GEN_STR:8}", "B": "fixed"})
        self.assertRegex(values["A"], "^[A-Za-z0-9]{8}$")
        self.assertEqual(substitute({"x": ['"${A}"', "${ID1}"]}, values),
                         {"x": [f'"{values["A"]}"', "${ID1}"]})

    def test_wrong_results_are_found(self):
        want = {"ExecutionStatus": "SUCCEEDED", "Result": "Hello"}
        self.assertIsNone(match_result(want, {"Status": "SUCCEEDED", "Result": '"Hello"'}))
        for status, result in (("FAILED", '"Hello"'), ("SUCCEEDED", '"hello"'),
                               ("SUCCEEDED", None), ("SUCCEEDED", '"Hello'),
                               ("RUNNING", '"Hello"')):
            self.assertIsNotNone(match_result(want, {"Status": status, "Result": result}))

    def test_an_expected_null_may_be_absent_but_is_nothing_else(self):
        want = {"ExecutionStatus": "SUCCEEDED", "Result": None}
        self.assertIsNone(match_result(want, {"Status": "SUCCEEDED"}))
        self.assertIsNone(match_result(want, {"Status": "SUCCEEDED", "Result": "null"}))
        self.assertIsNotNone(match_result(want, {"Status": "SUCCEEDED", "Result": "0"}))

    def test_log_lines_are_counted(self):
        want = [{"match": {"message": "/ab+/"}, "count": 1}]
        self.assertIsNone(match_logs(want, [{"message": "xabbx"}, {"message": "b"}]))
        self.assertIsNotNone(match_logs(want, []))
        self.assertIsNotNone(match_logs(want, [{"message": "ab"}, {"message": "ab"}]))


def payload(text):
    return {"Payload": text, "Truncated": False}


def sample():
    """A lawful history with a retried step in a context, a wait, and an end."""
    rows = [
        ("ExecutionStarted", "x", {"Input": payload("1"), "ExecutionTimeout": 9}, None),
        ("ContextStarted", "c", {}, None),
        ("StepStarted", "s", {}, "c"),
        ("StepFailed", "s", {"Error": {}, "RetryDetails": {
            "CurrentAttempt": 1, "NextAttemptDelaySeconds": 1}}, "c"),
        ("InvocationCompleted", None,
         {"StartTimestamp": 1, "EndTimestamp": 2, "RequestId": "r"}, None),
        ("StepStarted", "s", {}, "c"),
        ("StepSucceeded", "s", {"Result": payload("2"),
                                "RetryDetails": {"CurrentAttempt": 2}}, "c"),
        ("ContextSucceeded", "c", {"Result": payload("2")}, None),
        ("WaitStarted", "w", {"Duration": 1, "ScheduledEndTimestamp": 5}, None),
        ("WaitSucceeded", "w", {"Duration": 1}, None),
        ("InvocationCompleted", None,
         {"StartTimestamp": 1, "EndTimestamp": 2, "RequestId": "r"}, None),
        ("ExecutionSucceeded", "x", {"Result": payload("2")}, None),
    ]
    events = []
    for i, (kind, op_id, details, parent) in enumerate(rows, 1):
        event = {"EventId": i, "EventType": kind, "EventTimestamp": 100.5 + i,
                 kind + "Details": details}
        event.update({"Id": op_id} if op_id else {})
        event.update({"ParentId": parent} if parent else {})
        events.append(event)
    return events


def renumber(events):
    for i, event in enumerate(events, 1):
        event["EventId"] = i
        event["EventTimestamp"] = 100.5 + i
    return events


class LawsTest(unittest.TestCase):
    def broken(self, events, status="SUCCEEDED"):
        self.assertIsNotNone(laws.check_history(events, status))

    def test_a_lawful_history_passes(self):
        self.assertIsNone(laws.check_history(sample(), "SUCCEEDED"))

    def test_a_gap_is_found(self):
        for i in range(len(sample())):
            events = sample()
            del events[i]
            self.broken(events)

    def test_a_repeated_event_is_found(self):
        for i in range(len(sample())):
            events = sample()
            if events[i]["EventType"] == "InvocationCompleted":
                continue  # two invocations may well follow each other
            self.broken(renumber(events[: i + 1] + copy.deepcopy(events[i:])))

    def test_an_event_after_the_end_is_found(self):
        events = sample()
        self.broken(renumber(events + [copy.deepcopy(events[4])]))

    def test_a_missing_end_is_found(self):
        self.broken(sample()[:-1])
        self.broken(sample(), "RUNNING")
        self.broken(sample(), "FAILED")

    def test_missing_foreign_and_second_details_are_found(self):
        for i, event in enumerate(sample()):
            events = sample()
            del events[i][event["EventType"] + "Details"]
            self.broken(events)
            events = sample()
            events[i]["OtherDetails"] = {}
            self.broken(events)
            events = sample()
            events[i][event["EventType"] + "Details"] = None
            self.broken(events)

    def test_missing_members_of_details_are_found(self):
        for i, event in enumerate(sample()):
            for member in laws.DETAILS[event["EventType"]]:
                events = sample()
                del events[i][event["EventType"] + "Details"][member]
                self.broken(events)

    def test_an_operation_that_never_started_is_found(self):
        events = sample()
        del events[8]
        self.broken(renumber(events))

    def test_an_unknown_context_is_found(self):
        events = sample()
        events[2]["ParentId"] = "nowhere"
        self.broken(events)

    def test_an_event_after_the_operation_ended_is_found(self):
        events = sample()
        del events[6]["StepSucceededDetails"]["RetryDetails"]["CurrentAttempt"]
        events.insert(8, copy.deepcopy(events[5]))
        self.broken(renumber(events))

    def test_time_that_runs_backwards_is_found(self):
        events = sample()
        events[3]["EventTimestamp"] = 1
        self.broken(events)


if __name__ == "__main__":
    unittest.main()
