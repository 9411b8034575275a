"""What a daemon built with a sanitizer says of itself, in the middle of its log."""

import json
import os
import re

REPORT = re.compile(rb"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|: runtime error: |"
                    rb"\w+Sanitizer has encountered a fatal error")


def is_report(line):
    return REPORT.search(line) is not None


def find_reports(log):
    """The first line of each report in these bytes."""
    return [line.decode("utf-8", "replace") for line in log.splitlines() if is_report(line)]


def sanitize_of(build):
    """The build's `b_sanitize`: none, thread, or address,undefined."""
    with open(os.path.join(build, "meson-info", "intro-buildoptions.json"),
              encoding="utf-8") as file:
        return next(found["value"] for found in json.load(file) if found["name"] == "b_sanitize")
