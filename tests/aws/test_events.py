"""How events are tried again and whom their ends are told: event invoke configs."""

import json

from case import AWS_HANDLERS, Case, needs, wait_for

ARN = "arn:aws:lambda:us-east-1:123456789012:function:"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:queue"


@needs("PutFunctionEventInvokeConfig")
class EventConfigs(Case):
    program = AWS_HANDLERS

    def get(self, name, **more):
        answer = self.client.get_function_event_invoke_config(FunctionName=name, **more)
        answer.pop("ResponseMetadata")
        return answer

    def test_put_overwrites_and_update_adds(self):
        self.deploy("config")
        self.deploy("told")
        destinations = {"OnSuccess": {"Destination": ARN + "told"}}
        put = self.client.put_function_event_invoke_config(
            FunctionName="config", MaximumRetryAttempts=1, DestinationConfig=destinations)
        self.assertEqual((put["FunctionArn"], put["MaximumRetryAttempts"]),
                         (ARN + "config:$LATEST", 1))
        self.assertEqual(put["DestinationConfig"].get("OnSuccess"), destinations["OnSuccess"])
        updated = self.client.update_function_event_invoke_config(
            FunctionName="config", MaximumEventAgeInSeconds=60)
        self.assertEqual((updated["MaximumRetryAttempts"], updated["MaximumEventAgeInSeconds"]),
                         (1, 60))
        updated.pop("ResponseMetadata")
        self.assertEqual(self.get("config"), updated)
        self.client.put_function_event_invoke_config(FunctionName="config",
                                                     MaximumEventAgeInSeconds=70)
        shown = self.get("config")
        self.assertEqual(shown["MaximumEventAgeInSeconds"], 70)
        self.assertNotEqual(shown.get("MaximumRetryAttempts"), 1)
        self.client.delete_function_event_invoke_config(FunctionName="config")
        self.refused("ResourceNotFoundException", self.client.get_function_event_invoke_config,
                     FunctionName="config")

    def test_each_qualifier_has_its_own_and_the_list_has_all(self):
        self.deploy("many")
        for number in range(1, 6):
            self.client.update_function_configuration(FunctionName="many",
                                                      Description=str(number))
            self.client.publish_version(FunctionName="many")
        self.client.create_alias(FunctionName="many", Name="live", FunctionVersion="1")
        qualifiers = ["$LATEST", "1", "2", "3", "4", "5", "live"]
        for number, qualifier in enumerate(qualifiers):
            self.client.put_function_event_invoke_config(
                FunctionName="many", Qualifier=qualifier, MaximumEventAgeInSeconds=60 + number)
        for number, qualifier in enumerate(qualifiers):
            shown = self.get("many", Qualifier=qualifier)
            self.assertEqual((shown["FunctionArn"], shown["MaximumEventAgeInSeconds"]),
                             (f"{ARN}many:{qualifier}", 60 + number))
        for size in (1, 3, 50):
            pages = self.client.get_paginator("list_function_event_invoke_configs").paginate(
                FunctionName="many", PaginationConfig={"PageSize": size})
            found = [one["FunctionArn"] for page in pages
                     for one in page["FunctionEventInvokeConfigs"]]
            self.assertEqual(sorted(found), sorted(f"{ARN}many:{one}" for one in qualifiers))

    def test_what_cannot_be_told_is_refused(self):
        self.deploy("deaf")
        for destination in (QUEUE, ARN + "nobody", ARN + "deaf", "no-arn"):
            self.refused("InvalidParameterValueException",
                         self.loose.put_function_event_invoke_config, FunctionName="deaf",
                         DestinationConfig={"OnFailure": {"Destination": destination}})

    def test_the_ends_of_events_are_told(self):
        self.deploy("listens", "shows")
        self.deploy("good")
        self.deploy("bad", "fails")
        for name in ("good", "bad"):
            self.client.put_function_event_invoke_config(
                FunctionName=name, MaximumRetryAttempts=0, DestinationConfig={
                    "OnSuccess": {"Destination": ARN + "listens"},
                    "OnFailure": {"Destination": ARN + "listens"}})
            answer = self.invoke(name, {"of": name}, InvocationType="Event")
            record = wait_for("the record", lambda found=name: self.record(found))
            context = record["requestContext"]
            self.assertEqual(record["version"], "1.0")
            self.assertEqual(record["requestPayload"], {"of": name})
            self.assertEqual(context["requestId"], answer["ResponseMetadata"]["RequestId"])
            self.assertEqual(context["functionArn"], f"{ARN}{name}:$LATEST")
            self.assertEqual(context["approximateInvokeCount"], 1)
            self.assertEqual(record["responseContext"]["statusCode"], 200)
        self.assertEqual(context["condition"], "RetriesExhausted")
        self.assertEqual(record["responseContext"]["functionError"], "Unhandled")
        self.assertEqual(record["responsePayload"]["errorType"], "Declined")
        self.assertEqual(self.record("good")["requestContext"]["condition"], "Success")
        self.assertEqual(self.record("good")["responsePayload"], {"of": "good"})

    def record(self, name):
        """What `listens` was told of that function."""
        for line in self.logs("listens").splitlines():
            text = json.loads(line).get("message", "") if line.startswith("{") else ""
            if text.startswith("GIVEN ") and f":function:{name}:" in text:
                return json.loads(text[len("GIVEN "):])
        return None
