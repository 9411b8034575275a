"""Functions with a Lambda runtime: their beginnings and ends, many at once, streams, and what
they reach through their door.

    guestlifetest.py BUILD
"""

import base64
import json
import os
import re
import signal
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness"), HERE]

from api import UnixConnection  # noqa: E402
from archive import zip_files  # noqa: E402
from daemontest import BUILD, wait_for  # noqa: E402
from guestfixture import INVOKE, UUID, GuestFixture, zip_programs  # noqa: E402

STREAM = "/2021-11-15/functions/{}/response-streaming-invocations"


class LifeTest(GuestFixture):
    def begins(self, how, **more):
        self.deploy(Environment={"Variables": {"BEGIN": how}}, **more)
        return self.api.invoke("f", "{}")

    def mends(self):
        self.api.request("PUT", "/2015-03-31/functions/f/configuration",
                         json.dumps({"Environment": {"Variables": {}}}))
        self.check_works()

    def test_an_init_error_is_the_callers(self):
        self.check_error(self.begins("error"), "Begin.Failed", ".*it does not begin")
        self.mends()

    def test_an_exit_during_init_says_its_status(self):
        self.check_error(self.begins("exit:4"), "Runtime.ExitError",
                         f"RequestId: {UUID} Error: Runtime exited with error: exit status 4")
        self.mends()

    def test_an_exit_during_init_without_a_status(self):
        self.check_error(self.begins("exit:0"), "Runtime.ExitError",
                         f"RequestId: {UUID} Error: Runtime exited without providing a reason")

    def test_a_crash_during_init_says_its_signal(self):
        self.check_error(self.begins("crash"), "Runtime.ExitError",
                         f"RequestId: {UUID} Error: Runtime exited with error: "
                         "signal: segmentation fault")

    def test_a_runtime_that_never_asks_is_ended(self):
        self.restart_with("[limits]\nenvironment_init_ms = 700\n")
        answer = self.begins("hang", Timeout=2)
        self.assertIn(answer.json()["errorType"], ("Runtime.InitTimeout", "Sandbox.Timedout"))
        wait_for("its end", lambda: self.environments() == [])

    def test_a_missing_bootstrap_is_an_invalid_entrypoint(self):
        self.deploy(archive=zip_programs({"other": ("x", 0o755)}))
        self.check_error(self.api.invoke("f", "{}"), "Runtime.InvalidEntrypoint", ".*bootstrap.*")

    def test_a_bootstrap_that_cannot_run_is_an_invalid_entrypoint(self):
        self.deploy("b", archive=zip_programs({"bootstrap": ("#!/no/such/program\n", 0o755)}))
        self.deploy("c", archive=zip_programs({"bootstrap": ("\0\1\2\3", 0o755)}))
        for name in "bc":
            self.check_error(self.api.invoke(name, "{}"), "Runtime.InvalidEntrypoint",
                             ".*bootstrap.*")

    def test_an_exit_during_an_invocation_says_its_status(self):
        self.deploy()
        self.check_error(self.does("exit", status=1), "Runtime.ExitError",
                         f"RequestId: {UUID} Error: Runtime exited with error: exit status 1")
        self.check_works()

    def test_an_exit_during_an_invocation_without_a_status(self):
        self.deploy()
        self.check_error(self.does("exit", status=0), "Runtime.ExitError",
                         f"RequestId: {UUID} Error: Runtime exited without providing a reason")
        self.check_works()

    def test_a_crash_during_an_invocation_says_its_signal(self):
        self.deploy()
        self.check_error(self.does("crash"), "Runtime.ExitError",
                         f"RequestId: {UUID} Error: Runtime exited with error: "
                         "signal: segmentation fault")
        self.check_works()

    def test_a_signal_during_an_invocation_is_named(self):
        self.deploy()
        answer = self.does("run", code="import os, signal\nos.kill(os.getpid(), signal.SIGTERM)")
        self.check_error(answer, "Runtime.ExitError",
                         f"RequestId: {UUID} Error: Runtime exited with error: signal: terminated")
        self.check_works()

    def test_an_invocation_has_its_time(self):
        self.deploy(Timeout=1)
        self.check_error(self.does("hang"), "Sandbox.Timedout",
                         f"RequestId: {UUID} Error: Task timed out after 1.00 seconds")
        self.check_works()

    def test_an_invocation_has_its_memory(self):
        self.deploy(MemorySize=128)
        answer = self.does("hoard")
        kind = answer.json()["errorType"]
        if kind == "Runtime.ExitError":  # where there is no control group, memory is denied
            self.assertIn("exit status", answer.json()["errorMessage"])
        else:
            self.check_error(answer, "Runtime.OutOfMemory",
                             f"RequestId: {UUID} Error: Runtime exited with error: signal: killed")
        self.check_works()

    def test_an_exit_while_idle_harms_nobody(self):
        self.restart_with("[limits]\nenvironments_each_max = 1\n")
        self.deploy()
        for _ in range(3):
            self.assertEqual(self.does("exit_idle", status=3, value=1).body, b"1")
            wait_for("its end", lambda: self.environments() == [])
            self.check_works()
            self.assertEqual(self.does("exit_idle", status=0, value=1).body, b"1")
            wait_for("its end", lambda: self.environments() == [])

    def test_an_exit_after_the_response_loses_nothing(self):
        """As Node ends after an uncaught exception: it answers, and does not ask again."""
        self.deploy()
        for number in range(15):
            answer = self.does("respond_and_exit", value=number, status=129)
            self.assertEqual(answer.body, str(number).encode())

    def test_callers_at_once_lose_nothing_to_exits(self):
        self.deploy()

        def call(api, first):
            return [api.invoke("f", json.dumps(
                {"do": "respond_and_exit" if number % 2 else "respond", "value": first + number,
                 "status": 129})).body for number in range(8)]
        calls = [self.in_background(lambda api, first=first * 100: call(api, first))
                 for first in range(4)]
        for first, outcome in enumerate(calls):
            wait_for("all answers", lambda outcome=outcome: outcome)
            self.assertEqual(outcome[0], [str(first * 100 + number).encode()
                                          for number in range(8)])

    def test_a_question_taken_back_loses_nothing(self):
        self.deploy()
        self.does("run", code="""
import http.client
lost = http.client.HTTPConnection(API)
lost.request("GET", "/2018-06-01/runtime/invocation/next")
lost.close()
for _ in range(20):  # until the daemon has seen it
    one.client.ask("GET", "/2018-06-01/runtime/nothing")
out = 1
""")
        for _ in range(3):
            self.check_works()


