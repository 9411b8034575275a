"""Writes sigv4_vectors.h: requests as AWS's own Python client signs them.

    make_sigv4_vectors.py > sigv4_vectors.h

Needs boto3; the file is committed, so that the tests do not. Half of the vectors are what
the client of Lambda sends for real operations, the others are made by hand and signed by
botocore's signer.
"""
import datetime
import sys
from unittest import mock
from urllib.parse import urlsplit

import boto3
import botocore.auth
import botocore.awsrequest
from botocore.config import Config
from botocore.credentials import Credentials

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
NOW = datetime.datetime(2026, 11, 23, 16, 15, 36)
HOST = "127.0.0.1:9100"
ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"
EXECUTION = ARN + ":$LATEST/durable-execution/order-7/0190a5b2-7c3d-7e1f-8a2b-3c4d5e6f7081"
ROLE = "arn:aws:iam::123456789012:role/r"

OPERATIONS = [
    ("list_functions", {}),
    ("list_functions", {"MaxItems": 3, "Marker": "a+b/c==", "FunctionVersion": "ALL"}),
    ("get_function", {"FunctionName": ARN + ":$LATEST"}),
    ("get_function", {"FunctionName": "f", "Qualifier": "$LATEST"}),
    ("delete_function", {"FunctionName": "123456789012:function:f"}),
    ("create_function", {"FunctionName": "f", "Role": ROLE, "Runtime": "provided.al2023",
                         "Handler": "h", "Code": {"ZipFile": b"abc"}}),
    ("update_function_configuration", {"FunctionName": "f", "Description": "é \u4e16 ☃"}),
    ("update_function_code", {"FunctionName": "f", "ZipFile": b"\0\xff" * 50}),
    ("invoke", {"FunctionName": "f:$LATEST", "Payload": b'{"a":1}'}),
    ("invoke", {"FunctionName": "f", "Payload": b"", "InvocationType": "Event"}),
    ("invoke", {"FunctionName": "f", "Payload": "\u00fc\u4e16".encode(), "LogType": "Tail",
                "ClientContext": "eyJhIjoxfQ==", "Qualifier": "7"}),
    ("invoke_with_response_stream", {"FunctionName": "f", "Payload": b"[]"}),
    ("invoke_async", {"FunctionName": "f", "InvokeArgs": b"{}"}),
    ("tag_resource", {"Resource": ARN, "Tags": {"k e y": "v/a=l&u?e"}}),
    ("untag_resource", {"Resource": ARN, "TagKeys": ["b", "a", "a b", "a/b", "ü", "~-._*"]}),
    ("list_tags", {"Resource": ARN}),
    ("get_policy", {"FunctionName": "f", "Qualifier": "live"}),
    ("add_permission", {"FunctionName": "f", "StatementId": "s", "Action": "lambda:Invoke",
                        "Principal": "*"}),
    ("put_function_concurrency", {"FunctionName": "f", "ReservedConcurrentExecutions": 5}),
    ("delete_alias", {"FunctionName": "f", "Name": "live"}),
    ("publish_layer_version", {"LayerName": "l", "Content": {"ZipFile": b"z"}}),
    ("list_event_source_mappings", {"EventSourceArn": "arn:aws:sqs:us-east-1:123456789012:q"}),
    ("get_durable_execution", {"DurableExecutionArn": EXECUTION}),
    ("get_durable_execution_history", {"DurableExecutionArn": EXECUTION, "MaxItems": 9,
                                       "IncludeExecutionData": True, "ReverseOrder": True}),
    ("list_durable_executions_by_function",
     {"FunctionName": "f", "Statuses": ["SUCCEEDED", "FAILED", "RUNNING"],
      "StartedAfter": datetime.datetime(2026, 1, 2, 3, 4, 5, 678000)}),
    ("stop_durable_execution", {"DurableExecutionArn": EXECUTION,
                                "Error": {"ErrorMessage": "no"}}),
    ("send_durable_execution_callback_success", {"CallbackId": "Q+a/b//c==",
                                                 "Result": b"done"}),
    ("checkpoint_durable_execution", {"DurableExecutionArn": EXECUTION, "CheckpointToken": "dG9r",
                                      "ClientToken": "c", "Updates": []}),
]

# method, path with query, headers, body, session token, is it admitted?
MADE = [
    ("GET", "/", [], b"", None, True),
    ("GET", "/a-b_c.d~e/", [], b"", None, True),
    ("GET", "/p?b=2&a=1&b=1&a=&c", [], b"", None, True),
    ("GET", "/p?a-b=1&a=2&a%20=3&a.=4&A=5&%C3%A9=6", [], b"", None, True),
    ("GET", "/p?~=%2A&q=%E4%B8%96%20%F0%9F%8C%8D&z=%25", [], b"", None, True),
    ("GET", "/p?a=%2B&b=%3D%26", [], b"", None, True),
    ("PUT", "/p", [("Content-Type", "text/plain; charset=utf-8")], b"x" * 1000, None, True),
    ("POST", "/p", [("My-Header", "  a   b\t c  "), ("X-Amz-Meta", "a b")], b"{}", None, True),
    ("POST", "/p", [("X-Amz-Meta", " a   b ")], b"{}", None, False),
    ("POST", "/p", [("X-Amz-Meta", "a   b")], b"{}", None, False),
    ("POST", "/p", [("My-Header", "one"), ("My-Header", "two")], b"{}", None, False),
    ("POST", "/p", [("Zeta", ""), ("Alpha", "\""), ("My-1", "a,b"), ("My", "b;c")], b"", None,
     True),
    ("GET", "/p", [], b"", "session/token+with==", False),
    ("DELETE", "/2015-03-31/functions/a%3Ab%2Fc%24", [], b"", None, True),
    ("GET", "/%E4%B8%96%E7%95%8C/%20", [], b"", None, True),
    ("POST", "/p", [("X-Amz-Content-SHA256",
                     "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a")], b"{}",
     None, True),
]

