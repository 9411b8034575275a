"""Every error that the model documents for an operation: provoked here, or listed with the
reason why it cannot be met."""

import re

from botocore import xform_name
from botocore.exceptions import ClientError

from archive import zip_texts
from case import AWS_HANDLERS, CHECKER, DURABLE, OFFERED, Case

INVALID = "InvalidParameterValueException"
ABSENT = "ResourceNotFoundException"
CONFLICT = "ResourceConflictException"
STALE = "PreconditionFailedException"
CONTENT = "InvalidRequestContentException"
LOOP = "RecursiveInvocationException"
BUSY = "TooManyRequestsException"
CLOSED = "CallbackTimeoutException"

ARN = "arn:aws:lambda:us-east-1:123456789012:"
EXECUTION = ARN + "function:f:$LATEST/durable-execution/n/01a20936-3345-7018-9e00-caf431bf9b0d"
REVISION = "01a20936-3345-7018-9e00-caf431bf9b0d"
PERMISSION = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "*"}
TOKEN = {"DurableExecutionArn": EXECUTION, "CheckpointToken": "Zm9v"}
CALLBACK = {"CallbackId": "Zm9v"}

# What each operation needs besides FunctionName, so that it could succeed.
WELL = {
    "AddPermission": PERMISSION,
    "CreateAlias": {"Name": "a", "FunctionVersion": "$LATEST"},
    "DeleteAlias": {"Name": "a"},
    "GetAlias": {"Name": "a"},
    "UpdateAlias": {"Name": "a"},
    "DeleteProvisionedConcurrencyConfig": {"Qualifier": "1"},
    "GetProvisionedConcurrencyConfig": {"Qualifier": "1"},
    "PutProvisionedConcurrencyConfig": {"Qualifier": "1", "ProvisionedConcurrentExecutions": 1},
    "PutFunctionConcurrency": {"ReservedConcurrentExecutions": 1},
    "PutFunctionEventInvokeConfig": {"MaximumRetryAttempts": 1},
    "UpdateFunctionEventInvokeConfig": {"MaximumRetryAttempts": 1},
    "PutFunctionRecursionConfig": {"RecursiveLoop": "Allow"},
    "PutRuntimeManagementConfig": {"UpdateRuntimeOn": "Auto"},
    "RemovePermission": {"StatementId": "s"},
    "InvokeAsync": {"InvokeArgs": b"{}"},
    "UpdateFunctionCode": {"ZipFile": b"PK"},
}
# About a function by its name, and so refused when there is none.
BY_NAME = sorted(set(WELL) | {
    "DeleteFunction", "DeleteFunctionConcurrency", "DeleteFunctionEventInvokeConfig",
    "GetFunction", "GetFunctionCodeSigningConfig", "GetFunctionConcurrency",
    "GetFunctionConfiguration", "GetFunctionUrlConfig", "ListFunctionUrlConfigs",
    "GetFunctionEventInvokeConfig", "GetFunctionRecursionConfig", "GetPolicy",
    "GetRuntimeManagementConfig", "Invoke", "InvokeWithResponseStream", "ListAliases",
    "ListDurableExecutionsByFunction", "ListFunctionEventInvokeConfigs",
    "ListProvisionedConcurrencyConfigs", "ListVersionsByFunction", "PublishVersion",
    "UpdateFunctionConfiguration"})

FUNCTION = {"FunctionName": "f"}
NOT_A_VERSION = {"Name": "b", "FunctionVersion": "99"}
LAYER = {"LayerName": "l"}
LAYER_VERSION = {"LayerName": "l", "VersionNumber": 1}
LAYER_PERMISSION = {"StatementId": "s", "Principal": "*", "Action": "lambda:GetLayerVersion"}
OF_HERE = {"LayerName": "here", "VersionNumber": 1}  # which is there

