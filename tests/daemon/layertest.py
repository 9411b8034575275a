"""Layers, of the whole daemon over its real socket: real functions see real files in /opt.

    layertest.py BUILD
"""

import base64
import json
import os
import random
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness"), HERE]

from api import Api, UnixConnection  # noqa: E402
from archive import zip_files, zip_texts  # noqa: E402
from case import DURABLE, FUNCTIONS, Case  # noqa: E402
from daemon import Daemon  # noqa: E402
from daemontest import BUILD, wait_for  # noqa: E402

LAYERS = "/2018-10-31/layers"
KILLS = 8
MB = 1 << 20


class Layered(Case):
    def publish(self, name, files, **more):
        """The ARN of its next version."""
        archive = files if isinstance(files, bytes) else zip_texts(files)
        body = {"Content": {"ZipFile": base64.b64encode(archive).decode()}, **more}
        return self.api.request("POST", f"{LAYERS}/{name}/versions",
                                json.dumps(body)).json()["LayerVersionArn"]

    def delete(self, arn):
        name, version = arn.split(":")[-2:]
        return self.api.request("DELETE", f"{LAYERS}/{name}/versions/{version}").status

    def configure(self, function, **more):
        return self.api.request("PUT", f"/2015-03-31/functions/{function}/configuration",
                                json.dumps(more)).json()

    def reads(self, path, function="reads"):
        return self.api.invoke(function, json.dumps(path)).json()

    def code_bytes(self):
        return self.api.request("GET", "/2016-08-19/account-settings").json()[
            "AccountUsage"]["TotalCodeSize"]


class LayerTest(Layered):
    def test_files_of_layers_are_in_opt_and_the_later_layer_wins(self):
        one = self.publish("one", {"name": "one", "dir/one": "1", "turns": "file"})
        two = self.publish("two", {"name": "two", "dir/two": "2", "turns/dir": "into"})
        self.deploy("reads", Layers=[one, two])
        self.assertEqual([self.reads(path) for path in ("name", "dir/one", "dir/two", "turns/dir")],
                         ["two", "1", "2", "into"])
        self.configure("reads", Layers=[two, one])
        self.assertEqual([self.reads(path) for path in ("name", "dir/one", "dir/two", "turns")],
                         ["one", "1", "2", "file"])
        self.configure("reads", Layers=[two])
        self.assertEqual([self.reads(path) for path in ("name", "dir/one")], ["two", None])
        self.configure("reads", Layers=[])
        self.assertIsNone(self.reads("name"))

    def test_a_version_keeps_its_layers(self):
        one = self.publish("words", {"name": "one"})
        two = self.publish("words", {"name": "two"})
        self.deploy("reads", Layers=[one], Publish=True)
        self.configure("reads", Layers=[two])
        self.api.request("POST", "/2015-03-31/functions/reads/versions", "{}")
        self.configure("reads", Layers=[])
        self.assertEqual([self.reads("name", "reads:" + version) for version in "12"],
                         ["one", "two"])
        shown = self.api.get_function("reads:2")["Configuration"]["Layers"]
        self.assertEqual([layer["Arn"] for layer in shown], [two])

    def test_who_has_a_deleted_layer_goes_on_having_it(self):
        arns = [self.publish("one", {"name": "one"}), self.publish("two", {"more": "two"})]
        self.deploy("reads", Layers=arns)
        self.deploy("later-reads", Layers=arns, **DURABLE)
        arn = self.api.invoke("later-reads:$LATEST", '"more"', "Event").headers[
            "x-amz-durable-execution-arn"]
        asked = wait_for("a callback", lambda: self.find_callback(arn))
        self.assertEqual([self.delete(one) for one in arns], [204, 204])
        self.kill_and_restart()
        self.assertEqual([self.reads("name"), self.reads("more")], ["one", "two"])
        self.api.callback(asked, "succeed", '"go on"')
        ended = wait_for("its end", lambda: (one := self.api.get_execution(arn))[
            "Status"] != "RUNNING" and one)
        self.assertEqual((ended["Status"], ended["Result"]), ("SUCCEEDED", '"two"'))
        self.refused(400, "InvalidParameterValueException", "does not exist", self.deploy, "keeps",
                     Layers=[arns[0]])
        self.configure("reads", Timeout=7)  # its layers are as they were
        self.assertEqual(self.reads("name"), "one")
        self.assertTrue(self.publish("one", {"name": "new"}).endswith(":layer:one:2"))

    def find_callback(self, arn):
        return next((event["CallbackStartedDetails"]["CallbackId"] for event in
                     self.api.history(arn) if event["EventType"] == "CallbackStarted"), None)

    def test_an_archive_goes_with_the_last_who_has_it(self):
        function = len(zip_files({"bootstrap": FUNCTIONS}))
        self.deploy("reads")
        before = self.code_bytes()
        self.assertEqual(before, function)
        layer = os.urandom(100000)
        archive = zip_texts({"noise": base64.b64encode(layer).decode()})
        arns = [self.publish("one", archive), self.publish("two", archive)]
        self.assertEqual(self.code_bytes(), before + len(archive))
        self.delete(arns[0])
        self.assertEqual(self.code_bytes(), before + len(archive))
        self.kill_and_restart()
        self.assertEqual(self.code_bytes(), before + len(archive))
        self.delete(arns[1])
        self.assertEqual(self.code_bytes(), before)

    def test_what_leads_out_is_refused(self):
        for files, words in (({"../x": "x"}, "outside of its root"), ({}, "zip")):
            archive = zip_texts(files) if files else b"no zip"
            self.refused(400, "InvalidParameterValueException", words, self.publish, "bad",
                         archive)
        self.assertEqual(self.api.request("GET", LAYERS).json(), {"Layers": []})

    def test_code_and_layers_unzip_to_250_mb(self):
        large = zip_texts({"zeros": make_text(130 * MB)})
        one, two = self.publish("one", large), self.publish("two", large)
        self.deploy("reads", Layers=[one])
        self.assertIsNone(self.reads("name"))
        for call in (lambda: self.configure("reads", Layers=[one, two]),
                     lambda: self.deploy("keeps", Layers=[one, two])):
            self.refused(400, "InvalidParameterValueException",
                         "Function code combined with layers exceeds the maximum allowed size of "
                         "262144000 bytes.", call)
        self.kill_and_restart()
        self.refused(400, "InvalidParameterValueException", "262144000 bytes", self.configure,
                     "reads", Layers=[one, two])


