"""What is measured. Each scene has a daemon of its own, and is bounded in time and count."""

import os
import statistics
import subprocess
import json
import time

import alone
import machine
from archive import zip_files
from stage import BenchError, Cost, Stage

CHAIN_STEPS = 10
CHAIN_COMMITS = CHAIN_STEPS + 2  # its start and its end
COLD_FUNCTIONS = 100
HOT = 1000
RESTARTS = 5
TURNS = 5
NEIGHBOUR_RATE = 200
WARM_S = 1
JS_RUNTIME = "nodejs22.x"
JS_MEMORY_MB = 512
JS_WARM_S = 8  # some thirty programs start, and are compiled
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)


def read_limits(build, scratch, *names):
    """The limits of this machine now: {name: line}."""
    program = os.path.join(build, "bench", "bench_limits")
    out = subprocess.run([program, scratch, "1", *names], check=True, timeout=120,
                         capture_output=True, text=True).stdout
    lines = map(json.loads, out.splitlines())
    return {line["bench"].partition(".")[2]: line for line in lines}


def measure_limits(build, scratch, figures):
    """Before each scene, for machines have neighbours."""
    limits = read_limits(build, scratch)
    for line in limits.values():
        figures.add(line["bench"], line["unit"], line["value"], n=1, run=line)
    return limits


def commits_limit(limits, concurrency):
    return limits["lmdb_commit"]["value"] * concurrency, f"LMDB commits of {concurrency} each"


def chain(build, options, figures):
    """Sync durable invokes, closed loop: CHAIN_STEPS steps of 100 random bytes each."""
    with Stage(build) as stage:
        limits = measure_limits(stage.build, stage.scratch, figures)
        stage.deploy("worker", "chain", concurrency=256, is_durable=True)
        for concurrency in (1, 32, 256):
            stage.load("worker:$LATEST", connections=concurrency, seconds=WARM_S)
            chain_at(stage, options, figures, limits, concurrency)


def js(build, options, figures):
    """The same chain as chain, in JavaScript with AWS's own SDK, over the Runtime API."""
    runtime = os.path.abspath(os.path.join(build, "runtimes", JS_RUNTIME))
    if not os.path.exists(os.path.join(runtime, "bootstrap")):
        subprocess.run([os.path.join(ROOT, "packaging", "runtimes", JS_RUNTIME, "make"), runtime],
                       check=True, timeout=600)
    with Stage(build) as stage:
        measure_limits(stage.build, stage.scratch, figures)
        stage.api.add_runtime(JS_RUNTIME, runtime)
        archive = zip_files({"chain.mjs": os.path.join(HERE, "chain.mjs")})
        stage.deploy("chain", "chain.chain", is_durable=True, archive=archive, concurrency=32,
                     Runtime=JS_RUNTIME, MemorySize=JS_MEMORY_MB)
        for concurrency in (1, 32):
            limit = runtime_alone(stage, options, figures, runtime, concurrency)
            stage.load("chain:$LATEST", connections=concurrency, seconds=JS_WARM_S)
            cost = Cost(stage)
            run = stage.load("chain:$LATEST", connections=concurrency, seconds=options.seconds)
            each = cost.each(run["count"] * CHAIN_STEPS, run["client_cpu_s"])
            verified = stage.verify(run["samples"], steps=CHAIN_STEPS)
            figures.add("js", "workflows/s", run["per_s"], concurrency=concurrency, run=run,
                        limit=(limit, "the runtime, answered at once"), **each,
                        verified=verified)
            if concurrency == 32:
                figures.add("js.daemon_cpu", "us/step", each["daemon_cpu_us_each"],
                            concurrency=concurrency)


def runtime_alone(stage, options, figures, runtime, concurrency):
    """The same without a daemon."""
    run = alone.measure(stage, runtime, os.path.join(HERE, "chain.mjs"), concurrency=concurrency,
                        memory_mb=JS_MEMORY_MB, seconds=options.seconds)
    figures.add("js.alone", "workflows/s", run["per_s"], concurrency=concurrency,
                function_cpu_us_each=run["cpu_us_each"])
    return run["per_s"]


