#!/usr/bin/python3
"""The checker and the ledger are tested with made-up stories: the right one passes, and
each kind of loss, repetition, haste and overlap that the storm looks for is found."""

import copy
import os
import socket
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "harness")]

# pylint: disable=wrong-import-position
import checker  # noqa: E402
from entries import Entry, format_line, parse_line, read_ledger  # noqa: E402
from ledger import Notes  # noqa: E402

ARN = "arn:x"
MS = 1_000_000


def event(kind, op_id=None, name=None, seconds=0.0, **details):
    made = {"EventType": kind, "EventTimestamp": 1000.0 + seconds, kind + "Details": details}
    made.update({"Id": op_id} if op_id else {})
    made.update({"Name": name} if name else {})
    return made


def result(text):
    return {"Payload": text, "Truncated": False}


def completed(seconds):
    return event("InvocationCompleted", seconds=seconds, StartTimestamp=1, EndTimestamp=2,
                 RequestId="r")


def story():
    """A step, a wait of 1 s, a retried at-most-once step, a callback."""
    events = [
        event("ExecutionStarted", "x", Input=result("{}"), ExecutionTimeout=9),
        event("StepStarted", "1", "s0"),
        event("StepSucceeded", "1", "s0", Result=result('"n0"'),
              RetryDetails={"CurrentAttempt": 1}),
        event("WaitStarted", "2", "w1", 0.1, Duration=1, ScheduledEndTimestamp=1001.1),
        completed(0.2),
        event("WaitSucceeded", "2", "w1", 1.1, Duration=1),
        event("StepStarted", "3", "a2", 1.2),
        event("StepFailed", "3", "a2", 1.3, Error={},
              RetryDetails={"CurrentAttempt": 1, "NextAttemptDelaySeconds": 1}),
        completed(1.4),
        event("StepStarted", "3", "a2", 2.3),
        event("StepSucceeded", "3", "a2", 2.4, Result=result('"n2"'),
              RetryDetails={"CurrentAttempt": 2}),
        event("CallbackStarted", "4", "c3", 2.5, CallbackId="CB"),
        completed(2.6),
        event("CallbackSucceeded", "4", "c3", 2.7, Result=result('"p1"')),
        completed(2.8),
        event("ExecutionSucceeded", "x", None, 2.8,
              Result=result('{"steps":{"s0":"n0","a2":"n2"}}')),
    ]
    for i, made in enumerate(events, 1):
        made["EventId"] = i
    execution = {"Status": "SUCCEEDED", "Result": '{"steps":{"s0":"n0","a2":"n2"}}'}
    return [list(row) for row in LEDGER], {ARN: (execution, events)}


LEDGER = [  # ms, kind, arn, op, attempt, invocation, extra
    (0, "ask-start", "", "e1", 0, "", "h1"),
    (1, "ack-start", ARN, "e1", 0, "", "h1"),
    (2, "enter", ARN, "", 0, "i1", ""),
    (3, "start", ARN, "s0", 1, "i1", "least"),
    (4, "done", ARN, "s0", 1, "i1", "n0"),
    (5, "before", ARN, "w1", 0, "i1", "1"),
    (6, "leave", ARN, "", 0, "i1", ""),
    (7, "seen", ARN, "3", 0, "", "DIGEST3"),
    (1100, "enter", ARN, "", 0, "i2", ""),
    (1101, "before", ARN, "w1", 0, "i2", "1"),
    (1102, "after", ARN, "w1", 0, "i2", "1"),
    (1103, "start", ARN, "a2", 1, "i2", "once"),
    (2200, "enter", ARN, "", 0, "i3", ""),
    (2201, "start", ARN, "a2", 2, "i3", "once"),
    (2202, "done", ARN, "a2", 2, "i3", "n2"),
    (2203, "callback", ARN, "c3", 0, "i3", "CB"),
    (2204, "leave", ARN, "", 0, "i3", ""),
    (2300, "ask-callback", ARN, "CB", 0, "", '"p1"'),
    (2301, "ack-callback", ARN, "CB", 0, "", '"p1"'),
    (2302, "ask-event", "", "v1", 0, "", ""),
    (2303, "ack-event", "", "v1", 0, "", ""),
    (2304, "event", "", "v1", 0, "", ""),
    (2400, "conflict", "", "e1", 0, "", "h2"),
    (2500, "ack-stop", ARN, "", 0, "", "SUCCEEDED"),
]


