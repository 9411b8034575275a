"""What a daemon's launcher may leave behind: control groups, environments, zombies."""

import os

ROOT = "/sys/fs/cgroup"
DEPTH_MAX = 6


def instance_of(data):
    """The name of the control groups of one data directory (runtime/server.c)."""
    info = os.stat(data)
    return f"{info.st_dev:x}-{info.st_ino:x}"


def groups_of(instance):
    """Every group of that instance, in every hierarchy, without those above it."""
    found = []
    for directory, names, _ in os.walk(ROOT):
        if directory.count("/") - ROOT.count("/") >= DEPTH_MAX:
            names.clear()
        if os.path.basename(directory) == instance:
            found += [os.path.join(directory, name) for name in names]
            names.clear()
    return found


def has_process(group):
    try:
        with open(os.path.join(group, "cgroup.procs"), encoding="ascii") as file:
            return bool(file.read().strip())
    except OSError:
        return True  # it has just been removed


def empty_groups(instance):
    return sorted(group for group in groups_of(instance) if not has_process(group))


def children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def zombies_of(pid):
    """Children that have ended and for which nobody asked."""
    found = []
    for child in children_of(pid):
        try:
            with open(f"/proc/{child}/stat", encoding="ascii", errors="replace") as file:
                state = file.read().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state == "Z":
            found.append(child)
    return found
