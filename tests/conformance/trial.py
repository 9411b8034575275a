"""One requirement against one daemon: invoke, act on callbacks, wait, judge."""

import json
import time
import uuid

from api import CLOSED, ApiError
from laws import check_history
from matcher import match_history, match_logs, match_result
from sdks import function_name

POLL_S = 0.05
LOGS_S = 10  # a line may arrive after the end of the invocation that wrote it
CALLBACK_ENDS = {"success": "succeed", "failure": "fail", "heartbeat": "heartbeat"}


class Trial:
    def __init__(self, api, sdk, requirement, wait_s):
        self.api = api
        self.requirement = requirement
        self.function = function_name(sdk, requirement.id)
        self.wait_s = wait_s
        self.end = time.monotonic() + wait_s
        self.arn = None
        self.answer = None

    def run(self):
        """None, or the first difference."""
        try:
            self._invoke()
            self._act()
            execution, events = self._settle()
            return self._judge(execution, events)
        except (ApiError, TimeoutError) as error:
            return str(error)

    def _invoke(self):
        kind = "Event" if self.requirement.is_async else "RequestResponse"
        self.answer = self.api.invoke(self.function + ":$LATEST", self.requirement.payload,
                                      kind, name=uuid.uuid4().hex, timeout_s=self.wait_s)
        self.arn = self.answer.headers.get("x-amz-durable-execution-arn")
        if not self.arn:
            raise TimeoutError("the answer names no durable execution")

    def _poll(self, what, look):
        """Until `look` returns something."""
        while True:
            found = look()
            if found is not None:
                return found
            if time.monotonic() > self.end:
                raise TimeoutError(f"{what}: not within {self.wait_s} s")
            time.sleep(POLL_S)

    # --- callbacks --------------------------------------------------------------------

    def _act(self):
        """Each action is sent its delay after its callback has been seen first: of two
        callbacks the one that is listed first need not be the first to be answered."""
        waiting = [[None, action] for action in self.requirement.callbacks]
        while waiting:
            self._poll("a callback", lambda: self._notice(waiting) or None)
            due_s, action, callback_id = min(
                ((due[0], action, due[1]) for due, action in waiting if due),
                key=lambda item: item[0])
            time.sleep(max(0, min(POLL_S, due_s - time.monotonic())))
            if time.monotonic() >= due_s:
                self.api.callback(callback_id, CALLBACK_ENDS[action["Operation"]],
                                  body_of(action))
                waiting = [item for item in waiting if item[1] is not action]

    def _notice(self, waiting):
        """Gives each action whose callback exists its due time. True if any has one."""
        for item in waiting:
            if item[0] is None:
                callback_id = self._callback_id(item[1]["CallbackName"])
                if callback_id is not None:
                    item[0] = (time.monotonic() + item[1].get("Delay", 0), callback_id)
        return any(due for due, _ in waiting)

    def _callback_id(self, name):
        for event in self.api.history(self.arn):
            if event["EventType"] == "CallbackStarted" and event.get("Name") == name:
                return event["CallbackStartedDetails"]["CallbackId"]
        return None

    # --- the end ------------------------------------------------------------------------

    def _settle(self):
        """Closed, or (where no end is expected) with all expected events and stopped."""
        return self._poll("the end", self._settled)

    def _settled(self):
        if self.requirement.result is None:
            events = self.api.history(self.arn)
            if len(events) < max(want["EventId"] for want in self.requirement.history):
                return None
            return self.api.get_execution(self.arn), events
        execution = self.api.get_execution(self.arn)
        if execution["Status"] not in CLOSED:
            return None
        return execution, self.api.history(self.arn)

    def _judge(self, execution, events):
        broken = match_result(self.requirement.result or {}, execution)
        broken = broken or match_history(self.requirement.history, events)
        broken = broken or check_history(events, execution["Status"])
        broken = broken or self._check_answer(execution)
        broken = broken or self._check_pages(events)
        broken = broken or self._check_logs()
        return broken or self._check_stop(execution)

    def _check_answer(self, execution):
        """A synchronous caller was told what the execution became."""
        if self.requirement.is_async:
            return None if self.answer.status == 202 else f"status {self.answer.status}"
        error = self.answer.headers.get("x-amz-function-error")
        if (execution["Status"] == "SUCCEEDED") == (error is not None):
            return f"answer: {execution['Status']} with function error {error}"
        result = execution.get("Result") or ""
        allowed = (result.encode(),) if result else (b"", b"null")
        if error is None and self.answer.body not in allowed:
            return f"answer: {self.answer.body[:200]!r}, result {result!r}"
        return None

    def _check_pages(self, events):
        if self.api.history(self.arn, items_max=2) != events:
            return "history: pages of 2 differ from the whole"
        if self.api.history(self.arn, is_reverse=True) != events[::-1]:
            return "history: the reverse order differs"
        return None

    def _check_logs(self):
        end = time.monotonic() + LOGS_S
        while self.requirement.logs:
            broken = match_logs(self.requirement.logs, self.api.logs(self.function, self.arn))
            if broken is None or time.monotonic() > end:
                return broken
            time.sleep(POLL_S)
        return None

    def _check_stop(self, execution):
        """What waits for an hour is stopped, and that too is judged."""
        if execution["Status"] in CLOSED:
            return None
        self.api.stop(self.arn)
        execution = self.api.get_execution(self.arn)
        if execution["Status"] != "STOPPED":
            return f"stopped, but {execution['Status']}"
        return check_history(self.api.history(self.arn), "STOPPED")


def body_of(action):
    """A success carries the payload as JSON text, a failure an error object."""
    if action["Operation"] == "heartbeat":
        return b""
    return json.dumps(action.get("Payload"), separators=(",", ":")).encode()
