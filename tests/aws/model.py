"""What AWS's model says of the operations, and what the daemon's table of routes offers.

The model is the committed one (see make_model.py), or that of the installed botocore where
it knows every operation of the table.
"""

import json
import os
import re
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
MODEL = os.path.join(HERE, "model")
ROUTES = os.path.join(HERE, "..", "..", "invoke", "routes.c")
VERSION = "2015-03-31"

# Members that AWS has added since the botocore of the committed model.
NEWER = {
    "ChainedInvokeOptions": {"XAmznTraceId": {"shape": "XAmznTraceId"}},
    "DurableConfig": {"KMSKeyArn": {"shape": "KMSKeyArn"}},
    "Execution": {"KMSKeyArn": {"shape": "KMSKeyArn"}},
    "GetDurableExecutionResponse": {"ExecutionDataIncluded": {"shape": "Boolean"},
                                    "DurableConfig": {"shape": "DurableConfig"}},
}

ENTRY = re.compile(r'\{"(\w+)",\s*"([A-Z]+)",\s*([^,]+),[^{}]*?(NULL|\broute_\w+)\s*\}', re.S)


def read_routes():
    """(operation, method, is offered) of each operation of Lambda in the table of routes."""
    with open(ROUTES, encoding="utf-8") as file:
        found = ENTRY.findall(file.read())
    return [(name, method, handler != "NULL") for name, method, path, handler in found
            if "/pawl/" not in path]


def load_committed(kind="service-2"):
    with open(os.path.join(MODEL, "lambda", VERSION, kind + ".json"), encoding="ascii") as file:
        return json.load(file)


class Model:
    def __init__(self, service=None):
        service = service or load_committed()
        self.operations = service["operations"]
        self.shapes = with_newer(service["shapes"])
        self.patterns = [(one["http"]["method"], *split(one["http"]["requestUri"]), name)
                         for name, one in self.operations.items()]

    def find(self, method, target):
        """The operation of a request line; None: not one of the model's."""
        path, query = split(target)
        fitting = [(sum(word.startswith("{") for word in pattern), -len(asked), name)
                   for wanted, pattern, asked, name in self.patterns
                   if wanted == method and fits(pattern, path) and asked <= query]
        return min(fitting)[2] if fitting else None

    def shape(self, reference):
        return self.shapes[reference["shape"]]

    def output(self, operation):
        reference = self.operations[operation].get("output")
        return self.shape(reference) if reference else {"type": "structure", "members": {}}

    def error_status(self, name):
        shape = self.shapes.get(name, {})
        return shape.get("error", {}).get("httpStatusCode")

    def documented_errors(self, operation):
        return {error["shape"] for error in self.operations[operation].get("errors", ())}


def with_newer(shapes):
    shapes = dict(shapes)
    for name, members in NEWER.items():
        if name in shapes:
            shapes[name] = dict(shapes[name], members=dict(members, **shapes[name]["members"]))
    return shapes


def split(target):
    """(the path's segments, the parameters): two operations may differ in a parameter alone."""
    path, _, query = target.partition("?")
    return ([urllib.parse.unquote(part) for part in path.rstrip("/").split("/")],
            set(urllib.parse.parse_qsl(query)))


def fits(pattern, path):
    return len(pattern) == len(path) and all(
        word.startswith("{") or word == part for word, part in zip(pattern, path))