class ManyTest(GuestFixture):
    MANY = {"CapacityProviderConfig": {"LambdaManagedInstancesCapacityProviderConfig": {
        "PerExecutionEnvironmentMaxConcurrency": 4}}}

    def test_invocations_meet_in_one_environment(self):
        self.restart_with("[limits]\nenvironments_each_max = 1\n")
        self.deploy(**self.MANY)
        environ = self.does("facts").json()["environ"]
        self.assertEqual(environ["AWS_LAMBDA_MAX_CONCURRENCY"], "4")
        self.assertEqual(environ["AWS_LAMBDA_INITIALIZATION_TYPE"], "lambda-managed-instances")
        for turn in range(10):
            calls = [self.in_background(lambda api, number=number, turn=turn: api.invoke(
                "f", json.dumps({"do": "meet", "name": str(turn), "count": 4,
                                 "number": number}))) for number in range(4)]
            for number, call in enumerate(calls):
                wait_for("an answer", lambda call=call: call)
                self.assertEqual(call[0].json()["number"], number)
                self.assertEqual(call[0].json()["id"], call[0].headers["x-amzn-requestid"])

    def test_answers_are_not_mixed(self):
        self.deploy(**self.MANY)

        def call(api, first):
            for number in range(first, first + 40):
                answer = api.invoke("f", json.dumps({"do": "respond", "value": number}))
                if answer.body != str(number).encode():
                    return (number, answer.body)
            return "all right"
        calls = [self.in_background(lambda api, first=first * 1000: call(api, first))
                 for first in range(8)]
        for outcome in calls:
            wait_for("all answers", lambda outcome=outcome: outcome)
            self.assertEqual(outcome[0], "all right")

    def test_a_crash_takes_its_neighbours_along_and_no_one_else(self):
        self.deploy(**self.MANY)
        self.does("respond", value=1)
        hanging = self.in_background(lambda api: api.invoke("f", '{"do":"hang"}'))
        wait_for("its start", lambda: len([1 for line in self.log_lines("f")
                                           if "START RequestId" in line]) == 2)
        self.check_error(self.does("exit", status=1), "Runtime.ExitError", ".*exit status 1")
        wait_for("the neighbour's end", lambda: hanging)
        self.assertEqual(hanging[0].headers["x-amz-function-error"], "Unhandled")
        self.check_works()