# (operation, error, arguments). The functions `f` and `d` (durable) are there.
ROWS = [
    ("CreateFunction", INVALID, {"FunctionName": "n", "Timeout": 0}),
    ("CreateFunction", INVALID, {"FunctionName": "n", "Timeout": 5401}),
    ("CreateFunction", INVALID, {"FunctionName": "n", "MemorySize": 127}),
    ("CreateFunction", INVALID, {"FunctionName": "n", "EphemeralStorage": {"Size": 511}}),
    ("CreateFunction", INVALID, {"FunctionName": "a b"}),
    ("CreateFunction", INVALID, {"FunctionName": "n", "Code": {"ZipFile": b"no zip"}}),
    ("CreateFunction", INVALID, {"FunctionName": "n", "Code": {}}),
    ("CreateFunction", INVALID, {"FunctionName": "n", "PackageType": "Jar"}),
    ("CreateFunction", INVALID, {"FunctionName": "n", "Architectures": ["mips"]}),
    ("CreateFunction", INVALID, {"FunctionName": "n", "Environment": {"Variables": {
        "AWS_REGION": "x"}}}),
    ("CreateFunction", INVALID, {"FunctionName": "n", "Environment": {"Variables": {
        "BIG": "x" * 4096}}}),
    ("CreateFunction", INVALID, {"FunctionName": "n", "DurableConfig": {
        "ExecutionTimeout": 31622401}}),
    ("CreateFunction", INVALID, {"FunctionName": "n", "DurableConfig": {
        "RetentionPeriodInDays": 91}}),
    ("CreateFunction", CONFLICT, {"FunctionName": "f"}),
    ("UpdateFunctionConfiguration", INVALID, {"FunctionName": "f", "Timeout": 0}),
    ("UpdateFunctionConfiguration", INVALID, {"FunctionName": "f", "Handler": "x" * 129}),
    ("UpdateFunctionConfiguration", INVALID, {"FunctionName": "f", "DurableConfig": {
        "ExecutionTimeout": 5}}),
    ("UpdateFunctionConfiguration", STALE, {"FunctionName": "f", "RevisionId": REVISION}),
    ("UpdateFunctionCode", INVALID, {"FunctionName": "f", "ZipFile": b"no zip"}),
    ("UpdateFunctionCode", STALE, {"FunctionName": "f", "ZipFile": b"PK",
                                   "RevisionId": REVISION}),
    ("GetFunction", INVALID, {"FunctionName": "f:$LATEST", "Qualifier": "1"}),
    ("GetFunction", ABSENT, {"FunctionName": "f", "Qualifier": "nobody"}),
    ("GetFunctionConfiguration", ABSENT, {"FunctionName": "f:99"}),
    ("ListFunctions", INVALID, {"Marker": "not one/of ours"}),
    ("ListFunctions", INVALID, {"MaxItems": 10001}),
    ("ListFunctions", INVALID, {"FunctionVersion": "SOME"}),

    ("Invoke", CONTENT, {"FunctionName": "f", "Payload": b"{"}),
    ("Invoke", INVALID, {"FunctionName": "f:$LATEST", "Qualifier": "1"}),
    ("InvokeAsync", CONTENT, {"FunctionName": "f", "InvokeArgs": b"{"}),
    ("InvokeWithResponseStream", CONTENT, {"FunctionName": "f", "Payload": b"{"}),
    ("InvokeWithResponseStream", INVALID, {"FunctionName": "f", "InvocationType": "Event"}),
    ("InvokeWithResponseStream", INVALID, {"FunctionName": "f", "LogType": "All"}),

    ("CheckpointDurableExecution", INVALID, TOKEN),
    ("CheckpointDurableExecution", INVALID, dict(TOKEN, CheckpointToken="!")),
    ("CheckpointDurableExecution", INVALID, dict(TOKEN, Updates=[{"Id": "1"}])),
    ("GetDurableExecutionState", INVALID, TOKEN),
    ("GetDurableExecutionState", INVALID, dict(TOKEN, MaxItems=1001)),
    ("GetDurableExecution", ABSENT, {"DurableExecutionArn": EXECUTION}),
    ("GetDurableExecution", INVALID, {"DurableExecutionArn": "no-arn"}),
    ("GetDurableExecution", INVALID, {"DurableExecutionArn": "x" * 1025}),
    ("GetDurableExecutionHistory", ABSENT, {"DurableExecutionArn": EXECUTION}),
    ("GetDurableExecutionHistory", INVALID, {"DurableExecutionArn": "no-arn"}),
    ("GetDurableExecutionHistory", INVALID, {"DurableExecutionArn": EXECUTION,
                                             "MaxItems": 1001}),
    ("StopDurableExecution", ABSENT, {"DurableExecutionArn": EXECUTION}),
    ("StopDurableExecution", INVALID, {"DurableExecutionArn": "no-arn"}),
    ("StopDurableExecution", INVALID, {"DurableExecutionArn": EXECUTION, "Error": {
        "ErrorMessage": "x" * 32769}}),
    ("ListDurableExecutionsByFunction", INVALID, {"FunctionName": "d", "Statuses": ["PAUSED"]}),
    ("ListDurableExecutionsByFunction", INVALID, {"FunctionName": "d",
                                                  "DurableExecutionName": "a b"}),
    ("ListDurableExecutionsByFunction", INVALID, {"FunctionName": "d", "MaxItems": 1001}),
    ("ListDurableExecutionsByFunction", INVALID, {"FunctionName": "d", "Marker": "nonsense"}),
    ("SendDurableExecutionCallbackSuccess", ABSENT, CALLBACK),
    ("SendDurableExecutionCallbackFailure", ABSENT, CALLBACK),
    ("SendDurableExecutionCallbackHeartbeat", ABSENT, CALLBACK),
    ("SendDurableExecutionCallbackSuccess", INVALID, {"CallbackId": "no base64"}),
    ("SendDurableExecutionCallbackFailure", INVALID, {"CallbackId": "no base64"}),
    ("SendDurableExecutionCallbackHeartbeat", INVALID, {"CallbackId": "no base64"}),

    ("PublishVersion", STALE, {"FunctionName": "f", "RevisionId": REVISION}),
    ("PublishVersion", INVALID, {"FunctionName": "f", "CodeSha256": "AAAA"}),
    ("CreateAlias", INVALID, {"FunctionName": "f", "Name": "7", "FunctionVersion": "$LATEST"}),
    ("CreateAlias", ABSENT, dict(FUNCTION, **NOT_A_VERSION)),
    ("CreateAlias", INVALID, dict(FUNCTION, Name="b", FunctionVersion="$LATEST",
                                  RoutingConfig={"AdditionalVersionWeights": {"1": 2.0}})),
    ("CreateAlias", CONFLICT, {"FunctionName": "f", "Name": "taken",
                               "FunctionVersion": "$LATEST"}),
    ("UpdateAlias", STALE, {"FunctionName": "f", "Name": "taken", "RevisionId": REVISION}),
    ("DeleteFunction", CONFLICT, {"FunctionName": "f", "Qualifier": "1"}),
    ("DeleteFunction", INVALID, {"FunctionName": "f", "Qualifier": "taken"}),
    ("UpdateFunctionCode", INVALID, {"FunctionName": "f:1", "ZipFile": b"PK"}),
    ("GetAlias", ABSENT, {"FunctionName": "f", "Name": "nobody"}),
    ("UpdateAlias", ABSENT, {"FunctionName": "f", "Name": "nobody"}),
    ("ListAliases", INVALID, {"FunctionName": "f", "MaxItems": 10001}),
    ("ListVersionsByFunction", INVALID, {"FunctionName": "f", "MaxItems": 10001}),

    ("PutFunctionConcurrency", INVALID, dict(FUNCTION, ReservedConcurrentExecutions=-1)),
    ("PutFunctionEventInvokeConfig", INVALID, dict(FUNCTION, MaximumRetryAttempts=3)),
    ("PutFunctionEventInvokeConfig", INVALID, dict(FUNCTION, MaximumEventAgeInSeconds=59)),
    ("UpdateFunctionEventInvokeConfig", ABSENT, dict(FUNCTION, MaximumRetryAttempts=1)),
    ("GetFunctionEventInvokeConfig", ABSENT, FUNCTION),
    ("DeleteFunctionEventInvokeConfig", ABSENT, FUNCTION),
    ("PutFunctionRecursionConfig", INVALID, dict(FUNCTION, RecursiveLoop="Maybe")),
    ("PutRuntimeManagementConfig", INVALID, dict(FUNCTION, UpdateRuntimeOn="Never")),
    ("PutRuntimeManagementConfig", INVALID, dict(FUNCTION, UpdateRuntimeOn="Manual")),
    ("GetFunctionUrlConfig", ABSENT, FUNCTION),
    ("ListFunctionUrlConfigs", INVALID, dict(FUNCTION, MaxItems=10001)),
    ("GetPolicy", ABSENT, FUNCTION),
    ("RemovePermission", ABSENT, dict(FUNCTION, StatementId="s")),
    ("AddPermission", INVALID, dict(FUNCTION, StatementId="a b", Action="lambda:*",
                                    Principal="*")),
    ("TagResource", ABSENT, {"Resource": ARN + "function:nobody", "Tags": {"a": "b"}}),
    ("TagResource", INVALID, {"Resource": "no-arn", "Tags": {"a": "b"}}),
    ("UntagResource", ABSENT, {"Resource": ARN + "function:nobody", "TagKeys": ["a"]}),
    ("UntagResource", INVALID, {"Resource": "no-arn", "TagKeys": ["a"]}),
    ("ListTags", ABSENT, {"Resource": ARN + "function:nobody"}),
    ("ListTags", INVALID, {"Resource": "no-arn"}),
    ("GetProvisionedConcurrencyConfig", INVALID, dict(FUNCTION, Qualifier="$LATEST")),
    ("PutProvisionedConcurrencyConfig", INVALID, dict(FUNCTION, Qualifier="$LATEST",
                                                      ProvisionedConcurrentExecutions=1)),
    ("PublishLayerVersion", INVALID, dict(LAYER, Content={"ZipFile": b"no zip"})),
    ("PublishLayerVersion", INVALID, dict(LAYER, Content={"S3Bucket": "b", "S3Key": "k"})),
    ("PublishLayerVersion", INVALID, dict(LAYER, Content={})),
    ("PublishLayerVersion", ABSENT, {"LayerName": "arn:aws:lambda:us-east-1:999999999999:layer:l",
                                     "Content": {"ZipFile": b"no zip"}}),
    ("CreateFunction", INVALID, {"FunctionName": "n", "Layers": [ARN + "layer:nowhere:1"]}),
    ("CreateFunction", INVALID, {"FunctionName": "n", "Layers": [
        "arn:aws:lambda:us-east-1:999999999999:layer:here:1"]}),
    ("CreateFunction", INVALID, {"FunctionName": "n", "Layers": [ARN + "layer:here"]}),
    ("UpdateFunctionConfiguration", INVALID, {"FunctionName": "f", "Layers": [
        ARN + "layer:here:1", ARN + "layer:here:1"]}),
    ("UpdateFunctionConfiguration", INVALID, {"FunctionName": "f", "Layers": [
        f"{ARN}layer:l{number}:1" for number in range(6)]}),
    ("ListLayers", INVALID, {"MaxItems": 51}),
    ("ListLayers", INVALID, {"CompatibleArchitecture": "mips"}),
    ("ListLayerVersions", INVALID, dict(LAYER, Marker="none of ours")),
    ("GetLayerVersion", INVALID, {"LayerName": "a b", "VersionNumber": 1}),
    ("GetLayerVersionPolicy", INVALID, {"LayerName": "a b", "VersionNumber": 1}),
    ("GetLayerVersionPolicy", ABSENT, OF_HERE),
    ("AddLayerVersionPermission", INVALID, dict(OF_HERE, **dict(LAYER_PERMISSION,
                                                                Action="lambda:Invoke"))),
    ("AddLayerVersionPermission", CONFLICT, dict(OF_HERE, VersionNumber=2, **LAYER_PERMISSION)),
    ("AddLayerVersionPermission", STALE, dict(OF_HERE, RevisionId=REVISION, **LAYER_PERMISSION)),
    ("RemoveLayerVersionPermission", INVALID, dict(OF_HERE, StatementId="a b")),
    ("RemoveLayerVersionPermission", STALE, dict(OF_HERE, VersionNumber=2, StatementId="s",
                                                 RevisionId=REVISION)),
    ("ListLayerVersions", INVALID, {"LayerName": "a b"}),
    ("GetLayerVersion", ABSENT, LAYER_VERSION),
    ("GetLayerVersionByArn", ABSENT, {"Arn": ARN + "layer:l:1"}),
    ("GetLayerVersionByArn", INVALID, {"Arn": "no-arn"}),
    ("GetLayerVersionPolicy", ABSENT, LAYER_VERSION),
    ("AddLayerVersionPermission", ABSENT, dict(LAYER_VERSION, **LAYER_PERMISSION)),
    ("RemoveLayerVersionPermission", ABSENT, dict(LAYER_VERSION, StatementId="s")),
]
ROWS += [(name, ABSENT, dict(WELL.get(name, {}), FunctionName="nobody")) for name in BY_NAME
         if name != "DeleteAlias"]