class KilledTest(Layered):
    def test_of_kills_while_layers_come_and_go_nothing_is_left_over(self):
        """What was acknowledged is there; what was not is there wholly or not at all."""
        chance = random.Random(5)
        self.deploy("reads")
        numbers = {}
        for turn in range(KILLS):
            name = chance.choice(["one", "two"])
            arn = self.publish(name, {"turn": str(turn)})
            self.assertGreater(int(arn.split(":")[-1]), numbers.get(name, 0))
            numbers[name] = int(arn.split(":")[-1])
            self.configure("reads", Layers=[arn])
            self.kill_in_the_middle(chance, name)
            self.assertEqual(self.reads("turn"), str(turn))
            self.delete(arn)
            self.kill_and_restart()
            self.assertEqual(self.reads("turn"), str(turn))
        self.configure("reads", Layers=[])
        for layer in self.api.request("GET", LAYERS).json()["Layers"]:
            self.delete_all(layer["LayerName"])
        self.kill_and_restart()  # old revisions go a second after a start
        wait_for("old code to go", lambda: self.code_bytes() == len(
            zip_files({"bootstrap": FUNCTIONS})))

    def kill_in_the_middle(self, chance, name):
        """While another version is being published."""
        body = {"Content": {"ZipFile": base64.b64encode(zip_texts(
            {"noise": make_text(chance.randrange(4 * MB))})).decode()}}
        connection = UnixConnection(self.daemon.socket, 60)
        connection.request("POST", f"{LAYERS}/{name}/versions", json.dumps(body))
        self.daemon.kill()
        connection.close()
        self.daemon.run()
        self.api = Api(self.daemon.socket)

    def delete_all(self, name):
        for version in self.api.request("GET", f"{LAYERS}/{name}/versions").json()[
                "LayerVersions"]:
            self.delete(version["LayerVersionArn"])


class SmallCacheTest(Layered):
    """A code cache that holds one function with its layers, not two."""

    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="pawl-test-")
        config = os.path.join(self.scratch.name, "pawl.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write("[sandbox]\ncache_mb = 24\n[limits]\nenvironments_max = 1\n")
        self.daemon = Daemon(BUILD, os.path.join(self.scratch.name, "data"), [
            "--config", config, "--cache-dir", os.path.join(self.scratch.name, "cache")])
        self.daemon.run()
        self.api = Api(self.daemon.socket)

    def test_what_the_cache_let_go_comes_back(self):
        for name in ("one", "two", "three"):
            shared = self.publish("shared-" + name, {"who": name, "noise": make_text(4 * MB)})
            own = self.publish("own-" + name, {"name": name, "noise": make_text(4 * MB)})
            self.api.create_function(name, zip_files({"bootstrap": FUNCTIONS}), "reads",
                                     Layers=[shared, own])
        for _ in range(3):
            for name in ("one", "two", "three"):
                self.assertEqual([self.reads(path, name) for path in ("name", "who")],
                                 [name, name])

    def test_what_does_not_fit_is_told(self):
        arns = [self.publish(f"l{number}", {str(number): make_text(9 * MB)})
                for number in range(3)]
        self.api.create_function("f", zip_files({"bootstrap": FUNCTIONS}), "reads", Layers=arns)
        answer = self.api.invoke("f", '"0"').json()
        self.assertIn("the code cache is full", answer["errorMessage"])


def make_text(length):
    """That shrinks some twenty times, so it is no bomb."""
    line = "".join(random.Random(7).choices("abcdefghijklmnopqrstuvwxyz", k=997)) + "\n"
    chunk = "".join(line[n:] + line[:n] for n in range(0, 997, 7))
    return (chunk * (length // len(chunk) + 1))[:length]


if __name__ == "__main__":
    unittest.main(verbosity=2)
