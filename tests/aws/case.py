"""A daemon of the test's own, AWS's clients pointed at it, and a look at every answer.

What a test of this directory does goes through the relay; when it ends, all answers that
the daemon gave are compared with their shapes, whatever the test was about.
"""

import http.client
import json
import os
import re
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.parse


from botocore.exceptions import ClientError

import clients
from archive import zip_files
from daemon import Daemon
from model import read_routes
from relay import Relay
from shapes import Checker

BUILD = os.path.abspath(os.environ.get("PAWL_BUILD", "build"))
HANDLERS = os.path.join(BUILD, "tests", "conformance", "conformance_handlers")
AWS_HANDLERS = os.path.join(BUILD, "tests", "aws", "aws_handlers")
ROLE = "arn:aws:iam::123456789012:role/test"
DURABLE = {"ExecutionTimeout": 3600, "RetentionPeriodInDays": 1}
WAIT_S = 60
LAST_LINES = 20  # of the log of a daemon that has ended

CHECKER = Checker(clients.choose_model()[0])
OFFERED = {name for name, _, is_offered in read_routes() if is_offered}
DRIVEN = {}  # operation: the statuses that it answered


def wait_for(what, condition):
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {WAIT_S} s")


def needs(*operations):
    """For a test or a class: skipped, with the reason, while the daemon does not offer them."""
    absent = [name for name in operations if name not in OFFERED]
    return unittest.skipIf(absent, f"the daemon does not offer {', '.join(absent)}")


class Case(unittest.TestCase):
    config = ""  # of the daemon
    program = HANDLERS  # of the functions

    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(prefix="pawl-aws-")
        cls.addClassCleanup(cls.scratch.cleanup)
        cls.daemon = Daemon(BUILD, os.path.join(cls.scratch.name, "data"), cls.make_arguments(),
                            clients.clean_environ())
        cls.addClassCleanup(cls.daemon.end)
        cls.daemon.run()
        cls.keys = cls.make_keys()
        cls.relay = Relay(cls.connect)
        cls.addClassCleanup(cls.relay.close)
        cls.unix_relay = Relay(cls.connect_unix)
        cls.addClassCleanup(cls.unix_relay.close)
        cls.client = clients.make_client(cls.relay.url, cls.keys)
        cls.loose = clients.make_client(cls.relay.url, cls.keys, parameter_validation=False)

    @classmethod
    def make_arguments(cls):
        path = os.path.join(cls.scratch.name, "pawl.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(cls.config)
        return ["--config", path, "--listen", "127.0.0.1:0", "--drain", "1",
                "--cache-dir", os.path.join(cls.scratch.name, "cache")]

    @classmethod
    def make_keys(cls):
        made = json.loads(cls.run_pawl("keys", "create", "--output", "json"))
        return clients.Keys(made["AccessKeyId"], made["SecretAccessKey"])

    @classmethod
    def run_pawl(cls, *words):
        """What `pawl WORDS` says to the operator."""
        return subprocess.run([cls.daemon.program, *words, "--socket", cls.daemon.socket],
                              stdout=subprocess.PIPE, text=True, timeout=WAIT_S, check=True).stdout

    @classmethod
    def port(cls):
        return int(re.search(r" listen=127\.0\.0\.1:(\d+) ", cls.daemon.ready_line).group(1))

    @classmethod
    def connect(cls):
        return socket.create_connection(("127.0.0.1", cls.port()))

    @classmethod
    def connect_unix(cls):
        """Where the peer is who may, and nothing is signed."""
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        door.connect(cls.daemon.socket)
        return door

    def tearDown(self):
        """Only what is complete: an invoke that still waits is looked at by the next one."""
        self.assertTrue(self.daemon.is_alive(), "the daemon has ended: " + self.last_words())
        found = []
        for exchange in self.relay.take() + self.unix_relay.take():
            operation = CHECKER.model.find(exchange.method, exchange.target)
            DRIVEN.setdefault(operation, set()).add(exchange.status)
            found += CHECKER.check(exchange)
        self.assertEqual(found, [], "answers that are not as the model says")

    def last_words(self):
        with open(self.daemon.log, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-LAST_LINES:])

    # --- functions -----------------------------------------------------------------------

    def settings(self, name, handler="echo", **more):
        return dict({"FunctionName": name, "Role": ROLE, "Runtime": "provided.al2023",
                     "Handler": handler, "Timeout": 60,
                     "Code": {"ZipFile": zip_files({"bootstrap": self.program})}}, **more)

    def deploy(self, name, handler="echo", **more):
        """A function of the conformance suite's handlers; its name."""
        self.client.create_function(**self.settings(name, handler, **more))
        return name

    def deploy_durable(self, name, handler, **more):
        """Its qualified name."""
        return self.deploy(name, handler, DurableConfig=DURABLE, **more) + ":$LATEST"

    def invoke(self, name, payload=None, **more):
        if payload is not None:
            more["Payload"] = json.dumps(payload)
        return self.client.invoke(FunctionName=name, **more)

    def start(self, function, payload=None, **more):
        """The ARN of a new execution that goes on by itself."""
        return self.invoke(function, payload, InvocationType="Event", **more)[
            "DurableExecutionArn"]

    def history(self, arn, **more):
        pages = self.client.get_paginator("get_durable_execution_history").paginate(
            DurableExecutionArn=arn, **more)
        return [event for page in pages for event in page["Events"]]

    def until_event(self, arn, kind):
        return wait_for(kind, lambda: next(
            (event for event in self.history(arn) if event["EventType"] == kind), None))

    def until_closed(self, arn):
        return wait_for("the end", lambda: next(
            (one for one in [self.client.get_durable_execution(DurableExecutionArn=arn)]
             if one["Status"] != "RUNNING"), None))

    def logs(self, name):
        """All that the function has written so far."""
        with self.connect_unix() as connection:
            connection.sendall(f"GET /pawl/v1/logs/{name} HTTP/1.1\r\nHost: localhost\r\n"
                               "Connection: close\r\n\r\n".encode())
            with connection.makefile("rb") as file:
                return file.read().decode("utf-8", "replace")

    # --- answers -----------------------------------------------------------------------------

    def refused(self, name, call, **arguments):
        """The call's error, which must be `name`, as the client understands it."""
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        response = caught.exception.response
        self.assertEqual(response["Error"]["Code"], name, response)
        self.assertTrue(response["Error"]["Message"], response)
        return response

    def raw(self, method, path, body=None, **headers):
        """A request that the client cannot make, unsigned; the answer's JSON."""
        host = self.unix_relay.url.partition("//")[2]
        connection = http.client.HTTPConnection(host, timeout=WAIT_S)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return json.loads(content) if content else None

    @staticmethod
    def quoted(text):
        return urllib.parse.quote(text, safe="")

    def cli(self, *words, is_text=False):
        """What `aws lambda WORDS` says, read as JSON; an error is an AssertionError."""
        done = self.run_cli(*words)
        self.assertEqual(done.returncode, 0, f"aws lambda {' '.join(words)}: {done.stderr}")
        if is_text or not done.stdout.strip():
            return done.stdout
        return json.loads(done.stdout)

    def run_cli(self, *words):
        command = [clients.find_cli(), "lambda", "--endpoint-url", self.relay.url, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S,
                              stdin=subprocess.DEVNULL, check=False, env=self.keys.environ(),
                              cwd=self.scratch.name)
