"""packaging/runtimes/nodejs22.x/make: what it says where it cannot make the runtime. What it
makes is tested by `run`.

    test_make.py MAKE
"""

import os
import subprocess
import sys
import tempfile
import unittest

MAKE = os.path.abspath(sys.argv.pop(1))
CANNOT = 77


class Make(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="pawl-make-")

    def tearDown(self):
        self.scratch.cleanup()

    def path(self, name):
        return os.path.join(self.scratch.name, name)

    def make(self, *arguments, path=None):
        done = subprocess.run(["/bin/bash", MAKE, *arguments], capture_output=True, text=True,
                              timeout=120, check=False,
                              env={"PATH": path or os.environ["PATH"]})
        return done.returncode, done.stderr

    def test_without_npm_it_cannot_be_made(self):
        os.mkdir(self.path("bin"))
        for tool in ("dirname", "basename", "mktemp", "mkdir", "rm", "timeout"):
            os.symlink(f"/usr/bin/{tool}", self.path(f"bin/{tool}"))
        code, said = self.make(self.path("out"), path=self.path("bin"))
        self.assertEqual(code, CANNOT, said)
        self.assertIn("npm is not installed: apt-get install npm", said)

    def test_without_a_registry_it_cannot_be_made(self):
        os.mkdir(self.path("bin"))
        with open(self.path("bin/npm"), "w", encoding="ascii") as out:
            out.write("#!/bin/sh\nexit 1\n")
        os.chmod(self.path("bin/npm"), 0o755)
        code, said = self.make(self.path("out"),
                               path=self.path("bin") + os.pathsep + os.environ["PATH"])
        self.assertEqual(code, CANNOT, said)
        self.assertIn("npm does not reach its registry", said)
        self.assertFalse(os.path.exists(self.path("out")))

    def test_what_is_no_runtime_is_not_replaced(self):
        os.mkdir(self.path("mine"))
        code, said = self.make(self.path("mine"))
        self.assertEqual(code, 1)
        self.assertIn("exists and is no runtime", said)

    def test_wrong_words_are_refused(self):
        for words in ((), ("--with-sdk", "d")):
            code, said = self.make(*words)
            self.assertEqual(code, 1)
            self.assertIn("usage: make DIR [--without-sdk]", said)


if __name__ == "__main__":
    unittest.main()
