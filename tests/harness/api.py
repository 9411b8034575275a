"""The Lambda API as a client sees it, over the daemon's unix socket.

One `Api` may be used from many threads: every thread keeps a connection of its own.
Only the standard library is used, so that what is judged is the daemon, not an SDK.
"""

import base64
import http.client
import json
import socket
import threading
import urllib.parse

DURABLE = "/2025-12-01/durable-executions/"
CALLBACKS = "/2025-12-01/durable-execution-callbacks/"
FUNCTIONS = "/2015-03-31/functions"
CLOSED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED")


class ApiError(Exception):
    """An answer of 400 and above."""

    def __init__(self, status, name, message, reason=None, headers=None):
        super().__init__(f"{status} {name}: {message}")
        self.reason = reason
        self.headers = headers or {}
        self.status = status
        self.name = name
        self.message = message


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout_s):
        super().__init__("localhost", timeout=timeout_s)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Answer:
    def __init__(self, response, body):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = body

    def json(self):
        return json.loads(self.body)


def quote(text):
    return urllib.parse.quote(text, safe="")


def error_of(answer):
    try:
        body = answer.json()
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    name = answer.headers.get("x-amzn-errortype") or body.get("__type") or "Unknown"
    message = body.get("message") or body.get("Message") or repr(answer.body[:200])
    return ApiError(answer.status, name.split(":")[0], message, body.get("Reason"),
                    answer.headers)


class Api:
    def __init__(self, path, timeout_s=60):
        self.path = path
        self.timeout_s = timeout_s
        self.local = threading.local()

    def _connection(self, timeout_s):
        if timeout_s is not None:  # a call that waits long has a connection to itself
            return UnixConnection(self.path, timeout_s)
        if getattr(self.local, "connection", None) is None:
            self.local.connection = UnixConnection(self.path, self.timeout_s)
        return self.local.connection

    def _exchange(self, connection, method, path, body, headers):
        connection.request(method, path, body=body, headers=headers)
        response = connection.getresponse()
        return Answer(response, response.read())

    def request(self, method, path, body=None, headers=None, timeout_s=None):
        """Raises ApiError for a refusal and OSError or HTTPException when the outcome is
        unknown. Nothing is ever sent twice here: the caller knows what may be repeated."""
        connection = self._connection(timeout_s)
        try:
            answer = self._exchange(connection, method, path, body, headers or {})
        except (OSError, http.client.HTTPException):
            connection.close()
            self.local.connection = None
            raise
        if timeout_s is not None:
            connection.close()
        if answer.status >= 400:
            raise error_of(answer)
        return answer

    # --- functions -----------------------------------------------------------------

    def create_function(self, name, archive, handler, **more):
        body = {"FunctionName": name, "Role": "arn:aws:iam::000000000000:role/test",
                "Runtime": "provided.al2023", "Handler": handler, "Timeout": 60,
                "Code": {"ZipFile": base64.b64encode(archive).decode()}}
        body.update(more)
        return self.request("POST", FUNCTIONS, json.dumps(body),
                            {"content-type": "application/json"}).json()

    def get_function(self, name):
        return self.request("GET", f"{FUNCTIONS}/{quote(name)}").json()

    def invoke(self, function, payload, kind="RequestResponse", name=None, timeout_s=None,
               invocation_id=None, tenant_id=None):
        headers = {"x-amz-invocation-type": kind, "content-type": "application/octet-stream"}
        for header, value in (("x-amz-durable-execution-name", name),
                              ("amz-sdk-invocation-id", invocation_id),
                              ("x-amz-tenant-id", tenant_id)):
            if value is not None:
                headers[header] = value
        return self.request("POST", f"{FUNCTIONS}/{quote(function)}/invocations", payload,
                            headers, timeout_s)

    # --- executions ----------------------------------------------------------------

    def get_execution(self, arn):
        return self.request("GET", DURABLE + quote(arn)).json()

    def history_page(self, arn, marker=None, items_max=1000, is_reverse=False):
        query = f"?IncludeExecutionData=true&MaxItems={items_max}"
        if is_reverse:
            query += "&ReverseOrder=true"
        if marker:
            query += "&Marker=" + quote(marker)
        return self.request("GET", DURABLE + quote(arn) + "/history" + query).json()

    def history(self, arn, items_max=1000, is_reverse=False):
        events = []
        marker = None
        for _ in range(100_000):
            page = self.history_page(arn, marker, items_max, is_reverse)
            events += page["Events"]
            marker = page.get("NextMarker")
            if not marker:
                return events
        raise RuntimeError("the history has no last page")

    def stop(self, arn):
        return self.request("POST", DURABLE + quote(arn) + "/stop", "{}",
                            {"content-type": "application/json"}).json()

    def callback(self, callback_id, operation, body):
        return self.request("POST", CALLBACKS + quote(callback_id) + "/" + operation, body)

    # --- Pawl's own ------------------------------------------------------------------

    def create_key(self, description="test"):
        """(id, secret) of a new access key."""
        key = self.request("POST", "/pawl/v1/keys",
                           json.dumps({"Description": description})).json()
        return key["AccessKeyId"], key["SecretAccessKey"]

    def add_runtime(self, name, directory):
        return self.request("PUT", f"/pawl/v1/runtimes/{quote(name)}",
                            json.dumps({"Directory": directory})).json()

    def logs(self, function, arn):
        path = f"/pawl/v1/logs/{quote(function)}?Execution={quote(arn)}"
        lines = self.request("GET", path).body.decode("utf-8", "replace").splitlines()
        return [json.loads(line) for line in lines if line.strip()]