PRESIGNED = [
    ("list_functions", {"MaxItems": 3}),
    ("get_durable_execution", {"DurableExecutionArn": EXECUTION}),
    ("list_tags", {"Resource": ARN}),
]


class Canonical:
    """Catches what the signer computes on its way."""

    def __init__(self):
        self.text = None
        self.real = botocore.auth.SigV4Auth.canonical_request

    def __call__(self, signer, request):
        self.text = self.real(signer, request)
        return self.text


def client():
    return boto3.client("lambda", endpoint_url="http://" + HOST, region_name="us-east-1",
                        aws_access_key_id=KEY, aws_secret_access_key=SECRET,
                        config=Config(parameter_validation=True))


def headers_of(request):
    found = [(name, value.decode() if isinstance(value, bytes) else str(value))
             for name, value in request.headers.items()
             if not name.lower().startswith(("user-agent", "amz-sdk-"))]  # not signed
    if not any(name.lower() == "host" for name, _ in found):
        found.insert(0, ("Host", HOST))
    return found


def vector(name, canonical, method, url, headers, body, is_admitted):
    parts = urlsplit(url)
    return {"name": name, "canonical": canonical, "method": method, "path": parts.path or "/",
            "query": parts.query, "headers": headers, "body": body or b"",
            "is_admitted": is_admitted}


def of_operation(catch, name, arguments):
    one = client()
    sent = []

    def catch_sent(request, **_):
        sent.append(request)
        return botocore.awsrequest.AWSResponse(request.url, 200, {}, mock.Mock(
            stream=lambda: iter([b"{}"]), read=lambda *_: b""))

    one.meta.events.register("before-send", catch_sent)
    getattr(one, name)(**arguments)
    body = sent[0].body
    body = body.encode() if isinstance(body, str) else body
    return vector(name, catch.text, sent[0].method, sent[0].url, headers_of(sent[0]), body, True)


def of_presigned(catch, name, arguments):
    url = client().generate_presigned_url(name, Params=arguments)
    return vector("presigned " + name, catch.text, "GET", url, [("Host", HOST)], b"", True)


def by_hand(catch, method, target, headers, body, token, is_admitted):
    request = botocore.awsrequest.AWSRequest(method, "http://" + HOST + target, data=body)
    for name, value in headers:
        request.headers.add_header(name, value)
    botocore.auth.SigV4Auth(Credentials(KEY, SECRET, token), "lambda", "us-east-1").add_auth(
        request)
    return vector(f"{method} {target}", catch.text, method, request.url, headers_of(request), body,
                  is_admitted)


def quoted(data, indent):
    """A C string in lines of less than a hundred columns."""
    data = data.encode() if isinstance(data, str) else data
    lines, line = [], ""
    for byte in data:
        char = chr(byte)
        if char in "\"\\":
            piece = "\\" + char
        elif byte == 10:
            piece = "\\n"
        elif 32 <= byte < 127 and char != "?":
            piece = char
        else:
            piece = f"\\{byte:03o}"
        line += piece
        if len(line) > 58 or byte == 10:
            lines.append(line)
            line = ""
    lines.append(line)
    lines = [text for text in lines if text] or [""]
    return ("\n" + indent).join(f'"{text}"' for text in lines)


def main():
    catch = Canonical()
    signer = botocore.auth.SigV4Auth
    with mock.patch("botocore.auth.get_current_datetime", lambda: NOW), \
            mock.patch.object(signer, "canonical_request", lambda s, r: catch(s, r)):
        vectors = [of_operation(catch, *one) for one in OPERATIONS]
        vectors += [by_hand(catch, *one) for one in MADE]
        vectors += [of_presigned(catch, *one) for one in PRESIGNED]
    print("/* Made by make_sigv4_vectors.py: requests as AWS's own client signs them. */")
    print("/* clang-format off */")
    print("static const struct vector vectors_made[] = {")
    for one in vectors:
        print("    {.name = " + quoted(one["name"], " " * 12) + ", .method = " +
              quoted(one["method"], "") + ",")
        for member in ("path", "query"):
            print(f"     .{member} = " + quoted(one[member], " " * 12) + ",")
        print("     .headers = {")
        for name, value in one["headers"]:
            print(f'         {{"{name.lower()}", ' + quoted(value, " " * 10) + "},")
        print("     },")
        print("     .body = " + quoted(one["body"], " " * 12) + ",")
        print(f"     .body_len = {len(one['body'])}, "
              f".is_admitted = {'true' if one['is_admitted'] else 'false'},")
        print("     .canonical =\n         " + quoted(one["canonical"], " " * 9) + "},")
    print("};")
    print("/* clang-format on */")
    return 0


if __name__ == "__main__":
    sys.exit(main())
