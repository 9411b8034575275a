"""What holds of every history, whatever its requirement says.

Event ids are 1..n without gaps; the first event starts the execution and the last one, if
it is closed, ends it; each event carries exactly the Details object of its type with its
required members; an operation starts once, ends once and in that order; the attempts of a
step are 1, 2, 3, ….
"""

# The members that a Details object must have (the API's model).
DETAILS = {
    "ExecutionStarted": ("Input", "ExecutionTimeout"),
    "ExecutionSucceeded": ("Result",),
    "ExecutionFailed": ("Error",),
    "ExecutionTimedOut": (),
    "ExecutionStopped": ("Error",),
    "ContextStarted": (),
    "ContextSucceeded": ("Result",),
    "ContextFailed": ("Error",),
    "StepStarted": (),
    "StepSucceeded": ("Result", "RetryDetails"),
    "StepFailed": ("Error", "RetryDetails"),
    "WaitStarted": ("Duration", "ScheduledEndTimestamp"),
    "WaitSucceeded": (),
    "WaitCancelled": (),
    "CallbackStarted": ("CallbackId",),
    "CallbackSucceeded": ("Result",),
    "CallbackFailed": ("Error",),
    "CallbackTimedOut": ("Error",),
    "ChainedInvokeStarted": ("FunctionName",),
    "ChainedInvokeSucceeded": ("Result",),
    "ChainedInvokeFailed": ("Error",),
    "ChainedInvokeTimedOut": ("Error",),
    "ChainedInvokeStopped": ("Error",),
    "InvocationCompleted": ("StartTimestamp", "EndTimestamp", "RequestId"),
}

TERMINAL = {
    "ExecutionSucceeded": "SUCCEEDED",
    "ExecutionFailed": "FAILED",
    "ExecutionTimedOut": "TIMED_OUT",
    "ExecutionStopped": "STOPPED",
}
ENDS = ("Succeeded", "Failed", "Cancelled", "TimedOut", "Stopped")


def check_history(events, status):
    """None, or the first law broken. `status` is the one GetDurableExecution shows."""
    for law in (check_ids, check_details, check_terminal, check_operations, check_attempts,
                check_times):
        broken = law(events, status)
        if broken:
            return broken
    return None


def check_ids(events, _status):
    for i, event in enumerate(events, 1):
        if event.get("EventId") != i:
            return f"event ids: the {i}th is {event.get('EventId')!r}"
    return None if events else "the history is empty"


def check_details(events, _status):
    for event in events:
        kind = event.get("EventType")
        if kind not in DETAILS:
            return f"event {event['EventId']}: unknown type {kind!r}"
        found = sorted(key for key in event if key.endswith("Details"))
        if found != [kind + "Details"] or not isinstance(event[found[0]], dict):
            return f"event {event['EventId']} ({kind}): its details are {found}"
        for member in DETAILS[kind]:
            if member not in event[kind + "Details"]:
                return f"event {event['EventId']} ({kind}): {member} is missing"
    return None


def check_terminal(events, status):
    if events[0]["EventType"] != "ExecutionStarted":
        return f"the first event is {events[0]['EventType']}"
    for event in events[1:]:
        if event["EventType"] == "ExecutionStarted":
            return f"event {event['EventId']} starts the execution again"
    for event in events[:-1]:
        if event["EventType"] in TERMINAL:
            return f"event {event['EventId']} ({event['EventType']}) is not the last"
    ended = TERMINAL.get(events[-1]["EventType"], "RUNNING")
    if ended != status:
        return f"the history ends as {ended}, the execution is {status}"
    return None


def split(kind):
    """("Step", "Started"), or (None, None) for what is no operation."""
    if kind == "InvocationCompleted" or kind.startswith("Execution"):
        return None, None
    for phase in ("Started",) + ENDS:
        if kind.endswith(phase):
            return kind[: -len(phase)], phase
    return None, None


def is_retried(event):
    details = event[event["EventType"] + "Details"]
    return "NextAttemptDelaySeconds" in (details.get("RetryDetails") or {})


def check_operations(events, _status):
    open_ops = {}
    kinds = {}
    for event in events:
        kind, phase = split(event["EventType"])
        if kind is None:
            continue
        op_id = event.get("Id")
        if not op_id:
            return f"event {event['EventId']} ({event['EventType']}) has no Id"
        if kinds.setdefault(op_id, kind) != kind:
            return f"event {event['EventId']}: {op_id} was a {kinds[op_id]}"
        broken = check_move(open_ops, op_id, kind, phase, event)
        if broken:
            return f"event {event['EventId']} ({event['EventType']}): {broken}"
    return None


def check_move(open_ops, op_id, kind, phase, event):
    state = open_ops.get(op_id)
    parent = event.get("ParentId")
    if parent is not None and parent not in open_ops:
        return f"its context {parent} never started"
    if state == "ended":
        return "the operation had ended"
    if phase == "Started":
        if state == "started":  # an interrupted step runs again without a START
            return "the operation had started"
        open_ops[op_id] = "started"
        return None
    # A step and a context may be closed by an update that never said START.
    if state is None and kind not in ("Step", "Context"):
        return "the operation never started"
    open_ops[op_id] = "retried" if kind == "Step" and is_retried(event) else "ended"
    return None


def check_attempts(events, _status):
    attempts = {}
    for event in events:
        details = event[event["EventType"] + "Details"]
        attempt = (details.get("RetryDetails") or {}).get("CurrentAttempt")
        if event["EventType"] not in ("StepSucceeded", "StepFailed"):
            continue
        attempts[event["Id"]] = attempts.get(event["Id"], 0) + 1
        if attempt != attempts[event["Id"]]:
            return f"event {event['EventId']}: attempt {attempt!r} is the {attempts[event['Id']]}."
    return None


def check_times(events, _status):
    last = 0
    for event in events:
        time = event.get("EventTimestamp")
        if isinstance(time, bool) or not isinstance(time, (int, float)):
            return f"event {event['EventId']}: its time is {time!r}"
        if time < last:
            return f"event {event['EventId']} is older than the one before"
        last = time
    return None