ROWS += [(name, INVALID, dict(WELL.get(name, {}), FunctionName="a b")) for name in BY_NAME]

# (operation, error): the test that meets it, elsewhere in this directory.
ELSEWHERE = {
    ("Invoke", "DurableExecutionAlreadyStartedException"): "test_a_durable_function_is_waited_for",
    ("Invoke", "RequestTooLargeException"): "test_what_is_too_large_is_refused",
    ("InvokeWithResponseStream", "RequestTooLargeException"): "test_what_is_too_large_is_refused",
    ("Invoke", LOOP): "test_a_loop_of_a_functions_own_calls_is_ended",
    ("InvokeWithResponseStream", LOOP): "test_a_loop_of_a_functions_own_calls_is_ended",
    ("InvokeWithResponseStream", BUSY): "test_a_function_without_concurrency_never_runs",
    ("Invoke", BUSY): "test_a_full_house_is_429",
    ("GetProvisionedConcurrencyConfig", "ProvisionedConcurrencyConfigNotFoundException"):
        "test_environments_are_there_before_they_are_asked_for",
    ("AddPermission", "PolicyLengthExceededException"): "test_a_policy_has_a_size",
    ("AddLayerVersionPermission", "PolicyLengthExceededException"):
        "test_a_policy_of_a_layer_has_a_size",
    ("AddPermission", STALE): "test_statements_come_and_go",
    ("RemovePermission", STALE): "test_statements_come_and_go",
    ("SendDurableExecutionCallbackSuccess", CLOSED): "test_a_callback_is_answered_once",
    ("SendDurableExecutionCallbackFailure", CLOSED): "test_a_callback_is_answered_once",
    ("SendDurableExecutionCallbackHeartbeat", CLOSED): "test_a_callback_is_answered_once",
}

