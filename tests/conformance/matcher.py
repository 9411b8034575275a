"""Compares what a requirement expects with what a daemon answered.

    '*'         anything, also nothing
    {}          don't care, also absent
    ${/re/}     a regular expression, searched in the text of the value
    ${ID1}      binds to a present value on first use, must equal it everywhere after
    map         a subset: what is not named is not judged
    the rest    equality

Each comparison answers None or the first difference as a sentence.
"""

import json
import random
import re
import string

GENERATE = re.compile(r"^\$\{GEN_STR:(\d+)\}$")
NAME = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
REGEX = re.compile(r"^\$\{/(.*)/\}$", re.DOTALL)
LOG_REGEX = re.compile(r"^/(.*)/$", re.DOTALL)


def generate(variables, rng=random):
    """The values of `Variables`: a ${GEN_STR:N} becomes N random letters and digits."""
    values = {}
    for name, text in (variables or {}).items():
        found = GENERATE.match(str(text))
        if found:
            alphabet = string.ascii_letters + string.digits
            text = "".join(rng.choice(alphabet) for _ in range(int(found.group(1))))
        values[name] = text
    return values


def substitute(value, variables):
    """`value` with every ${NAME} of `variables` replaced; other ${…} stay."""
    if isinstance(value, dict):
        return {key: substitute(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [substitute(item, variables) for item in value]
    if isinstance(value, str):
        return NAME.sub(lambda m: str(variables.get(m.group(1), m.group(0))), value)
    return value


class Absent:
    def __repr__(self):
        return "absent"


ABSENT = Absent()


class Matcher:
    """Holds the bindings of one requirement."""

    def __init__(self):
        self.bound = {}

    def match(self, expected, actual, where=""):
        if expected == "*" or expected == {}:
            return None
        if isinstance(expected, str) and expected.startswith("${"):
            return self._match_mark(expected, actual, where)
        if isinstance(expected, dict):
            return self._match_map(expected, actual, where)
        if isinstance(expected, list):
            return self._match_list(expected, actual, where)
        if is_equal(expected, actual):
            return None
        return f"{where}: expected {expected!r}, got {actual!r}"

    def _match_mark(self, expected, actual, where):
        if actual is ABSENT or actual is None:
            return f"{where}: expected {expected}, got {actual!r}"
        regex = REGEX.match(expected)
        if regex:
            if re.search(regex.group(1), str(actual)):
                return None
            return f"{where}: expected /{regex.group(1)}/, got {actual!r}"
        bound = self.bound.setdefault(expected, actual)
        if is_equal(bound, actual):
            return None
        return f"{where}: {expected} is {bound!r} elsewhere, got {actual!r}"

    def _match_map(self, expected, actual, where):
        if not isinstance(actual, dict):
            return f"{where}: expected a map, got {actual!r}"
        for key, item in expected.items():
            difference = self.match(item, actual.get(key, ABSENT), f"{where}.{key}")
            if difference:
                return difference
        return None

    def _match_list(self, expected, actual, where):
        if not isinstance(actual, list) or len(actual) != len(expected):
            return f"{where}: expected {expected!r}, got {actual!r}"
        for i, item in enumerate(expected):
            difference = self.match(item, actual[i], f"{where}[{i}]")
            if difference:
                return difference
        return None


def is_equal(expected, actual):
    """Equality that does not take True for 1; an expected null may be absent."""
    if expected is None:
        return actual is None or actual is ABSENT
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    return expected == actual


def match_history(expected, actual, matcher=None):
    """Pairs events by EventId; further actual events are allowed."""
    matcher = matcher or Matcher()
    by_id = {event.get("EventId"): event for event in actual}
    for want in expected or []:
        event_id = want["EventId"]
        got = by_id.get(event_id)
        if got is None:
            return f"event {event_id} ({want['EventType']}) is missing"
        difference = matcher.match(want, got, f"event {event_id}")
        if difference:
            return difference
    return None


def match_result(expected, execution):
    """`Result` is a value to find in the JSON text, or that text itself."""
    want = expected.get("ExecutionStatus")
    if want is not None and execution.get("Status") != want:
        return f"status: expected {want}, got {execution.get('Status')}" + reason(execution)
    if "Result" not in expected:
        return None
    text = execution.get("Result")
    if text is None or text == "":
        if expected["Result"] is None:
            return None
        return f"result: expected {expected['Result']!r}, got none"
    try:
        value = json.loads(text)
    except ValueError:
        return f"result: not JSON: {text!r}"
    if text == expected["Result"]:
        return None
    return Matcher().match(expected["Result"], value, "result")


def reason(execution):
    error = execution.get("Error")
    return f" with {json.dumps(error)}" if error else ""


def match_logs(expected, lines):
    """Each entry wants `count` lines all of whose named members match."""
    for want in expected or []:
        count = sum(1 for line in lines if log_matches(want["match"], line))
        if count != want["count"]:
            return f"log: {want['match']} found {count} times, expected {want['count']}"
    return None


def log_matches(match, line):
    for key, text in match.items():
        regex = LOG_REGEX.match(text)
        value = str(line.get(key, ""))
        if regex and not re.search(regex.group(1), value):
            return False
        if not regex and text != value:
            return False
    return True
