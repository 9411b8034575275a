"""Compares the ledger with what the daemon says in the end.

Input: the entries of the ledger, and {arn: (execution, events)} of every execution that
the ledger names, None for one that the daemon does not know. No daemon is needed, so that
the checker can be tested with made-up stories.

A step's `done` is *acknowledged* when the same invocation goes on to anything else: the
SDK returns from a step only after the daemon answered its checkpoint. Workflows here are
sequential, so this is exact.
"""

import collections
import json

from laws import check_history

SECOND_NS = 1_000_000_000
CLOCK_NS = 2_000_000  # the daemon counts whole milliseconds

CHECKS = ("starts", "names", "callbacks", "events", "stops", "reads", "checkpoints", "re-runs",
          "at-most-once", "attempts", "timers lost", "timers early", "histories", "outcomes",
          "overlaps", "oddities")
WORKER = {"enter", "leave", "start", "done", "before", "after", "callback"}


class Report:
    def __init__(self):
        self.examined = collections.Counter()
        self.violations = {check: [] for check in CHECKS}

    def judge(self, check, is_right, text):
        self.examined[check] += 1
        if not is_right:
            self.violations[check].append(text)

    def add(self, other):
        self.examined.update(other.examined)
        for name, found in other.violations.items():
            self.violations[name] += found

    def counts(self):
        failed = sum(len(found) for found in self.violations.values())
        return sum(self.examined.values()) - failed, failed


def check(entries, executions):
    report = Report()
    check_starts(report, entries, executions)
    check_callbacks(report, entries, executions)
    check_events(report, entries)
    check_stops(report, entries, executions)
    check_reads(report, entries, executions)
    check_marks(report, entries)
    for arn, found in executions.items():
        check_execution(report, arn, found)
    by_arn = collections.defaultdict(list)
    for entry in entries:
        if entry.kind in WORKER and entry.arn:
            by_arn[entry.arn].append(entry)
    for arn, own in by_arn.items():
        check_steps(report, arn, own, (executions.get(arn) or (None, []))[1])
        check_ledger_timers(report, arn, own)
    return report


# --- what clients were told -----------------------------------------------------------


def check_starts(report, entries, executions):
    acked = {}
    refused = collections.defaultdict(set)
    for entry in entries:
        if entry.kind == "conflict":
            refused[entry.op].add(entry.extra)
        if entry.kind != "ack-start":
            continue
        first = acked.setdefault(entry.op, entry)
        report.judge("starts", executions.get(entry.arn) is not None,
                     f"{entry.op}: acknowledged start of {entry.arn} is lost")
        report.judge("names", (first.arn, first.extra) == (entry.arn, entry.extra),
                     f"{entry.op}: started as {first.arn} and again as {entry.arn}")
    for name, digests in refused.items():
        report.judge("names", name in acked and acked[name].extra not in digests,
                     f"{name}: refused as taken, then accepted")


def check_callbacks(report, entries, executions):
    created, asked, acked, closed = {}, collections.defaultdict(set), {}, {}
    for entry in entries:
        if entry.kind == "callback":
            created[entry.extra] = entry
        elif entry.kind == "ask-callback":
            asked[entry.op].add(entry.extra)
            if entry.op in closed:
                closed[entry.op].append(entry)
        elif entry.kind == "closed-callback":
            closed.setdefault(entry.op, [])
        elif entry.kind == "ack-callback":
            again = entry.op in acked or entry.extra in [e.extra for e in closed.get(entry.op, [])]
            report.judge("callbacks", not again, f"{entry.op}: accepted after it was closed")
            acked[entry.op] = entry
        elif entry.kind == "lost-callback":
            report.judge("callbacks", False, f"{entry.op}: unknown to the daemon")
    for callback_id, entry in created.items():
        check_callback(report, entry, asked[callback_id], acked.get(callback_id),
                       executions.get(entry.arn))


