#!/usr/bin/python3
"""A runtime for one purpose: it tells its log what it was given, and answers nothing.

So the test has the checkpoint token of a running invocation, and speaks for it.
"""

import http.client
import os
import time

connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"], timeout=600)
connection.request("GET", "/2018-06-01/runtime/invocation/next")
print("GIVEN " + connection.getresponse().read().decode(), flush=True)
time.sleep(600)
