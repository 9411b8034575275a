"""How handlers of each SDK get into a daemon: a zip, and a function per requirement."""

import os
import shutil
import subprocess
import tempfile

from archive import zip_files
from requirement import HERE

# Ordinary functions that the handlers of the invoke suite call. The name reaches a
# handler in the environment variable.
TARGETS = {
    "echo": ("CONFORMANCE_ECHO", {}),
    "failing": ("CONFORMANCE_FAILING", {}),
    "measure": ("CONFORMANCE_MEASURE", {}),
    "tenant": ("CONFORMANCE_TENANT",
               {"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}}),
}
DURABLE = {"ExecutionTimeout": 7200, "RetentionPeriodInDays": 1}


class SdkError(Exception):
    pass


class CSdk:
    """One native program for all: the daemon sets _HANDLER to the requirement's id."""

    name = "c"
    runtime = "provided.al2023"

    def archive(self, build):
        program = os.path.join(build, "tests", "conformance", "conformance_handlers")
        if not os.path.exists(program):
            raise SdkError(f"{program} is not built")
        with tempfile.TemporaryDirectory() as scratch:
            stripped = os.path.join(scratch, "bootstrap")
            shutil.copy(program, stripped)
            if shutil.which("strip"):  # 80 copies travel: leave the symbols at home
                subprocess.run(["strip", "-g", stripped], check=True)
            return zip_files({"bootstrap": stripped})

    def handler(self, requirement_id, _suite):
        return requirement_id


class JsSdk:
    """AWS's own SDK: js/<suite>/<id>.mjs, installed with `npm ci` in tests/conformance/js."""

    name = "js"
    runtime = "nodejs22.x"

    def archive(self, _build):
        root = os.path.join(HERE, "js")
        if not os.path.isdir(os.path.join(root, "node_modules")):
            raise SdkError(f"{root} has no node_modules: run `npm ci` there")
        files = {}
        for directory, _, names in os.walk(root):
            for name in names:
                path = os.path.join(directory, name)
                files[os.path.relpath(path, root)] = path
        return zip_files(files)

    def handler(self, requirement_id, suite):
        return f"{suite}/{requirement_id}.handler"


SDKS = {"c": CSdk(), "js": JsSdk()}


def function_name(sdk, requirement_id):
    return f"conf-{sdk.name}-{requirement_id}"


def target_name(sdk, target):
    return f"conf-{sdk.name}-{target}"


def deploy(api, sdk, archive, requirement):
    variables = {variable: target_name(sdk, target)
                 for target, (variable, _) in TARGETS.items()}
    api.create_function(function_name(sdk, requirement.id), archive,
                        sdk.handler(requirement.id, requirement.suite), Runtime=sdk.runtime,
                        DurableConfig=DURABLE, Environment={"Variables": variables})


def deploy_targets(api, sdk, archive):
    for target, (_, more) in TARGETS.items():
        api.create_function(target_name(sdk, target), archive,
                            sdk.handler(target, "targets"), Runtime=sdk.runtime, **more)
