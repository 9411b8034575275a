"""Runtimes in the whole daemon: functions in Python in real sandboxes.

    runtimetest.py BUILD PYTHON_RUNTIME
"""

import base64
import json
import os
import shutil
import sys
import tempfile
import textwrap
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness")]

from api import Api, ApiError  # noqa: E402
from archive import zip_texts  # noqa: E402
from daemon import Daemon  # noqa: E402

BUILD, RUNTIME = (os.path.abspath(path) for path in sys.argv[1:3])
del sys.argv[1:3]


class RuntimeTest(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="pawl-test-")
        os.chmod(self.scratch.name, 0o755)
        self.daemon = Daemon(BUILD, os.path.join(self.scratch.name, "data"))
        self.daemon.run()
        self.api = Api(self.daemon.socket)

    def tearDown(self):
        try:
            self.daemon.end()
        finally:
            self.scratch.cleanup()

    def restart(self):
        self.daemon.kill()
        self.daemon.run()
        self.api = Api(self.daemon.socket)

    def runtimes(self):
        return self.api.request("GET", "/pawl/v1/runtimes").json()["Runtimes"]

    def remove_runtime(self, name):
        return self.api.request("DELETE", f"/pawl/v1/runtimes/{name}").status

    def deploy(self, source, name="f", **more):
        archive = zip_texts({"app.py": textwrap.dedent(source)})
        self.api.create_function(name, archive, "app.handler", Runtime="python3.11", **more)

    def call(self, event, name="f", **more):
        answer = self.api.invoke(name, json.dumps(event), **more)
        return answer.headers.get("x-amz-function-error"), answer.json()

    def refused(self, status, words, call, *arguments, **more):
        with self.assertRaises(ApiError) as caught:
            call(*arguments, **more)
        self.assertEqual(caught.exception.status, status)
        self.assertIn(words, caught.exception.message)

    # --- the list -----------------------------------------------------------------------

    def test_a_runtime_is_kept_over_kill_9(self):
        self.api.add_runtime("python3.11", RUNTIME)
        self.api.add_runtime("other1", RUNTIME)
        self.assertEqual(self.remove_runtime("other1"), 204)
        self.restart()
        self.assertEqual(self.runtimes(), [{"Name": "python3.11", "Directory": RUNTIME}])
        self.deploy("def handler(event, context): return event")
        self.restart()
        self.assertEqual(self.call("again"), (None, "again"))

    def test_the_data_directory_is_no_runtime(self):
        for path in (self.daemon.data, self.scratch.name, os.path.join(self.daemon.data, "logs")):
            self.refused(400, "cannot be the runtime", self.api.add_runtime, "x1", path)
        self.assertEqual(self.runtimes(), [])

    def test_functions_need_a_runtime_that_is_there(self):
        self.refused(400, "pawl runtime add python3.11 DIR", self.deploy,
                     "def handler(event, context): pass")
        self.api.add_runtime("python3.11", RUNTIME)
        self.deploy("def handler(event, context): return 1")
        self.refused(409, "The function f needs the runtime", self.remove_runtime, "python3.11")
        self.api.request("DELETE", "/2015-03-31/functions/f")
        self.assertEqual(self.remove_runtime("python3.11"), 204)
        self.refused(404, "There is no runtime", self.remove_runtime, "python3.11")

    def test_a_directory_that_vanished_is_told_and_a_new_one_is_taken(self):
        moved = os.path.join(self.scratch.name, "moved")
        shutil.copytree(RUNTIME, moved)
        os.chmod(moved, 0o755)
        self.api.add_runtime("python3.11", moved)
        self.deploy("def handler(event, context): return 'here'")
        shutil.rmtree(moved)
        self.assertIn("No such file", self.runtimes()[0]["Problem"])
        error, document = self.call(0)
        self.assertEqual((error, document["errorType"]), ("Unhandled", "Sandbox.StartFailed"))
        self.assertIn(moved, document["errorMessage"])
        self.api.add_runtime("python3.11", RUNTIME)
        self.assertEqual(self.call(0), (None, "here"))

    # --- what functions see ---------------------------------------------------------------

    def test_the_runtime_is_read_only_and_nothing_else_is_there(self):
        self.api.add_runtime("python3.11", RUNTIME)
        self.deploy("""
            import os
            def attempt(call):
                try:
                    return call()
                except OSError as error:
                    return error.strerror
            def handler(event, context):
                return [sorted(os.listdir('/var')), os.listdir('/var/runtime'),
                        attempt(lambda: open('/var/runtime/x', 'w')),
                        attempt(lambda: os.chmod('/var/runtime/bootstrap', 0o777)),
                        os.environ['LAMBDA_RUNTIME_DIR'], os.environ['AWS_EXECUTION_ENV']]
            """)
        error, found = self.call(0)
        self.assertIsNone(error, found)
        self.assertEqual(found, [["runtime", "task", "tmp"], ["bootstrap"], "Read-only file system",
                                 "Read-only file system", "/var/runtime",
                                 "AWS_Lambda_python3.11"])

    def test_modules_come_from_layers(self):
        self.api.add_runtime("python3.11", RUNTIME)
        arns = []
        for name, files in (("plain", {"python/both.py": "WHO = 'plain'",
                                       "python/plain.py": "WHO = 'plain'"}),
                            ("site", {"python/lib/python3.11/site-packages/both.py":
                                      "WHO = 'site'"})):
            body = {"Content": {"ZipFile": base64.b64encode(zip_texts(files)).decode()}}
            arns.append(self.api.request("POST", f"/2018-10-31/layers/{name}/versions",
                                         json.dumps(body)).json()["LayerVersionArn"])
        self.deploy("""
            import both, os, plain
            def handler(event, context):
                return [both.WHO, plain.WHO, os.environ["LD_LIBRARY_PATH"].split(":")[-1]]
            """, Layers=arns)
        self.assertEqual(self.call(None), (None, ["site", "plain", "/opt/lib"]))

    def test_errors_have_the_functions_type_and_stack(self):
        self.api.add_runtime("python3.11", RUNTIME)
        self.deploy("def handler(event, context): raise KeyError(event)")
        error, document = self.call("k")
        self.assertEqual((error, document["errorType"], document["errorMessage"]),
                         ("Unhandled", "KeyError", "'k'"))
        self.assertIn("raise KeyError(event)", document["stackTrace"][-1])
        self.assertEqual(self.call("again")[1]["errorMessage"], "'again'")

    def test_a_module_that_cannot_be_imported_is_told(self):
        self.api.add_runtime("python3.11", RUNTIME)
        self.deploy("import nowhere\ndef handler(event, context): pass")
        error, document = self.call(0)
        self.assertEqual((error, document["errorType"]),
                         ("Unhandled", "Runtime.ImportModuleError"))
        self.assertIn("No module named 'nowhere'", document["errorMessage"])

    def test_the_tenant_id_reaches_the_handler(self):
        self.api.add_runtime("python3.11", RUNTIME)
        self.deploy("def handler(event, context): return context.tenant_id",
                    TenancyConfig={"TenantIsolationMode": "PER_TENANT"})
        self.assertEqual(self.call(0, tenant_id="acme"), (None, "acme"))
        self.assertEqual(self.call(0, tenant_id="other"), (None, "other"))

    def test_several_run_at_once_in_one_environment(self):
        self.api.add_runtime("python3.11", RUNTIME)
        self.deploy("""
            import os, threading
            meeting = threading.Barrier(2)
            def handler(event, context):
                meeting.wait(30)
                return [event, os.getpid()]
            """, CapacityProviderConfig={"LambdaManagedInstancesCapacityProviderConfig": {
                "PerExecutionEnvironmentMaxConcurrency": 2}})
        answers = []

        def call(event):
            answers.append(Api(self.daemon.socket).invoke("f", json.dumps(event)).json())

        threads = [threading.Thread(target=call, args=(i,)) for i in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(answer[0] for answer in answers), [0, 1])


if __name__ == "__main__":
    unittest.main(verbosity=1)
