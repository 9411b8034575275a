"""The Lambda API through AWS's own client: what Api has, spoken by @aws-sdk/client-lambda in a
Node.js beside us (aws_client.mjs). Pawl's own routes stay on the unix socket."""

import base64
import itertools
import json
import os
import subprocess
import threading

from api import Api, ApiError

HERE = os.path.dirname(os.path.abspath(__file__))
REGION = "us-east-1"


class ClientLost(Exception):
    """Node.js has ended: nothing is known of what it was asked."""


class AwsClient:
    """One process; may be used from many threads."""

    def __init__(self, runtime, socket=None, url=None, key=("unix", "socket")):
        """`runtime`: a directory made by packaging/runtimes/nodejs22.x/make. Over TCP with
        `url` and `key`, an access key and its secret; else over the unix socket."""
        environ = {"PATH": os.environ["PATH"], "AWS_REGION": REGION,
                   "AWS_ACCESS_KEY_ID": key[0], "AWS_SECRET_ACCESS_KEY": key[1]}
        command = [os.path.join(runtime, "bin", "node"), os.path.join(HERE, "aws_client.mjs"),
                   os.path.join(runtime, "node_modules")]
        if url is not None:
            environ["AWS_ENDPOINT_URL_LAMBDA"] = url
        else:
            command.append(socket)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=environ, text=True)
        self.ids = itertools.count()
        self.lock = threading.Lock()
        self.answers = {}
        self.changed = threading.Condition(self.lock)
        self.is_lost = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            answer = json.loads(line)
            with self.lock:
                self.answers[answer["id"]] = answer
                self.changed.notify_all()
        with self.lock:
            self.is_lost = True
            self.changed.notify_all()

    def ask(self, command, timeout_s, **parameters):
        """(output, status). Members that are None are left out."""
        parameters = {name: value for name, value in parameters.items() if value is not None}
        with self.lock:
            number = next(self.ids)
            self.process.stdin.write(json.dumps(
                {"id": number, "command": command, "input": encode(parameters)}) + "\n")
            self.process.stdin.flush()
            if not self.changed.wait_for(lambda: number in self.answers or self.is_lost,
                                         timeout_s):
                raise TimeoutError(f"{command}: no answer within {timeout_s} s")
            if number not in self.answers:
                raise ClientLost(command)
            answer = self.answers.pop(number)
        if "error" in answer:
            raise ApiError(answer["status"], answer["error"], answer.get("message", ""))
        return decode(answer["output"]), answer["status"]

    def close(self):
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()


def encode(value):
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {name: encode(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    return value


def decode(value):
    if isinstance(value, dict):
        if "$bytes" in value:
            return base64.b64decode(value["$bytes"])
        return {name: decode(item) for name, item in value.items()}
    if isinstance(value, list):
        return [decode(item) for item in value]
    return value


class Invoked:
    """What Api.invoke() answers, made of what the client says."""

    def __init__(self, output, status):
        self.status = status
        self.body = output.get("Payload") or b""  # an empty one is null there
        self.headers = {header: output[member] for header, member in (
            ("x-amz-durable-execution-arn", "DurableExecutionArn"),
            ("x-amz-function-error", "FunctionError"),
            ("x-amz-executed-version", "ExecutedVersion")) if output.get(member)}

    def json(self):
        return json.loads(self.body)


class AwsApi(Api):
    def __init__(self, path, client, timeout_s=60):
        super().__init__(path, timeout_s)
        self.client = client

    def _ask(self, command, **parameters):
        return self.client.ask(command, self.timeout_s, **parameters)[0]

    def create_function(self, name, archive, handler, **more):
        parameters = {"FunctionName": name, "Role": "arn:aws:iam::000000000000:role/test",
                      "Runtime": "provided.al2023", "Handler": handler, "Timeout": 60,
                      "Code": {"ZipFile": archive}, **more}
        return self._ask("CreateFunction", **parameters)

    def get_function(self, name):
        return self._ask("GetFunction", FunctionName=name)

    def invoke(self, function, payload, kind="RequestResponse", name=None, timeout_s=None,
               invocation_id=None, tenant_id=None):
        assert invocation_id is None, "the client makes its own"
        payload = payload.encode() if isinstance(payload, str) else payload
        return Invoked(*self.client.ask(
            "Invoke", timeout_s or self.timeout_s, FunctionName=function, Payload=payload,
            InvocationType=kind, DurableExecutionName=name, TenantId=tenant_id))

    def get_execution(self, arn):
        return self._ask("GetDurableExecution", DurableExecutionArn=arn)

    def history_page(self, arn, marker=None, items_max=1000, is_reverse=False):
        return self._ask("GetDurableExecutionHistory", DurableExecutionArn=arn, Marker=marker,
                         IncludeExecutionData=True, MaxItems=items_max,
                         ReverseOrder=is_reverse or None)

    def stop(self, arn):
        return self._ask("StopDurableExecution", DurableExecutionArn=arn)

    def callback(self, callback_id, operation, body):
        if operation == "succeed":
            return self._ask("SendDurableExecutionCallbackSuccess", CallbackId=callback_id,
                             Result=body)
        if operation == "fail":
            return self._ask("SendDurableExecutionCallbackFailure", CallbackId=callback_id,
                             Error=json.loads(body))
        return self._ask("SendDurableExecutionCallbackHeartbeat", CallbackId=callback_id)