# What no request can bring about, by the error's name or "operation error".
NEVER = [
    (r"\b(EC2|ENI|EFS|S3Files|KMS|Subnet|InvalidSubnet|InvalidSecurityGroup)",
     "there are no networks, file systems or foreign keys to fail"),
    (r"\bSnapStart", "SnapStart is kept and shown, and without effect"),
    (r"\b(Code(Signing|Verification)|InvalidCodeSignature)", "code is not signed"),
    (r"\b(CapacityProvider|FunctionVersionsPerCapacity)", "no capacity providers"),
    (r"\bServiceException", "a fault of the daemon or its disk: tests/faults, tests/daemon"),
    (r"\bCodeStorageExceeded", "code is limited by the journal's map: tests/faults/full.py"),
    (r"\bInvalid(Runtime|ZipFile)Exception", "refused when the function is made or changed"),
    (r"\bResourceNotReady", "a function is Active as soon as it is made"),
    (r"^Invoke\w* ResourceConflict", "an SDK gives each call an invocation id of its own"),
    (r"\bUnsupportedMediaType", "the payload is looked at, not its content type"),
    (r"\bSerializedRequestEntityTooLarge", "RequestTooLargeException says it"),
    (r"\bNoPublishedVersion", "there are no functions that need one"),
    (r"^(?!Invoke).* TooManyRequests", "the control plane is not throttled; a full journal is "
                                       "(tests/faults/full.py)"),
    (r"^(Create|Update|Delete|Put|Publish|Add|Tag|Untag)\w* ResourceConflict",
     "a change is refused only while another one of that function is being made durable"),
    (r"^CreateFunction ResourceNotFound", "of a layer that is not there the parameter is wrong"),
    (r"^ListLayerVersions ResourceNotFound", "a layer that is not there has no versions"),
]


