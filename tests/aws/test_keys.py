"""Who may: signed requests, and every way in which a signature is not one."""

import http.client

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import clients
from case import WAIT_S, Case


class Keys(Case):
    """The names are AWS's. An unknown key and a wrong signature have one: nobody learns so
    which keys there are."""

    def list_functions(self, keys=None, region=clients.REGION):
        client = clients.make_client(self.relay.url, keys or self.keys, region)
        return lambda: client.list_functions()

    def test_a_key_is_admitted_until_it_is_disabled_or_deleted(self):
        keys = self.make_keys()
        call = self.list_functions(keys)
        call()
        self.run_pawl("keys", "disable", keys.access_key)
        self.refused("InvalidSignatureException", call)
        self.run_pawl("keys", "enable", keys.access_key)
        call()
        self.run_pawl("keys", "delete", keys.access_key)
        self.refused("InvalidSignatureException", call)

    def test_what_is_not_signed_well_is_refused(self):
        good = self.keys
        for name, keys, region in (
                ("InvalidSignatureException",
                 clients.Keys("AKIAIOSFODNN7EXAMPLE", good.secret), clients.REGION),
                ("InvalidSignatureException",
                 clients.Keys(good.access_key, good.secret[::-1]), clients.REGION),
                ("UnrecognizedClientException",
                 clients.Keys(good.access_key, good.secret, "a-session"), clients.REGION),
                ("InvalidSignatureException", good, "eu-west-1")):
            with self.subTest(name=name, region=region):
                error = self.refused(name, self.list_functions(keys, region))
                self.assertEqual(error["ResponseMetadata"]["HTTPStatusCode"], 403)

    def direct(self, method, path, headers):
        """(status, error type) of a request that is no operation of Lambda's, or nobody's."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port(), timeout=WAIT_S)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status, answer.headers["x-amzn-errortype"]

    def sign(self, method, path):
        request = AWSRequest(method, f"http://127.0.0.1:{self.port()}{path}")
        SigV4Auth(Credentials(self.keys.access_key, self.keys.secret), "lambda",
                  clients.REGION).add_auth(request)
        return dict(request.headers)

    def test_nobody_is_not_somebody(self):
        self.assertEqual(self.direct("GET", "/2015-03-31/functions", {}),
                         (403, "MissingAuthenticationTokenException"))

    def test_a_key_is_not_the_operator(self):
        for method, path in (("POST", "/pawl/v1/keys"), ("POST", "/pawl/v1/backup")):
            self.assertEqual(self.direct(method, path, self.sign(method, path)),
                             (403, "AccessDeniedException"))

    def test_equal_calls_of_one_second_are_not_a_repetition(self):
        """boto3 signs neither the id of a call nor its number: their bytes are the same."""
        self.deploy("often")
        for _ in range(20):
            self.client.put_function_concurrency(FunctionName="often",
                                                 ReservedConcurrentExecutions=1)
