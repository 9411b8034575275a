"""A daemon of one's own with the functions that are measured, and a client that loads it."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "tests", "harness")]

# pylint: disable=wrong-import-position
import machine  # noqa: E402
from api import Api, quote  # noqa: E402
from archive import zip_files  # noqa: E402
from daemon import Daemon  # noqa: E402
from laws import check_history  # noqa: E402

CATCH_UP_S = 120
READY_S = 60
ENTRY = "bootstrap"


class BenchError(Exception):
    pass


class Cost:
    """What the daemon and the functions have used since it was made, and what share of the
    machine's processors was taken by what is not measured: a figure is worth less for it."""

    def __init__(self, stage):
        self.stage = stage
        self.before = (*stage.cpu(), machine.busy_s(), time.monotonic())

    def each(self, units, client_s=0.0):
        after = (*self.stage.cpu(), machine.busy_s(), time.monotonic())
        daemon, functions, busy, took = (now - then for now, then in zip(after, self.before))
        others = (busy - daemon - functions - client_s) / took / os.cpu_count()
        units = max(units, 1)
        return {"daemon_cpu_us_each": daemon * 1e6 / units,
                "function_cpu_us_each": functions * 1e6 / units,
                "client_cpu_us_each": client_s * 1e6 / units,
                "other_cpu_percent": round(max(others, 0) * 100)}


class Stage:
    """`with Stage(build) as stage:` a daemon on a new data directory, gone afterwards. The
    directory lies beside the build, so on its disk."""

    def __init__(self, build, arguments=()):
        self.build = os.path.abspath(build)
        self.scratch = tempfile.mkdtemp(prefix="bench-", dir=self.build)
        self.daemon = Daemon(self.build, os.path.join(self.scratch, "data"), arguments)
        self.api = None
        self.launcher = None
        self.clients = []

    def __enter__(self):
        try:
            self.start()
        except Exception:
            self._end()
            raise
        return self

    def __exit__(self, kind, *_):
        self._end()
        if kind is None:
            shutil.rmtree(self.scratch, ignore_errors=True)
        else:
            print(f"bench: kept {self.scratch}", file=sys.stderr)

    def start(self):
        """Seconds until the daemon says that it is ready."""
        began = time.monotonic()
        self.daemon.run(READY_S)
        took = time.monotonic() - began
        self.api = Api(self.daemon.socket)
        self.launcher = self.daemon.launcher_pid()
        if self.launcher is None:
            raise BenchError("the daemon has no launcher")
        return took

    def kill(self):
        self.daemon.kill()

    def _end(self):
        for client in self.clients:
            if client.poll() is None:
                client.kill()
                client.wait()
        self.daemon.kill()
        end = time.monotonic() + READY_S
        while self.launcher and os.path.exists(f"/proc/{self.launcher}"):
            if time.monotonic() > end:
                raise BenchError("the launcher has outlived its daemon")
            time.sleep(0.01)

    def door(self):
        """For options of a load: over TCP, each request signed with a key of its own."""
        listen = re.search(r" listen=\S+:(\d+)", self.daemon.ready_line)
        key = json.loads(subprocess.run(
            [self.daemon.program, "keys", "create", "--output", "json"], check=True, timeout=30,
            env=dict(os.environ, PAWL_SOCKET=self.daemon.socket), capture_output=True).stdout)
        return {"port": listen.group(1), "key": f"{key['AccessKeyId']}:{key['SecretAccessKey']}"}

    # --- functions -----------------------------------------------------------------

    def archive(self, more=None, program="bench_worker"):
        files = {ENTRY: os.path.join(self.build, "bench", program)}
        for name, text in (more or {}).items():
            files[name] = os.path.join(self.scratch, "file-" + name)
            with open(files[name], "w", encoding="utf-8") as file:
                file.write(text)
        return zip_files(files)

    def deploy(self, name, handler, *, concurrency=1, is_durable=False, archive=None, **more):
        settings = {"Timeout": 900, "CapacityProviderConfig": {
            "LambdaManagedInstancesCapacityProviderConfig": {
                "PerExecutionEnvironmentMaxConcurrency": concurrency}}, **more}
        if is_durable:
            settings["DurableConfig"] = {"ExecutionTimeout": 7 * 86400,
                                         "RetentionPeriodInDays": 7}
        self.api.create_function(name, archive or self.archive(), handler, **settings)
        self.wait(lambda: self.api.get_function(name)["Configuration"]["State"] == "Active",
                  f"{name} is active")

    # --- load ----------------------------------------------------------------------

    def start_load(self, function, **options):
        command = [os.path.join(self.build, "bench", "bench_client"), "--socket",
                   self.daemon.socket, "--function", quote(function)]
        for key, value in options.items():
            command.append("--" + key)
            if value is not True:
                command.append(str(value))
        # pylint: disable=consider-using-with
        client = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.clients.append(client)
        return client

    def end_load(self, client, timeout_s=600):
        out, _ = client.communicate(timeout=timeout_s)
        if client.returncode != 0:
            raise BenchError(f"the client ended with {client.returncode}")
        run = json.loads(out)
        if run["errors"]:
            raise BenchError(f"{run['errors']} errors, the first: {run['first_error']}")
        return run

    def load(self, function, **options):
        run = self.end_load(self.start_load(function, **options))
        self.api = Api(self.daemon.socket)  # the daemon may have closed an idle connection
        return run

    # --- what it says ----------------------------------------------------------------

    def status(self):
        return self.api.request("GET", "/pawl/v1/status").json()

    def wait(self, is_so, what, timeout_s=60, pause_s=0.005):
        end = time.monotonic() + timeout_s
        while not is_so():
            if time.monotonic() > end:
                raise BenchError(f"not within {timeout_s} s: {what}")
            time.sleep(pause_s)

    def cpu(self):
        return (machine.cpu_s(self.daemon.process.pid),
                sum(machine.descendants(self.launcher).values()))

    def behind(self):
        journal = self.status()["Journal"]
        return journal["CommittedLsn"] - journal["AppliedLsn"]

    def lag(self):
        """How far the views are behind at this moment, and how long they need."""
        began = time.monotonic()
        behind = self.behind()
        self.wait(lambda: self.behind() == 0, "the views have caught up", CATCH_UP_S)
        return {"views_behind": behind,
                "views_caught_up_ms": round((time.monotonic() - began) * 1000, 1)}

    # --- reading back ----------------------------------------------------------------

    def wait_steps(self, arns, steps):
        """Placed in an environment is not yet under way."""
        for arn in arns:
            self.wait(lambda one=arn: sum(event["EventType"] == "StepSucceeded"
                                          for event in self.api.history(one)) >= steps,
                      f"{steps} steps of {arn}", 120)

    def verify(self, arns, *, steps, status="SUCCEEDED"):
        """Each has a history without gaps or contradictions and with so many steps done."""
        if not arns:
            raise BenchError("there are no samples to verify")
        for arn in arns:
            events = self.api.history(arn)
            found = self.api.get_execution(arn)["Status"]
            broken = check_history(events, found)
            done = sum(event["EventType"] == "StepSucceeded" for event in events)
            if broken or found != status or done != steps:
                raise BenchError(f"{arn} is {found} with {done} steps: {broken or 'no gap'}")
        return len(arns)