def check_callback(report, created, asked, acked, found):
    """Created: in the history. Acknowledged: with that payload. Else with one asked."""
    events = found[1] if found else []
    op_id = None
    for event in events:
        details = event.get("CallbackStartedDetails") or {}
        if details.get("CallbackId") == created.extra:
            op_id = event["Id"]
    report.judge("callbacks", op_id is not None,
                 f"{created.arn} {created.op}: {created.extra} is not in the history")
    results = [payload_of(event) for event in events
               if event.get("Id") == op_id and event["EventType"] == "CallbackSucceeded"]
    if acked is not None:
        report.judge("callbacks", results == [acked.extra],
                     f"{created.arn} {created.op}: acknowledged {acked.extra}, has {results}")
    else:
        report.judge("callbacks", all(result in asked for result in results),
                     f"{created.arn} {created.op}: has {results}, asked were {sorted(asked)}")


def payload_of(event):
    details = event[event["EventType"] + "Details"]
    return (details.get("Result") or {}).get("Payload")


def check_events(report, entries):
    ran = {entry.op for entry in entries if entry.kind == "event"}
    for entry in entries:
        if entry.kind == "ack-event":
            report.judge("events", entry.op in ran, f"event {entry.op} never ran")


def check_stops(report, entries, executions):
    for entry in entries:
        if entry.kind == "ack-stop":
            found = executions.get(entry.arn)
            status = found[0]["Status"] if found else None
            report.judge("stops", status == entry.extra,
                         f"{entry.arn}: was {entry.extra} when stopped, is {status}")


def digest_of(events):
    import hashlib
    return hashlib.sha256(json.dumps(events, sort_keys=True).encode()).hexdigest()[:16]


def check_reads(report, entries, executions):
    """What a reader was shown is still there: `op` events, `extra` their digest."""
    for entry in entries:
        if entry.kind == "seen":
            events = (executions.get(entry.arn) or (None, []))[1]
            report.judge("reads", digest_of(events[: int(entry.op)]) == entry.extra,
                         f"{entry.arn}: the {entry.op} events shown at {entry.seq} have changed")


def check_marks(report, entries):
    enters = {(entry.arn, entry.invocation) for entry in entries if entry.kind == "enter"}
    overlaps = [entry for entry in entries if entry.kind == "overlap"]
    report.examined["overlaps"] += max(0, len(enters) - len(overlaps))
    for entry in overlaps:
        report.judge("overlaps", False,
                     f"{entry.arn}: {entry.invocation} runs beside {entry.extra}")
    for entry in entries:
        if entry.kind == "odd":
            report.judge("oddities", False, f"{entry.arn} {entry.op}: {entry.extra}")


# --- one execution ----------------------------------------------------------------------


def check_execution(report, arn, found):
    report.judge("histories", found is not None, f"{arn}: unknown to the daemon")
    if found is None:
        return
    execution, events = found
    status = execution["Status"]
    report.judge("timers lost", status != "RUNNING", f"{arn}: never ended: {tail(events)}")
    broken = check_history(events, status)
    report.judge("histories", broken is None, f"{arn}: {broken}")
    if broken is None:
        check_outcome(report, arn, execution, events)
        check_timers(report, arn, events)
    forged = [event for event in events if event.get("Name") == "forged"]
    report.judge("histories", not forged, f"{arn}: has an operation of a dead attempt")


def tail(events):
    return ", ".join(event["EventType"] for event in events[-4:])


def value_of(text):
    """What a workflow said; damage is a value too, equal to nothing that is right."""
    try:
        return json.loads(text or "null")
    except ValueError:
        return f"damaged: {text}"


def check_outcome(report, arn, execution, events):
    """Nothing here fails of its own; the result names each step's payload by step name."""
    status = execution["Status"]
    report.judge("outcomes", status in ("SUCCEEDED", "STOPPED", "RUNNING"),
                 f"{arn}: {status} {json.dumps(execution.get('Error'))}")
    if status != "SUCCEEDED":
        return
    told = value_of(execution.get("Result") or "{}")
    kept = {event["Name"]: value_of(payload_of(event)) for event in events
            if event["EventType"] == "StepSucceeded" and "ParentId" not in event}
    steps = told.get("steps") if isinstance(told, dict) else told
    report.judge("outcomes", steps == kept,
                 f"{arn}: the result says {steps}, the history {kept}")


def ms(seconds):
    return round(seconds * 1000)


