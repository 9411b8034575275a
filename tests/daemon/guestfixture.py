"""What the tests of functions with a Lambda runtime share: a daemon for each test, and
functions whose bootstrap is guest.py, which does what the payload tells it."""

import http.client
import io
import json
import os
import sys
import tempfile
import threading
import unittest
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness"), HERE]

from api import Api, ApiError  # noqa: E402
from archive import zip_files  # noqa: E402
from daemon import Daemon  # noqa: E402
from daemontest import BUILD  # noqa: E402

GUEST = os.path.join(HERE, "guest.py")
INVOKE = "/2015-03-31/functions/{}/invocations"
RESPONSE_MAX = 6291556
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def zip_programs(files):
    """{name: (text, mode)}"""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, (text, mode) in files.items():
            info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            info.external_attr = (0o100000 | mode) << 16
            archive.writestr(info, text)
    return out.getvalue()


class GuestFixture(unittest.TestCase):
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

    def restart_with(self, text):
        self.daemon.end()
        with open(self.daemon.data + ".conf", "w", encoding="utf-8") as file:
            file.write(text)
        self.daemon.arguments = ["--config", self.daemon.data + ".conf"]
        self.daemon.run()
        self.api = Api(self.daemon.socket)

    def deploy(self, name="f", archive=None, **more):
        self.api.create_function(name, archive or zip_files({"bootstrap": GUEST}), "a.handler",
                                 **more)
        return name + ":$LATEST"

    def does(self, what, /, function="f", **more):
        return self.api.invoke(function, json.dumps(dict(more, do=what)))

    def in_background(self, call):
        """Runs it with an Api of its own; the list gets what came of it."""
        outcome = []

        def run():
            try:
                outcome.append(call(Api(self.daemon.socket)))
            except (ApiError, OSError, http.client.HTTPException) as error:
                outcome.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        self.addCleanup(thread.join)
        return outcome

    def environments(self):
        return self.api.request("GET", "/pawl/v1/status").json()["Environments"]

    def log_lines(self, function):
        return self.api.request("GET", f"/pawl/v1/logs/{function}").body.decode().splitlines()

    def check_error(self, answer, kind, pattern):
        self.assertEqual((answer.status, answer.headers.get("x-amz-function-error")),
                         (200, "Unhandled"), answer.body[:500])
        error = answer.json()
        self.assertEqual(error["errorType"], kind, error)
        self.assertRegex(error["errorMessage"], f"^{pattern}$")

    def check_works(self, function="f"):
        self.assertEqual(self.does("respond", function, value=7).body, b"7")
