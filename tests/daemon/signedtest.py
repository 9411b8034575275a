"""Access keys and AWS's own client (boto3) over TCP, against the whole daemon.

    signedtest.py BUILD

Without boto3 in this python3 it is skipped (77), and says so.
"""

import datetime
import json
import os
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness")]

from api import quote  # noqa: E402
from archive import zip_files  # noqa: E402
from daemon import Daemon  # noqa: E402

try:
    import boto3
    import botocore.auth
    import botocore.awsrequest
    from botocore.config import Config
    from botocore.credentials import Credentials
    from botocore.exceptions import ClientError
    from boto_model import give_model
    give_model()
except ImportError:
    print("SKIPPED: no boto3 in this python3, so AWS's own client has not been tried")
    sys.exit(77)

BUILD = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "build"
PAWL = os.path.join(BUILD, "invoke", "pawl")
HANDLERS = os.path.join(BUILD, "tests", "conformance", "conformance_handlers")
REGION = "us-east-1"
ROLE = "arn:aws:iam::123456789012:role/test"
DURABLE = {"ExecutionTimeout": 3600, "RetentionPeriodInDays": 1}
FUNCTIONS = "/2015-03-31/functions"


class Signed(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="pawl-test-")
        self.daemon = Daemon(BUILD, os.path.join(self.scratch.name, "data"),
                             ["--listen", "127.0.0.1:0"])
        self.start()
        self.key = self.pawl("keys", "create", "--description", "test")

    def tearDown(self):
        try:
            self.daemon.end()
        finally:
            self.scratch.cleanup()

    def start(self):
        self.daemon.run()
        words = dict(word.split("=", 1) for word in self.daemon.ready_line.split() if "=" in word)
        self.url = "http://" + words["listen"]

    def pawl(self, *words, code=0):
        done = subprocess.run([PAWL, "--socket", self.daemon.socket, "--output", "json", *words],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return json.loads(done.stdout) if done.stdout else None

    def client(self, key_id=None, secret=None, region=REGION, token=None):
        return boto3.client(
            "lambda", endpoint_url=self.url, region_name=region,
            aws_access_key_id=key_id or self.key["AccessKeyId"],
            aws_secret_access_key=secret or self.key["SecretAccessKey"], aws_session_token=token,
            config=Config(retries={"max_attempts": 0}))

    def refused(self, client, status=403, name="InvalidSignatureException", words=""):
        with self.assertRaises(ClientError) as caught:
            client.list_functions()
        answer = caught.exception.response
        self.assertEqual((answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]),
                         (status, name))
        self.assertIn(words, answer["Error"]["Message"])
        return answer["Error"]["Message"]

    def deploy(self, client, name, handler, **more):
        client.create_function(FunctionName=name, Role=ROLE, Runtime="provided.al2023",
                               Handler=handler, Timeout=60,
                               Code={"ZipFile": zip_files({"bootstrap": HANDLERS})}, **more)

    def send(self, method, path, body=b"", signed=True):
        """One request without a client around it: status and JSON."""
        request = botocore.awsrequest.AWSRequest(method, self.url + path, data=body)
        if signed:
            keys = Credentials(self.key["AccessKeyId"], self.key["SecretAccessKey"])
            botocore.auth.SigV4Auth(keys, "lambda", REGION).add_auth(request)
        raw = urllib.request.Request(self.url + path, data=body or None, method=method,
                                     headers=dict(request.headers.items()))
        try:
            with urllib.request.urlopen(raw, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    # --- keys ------------------------------------------------------------------------

    def test_a_good_key_is_admitted(self):
        self.assertEqual(self.client().list_functions()["Functions"], [])

    def test_wrong_unknown_and_disabled_keys_are_one_refusal(self):
        wrong = self.refused(self.client(secret="x" * 40))
        self.assertEqual(self.refused(self.client(key_id="AKIAAAAAAAAAAAAAAAAA")), wrong)
        self.pawl("keys", "disable", self.key["AccessKeyId"])
        self.assertEqual(self.refused(self.client()), wrong)
        self.pawl("keys", "enable", self.key["AccessKeyId"])
        self.client().list_functions()
        self.pawl("keys", "delete", self.key["AccessKeyId"])
        self.assertEqual(self.refused(self.client()), wrong)
        self.pawl("keys", "delete", self.key["AccessKeyId"], code=3)

    def test_keys_and_their_state_outlive_kill_9(self):
        off = self.pawl("keys", "create")
        self.pawl("keys", "disable", off["AccessKeyId"])
        self.daemon.kill()
        self.start()
        self.client().list_functions()
        self.refused(self.client(off["AccessKeyId"], off["SecretAccessKey"]))
        listed = self.pawl("keys", "list")["Keys"]
        self.assertEqual([(key["AccessKeyId"], key["Status"]) for key in listed],
                         [(self.key["AccessKeyId"], "Active"), (off["AccessKeyId"], "Inactive")])
        self.assertNotIn("SecretAccessKey", json.dumps(listed))

    def test_no_file_has_a_secret(self):
        self.daemon.end()
        for root, _, files in os.walk(self.daemon.data):
            for name in files:
                with open(os.path.join(root, name), "rb") as file:
                    self.assertNotIn(self.key["SecretAccessKey"].encode(), file.read(), name)
        self.start()

    def test_a_key_does_not_make_an_operator(self):
        for method, path in (("POST", "/pawl/v1/keys"), ("GET", "/pawl/v1/keys"),
                             ("POST", "/pawl/v1/backup"), ("POST", "/pawl/v1/verify")):
            status, answer = self.send(method, path)
            self.assertEqual(status, 403)
            self.assertIn("is for the operator", answer["message"])

    # --- what is wrong is named ---------------------------------------------------------

    @unittest.skipUnless(hasattr(botocore.auth, "get_current_datetime"), "an older botocore")
    def test_other_mistakes_say_what_they_are(self):
        self.refused(self.client(region="eu-west-1"), words="it is us-east-1 here")
        self.refused(self.client(token="t"), name="UnrecognizedClientException",
                     words="unset AWS_SESSION_TOKEN")
        late = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=6)
        with mock.patch("botocore.auth.get_current_datetime", lambda: late):
            self.refused(self.client(), words="Signature expired")
        status, answer = self.send("GET", FUNCTIONS, signed=False)
        self.assertEqual((status, answer["message"]), (403, "Missing Authentication Token"))

    def test_a_foreign_account_is_as_absent_as_an_absent_function(self):
        client = self.client()
        self.deploy(client, "f", "1-1")
        bodies = set()
        for name in ("arn:aws:lambda:us-east-1:999999999999:function:f",
                     "999999999999:function:f"):
            status, answer = self.send("GET", f"{FUNCTIONS}/{quote(name)}")
            self.assertEqual(status, 404)
            bodies.add(json.dumps(answer))
        client.delete_function(FunctionName="f")
        status, answer = self.send("GET", f"{FUNCTIONS}/f")
        self.assertEqual(status, 404)
        bodies.add(json.dumps(answer))
        self.assertEqual(len(bodies), 1, bodies)

    # --- real work ----------------------------------------------------------------------

    def test_functions_are_deployed_and_invoked(self):
        client = self.client()
        self.deploy(client, "greet", "1-1", DurableConfig=DURABLE)
        answer = client.invoke(FunctionName="greet:$LATEST", Payload=b'"World"',
                               DurableExecutionName="once")
        first = answer["Payload"].read()
        arn = answer["DurableExecutionArn"]
        self.assertEqual(client.get_durable_execution(DurableExecutionArn=arn)["Status"],
                         "SUCCEEDED")
        events = client.get_durable_execution_history(DurableExecutionArn=arn, MaxItems=100,
                                                      IncludeExecutionData=True)["Events"]
        self.assertEqual(events[-1]["EventType"], "ExecutionSucceeded")
        listed = client.list_durable_executions_by_function(
            FunctionName="greet", Statuses=["SUCCEEDED", "FAILED"])["DurableExecutions"]
        self.assertEqual([one["DurableExecutionArn"] for one in listed], [arn])
        again = client.invoke(FunctionName="greet:$LATEST", Payload=b'"World"',
                              DurableExecutionName="once")
        self.assertEqual(again["Payload"].read(), first)

    def test_a_large_archive_is_deployed_and_a_changed_one_is_not(self):
        path = os.path.join(self.scratch.name, "random")
        with open(path, "wb") as file:
            file.write(os.urandom(1 << 20))
        archive = zip_files({"bootstrap": HANDLERS, "random": path})
        client = self.client()
        client.create_function(FunctionName="large", Role=ROLE, Runtime="provided.al2023",
                               Handler="1-1", Timeout=60, Code={"ZipFile": archive})
        self.assertEqual(client.get_function(FunctionName="large")["Configuration"]["CodeSize"],
                         len(archive))

        def spoil(request, **_):
            at = len(request.body) // 2
            other = b"B" if request.body[at:at + 1] == b"A" else b"A"
            request.body = request.body[:at] + other + request.body[at + 1:]

        client.meta.events.register("before-send", spoil)
        with self.assertRaises(ClientError) as caught:
            client.update_function_code(FunctionName="large", ZipFile=archive)
        self.assertEqual(caught.exception.response["Error"]["Code"], "InvalidSignatureException")

    def test_equal_invokes_in_one_second_are_all_done(self):
        client = self.client()
        self.deploy(client, "greet", "1-1", DurableConfig=DURABLE)
        arns = {client.invoke(FunctionName="greet:$LATEST", Payload=b'"World"')
                ["DurableExecutionArn"] for _ in range(20)}
        self.assertEqual(len(arns), 20)

    def test_a_presigned_read_is_as_good_as_a_signed_one(self):
        url = self.client().generate_presigned_url("list_functions", Params={"MaxItems": 3})
        for _ in range(2):
            with urllib.request.urlopen(url, timeout=60) as answer:
                self.assertEqual(json.loads(answer.read())["Functions"], [])
        for changed in (url.replace("MaxItems=3", "MaxItems=4"), url.replace("3600", "3601"),
                        url + "0"):
            with self.assertRaises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(changed, timeout=60)
            self.assertIn(caught.exception.code, (400, 403))

    def test_a_copy_of_a_change_is_refused_later(self):
        request = botocore.awsrequest.AWSRequest("DELETE", self.url + FUNCTIONS + "/f")
        request.headers["amz-sdk-invocation-id"] = "of-this-call"
        keys = Credentials(self.key["AccessKeyId"], self.key["SecretAccessKey"])
        botocore.auth.SigV4Auth(keys, "lambda", REGION).add_auth(request)
        codes = []
        for _ in range(2):
            raw = urllib.request.Request(request.url, method="DELETE",
                                         headers=dict(request.headers.items()))
            with self.assertRaises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(raw, timeout=60)
            codes.append(caught.exception.code)
        self.assertEqual(codes, [404, 403])


if __name__ == "__main__":
    unittest.main(verbosity=2)
