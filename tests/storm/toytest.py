#!/usr/bin/python3
"""The whole storm against the toy: a right one passes it, each planted bug is caught."""

import concurrent.futures
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "harness")]

from storm import AIMED, CONTROLS  # noqa: E402  pylint: disable=wrong-import-position

KILLS = 10


def make_build(root):
    """A directory that looks like a build whose daemon is the toy."""
    os.makedirs(os.path.join(root, "invoke"))
    os.makedirs(os.path.join(root, "tests", "storm"))
    program = os.path.join(root, "invoke", "pawl")
    with open(program, "w", encoding="ascii") as file:
        file.write(f"#!/bin/sh\nexec {sys.executable} {HERE}/toy.py \"$@\"\n")
    os.chmod(program, 0o755)
    for name in ("storm_worker", "storm_forger"):
        with open(os.path.join(root, "tests", "storm", name), "wb") as file:
            file.write(b"the toy has its own")


def storm(control=None):
    with tempfile.TemporaryDirectory() as root:
        make_build(root)
        command = [sys.executable, os.path.join(HERE, "run"), "--build", root, "--kills",
                   str(KILLS), "--batch", "6", "--seed", "1", "--open-max", "16", "--quiet", "8",
                   "--scratch", os.path.join(root, "scratch")]
        command += ["--control", control] + AIMED.get(control, []) if control else []
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        return done.returncode, done.stdout


class ToyTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """All at once: they mostly wait."""
        controls = (None, *CONTROLS)
        with concurrent.futures.ThreadPoolExecutor(len(controls)) as pool:
            cls.runs = dict(zip(controls, pool.map(storm, controls)))

    def caught(self, control, *names):
        code, output = self.runs[control]
        self.assertEqual(code, 1, output)
        self.assertTrue(any(f"FAIL {name}:" in output for name in names), output)

    def test_a_right_daemon_passes(self):
        code, output = self.runs[None]
        self.assertEqual(code, 0, output)
        self.assertRegex(output, "daemon +at a point +[1-9]")

    def test_answers_before_the_commit_are_caught(self):
        self.caught("answer-first", "starts", "callbacks", "reads", "checkpoints", "re-runs")

    def test_refusals_of_uncommitted_state_are_caught(self):
        self.caught("uncommitted-refusal", "names", "callbacks")

    def test_dropped_timers_are_caught(self):
        self.caught("drop-due", "timers lost")

    def test_a_second_attempt_beside_the_first_is_caught(self):
        self.caught("skip-token", "overlaps", "at-most-once")


if __name__ == "__main__":
    unittest.main()
