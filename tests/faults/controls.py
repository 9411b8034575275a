"""The sweep is tested too: bugs and lies are planted, and each must be found.

    controls.py BUILD

What a call is made to do, or what the daemon is made to overlook, stands beside the words
by which the sweep must report it."""

import os
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import story  # noqa: E402
from fault import Fault  # noqa: E402
from plan import TABLE, choose, make_plan, numbers  # noqa: E402
from story import Place, run_story  # noqa: E402

BUILD = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "build"
LIBRARY = os.path.join(BUILD, "tests", "faults", "libpawl_faults.so")
LOG = "log/data.mdb"
CGROUPS = "/sys/fs/cgroup"

story.ANSWER_S = 5  # a hang is planted too; and nothing here is slow otherwise
story.END_S = 15
story.DRAIN_S = 15


class ControlTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp(prefix="pawl-controls-")
        cls.place = Place(BUILD, os.path.join(cls.root, "place"))
        cls.place.prepare()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.root)

    def found(self, words, fault, **more):
        result = run_story(self.place, LIBRARY, Fault(*fault), **more)
        self.assertTrue(result.is_delivered, "the fault never came about")
        self.assertTrue(any(words in text for text in result.violations),
                        f"not reported as '{words}': {result.violations}")

    def test_nothing_is_found_where_nothing_is_planted(self):
        result = run_story(self.place, LIBRARY)
        self.assertEqual(result.violations, [])
        self.assertGreater(result.judged, 100)
        self.assertEqual(result.outcome(), "not met")

    def test_a_fault_that_never_comes_is_not_a_pass(self):
        result = run_story(self.place, LIBRARY, Fault("serve", "pwrite", 1000000, "EIO"))
        self.assertEqual(result.outcome(), "not met")

    def found_in_one(self, numbers, how, **more):
        """Not every write holds something that was promised to somebody: one of these does."""
        for number in numbers:
            result = run_story(self.place, LIBRARY, Fault("serve", "pwrite", number, how, LOG),
                               is_killed=True, **more)
            if result.violations:
                return
        self.fail("writes were lost, and nobody missed anything")

    def test_writes_that_are_dropped_are_found(self):
        self.found_in_one(range(12, 32, 4), "lie")

    def test_a_commit_error_that_is_ignored_is_found(self):
        self.found_in_one(range(20, 36, 2), "EIO", plant="ignore-commit")

    @unittest.skipUnless(os.access(CGROUPS, os.W_OK), "no control groups of our own")
    def test_a_control_group_that_stays_is_found(self):
        self.found("left behind", ("launcher", "rmdir", 1, "lie"))

    def test_a_child_that_nobody_asks_for_is_found(self):
        self.found("", ("launcher", "wait", 2, "lie"))

    def test_a_hang_is_found(self):
        self.found("no definite answer", ("serve", "fdatasync", 12, "stall"))

    def test_a_crash_is_found(self):
        self.found("ended with -6", ("serve", "pwrite", 60, "abort"))

    def test_an_end_without_a_sentence_is_found(self):
        self.found("no sentence", ("serve", "pwrite", 60, "EIO"), plant="mute")


class PlanTest(unittest.TestCase):
    def test_the_first_calls_are_all_taken_and_later_ones_sampled(self):
        self.assertEqual(numbers(3, 5, 2), [1, 2, 3])
        self.assertEqual(numbers(100, 3, 2), [1, 2, 3, 35, 68])
        self.assertEqual(numbers(0, 5, 2), [])

    def test_a_choice_has_something_of_each_call(self):
        counts = {(role, call): 50 for role, row in TABLE.items() for call in row}
        plan = make_plan(counts, 10, 5)
        self.assertEqual(len(plan), len(set(plan)))
        chosen = choose(plan, len(counts), 1)
        self.assertEqual({(fault.role, fault.call) for fault in chosen}, set(counts))


if __name__ == "__main__":
    unittest.main(verbosity=2)
