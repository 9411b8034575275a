"""Functions: made, shown, listed, changed, deleted."""

import base64
import hashlib

from archive import zip_files
from case import Case, HANDLERS, ROLE
from clients import REGION

ARN = f"arn:aws:lambda:{REGION}:123456789012:function:"


def other_code(mark):
    return zip_files({"bootstrap": HANDLERS, f"mark-{mark}": __file__})


class Functions(Case):
    def test_a_function_is_as_it_was_asked_for(self):
        archive = zip_files({"bootstrap": HANDLERS})
        made = self.client.create_function(
            FunctionName="all-settings", Role=ROLE, Runtime="provided.al2023", Handler="echo",
            Code={"ZipFile": archive}, Description="what it does", Timeout=17, MemorySize=256,
            Environment={"Variables": {"COLOUR": "red", "EMPTY": ""}},
            EphemeralStorage={"Size": 600}, Tags={"team": "blue"}, PackageType="Zip",
            TracingConfig={"Mode": "PassThrough"}, Architectures=["x86_64"],
            LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "INFO",
                           "SystemLogLevel": "WARN", "LogGroup": "/aws/lambda/other"},
            DurableConfig={"ExecutionTimeout": 77, "RetentionPeriodInDays": 7})
        self.assertEqual(made["ResponseMetadata"]["HTTPStatusCode"], 201)
        for key, value in (
                ("FunctionName", "all-settings"), ("FunctionArn", ARN + "all-settings"),
                ("Description", "what it does"), ("Timeout", 17), ("MemorySize", 256),
                ("Environment", {"Variables": {"COLOUR": "red", "EMPTY": ""}}),
                ("EphemeralStorage", {"Size": 600}), ("Role", ROLE), ("Handler", "echo"),
                ("CodeSize", len(archive)), ("Version", "$LATEST"), ("PackageType", "Zip"),
                ("CodeSha256", base64.b64encode(hashlib.sha256(archive).digest()).decode()),
                ("TracingConfig", {"Mode": "PassThrough"}), ("Architectures", ["x86_64"]),
                ("LoggingConfig", {"LogFormat": "JSON", "ApplicationLogLevel": "INFO",
                                   "SystemLogLevel": "WARN", "LogGroup": "/aws/lambda/other"}),
                ("DurableConfig", {"ExecutionTimeout": 77, "RetentionPeriodInDays": 7})):
            self.assertEqual(made.get(key), value, key)
        got = self.client.get_function(FunctionName="all-settings")
        self.assertEqual(got["Tags"], {"team": "blue"})
        self.client.get_waiter("function_active_v2").wait(FunctionName="all-settings")
        shown = self.client.get_function_configuration(FunctionName="all-settings")
        for answer in (got["Configuration"], shown):
            answer.pop("ResponseMetadata", None)
            self.assertEqual(answer["State"], "Active")
        self.assertEqual(got["Configuration"], shown)

    def test_every_form_of_a_name_is_the_function(self):
        self.deploy("named")
        for name in ("named", "named:$LATEST", "123456789012:function:named", ARN + "named",
                     ARN + "named:$LATEST"):
            shown = self.client.get_function_configuration(FunctionName=name)
            self.assertEqual(shown["FunctionName"], "named")
            suffix = ":$LATEST" if name.endswith("$LATEST") else ""
            self.assertEqual(shown["FunctionArn"], ARN + "named" + suffix)
        self.client.get_function(FunctionName="named", Qualifier="$LATEST")

    def test_defaults_are_lambdas(self):
        made = self.client.create_function(
            FunctionName="defaults", Role=ROLE, Runtime="provided.al2023", Handler="echo",
            Code={"ZipFile": zip_files({"bootstrap": HANDLERS})})
        self.assertEqual((made["Timeout"], made["MemorySize"], made["EphemeralStorage"]),
                         (3, 128, {"Size": 512}))
        self.assertEqual(made["TracingConfig"], {"Mode": "PassThrough"})
        self.assertNotIn("DurableConfig", made)
        self.assertNotIn("Environment", made)

    def test_a_part_of_the_logging_is_completed(self):
        """Who compares what he asked for with what he is shown sees Lambda's defaults."""
        self.deploy("logs", LoggingConfig={"LogFormat": "JSON"})
        shown = self.client.get_function_configuration(FunctionName="logs")["LoggingConfig"]
        self.assertEqual(shown, {"LogFormat": "JSON", "ApplicationLogLevel": "INFO",
                                 "SystemLogLevel": "INFO", "LogGroup": "/aws/lambda/logs"})
        shown = self.client.update_function_configuration(
            FunctionName="logs", LoggingConfig={"LogGroup": "/mine"})["LoggingConfig"]
        self.assertEqual(shown, {"LogFormat": "Text", "LogGroup": "/mine"})

    def test_what_terraform_asks_of_a_function(self):
        """The calls of its aws_lambda_function with `publish`, in their order."""
        name = "terraform"
        self.deploy(name, Architectures=["x86_64"], Description="", EphemeralStorage={"Size": 512},
                    PackageType="Zip", Publish=True, TracingConfig={"Mode": "PassThrough"})
        self.assertEqual(self.client.get_function(FunctionName=name)["Configuration"]["State"],
                         "Active")
        for change in ({"VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []}},
                       {"DeadLetterConfig": {"TargetArn": ""}}, {"Layers": []},
                       {"FileSystemConfigs": []}, {"KMSKeyArn": ""},
                       {"Environment": {"Variables": {}}}, {"SnapStart": {"ApplyOn": "None"}}):
            changed = self.client.update_function_configuration(FunctionName=name, **change)
            self.assertEqual(changed["LastUpdateStatus"], "Successful", change)
        published = self.client.publish_version(FunctionName=name, Description="next")
        again = self.client.get_function_configuration(FunctionName=published["FunctionArn"],
                                                       Qualifier=published["Version"])
        self.assertEqual(again["LastUpdateStatus"], "Successful")
        versions = self.client.list_versions_by_function(FunctionName=name, MaxItems=10000)
        self.assertNotIn("NextMarker", versions)
        self.assertEqual(versions["Versions"][-1]["Version"], published["Version"])
        self.assertNotIn("CodeSigningConfigArn",
                         self.client.get_function_code_signing_config(FunctionName=name))

    def test_new_code_is_what_runs(self):
        before = self.client.create_function(**self.settings("recoded"))
        self.client.get_waiter("function_active_v2").wait(FunctionName="recoded")
        changed = self.client.update_function_code(FunctionName="recoded",
                                                   ZipFile=other_code("new"))
        self.client.get_waiter("function_updated_v2").wait(FunctionName="recoded")
        after = self.client.get_function_configuration(FunctionName="recoded")
        self.assertNotEqual(before["CodeSha256"], after["CodeSha256"])
        self.assertEqual(changed["CodeSha256"], after["CodeSha256"])
        self.assertEqual(self.invoke("recoded", {"a": 1})["Payload"].read(), b'{"a": 1}')

    def test_a_dry_run_changes_nothing(self):
        before = self.client.create_function(**self.settings("dry"))
        self.client.update_function_code(FunctionName="dry", ZipFile=other_code("x"), DryRun=True)
        after = self.client.get_function_configuration(FunctionName="dry")
        self.assertEqual(after["CodeSha256"], before["CodeSha256"])
        self.assertEqual(after["RevisionId"], before["RevisionId"])

    def test_a_revision_id_guards_a_change(self):
        made = self.client.create_function(**self.settings("guarded"))
        self.client.get_waiter("function_active_v2").wait(FunctionName="guarded")
        changed = self.client.update_function_configuration(
            FunctionName="guarded", Timeout=9, RevisionId=made["RevisionId"])
        self.assertEqual(changed["Timeout"], 9)
        self.assertNotEqual(changed["RevisionId"], made["RevisionId"])
        for call, more in ((self.client.update_function_configuration, {"Timeout": 10}),
                           (self.client.update_function_code, {"ZipFile": other_code("y")})):
            self.refused("PreconditionFailedException", call, FunctionName="guarded",
                         RevisionId=made["RevisionId"], **more)

    def test_settings_change_and_the_others_stay(self):
        self.client.create_function(**self.settings(
            "changing", Description="old", Environment={"Variables": {"AA": "1"}}))
        self.client.get_waiter("function_active_v2").wait(FunctionName="changing")
        changed = self.client.update_function_configuration(
            FunctionName="changing", Description="new", MemorySize=512)
        self.assertEqual((changed["Description"], changed["MemorySize"]), ("new", 512))
        self.assertEqual(changed["Environment"], {"Variables": {"AA": "1"}})
        self.client.get_waiter("function_updated_v2").wait(FunctionName="changing")
        changed = self.client.update_function_configuration(
            FunctionName="changing", Environment={"Variables": {}})
        self.assertNotIn("AA", changed.get("Environment", {}).get("Variables", {}))

    def test_a_deleted_function_is_gone(self):
        self.deploy("mortal")
        self.client.delete_function(FunctionName="mortal")
        for call in (self.client.get_function, self.client.delete_function,
                     self.client.get_function_configuration, self.client.invoke):
            self.refused("ResourceNotFoundException", call, FunctionName="mortal")
        self.deploy("mortal")
        self.client.delete_function(FunctionName=ARN + "mortal")

    def test_waiters_end(self):
        self.deploy("awaited")
        for waiter in ("function_exists", "function_active", "function_active_v2",
                       "function_updated", "function_updated_v2"):
            self.client.get_waiter(waiter).wait(FunctionName="awaited",
                                                WaiterConfig={"Delay": 1, "MaxAttempts": 30})


class FunctionList(Case):
    def test_a_list_in_pages_has_every_function_once(self):
        names = [f"listed-{number:02}" for number in range(60)]
        for name in names:
            self.deploy(name)
        whole = self.client.list_functions()
        self.assertLessEqual(len(whole["Functions"]), 50)
        for size in (7, 50):
            pages = self.client.get_paginator("list_functions").paginate(
                PaginationConfig={"PageSize": size})
            pages = [[one["FunctionName"] for one in page["Functions"]] for page in pages]
            self.assertEqual(sum(pages, []), names)
            self.assertTrue(all(len(page) <= size for page in pages))
