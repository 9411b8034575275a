"""The judge of examples/audit finds what it is there to find: each story has one fault."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

JUDGE = sys.argv.pop(1)
LEDGER = [(1000, "start", "list-packages"), (1001, "done", "list-packages"),
          (1002, "start", "bash"), (1050, "start", "bash"), (1060, "done", "bash"),
          (1070, "start", "report"), (1071, "done", "report")]
HISTORY = [(1001, "list-packages"), (1061, "bash"), (1072, "report")]


def verdict(ledger, history, kills=1, ids=None):
    with tempfile.TemporaryDirectory() as place:
        lines, events = os.path.join(place, "ledger"), os.path.join(place, "history")
        with open(lines, "w", encoding="utf-8") as file:
            file.writelines(f"{time} {word} {name}\n" for time, word, name in ledger)
        with open(events, "w", encoding="utf-8") as file:
            json.dump({"Events": [
                {"EventId": n, "EventType": "StepSucceeded", "EventTimestamp": time / 1000,
                 "Name": name} for n, (time, name) in zip(ids or (1, 2, 3, 4), history)]}, file)
        return subprocess.run([sys.executable, JUDGE, lines, events, str(kills), "4"],
                              stdout=subprocess.DEVNULL, check=False).returncode


class Judge(unittest.TestCase):
    def test_a_step_cut_off_by_a_kill_may_run_again(self):
        self.assertEqual(verdict(LEDGER, HISTORY), 0)

    def test_a_step_that_runs_after_its_success_is_found(self):
        self.assertEqual(verdict(LEDGER + [(1080, "start", "bash")], HISTORY), 1)

    def test_a_step_that_succeeded_twice_is_found(self):
        self.assertEqual(verdict(LEDGER, HISTORY + [(1090, "bash")]), 1)

    def test_a_step_that_never_ran_is_found(self):
        self.assertEqual(verdict(LEDGER[:5], HISTORY), 1)

    def test_a_step_that_the_history_has_lost_is_found(self):
        self.assertEqual(verdict(LEDGER, HISTORY[:2]), 1)

    def test_a_step_that_is_not_known_to_have_ended_is_found(self):
        self.assertEqual(verdict(LEDGER[:-1], HISTORY), 1)

    def test_repetitions_without_a_kill_are_found(self):
        self.assertEqual(verdict(LEDGER, HISTORY, kills=0), 1)

    def test_a_gap_between_event_ids_is_found(self):
        self.assertEqual(verdict(LEDGER, HISTORY, ids=(1, 2, 4)), 1)

    def test_an_empty_history_is_no_success(self):
        self.assertEqual(verdict([], []), 1)


if __name__ == "__main__":
    unittest.main()
