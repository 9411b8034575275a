"""The durable execution APIs, as boto3 speaks them."""

import datetime
import json
import time

from case import Case, wait_for


def now():
    return datetime.datetime.now(datetime.timezone.utc)


class Executions(Case):
    def test_an_execution_is_shown_while_it_runs_and_when_it_has_ended(self):
        function = self.deploy_durable("asks", "4-1")
        before = now()
        arn = self.start(function, "approval", DurableExecutionName="shown")
        started = self.until_event(arn, "CallbackStarted")
        running = self.client.get_durable_execution(DurableExecutionArn=arn)
        self.assertEqual((running["Status"], running["DurableExecutionName"]),
                         ("RUNNING", "shown"))
        self.assertTrue(running["FunctionArn"].endswith(":function:asks:$LATEST"))
        self.assertEqual(running["InputPayload"], '"approval"')
        self.assertEqual(running.get("Version"), "$LATEST")
        self.assertLess(abs((running["StartTimestamp"] - before).total_seconds()), 60)
        self.assertNotIn("EndTimestamp", running)
        self.client.send_durable_execution_callback_success(
            CallbackId=started["CallbackStartedDetails"]["CallbackId"], Result=b'"yes"')
        ended = self.until_closed(arn)
        self.assertEqual((ended["Status"], ended["Result"]), ("SUCCEEDED", '"yes"'))
        self.assertGreaterEqual(ended["EndTimestamp"], ended["StartTimestamp"])

    def test_an_execution_without_a_payload_has_none(self):
        """JSON has no empty text: an SDK that reads one as JSON would fail."""
        arn = self.start(self.deploy_durable("bare", "1-2"))
        self.assertNotIn("InputPayload", self.until_closed(arn))
        self.assertNotIn("Payload", self.history(arn)[0]["ExecutionStartedDetails"]["Input"])

    def test_a_failed_execution_shows_its_error(self):
        function = self.deploy_durable("fails", "failing")
        arn = self.start(function, {"any": "thing"})
        ended = self.until_closed(arn)
        self.assertEqual(ended["Status"], "FAILED")
        self.assertTrue(ended["Error"]["ErrorType"])
        last = self.history(arn)[-1]
        self.assertEqual(last["EventType"], "ExecutionFailed")
        self.assertEqual(last["ExecutionFailedDetails"]["Error"]["Payload"]["ErrorType"],
                         ended["Error"]["ErrorType"])

    def test_an_execution_without_its_data(self):
        arn = self.start(self.deploy_durable("greets", "1-1"), "World")
        self.until_closed(arn)
        answer = self.raw(  # a parameter that is newer than the client's model
            "GET", f"/2025-12-01/durable-executions/{self.quoted(arn)}"
            "?IncludeExecutionData=false")
        self.assertFalse({"InputPayload", "Result", "Error"} & set(answer), answer)
        history = self.client.get_durable_execution_history(DurableExecutionArn=arn,
                                                            IncludeExecutionData=False)
        self.assertNotIn("Payload", json.dumps(history["Events"], default=str))
        whole = self.client.get_durable_execution_history(DurableExecutionArn=arn)
        self.assertIn("Payload", json.dumps(whole["Events"], default=str))

    def test_stop_ends_it_with_the_error_that_was_given(self):
        function = self.deploy_durable("sleeps", "2-5")
        arn = self.start(function)
        self.until_event(arn, "WaitStarted")
        error = {"ErrorType": "Operator", "ErrorMessage": "enough", "ErrorData": "{}",
                 "StackTrace": ["a", "b"]}
        first = self.client.stop_durable_execution(DurableExecutionArn=arn, Error=error)
        again = self.client.stop_durable_execution(DurableExecutionArn=arn)
        self.assertEqual(first["StopTimestamp"], again["StopTimestamp"])
        ended = self.client.get_durable_execution(DurableExecutionArn=arn)
        self.assertEqual((ended["Status"], ended["Error"]), ("STOPPED", error))
        last = self.history(arn)[-1]
        self.assertEqual(last["ExecutionStoppedDetails"]["Error"]["Payload"], error)
        without = self.start(function)
        self.client.stop_durable_execution(DurableExecutionArn=without)
        self.assertEqual(self.until_closed(without)["Status"], "STOPPED")

    def test_every_kind_of_event_has_its_shape(self):
        """Handlers that together write most of the 24 kinds; the checker reads them."""
        kinds = set()
        self.deploy("target")
        for handler in ("1-11", "1-12", "2-1", "3-2", "3-4", "5-1", "5-5"):
            name = "kinds-" + handler
            function = self.deploy_durable(name, handler, Environment={"Variables": {
                "CONFORMANCE_ECHO": "target", "CONFORMANCE_FAILING": "nobody"}})
            arn = self.start(function, "x")
            self.until_closed(arn)
            kinds |= {event["EventType"] for event in self.history(arn)}
        self.assertGreaterEqual(kinds, {
            "ExecutionStarted", "ExecutionSucceeded", "ExecutionFailed", "StepStarted",
            "StepSucceeded", "StepFailed", "WaitStarted", "WaitSucceeded", "ContextStarted",
            "ContextSucceeded", "ContextFailed", "ChainedInvokeStarted",
            "ChainedInvokeSucceeded", "InvocationCompleted"})

    def test_an_execution_times_out(self):
        self.client.create_function(**self.settings("short", "2-5", DurableConfig={
            "ExecutionTimeout": 1, "RetentionPeriodInDays": 1}))
        arn = self.start("short:$LATEST")
        self.assertEqual(self.until_closed(arn)["Status"], "TIMED_OUT")
        self.assertEqual(self.history(arn)[-1]["EventType"], "ExecutionTimedOut")


