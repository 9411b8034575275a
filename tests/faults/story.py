"""One short life of a daemon: what happens in it, and what must be true afterwards.

A *place* is a directory with a prepared data directory and a ledger beside it. A story
copies the data, starts a daemon on it with one fault, and lets clients of the storm's kind
do a little of everything. Whatever happens, a daemon without a fault then takes over, and
the checker of the storm compares the outside ledger with what that one says.

What the faulty daemon may do: answer with an error of Lambda's form, repeat something by
itself, or end with a documented exit code and a sentence in its log. It may not hang, die
of a signal, or forget what it had acknowledged."""

import collections
import http.client
import json
import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness"), os.path.join(HERE, "..", "storm")]

from api import CLOSED, Api, ApiError  # noqa: E402
from archive import zip_files  # noqa: E402
from checker import check, digest_of  # noqa: E402
from daemon import Daemon, DaemonError  # noqa: E402
from entries import read_ledger  # noqa: E402
from fault import State  # noqa: E402
from ledger import Notes  # noqa: E402
from load import EVENT, FLOW, SUB, digest  # noqa: E402
import leaks  # noqa: E402

READY_S = 30
ANSWER_S = 30   # for a definite answer, with as many tries as it takes
END_S = 60      # for everything to end, under a daemon without faults
DRAIN_S = 40    # for a daemon to end by SIGTERM
INVOKE_S = 15   # until an ordinary invoke works again: a launcher may have to end first
DURABLE = {"DurableConfig": {"ExecutionTimeout": 86400, "RetentionPeriodInDays": 7}}
EXITS = {0: "in order", 1: "refused to serve", 70: "lost its launcher",
         74: "unknown outcome of a commit", 75: "unreadable page"}
ERROR_NAMES = ("ServiceException", "TooManyRequestsException")
CHANCES = (OSError, http.client.HTTPException)


class Violation(Exception):
    pass


def says_why(words):
    return " error " in words or "pawl:" in words


class Result:
    """What came of one story."""

    def __init__(self):
        self.violations = []
        self.is_delivered = False
        self.what = ""
        self.endings = []   # exit codes of the daemon with the fault
        self.errors = collections.Counter()
        self.counts = {}
        self.judged = 0

    def outcome(self):
        if self.violations:
            return "violation"
        if not self.is_delivered:
            return "not met"
        bad = [code for code in self.endings if code != 0]
        return f"exit {bad[0]}" if bad else "error answered" if self.errors else "went on"


class Place:
    """Where stories of one lane happen: paths stay the same, because functions know them."""

    def __init__(self, build, root):
        self.build = build
        self.root = root
        self.data = os.path.join(root, "data")
        self.kept = os.path.join(root, "kept")
        self.grant = os.path.join(root, "ledger")
        self.ledger_socket = os.path.join(self.grant, "socket")
        self.ledger_file = os.path.join(root, "ledger.log")
        self.ledger_kept = os.path.join(root, "kept.log")
        self.config = os.path.join(root, "pawl.conf")
        os.makedirs(self.grant)
        os.chmod(root, 0o755)
        os.chmod(self.grant, 0o755)
        self.configure("")

    def configure(self, more):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(more)
            for name in (FLOW, SUB, EVENT):
                file.write(f"[function {name}]\ngrants = {self.grant}\n\n")

    def prepare(self):
        """A past with something of each kind, cut off by kill -9, so that there is a tail of
        the log to apply and executions to carry on."""
        with Story(self) as story:
            story.start_daemon()
            story.deploy()
            story.client.start("p1", "ss")
            story.client.until_closed("p1")
            story.client.start("p2", "ws")
            story.client.start("p3", "cs")
            story.client.await_callback("p3")
            story.client.start("p4", "sas")
            story.daemon.kill()
        shutil.move(self.data, self.kept)
        shutil.move(self.ledger_file, self.ledger_kept)
        os.unlink(os.path.join(self.kept, "ballast"))  # made anew by each daemon

    def restore(self, is_fresh=False):
        shutil.rmtree(self.data, ignore_errors=True)
        log = os.path.join(self.root, "data.log")
        for path in (self.ledger_file, self.ledger_socket, log):
            if os.path.exists(path):
                os.unlink(path)
        if os.path.exists(self.kept) and not is_fresh:
            shutil.copytree(self.kept, self.data, symlinks=True)
            shutil.copyfile(self.ledger_kept, self.ledger_file)


