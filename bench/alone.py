"""A runtime before a door that answers at once: what it can do without a daemon."""

import json
import os
import shutil
import subprocess
import time

import machine

WARM_S = 8
FUNCTION = "chain"


def variables(port, task, memory_mb, concurrency):
    """As an environment has them."""
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": task, "TZ": ":UTC",
            "LANG": "en_US.UTF-8", "LAMBDA_TASK_ROOT": task, "_HANDLER": "chain.chain",
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
            "AWS_ENDPOINT_URL_LAMBDA": f"http://127.0.0.1:{port}",
            "AWS_LAMBDA_FUNCTION_NAME": FUNCTION, "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_mb),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": FUNCTION, "AWS_LAMBDA_LOG_STREAM_NAME": FUNCTION,
            "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "environment", "AWS_SECRET_ACCESS_KEY": "environment",
            "AWS_LAMBDA_MAX_CONCURRENCY": str(concurrency)}


def measure(stage, runtime, module, *, concurrency, memory_mb, seconds):
    """What the door counted, with the runtime's CPU microseconds a step."""
    task = os.path.join(stage.scratch, "task")
    os.makedirs(task, exist_ok=True)
    shutil.copy(module, task)
    command = [os.path.join(stage.build, "bench", "bench_door"), str(seconds), str(WARM_S),
               str(concurrency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as door:
        port = json.loads(door.stdout.readline())["port"]
        with subprocess.Popen([os.path.join(runtime, "bootstrap")], cwd=task,
                              env=variables(port, task, memory_mb, concurrency),
                              stdout=subprocess.DEVNULL) as program:
            door.stdout.readline()  # warm
            before, began = machine.cpu_s(program.pid), time.monotonic()
            time.sleep(max(0, seconds - 0.05 - (time.monotonic() - began)))
            used = machine.cpu_s(program.pid) - before
            run = json.loads(door.stdout.readline())
            program.kill()
    return {"per_s": run["count"] / run["seconds"],
            "cpu_us_each": used * 1e6 / max(run["steps"], 1)}