class Callbacks(Case):
    def pending(self, name, handler="4-1"):
        """(ARN, callback id) of an execution that waits."""
        if not hasattr(type(self), "function"):
            type(self).function = {}
        if handler not in self.function:
            self.function[handler] = self.deploy_durable("asks-" + handler, handler)
        arn = self.start(self.function[handler], name)
        started = self.until_event(arn, "CallbackStarted")
        self.until_event(arn, "InvocationCompleted")
        return arn, started["CallbackStartedDetails"]["CallbackId"]

    def test_an_answer_is_the_result(self):
        arn, callback_id = self.pending("a")
        self.client.send_durable_execution_callback_success(CallbackId=callback_id,
                                                            Result=b'{"a":1}')
        self.assertEqual(self.until_closed(arn)["Result"], '{"a":1}')
        self.assertIn("CallbackSucceeded", [one["EventType"] for one in self.history(arn)])

    def test_an_empty_answer_is_no_result(self):
        arn, callback_id = self.pending("empty")
        self.client.send_durable_execution_callback_success(CallbackId=callback_id)
        self.assertNotIn("Result", self.until_closed(arn))

    def test_a_failure_is_the_error(self):
        arn, callback_id = self.pending("b")
        error = {"ErrorType": "Refused", "ErrorMessage": "no", "ErrorData": "d",
                 "StackTrace": ["x"]}
        self.client.send_durable_execution_callback_failure(CallbackId=callback_id, Error=error)
        ended = self.until_closed(arn)
        self.assertEqual((ended["Status"], ended["Error"]["ErrorType"]), ("FAILED", "Refused"))
        event = next(one for one in self.history(arn) if one["EventType"] == "CallbackFailed")
        self.assertEqual(event["CallbackFailedDetails"]["Error"]["Payload"], error)

    def test_a_failure_may_say_nothing(self):
        arn, callback_id = self.pending("c")
        self.client.send_durable_execution_callback_failure(CallbackId=callback_id)
        self.assertEqual(self.until_closed(arn)["Status"], "FAILED")

    def test_a_heartbeat_keeps_it_waiting(self):
        """Its time is 5 s: without the heartbeats it would be over before the answer."""
        arn, callback_id = self.pending("d", "4-4")
        started = time.monotonic()
        while time.monotonic() < started + 6:
            self.client.send_durable_execution_callback_heartbeat(CallbackId=callback_id)
            time.sleep(0.5)
        self.client.send_durable_execution_callback_success(CallbackId=callback_id,
                                                            Result=b'"late"')
        self.assertEqual(self.until_closed(arn)["Result"], '"late"')

    def test_a_callback_is_answered_once(self):
        arn, callback_id = self.pending("e")
        self.client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"1")
        self.until_closed(arn)
        for call in (self.client.send_durable_execution_callback_success,
                     self.client.send_durable_execution_callback_failure,
                     self.client.send_durable_execution_callback_heartbeat):
            self.refused("CallbackTimeoutException", call, CallbackId=callback_id)

    def test_a_callback_times_out(self):
        arn, callback_id = self.pending("f", "4-3")
        self.until_event(arn, "CallbackTimedOut")
        self.refused("CallbackTimeoutException",
                     self.client.send_durable_execution_callback_success, CallbackId=callback_id)
        self.assertEqual(self.until_closed(arn)["Status"], "FAILED")


