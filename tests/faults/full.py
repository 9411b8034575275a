"""A whole daemon whose disk, or whose map, is full.

    full.py BUILD

New work is refused with a sentence that says what to do; reads, Stop, completions and
deletes go on; what is in the middle waits, and when there is space it all goes on. Judged
like a story of the sweep, by an outside ledger.

The disk is a tmpfs of its own in a mount namespace of its own; where that is not allowed
the tests are skipped, which is said."""

import ctypes
import json
import os
import shutil
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from story import DURABLE, EVENT, FLOW, ApiError, Place, Story, digest  # noqa: E402

BUILD = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "build"
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000
DISK_MB = 64
WAIT_S = 30
STARTS_MAX = 2000
SKIPPED = 77

libc = ctypes.CDLL(None, use_errno=True)


def call(what, result):
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def enter_namespace():
    """Before any thread: what is mounted from now on is ours alone, and gone with us."""
    call("unshare", libc.unshare(CLONE_NEWNS))
    call("mount", libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))


def wait_for(what, condition):
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {WAIT_S} s")


class FullTest(unittest.TestCase):
    config = ""

    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="pawl-full-")
        self.disk = os.path.join(self.root, "disk")
        os.mkdir(self.disk, 0o755)
        call("mount", libc.mount(b"disk", self.disk.encode(), b"tmpfs", 0,
                                 f"size={DISK_MB}m".encode()))
        self.place = Place(BUILD, os.path.join(self.root, "place"))
        self.place.data = os.path.join(self.disk, "data")
        self.place.configure(self.config)
        self.story = Story(self.place)
        self.client = self.story.client
        self.story.start_daemon()
        self.story.deploy()
        self.refused = None

    def tearDown(self):
        self.story.__exit__()
        call("umount", libc.umount2(self.disk.encode(), 2))
        shutil.rmtree(self.root)

    @property
    def api(self):
        return self.story.api

    def status(self):
        return self.api.request("GET", "/pawl/v1/status").json()

    def journal(self):
        return self.status()["Journal"]

    def is_full(self):
        return self.journal()["IsFull"]

    # --- filling ---------------------------------------------------------------------

    def fill_disk(self):
        """To the last byte, by somebody else."""
        with open(os.path.join(self.disk, "filler"), "wb", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    pass

    def free_disk(self):
        os.unlink(os.path.join(self.disk, "filler"))

    def start_until_refused(self, plan, filler=0):
        """Starts of growing names; returns those acknowledged. The refusal is kept."""
        names = []
        for _ in range(STARTS_MAX):
            name = f"f{len(self.client.arns)}"
            payload = json.dumps({"plan": plan, "name": name, "filler": "x" * filler})
            self.story.notes.note("ask-start", op=name, extra=digest(payload))
            try:
                answer = self.api.invoke(FLOW + ":$LATEST", payload, "Event", name=name)
            except ApiError as error:
                self.refused = error
                return names
            arn = answer.headers["x-amz-durable-execution-arn"]
            self.story.notes.note("ack-start", arn=arn, op=name, extra=digest(payload))
            self.client.arns[name] = arn
            names.append(name)
        self.fail(f"{STARTS_MAX} starts were taken")

    def fill_map(self):
        """A burst is refused before what it brought is where it belongs; then there may be
        room for a little more."""
        for filler in (100000, 10000, 1000, 0, 0, 0, 0, 0, 0, 0):
            self.start_until_refused("c", filler)
            wait_for("the views", lambda: self.journal()["AppliedLsn"] == self.journal()["LastLsn"])
            wait_for("quiet", lambda: self.is_full() or
                     self.status()["Invocations"]["Running"] == 0)
            if self.is_full():
                return
        self.fail("the map is never full")

    # --- what is claimed ---------------------------------------------------------------

    def begin(self):
        """One execution of each kind that must get on, or wait, while it is full."""
        self.client.start("ended", "ss")
        self.client.until_closed("ended")
        self.client.start("asks", "c")
        self.client.start("grows", "css")
        self.client.start("stopped", "c")
        for name in ("asks", "grows", "stopped"):
            self.client.await_callback(name)

    def check_refusal(self):
        self.assertIn(self.refused.status, (429, 503), self.refused)
        self.assertIn("journal is full: free disk space or raise", self.refused.message)
        self.assertTrue(self.is_full())
        with self.assertRaises(ApiError) as caught:
            self.api.create_function("another", self.story.archive("storm_forger"), "x", **DURABLE)
        self.assertIn(caught.exception.status, (429, 503), caught.exception)

    def check_reads(self):
        self.client.read("ended")
        self.client.list()
        self.assertEqual(self.api.get_function(EVENT)["Configuration"]["FunctionName"], EVENT)
        self.assertEqual(self.execution("ended")["Status"], "SUCCEEDED")

    def check_plain(self):
        """An ordinary invoke writes nothing to the journal."""
        answer = self.api.invoke(EVENT, json.dumps({"event": "plain"}))
        self.assertNotIn("x-amz-function-error", answer.headers, answer.body)

    def execution(self, name):
        return self.api.get_execution(self.client.arns[name])

    def check_ends(self):
        """Stop and completions, each answered and seen at once."""
        self.client.stop("stopped")
        self.assertEqual(self.execution("stopped")["Status"], "STOPPED")
        self.client.complete("asks")
        wait_for("the end of what was completed",
                 lambda: self.execution("asks")["Status"] == "SUCCEEDED")

    def check_delete(self):
        """Last: its code goes too, soon, and then there may be space."""
        self.api.request("DELETE", "/2015-03-31/functions/doomed")

    def check_growth_waits(self):
        """Its callback is taken, but its next step is not recorded."""
        self.client.complete("grows")
        wait_for("the next step", lambda: any(
            entry.kind == "start" and entry.op == "s1" and
            entry.arn == self.client.arns["grows"] for entry in self.story.read_entries()))
        before = self.journal()["LastLsn"]
        self.assertTrue(self.is_full())
        names = [event.get("Name") for event in self.api.history(self.client.arns["grows"])]
        self.assertNotIn("s1", names)
        self.assertEqual(self.journal()["LastLsn"], before)

    def check_all(self):
        self.check_refusal()
        self.check_reads()
        self.check_plain()
        self.check_ends()
        self.check_growth_waits()
        self.check_delete()

    def check_afterwards(self):
        """There is space: it takes starts again, and everything ends."""
        wait_for("an end of being full", lambda: not self.is_full())
        self.client.start("after", "s")
        for name in ("grows", "after"):
            self.client.until_closed(name)
        for name in self.client.arns:
            if self.execution(name)["Status"] == "RUNNING":
                self.client.stop(name)
        self.story.judge()
        self.assertEqual(self.story.result.violations, [])
        self.assertGreater(self.story.result.judged, 50)


class FullDiskTest(FullTest):
    def doomed(self):
        self.api.create_function("doomed", self.story.archive("storm_forger"), "x", **DURABLE)

    def test_a_full_disk_refuses_new_work_and_ends_the_old(self):
        self.doomed()
        self.begin()
        self.fill_disk()
        self.assertLess(len(self.start_until_refused("c")), 200)
        self.check_all()
        self.free_disk()
        self.check_afterwards()

    def test_a_kill_on_a_full_disk_loses_nothing(self):
        self.begin()
        self.fill_disk()
        self.start_until_refused("c")
        self.client.stop("stopped")
        self.story.daemon.kill()
        self.story.daemon.start()
        if self.story.daemon.wait_ready():
            self.check_reads()
            self.client.complete("asks")
            self.story.daemon.kill()
        else:
            self.assertEqual(self.story.daemon.process.returncode, 1)
            self.assertIn("free some on its disk", self.story.last_words())
        self.free_disk()
        self.story.start_daemon()
        self.client.complete("grows")
        self.check_afterwards()


class FullMapTest(FullTest):
    config = "[daemon]\ndrain_s = 2\n\n[journal]\nlog_map_mb = 16\nviews_map_mb = 16\n\n"

    def check_growth_waits(self):
        """In a map what ended just now makes room, so growth may go on: that it waits is
        shown on a full disk."""
        self.client.complete("grows")

    def test_a_full_map_refuses_new_work_until_it_is_larger(self):
        self.api.create_function("doomed", self.story.archive("storm_forger"), "x", **DURABLE)
        self.begin()
        self.fill_map()
        self.check_all()
        self.story.daemon.process.terminate()
        self.assertEqual(self.story.daemon.process.wait(60), 0)
        self.place.configure("[journal]\nlog_map_mb = 64\nviews_map_mb = 64\n\n")
        self.story.start_daemon()
        self.check_afterwards()


if __name__ == "__main__":
    try:
        enter_namespace()
    except OSError as error:
        print(f"skipped: no disk of our own: {error}", file=sys.stderr)
        sys.exit(SKIPPED)
    unittest.main(verbosity=2)
