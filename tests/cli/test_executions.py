"""Lists, histories and everything that is done to one execution."""
import json

import case
from fake_daemon import Answer, error

T0 = 1764802628.83
LIST = "/2025-12-01/functions/orders/durable-executions"


def event(n, kind, at=0.0, details=None, **more):
    return {"EventType": kind, "EventId": n, "EventTimestamp": T0 + at,
            kind + "Details": details or {}, **more}


STARTED = event(1, "ExecutionStarted", 0, {"Input": {"Payload": '{"item":7}'},
                                           "ExecutionTimeout": 60}, Id="u", Name="order-7")
STEP = event(2, "StepStarted", 0.1, Id="1", Name="charge", SubType="Step")
RETRY = event(3, "StepFailed", 0.2, {
    "Error": {"Payload": {"ErrorType": "Declined", "ErrorMessage": "card"}},
    "RetryDetails": {"CurrentAttempt": 1, "NextAttemptDelaySeconds": 2}}, Id="1", Name="charge")
CALLBACK = event(4, "CallbackStarted", 0.3, {"CallbackId": "Y2I="}, Id="2", Name="approve")
RAN = event(5, "InvocationCompleted", 0.4, {
    "StartTimestamp": T0, "EndTimestamp": T0 + 0.4, "RequestId": "r-1", "Error": {}})
ENDED = event(6, "ExecutionSucceeded", 3.5, {"Result": {"Payload": '"done"'}}, Id="u",
              Name="order-7")
FAILED = event(6, "ExecutionFailed", 3.5, {
    "Error": {"Payload": {"ErrorType": "E", "ErrorMessage": "m"}}}, Id="u", Name="order-7")
HISTORY = f"GET /2025-12-01/durable-executions/{case.ARN_PATH}/history?MaxItems=500"


def page(*events, marker=None):
    body = {"Events": list(events)}
    if marker:
        body["NextMarker"] = marker
    return Answer(200, body)


