#!/usr/bin/env python3
"""Adds up what the suites of a run found.

Usage: tally.py FILE...   a meson testlog.json, or the output of any other suite, whose
                          last `N passed, N failed[, N skipped]` counts. A file named
                          FILE=STATUS comes from a suite that ended with that status.

Prints a line for each suite, and at its end `N passed, N failed, N skipped` alone.
Exits 1 if anything failed, or if nothing was tested at all.
"""
import json
import re
import sys
from pathlib import Path

CLOSING = re.compile(r"^\s*(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*$", re.M)
OK = re.compile(r"^\[ +OK +\] ", re.M)
FAILED = re.compile(r"^\[ +FAILED +\] (test_\w+)", re.M)
SKIPPED = re.compile(r"^\[ +SKIPPED +\] (test_\w+)", re.M)


def count_program(entry):
    """One test program: by the sentences that cmocka printed, if it did."""
    text = entry.get("stdout", "") + entry.get("stderr", "")
    passed, skipped = len(OK.findall(text)), len(set(SKIPPED.findall(text)))
    failed = len(set(FAILED.findall(text)))
    if entry["result"] == "SKIP":
        return 0, 0, max(1, skipped)
    if entry["result"] in ("OK", "EXPECTEDFAIL"):
        return max(1, passed), 0, skipped
    return passed, max(1, failed), skipped


def count_meson(text):
    entries = [json.loads(line) for line in text.splitlines() if line.strip()]
    counts = [count_program(entry) for entry in entries]
    return tuple(sum(column) for column in zip(*counts)) if counts else (0, 0, 0)


def count_suite(text, status):
    """A suite that fell over, or that says nothing of its count, is one failure."""
    found = CLOSING.findall(text)
    passed, failed, skipped = (int(n or 0) for n in found[-1]) if found else (0, 0, 0)
    if (status != 0 or not found) and failed == 0:
        failed = 1
    return passed, failed, skipped


def count_file(argument):
    name, _, status = argument.partition("=")
    path = Path(name)
    text = path.read_text(errors="replace") if path.is_file() else ""
    if path.suffix != ".json":
        return path.stem, count_suite(text, int(status or 0))
    passed, failed, skipped = count_meson(text)
    if int(status or 0) != 0 and failed == 0:
        failed = 1
    return "unit", (passed, failed, skipped)


def main():
    totals = [0, 0, 0]
    for argument in sys.argv[1:]:
        name, counts = count_file(argument)
        print(f"{name:<12} {counts[0]:>7} passed {counts[1]:>5} failed {counts[2]:>5} skipped")
        totals = [a + b for a, b in zip(totals, counts)]
    print(f"{totals[0]} passed, {totals[1]} failed, {totals[2]} skipped", flush=True)
    return 0 if totals[1] == 0 and totals[0] > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
