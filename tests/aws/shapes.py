"""Compares an answer with its shape in the model, member by member.

`check(exchange)` gives a list of sentences, each a difference: nothing that is required may
be missing, nothing may be invented, and every value has its type, range and format.
"""

import base64
import binascii
import json
import re
import struct
import zlib

from model import Model

# Of any operation; the model names them for some only. What the door itself may say.
COMMON_ERRORS = {
    "AccessDeniedException": 403,
    "ExpiredTokenException": 403,
    "IncompleteSignatureException": 403,
    "InvalidClientTokenId": 403,
    "InvalidRequestContentException": 400,
    "InvalidSignatureException": 403,
    "MissingAuthenticationTokenException": 403,
    "RequestTooLargeException": 413,
    "SerializationException": 400,
    "SignatureDoesNotMatch": 403,
    "UnknownOperationException": 404,
    "UnrecognizedClientException": 403,
}
# Errors that the model has, and documents for fewer operations than may meet them.
FURTHER_ERRORS = {
    "CreateFunction": {"RequestTooLargeException"},
    "InvokeAsync": {"InvalidParameterValueException"},
    "SendDurableExecutionCallbackSuccess": {"ResourceNotFoundException"},
    "SendDurableExecutionCallbackFailure": {"ResourceNotFoundException"},
    "SendDurableExecutionCallbackHeartbeat": {"ResourceNotFoundException"},
}
STATUSES = {"DeleteFunction": {200, 202, 204}, "Invoke": {200, 202, 204},
            "InvokeWithResponseStream": {200, 204}}
# Required by the model, and absent in AWS's own answers about what is not there.
MAY_LACK = {"GetFunctionCodeSigningConfig": {"CodeSigningConfigArn"}}
REQUEST_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LAST_MODIFIED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000")
SECONDS = (1_500_000_000, 4_200_000_000)  # 2017 to 2103: milliseconds are beyond


class Exchange:
    """One request and its answer, as they were on the wire."""

    def __init__(self, method, target, request_headers, request_body, status, headers, body):
        self.method = method
        self.target = target
        self.request_headers = request_headers
        self.request_body = request_body
        self.status = status
        self.headers = headers
        self.body = body

    def __str__(self):
        return f"{self.method} {self.target} -> {self.status}"


