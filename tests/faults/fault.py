"""One fault: what the preloaded library is told, and what it says afterwards.

The layout is that of fault.h."""

import collections
import errno
import os
import struct

STATE_BYTES = 3328
NAMES_AT, NAME_BYTES, CALLS_MAX = 256, 16, 64
COUNTS_AT = NAMES_AT + NAME_BYTES * CALLS_MAX
ROLES = ("serve", "launcher", "sandbox")

Fault = collections.namedtuple("Fault", "role call number how path", defaults=("",))


def describe(fault):
    if fault is None:
        return "no fault"
    where = f" of *{fault.path}*" if fault.path else ""
    return f"{fault.role} {fault.call} {fault.number} {fault.how}{where}"


def rule_of(fault):
    how = str(getattr(errno, fault.how)) if fault.how.startswith("E") else fault.how
    return f"{fault.role} {fault.call} {fault.number} {how} {fault.path}".strip()


class State:
    """The file that the processes of one daemon share with us."""

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as file:
            file.truncate(STATE_BYTES)

    def environ(self, library, data, fault=None, plant=None):
        environ = {"LD_PRELOAD": library, "PAWL_FAULT_STATE": self.path,
                   "PAWL_FAULT_DIR": os.path.realpath(data)}
        if fault is not None:
            environ["PAWL_FAULT"] = rule_of(fault)
        if plant is not None:
            environ["PAWL_FAULT_PLANT"] = plant
        return environ

    def _read(self):
        with open(self.path, "rb") as file:
            return file.read()

    def delivered(self):
        """(how often, what was hit)."""
        data = self._read()
        count, _ = struct.unpack_from("<II", data)
        return count, data[8:NAMES_AT].split(b"\0")[0].decode("utf-8", "replace")

    def counts(self):
        """{(role, call): how often it was made}."""
        data = self._read()
        names = [data[NAMES_AT + NAME_BYTES * i:NAMES_AT + NAME_BYTES * (i + 1)].rstrip(b"\0")
                 .decode() for i in range(CALLS_MAX)]
        found = {}
        for number, role in enumerate(ROLES):
            row = struct.unpack_from(f"<{CALLS_MAX}Q", data, COUNTS_AT + 8 * CALLS_MAX * number)
            found.update({(role, name): count for name, count in zip(names, row) if name})
        return found