class Client:
    """Asks, notes in the ledger what it was told, and goes on only when it knows."""

    def __init__(self, story):
        self.story = story
        self.notes = story.notes
        self.arns = {}

    def ask(self, send):
        """("ok", answer) or ("refused", error); errors that leave it open are repeated."""
        end = time.monotonic() + ANSWER_S
        while True:
            try:
                return "ok", send(self.story.api)
            except ApiError as error:
                if error.status < 500 and error.status != 429:
                    return "refused", error
                self.story.note_error(error)
            except CHANCES:
                self.story.revive()
            if time.monotonic() > end:
                raise Violation(f"no definite answer in {ANSWER_S} s")
            time.sleep(0.02)

    def must(self, what, send):
        outcome, answer = self.ask(send)
        if outcome != "ok":
            raise Violation(f"{what}: {answer}")
        return answer

    def start(self, name, plan):
        payload = json.dumps({"plan": plan, "name": name})
        self.notes.note("ask-start", op=name, extra=digest(payload))
        answer = self.must(f"start of {name}", lambda api: api.invoke(
            FLOW + ":$LATEST", payload, "Event", name=name))
        arn = answer.headers.get("x-amz-durable-execution-arn", "")
        self.notes.note("ack-start", arn=arn, op=name, extra=digest(payload))
        self.arns[name] = arn

    def event(self, name):
        self.notes.note("ask-event", op=name)
        payload = json.dumps({"event": name})
        self.must(f"event {name}", lambda api: api.invoke(EVENT, payload, "Event",
                                                          invocation_id=name))
        self.notes.note("ack-event", op=name)

    def invoke(self, name):
        """An ordinary function: a failure must say why, and cannot be the rule."""
        payload = json.dumps({"event": name})
        end = time.monotonic() + INVOKE_S
        while time.monotonic() < end:
            answer = self.must(f"invoke {name}", lambda api: api.invoke(EVENT, payload))
            if "x-amz-function-error" not in answer.headers:
                return
            error = answer.json()
            self.story.result.errors[error.get("errorType", "none")] += 1
            if len(error.get("errorMessage", "").split()) < 2:
                raise Violation(f"an invoke failed without a sentence: {error}")
            self.story.revive()
        raise Violation(f"every invoke fails, the last with {error}")

    def stop(self, name):
        arn = self.arns[name]
        self.must("stop", lambda api: api.stop(arn))
        execution = self.must("read after stop", lambda api: api.get_execution(arn))
        self.notes.note("ack-stop", arn=arn, extra=execution["Status"])

    def read(self, name):
        arn = self.arns[name]
        events = self.must("history", lambda api: api.history(arn))
        self.notes.note("seen", arn=arn, op=str(len(events)), extra=digest_of(events))

    def list(self):
        path = f"/2025-12-01/functions/{FLOW}/durable-executions?MaxItems=100"
        self.must("list", lambda api: api.request("GET", path))

    def await_callback(self, name):
        """(ARN, callback) when the execution has said in the ledger that it waits."""
        end = time.monotonic() + ANSWER_S
        while time.monotonic() < end:
            for entry in self.story.read_entries():
                if entry.kind == "callback" and self.name_of(entry.arn) == name:
                    return entry.arn, entry.extra
            self.story.revive()
            time.sleep(0.01)
        raise Violation(f"{name} never waited for its callback")

    def name_of(self, arn):
        return arn.split("/")[-2] if arn.count("/") >= 2 else arn

    def complete(self, name):
        arn, callback_id = self.await_callback(name)
        payload = json.dumps(f"answer to {name}")
        self.notes.note("ask-callback", op=callback_id, extra=payload)
        first = time.monotonic()
        outcome, answer = self.ask(lambda api: api.callback(callback_id, "succeed", payload))
        if outcome == "ok":
            self.notes.note("ack-callback", arn=arn, op=callback_id, extra=payload)
        elif answer.name == "CallbackTimeoutException" and self.story.has_failed_since(first):
            self.notes.note("closed-callback", arn=arn, op=callback_id)
        else:
            raise Violation(f"callback of {name}: {answer}")

    def deploy(self, name, program="storm_forger", **more):
        archive = self.story.archive(program)
        outcome, answer = self.ask(lambda api: api.create_function(name, archive, name, **more))
        if outcome != "ok" and answer.name != "ResourceConflictException":
            raise Violation(f"deployment of {name}: {answer}")
        self.must("read of a function", lambda api: api.get_function(name))

    def until_closed(self, name):
        end = time.monotonic() + END_S
        while time.monotonic() < end:
            execution = self.must("read", lambda api: api.get_execution(self.arns[name]))
            if execution["Status"] in CLOSED:
                return
            time.sleep(0.01)
        raise Violation(f"{name} never ended")


