"""The killer: rounds of load, a kill, a restart; then quiet, and the final reading."""

import collections
import concurrent.futures
import os
import random
import signal
import subprocess
import sys
import time

from api import CLOSED, Api, ApiError
from archive import zip_files
from daemon import Daemon, DaemonError
from entries import read_ledger
from ledger import Notes
from load import EVENT, FLOW, FORGER, SUB, Gate, Listener, make_clients

HERE = os.path.dirname(os.path.abspath(__file__))
TARGETS = ("daemon", "daemon", "launcher", "both")
PHASES = ("running", "refusing", "suspended", "packing", "recovering")
CONTROLS = ("answer-first", "uncommitted-refusal", "drop-due", "skip-token")
# A refusal that is too early shows only when a kill falls between contradicting answers.
AIMED = {"uncommitted-refusal": ["--no-points", "--phase", "refusing"]}
JS_RUNTIME = "nodejs22.x"
ACKS_MIN = 20
ROUND_S = 120      # bound for the acknowledgements of a round
WORK_MIN = {"c": 0, "js": 4}  # steps begun before a kill: events alone are soon answered
WORK_S = 15        # but no longer than this: all may sleep
READY_S = 30
QUIET_S = 240      # bound without any execution ending once the kills are over
FUNCTIONS = {
    FLOW: {"DurableConfig": {"ExecutionTimeout": 86400, "RetentionPeriodInDays": 7}},
    SUB: {"DurableConfig": {"ExecutionTimeout": 86400, "RetentionPeriodInDays": 7}},
    FORGER: {"DurableConfig": {"ExecutionTimeout": 86400, "RetentionPeriodInDays": 7}},
    EVENT: {},
}


class StormError(Exception):
    pass


class Steps:
    """Those that the ledger has seen begin since they were forgotten."""

    def __init__(self, path):
        self.path = path
        self.offset = 0
        self.seen = 0

    def forget(self):
        self.offset = os.stat(self.path).st_size
        self.seen = 0

    def count(self):
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            text = file.read()
        whole = text[:text.rfind(b"\n") + 1]
        self.offset += len(whole)
        self.seen += whole.count(b"\tstart\t")
        return self.seen


