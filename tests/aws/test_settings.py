"""What stands beside a function: concurrency, tags, policies, recursion, the account."""

import json
import threading

from case import AWS_HANDLERS, Case, needs, wait_for

ARN = "arn:aws:lambda:us-east-1:123456789012:function:"
RUNTIME_VERSION = "arn:aws:lambda:us-east-1::runtime:" + "0" * 64
SIGNING = "arn:aws:lambda:us-east-1:123456789012:code-signing-config:csc-" + "0" * 17
TOPIC = "arn:aws:sns:us-east-1:123456789012:topic"


@needs("PutFunctionConcurrency")
class Concurrency(Case):
    program = AWS_HANDLERS

    def test_a_reservation_is_kept_and_shown(self):
        self.deploy("reserved")
        got = self.client.get_function_concurrency(FunctionName="reserved")
        self.assertNotIn("ReservedConcurrentExecutions", got)
        put = self.client.put_function_concurrency(FunctionName="reserved",
                                                   ReservedConcurrentExecutions=3)
        self.assertEqual(put["ReservedConcurrentExecutions"], 3)
        got = self.client.get_function_concurrency(FunctionName="reserved")
        self.assertEqual(got["ReservedConcurrentExecutions"], 3)
        self.assertEqual(self.client.get_function(FunctionName="reserved")["Concurrency"],
                         {"ReservedConcurrentExecutions": 3})
        self.client.delete_function_concurrency(FunctionName="reserved")
        self.assertNotIn("Concurrency", self.client.get_function(FunctionName="reserved"))

    def test_a_function_at_its_reservation_is_429(self):
        self.deploy("one", "sleeps")
        self.client.put_function_concurrency(FunctionName="one", ReservedConcurrentExecutions=1)
        first = threading.Thread(target=self.invoke, args=("one", 3))
        first.start()
        wait_for("the first one", lambda: "START" in self.logs("one"))
        error = self.refused("TooManyRequestsException", self.client.invoke, FunctionName="one",
                             Payload=b"0")
        self.assertEqual(error["Reason"], "ReservedFunctionConcurrentInvocationLimitExceeded")
        first.join()
        self.assertNotIn("FunctionError", self.invoke("one", 0))

    def test_a_function_without_concurrency_never_runs(self):
        self.deploy("none")
        self.client.put_function_concurrency(FunctionName="none", ReservedConcurrentExecutions=0)
        for call in (self.client.invoke, self.client.invoke_with_response_stream):
            error = self.refused("TooManyRequestsException", call, FunctionName="none")
            self.assertEqual(error["Reason"],
                             "ReservedFunctionConcurrentInvocationLimitExceeded")
            self.assertTrue(error["retryAfterSeconds"].isdigit(), error)
        self.client.delete_function_concurrency(FunctionName="none")
        self.assertNotIn("FunctionError", self.invoke("none"))


@needs("TagResource")
class Tags(Case):
    def test_tags_come_change_and_go(self):
        self.deploy("tagged", Tags={"team": "blue", "cost": "7"})
        arn = ARN + "tagged"
        self.client.tag_resource(Resource=arn, Tags={"cost": "8", "a b/c": "x=y+z@_.:-"})
        tags = {"team": "blue", "cost": "8", "a b/c": "x=y+z@_.:-"}
        self.assertEqual(self.client.list_tags(Resource=arn)["Tags"], tags)
        self.assertEqual(self.client.get_function(FunctionName="tagged")["Tags"], tags)
        self.client.untag_resource(Resource=arn, TagKeys=["team", "a b/c", "nobody"])
        self.assertEqual(self.client.list_tags(Resource=arn)["Tags"], {"cost": "8"})
        self.client.untag_resource(Resource=arn, TagKeys=["cost"])
        self.assertEqual(self.client.list_tags(Resource=arn).get("Tags", {}), {})