class Executions(case.Case):
    def test_list_asks_the_daemon_to_filter_and_sort(self):
        self.script(Answer(200, {"Executions": []}))
        result = self.pawl("executions", "--function", "orders", "--status", "FAILED", "--since",
                           "2026-11-23T09:29:22.5Z", "--sort", "duration", "--reverse", "--limit",
                           "5")
        self.assert_code(result, 0)
        self.assert_asked("GET /pawl/v1/executions?Kind=durable&Function=orders&Status=FAILED&"
                          "Sort=duration&Since=1795426162500&ReverseOrder=true&MaxItems=5")

    def test_list_is_a_table(self):
        row = {"DurableExecutionArn": case.ARN, "DurableExecutionName": "order-7",
               "FunctionName": "orders", "Status": "SUCCEEDED", "StartTimestamp": T0,
               "EndTimestamp": T0 + 2.5, "Kind": "durable"}
        open_end = {**row, "Status": "FAILED", "EndTimestamp": None, "FunctionName": "évé"}
        self.script(Answer(200, {"Executions": [row], "NextMarker": "a/b"}),
                    Answer(200, {"Executions": [open_end]}))
        result = self.pawl("executions")
        self.assert_code(result, 0)
        self.assert_asked("GET /pawl/v1/executions?Kind=durable&MaxItems=100",
                          "GET /pawl/v1/executions?Kind=durable&MaxItems=99&Marker=a%2Fb")
        self.assertEqual(result.out, (
            "STATUS     FUNCTION  NAME     STARTED                   DURATION  ID\n"
            "SUCCEEDED  orders    order-7  2025-12-03T22:57:08.830Z    2.50 s  "
            "0190a5b2-7c3d-7e1f-8a2b-3c4d5e6f7081\n"
            "FAILED     évé       order-7  2025-12-03T22:57:08.830Z         -  "
            "0190a5b2-7c3d-7e1f-8a2b-3c4d5e6f7081\n"))

    def test_json_keeps_every_byte_of_the_elements(self):
        self.script(Answer(200, '{"NextMarker":"m","Executions":[ {"a":1.10, "b":"]\\"}"} ]}'),
                    Answer(200, '{"Executions":[{"a":12345678901234567890},2]}'))
        result = self.pawl("executions", "--events", "--output", "json")
        self.assertEqual(result.out, '{"Executions":[{"a":1.10, "b":"]\\"}"},'
                         '{"a":12345678901234567890},2]}\n')
        self.assert_asked("GET /pawl/v1/executions?Kind=event&MaxItems=100",
                          "GET /pawl/v1/executions?Kind=event&MaxItems=99&Marker=m")

    def test_json_of_a_list_that_breaks_off_does_not_parse(self):
        self.script(Answer(200, '{"NextMarker":"m","Executions":[1]}'),
                    error(400, "InvalidParameterValueException", "bad marker"))
        result = self.pawl("executions", "--output", "json")
        self.assert_code(result, 4)
        with self.assertRaises(json.JSONDecodeError):
            result.json()

    def test_name_is_resolved_by_the_list(self):
        found = {"DurableExecutions": [{"DurableExecutionArn": case.ARN,
                                        "DurableExecutionName": "order-7"}]}
        self.script(Answer(200, found), Answer(200, {"StopTimestamp": T0}))
        result = self.pawl("stop", "order-7", "--function", "orders", "--error-type", "Op",
                           "--message", "wrong \"item\"")
        self.assert_code(result, 0)
        self.assertEqual(result.out, f"stopped {case.ARN} at 2025-12-03T22:57:08.830Z\n")
        self.assert_asked(f"GET {LIST}?DurableExecutionName=order-7&MaxItems=1000",
                          f"POST /2025-12-01/durable-executions/{case.ARN_PATH}/stop")
        self.assertEqual(self.daemon.requests[1].body,
                         b'{"ErrorType":"Op","ErrorMessage":"wrong \\"item\\""}')

    def test_uuid_is_resolved_by_the_whole_list(self):
        uuid = "0190a5b2-7c3d-7e1f-8a2b-3c4d5e6f7081"
        other = {"DurableExecutionArn": "arn:x/durable-execution/a/b", "DurableExecutionName": "a"}
        self.script(Answer(200, {"DurableExecutions": []}),
                    Answer(200, {"DurableExecutions": [other], "NextMarker": "2"}),
                    Answer(200, {"DurableExecutions": [{"DurableExecutionArn": case.ARN}]}),
                    Answer(200, {}))
        self.assert_code(self.pawl("redrive", uuid, "--function", "orders"), 0)
        self.assert_asked(f"GET {LIST}?DurableExecutionName={uuid}&MaxItems=1000",
                          f"GET {LIST}?MaxItems=1000", f"GET {LIST}?MaxItems=1000&Marker=2",
                          f"POST /pawl/v1/executions/{case.ARN_PATH}/redrive")

    def test_unknown_name_is_exit_3(self):
        self.script(Answer(200, {"DurableExecutions": []}))
        result = self.pawl("show", "order-8", "--function", "orders")
        self.assert_code(result, 3)
        self.assertIn("function 'orders' has no execution 'order-8'", result.err)

    def test_name_without_function_is_exit_2(self):
        result = self.pawl("show", "order-8")
        self.assert_code(result, 2)
        self.assertIn("add --function NAME", result.err)

    def test_show_prints_members_and_json_the_answer(self):
        body = json.dumps({"Status": "FAILED", "StartTimestamp": T0, "InputPayload": '{"a":1}',
                           "Error": {"ErrorType": "E"}, "DurableConfig": {}}).encode()
        self.script(Answer(200, body), Answer(200, body))
        result = self.pawl("show", case.ARN)
        self.assert_code(result, 0)
        self.assertEqual(result.out, "Status          FAILED\n"
                         "StartTimestamp  2025-12-03T22:57:08.830Z\n"
                         'InputPayload    {"a":1}\nError:\n  ErrorType  E\n'
                         "DurableConfig   {}\n")
        self.assertEqual(self.pawl("show", case.ARN, "--output=json").raw, body + b"\n")
        self.assertEqual(self.daemon.requests[0].target,
                         f"/2025-12-01/durable-executions/{case.ARN_PATH}")

    def test_callbacks(self):
        self.script(Answer(200), Answer(200), Answer(200))
        self.assert_code(self.pawl("callback", "succeed", "a+/=", '"yes"'), 0)
        self.assert_code(self.pawl("callback", "fail", "a", "@/dev/null", "--message", "no"), 0)
        self.assert_code(self.pawl("callback", "heartbeat", "a"), 0)
        base = "POST /2025-12-01/durable-execution-callbacks/"
        self.assert_asked(base + "a%2B%2F%3D/succeed", base + "a/fail", base + "a/heartbeat")
        self.assertEqual([r.body for r in self.daemon.requests],
                         [b'"yes"', b'{"ErrorMessage":"no"}', b""])
        self.assertEqual(self.daemon.requests[2].headers["content-length"], "0")

    def test_closed_callback_is_exit_4_and_not_repeated(self):
        self.script(error(400, "CallbackTimeoutException", "callback is closed"))
        self.assert_code(self.pawl("callback", "succeed", "a"), 4)
        self.daemon.close()
        self.script(error(500, "ServiceException", "?"))
        self.assert_code(self.pawl("callback", "succeed", "a"), 6)
        self.assertEqual(len(self.daemon.requests), 1)


