"""What AWS's client for Python has to know of Lambda. Debian 12's is older than durable
executions: it is given the committed model (tests/aws/model), in which they are."""

import os
import sys

import botocore
import botocore.loaders

MODEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "aws", "model")
NEWEST = ("GetDurableExecution", "GetFunctionRecursionConfig", "InvokeWithResponseStream")


def give_model():
    """To be called before the first client is made."""
    service = botocore.loaders.Loader().load_service_model("lambda", "service-2", "2015-03-31")
    if not set(NEWEST) <= set(service["operations"]):
        os.environ["AWS_DATA_PATH"] = os.path.abspath(MODEL)
        print(f"botocore {botocore.__version__} is older than what is tested: it is given "
              "tests/aws/model", file=sys.stderr)