class StreamTest(GuestFixture):
    def stream(self, order, read=None):
        """The frames: [(event type, payload)]; `read` has the response before it is read."""
        connection = UnixConnection(self.daemon.socket, 60)
        connection.request("POST", STREAM.format("f"), json.dumps(order), {})
        response = connection.getresponse()
        self.assertEqual(response.status, 200)
        if read is not None:
            read(response)
        frames = self.frames_of(response.read())
        connection.close()
        return frames

    def frames_of(self, data):
        frames = []
        while data:
            length = int.from_bytes(data[:4], "big")
            head = int.from_bytes(data[4:8], "big")
            headers = data[12:12 + head]
            kind = re.search(rb"\x0b:event-type\x07..(\w+?)\x0d:content-type", headers,
                             re.DOTALL).group(1)
            frames.append((kind.decode(), data[12 + head:length - 4]))
            data = data[length:]
        return frames

    def test_parts_arrive_as_they_are_made(self):
        self.deploy()
        seen = []

        def first_part(response):
            seen.append(response.read1(65536))
        frames = self.stream({"do": "chunks", "is_streaming": 1,
                              "pieces": ["one", {"sleep": 1}, "two"]}, first_part)
        self.assertIn(b"one", seen[0])
        self.assertNotIn(b"two", seen[0])
        self.assertEqual(frames[0], ("PayloadChunk", b"two"))
        self.assertEqual(frames[-1], ("InvokeComplete", b"{}"))

    def test_a_streaming_runtime_may_have_a_caller_that_waits(self):
        self.deploy()
        answer = self.does("chunks", is_streaming=1, pieces=["one", {"sleep": 0.1}, "two"])
        self.assertEqual(answer.body, b"onetwo")

    def test_an_error_in_the_middle_ends_the_stream(self):
        self.deploy()
        error = {"errorType": "Mid.Stream", "errorMessage": "enough", "stackTrace": []}
        frames = self.stream({"do": "chunks", "is_streaming": 1, "pieces": ["some"], "trailers": {
            "Lambda-Runtime-Function-Error-Type": "Mid.Stream",
            "Lambda-Runtime-Function-Error-Body":
                base64.b64encode(json.dumps(error).encode()).decode()}})
        self.assertEqual(frames[0], ("PayloadChunk", b"some"))
        end = json.loads(frames[-1][1])
        self.assertEqual((end["ErrorCode"], json.loads(end["ErrorDetails"])), ("Unhandled", error))
        self.check_works()

    def test_a_malformed_error_behind_a_stream_is_told(self):
        self.deploy()
        frames = self.stream({"do": "chunks", "is_streaming": 1, "pieces": ["some"], "trailers": {
            "Lambda-Runtime-Function-Error-Type": "Mid.Stream",
            "Lambda-Runtime-Function-Error-Body": "***"}})
        end = json.loads(frames[-1][1])
        self.assertEqual(json.loads(end["ErrorDetails"])["errorType"], "Runtime.StreamError")

    def test_a_stream_that_the_runtime_breaks_off_is_an_error(self):
        self.deploy()
        frames = self.stream({"do": "cut", "is_streaming": 1, "exit": 3})
        self.assertEqual(frames[0], ("PayloadChunk", b"half of it"))
        end = json.loads(frames[-1][1])
        self.assertIn("exit status 3", end["ErrorDetails"])
        self.check_works()

    def resident_kb(self):
        with open(f"/proc/{self.daemon.process.pid}/status", encoding="utf-8") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))

    def test_a_slow_reader_holds_the_function_back(self):
        self.deploy(**ManyTest.MANY)
        self.does("respond", value=1)
        before_kb = self.resident_kb()

        def wait_until_it_stands(_):
            sent = []

            def stands():
                sent.append(self.does("kept", name="sent").json() or 0)
                time.sleep(0.2)
                return len(sent) > 3 and sent[-1] == sent[-4] > 0
            wait_for("a function that waits", stands)
            self.assertLess(sent[-1], 20 << 20)
            self.assertLess(self.resident_kb() - before_kb, 30 << 10)
        frames = self.stream({"do": "chunks", "is_streaming": 1, "pieces": [50 << 20]},
                             wait_until_it_stands)
        self.assertEqual(sum(len(payload) for kind, payload in frames if kind == "PayloadChunk"),
                         50 << 20)
        self.assertEqual(frames[-1], ("InvokeComplete", b"{}"))

    def test_a_caller_that_leaves_lets_the_function_end(self):
        self.deploy()
        connection = UnixConnection(self.daemon.socket, 60)
        connection.request("POST", STREAM.format("f"), json.dumps(
            {"do": "chunks", "is_streaming": 1, "pieces": [20 << 20]}), {})
        connection.getresponse().read1(100)
        connection.close()
        connection.sock = None
        self.assertEqual(self.does("kept", name="sent").json(), 20 << 20)