@needs("AddPermission")
class Policies(Case):
    def policy(self, name, **more):
        answer = self.client.get_policy(FunctionName=name, **more)
        return json.loads(answer["Policy"]), answer["RevisionId"]

    def test_statements_come_and_go(self):
        self.deploy("shared")
        self.refused("ResourceNotFoundException", self.client.get_policy, FunctionName="shared")
        added = self.client.add_permission(
            FunctionName="shared", StatementId="sns", Action="lambda:InvokeFunction",
            Principal="sns.amazonaws.com", SourceArn=TOPIC, SourceAccount="123456789012")
        statement = json.loads(added["Statement"])
        self.assertEqual((statement["Sid"], statement["Effect"], statement["Action"],
                          statement["Principal"], statement["Resource"]),
                         ("sns", "Allow", "lambda:InvokeFunction",
                          {"Service": "sns.amazonaws.com"}, ARN + "shared"))
        self.assertIn(TOPIC, json.dumps(statement["Condition"]))
        self.refused("ResourceConflictException", self.client.add_permission,
                     FunctionName="shared", StatementId="sns", Action="lambda:InvokeFunction",
                     Principal="*")
        self.client.add_permission(FunctionName="shared", StatementId="account",
                                   Action="lambda:GetFunction", Principal="210987654321")
        policy, revision = self.policy("shared")
        self.assertEqual(policy["Version"], "2012-10-17")
        self.assertEqual([one["Sid"] for one in policy["Statement"]], ["sns", "account"])
        self.assertEqual(policy["Statement"][0], statement)
        self.client.remove_permission(FunctionName="shared", StatementId="sns",
                                      RevisionId=revision)
        self.refused("PreconditionFailedException", self.client.remove_permission,
                     FunctionName="shared", StatementId="account", RevisionId=revision)
        self.refused("PreconditionFailedException", self.client.add_permission,
                     FunctionName="shared", StatementId="x", Action="lambda:InvokeFunction",
                     Principal="*", RevisionId=revision)
        self.client.remove_permission(FunctionName="shared", StatementId="account")
        self.refused("ResourceNotFoundException", self.client.remove_permission,
                     FunctionName="shared", StatementId="account")

    def test_a_qualifier_has_a_policy_of_its_own(self):
        self.deploy("qualified")
        self.client.publish_version(FunctionName="qualified")
        self.client.create_alias(FunctionName="qualified", Name="live", FunctionVersion="1")
        for qualifier in ("1", "live"):
            self.client.add_permission(
                FunctionName="qualified", Qualifier=qualifier, StatementId="s",
                Action="lambda:InvokeFunction", Principal="*")
            policy, _ = self.policy("qualified", Qualifier=qualifier)
            self.assertEqual(policy["Statement"][0]["Resource"], f"{ARN}qualified:{qualifier}")
        self.refused("ResourceNotFoundException", self.client.get_policy,
                     FunctionName="qualified")

    def test_a_policy_has_a_size(self):
        self.deploy("long")
        for number in range(200):
            try:
                self.client.add_permission(
                    FunctionName="long", StatementId=f"s{number}", Principal="sns.amazonaws.com",
                    Action="lambda:InvokeFunction", SourceArn=TOPIC + "x" * 150)
            except self.client.exceptions.PolicyLengthExceededException as caught:
                self.assertGreater(number, 20)
                self.assertEqual(caught.response["ResponseMetadata"]["HTTPStatusCode"], 400)
                return
        self.fail("200 statements are a policy")