def wire(build, options, figures):
    """What HTTP and JSON cost the daemon: the requests of the scene js, sent by a program that
    takes no time for them. Several invocations an environment, or one."""
    with Stage(build) as stage:
        limits = measure_limits(stage.build, stage.scratch, figures)
        archive = stage.archive(program="bench_guest")
        stage.deploy("together", "chain", is_durable=True, archive=archive, concurrency=32)
        stage.deploy("apart", "chain", is_durable=True, archive=archive)
        for function, concurrency in (("apart", 1), ("together", 32), ("apart", 32)):
            figure = "wire.apart" if (function, concurrency) == ("apart", 32) else "wire"
            stage.load(f"{function}:$LATEST", connections=concurrency, seconds=WARM_S)
            cost = Cost(stage)
            run = stage.load(f"{function}:$LATEST", connections=concurrency,
                             seconds=options.seconds)
            steps = run["count"] * CHAIN_STEPS
            each = cost.each(steps, run["client_cpu_s"])
            verified = stage.verify(run["samples"], steps=CHAIN_STEPS)
            figures.add(figure, "steps/s", steps / run["seconds"], concurrency=concurrency,
                        run=run, limit=commits_limit(limits, concurrency), **each,
                        verified=verified)
            if figure == "wire":
                figures.add("wire.daemon_cpu", "us/step", each["daemon_cpu_us_each"],
                            concurrency=concurrency)


def chain_at(stage, options, figures, limits, concurrency):
    cost = Cost(stage)
    commits = stage.status()["Journal"]["Commits"]
    run = stage.load("worker:$LATEST", connections=concurrency, seconds=options.seconds)
    steps = run["count"] * CHAIN_STEPS
    each = cost.each(steps, run["client_cpu_s"])
    commits = stage.status()["Journal"]["Commits"] - commits
    lag = stage.lag()
    verified = stage.verify(run["samples"], steps=CHAIN_STEPS)
    figures.add("chain", "steps/s", steps / run["seconds"], concurrency=concurrency, run=run,
                limit=commits_limit(limits, concurrency), **each, **lag, verified=verified,
                commits=commits)
    if concurrency == 1:
        chain_of_one(stage, figures)
    if concurrency == 256:
        figures.add("chain.daemon_cpu", "us/step", each["daemon_cpu_us_each"],
                    concurrency=concurrency)


def chain_of_one(stage, figures):
    """Against the same number of bare commits. The disk's mood changes by the second, so the
    two take turns, and what counts is the median of the turns."""
    ratios = []
    for _ in range(TURNS):
        limit = read_limits(stage.build, stage.scratch, "lmdb_commit")["lmdb_commit"]
        run = stage.load("worker:$LATEST", connections=1, seconds=1)
        ratios.append(run["p50_us"] / (CHAIN_COMMITS * limit["p50_us"]))
    figures.add("chain.p50", "x 12 commits", statistics.median(ratios), concurrency=1, run=run,
                limit=(1, f"{CHAIN_COMMITS} LMDB commits"), least=min(ratios), most=max(ratios))


def invoke(build, options, figures):
    """Warm invokes of an ordinary function, closed loop; the answer must be the payload."""
    with Stage(build) as stage:
        limits = measure_limits(stage.build, stage.scratch, figures)
        stage.deploy("echo", "echo", concurrency=64)
        for concurrency in (1, 64):
            stage.load("echo", connections=concurrency, seconds=WARM_S, echo=True)
            cost = Cost(stage)
            run = stage.load("echo", connections=concurrency, seconds=options.seconds, echo=True)
            figures.add("invoke", "invokes/s", run["per_s"], concurrency=concurrency, run=run,
                        limit=(limits["socketpair"]["value"] / 2 * concurrency,
                               "two socketpair round trips"),
                        **cost.each(run["count"], run["client_cpu_s"]))
            if concurrency == 1:
                figures.add("invoke.p50", "us", run["p50_us"], concurrency=1, run=run,
                            limit=(2 * limits["socketpair"]["p50_us"],
                                   "two socketpair round trips"))


