"""Records a real daemon: its writes by a preloaded library, its answers by its clients."""

import os
import shutil
import tempfile

from api import Api
from archive import zip_files
from daemon import Daemon
from load import EVENT, FLOW, SUB, Facts, Gate, Ledger, run_load

READY_S = 30
LOAD_S = 300
DURABLE = {"DurableConfig": {"ExecutionTimeout": 86400, "RetentionPeriodInDays": 7}}


class RecordError(Exception):
    pass


class Recording:
    """One run of a daemon: the files `recording` and `facts` in `scratch`."""

    def __init__(self, scratch, options, build, control=None):
        self.options = options
        self.scratch = os.path.realpath(scratch)
        self.recording = os.path.join(self.scratch, "recording")
        self.facts_file = os.path.join(self.scratch, "facts")
        self.counter = os.path.join(self.scratch, "counter")
        self.grant = tempfile.mkdtemp(prefix="pawl-powercut-")  # /dev is not to be granted
        self.build = build
        self.control = control
        self.facts = 0

    def make(self):
        os.chmod(self.grant, 0o755)
        with open(self.counter, "wb") as file:
            file.write(bytes(8))
        data = os.path.join(self.scratch, "data")
        daemon = Daemon(self.build, data, ["--config", self.write_config()], self.environ(data))
        facts = Facts(self.facts_file, self.counter)
        gate = Gate(Api(daemon.socket), facts, self.options, self.control is not None)
        ledger = Ledger(os.path.join(self.grant, "socket"), gate)
        try:
            self.run(daemon, gate)
        finally:
            daemon.kill()
            ledger.shutdown()
            shutil.rmtree(self.grant)
            facts.close()
            self.facts = facts.count

    def write_config(self):
        path = os.path.join(self.scratch, "pawl.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write("[journal]\nlog_map_mb = 16\nviews_map_mb = 64\n")
            file.write("[daemon]\nlog_level = warn\n")
            for name in (FLOW, SUB, EVENT):
                file.write(f"[function {name}]\ngrants = {self.grant}\n")
        return path

    def environ(self, data):
        library = os.path.join(self.options.build, "tests", "powercut",
                               "libpowercut_recorder.so")
        environ = {"LD_PRELOAD": os.path.abspath(library), "POWERCUT_RECORDING": self.recording,
                   "POWERCUT_DATA": data, "POWERCUT_COUNTER": self.counter}
        return dict(environ, PAWL_CONTROL=self.control) if self.control else environ

    def run(self, daemon, gate):
        daemon.run(READY_S)
        self.deploy(gate)
        failure = run_load(gate, LOAD_S)
        if failure:
            raise RecordError(f"{failure}; see {daemon.log}")
        has_ended = daemon.end()
        if self.control:
            return
        if not has_ended:
            raise RecordError(f"the daemon does not end, see {daemon.log}")
        if daemon.process.returncode != 0:
            raise RecordError(f"the daemon ended with {daemon.process.returncode}")

    def deploy(self, gate):
        worker = os.path.join(self.options.build, "tests", "storm", "storm_worker")
        archive = zip_files({"bootstrap": worker})
        variables = {"STORM_LEDGER": os.path.join(self.grant, "socket"),
                     "STORM_SUB": SUB + ":$LATEST"}
        for name, more in ((FLOW, DURABLE), (SUB, DURABLE), (EVENT, {})):
            gate.api.create_function(name, archive, name, Timeout=120,
                                     Environment={"Variables": variables}, **more)
            gate.facts.note("function", name)


def make_scratch():
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    return tempfile.mkdtemp(prefix="pawl-powercut-", dir=shared)
