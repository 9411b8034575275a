"""One requirement: a YAML file of requirements/<suite>/<id>.yaml."""

import glob
import json
import os

import yaml

from matcher import generate, substitute

SUITES = ("step", "wait", "child", "callback", "invoke")
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
HERE = os.path.dirname(os.path.abspath(__file__))


class Requirement:
    """The file with its variables filled in: a fresh one for each run."""

    def __init__(self, path):
        self.id = os.path.basename(path)[: -len(".yaml")]
        self.suite = os.path.basename(os.path.dirname(path))
        with open(path, encoding="utf-8") as file:
            raw = yaml.load(file, Loader=LOADER)
        self.variables = generate(raw.get("Variables"))
        data = substitute(raw, self.variables)
        self.description = raw["description"]
        self.is_optional = bool(raw.get("optional"))
        self.is_async = bool(raw.get("AsyncInvoke"))
        self.payload = json.dumps(data.get("Input")).encode()
        self.result = data.get("ExpectedResult")
        self.history = data.get("ExpectedExecutionHistory") or []
        self.callbacks = data.get("CallbackActions") or []
        self.logs = data.get("ExpectedLogs") or []


def sort_key(path):
    return [int(part) for part in os.path.basename(path)[: -len(".yaml")].split("-")]


def load_all(suites=(), ids=()):
    """In the order of the suites; empty `suites` or `ids` mean all."""
    found = []
    for suite in SUITES:
        paths = glob.glob(os.path.join(HERE, "requirements", suite, "*.yaml"))
        found += [Requirement(path) for path in sorted(paths, key=sort_key)]
    return [r for r in found
            if (not suites or r.suite in suites) and (not ids or r.id in ids)]


def read_skips(path):
    """Lines `id reason`; `#` starts a comment. Returns {id: reason}."""
    skips = {}
    if not os.path.exists(path):
        return skips
    with open(path, encoding="utf-8") as file:
        for line in file:
            words = line.split("#")[0].split(None, 1)
            if words:
                skips[words[0]] = words[1].strip() if len(words) > 1 else ""
    return skips
