"""The whole daemon over its real socket: what a client may count on.

    daemontest.py BUILD

Each test has a daemon of its own, on a data directory of its own, and real functions in
real sandboxes (the handlers of the conformance suite).
"""

import base64
import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness")]

from api import Api, ApiError  # noqa: E402
from archive import zip_files  # noqa: E402
from daemon import Daemon  # noqa: E402
from laws import check_history  # noqa: E402
from sanitizer import sanitize_of  # noqa: E402

BUILD = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "build"
HANDLERS = os.path.join(BUILD, "tests", "conformance", "conformance_handlers")
DURABLE = {"DurableConfig": {"ExecutionTimeout": 3600, "RetentionPeriodInDays": 1}}
WAIT_S = 60

# docs/journal.md: format 1, suite 1, first of its execution, RUNNING, key epoch 1, tenant.
FIRST_FRAME = struct.pack("<BBBBIQ", 1, 1, 1, 1, 1, 123456789012)


def wait_for(what, condition):
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {WAIT_S} s")


class DaemonTest(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="pawl-test-")
        self.daemon = Daemon(BUILD, os.path.join(self.scratch.name, "data"))
        self.daemon.run()
        self.api = Api(self.daemon.socket)

    def tearDown(self):
        try:
            self.daemon.end()
        finally:
            self.scratch.cleanup()

    def deploy(self, name, handler, **more):
        self.api.create_function(name, zip_files({"bootstrap": HANDLERS}), handler, **more)
        return name + ":$LATEST"

    def start(self, function, payload, name=None, kind="Event"):
        answer = self.api.invoke(function, json.dumps(payload), kind=kind, name=name)
        return answer.headers["x-amz-durable-execution-arn"]

    def until_event(self, arn, kind):
        return wait_for(kind, lambda: next(
            (event for event in self.api.history(arn) if event["EventType"] == kind), None))

    def until_closed(self, arn):
        return wait_for("the end", lambda: next(
            (one for one in [self.api.get_execution(arn)] if one["Status"] != "RUNNING"), None))

    def restart(self):
        self.daemon.run()
        self.api = Api(self.daemon.socket)

    def kill_and_restart(self):
        self.daemon.kill()
        self.restart()

    def refused(self, expected_status, expected_name, call, *arguments, **more):
        with self.assertRaises(ApiError) as caught:
            call(*arguments, **more)
        self.assertEqual((caught.exception.status, caught.exception.name),
                         (expected_status, expected_name))

    # --- names ---------------------------------------------------------------------

    def test_a_name_leads_to_one_execution(self):
        function = self.deploy("greet", "1-1", **DURABLE)
        first = self.api.invoke(function, '"World"', name="once")
        again = self.api.invoke(function, '"World"', name="once")
        self.assertEqual(first.body, again.body)
        self.assertEqual(first.headers["x-amz-durable-execution-arn"],
                         again.headers["x-amz-durable-execution-arn"])
        self.refused(409, "DurableExecutionAlreadyStartedException", self.api.invoke, function,
                     '"Moon"', name="once")

    def test_an_execution_without_a_name_is_called_by_its_id(self):
        function = self.deploy("greet", "1-1", **DURABLE)
        first = self.api.invoke(function, '"World"')
        arn = first.headers["x-amz-durable-execution-arn"]
        name = arn.split("/")[-2]
        for _ in range(2):
            again = self.api.invoke(function, '"World"', name=name)
            self.assertEqual(again.headers["x-amz-durable-execution-arn"], arn)
            self.assertEqual(again.body, first.body)
            self.refused(409, "DurableExecutionAlreadyStartedException", self.api.invoke,
                         function, '"Moon"', name=name)
            self.kill_and_restart()

    def test_a_name_is_known_after_kill_9(self):
        function = self.deploy("greet", "1-1", **DURABLE)
        first = self.api.invoke(function, '"World"', name="once")
        self.kill_and_restart()
        again = self.api.invoke(function, '"World"', name="once")
        self.assertEqual(first.body, again.body)
        self.refused(409, "DurableExecutionAlreadyStartedException", self.api.invoke, function,
                     '"Moon"', name="once")

    # --- crashes ---------------------------------------------------------------------

    def test_a_wait_goes_on_after_kill_9(self):
        arn = self.start(self.deploy("waits", "2-3", **DURABLE), None)
        self.until_event(arn, "WaitStarted")
        self.kill_and_restart()
        self.assertEqual(self.until_closed(arn)["Status"], "SUCCEEDED")
        check_history(self.api.history(arn), "SUCCEEDED")

    def test_a_callback_reaches_an_execution_from_before_kill_9(self):
        arn = self.start(self.deploy("asks", "4-1", **DURABLE), "approval")
        started = self.until_event(arn, "CallbackStarted")
        callback_id = started["CallbackStartedDetails"]["CallbackId"]
        self.until_event(arn, "InvocationCompleted")
        self.kill_and_restart()
        self.api.callback(callback_id, "succeed", '"yes"')
        self.assertEqual(self.until_closed(arn)["Status"], "SUCCEEDED")
        self.refused(400, "CallbackTimeoutException", self.api.callback, callback_id, "succeed",
                     '"again"')

    def test_the_data_directory_has_one_daemon(self):
        second = subprocess.run(
            [self.daemon.program, "serve", "--data", self.daemon.data, "--socket",
             self.daemon.socket + "2"], capture_output=True, text=True, timeout=60, check=False)
        self.assertNotEqual(second.returncode, 0)
        self.assertIn(self.daemon.data, second.stderr + second.stdout)
        self.api.invoke(self.deploy("greet", "1-1", **DURABLE), '"World"')

    def test_sigterm_ends_it_and_a_restart_goes_on(self):
        arn = self.start(self.deploy("waits", "2-1", **DURABLE), None)
        self.until_event(arn, "InvocationCompleted")
        self.daemon.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.daemon.process.wait(60), 0)
        self.restart()
        self.assertEqual(self.until_closed(arn)["Status"], "SUCCEEDED")

    def test_sigterm_suspends_what_runs_at_its_next_checkpoint(self):
        arn = self.start(self.deploy("long", "many-steps", **DURABLE), 1000)  # some 100 s
        self.until_event(arn, "StepSucceeded")
        self.daemon.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.daemon.process.wait(25), 0)  # drain_s is 30
        self.restart()
        def ends():
            return [event["EventType"] for event in self.api.history(arn)
                    if event["EventType"] == "InvocationCompleted"]
        wait_for("the cut off invocation", ends)
        done = len([1 for event in self.api.history(arn) if event["EventType"] == "StepSucceeded"])
        wait_for("more steps", lambda: len(
            [1 for event in self.api.history(arn)
             if event["EventType"] == "StepSucceeded"]) > done)
        self.api.stop(arn)
        check_history(self.api.history(arn), "STOPPED")

    # --- stop ------------------------------------------------------------------------

    def test_stop_ends_a_suspended_execution_once(self):
        arn = self.start(self.deploy("sleeps", "2-5", **DURABLE), None)
        self.until_event(arn, "InvocationCompleted")
        first = self.api.stop(arn)
        self.assertEqual(self.api.stop(arn), first)
        events = self.api.history(arn)
        self.assertEqual(events[-1]["EventType"], "ExecutionStopped")
        self.assertEqual(self.api.get_execution(arn)["Status"], "STOPPED")

    def test_what_does_not_exist_is_not_found(self):
        arn = self.start(self.deploy("greet", "1-1", **DURABLE), "World")
        other = arn[:-12] + "000000000000"
        self.refused(404, "ResourceNotFoundException", self.api.get_execution, other)
        self.refused(404, "ResourceNotFoundException", self.api.stop, other)
        self.refused(404, "ResourceNotFoundException", self.api.callback, "Zm9v", "succeed", "1")
        self.refused(404, "ResourceNotFoundException", self.api.invoke, "nobody", "1")

    # --- lists and histories -----------------------------------------------------------

    def test_a_list_has_every_acknowledged_start_in_pages(self):
        function = self.deploy("sleeps", "2-5", **DURABLE)
        arns = {self.start(function, number) for number in range(25)}
        seen = []
        marker = ""
        while True:
            query = f"?MaxItems=10{marker}"
            page = self.api.request(
                "GET", "/2025-12-01/functions/sleeps/durable-executions" + query).json()
            seen += [one["DurableExecutionArn"] for one in page["DurableExecutions"]]
            if "NextMarker" not in page:
                break
            marker = "&Marker=" + page["NextMarker"].replace("+", "%2B").replace(
                "/", "%2F").replace("=", "%3D")
        self.assertEqual(len(seen), 25)
        self.assertEqual(set(seen), arns)

    def test_a_history_is_the_same_in_pages_and_backwards(self):
        arn = self.start(self.deploy("waits", "3-18", **DURABLE), "x")
        self.until_closed(arn)
        whole = self.api.history(arn)
        self.assertEqual(self.api.history(arn, items_max=3), whole)
        self.assertEqual(self.api.history(arn, is_reverse=True), whole[::-1])
        self.assertEqual(self.api.history(arn, items_max=3, is_reverse=True), whole[::-1])

    def test_a_read_is_of_one_moment(self):
        """The answer waits for the views while the execution goes on to its end."""
        function = self.deploy("asks", "4-1", **DURABLE)
        for number in range(40):
            arn = self.start(function, f"approval-{number}")
            started = self.until_event(arn, "CallbackStarted")
            callback_id = started["CallbackStartedDetails"]["CallbackId"]
            self.until_event(arn, "InvocationCompleted")
            self.api.callback(callback_id, "succeed", '"yes"')
            seen = self.api.get_execution(arn)
            self.assertEqual("Result" in seen, seen["Status"] == "SUCCEEDED", seen)
            self.assertEqual("EndTimestamp" in seen, seen["Status"] == "SUCCEEDED", seen)

    def test_an_event_sent_again_runs_once_and_leaves_only_its_name(self):
        self.deploy("echo", "echo")
        def send(token):
            answer = self.api.invoke("echo", '"x"', kind="Event", invocation_id=token)
            self.assertEqual(answer.status, 202)
        def starts():
            lines = self.api.request("GET", "/pawl/v1/logs/echo").body.decode()
            return lines.count("START RequestId")
        for token in ("one", "one", "two", None):
            send(token)
        wait_for("three events", lambda: starts() >= 3)
        wait_for("their end", lambda: self.status()["Executions"]["Hot"] == 0)
        listed = self.api.request("GET", "/pawl/v1/executions").json()
        self.assertEqual(listed["Executions"], [])
        send("one")
        self.kill_and_restart()
        send("two")
        send("three")
        wait_for("the last one", lambda: starts() >= 4)
        self.assertEqual(starts(), 4)
        self.daemon.end()
        self.assertEqual(self.verify().returncode, 0)

    def test_old_code_goes_when_nobody_needs_it(self):
        function = self.deploy("asks", "4-1", **DURABLE)
        waiting = self.start(function, "approval")
        callback_id = self.until_event(waiting, "CallbackStarted")["CallbackStartedDetails"][
            "CallbackId"]
        self.until_event(waiting, "InvocationCompleted")
        for number in range(3):
            self.update_code("asks", number)
        self.kill_and_restart()
        wait_for("a sweep", lambda: self.swept() >= 2)
        self.assertEqual(self.swept(), 2)  # one is waited on
        self.api.callback(callback_id, "succeed", '"yes"')
        self.assertEqual(self.until_closed(waiting)["Status"], "SUCCEEDED")
        self.kill_and_restart()
        wait_for("another sweep", lambda: self.swept() == 3)
        self.daemon.end()
        self.assertEqual(self.verify().returncode, 0)

    def swept(self):
        """How many revisions have gone, in however many sweeps."""
        with open(self.daemon.log, encoding="utf-8") as file:
            return sum(map(int, re.findall(r"(\d+) old revisions of functions were removed",
                                           file.read())))

    def update_code(self, name, number):
        archive = zip_files({"bootstrap": HANDLERS, f"version-{number}": HANDLERS})
        self.api.request("PUT", f"/2015-03-31/functions/{name}/code", json.dumps(
            {"ZipFile": base64.b64encode(archive).decode()}))

    def test_environments_of_old_code_go_at_once(self):
        self.deploy("echo", "echo")
        self.api.invoke("echo", '"x"')
        self.assertEqual(len(self.status()["Environments"]), 1)
        self.update_code("echo", 1)
        wait_for("the old one to go", lambda: self.status()["Environments"] == [])
        self.api.invoke("echo", '"x"')
        self.api.request("DELETE", "/2015-03-31/functions/echo")
        wait_for("the last one to go", lambda: self.status()["Environments"] == [])

    def status(self):
        return self.api.request("GET", "/pawl/v1/status").json()

    # --- rest ----------------------------------------------------------------------------

    def switches(self):
        """How often its threads have gone to sleep, and so how often they were awake."""
        total = 0
        tasks = f"/proc/{self.daemon.process.pid}/task"
        for task in os.listdir(tasks):
            with open(f"{tasks}/{task}/status", encoding="utf-8") as file:
                total += next(int(line.split()[1]) for line in file
                              if line.startswith("voluntary_ctxt_switches"))
        return total

    @unittest.skipIf(sanitize_of(BUILD) != "none", "sanitizers have threads and a shadow memory")
    def test_an_idle_daemon_is_small_and_sleeps(self):
        self.api.invoke(self.deploy("greet", "1-1", **DURABLE), '"World"')
        self.api.local.connection.close()  # an open one is looked after
        wait_for("a second in which nobody wakes up", self.sleeps_for_a_second)
        with open(f"/proc/{self.daemon.process.pid}/status", encoding="utf-8") as file:
            resident_kb = next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
        self.assertLess(resident_kb, 20 << 10)

    def sleeps_for_a_second(self):
        before = self.switches()
        time.sleep(1)
        return self.switches() == before

    # --- upkeep ------------------------------------------------------------------------

    def test_a_backup_restores_what_was_acknowledged(self):
        function = self.deploy("greet", "1-1", **DURABLE)
        first = self.api.invoke(function, '"World"', name="kept")
        target = os.path.join(self.scratch.name, "backup")
        self.api.request("POST", "/pawl/v1/backup", json.dumps({"Directory": target}))
        self.daemon.kill()
        for key in ("root.key", "keyring"):
            source = os.path.join(self.daemon.data, key)
            with open(source, "rb") as file, \
                    open(os.open(os.path.join(target, key), os.O_CREAT | os.O_WRONLY, 0o400),
                         "wb") as copy:
                copy.write(file.read())
        os.chmod(target, 0o700)
        self.daemon.data = target
        self.restart()
        self.assertEqual(self.api.invoke(function, '"World"', name="kept").body, first.body)

    def test_verify_finds_a_sound_journal_sound(self):
        self.api.invoke(self.deploy("greet", "1-1", **DURABLE), '"World"')
        report = self.api.request("POST", "/pawl/v1/verify", "{}").json()
        self.assertEqual((report["Checked"], report["Damaged"]), (1, []))
        self.daemon.end()
        done = subprocess.run([self.daemon.program, "verify", "--data", self.daemon.data],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def damage_first_frames(self):
        """Of every execution in the views: behind its header, within its seals."""
        path = os.path.join(self.daemon.data, "views", "data.mdb")
        with open(path, "r+b") as file:
            content = file.read()
            at = content.find(FIRST_FRAME)
            self.assertGreater(at, 0)
            while at >= 0:
                file.seek(at + 300)
                file.write(bytes(byte ^ 0x5A for byte in content[at + 300:at + 304]))
                at = content.find(FIRST_FRAME, at + 1)

    def verify(self):
        return subprocess.run([self.daemon.program, "verify", "--data", self.daemon.data],
                              capture_output=True, text=True, timeout=60, check=False)

    def test_verify_names_damage(self):
        self.api.invoke(self.deploy("greet", "1-1", **DURABLE), '"World"')
        self.daemon.end()
        self.damage_first_frames()
        done = self.verify()
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)

    def test_a_damaged_execution_can_be_stopped_and_harms_nobody(self):
        function = self.deploy("asks", "4-1", **DURABLE)
        arn = self.start(function, "approval", name="broken")
        started = self.until_event(arn, "CallbackStarted")
        self.until_event(arn, "InvocationCompleted")
        self.daemon.end()
        self.damage_first_frames()
        self.restart()
        self.refused(500, "ServiceException", self.api.get_execution, arn)
        self.refused(500, "ServiceException", self.api.history, arn)
        self.refused(500, "ServiceException", self.api.callback,
                     started["CallbackStartedDetails"]["CallbackId"], "succeed", '"yes"')
        self.refused(500, "ServiceException", self.start, function, "approval", name="broken")
        sound = self.start(function, "approval", name="sound")
        self.until_event(sound, "CallbackStarted")
        self.api.stop(arn)
        self.assertEqual(self.listed_status("asks", arn), "STOPPED")
        self.kill_and_restart()
        self.assertEqual(self.listed_status("asks", arn), "STOPPED")
        self.api.stop(arn)  # again: it is what it is
        self.api.stop(sound)
        check_history(self.api.history(sound), "STOPPED")

    def listed_status(self, function, arn):
        page = self.api.request(
            "GET", f"/2025-12-01/functions/{function}/durable-executions").json()
        return next(one["Status"] for one in page["DurableExecutions"]
                    if one["DurableExecutionArn"] == arn)

    # --- limits ------------------------------------------------------------------------

    def restart_with(self, text):
        self.daemon.end()
        with open(self.daemon.data + ".conf", "w", encoding="utf-8") as file:
            file.write(text)
        self.daemon.arguments = ["--config", self.daemon.data + ".conf"]
        self.restart()

    def test_payloads_beyond_the_cache_come_from_the_views(self):
        self.restart_with("[limits]\npayload_cache_mb_max = 1\n")
        function = self.deploy("asks", "4-9", **DURABLE)
        answers = {}
        for number in range(8):
            arn = self.start(function, f"approval-{number}")
            started = self.until_event(arn, "WaitStarted")  # it does not run for 5 s
            callback_id = next(event["CallbackStartedDetails"]["CallbackId"]
                               for event in self.api.history(arn)
                               if event["EventType"] == "CallbackStarted")
            self.assertTrue(started)
            answers[arn] = json.dumps(chr(ord("a") + number) * 200_000)
            self.api.callback(callback_id, "succeed", answers[arn])
        for arn, answer in answers.items():
            self.assertEqual(self.until_closed(arn).get("Result"), answer)

    def test_a_child_refused_for_fullness_is_started_when_there_is_room(self):
        self.restart_with("[limits]\nexecutions_max = 3\n")
        asks = self.deploy("asks", "4-1", **DURABLE)
        self.deploy("target", "echo")
        parent = self.deploy("calls", "5-1", **DURABLE,
                             Environment={"Variables": {"CONFORMANCE_ECHO": "target"}})
        waiting = [self.start(asks, number) for number in range(2)]  # these stay in memory
        for arn in waiting:
            self.until_event(arn, "InvocationCompleted")
        arn = self.start(parent, "hello")
        self.until_event(arn, "ChainedInvokeStarted")
        self.until_event(arn, "InvocationCompleted")
        self.refused(429, "TooManyRequestsException", self.start, asks, "one more")
        self.api.stop(waiting[0])
        self.assertEqual(self.until_closed(arn)["Status"], "SUCCEEDED")
        check_history(self.api.history(arn), "SUCCEEDED")


if __name__ == "__main__":
    unittest.main(verbosity=2)