class DoorTest(GuestFixture):
    def asks(self, *requests):
        return self.does("ask", requests=[
            dict(zip(("method", "path", "body", "headers"), one)) for one in requests]).json()

    def test_a_function_invokes_another(self):
        self.deploy()
        self.deploy("other")
        answers = self.asks(
            ("POST", INVOKE.format("other"), '{"do":"respond","value":[1]}'),
            ("POST", INVOKE.format("other"), '{"do":"raise","body":"{\\"errorType\\":\\"E\\"}"}'),
            ("POST", INVOKE.format("other"), '{"do":"print","text":"as an event"}',
             {"X-Amz-Invocation-Type": "Event"}),
            ("POST", INVOKE.format("nobody"), "{}"))
        self.assertEqual([answer[0] for answer in answers], [200, 200, 202, 404])
        self.assertEqual(answers[0][2], "[1]")
        self.assertEqual(answers[1][1]["x-amz-function-error"], "Unhandled")
        wait_for("the event", lambda: any("as an event" in line
                                          for line in self.log_lines("other")))

    def test_a_function_does_not_manage_functions(self):
        self.deploy()
        answers = self.asks(
            ("GET", "/2015-03-31/functions"), ("POST", "/2015-03-31/functions", "{}"),
            ("GET", "/2015-03-31/functions/f"), ("DELETE", "/2015-03-31/functions/f"),
            ("PUT", "/2015-03-31/functions/f/code", "{}"),
            ("GET", "/pawl/v1/status"), ("GET", "/pawl/v1/logs/f"),
            ("GET", "/pawl/v1/executions"), ("POST", "/pawl/v1/backup", "{}"))
        for status, headers, _ in answers:
            self.assertEqual((status, headers["x-amzn-errortype"]), (403, "AccessDeniedException"))
        self.check_works()

    def test_nothing_of_another_environment_is_reachable(self):
        self.deploy("a")
        self.deploy("b")
        door = self.does("facts", "a").json()["environ"]["AWS_LAMBDA_RUNTIME_API"]
        # The same port there is a door of its own, so another one is listened on in a.
        port = self.does("run", "a", code="""
import socket, builtins
builtins.kept_listener = socket.create_server(("127.0.0.1", 0))
out = builtins.kept_listener.getsockname()[1]
""").json()
        reach = f'out = can_reach(("127.0.0.1", {port}))'
        self.assertTrue(self.does("run", "a", code=reach).json())
        self.assertFalse(self.does("run", "b", code=reach).json())
        self.assertTrue(door.startswith("127.0.0.1:"))

    def variables(self, init):
        """Of the program that the init of its namespaces has started."""
        with open(f"/proc/{init}/task/{init}/children", encoding="ascii") as file:
            program, = file.read().split()
        with open(f"/proc/{program}/environ", "rb") as file:
            return [text.split(b"=")[0].decode() for text in file.read().split(b"\0")]

    def test_native_programs_have_no_door_once_they_are_known(self):
        handlers = os.path.join(BUILD, "tests", "conformance", "conformance_handlers")
        self.api.create_function("native", zip_files({"bootstrap": handlers}), "echo")
        has_door = []
        for _ in range(2):
            self.assertEqual(self.api.invoke("native", '"x"').body, b'"x"')
            pid = wait_for("its pid", lambda: self.environments()[0]["Pid"])
            has_door.append("AWS_LAMBDA_RUNTIME_API" in self.variables(pid))
            os.kill(pid, signal.SIGKILL)
            wait_for("its end", lambda: self.environments() == [])
        self.assertEqual(has_door, [True, False])

    def test_its_log_has_what_it_printed_within_its_invocation(self):
        self.deploy()
        answer = self.api.request("POST", INVOKE.format("f"), '{"do":"print","text":"hello"}',
                                  {"x-amz-log-type": "Tail"})
        lines = base64.b64decode(answer.headers["x-amz-log-result"]).decode().splitlines()
        request_id = answer.headers["x-amzn-requestid"]
        self.assertEqual(lines[:3], [f"START RequestId: {request_id} Version: $LATEST", "hello",
                                     f"END RequestId: {request_id}"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