class Errors(Case):
    program = AWS_HANDLERS

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        case = cls()
        case.deploy("f")
        case.deploy("d", DurableConfig=DURABLE)
        case.client.publish_version(FunctionName="f")
        case.client.create_alias(FunctionName="f", Name="taken", FunctionVersion="1")
        for _ in range(2):
            case.client.publish_layer_version(LayerName="here", Content={
                "ZipFile": zip_texts({"x": "x"})})
        case.client.add_layer_version_permission(LayerName="here", VersionNumber=2,
                                                 **LAYER_PERMISSION)

    def call(self, operation, arguments):
        if operation == "CreateFunction":
            arguments = self.settings(arguments["FunctionName"]) | arguments
        return getattr(self.loose, xform_name(operation))(**arguments)

    def error_of(self, operation, arguments):
        """(code, message); ("", "") of a success."""
        try:
            self.call(operation, arguments)
        except ClientError as caught:
            return (caught.response["Error"]["Code"], caught.response["Error"]["Message"])
        return ("", "")

    def test_each_row_is_refused_as_it_says(self):
        for operation, name, arguments in ROWS:
            if operation in OFFERED:
                with self.subTest(operation=operation, arguments=str(arguments)[:150]):
                    code, message = self.error_of(operation, arguments)
                    self.assertEqual(code, name, message)
                    self.assertTrue(message)

    def test_every_documented_error_has_a_row_or_a_reason(self):
        rows = {(operation, name) for operation, name, _ in ROWS}
        left = []
        for operation in sorted(OFFERED):
            for name in sorted(CHECKER.model.documented_errors(operation)):
                pair = (operation, name)
                if pair not in rows and pair not in ELSEWHERE and not any(
                        re.search(pattern, f"{operation} {name}") for pattern, _ in NEVER):
                    left.append(f"{operation}: {name}")
        self.assertEqual(left, [])

    def test_a_body_that_is_no_json_is_refused(self):
        """No client sends one; whoever writes his own will."""
        self.unix_relay.take()
        for method, path in (("POST", "/2015-03-31/functions"),
                             ("PUT", "/2015-03-31/functions/f/configuration"),
                             ("PUT", "/2015-03-31/functions/f/code"),
                             ("POST", f"/2025-12-01/durable-executions/{self.quoted(EXECUTION)}"
                                      "/checkpoint")):
            for body in ("{", "[]", '{"a":1,"a":2}', "\0"):
                self.raw(method, path, body)
        wrong = [one for one in self.unix_relay.take()
                 if (one.status, one.headers.get("x-amzn-errortype")) != (400, CONTENT)]
        self.assertEqual([str(one) for one in wrong], [])


class Full(Case):
    config = "[limits]\nexecutions_max = 2\n"

    def test_a_full_house_is_429(self):
        function = self.deploy_durable("asks", "4-1")
        arns = [self.start(function, number) for number in range(2)]
        error = self.refused(BUSY, self.client.invoke, FunctionName=function,
                             InvocationType="Event", Payload=b"3")
        self.assertTrue(error["retryAfterSeconds"].isdigit(), error)
        for arn in arns:
            self.client.stop_durable_execution(DurableExecutionArn=arn)