def signed(build, options, figures):
    """As invoke, over TCP with AWS's signatures (Version 4), which the client makes as well."""
    with Stage(build, ["--listen", "127.0.0.1:0"]) as stage:
        limits = measure_limits(stage.build, stage.scratch, figures)
        stage.deploy("echo", "echo", concurrency=64)
        door = stage.door()
        for concurrency in (1, 64):
            stage.load("echo", connections=concurrency, seconds=WARM_S, echo=True, **door)
            cost = Cost(stage)
            run = stage.load("echo", connections=concurrency, seconds=options.seconds, echo=True,
                             **door)
            figures.add("signed", "invokes/s", run["per_s"], concurrency=concurrency, run=run,
                        limit=(limits["socketpair"]["value"] / 2 * concurrency,
                               "two socketpair round trips"),
                        **cost.each(run["count"], run["client_cpu_s"]))


def async_(build, options, figures):
    """Event invokes, closed loop on the acknowledgement, until the last one has run."""
    with Stage(build) as stage:
        limits = measure_limits(stage.build, stage.scratch, figures)
        stage.deploy("echo", "echo", concurrency=64)
        warm = stage.load("echo", event=True, connections=256, seconds=WARM_S)
        wait_ended(stage, warm["count"])
        cost = Cost(stage)
        began = time.monotonic()
        run = stage.load("echo", event=True, connections=256, seconds=options.seconds)
        wait_ended(stage, warm["count"] + run["count"])
        took = time.monotonic() - began
        each = cost.each(run["count"], run["client_cpu_s"])
        limit = commits_limit(limits, 256)
        figures.add("async.ack", "acks/s", run["per_s"], concurrency=256, run=run, limit=limit,
                    refused=run["refused"])
        figures.add("async.end", "invokes/s", run["count"] / took, concurrency=256, limit=limit,
                    **each, **stage.lag())


def wait_ended(stage, count, timeout_s=900):
    stage.wait(lambda: stage.status()["Executions"]["Ended"] >= count,
               f"{count} executions have ended", timeout_s, 0.02)


def wait_asleep(stage, running=0, timeout_s=300):
    """Nobody waits for an environment, and only `running` have one."""
    def is_so():
        invocations = stage.status()["Invocations"]
        return invocations["Running"] == running and invocations["Waiting"] == 0
    stage.wait(is_so, "everybody is asleep", timeout_s, 0.02)


def sleepers(build, options, figures):
    """`n` executions that sleep, wake at the same second, and end."""
    count = options.n
    with Stage(build) as stage:
        limits = measure_limits(stage.build, stage.scratch, figures)
        stage.deploy("sleeper", "sleeper", concurrency=256, is_durable=True)
        stage.deploy("echo", "echo", concurrency=64)
        warm = stage.load("sleeper:$LATEST", event=True, connections=64, count=200, prefix="1 ")
        wait_ended(stage, warm["count"])
        stage.load("echo", seconds=1, rate=NEIGHBOUR_RATE, connections=64)
        due_s = int(time.time()) + 15 + count // 2500
        run = put_to_sleep(stage, figures, limits, count, due_s)
        quiet = stage.load("echo", seconds=3, rate=NEIGHBOUR_RATE, connections=64)
        if time.time() > due_s - 1:
            raise BenchError("they were due before all of them slept: see --n")
        wake(stage, figures, limits, warm["count"] + count, due_s, quiet)
        stage.verify(run["samples"], steps=1)