@needs("PutFunctionRecursionConfig", "PutRuntimeManagementConfig", "GetAccountSettings")
class Others(Case):
    def test_a_loop_is_terminated_or_allowed(self):
        self.deploy("loops")
        get = self.client.get_function_recursion_config
        self.assertEqual(get(FunctionName="loops")["RecursiveLoop"], "Terminate")
        for value in ("Allow", "Terminate"):
            put = self.client.put_function_recursion_config(FunctionName="loops",
                                                            RecursiveLoop=value)
            self.assertEqual(put["RecursiveLoop"], value)
            self.assertEqual(get(FunctionName="loops")["RecursiveLoop"], value)

    def test_runtime_management_is_of_a_version(self):
        self.deploy("managed")
        version = self.client.publish_version(FunctionName="managed")["Version"]
        get = self.client.get_runtime_management_config
        self.assertEqual(get(FunctionName="managed")["UpdateRuntimeOn"], "Auto")
        self.client.put_runtime_management_config(FunctionName="managed", Qualifier=version,
                                                  UpdateRuntimeOn="FunctionUpdate")
        self.assertEqual(get(FunctionName="managed")["UpdateRuntimeOn"], "Auto")
        got = get(FunctionName="managed", Qualifier=version)
        self.assertEqual((got["UpdateRuntimeOn"], got["FunctionArn"]),
                         ("FunctionUpdate", f"{ARN}managed:{version}"))
        self.client.put_runtime_management_config(
            FunctionName="managed", UpdateRuntimeOn="Manual", RuntimeVersionArn=RUNTIME_VERSION)
        got = get(FunctionName="managed")
        self.assertEqual((got["RuntimeVersionArn"], got["FunctionArn"]),
                         (RUNTIME_VERSION, ARN + "managed"))

    def test_tools_learn_that_there_is_no_signing_and_no_url(self):
        """Terraform asks the former about every function, and fails where it is refused."""
        self.deploy("plain")
        answer = self.client.get_function_code_signing_config(FunctionName="plain")
        self.assertNotIn("CodeSigningConfigArn", answer)
        self.deploy("signed", CodeSigningConfigArn=SIGNING)
        answer = self.client.get_function_code_signing_config(FunctionName="signed")
        self.assertEqual((answer["CodeSigningConfigArn"], answer["FunctionName"]),
                         (SIGNING, "signed"))
        urls = self.client.list_function_url_configs(FunctionName="plain")
        self.assertEqual(urls["FunctionUrlConfigs"], [])
        self.refused("ResourceNotFoundException", self.client.get_function_url_config,
                     FunctionName="plain")

    def test_the_account_counts_its_functions(self):
        before = self.client.get_account_settings()
        self.deploy("counted")
        after = self.client.get_account_settings()
        self.assertEqual(after["AccountUsage"]["FunctionCount"],
                         before["AccountUsage"]["FunctionCount"] + 1)
        self.assertGreaterEqual(after["AccountUsage"]["TotalCodeSize"],
                                before["AccountUsage"]["TotalCodeSize"])
        limit = after["AccountLimit"]
        self.assertTrue(0 < limit["UnreservedConcurrentExecutions"] <=
                        limit["ConcurrentExecutions"], limit)
        self.client.put_function_concurrency(FunctionName="counted",
                                             ReservedConcurrentExecutions=2)
        less = self.client.get_account_settings()["AccountLimit"]
        self.assertEqual(less["UnreservedConcurrentExecutions"],
                         limit["UnreservedConcurrentExecutions"] - 2)


@needs("PutProvisionedConcurrencyConfig")
class Provisioned(Case):
    program = AWS_HANDLERS

    def get(self, name, qualifier):
        answer = self.client.get_provisioned_concurrency_config(FunctionName=name,
                                                                Qualifier=qualifier)
        answer.pop("ResponseMetadata")
        return answer

    def test_environments_are_there_before_they_are_asked_for(self):
        self.deploy("warm", "nothing")
        self.client.publish_version(FunctionName="warm")
        put = self.client.put_provisioned_concurrency_config(
            FunctionName="warm", Qualifier="1", ProvisionedConcurrentExecutions=2)
        self.assertEqual((put["ResponseMetadata"]["HTTPStatusCode"],
                          put["RequestedProvisionedConcurrentExecutions"]), (202, 2))
        ready = wait_for("both", lambda: next(
            (one for one in [self.get("warm", "1")] if one["Status"] == "READY"), None))
        self.assertEqual((ready["AvailableProvisionedConcurrentExecutions"],
                          ready["AllocatedProvisionedConcurrentExecutions"]), (2, 2))
        self.invoke("warm:1")
        self.client.delete_provisioned_concurrency_config(FunctionName="warm", Qualifier="1")
        self.refused("ProvisionedConcurrencyConfigNotFoundException",
                     self.client.get_provisioned_concurrency_config, FunctionName="warm",
                     Qualifier="1")

    def test_the_list_has_each_qualifier_once(self):
        self.deploy("listed", "nothing")
        for number in range(3):
            self.client.update_function_configuration(FunctionName="listed",
                                                      Description=str(number))
            self.client.publish_version(FunctionName="listed")
        self.client.create_alias(FunctionName="listed", Name="live", FunctionVersion="3")
        for qualifier in ("1", "2", "live"):
            self.client.put_provisioned_concurrency_config(
                FunctionName="listed", Qualifier=qualifier, ProvisionedConcurrentExecutions=1)
        for size in (1, 2, 50):
            pages = self.client.get_paginator("list_provisioned_concurrency_configs").paginate(
                FunctionName="listed", PaginationConfig={"PageSize": size})
            found = [one["FunctionArn"] for page in pages
                     for one in page["ProvisionedConcurrencyConfigs"]]
            self.assertEqual(sorted(found),
                             [f"{ARN}listed:{one}" for one in ("1", "2", "live")])
        self.refused("InvalidParameterValueException",
                     self.client.put_provisioned_concurrency_config, FunctionName="listed",
                     Qualifier="1", ProvisionedConcurrentExecutions=100000)