class Checker:
    def __init__(self, service=None):
        self.model = Model(service)
        self.kinds = {"structure": self.structure, "list": self.list, "map": self.map,
                      "string": self.string, "integer": self.integer, "long": self.integer,
                      "double": self.number, "float": self.number, "boolean": self.boolean,
                      "timestamp": self.timestamp, "blob": self.blob}

    def check(self, exchange):
        """What is wrong with the answer; an empty list: nothing."""
        operation = self.model.find(exchange.method, exchange.target)
        if operation is None:
            return [f"{exchange}: no operation of the model"]
        found = list(self.answer(operation, exchange))
        return [f"{operation} ({exchange}): {one}" for one in found]

    def answer(self, operation, exchange):
        if not REQUEST_ID.fullmatch(exchange.headers.get("x-amzn-requestid", "")):
            yield "x-amzn-requestid is missing or no UUID"
        if exchange.status >= 400:
            yield from self.refusal(operation, exchange)
        else:
            yield from self.success(operation, exchange)

    # --- errors ------------------------------------------------------------------------

    def refusal(self, operation, exchange):
        name = exchange.headers.get("x-amzn-errortype")
        body = read_object(exchange)
        if name is None:
            yield "no x-amzn-errortype"
            return
        if exchange.headers.get("content-type") != "application/json":
            yield f"an error's content-type is {exchange.headers.get('content-type')!r}"
        if body is None:
            yield "the body of an error is not a JSON object"
            return
        yield from self.error_name(operation, name, exchange.status)
        yield from self.error_body(name, exchange, body)

    def error_name(self, operation, name, status):
        documented = self.model.documented_errors(operation) | FURTHER_ERRORS.get(operation, set())
        wanted = self.model.error_status(name) if name in documented else COMMON_ERRORS.get(name)
        if wanted is None:
            yield f"{name} is not one of its errors"
        elif wanted != status:
            yield f"{name} has status {status}, not {wanted}"

    def error_body(self, name, exchange, body):
        side = "Service" if exchange.status >= 500 else "User"
        if body.get("Type") != side:
            yield f"the Type of {name} is {body.get('Type')!r}, not {side!r}"
        for key in ("message", "Message"):
            if not isinstance(body.get(key), str) or not body[key]:
                yield f"{name} has no {key}"
        members = self.model.shapes.get(name, {}).get("members", {})
        for key in set(body) - {"Type", "message", "Message"} - set(members):
            yield f"{name} has a member {key!r} that is not in the model"
        if name == "TooManyRequestsException":
            yield from self.throttled(exchange, body, members)

    def throttled(self, exchange, body, members):
        if not exchange.headers.get("retry-after", "").isdigit():
            yield "TooManyRequestsException without Retry-After"
        if "Reason" in body:
            yield from self.value(body["Reason"], members["Reason"], "Reason")

    # --- answers -----------------------------------------------------------------------

    def success(self, operation, exchange):
        wanted = STATUSES.get(operation, {self.model.operations[operation]["http"].get(
            "responseCode", 200)})
        output = self.model.output(operation)
        if exchange.status not in wanted:
            yield f"status {exchange.status}, not {sorted(wanted)}"
        yield from self.in_headers(output, exchange)
        if "payload" in output:
            yield from self.payload(output["members"][output["payload"]], exchange)
        else:
            lacking = MAY_LACK.get(operation, set())
            yield from self.in_body(output, exchange, lacking)

    def in_headers(self, output, exchange):
        for name, reference in output["members"].items():
            if reference.get("location") != "header":
                continue
            value = exchange.headers.get(reference["locationName"].lower())
            if value is not None:
                yield from self.value(value, reference, name)
            elif name in output.get("required", ()):
                yield f"the header {reference['locationName']} is missing"

    def in_body(self, output, exchange, lacking):
        members = {name: one for name, one in output["members"].items() if "location" not in one}
        if not members:
            if exchange.body not in (b"", b"{}"):
                yield f"a body where there is none: {exchange.body[:80]!r}"
            return
        if exchange.headers.get("content-type") != "application/json":
            yield f"content-type {exchange.headers.get('content-type')!r}"
        body = read_object(exchange)
        if body is None:
            yield f"not a JSON object: {exchange.body[:80]!r}"
        else:
            required = [one for one in output.get("required", ()) if one not in lacking]
            yield from self.members(body, members, required, "")

    def payload(self, reference, exchange):
        shape = self.model.shape(reference)
        if shape.get("eventstream") and exchange.status == 200:
            yield from self.stream(shape, exchange)
        elif exchange.status in (202, 204) and exchange.body:
            yield f"a body with status {exchange.status}"

    def stream(self, shape, exchange):
        if exchange.headers.get("content-type") != "application/vnd.amazon.eventstream":
            yield f"content-type {exchange.headers.get('content-type')!r}"
        try:
            frames = read_frames(exchange.body)
        except ValueError as error:
            yield str(error)
            return
        for headers, payload in frames:
            yield from self.frame(shape, headers, payload)
        if not frames or frames[-1][0].get(":event-type") != "InvokeComplete":
            yield "the stream does not end with InvokeComplete"

    def frame(self, shape, headers, payload):
        kind = headers.get(":event-type")
        reference = shape["members"].get(kind)
        if headers.get(":message-type") != "event" or reference is None:
            yield f"a frame with the headers {headers}"
            return
        event = self.model.shape(reference)
        if any(one.get("eventpayload") or self.model.shape(one)["type"] == "blob"
               for one in event["members"].values()):
            wanted = "application/octet-stream"
        else:
            wanted = "application/json"
            yield from self.value(json.loads(payload), reference, kind)
        if headers.get(":content-type") != wanted:
            yield f"{kind} has the content type {headers.get(':content-type')!r}"

    # --- values -------------------------------------------------------------------------

    def value(self, value, reference, where):
        shape = self.model.shape(reference)
        if reference["shape"] == "Timestamp":
            if not isinstance(value, str) or not LAST_MODIFIED.fullmatch(value):
                yield f"{where} is {value!r}, not a moment such as 2026-11-23T08:33:41.977+0000"
            return
        yield from self.kinds[shape["type"]](value, shape, where)

    def structure(self, value, shape, where):
        if not isinstance(value, dict):
            yield f"{where} is not an object: {value!r}"
        else:
            yield from self.members(value, shape["members"], shape.get("required", ()),
                                    where + ".")

    def members(self, value, members, required, where):
        for name in required:
            if name in members and value.get(name) is None:
                yield f"{where}{name} is required and missing"
        for name, one in value.items():
            if name not in members:
                yield f"{where}{name} is not in the model"
            elif one is not None:
                yield from self.value(one, members[name], where + name)

    def list(self, value, shape, where):
        if not isinstance(value, list):
            yield f"{where} is not a list: {value!r}"
            return
        yield from self.size(len(value), shape, where)
        for i, one in enumerate(value):
            yield from self.value(one, shape["member"], f"{where}[{i}]")

    def map(self, value, shape, where):
        if not isinstance(value, dict):
            yield f"{where} is not a map: {value!r}"
            return
        for name, one in value.items():
            yield from self.value(name, shape["key"], f"{where}'s key {name!r}")
            yield from self.value(one, shape["value"], f"{where}[{name!r}]")

    def string(self, value, shape, where):
        if not isinstance(value, str):
            yield f"{where} is not a string: {value!r}"
            return
        if "enum" in shape and value not in shape["enum"]:
            yield f"{where} is {value!r}, not one of {shape['enum']}"
        if "pattern" in shape and not re.fullmatch(shape["pattern"], value, re.S):
            yield f"{where} is {value[:200]!r}, not as {shape['pattern']}"
        yield from self.size(len(value), shape, where)

    def size(self, size, shape, where):
        if size < shape.get("min", 0) or size > shape.get("max", size):
            yield f"{where} has {size} items, not {shape.get('min', 0)} to {shape.get('max')}"

    def integer(self, value, shape, where):
        if not isinstance(value, int) or isinstance(value, bool):
            yield f"{where} is not an integer: {value!r}"
        elif value < shape.get("min", value) or value > shape.get("max", value):
            yield f"{where} is {value}, not {shape.get('min')} to {shape.get('max')}"

    def number(self, value, _shape, where):
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            yield f"{where} is not a number: {value!r}"

    def boolean(self, value, _shape, where):
        if not isinstance(value, bool):
            yield f"{where} is not true or false: {value!r}"

    def timestamp(self, value, _shape, where):
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            yield f"{where} is not a number of seconds: {value!r}"
        elif not SECONDS[0] < value < SECONDS[1]:
            yield f"{where} is {value!r}: no seconds since 1970"

    def blob(self, value, _shape, where):
        try:
            base64.b64decode(value, validate=True)
        except (TypeError, ValueError, binascii.Error):
            yield f"{where} is not base64: {value!r}"


