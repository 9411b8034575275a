"""How handlers of each SDK get into a daemon: a zip, and a function per requirement."""

import contextlib
import os
import shutil
import subprocess
import tempfile

from api import Api
from archive import zip_files
from aws_api import AwsApi, AwsClient
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
    jobs = 24
    is_judged_again = False

    arguments = ()  # of a daemon that is started for it

    @contextlib.contextmanager
    def connect(self, socket, _daemon):
        yield Api(socket)

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

    def prepare(self, api):
        """Before anything is deployed."""

    def handler(self, requirement_id, _suite):
        return requirement_id


class JsSdk:
    """AWS's own SDK, in AWS's own runtime, asked by AWS's own client: js/<suite>.mjs, its
    handlers exported by id. The runtime brings the SDK, so the zip holds nothing but them."""

    name = "js"
    runtime = "nodejs22.x"
    jobs = 6  # each is a Node.js that starts: more on two cores, and seconds are missed
    is_judged_again = True

    def __init__(self):
        self.directory = None

    def archive(self, build):
        self.directory = os.path.abspath(os.path.join(build, "runtimes", self.runtime))
        if not os.path.exists(os.path.join(self.directory, "bootstrap")):
            raise SdkError(f"{self.directory} is not made: "
                           f"packaging/runtimes/{self.runtime}/make {self.directory}")
        root = os.path.join(HERE, "js")
        return zip_files({name: os.path.join(root, name) for name in sorted(os.listdir(root))
                          if name.endswith(".mjs")})

    arguments = ("--listen", "127.0.0.1:0")

    @contextlib.contextmanager
    def connect(self, socket, daemon):
        """Over TCP with an access key; what someone else has started is asked over its socket."""
        if daemon is None:
            client = AwsClient(self.directory, socket=socket)
        else:
            key = Api(socket).create_key()
            client = AwsClient(self.directory, url="http://" + daemon.said("listen"), key=key)
        try:
            yield AwsApi(socket, client)
        finally:
            client.close()

    def prepare(self, api):
        api.add_runtime(self.runtime, self.directory)

    def handler(self, requirement_id, suite):
        return f"{suite}.{requirement_id}"


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
    sdk.prepare(api)
    for target, (_, more) in TARGETS.items():
        api.create_function(target_name(sdk, target), archive,
                            sdk.handler(target, "targets"), Runtime=sdk.runtime, **more)
