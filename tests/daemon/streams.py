#!/usr/bin/python3
"""A runtime that streams, by the Runtime API alone: the bootstrap of streamtest.py.

The event says what to answer: {"parts": n, "bytes": each, "error": text or null, "whole": bool}.
"""

import base64
import http.client
import json
import os

API = "/2018-06-01/runtime/invocation/"


def send_parts(connection, event):
    for number in range(event["parts"]):
        part = (b"%08d" % number) * (event["bytes"] // 8)
        connection.send(b"%x\r\n%s\r\n" % (len(part), part))
    connection.send(b"0\r\n")
    if event.get("error"):
        body = base64.b64encode(json.dumps({"errorType": "Half",
                                            "errorMessage": event["error"]}).encode())
        connection.send(b"Lambda-Runtime-Function-Error-Type: Half\r\n"
                        b"Lambda-Runtime-Function-Error-Body: " + body + b"\r\n")
    connection.send(b"\r\n")


def answer(connection, request_id, event):
    connection.putrequest("POST", API + request_id + "/response")
    connection.putheader("Content-Type", "application/octet-stream")
    connection.putheader("Lambda-Runtime-Function-Response-Mode", "streaming")
    connection.putheader("Trailer", "Lambda-Runtime-Function-Error-Type, "
                         "Lambda-Runtime-Function-Error-Body")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    send_parts(connection, event)
    connection.getresponse().read()


def main():
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    while True:
        connection.request("GET", API + "next")
        response = connection.getresponse()
        event = json.loads(response.read())
        print("begins", flush=True)
        answer(connection, response.headers["Lambda-Runtime-Aws-Request-Id"], event)
        print("has said all", flush=True)


main()