class Story:
    def __init__(self, place, library=None, fault=None, plant=None, is_killed=False,
                 is_fresh=False):
        self.place = place
        self.is_fresh = is_fresh     # on no data directory yet, instead of a prepared one
        self.fault = fault
        self.is_killed = is_killed   # at its end, instead of SIGTERM
        self.result = Result()
        self.failed_at = 0
        self.log_at = 0
        self.is_faulty = False
        self.state = State(os.path.join(place.root, "state"))
        self.environ = (self.state.environ(library, place.data, fault, plant)
                        if library is not None else {})
        place.restore(is_fresh)
        self.daemon = Daemon(place.build, place.data, ["--config", place.config])
        self.daemon.log = os.path.join(place.root, "data.log")
        self.api = Api(self.daemon.socket, ANSWER_S)
        command = [sys.executable, os.path.join(HERE, "..", "storm", "ledger.py"),
                   place.ledger_socket, place.ledger_file]
        self.ledger = subprocess.Popen(command)
        self.notes = self.connect()
        self.client = Client(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.daemon.kill()
        self.notes.sock.close()
        self.ledger.kill()
        self.ledger.wait()

    def connect(self):
        for _ in range(1000):
            try:
                return Notes(self.place.ledger_socket)
            except OSError:
                time.sleep(0.005)
        raise RuntimeError("the ledger does not listen")

    def archive(self, program):
        return zip_files({"bootstrap": os.path.join(self.place.build, "tests", "storm", program)})

    def deploy(self):
        variables = {"STORM_LEDGER": self.place.ledger_socket, "STORM_SUB": SUB + ":$LATEST"}
        for name, more in ((FLOW, DURABLE), (SUB, DURABLE), (EVENT, {})):
            self.client.deploy(name, "storm_worker", Timeout=30,
                               Environment={"Variables": variables}, **more)

    def read_entries(self):
        """The ledger's lines, numbered through: a part is of an earlier ledger."""
        return [entry._replace(seq=number) for number, entry
                in enumerate(read_ledger(self.place.ledger_file), 1)]

    # --- the daemon -----------------------------------------------------------------

    def start_daemon(self, environ=None):
        """A faulty one may end before it is ready, and one without a fault may not."""
        self.log_at = self.log_size()
        self.daemon.start(environ)
        try:
            if self.daemon.wait_ready(READY_S):
                self.api = Api(self.daemon.socket, ANSWER_S)
                return True
        except DaemonError as error:
            raise Violation(f"hangs while it starts: {error}") from None
        if environ is None:
            raise Violation(f"does not start without a fault either: exit "
                            f"{self.daemon.process.returncode}: {self.last_words()}")
        return False

    def log_size(self):
        return os.path.getsize(self.daemon.log) if os.path.exists(self.daemon.log) else 0

    def last_words(self):
        with open(self.daemon.log, encoding="utf-8", errors="replace") as file:
            file.seek(self.log_at)
            return " | ".join(file.read().splitlines()[-3:])

    def await_reason(self):
        """What it printed last may still be on its way to the file."""
        end = time.monotonic() + 2
        while not says_why(self.last_words()) and time.monotonic() < end:
            time.sleep(0.01)
        return self.last_words()

    def judge_end(self, was_asked):
        """The exit code of a faulty daemon is one of those documented, and its log says why."""
        code = self.daemon.process.returncode
        self.result.endings.append(code)
        words = self.await_reason() if code != 0 else self.last_words()
        if code not in EXITS or (code == 0 and not was_asked):
            raise Violation(f"ended with {code}: {words}")
        if code == 1 and self.daemon.ready.is_set():
            raise Violation(f"ended with 1 while it served: {words}")
        if code != 0 and not says_why(words):
            raise Violation(f"ended with {code} and no sentence: {words}")

    def revive(self):
        """A connection broke: either the daemon ended, and one without the fault follows, or
        it is only the connection."""
        self.failed_at = time.monotonic()
        if not self.is_faulty:
            return
        try:
            self.daemon.process.wait(0.2)
        except subprocess.TimeoutExpired:
            return
        self.is_faulty = False
        self.judge_end(False)
        self.start_daemon()

    def has_failed_since(self, moment):
        return self.failed_at >= moment

    def note_error(self, error):
        self.failed_at = time.monotonic()
        self.result.errors[error.name] += 1
        if error.name not in ERROR_NAMES or len(error.message.split()) < 2:
            raise Violation(f"an error without a name or a sentence: {error}")

    # --- what happens ---------------------------------------------------------------

    def tell(self):
        """The part with the fault."""
        self.is_faulty = True
        if not self.start_daemon(self.environ):
            self.is_faulty = False
            self.judge_end(False)
            self.start_daemon()
        if self.is_fresh:
            self.tell_beginning()
        else:
            self.tell_all()
        self.look_for_leaks()
        self.end_faulty()

    def tell_beginning(self):
        self.deploy()
        self.client.start("e1", "ss")
        self.client.until_closed("e1")
        self.client.start("e2", "cs")
        self.client.complete("e2")

    def tell_all(self):
        client = self.client
        client.start("e1", "sasc")
        client.start("e2", "is")
        client.start("e3", "r")
        client.start("e4", "c")
        client.event("v1")
        client.invoke("v2")
        client.deploy("extra")
        client.read("e1")
        client.stop("e4")
        client.complete("e1")
        client.complete("p3")
        client.list()

    def end_faulty(self):
        if not self.is_faulty:
            return
        if self.is_killed:
            self.daemon.kill()
            return
        self.daemon.process.terminate()
        try:
            self.daemon.process.wait(DRAIN_S)
        except subprocess.TimeoutExpired:
            raise Violation(f"does not end within {DRAIN_S} s of SIGTERM") from None
        self.judge_end(True)
        self.is_faulty = False
        self.look_for_groups()

    def look_for_groups(self):
        """The launcher of a daemon that ended by itself clears up behind it."""
        instance = leaks.instance_of(self.place.data)
        end = time.monotonic() + 10
        left = leaks.groups_of(instance)
        while left and time.monotonic() < end:
            time.sleep(0.02)
            left = leaks.groups_of(instance)
        if left:
            raise Violation(f"control groups left behind at the end: {left}")

    def look_for_leaks(self):
        """While it runs: no zombie and no group without a process stays."""
        launcher = self.daemon.launcher_pid()
        instance = leaks.instance_of(self.place.data)
        end = time.monotonic() + 5
        while launcher is not None:
            found = leaks.zombies_of(launcher) + leaks.empty_groups(instance)
            if not found:
                return
            if time.monotonic() > end:
                raise Violation(f"left behind by the launcher: {found}")
            time.sleep(0.02)

    # --- what must be true afterwards -------------------------------------------------

    def judge(self):
        if self.daemon.is_alive():
            self.daemon.kill()
        self.start_daemon()
        arns = self.wait_all()
        executions = {arn: self.read_execution(arn) for arn in arns}
        report = check(self.read_entries(), executions)
        passed, _ = report.counts()
        self.result.judged += passed
        for name, found in report.violations.items():
            if self.result.violations and name == "timers lost":
                continue  # the story was not told to its end: nobody completed what waits
            self.result.violations += [f"{name}: {text}" for text in found]
        self.client.invoke("v9")
        self.end_sound()
        self.verify()

    def end_sound(self):
        self.daemon.process.terminate()
        try:
            code = self.daemon.process.wait(DRAIN_S)
        except subprocess.TimeoutExpired:
            raise Violation("the daemon without a fault does not end") from None
        if code != 0:
            raise Violation(f"the daemon without a fault ended with {code}")
        self.look_for_groups()

    def wait_all(self):
        """Until everything that the ledger knows of has ended and every event has run."""
        end = time.monotonic() + (5 if self.result.violations else END_S)
        while True:
            entries = self.read_entries()
            arns = {entry.arn for entry in entries if entry.arn}
            open_now = [arn for arn in sorted(arns) if self.is_open(arn)]
            ran = {entry.op for entry in entries if entry.kind == "event"}
            late = {entry.op for entry in entries if entry.kind == "ack-event"} - ran
            if (not open_now and not late) or time.monotonic() > end:
                return arns  # the checker says what is missing
            time.sleep(0.02)

    def is_open(self, arn):
        try:
            return self.api.get_execution(arn)["Status"] not in CLOSED
        except ApiError:
            return False

    def read_execution(self, arn):
        try:
            return self.api.get_execution(arn), self.api.history(arn)
        except ApiError:
            return None

    def verify(self):
        done = subprocess.run([self.daemon.program, "verify", "--data", self.place.data],
                              capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise Violation(f"verify: {done.returncode}: {(done.stdout + done.stderr)[-500:]}")


def run_story(place, library, fault=None, **more):
    with Story(place, library, fault, **more) as story:
        result = story.result
        for part in (story.tell, story.judge):
            try:
                part()
            except Violation as error:
                result.violations.append(f"{part.__name__}: {error}")
            except (ApiError, *CHANCES, DaemonError) as error:
                result.violations.append(f"{part.__name__}: {type(error).__name__}: {error}; "
                                         f"{story.last_words()}")
        count, result.what = story.state.delivered()
        result.is_delivered = count > 0
        result.counts = story.state.counts()
        return result
