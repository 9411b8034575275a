"""Versions and aliases: published, shown, weighed, invoked, deleted."""

import collections
import json

from archive import zip_files
from case import AWS_HANDLERS, DURABLE, Case

ARN = "arn:aws:lambda:us-east-1:123456789012:function:"


class Versions(Case):
    program = AWS_HANDLERS

    def colour(self, name, colour):
        """Gives the function's next version a mark that it can tell."""
        self.client.update_function_configuration(
            FunctionName=name, Environment={"Variables": {"COLOUR": colour}})
        self.client.get_waiter("function_updated_v2").wait(FunctionName=name)

    def published(self, name, *colours, **more):
        """A function with a version for each colour; the versions."""
        self.deploy(name, "environment", **more)
        versions = []
        for colour in colours:
            self.colour(name, colour)
            versions.append(self.client.publish_version(FunctionName=name)["Version"])
        return versions

    def told(self, name, **more):
        answer = self.invoke(name, **more)
        return json.loads(answer["Payload"].read()), answer["ExecutedVersion"]

    def test_versions_number_from_one_and_stay_as_they_are(self):
        self.assertEqual(self.published("numbers", "red", "blue"), ["1", "2"])
        self.colour("numbers", "green")
        for qualifier, colour in (("1", "red"), ("2", "blue"), ("$LATEST", "green")):
            seen, executed = self.told("numbers", Qualifier=qualifier)
            self.assertEqual((seen["colour"], seen["version"], executed),
                             (colour, qualifier, qualifier))
            shown = self.client.get_function_configuration(FunctionName="numbers",
                                                           Qualifier=qualifier)
            self.assertEqual(shown["FunctionArn"], f"{ARN}numbers:{qualifier}")
            self.assertEqual((shown["Version"], shown["Environment"]["Variables"]["COLOUR"]),
                             (qualifier, colour))
        self.client.get_waiter("published_version_active").wait(FunctionName="numbers",
                                                                Qualifier="1")
        self.assertEqual(self.told("numbers:2")[1], "2")

    def test_publishing_without_a_change_gives_the_last_version(self):
        self.published("same", "red")
        again = self.client.publish_version(FunctionName="same", Description="other")
        self.assertEqual(again["Version"], "1")

    def test_publishing_is_guarded(self):
        made = self.client.create_function(**self.settings("checked"))
        sha = made["CodeSha256"]
        self.refused("InvalidParameterValueException", self.client.publish_version,
                     FunctionName="checked", CodeSha256="A" * 43 + "=")
        version = self.client.publish_version(FunctionName="checked", CodeSha256=sha,
                                              Description="the first",
                                              RevisionId=made["RevisionId"])
        self.assertEqual((version["Version"], version["Description"]), ("1", "the first"))

    def test_publish_with_the_function_and_with_its_code(self):
        made = self.client.create_function(**self.settings("at-once", Publish=True))
        self.assertEqual(made["Version"], "1")
        changed = self.client.update_function_code(
            FunctionName="at-once", Publish=True,
            ZipFile=zip_files({"bootstrap": AWS_HANDLERS, "more": __file__}))
        self.assertEqual(changed["Version"], "2")

    def test_lists_come_in_pages(self):
        self.published("many", *[f"c{number}" for number in range(12)])
        wanted = ["$LATEST"] + [str(number) for number in range(1, 13)]
        for size in (1, 5, 50):
            pages = self.client.get_paginator("list_versions_by_function").paginate(
                FunctionName="many", PaginationConfig={"PageSize": size})
            self.assertEqual([one["Version"] for page in pages for one in page["Versions"]],
                             wanted)
        for number in range(7):
            self.client.create_alias(FunctionName="many", Name=f"a{number}",
                                     FunctionVersion=str(1 + number % 2))
        for more, names in (({}, range(7)), ({"FunctionVersion": "2"}, (1, 3, 5))):
            pages = self.client.get_paginator("list_aliases").paginate(
                FunctionName="many", PaginationConfig={"PageSize": 2}, **more)
            self.assertEqual([one["Name"] for page in pages for one in page["Aliases"]],
                             [f"a{number}" for number in names])
        every = self.client.get_paginator("list_functions").paginate(
            FunctionVersion="ALL", PaginationConfig={"PageSize": 5})
        found = [one["FunctionArn"] for page in every for one in page["Functions"]
                 if one["FunctionName"] == "many"]
        self.assertEqual(sorted(found), sorted(f"{ARN}many:{version}" for version in wanted))

    def test_an_alias_from_its_making_to_its_end(self):
        self.published("aliased", "red", "blue")
        made = self.client.create_alias(FunctionName="aliased", Name="live", FunctionVersion="1",
                                        Description="what people get")
        self.assertEqual((made["AliasArn"], made["FunctionVersion"], made["Description"]),
                         (ARN + "aliased:live", "1", "what people get"))
        seen, executed = self.told("aliased:live")
        self.assertEqual((seen["colour"], executed), ("red", "1"))
        changed = self.client.update_alias(FunctionName="aliased", Name="live",
                                           FunctionVersion="2", RevisionId=made["RevisionId"])
        self.assertEqual(changed["Description"], "what people get")
        self.refused("PreconditionFailedException", self.client.update_alias,
                     FunctionName="aliased", Name="live", RevisionId=made["RevisionId"])
        self.assertEqual(self.told("aliased", Qualifier="live")[0]["colour"], "blue")
        got = self.client.get_alias(FunctionName="aliased", Name="live")
        got.pop("ResponseMetadata")
        changed.pop("ResponseMetadata")
        self.assertEqual(got, changed)
        shown = self.client.get_function(FunctionName="aliased:live")["Configuration"]
        self.assertEqual(shown["Version"], "2")
        self.refused("ResourceConflictException", self.client.delete_function,
                     FunctionName="aliased", Qualifier="2")
        self.client.delete_alias(FunctionName="aliased", Name="live")
        self.refused("ResourceNotFoundException", self.client.get_alias, FunctionName="aliased",
                     Name="live")
        self.refused("ResourceNotFoundException", self.client.invoke, FunctionName="aliased:live")
        self.client.delete_function(FunctionName="aliased", Qualifier="2")
        self.refused("ResourceNotFoundException", self.client.get_function,
                     FunctionName="aliased", Qualifier="2")
        self.assertEqual(self.told("aliased:1")[0]["colour"], "red")

    def test_an_alias_weighs_its_versions(self):
        self.published("weighed", "red", "blue")
        routing = {"AdditionalVersionWeights": {"2": 0.5}}
        made = self.client.create_alias(FunctionName="weighed", Name="both", FunctionVersion="1",
                                        RoutingConfig=routing)
        self.assertEqual(made["RoutingConfig"], routing)
        counts = collections.Counter(self.told("weighed:both")[1] for _ in range(60))
        self.assertEqual(set(counts), {"1", "2"}, counts)  # 60 of one: once in 10^18
        changed = self.client.update_alias(FunctionName="weighed", Name="both", RoutingConfig={})
        self.assertNotIn("2", changed.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}))
        self.assertEqual({self.told("weighed:both")[1] for _ in range(10)}, {"1"})

    def test_an_execution_stays_on_its_version(self):
        self.deploy("stays", "pauses", DurableConfig=DURABLE)
        self.client.publish_version(FunctionName="stays")
        self.client.create_alias(FunctionName="stays", Name="live", FunctionVersion="1")
        arn = self.start("stays:live", 1)
        self.assertIn(":function:stays:1/durable-execution/", arn)
        self.client.update_function_configuration(FunctionName="stays", Handler="fails")
        self.client.publish_version(FunctionName="stays")
        self.client.update_alias(FunctionName="stays", Name="live", FunctionVersion="2")
        ended = self.until_closed(arn)
        self.assertEqual((ended["Status"], ended["Version"]), ("SUCCEEDED", "1"))
        for qualifier, wanted in (("1", [arn]), ("2", [])):
            listed = self.client.list_durable_executions_by_function(
                FunctionName="stays", Qualifier=qualifier)["DurableExecutions"]
            self.assertEqual([one["DurableExecutionArn"] for one in listed], wanted)
