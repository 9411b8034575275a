"""What processes cost, as the kernel counts it."""

import os

TICKS = os.sysconf("SC_CLK_TCK")


def _stat(pid):
    """(parent, CPU seconds of all its threads), or None for one that is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1]), (int(fields[11]) + int(fields[12])) / TICKS


def cpu_s(pid):
    stat = _stat(pid)
    return stat[1] if stat else 0.0


def descendants(root):
    """Every process below `root`, as {pid: CPU seconds}."""
    stats = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            stat = _stat(int(name))
            if stat:
                stats[int(name)] = stat
    found = {}
    grown = {root}
    while grown:
        grown = {pid for pid, stat in stats.items() if stat[0] in grown and pid not in found}
        found.update({pid: stats[pid][1] for pid in grown})
    return found


def memory(pid):
    """Bytes: what is the process's own (anonymous), and everything that is resident, with
    the pages of mapped files that the kernel can drop at any time."""
    values = {}
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        for line in file:
            key, _, rest = line.partition(":")
            if key in ("RssAnon", "VmRSS"):
                values[key] = int(rest.split()[0]) * 1024
    return values["RssAnon"], values["VmRSS"]


def filesystem(path):
    """The type of the file system that holds `path`."""
    best = ("", "?")
    path = os.path.realpath(path) + "/"
    with open("/proc/mounts", encoding="utf-8") as file:
        for line in file:
            _, mount, kind = line.split()[:3]
            if path.startswith(mount.rstrip("/") + "/") and len(mount) >= len(best[0]):
                best = (mount, kind)
    return best[1]


def busy_s():
    """CPU seconds that anything on this machine has used since it was started."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS
