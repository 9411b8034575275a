"""A daemon of one's own for each test, and the functions of functions.c on it."""

import os
import tempfile
import unittest

from api import Api, ApiError, quote
from archive import zip_files
from daemon import Daemon
from daemontest import BUILD

FUNCTIONS = os.path.join(BUILD, "tests", "daemon", "daemon_functions")
DURABLE = {"DurableConfig": {"ExecutionTimeout": 3600, "RetentionPeriodInDays": 1}}
TENANCY = {"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}}
ARN = "arn:aws:lambda:us-east-1:123456789012:function:"
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


class Case(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="pawl-test-")
        self.daemon = Daemon(BUILD, os.path.join(self.scratch.name, "data"))
        self.daemon.run()
        self.api = Api(self.daemon.socket)

    def tearDown(self):
        try:
            self.daemon.end()
        finally:
            self.scratch.cleanup()

    def kill_and_restart(self):
        self.daemon.kill()
        self.daemon.run()
        self.api = Api(self.daemon.socket)

    def deploy(self, name, handler=None, **more):
        self.api.create_function(name, zip_files({"bootstrap": FUNCTIONS}), handler or name,
                                 **more)
        return name + ":$LATEST"

    def post(self, path, function, payload, headers=None, timeout_s=None):
        return self.api.request("POST", path.format(quote(function)), payload, headers or {},
                                timeout_s)

    def refused(self, status, error, text, call, *arguments, **more):
        with self.assertRaises(ApiError) as caught:
            call(*arguments, **more)
        self.assertEqual((caught.exception.status, caught.exception.name), (status, error))
        self.assertIn(text, caught.exception.message)

    def executions(self, function):
        """All of them, newest first."""
        found = []
        marker = ""
        while True:
            page = self.api.request("GET", f"/2025-12-01/functions/{function}/durable-executions"
                                    f"?MaxItems=1000{marker}").json()
            found += page["DurableExecutions"]
            if "NextMarker" not in page:
                return found
            marker = "&Marker=" + quote(page["NextMarker"])
