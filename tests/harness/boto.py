"""AWS's own client for Python, whose requests go through the daemon's unix socket.

Where boto3 cannot be imported, `boto3` is None, and that is said once.
"""

import io
import sys

from api import UnixConnection

try:
    import boto3
    import botocore.awsrequest
    import botocore.config
    import urllib3
    from boto_model import give_model
    give_model()
except ImportError:
    boto3 = None
    print("SKIPPED: boto3 cannot be imported: nothing is judged by AWS's own client",
          file=sys.stderr)


def client(path):
    """`path` is the socket's."""
    made = boto3.client(
        "lambda", endpoint_url="http://localhost", region_name="us-east-1",
        aws_access_key_id="x", aws_secret_access_key="x",
        config=botocore.config.Config(retries={"total_max_attempts": 1}))
    made.meta.events.register("before-send.lambda.*", lambda request, **_: send(path, request))
    return made


def send(path, request):
    connection = UnixConnection(path, 60)
    target = "/" + request.url.split("/", 3)[3]
    headers = {name: value.decode() if isinstance(value, bytes) else value
               for name, value in request.headers.items() if name != "Authorization"}
    connection.request(request.method, target, body=request.body, headers=headers)
    response = connection.getresponse()
    raw = urllib3.HTTPResponse(body=io.BytesIO(response.read()), status=response.status,
                               headers=dict(response.getheaders()), preload_content=False)
    connection.close()
    return botocore.awsrequest.AWSResponse(
        request.url, response.status,
        botocore.awsrequest.HeadersDict(response.getheaders()), raw)