class Storm:
    def __init__(self, options, scratch):
        self.options = options
        self.rng = random.Random(options.seed)
        self.scratch = scratch
        self.grant = os.path.join(scratch, "ledger")
        self.ledger_socket = os.path.join(self.grant, "socket")
        self.ledger_file = os.path.join(scratch, "ledger.log")
        self.daemon = Daemon(options.build, os.path.join(scratch, "data"),
                             ["--config", self.write_config()], self.environ())
        self.steps = Steps(self.ledger_file)
        self.kills = collections.Counter()
        self.points = self.list_points()
        self.points_hit = collections.Counter()
        self.start_s = []
        self.ledger = None
        self.notes = None
        self.gate = None
        self.reader = None
        self.clients = []
        self.offset = 0

    # --- setting up -------------------------------------------------------------------

    def environ(self):
        control = self.options.control
        return {"PAWL_CONTROL": control} if control else {}

    def write_config(self):
        os.mkdir(self.grant)
        os.chmod(self.scratch, 0o755)
        os.chmod(self.grant, 0o755)
        path = os.path.join(self.scratch, "pawl.conf")
        with open(path, "w", encoding="utf-8") as file:
            for name in FUNCTIONS:
                file.write(f"[function {name}]\ngrants = {self.grant}\n\n")
        return path

    def list_points(self):
        """The named crash points of a build that has them."""
        if self.options.no_points:
            return []
        done = subprocess.run([self.daemon.program, "serve", "--list-crash-points"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              timeout=10, check=False)
        return done.stdout.split() if done.returncode == 0 else []

    def begin(self):
        command = [sys.executable, os.path.join(HERE, "ledger.py"), self.ledger_socket,
                   self.ledger_file]
        self.ledger = subprocess.Popen(command)
        while not os.path.exists(self.ledger_socket):
            if self.ledger.poll() is not None:
                raise StormError("the ledger does not start")
            time.sleep(0.01)
        self.notes = connect(self.ledger_socket)
        self.gate = Gate(Api(self.daemon.socket), self.ledger_socket, self.options.seed,
                         self.options.open_max, self.options.sdk)
        self.restart()
        self.deploy()
        Listener(self.gate).start()

    def begin_batch(self):
        """Clients that start from nothing; what came before has been judged."""
        self.offset = os.stat(self.ledger_file).st_size
        self.gate.reopen()
        self.clients = make_clients(self.gate)
        for client in self.clients:
            client.start()

    def deploy(self):
        variables = {"STORM_LEDGER": self.ledger_socket, "STORM_SUB": SUB + ":$LATEST"}
        for name, more in FUNCTIONS.items():
            program = "storm_forger" if name == FORGER else "storm_worker"
            code = self.code_js(name) if self.is_js(name) else (self.archive(program), name, {})
            archive, handler, own = code
            self.gate.api.create_function(name, archive, handler, Timeout=120,
                                          Environment={"Variables": variables}, **more, **own)

    def is_js(self, name):
        """The forger speaks the native protocol in any case."""
        return self.options.sdk == "js" and name != FORGER

    def code_js(self, name):
        runtime = os.path.abspath(os.path.join(self.options.build, "runtimes", JS_RUNTIME))
        if not os.path.exists(os.path.join(runtime, "bootstrap")):
            raise StormError(f"{runtime} is not made: packaging/runtimes/{JS_RUNTIME}/make "
                             f"{runtime}")
        self.gate.api.add_runtime(JS_RUNTIME, runtime)
        archive = zip_files({"worker.mjs": os.path.join(HERE, "worker.mjs")})
        handler = "worker.event" if name == EVENT else "worker.flow"
        return archive, handler, {"Runtime": JS_RUNTIME, "MemorySize": 256}

    def archive(self, program):
        path = os.path.join(self.options.build, "tests", "storm", program)
        if not os.path.exists(path):
            raise StormError(f"{path} is not built")
        return zip_files({"bootstrap": path})

    # --- rounds -----------------------------------------------------------------------

    def restart(self, environ=None):
        """Starts the daemon; one that ends before it is ready was killed by a crash point
        and is started again without."""
        for environ_now in (environ, None):
            start = time.monotonic()
            self.daemon.start(environ_now)
            if self.daemon.wait_ready(READY_S):
                self.start_s.append(time.monotonic() - start)
                self.notes.note("ready")
                self.gate.serving.set()
                return environ_now is environ
            if environ_now is None:
                break
        raise StormError(f"the daemon ended with {self.daemon.process.returncode}, "
                         f"see {self.daemon.log}")

    def round(self, number):
        use_point = bool(self.points) and number % 2 == 1
        point = self.points[(number // 2) % len(self.points)] if use_point else None
        if point:
            self.kill_at_point(point)
        else:
            phases = self.options.phase or PHASES
            self.kill_at_random(self.rng.choice(TARGETS), self.rng.choice(phases))
        self.notes.note("kill", op=point or "random")

    def kill_at_point(self, point):
        """Lets the daemon end itself at the n-th passage of a named point."""
        count = self.rng.choice((1, 2, 3, 5, 8, 13, 30))
        self.load(ACKS_MIN)
        self.stop_serving()
        self.daemon.kill()
        self.kills["daemon", "running"] += 1
        self.gate.flowing.set()
        hit = True  # also by a point on the way to `ready`
        if self.restart({"PAWL_CRASH_POINT": f"{point}:{count}"}):
            hit = self.wait_point()
        self.points_hit[point] += hit
        self.kills["daemon", "at a point" if hit else "point not passed"] += 1

    def wait_point(self):
        """Whether the daemon ended by itself; either way it is started anew."""
        end = time.monotonic() + 10
        while self.daemon.is_alive() and time.monotonic() < end:
            self.check_clients()
            time.sleep(0.005)
        hit = not self.daemon.is_alive()
        self.stop_serving()
        self.daemon.kill()
        self.restart()
        return hit

    def load(self, acks):
        """Until so many more acknowledgements have been counted, and steps seen."""
        goal = self.gate.acks + acks
        work = WORK_MIN[self.options.sdk]
        begin = time.monotonic()
        self.steps.forget()
        self.gate.flowing.set()
        while self.gate.acks < goal or (self.steps.count() < work and
                                        time.monotonic() < begin + WORK_S):
            self.check_clients()
            self.check_daemon()
            if time.monotonic() > begin + ROUND_S:
                raise StormError(f"less than {acks} acknowledgements in {ROUND_S} s")
            time.sleep(0.002)

    def check_clients(self):
        if self.gate.failure:
            raise StormError(self.gate.failure)

    def check_daemon(self):
        if not self.daemon.is_alive():
            raise StormError(f"the daemon ended by itself with "
                             f"{self.daemon.process.returncode}, see {self.daemon.log}")

    def kill_at_random(self, target, phase):
        self.load(ACKS_MIN)
        self.prepare(phase)
        self.kill(target)
        self.gate.contradicting.clear()
        self.kills[target, phase] += 1
        if phase == "recovering":
            self.kill_while_starting()
        self.restart()
        self.gate.flowing.set()

    def prepare(self, phase):
        if phase == "suspended":
            self.gate.flowing.clear()
            self.wait_idle()
        elif phase == "refusing":
            self.gate.contradicting.set()
            time.sleep(self.rng.uniform(0.03, 0.1))
        elif phase == "packing":  # the applier trails the log by at most 100 ms
            time.sleep(self.rng.uniform(0.05, 0.15))
        else:
            time.sleep(self.rng.uniform(0, 0.05))

    def wait_idle(self):
        """Nobody writes in the ledger for a while: what is open sleeps."""
        size, since = -1, time.monotonic()
        end = since + 10
        while time.monotonic() - since < 0.15 and time.monotonic() < end:
            now = os.stat(self.ledger_file).st_size
            if now != size:
                size, since = now, time.monotonic()
            time.sleep(0.01)

    def stop_serving(self):
        self.gate.serving.clear()

    def kill(self, target):
        launcher = self.daemon.launcher_pid()
        self.stop_serving()
        if target in ("launcher", "both"):
            if launcher is None:
                raise StormError("the daemon has no launcher")
            os.kill(launcher, signal.SIGKILL)
        if target in ("daemon", "both"):
            self.daemon.kill()
        self.wait_end()

    def wait_end(self):
        """A daemon without its launcher ends by itself."""
        try:
            self.daemon.process.wait(READY_S)
        except subprocess.TimeoutExpired:
            raise StormError("the daemon lives on without its launcher") from None

    def kill_while_starting(self):
        for _ in range(self.rng.randint(1, 3)):
            usual = min(self.start_s[-20:])
            self.daemon.start()
            time.sleep(self.rng.uniform(0, usual))
            self.daemon.kill()
            self.kills["daemon", "starting"] += 1

    # --- the end ------------------------------------------------------------------------

    def finish(self):
        """No more starts; callbacks go on being completed. Returns whether everything that
        was open has ended before nothing moved for a long time."""
        self.gate.settle()
        self.gate.flowing.set()
        progress = Progress(self.options.quiet)
        while not self.has_settled():
            self.check_clients()
            self.check_daemon()
            with self.gate.lock:
                progress.look(len(self.gate.running))
            if progress.has_stalled():
                return False
            time.sleep(0.05)
        return True

    def has_settled(self):
        with self.gate.lock:
            return not self.gate.running and not self.gate.starting

    def end_clients(self):
        self.gate.ending.set()
        for client in self.clients:
            client.join(self.options.quiet)
        self.check_clients()
        self.reader = Api(self.daemon.socket)  # connections from before the kills are dead

    def wait_events(self):
        """Until each acknowledged event has run, or none more does."""
        progress = Progress(self.options.quiet)
        while True:
            entries = self.read_entries()
            ran = {entry.op for entry in entries if entry.kind == "event"}
            acked = {entry.op for entry in entries if entry.kind == "ack-event"}
            progress.look(len(acked - ran))
            if not acked - ran or progress.has_stalled():
                return
            time.sleep(0.2)

    def read_all(self, arns):
        """{arn: (execution, events) or None} of everything the ledger names."""
        def read(arn):
            try:
                return arn, (self.reader.get_execution(arn), self.reader.history(arn))
            except ApiError as error:
                if error.status == 404:
                    return arn, None
                raise

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            return dict(pool.map(read, sorted(arns)))

    def read_entries(self):
        return read_ledger(self.ledger_file, self.offset)

    def wait_children(self, arns):
        """Chained executions are in nobody's list: until they too have ended."""
        end = time.monotonic() + self.options.quiet
        for arn in sorted(arns):
            while time.monotonic() < end:
                try:
                    if self.reader.get_execution(arn)["Status"] in CLOSED:
                        break
                except ApiError:
                    break
                time.sleep(0.05)

    def close(self):
        if self.gate is not None:
            self.gate.ending.set()
        try:
            self.daemon.end()
        except DaemonError:
            pass
        if self.ledger is not None:
            self.ledger.kill()
            self.ledger.wait()


class Progress:
    """Whether a figure still changes."""

    def __init__(self, patience_s):
        self.patience_s = patience_s
        self.last = None
        self.since = time.monotonic()

    def look(self, figure):
        if figure != self.last:
            self.last = figure
            self.since = time.monotonic()

    def has_stalled(self):
        return time.monotonic() - self.since > self.patience_s


def connect(path):
    for _ in range(500):
        try:
            return Notes(path)
        except ConnectionRefusedError:
            time.sleep(0.01)
    raise StormError("the ledger does not listen")
