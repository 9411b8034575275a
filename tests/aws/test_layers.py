"""Layers, by boto3: each operation, and functions that have them."""

import base64
import hashlib
import json

from archive import zip_texts
from case import AWS_HANDLERS, Case

LAYER = "arn:aws:lambda:us-east-1:123456789012:layer:"


class Layers(Case):
    program = AWS_HANDLERS

    def publish(self, name, files=None, **more):
        return self.client.publish_layer_version(
            LayerName=name, Content={"ZipFile": zip_texts(files or {"file": name})}, **more)

    def test_a_version_is_published_and_shown(self):
        archive = zip_texts({"python/m.py": "x = 1\n"})
        made = self.client.publish_layer_version(
            LayerName="tools", Description="what we share", LicenseInfo="MIT",
            Content={"ZipFile": archive}, CompatibleRuntimes=["python3.11", "nodejs22.x"],
            CompatibleArchitectures=["x86_64", "arm64"])
        del made["ResponseMetadata"]
        self.assertEqual(made["LayerArn"], LAYER + "tools")
        self.assertEqual(made["LayerVersionArn"], LAYER + "tools:1")
        self.assertEqual((made["Version"], made["Description"], made["LicenseInfo"]),
                         (1, "what we share", "MIT"))
        self.assertEqual(made["CompatibleRuntimes"], ["python3.11", "nodejs22.x"])
        self.assertEqual(made["CompatibleArchitectures"], ["x86_64", "arm64"])
        self.assertEqual(made["Content"], {
            "CodeSize": len(archive),
            "CodeSha256": base64.b64encode(hashlib.sha256(archive).digest()).decode()})
        for shown in (self.client.get_layer_version(LayerName="tools", VersionNumber=1),
                      self.client.get_layer_version(LayerName=LAYER + "tools", VersionNumber=1),
                      self.client.get_layer_version_by_arn(Arn=LAYER + "tools:1")):
            del shown["ResponseMetadata"]
            self.assertEqual(shown, made)

    def test_versions_come_and_go_and_no_number_comes_back(self):
        for number in (1, 2, 3):
            self.assertEqual(self.publish("gone")["Version"], number)
        self.client.delete_layer_version(LayerName="gone", VersionNumber=3)
        self.client.delete_layer_version(LayerName="gone", VersionNumber=3)
        self.client.delete_layer_version(LayerName="never", VersionNumber=1)
        self.refused("ResourceNotFoundException", self.client.get_layer_version,
                     LayerName="gone", VersionNumber=3)
        self.refused("ResourceNotFoundException", self.client.get_layer_version_by_arn,
                     Arn=LAYER + "gone:3")
        self.assertEqual(self.publish("gone")["Version"], 4)
        listed = self.client.list_layer_versions(LayerName="gone")["LayerVersions"]
        self.assertEqual([one["Version"] for one in listed], [4, 2, 1])

    def test_lists_have_pages_and_filters(self):
        for number in range(3):
            self.publish(f"page-{number}", CompatibleRuntimes=["ruby3.3"])
            self.publish(f"page-{number}", CompatibleRuntimes=["java21"],
                         CompatibleArchitectures=["arm64"])
        pages = self.client.get_paginator("list_layers").paginate(
            CompatibleRuntime="ruby3.3", PaginationConfig={"PageSize": 1})
        found = [one for page in pages for one in page["Layers"]]
        self.assertEqual([(one["LayerName"], one["LatestMatchingVersion"]["Version"])
                          for one in found], [(f"page-{number}", 1) for number in range(3)])
        pages = self.client.get_paginator("list_layer_versions").paginate(
            LayerName="page-1", PaginationConfig={"PageSize": 1})
        self.assertEqual([one["Version"] for page in pages for one in page["LayerVersions"]],
                         [2, 1])
        self.assertEqual([one["Version"] for one in self.client.list_layer_versions(
            LayerName="page-1", CompatibleArchitecture="arm64")["LayerVersions"]], [2])
        self.assertEqual(self.client.list_layer_versions(LayerName="never")["LayerVersions"], [])

    def test_a_function_has_layers(self):
        arns = [self.publish(name)["LayerVersionArn"] for name in ("first", "second")]
        made = self.client.create_function(**self.settings("layered", "echo", Layers=arns))
        self.assertEqual([one["Arn"] for one in made["Layers"]], arns)
        self.assertEqual(made["Layers"][0]["CodeSize"], len(zip_texts({"file": "first"})))
        self.assertEqual(json.loads(self.invoke("layered", 7)["Payload"].read()), 7)
        before = self.client.get_function_configuration(FunctionName="layered")
        after = self.client.update_function_configuration(FunctionName="layered",
                                                          Layers=arns[::-1])
        self.assertNotEqual(before["RevisionId"], after["RevisionId"])
        self.assertEqual([one["Arn"] for one in after["Layers"]], arns[::-1])
        version = self.client.publish_version(FunctionName="layered")
        self.assertEqual(version["Layers"], after["Layers"])
        self.client.delete_layer_version(LayerName="first", VersionNumber=1)
        self.refused("InvalidParameterValueException", self.client.update_function_configuration,
                     FunctionName="layered", Layers=[arns[0]])
        removed = self.client.update_function_configuration(FunctionName="layered", Layers=[])
        self.assertNotIn("Layers", removed)
        shown = self.client.get_function(FunctionName="layered:1")["Configuration"]
        self.assertEqual(shown["Layers"], after["Layers"])
        listed = self.client.list_versions_by_function(FunctionName="layered")["Versions"]
        self.assertEqual([("Layers" in one) for one in listed], [False, True])

    def test_statements_of_a_layer_come_and_go(self):
        self.publish("shared")
        which = {"LayerName": "shared", "VersionNumber": 1}
        added = self.client.add_layer_version_permission(
            StatementId="all", Action="lambda:GetLayerVersion", Principal="*",
            OrganizationId="o-1234567890", **which)
        statement = json.loads(added["Statement"])
        self.assertEqual((statement["Sid"], statement["Effect"], statement["Principal"],
                          statement["Resource"]), ("all", "Allow", "*", LAYER + "shared:1"))
        self.client.add_layer_version_permission(
            StatementId="one", Action="lambda:GetLayerVersion", Principal="123456789012",
            RevisionId=added["RevisionId"], **which)
        policy = self.client.get_layer_version_policy(**which)
        self.assertEqual([one["Sid"] for one in json.loads(policy["Policy"])["Statement"]],
                         ["all", "one"])
        self.refused("PreconditionFailedException", self.client.remove_layer_version_permission,
                     StatementId="all", RevisionId=added["RevisionId"], **which)
        self.client.remove_layer_version_permission(
            StatementId="all", RevisionId=policy["RevisionId"], **which)
        self.client.remove_layer_version_permission(StatementId="one", **which)
        self.refused("ResourceNotFoundException", self.client.get_layer_version_policy, **which)

    def test_a_policy_of_a_layer_has_a_size(self):
        self.publish("wide")
        def fill():
            for number in range(200):
                self.client.add_layer_version_permission(
                    LayerName="wide", VersionNumber=1, StatementId=f"{number:0100}",
                    Action="lambda:GetLayerVersion", Principal="*")
        self.refused("PolicyLengthExceededException", fill)
        self.assertLessEqual(len(self.client.get_layer_version_policy(
            LayerName="wide", VersionNumber=1)["Policy"]), 20480)
