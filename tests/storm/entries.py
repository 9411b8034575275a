"""The lines of the ledger.

A line has nine fields between tabs: number, monotonic ns, connection, kind, execution,
operation, attempt, invocation, extra. The ledger writes the first three, who speaks the
rest; `-` is empty.

    of a function   enter leave start done before after callback event
    of a client     ask-start ack-start conflict ask-callback ack-callback closed-callback
                    lost-callback ask-event ack-event ack-stop seen odd
    of the storm    kill ready
    of the ledger   overlap
"""

import collections
import sys

Entry = collections.namedtuple(
    "Entry", "seq ns conn kind arn op attempt invocation extra", defaults=("", "", 0, "", ""))
FIELDS = 6  # that the speaker writes


def format_line(kind, arn="-", op="-", attempt=0, invocation="-", extra="-"):
    fields = [kind, arn or "-", op or "-", str(attempt), invocation or "-", extra or "-"]
    return "\t".join(field.replace("\t", " ").replace("\n", " ") for field in fields)


def parse_line(line):
    """An Entry, or None for a line that was torn by the speaker's death."""
    fields = line.rstrip("\n").split("\t")
    if len(fields) != FIELDS + 3:
        return None
    seq, ns, conn = (int(field) for field in fields[:3])
    kind, arn, op, attempt, invocation, extra = (
        "" if field == "-" else sys.intern(field) for field in fields[3:])
    return Entry(seq, ns, conn, kind, arn, op, int(attempt or 0), invocation, extra)


def read_ledger(path, offset=0):
    """The entries from a byte on."""
    with open(path, encoding="utf-8", errors="replace") as file:
        file.seek(offset)
        entries = [parse_line(line) for line in file]
    return [entry for entry in entries if entry is not None]
