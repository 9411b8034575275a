"""Which call fails how, and which of them: the table of the sweep."""

import itertools
import random

from fault import Fault

WRITES = ("EIO", "ENOSPC", "EINTR", "short")
MEMORY = ("ENOMEM",)
FILES = ("EMFILE", "ENOMEM")

# What the manual pages say may happen, and what only a damaged disk or a full table does.
# In the daemon calls about files count only below the data directory; calls of libuv's own
# loop are left out, because it ends the process for them.
TABLE = {
    "serve": {
        "pwrite": WRITES, "writev": WRITES, "write": WRITES,
        "fdatasync": ("EIO", "ENOSPC", "EINTR"), "fsync": ("EIO", "ENOSPC", "EINTR"),
        "open": ("EIO", "EMFILE", "ENOMEM", "ENOSPC", "EINTR"),
        "read": ("EIO", "EINTR", "short"), "pread": ("EIO", "EINTR", "short"),
        "lseek": ("EIO",), "mmap": MEMORY, "ftruncate": ("EIO", "ENOSPC"),
        "fallocate": ("ENOSPC", "EIO", "EINTR"), "rename": ("EIO", "ENOSPC"),
        "unlink": ("EIO",), "mkdir": ("ENOSPC", "EIO"), "close": ("EIO", "EINTR"),
        "flock": ("ENOLCK", "EINTR"), "fcntl": ("ENOMEM",), "statvfs": ("EIO",),
        "fork": ("EAGAIN", "ENOMEM"), "execve": ("ENOMEM",), "socketpair": FILES,
        "sendmsg": ("ENOMEM", "EINTR", "ENOBUFS"), "recvmsg": ("ENOMEM", "EINTR"),
        "memfd_create": FILES, "poll": ("EINTR", "ENOMEM"), "thread": ("EAGAIN",),
        "setrlimit": ("EPERM",), "syscall": ("ENOMEM",),
    },
    "launcher": {
        "open": ("EMFILE", "ENOMEM", "EINTR", "EIO"), "read": ("EIO", "EINTR"),
        "write": ("EIO", "ENOMEM", "EINTR", "short"), "pread": ("EIO",), "mkdir": ("ENOSPC", "EIO"),
        "rmdir": ("EBUSY", "EINTR"), "close": ("EIO",), "flock": ("EINTR", "ENOLCK"),
        "fcntl": ("EMFILE", "ENOMEM"), "clone3": ("EAGAIN", "ENOMEM"), "socketpair": FILES,
        "sendmsg": ("ENOMEM", "EINTR", "EAGAIN"), "recvmsg": ("ENOMEM", "EINTR", "EAGAIN"),
        "memfd_create": FILES, "mmap": MEMORY, "lseek": ("EIO",), "rename": ("EIO", "ENOSPC"),
        "epoll_create1": FILES, "epoll_ctl": ("ENOMEM", "ENOSPC"), "epoll_wait": ("EINTR",),
        "wait": ("EINTR",), "mount": ("ENOMEM", "EIO"), "mount_setattr": ("ENOMEM", "EPERM"),
        "open_tree": FILES, "move_mount": ("ENOMEM",), "unshare": ("ENOMEM", "ENOSPC"),
        "syscall": ("ENOMEM",), "prctl": ("EINVAL",), "setrlimit": ("EPERM",),
        "symlink": ("ENOSPC", "EIO"), "dup": ("EMFILE",), "close_range": ("ENOMEM",),
        "sendfile": ("EIO", "EINTR", "ENOMEM"), "kill": ("EPERM",),
    },
    "sandbox": {
        "open": ("EMFILE", "ENOMEM", "EIO"), "write": ("EIO", "EINTR", "short"),
        "read": ("EIO",), "mkdir": ("ENOSPC", "EIO"), "close": ("EIO",), "fcntl": ("EMFILE",),
        "socket": FILES, "execve": ("ENOMEM", "EIO"), "sendmsg": ("ENOMEM", "EINTR", "EAGAIN"),
        "recvmsg": ("ENOMEM", "EINTR"), "wait": ("EINTR",), "mount": ("ENOMEM", "EIO", "ENOSPC"),
        "umount": ("EBUSY",), "mount_setattr": ("ENOMEM",), "open_tree": FILES,
        "move_mount": ("ENOMEM",), "unshare": ("ENOMEM", "ENOSPC"), "syscall": ("ENOMEM",),
        "prctl": ("EINVAL",), "setrlimit": ("EPERM",), "symlink": ("ENOSPC",), "dup": ("EMFILE",),
        "close_range": ("ENOMEM",), "setids": ("EAGAIN", "EPERM"), "mmap": MEMORY,
        "unlink": ("EIO",), "rmdir": ("EIO",), "sendfile": ("EIO",), "lseek": ("EIO",),
    },
}

# Threads of libuv's pool come behind ours; without one of them libuv ends the process.
LAST = {("serve", "thread"): 2}


def numbers(count, first, samples):
    """The first ones, and some that are spread over the rest evenly."""
    chosen = list(range(1, min(count, first) + 1))
    rest = count - first
    if rest > 0:
        step = rest / (samples + 1)
        chosen += sorted({first + max(1, round(step * i)) for i in range(1, samples + 1)})
    return [number for number in chosen if number <= count]


def make_plan(counts, first, samples, roles=None, calls=None):
    """Every fault of the table whose call is made in a story without faults."""
    plan = []
    for role, row in TABLE.items():
        for call, errors in row.items():
            if (roles and role not in roles) or (calls and call not in calls):
                continue
            count = min(counts.get((role, call), 0), LAST.get((role, call), 1 << 40))
            chosen = numbers(count, first, samples)
            plan += [Fault(role, call, number, how) for number, how
                     in itertools.product(chosen, errors)]
    return plan


def choose(plan, count, seed):
    """So many of them, as many of each call as of the others, picked by the seed."""
    rng = random.Random(seed)
    groups = {}
    for fault in plan:
        groups.setdefault((fault.role, fault.call), []).append(fault)
    for group in groups.values():
        rng.shuffle(group)
    rows = list(groups.values())
    rng.shuffle(rows)
    turns = itertools.zip_longest(*rows)
    return [fault for turn in turns for fault in turn if fault is not None][:count]
