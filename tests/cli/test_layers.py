"""pawl layer, and --layer of pawl deploy."""
import base64
import io
import json
import os
import zipfile

import case
from fake_daemon import Answer, error

ARN = "arn:aws:lambda:us-east-1:123456789012:layer:"
MISSING = error(404, "ResourceNotFoundException", "Function not found: f")
CREATED = Answer(201, {"FunctionName": "f", "CodeSize": 123, "CodeSha256": "c2hh",
                       "State": "Active", "LastUpdateStatus": "Successful"})


def published(name, version):
    return Answer(201, {"LayerArn": ARN + name, "LayerVersionArn": f"{ARN}{name}:{version}",
                        "Version": version, "Content": {"CodeSize": 12, "CodeSha256": "c2hh"}})


def shown(name, version):
    return Answer(200, published(name, version).body)


class Layers(case.Case):
    def tree(self, **files):
        for name, content in files.items():
            path = os.path.join(self.directory, "tree", name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="ascii") as file:
                file.write(content)
        return os.path.join(self.directory, "tree")

    def sent(self, n):
        return json.loads(self.daemon.requests[n].body)

    def test_a_directory_is_published(self):
        self.script(published("tools", 3))
        path = self.tree(**{"python/m.py": "x = 1\n", "bin/run": "#!/bin/sh\n"})
        result = self.pawl("layer", "publish", "tools", path, "--description", "ours",
                           "--license", "MIT", "--runtime", "python3.11", "--runtime", "python3.12")
        self.assert_code(result, 0)
        self.assertEqual(result.out, f"published {ARN}tools:3 (12 bytes, sha256 c2hh)\n")
        self.assert_asked("POST /2018-10-31/layers/tools/versions")
        body = self.sent(0)
        content = base64.b64decode(body.pop("Content")["ZipFile"], validate=True)
        self.assertEqual(body, {"Description": "ours", "LicenseInfo": "MIT",
                                "CompatibleRuntimes": ["python3.11", "python3.12"]})
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            self.assertEqual(archive.namelist(), ["bin/run", "python/m.py"])

    def test_a_zip_is_published_as_it_is(self):
        self.script(published("tools", 1))
        path = os.path.join(self.directory, "layer.zip")
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x", "x")
        result = self.pawl("layer", "publish", "tools", path, "--output", "json")
        self.assert_code(result, 0)
        self.assertEqual(result.json()["Version"], 1)
        with open(path, "rb") as file:
            self.assertEqual(base64.b64decode(self.sent(0)["Content"]["ZipFile"]), file.read())

    def test_one_file_is_no_layer(self):
        self.script()
        path = os.path.join(self.tree(program="#!/bin/sh\n"), "program")
        result = self.pawl("layer", "publish", "tools", path)
        self.assert_code(result, 2)
        self.assertIn("a layer is a directory or a zip", result.err)
        self.assert_asked()

    def test_layers_are_listed(self):
        self.script(Answer(200, {"Layers": [
            {"LayerName": "a", "LatestMatchingVersion": {
                "Version": 7, "CreatedDate": "2026-11-23", "Description": "d",
                "CompatibleRuntimes": ["python3.11", "nodejs22.x"]}},
            {"LayerName": "b", "LatestMatchingVersion": {"Version": 1}}]}),
                    Answer(200, {"LayerVersions": [{"Version": 2}], "NextMarker": "2"}),
                    Answer(200, {"LayerVersions": [{"Version": 1}]}),
                    Answer(200, {"LayerVersions": [{"Version": 1}]}))
        result = self.pawl("layer", "list")
        self.assert_code(result, 0)
        self.assertEqual([line.split() for line in result.out.splitlines()], [
            ["NAME", "VERSION", "RUNTIMES", "CREATED", "DESCRIPTION"],
            ["a", "7", "python3.11", "nodejs22.x", "2026-11-23", "d"],
            ["b", "1", "-", "-", "-"]])
        result = self.pawl("layer", "list", "a b")
        self.assert_code(result, 0)
        self.assertEqual([line.split()[-4] for line in result.out.splitlines()][1:], ["2", "1"])
        result = self.pawl("layer", "list", "a", "--output", "json")
        self.assertEqual(result.json(), {"LayerVersions": [{"Version": 1}]})
        self.assert_asked("GET /2018-10-31/layers?MaxItems=50",
                          "GET /2018-10-31/layers/a%20b/versions?MaxItems=50",
                          "GET /2018-10-31/layers/a%20b/versions?MaxItems=50&Marker=2",
                          "GET /2018-10-31/layers/a/versions?MaxItems=50")

    def test_a_version_is_deleted(self):
        self.script(Answer(204), Answer(204))
        result = self.pawl("layer", "delete", "tools:3")
        self.assertEqual((result.code, result.out), (0, "deleted tools:3\n"))
        result = self.pawl("layer", "delete", ARN + "tools:3", "--output", "json")
        self.assertEqual((result.code, result.json()), (0, {}))
        self.assert_asked("DELETE /2018-10-31/layers/tools/versions/3",
                          "DELETE /2018-10-31/layers/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012"
                          "%3Alayer%3Atools/versions/3")

    def test_a_layer_without_its_version_is_not_guessed(self):
        self.script()
        for words in (("layer", "delete", "tools"), ("layer", "delete", "tools:"),
                      ("layer", "delete", ":3"), ("layer", "delete", "tools:x"),
                      ("deploy", "f", self.tree(bootstrap="x"), "--layer", "tools")):
            result = self.pawl(*words)
            self.assert_code(result, 2)
            self.assertIn("NAME:VERSION", result.err)
        self.assert_asked()

    def test_a_function_is_deployed_with_layers(self):
        self.script(shown("a", 1), shown("b", 2), MISSING, CREATED)
        result = self.pawl("deploy", "f", self.tree(bootstrap="x"), "--layer", "a:1", "--layer",
                           ARN + "b:2")
        self.assert_code(result, 0)
        self.assertEqual(self.sent(3)["Layers"], [ARN + "a:1", ARN + "b:2"])

    def test_a_layer_that_is_not_there_ends_it_before_anything_is_changed(self):
        self.script(error(404, "ResourceNotFoundException", "Layer version a:9 does not exist."))
        result = self.pawl("deploy", "f", self.tree(bootstrap="x"), "--layer", "a:9")
        self.assertNotEqual(result.code, 0)
        self.assertIn("Layer version a:9 does not exist.", result.err)

    def test_layers_are_replaced_kept_or_removed(self):
        there = Answer(200, {"Configuration": {"FunctionName": "f", "State": "Active"}})
        updated = Answer(200, CREATED.body)
        self.script(shown("a", 2), there, updated, updated, there, updated, there, updated, updated)
        path = self.tree(bootstrap="x")
        self.assert_code(self.pawl("deploy", "f", path, "--layer", "a:2"), 0)
        self.assertEqual(self.sent(3), {"Layers": [ARN + "a:2"]})
        self.assert_code(self.pawl("deploy", "f", path), 0)
        self.assert_code(self.pawl("deploy", "f", path, "--no-layers"), 0)
        self.assertEqual(self.sent(8), {"Layers": []})
        result = self.pawl("deploy", "f", path, "--no-layers", "--layer", "a:2")
        self.assert_code(result, 2)


case.main()