class Lists(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        case = cls()
        cls.function = case.deploy_durable("lists", "1-1")
        cls.arns = [case.start(cls.function, number, DurableExecutionName=f"n-{number:02}")
                    for number in range(12)]
        case.deploy_durable("sleeps", "2-5")
        cls.sleeping = case.start("sleeps:$LATEST", DurableExecutionName="stopped")
        case.client.stop_durable_execution(DurableExecutionArn=cls.sleeping)
        for arn in cls.arns:
            case.until_closed(arn)

    def pages(self, **more):
        return [[one["DurableExecutionArn"] for one in page["DurableExecutions"]]
                for page in self.client.get_paginator("list_durable_executions_by_function")
                .paginate(FunctionName="lists", **more)]

    def test_newest_first_and_the_other_way_round(self):
        self.assertEqual(sum(self.pages(), []), self.arns[::-1])
        self.assertEqual(sum(self.pages(ReverseOrder=True), []), self.arns)

    def test_pages_have_each_once(self):
        for size in (1, 5, 12, 100):
            pages = self.pages(PaginationConfig={"PageSize": size})
            self.assertEqual(sum(pages, []), self.arns[::-1])
            self.assertTrue(all(len(page) <= size for page in pages))

    def test_filters(self):
        for more, wanted in (
                ({"DurableExecutionName": "n-03"}, [self.arns[3]]),
                ({"DurableExecutionName": "nobody"}, []),
                ({"Statuses": ["SUCCEEDED"]}, self.arns[::-1]),
                ({"Statuses": ["RUNNING", "FAILED", "TIMED_OUT", "STOPPED"]}, []),
                ({"StartedAfter": now() - datetime.timedelta(hours=1)}, self.arns[::-1]),
                ({"StartedAfter": now() + datetime.timedelta(hours=1)}, []),
                ({"StartedBefore": now() - datetime.timedelta(hours=1)}, []),
                ({"Qualifier": "$LATEST"}, self.arns[::-1])):
            with self.subTest(more=more):
                self.assertEqual(sum(self.pages(**more), []), wanted)
        stopped = self.client.list_durable_executions_by_function(
            FunctionName="sleeps", Statuses=["STOPPED", "FAILED"])
        self.assertEqual([one["DurableExecutionArn"] for one in stopped["DurableExecutions"]],
                         [self.sleeping])

    def test_a_history_in_pages_is_the_whole_and_its_markers_stay(self):
        arn = self.arns[0]
        whole = self.history(arn)
        self.assertEqual(self.history(arn, ReverseOrder=True), whole[::-1])
        for size in (1, 2, 1000):
            self.assertEqual(self.history(arn, PaginationConfig={"PageSize": size}), whole)
        first = self.client.get_durable_execution_history(DurableExecutionArn=arn, MaxItems=2)
        pages = [self.client.get_durable_execution_history(
            DurableExecutionArn=arn, MaxItems=2, Marker=first["NextMarker"])["Events"]
            for _ in range(3)]
        self.assertEqual(pages, [whole[2:4]] * 3)

    def test_the_last_page_is_read_again_to_follow_an_execution(self):
        """As AWS's own test runner does: the same marker, each time with what is new."""
        function = self.deploy_durable("followed", "4-1")
        arn = self.start(function, "approval")
        started = self.until_event(arn, "CallbackStarted")
        self.until_event(arn, "InvocationCompleted")
        page = self.client.get_durable_execution_history(DurableExecutionArn=arn, MaxItems=2)
        marker = page["NextMarker"]
        def last():
            return self.client.get_durable_execution_history(
                DurableExecutionArn=arn, Marker=marker)["Events"]
        seen = last()
        self.client.send_durable_execution_callback_success(
            CallbackId=started["CallbackStartedDetails"]["CallbackId"], Result=b"1")
        wait_for("the end in the last page",
                 lambda: last()[-1]["EventType"] == "ExecutionSucceeded")
        self.assertEqual(last()[:len(seen)], seen)
        self.assertEqual(page["Events"] + last(), self.history(arn))

    def test_zero_items_mean_the_default(self):
        self.assertEqual(len(self.client.get_durable_execution_history(
            DurableExecutionArn=self.arns[0], MaxItems=0)["Events"]),
            len(self.history(self.arns[0])))
        self.assertEqual(len(self.client.list_durable_executions_by_function(
            FunctionName="lists", MaxItems=0)["DurableExecutions"]), len(self.arns))