class History(case.Case):
    def test_events_are_a_table(self):
        self.script(page(STARTED, STEP, RETRY, marker="n"), page(CALLBACK, RAN, ENDED))
        result = self.pawl("history", case.ARN)
        self.assert_code(result, 0)
        self.assert_asked(HISTORY, HISTORY + "&Marker=n")
        self.assertEqual(result.out, (
            "ID  TIME                       AFTER  EVENT                NAME     DETAIL\n"
            " 1  2025-12-03T22:57:08.830Z    0 ms  ExecutionStarted     order-7  "
            'at most 60 s, {"item":7}\n'
            " 2  2025-12-03T22:57:08.930Z  100 ms  StepStarted          charge   -\n"
            " 3  2025-12-03T22:57:09.030Z  200 ms  StepFailed           charge   "
            "Declined: card, attempt 1, next in 2 s\n"
            " 4  2025-12-03T22:57:09.130Z  300 ms  CallbackStarted      approve  id Y2I=\n"
            " 5  2025-12-03T22:57:09.230Z  400 ms  InvocationCompleted  -        "
            "400 ms, request r-1\n"
            ' 6  2025-12-03T22:57:12.330Z  3.50 s  ExecutionSucceeded   order-7  "done"\n'))

    def test_follow_reads_the_last_page_again_with_the_same_marker(self):
        self.script(page(STARTED, STEP, marker="n"), page(RETRY), page(RETRY),
                    page(RETRY, CALLBACK, RAN, ENDED))
        result = self.pawl("history", case.ARN, "--follow")
        self.assert_code(result, 0)
        self.assert_asked(HISTORY, *[HISTORY + "&Marker=n"] * 3)
        self.assertEqual([line.split()[0] for line in result.out.splitlines()],
                         ["ID", "1", "2", "3", "4", "5", "6"])

    def test_follow_of_an_empty_next_page_stays_where_it_is(self):
        self.script(page(STARTED, marker="n"), page(marker="z"), page(STEP, ENDED, marker="e"),
                    page())
        self.assert_code(self.pawl("history", case.ARN, "--follow"), 0)
        self.assert_asked(HISTORY, *[HISTORY + "&Marker=n"] * 2, HISTORY + "&Marker=e")

    def test_follow_of_a_failed_execution_is_exit_1(self):
        self.script(page(STARTED, FAILED))
        result = self.pawl("history", case.ARN, "--follow")
        self.assert_code(result, 1)
        self.assertIn("ended as FAILED", result.err)

    def test_history_alone_of_a_failed_execution_is_exit_0(self):
        self.script(page(STARTED, FAILED))
        self.assert_code(self.pawl("history", case.ARN), 0)

    def test_follow_survives_a_restart_of_the_daemon(self):
        self.script(page(STARTED), Answer(drop=True), page(STARTED, ENDED))
        self.assert_code(self.pawl("history", case.ARN, "--follow"), 0)
        self.assertEqual(len(self.daemon.requests), 3)

    def test_json_is_one_list_and_with_follow_one_event_a_line(self):
        raw = '{"Events":[{"EventType":"ExecutionStarted","EventId":1,"EventTimestamp":1.10} ,\n' \
              '{"EventType":"ExecutionStopped","EventId":2,"EventTimestamp":2.0}]}'
        one = '{"EventType":"ExecutionStarted","EventId":1,"EventTimestamp":1.10}'
        two = '{"EventType":"ExecutionStopped","EventId":2,"EventTimestamp":2.0}'
        self.script(Answer(200, raw), Answer(200, raw))
        self.assertEqual(self.pawl("history", case.ARN, "--output", "json").out,
                         f'{{"Events":[{one},{two}]}}\n')
        result = self.pawl("history", case.ARN, "--output", "json", "--follow")
        self.assertEqual(result.out, f"{one}\n{two}\n")
        self.assert_code(result, 1)

    def test_timeline_replaces_the_table(self):
        self.script(page(STARTED, STEP, RETRY, ENDED))
        result = self.pawl("history", case.ARN, "--timeline")
        self.assert_code(result, 0)
        lines = result.out.splitlines()
        self.assertEqual(len(lines), 2)
        self.assertTrue(lines[0].startswith("order-7"))
        self.assertTrue(lines[1].startswith("charge"))
        self.assertIn("#..", lines[1])

    def test_terminal_gets_colours_and_the_timeline_of_an_ended_execution(self):
        self.script(page(STARTED, STEP, RETRY, ENDED))
        result = self.terminal("history", case.ARN, LANG="C.UTF-8")
        self.assert_code(result, 0)
        table, picture = result.out.split("\n\n")
        self.assertIn("\033[32mExecutionSucceeded\033[0m", table)
        self.assertIn("2025-12-03 22:57:08", table)
        self.assertIn("█··", picture)

    def test_terminal_gets_no_timeline_while_it_runs(self):
        self.script(page(STARTED, STEP))
        self.assertNotIn("\n\n", self.terminal("history", case.ARN).out)

    def test_rows_are_cut_to_the_terminal(self):
        long = event(2, "StepStarted", 0.1, Id="1", Name="n" * 200 + "\033[2J")
        self.script(page(STARTED, long), page(STARTED, long))
        result = self.terminal("history", case.ARN, columns=80, NO_COLOR="1", LANG="C.UTF-8")
        self.assertEqual(max(len(line) for line in result.out.splitlines()), 80)
        self.assertIn("…", result.out)
        self.assertNotIn("\033", result.out)
        result = self.terminal("history", case.ARN, "--no-color", columns=80)
        self.assertIn("nnn~", result.out)
        self.assertNotIn("\033", result.out)


case.main()