def read_object(exchange):
    try:
        body = json.loads(exchange.body)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


# --- event streams -------------------------------------------------------------------------

def read_frames(body):
    """[(headers, payload)]; ValueError where a length or checksum is wrong."""
    frames = []
    while body:
        if len(body) < 16:
            raise ValueError("a frame is cut off")
        total, headers_len, prelude_crc = struct.unpack(">III", body[:12])
        if zlib.crc32(body[:8]) != prelude_crc:
            raise ValueError("a frame's prelude has another checksum")
        if not 16 + headers_len <= total <= len(body):
            raise ValueError(f"a frame of {total} bytes, where there are {len(body)}")
        if zlib.crc32(body[:total - 4]) != struct.unpack(">I", body[total - 4:total])[0]:
            raise ValueError("a frame has another checksum")
        frames.append((read_frame_headers(body[12:12 + headers_len]),
                       body[12 + headers_len:total - 4]))
        body = body[total:]
    return frames


def read_frame_headers(text):
    headers = {}
    while text:
        name_len = text[0]
        name = text[1:1 + name_len].decode("ascii")
        kind, value_len = struct.unpack(">BH", text[1 + name_len:4 + name_len])
        if kind != 7:
            raise ValueError(f"the header {name} is not a string")
        headers[name] = text[4 + name_len:4 + name_len + value_len].decode("utf-8")
        text = text[4 + name_len + value_len:]
    return headers