def judge(rows, executions):
    entries = []
    digest = checker.digest_of(story()[1][ARN][1][:3])
    for seq, (at, *fields) in enumerate(rows, 1):
        fields[-1] = digest if fields[-1] == "DIGEST3" else fields[-1]
        entries.append(Entry(seq, at * MS, 1, *fields))
    return checker.check(entries, executions)


def after(rows, kind, op):
    return next(i for i, row in enumerate(rows) if row[1] == kind and row[3] == op) + 1


class CheckerTest(unittest.TestCase):
    def found(self, rows, executions, name):
        report = judge(rows, executions)
        self.assertTrue(report.violations[name], f"{name} not found: {report.violations}")

    def setUp(self):
        self.rows, self.executions = story()
        self.execution, self.events = self.executions[ARN]

    def renumber(self):
        for i, made in enumerate(self.events, 1):
            made["EventId"] = i

    def test_the_right_story_passes_and_everything_is_examined(self):
        report = judge(self.rows, self.executions)
        self.assertEqual(report.counts()[1], 0, report.violations)
        for name in checker.CHECKS:
            if name != "oddities":
                self.assertGreater(report.examined[name], 0, name)

    def test_a_lost_start_is_found(self):
        self.found(self.rows, {ARN: None}, "starts")
        self.found(self.rows, {ARN: None}, "histories")

    def test_a_second_execution_of_a_name_is_found(self):
        self.rows.append([2600, "ack-start", "arn:y", "e1", 0, "", "h1"])
        self.executions["arn:y"] = copy.deepcopy(self.executions[ARN])
        self.found(self.rows, self.executions, "names")

    def test_a_name_refused_as_taken_and_then_given_is_found(self):
        self.rows.append([2600, "conflict", "", "e1", 0, "", "h1"])
        self.found(self.rows, self.executions, "names")
        self.rows[-1] = [2600, "conflict", "", "e9", 0, "", "h1"]
        self.found(self.rows, self.executions, "names")

    def test_a_lost_callback_is_found(self):
        self.events[11]["CallbackStartedDetails"]["CallbackId"] = "other"
        self.found(self.rows, self.executions, "callbacks")

    def test_a_lost_or_changed_completion_is_found(self):
        self.events[13]["CallbackSucceededDetails"]["Result"] = result('"p9"')
        self.found(self.rows, self.executions, "callbacks")
        del self.events[13]
        self.found(self.rows, self.executions, "callbacks")

    def test_a_completion_that_nobody_asked_for_is_found(self):
        del self.rows[17:19]
        self.found(self.rows, self.executions, "callbacks")

    def test_a_callback_closed_and_then_accepted_is_found(self):
        at = after(self.rows, "callback", "c3")
        self.rows.insert(at, [2204, "closed-callback", ARN, "CB", 0, "", ""])
        self.found(self.rows, self.executions, "callbacks")

    def test_a_refusal_after_the_completion_is_right(self):
        self.rows.append([2600, "ask-callback", ARN, "CB", 0, "", '"p2"'])
        self.rows.append([2601, "closed-callback", ARN, "CB", 0, "", ""])
        self.assertEqual(judge(self.rows, self.executions).counts()[1], 0)

    def test_a_callback_accepted_twice_is_found(self):
        self.rows.append([2600, "ack-callback", ARN, "CB", 0, "", '"p1"'])
        self.found(self.rows, self.executions, "callbacks")

    def test_a_callback_that_the_daemon_forgot_is_found(self):
        self.rows.append([2600, "lost-callback", ARN, "CB", 0, "", ""])
        self.found(self.rows, self.executions, "callbacks")

    def test_a_lost_event_is_found(self):
        self.rows = [row for row in self.rows if row[1] != "event"]
        self.found(self.rows, self.executions, "events")

    def test_an_undone_stop_is_found(self):
        self.rows[-1][-1] = "STOPPED"
        self.found(self.rows, self.executions, "stops")

    def test_a_read_that_was_undone_is_found(self):
        self.events[2]["EventTimestamp"] += 0.0001
        self.found(self.rows, self.executions, "reads")

    def test_a_lost_checkpoint_is_found(self):
        self.events[2]["StepSucceededDetails"]["Result"] = result('"n9"')
        self.found(self.rows, self.executions, "checkpoints")
        del self.events[1:3]
        self.renumber()
        self.found(self.rows, self.executions, "checkpoints")

    def test_a_result_of_no_run_is_found(self):
        self.rows[14][-1] = "n8"
        self.found(self.rows, self.executions, "checkpoints")

    def test_a_completed_step_that_runs_again_is_found(self):
        at = after(self.rows, "after", "w1")
        self.rows.insert(at, [1102, "start", ARN, "s0", 1, "i2", "least"])
        self.found(self.rows, self.executions, "re-runs")

    def test_an_unanswered_step_may_run_again(self):
        at = after(self.rows, "done", "s0")
        again = [[5, "enter", ARN, "", 0, "i1b", ""],
                 [5, "start", ARN, "s0", 1, "i1b", "least"],
                 [5, "done", ARN, "s0", 1, "i1b", "n0"],
                 [5, "before", ARN, "w1", 0, "i1b", "1"]]
        self.rows[at:at + 1] = again
        self.assertEqual(judge(self.rows, self.executions).counts()[1], 0)

    def test_an_at_most_once_attempt_that_starts_twice_is_found(self):
        at = after(self.rows, "start", "a2")
        self.rows.insert(at, [1104, "start", ARN, "a2", 1, "i2b", "once"])
        self.found(self.rows, self.executions, "at-most-once")

    def test_attempts_that_go_back_are_found(self):
        at = after(self.rows, "done", "a2")
        self.rows.insert(at, [2203, "start", ARN, "a2", 1, "i4", "least"])
        self.found(self.rows, self.executions, "attempts")

    def test_what_never_ends_is_found(self):
        del self.events[-1]
        self.execution["Status"] = "RUNNING"
        self.found(self.rows, self.executions, "timers lost")

    def test_a_wait_that_never_fired_is_found(self):
        del self.events[5]
        self.renumber()
        self.found(self.rows, self.executions, "timers lost")

    def test_early_timers_are_found(self):
        self.events[5]["EventTimestamp"] = 1001.099
        self.found(self.rows, self.executions, "timers early")
        self.rows, self.executions = story()
        self.executions[ARN][1][9]["EventTimestamp"] = 1002.299
        self.found(self.rows, self.executions, "timers early")
        self.rows, self.executions = story()
        self.executions[ARN][1][3]["WaitStartedDetails"]["ScheduledEndTimestamp"] = 1001.0
        self.found(self.rows, self.executions, "timers early")

    def test_a_wait_too_short_by_the_ledger_is_found(self):
        for row in self.rows[8:12]:
            row[0] -= 150
        self.found(self.rows, self.executions, "timers early")

    def test_gaps_and_second_ends_are_found(self):
        del self.events[4]
        self.found(self.rows, self.executions, "histories")
        self.rows, self.executions = story()
        events = self.executions[ARN][1]
        events.append(dict(copy.deepcopy(events[-1]), EventId=len(events) + 1))
        self.found(self.rows, self.executions, "histories")

    def test_a_forged_operation_is_found(self):
        self.events[1]["Name"] = "forged"
        self.found(self.rows, self.executions, "histories")

    def test_a_failure_out_of_nothing_is_found(self):
        self.execution["Status"] = "FAILED"
        self.events[-1] = event("ExecutionFailed", "x", None, 2.8, Error={})
        self.events[-1]["EventId"] = len(self.events)
        self.found(self.rows, self.executions, "outcomes")

    def test_a_result_that_differs_from_the_steps_is_found(self):
        self.execution["Result"] = '{"steps":{"s0":"n0","a2":"n1"}}'
        self.found(self.rows, self.executions, "outcomes")

    def test_damaged_values_are_found_and_do_not_end_the_checker(self):
        self.executions[ARN][0]["Result"] = '{"steps":{"s0":,"a2":"n2"}}'
        self.found(self.rows, self.executions, "outcomes")
        self.executions[ARN][1][2]["StepSucceededDetails"]["Result"] = result('"n')
        self.found(self.rows, self.executions, "checkpoints")

    def test_overlaps_and_oddities_are_found(self):
        self.rows.append([2600, "overlap", ARN, "", 0, "i3", "i2"])
        self.rows.append([2600, "odd", ARN, "", 0, "", "strange"])
        self.found(self.rows, self.executions, "overlaps")
        self.found(self.rows, self.executions, "oddities")


