#!/usr/bin/env python3
"""Makes model/ from an installed botocore: the facts of the operations, in botocore's own
format, without its prose, and without the groups that Pawl has no use for. Waiters are not
there: an old botocore keeps its own, since it does not understand the newer ones.

    make_model.py            writes model/
    make_model.py --check    tells how an installed botocore differs from it

What a shape is, is AWS's (botocore is Apache-2.0). Who adds an operation that is not in
there to the table of routes runs this again with a botocore that knows it.
"""

import json
import os
import re
import sys

from model import MODEL, VERSION

KEPT = {"metadata", "operations", "shapes", "version"}
LEFT_OUT = re.compile(r"CapacityProvider|CodeSigning|FunctionUrl|ScalingConfig")
TAKEN = {"GetFunctionCodeSigningConfig", "GetFunctionUrlConfig", "ListFunctionUrlConfigs"}
PROSE = {"documentation", "documentationUrl"}


def strip(value):
    """Without the prose; a member may be called `documentation`, so only texts go."""
    if isinstance(value, dict):
        return {key: strip(one) for key, one in value.items()
                if not (key in PROSE and isinstance(one, str))}
    if isinstance(value, list):
        return [strip(one) for one in value]
    return value


def references(value):
    """The names of the shapes that this one is made of."""
    if isinstance(value, dict):
        for key, one in value.items():
            if key == "shape" and isinstance(one, str):
                yield one
            else:
                yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


def shapes_of(operations, shapes):
    """All that is needed, and nothing else."""
    wanted = {}
    left = list(references(operations))
    while left:
        name = left.pop()
        if name not in wanted:
            wanted[name] = shapes[name]
            left += references(shapes[name])
    return dict(sorted(wanted.items()))


def choose(service):
    service = strip({key: one for key, one in service.items() if key in KEPT})
    operations = {name: one for name, one in sorted(service["operations"].items())
                  if name in TAKEN or not LEFT_OUT.search(name)}
    return dict(service, operations=operations,
                shapes=shapes_of(operations, service["shapes"]))


def make():
    """{file's name: content}"""
    import botocore.loaders  # pylint: disable=import-outside-toplevel
    loader = botocore.loaders.Loader()
    service = choose(loader.load_service_model("lambda", "service-2", VERSION))
    pages = loader.load_service_model("lambda", "paginators-1", VERSION)["pagination"]
    return {
        "service-2.json": service,
        "paginators-1.json": {"pagination": {name: one for name, one in sorted(pages.items())
                                             if name in TAKEN or not LEFT_OUT.search(name)}},
    }


def write_json(path, content):
    """One line for each entry of each table, so that a change can be read."""
    lines = []
    for key, value in content.items():
        if isinstance(value, dict) and key != "metadata":
            inner = ",\n".join(f"{json.dumps(name)}:{compact(one)}"
                               for name, one in value.items())
            lines.append(f"{json.dumps(key)}:{{\n{inner}\n}}")
        else:
            lines.append(f"{json.dumps(key)}:{compact(value)}")
    with open(path, "w", encoding="ascii") as file:
        file.write("{\n" + ",\n".join(lines) + "\n}\n")


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def differences(ours, theirs, where=""):
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(set(ours) | set(theirs)):
            if key not in ours or key not in theirs:
                yield f"{where}/{key}: only in {'model/' if key in ours else 'botocore'}"
            else:
                yield from differences(ours[key], theirs[key], f"{where}/{key}")
    elif ours != theirs:
        yield f"{where}: {ours!r} here, {theirs!r} in botocore"


def main():
    made = make()
    directory = os.path.join(MODEL, "lambda", VERSION)
    found = 0
    os.makedirs(directory, exist_ok=True)
    for name, content in made.items():
        path = os.path.join(directory, name)
        if "--check" not in sys.argv:
            write_json(path, content)
            continue
        with open(path, encoding="ascii") as file:
            for difference in differences(json.load(file), json.loads(json.dumps(content))):
                print(name + difference)
                found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
