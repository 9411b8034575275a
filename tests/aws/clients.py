"""AWS's own clients: which there are, what they know, and how they are pointed at a daemon."""

import os
import subprocess
import sys

import boto3
import botocore
import botocore.loaders
from botocore.config import Config

from model import MODEL, VERSION, read_routes

REGION = "us-east-1"
READ_TIMEOUT_S = 60


def known_operations():
    """What the installed botocore's own model has."""
    service = botocore.loaders.Loader().load_service_model("lambda", "service-2", VERSION)
    return set(service["operations"]), service


def choose_model():
    """(the model that clients and checker use, what to say of it). A client that is older
    than an operation which the daemon offers is given the committed model."""
    known, service = known_operations()
    missing = sorted({name for name, _, is_offered in read_routes() if is_offered} - known)
    if not missing:
        return service, f"boto3 {boto3.__version__}, botocore {botocore.__version__}"
    os.environ["AWS_DATA_PATH"] = MODEL
    return None, (f"boto3 {boto3.__version__} does not know {len(missing)} operations "
                  f"({', '.join(missing)}): it is given tests/aws/model for them")


def find_cli():
    """The path of `aws`, or None: beside this Python first."""
    paths = [os.path.dirname(sys.executable)] + os.environ.get("PATH", "").split(os.pathsep)
    for path in paths:
        program = os.path.join(path, "aws")
        if os.access(program, os.X_OK):
            return program
    return None


def cli_version(program):
    done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60,
                          env=clean_environ(), check=False)
    return done.stdout.split()[0] if done.returncode == 0 and done.stdout else None


def clean_environ(**more):
    """Nothing of the user's own AWS reaches a test, and no test reaches AWS."""
    environ = {name: value for name, value in os.environ.items()
               if not name.startswith("AWS_") or name == "AWS_DATA_PATH"}
    environ.update({"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
                    "AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": ""})
    environ.update(more)
    return environ


class Keys:
    """An access key of a daemon."""

    def __init__(self, access_key, secret, token=None):
        self.access_key = access_key
        self.secret = secret
        self.token = token

    def environ(self):
        return clean_environ(AWS_ACCESS_KEY_ID=self.access_key, AWS_DEFAULT_REGION=REGION,
                             AWS_SECRET_ACCESS_KEY=self.secret, AWS_MAX_ATTEMPTS="1")


def make_client(url, keys, region=REGION, **config):
    """A failed call is not repeated, so that each answer is looked at once."""
    session = boto3.session.Session(
        aws_access_key_id=keys.access_key, aws_secret_access_key=keys.secret,
        aws_session_token=keys.token, region_name=region)
    settings = dict({"retries": {"total_max_attempts": 1}, "read_timeout": READ_TIMEOUT_S,
                     "max_pool_connections": 32}, **config)
    return session.client("lambda", endpoint_url=url, config=Config(**settings))


def describe():
    """Who the clients are, said before anything else."""
    print(choose_model()[1])
    program = find_cli()
    print(cli_version(program) if program else
          "no AWS CLI is found: its tests are skipped (Debian's awscli)", flush=True)


if __name__ == "__main__":
    describe()
