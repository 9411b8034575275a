"""One file of tests, for `run`: onefile.py NAME REPORT [WORD...]

Prints a line for each test, in the form that the runner counts, and writes the counts and
the operations that were driven to the file REPORT.
"""

import json
import os
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "harness")]


class Lines(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}
        self.started = 0.0
        self.has_subtest_failed = False

    def startTest(self, test):
        super().startTest(test)
        self.started = time.monotonic()
        self.has_subtest_failed = False

    def say(self, mark, test, text="", kind=None):
        name = test.id().split(".", 1)[-1].replace(".", ": ")
        if not getattr(test, "_testMethodName", "").startswith("test_"):
            name = "test_" + name  # a class that could not be set up
        else:
            name = test._testMethodName  # pylint: disable=protected-access
        seconds = time.monotonic() - self.started
        print(f"[{mark}] {name} ({seconds:.1f} s){text}", flush=True)
        if kind:
            self.counts[kind] += 1

    def addSuccess(self, test):
        super().addSuccess(test)
        if not self.has_subtest_failed:
            self.say("       OK ", test, kind="passed")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.say("  FAILED  ", test, "\n" + self.failures[-1][1], "failed")

    def addError(self, test, err):
        super().addError(test, err)
        self.say("  FAILED  ", test, "\n" + self.errors[-1][1], "failed")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            text = (self.failures + self.errors)[-1][1]
            kind = None if self.has_subtest_failed else "failed"
            self.has_subtest_failed = True
            self.say("  FAILED  ", test, f" {subtest._subDescription()}\n{text}", kind)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.say("  SKIPPED ", test, ": " + reason, "skipped")

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self.say("  SKIPPED ", test, ": fails as known", "skipped")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.say("  FAILED  ", test, ": it is marked as failing, and passes", "failed")


def chosen(suite, words):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from chosen(test, words)
        elif not words or any(word in test.id() for word in words):
            yield test


def main():
    name, report, words = sys.argv[1], sys.argv[2], sys.argv[3:]
    del sys.argv[1:]
    result = Lines()
    module = __import__(name[:-len(".py")])
    suite = unittest.TestSuite(chosen(unittest.defaultTestLoader.loadTestsFromModule(module),
                                      words))
    suite.run(result)
    case = sys.modules.get("case")
    driven = case.DRIVEN if case else {}
    with open(report, "w", encoding="ascii") as file:
        json.dump(dict(result.counts, driven={str(key): sorted(value)
                                              for key, value in driven.items()}), file)


if __name__ == "__main__":
    main()