class LedgerTest(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.socket = os.path.join(self.scratch.name, "socket")
        self.file = os.path.join(self.scratch.name, "file")
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "ledger.py"),
                                         self.socket, self.file])
        self.speakers = []

    def tearDown(self):
        self.process.kill()
        self.process.wait()
        for notes in self.speakers:
            notes.sock.close()
            notes.file.close()
        self.scratch.cleanup()

    def connect(self):
        end = time.monotonic() + 20
        while True:
            try:
                notes = Notes(self.socket)
                self.speakers.append(notes)
                return notes
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.01)

    def kinds(self):
        return [entry.kind for entry in read_ledger(self.file)]

    def test_a_line_survives_the_round_trip(self):
        self.assertEqual(parse_line("7\t9\t2\t" + format_line("start", ARN, "s0", 3, "i", "t\tt")),
                         Entry(7, 9, 2, "start", ARN, "s0", 3, "i", "t t"))
        self.assertIsNone(parse_line("7\t9\t2\tstart\tx"))

    def test_what_was_answered_is_in_the_file(self):
        notes = self.connect()
        for i in range(20):
            notes.note("ask-start", op=f"e{i}")
        self.assertEqual([entry.op for entry in read_ledger(self.file)],
                         [f"e{i}" for i in range(20)])

    def test_two_living_invocations_overlap(self):
        first, second = self.connect(), self.connect()
        first.note("enter", ARN, invocation="i1")
        second.note("enter", ARN, invocation="i2")
        self.assertEqual(self.kinds(), ["enter", "overlap", "enter"])

    def test_one_that_left_or_died_does_not_overlap(self):
        first, second, third = self.connect(), self.connect(), self.connect()
        first.note("enter", ARN, invocation="i1")
        first.note("leave", ARN, invocation="i1")
        second.note("enter", ARN, invocation="i2")
        second.file.close()
        second.sock.close()
        third.note("enter", ARN, invocation="i3")
        self.assertEqual(self.kinds(), ["enter", "leave", "enter", "enter"])

    def test_the_last_words_of_the_dead_come_before_the_next(self):
        first, second = self.connect(), self.connect()
        first.note("enter", ARN, invocation="i1")
        first.sock.sendall((format_line("start", ARN, "s0", 1, "i1") + "\n").encode())
        first.sock.shutdown(socket.SHUT_RDWR)
        second.note("enter", ARN, invocation="i2")
        self.assertEqual(self.kinds(), ["enter", "start", "enter"])

    def test_callbacks_are_published(self):
        listener, speaker = self.connect(), self.connect()
        listener.sock.settimeout(20)
        lines = listener.subscribe()
        listener.sock.sendall(b"subscribe\n")
        listener.note("ready")  # the subscription has been read before this is answered
        speaker.note("callback", ARN, "c1", 0, "i1", "CB")
        self.assertEqual(next(lines), ["callback", ARN, "c1", "0", "i1", "CB"])


if __name__ == "__main__":
    unittest.main()
