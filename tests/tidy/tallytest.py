#!/usr/bin/env python3
"""What tests/tally.py makes of suites that pass, fail, fall over, or say nothing."""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

TALLY = Path(__file__).resolve().parent.parent / "tally.py"


def entry(result, stdout="", stderr=""):
    return json.dumps({"name": "x", "result": result, "stdout": stdout, "stderr": stderr}) + "\n"


TWO_OK = "[       OK ] test_a\n[       OK ] test_b\n"
ONE_BAD = "[  FAILED  ] test_c\n[  FAILED  ] 1 test(s), listed below:\n[  FAILED  ] test_c\n"

# (file, content or None for a file that is not there, status, closing line, exit)
CASES = [
    ("a.json", entry("OK", TWO_OK), 0, "2 passed, 0 failed, 0 skipped", 0),
    ("a.json", entry("OK"), 0, "1 passed, 0 failed, 0 skipped", 0),
    ("a.json", entry("FAIL", TWO_OK, ONE_BAD), 1, "2 passed, 1 failed, 0 skipped", 1),
    ("a.json", entry("FAIL", TWO_OK), 1, "2 passed, 1 failed, 0 skipped", 1),
    ("a.json", entry("TIMEOUT"), 1, "0 passed, 1 failed, 0 skipped", 1),
    ("a.json", entry("OK") + entry("SKIP"), 0, "1 passed, 0 failed, 1 skipped", 0),
    ("a.json", entry("OK"), 1, "1 passed, 1 failed, 0 skipped", 1),
    ("a.json", None, 1, "0 passed, 1 failed, 0 skipped", 1),
    ("a.json", "", 0, "0 passed, 0 failed, 0 skipped", 1),
    ("a.log", "x\n3 passed, 0 failed, 2 skipped\n", 0, "3 passed, 0 failed, 2 skipped", 0),
    ("a.log", "1 passed, 1 failed\n3 passed, 0 failed\n", 0, "3 passed, 0 failed, 0 skipped", 0),
    ("a.log", "3 passed, 2 failed\n", 1, "3 passed, 2 failed, 0 skipped", 1),
    ("a.log", "3 passed, 0 failed\n", 2, "3 passed, 1 failed, 0 skipped", 1),
    ("a.log", "Traceback\n", 1, "0 passed, 1 failed, 0 skipped", 1),
    ("a.log", "all is well\n", 0, "0 passed, 1 failed, 0 skipped", 1),
    ("a.log", None, 0, "0 passed, 1 failed, 0 skipped", 1),
]


def run_case(directory, name, content, status):
    path = Path(directory) / name
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_text(content)
    done = subprocess.run([sys.executable, TALLY, f"{path}={status}"], capture_output=True,
                          text=True, check=False)
    return done.stdout.splitlines()[-1], done.returncode


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as directory:
        for name, content, status, closing, code in CASES:
            found = run_case(directory, name, content, status)
            if found != (closing, code):
                failed += 1
                print(f"{content!r}={status}: expected {(closing, code)}, found {found}")
    print(f"{len(CASES)} cases, {failed} summed up wrongly")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
