"""pawl dev: it deploys what it was given, again when that changes, and restarts."""
import os
import shutil
import signal
import sys
import threading
import unittest

import daemon


class Dev(daemon.Case):
    def setUp(self):
        super().setUp()
        self.lines = []

    def dev(self, *arguments):
        process = self.start(*arguments, command="dev")
        threading.Thread(target=self.read, args=(process,), daemon=True).start()
        return process

    def read(self, process):
        for line in process.stdout:
            self.lines.append(line.decode())

    def said(self, words, count=1):
        def is_said():
            self.skip_without_sandbox()
            return sum(words in line for line in self.lines) >= count

        daemon.wait_for(words, is_said)

    def server_pid(self, process):
        """The child that serves."""
        with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as file:
            for pid in file.read().split():
                with open(f"/proc/{pid}/cmdline", "rb") as words:
                    if words.read().split(b"\0")[1:2] == [b"serve"]:
                        return int(pid)
        return None

    def program(self, name):
        path = os.path.join(self.directory, name)
        shutil.copy("/bin/true", path)
        return path

    def test_programs_are_deployed_and_again_when_they_change(self):
        path = self.program("my order.bin")
        process = self.dev(path)
        self.said("my-order is deployed from")
        self.assertIn('"FunctionName":"my-order"', self.ask("GET", "/2015-03-31/functions")[1])
        with open(path, "ab") as file:
            file.write(b"more")
        self.said("my-order is deployed from", 2)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(daemon.DEADLINE_S), 0)
        self.assertFalse(os.path.exists(self.socket))

    def test_an_accident_is_followed_by_a_restart(self):
        process = self.dev()
        self.said("ready socket=")
        os.kill(self.server_pid(process), signal.SIGKILL)
        self.said("ended by accident (signal 9)")
        self.said("the daemon serves again")
        self.assertEqual(self.ask("GET", "/pawl/v1/status")[0], 200)

    def test_the_server_ends_with_its_supervisor(self):
        process = self.dev()
        self.said("ready socket=")
        pid = self.server_pid(process)
        process.kill()
        process.wait()
        daemon.wait_for("the end of the server", lambda: not os.path.exists(self.socket))
        daemon.wait_for("the process to be gone", lambda: not is_alive(pid))

    def test_what_cannot_serve_is_not_tried_again(self):
        process = self.dev("--isolation", "some")
        self.assertEqual(process.wait(daemon.DEADLINE_S), 2)
        process = self.dev(os.path.join(self.directory, "none"))
        self.assertEqual(process.wait(daemon.DEADLINE_S), 2)
        self.assertIn("there is no program", self.log())


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