def check_timers(report, arn, events):
    """Waits and retries by the daemon's own clock."""
    due = {}
    for event in events:
        kind, op_id, now = event["EventType"], event.get("Id"), ms(event["EventTimestamp"])
        where = f"{arn}: event {event['EventId']}"
        if kind == "WaitStarted":
            details = event["WaitStartedDetails"]
            due[op_id] = ms(details["ScheduledEndTimestamp"])
            report.judge("timers early", due[op_id] >= now + 1000 * details["Duration"],
                         f"{where} is scheduled too early")
        elif kind == "StepFailed":
            delay = event["StepFailedDetails"]["RetryDetails"].get("NextAttemptDelaySeconds")
            if delay is not None:
                due[op_id] = now + 1000 * delay
        elif kind in ("WaitSucceeded", "StepStarted") and op_id in due:
            report.judge("timers early", now >= due.pop(op_id), f"{where} ({kind}) is early")
    ended = events[-1]["EventType"] == "ExecutionSucceeded"
    report.judge("timers lost", not (ended and due), f"{arn}: {sorted(due)} never fired")


def check_ledger_timers(report, arn, own):
    """Waits by the ledger's clock: from before the call to after it. `extra`: seconds."""
    before = {}
    after = {}
    for entry in own:
        if entry.kind == "before":
            before.setdefault(entry.op, entry)
        elif entry.kind == "after":
            after.setdefault(entry.op, entry)
    for op, entry in after.items():
        passed = entry.ns - before[op].ns if op in before else 0
        need = int(entry.extra) * SECOND_NS - CLOCK_NS
        report.judge("timers early", passed >= need,
                     f"{arn} {op}: {passed / SECOND_NS:.3f} s instead of {entry.extra}")


# --- the steps of one execution -----------------------------------------------------------


def acknowledged(own):
    """{(op, attempt): entry of the done whose checkpoint was answered}, and its proof's seq."""
    found = {}
    last_done = {}
    for entry in own:
        done = last_done.get(entry.invocation)
        if done is not None and entry.op and entry.op != done.op:
            found.setdefault((done.op, done.attempt), (done, entry.seq))
            del last_done[entry.invocation]
        if entry.kind == "done":
            last_done[entry.invocation] = entry
        elif entry.kind == "start":
            last_done.pop(entry.invocation, None)
    return found


def check_steps(report, arn, own, events):
    acked = acknowledged(own)
    kept = {event.get("Name"): event for event in events
            if event["EventType"] == "StepSucceeded"}
    for (op, attempt), (done, seq) in acked.items():
        if done.extra.startswith("fail"):
            continue
        event = kept.get(op)
        value = value_of(payload_of(event)) if event else None
        report.judge("checkpoints", value == done.extra,
                     f"{arn} {op}: {done.extra} was acknowledged, the history has {value}")
        again = [e.seq for e in own if e.kind == "start" and e.op == op and e.seq > seq]
        report.judge("re-runs", not again,
                     f"{arn} {op}: attempt {attempt} was complete at {seq}, ran at {again}")
    check_runs(report, arn, own, kept)


def check_runs(report, arn, own, kept):
    starts = collections.Counter()
    highest = {}
    last = {}
    for entry in own:
        if entry.kind == "done":
            last.setdefault(entry.op, set()).add(entry.extra)
        if entry.kind != "start":
            continue
        starts[entry.op, entry.attempt, entry.extra] += 1
        report.judge("attempts", entry.attempt >= highest.get(entry.op, 1),
                     f"{arn} {entry.op}: attempt {entry.attempt} after {highest.get(entry.op)}")
        highest[entry.op] = max(entry.attempt, highest.get(entry.op, 1))
    for (op, attempt, mode), count in starts.items():
        if mode == "once":
            report.judge("at-most-once", count == 1,
                         f"{arn} {op}: attempt {attempt} started {count} times")
    for op, event in kept.items():
        if op in highest:  # a result that nobody computed was made up
            value = value_of(payload_of(event))
            report.judge("checkpoints", value in last.get(op, set()),
                         f"{arn} {op}: the history has {value}, which no run answered")