def put_to_sleep(stage, figures, limits, count, due_s):
    before, before_all = machine.memory(stage.daemon.process.pid)
    cost = Cost(stage)
    began = time.monotonic()
    seconds = max(120, count // 2500)
    run = stage.load("sleeper:$LATEST", event=True, connections=256, seconds=seconds, count=count,
                     prefix=f"{due_s} ")
    if run["count"] != count:
        raise BenchError(f"only {run['count']} were started in {seconds} s")
    wait_asleep(stage)
    took = time.monotonic() - began
    each = cost.each(count, run["client_cpu_s"])
    lag = stage.lag()
    after, after_all = machine.memory(stage.daemon.process.pid)
    figures.add("sleepers.start", "acks/s", run["per_s"], n=count, run=run,
                limit=commits_limit(limits, 256), refused=run["refused"])
    figures.add("sleepers.asleep", "executions/s", count / took, n=count, **each, **lag)
    figures.add("sleepers.memory", "B each", (after - before) / count, n=count,
                resident_each=(after_all - before_all) / count,
                hot=stage.status()["Executions"]["Hot"])
    return run


def wake(stage, figures, limits, ended, due_s, quiet):
    while time.time() < due_s:
        time.sleep(0.01)
    cost = Cost(stage)
    woken = ended - stage.status()["Executions"]["Ended"]
    neighbour = stage.start_load("echo", seconds=1200, rate=NEIGHBOUR_RATE, connections=64)
    wait_ended(stage, ended)
    took = time.time() - due_s
    neighbour.terminate()
    busy = stage.end_load(neighbour)
    each = cost.each(woken, busy["client_cpu_s"])
    figures.add("sleepers.wake", "wakes/s", woken / took, n=woken,
                limit=commits_limit(limits, 256), **each, **stage.lag(),
                environments_started=stage.status()["EnvironmentsStarted"])
    figures.add("sleepers.neighbour", "x quiet p99", busy["p99_us"] / max(quiet["p99_us"], 1),
                n=woken, run=busy, quiet_p99_us=quiet["p99_us"], unsent=busy["unsent"])


def restart(build, options, figures):
    """kill -9 among sleepers and executions in progress; how soon it serves again."""
    with Stage(build) as stage:
        stage.deploy("sleeper", "sleeper", concurrency=256, is_durable=True)
        stage.deploy("hold", "hold", concurrency=256, is_durable=True)
        memory = machine.memory(stage.daemon.process.pid)[0]
        asleep = stage.load("sleeper:$LATEST", event=True, connections=256, seconds=120,
                            count=options.n, prefix="86400 ")
        wait_asleep(stage)
        held = stage.load("hold:$LATEST", event=True, connections=64, seconds=60, count=HOT,
                          prefix="900 ")
        wait_asleep(stage, running=HOT)
        stage.wait_steps(held["samples"], 1)
        took_ms, whole_ms = [], []
        for _ in range(RESTARTS):
            wait_asleep(stage, running=HOT)
            began = time.monotonic()
            stage.kill()
            took_ms.append(stage.start() * 1000)
            whole_ms.append((time.monotonic() - began) * 1000)
        stage.verify(asleep["samples"], steps=1, status="RUNNING")
        stage.verify(held["samples"], steps=1, status="RUNNING")
        wait_asleep(stage, running=HOT)
        figures.add("restart", "ms", statistics.median(took_ms), n=asleep["count"] + HOT,
                    max_ms=max(took_ms), from_kill_ms=statistics.median(whole_ms))
        memory = machine.memory(stage.daemon.process.pid)[0] - memory
        figures.add("restart.memory", "B each", memory / asleep["count"], n=asleep["count"] + HOT,
                    hot=stage.status()["Executions"]["Hot"])


def cold(build, _, figures):
    """The first invoke of each of many functions, each with code of its own."""
    with Stage(build) as stage:
        for i in range(COLD_FUNCTIONS):
            stage.deploy(f"cold-{i}", "echo", archive=stage.archive({"number": str(i)}))
        cost = Cost(stage)
        run = stage.load("cold-", numbered=True, connections=1, count=COLD_FUNCTIONS, seconds=60,
                         echo=True)
        figures.add("cold", "us", run["p50_us"], n=COLD_FUNCTIONS, run=run,
                    **cost.each(run["count"], run["client_cpu_s"]))


SCENES = {"chain": chain, "js": js, "wire": wire, "invoke": invoke, "signed": signed,
          "async": async_, "sleepers": sleepers, "restart": restart, "cold": cold}
