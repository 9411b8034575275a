"""What `meson install` puts down is whole, and a workflow can be compiled with it alone.

    test_install.py ROOT BUILD MESON CC
"""

import configparser
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

ROOT, BUILD, MESON, CC = (sys.argv.pop(1) for _ in range(4))
FILES = ("bin/pawl", "include/pawl/pawl.h", "share/man/man1/pawl.1", "share/man/man5/pawl.conf.5",
         "share/bash-completion/completions/pawl", "lib/systemd/system/pawl.service",
         "share/pawl/runtimes/python3.11/bootstrap", "share/pawl/runtimes/nodejs22.x/make",
         "share/pawl/runtimes/nodejs22.x/bootstrap.sh",
         "share/pawl/runtimes/nodejs22.x/node-path.mjs")


def run(*command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=120, check=False, **more)


def options_of_build():
    done = run(MESON, "introspect", "--buildoptions", BUILD)
    return {found["name"]: found["value"] for found in json.loads(done.stdout)}


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.options = options_of_build()
        cls.scratch = tempfile.TemporaryDirectory(prefix="pawl-install-")
        cls.directory = cls.scratch.name
        cls.root = os.path.join(cls.directory, "root")
        cls.prefix = cls.root + cls.options["prefix"]
        done = run(MESON, "install", "-C", BUILD, "--no-rebuild", "--destdir", cls.root)
        if done.returncode != 0:
            raise AssertionError(done.stdout)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def path(self, name):
        return os.path.join(self.prefix, name)

    def test_everything_is_there_and_nothing_else(self):
        found = {os.path.relpath(os.path.join(root, name), self.prefix)
                 for root, _, names in os.walk(self.root) for name in names}
        libraries = {os.path.join(self.options["libdir"], name)
                     for name in ("libpawl.a", "pkgconfig/pawl.pc")}
        self.assertEqual(found, set(FILES) | libraries)

    def test_the_program_runs(self):
        done = run(self.path("bin/pawl"), "--version")
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_a_workflow_is_compiled_with_what_pkg_config_says(self):
        if self.options["b_sanitize"] != "none":
            self.skipTest("a sanitized libpawl.a needs the sanitizer's runtime too")
        environ = dict(os.environ, PKG_CONFIG_SYSROOT_DIR=self.root,
                       PKG_CONFIG_LIBDIR=self.path(self.options["libdir"] + "/pkgconfig"))
        flags = run("pkg-config", "--cflags", "--libs", "pawl", env=environ).stdout.split()
        self.assertIn(f"-I{self.prefix}/include", flags)
        program = os.path.join(self.directory, "hello")
        done = run(CC, "-Wall", "-Werror", "-o", program,
                   os.path.join(ROOT, "examples/hello/hello.c"), *flags, cwd=self.directory)
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        done = run(program)
        self.assertEqual(done.returncode, 2)
        self.assertIn("This is a Pawl function", done.stdout)

    def test_the_library_shows_only_its_own_names(self):
        library = self.path(os.path.join(self.options["libdir"], "libpawl.a"))
        names = re.findall(r" [TDBRWC] (\w+)$", run("nm", "-g", library).stdout, re.M)
        self.assertGreater(len(names), 30)
        self.assertEqual([name for name in names
                          if not name.startswith(("pawl_", "main", "_", "DW."))], [])

    def test_completion_completes(self):
        script = f"source {self.path('share/bash-completion/completions/pawl')}; complete -p pawl"
        done = run("bash", "-c", script)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_the_unit_starts_again_what_the_document_says(self):
        unit = configparser.ConfigParser(interpolation=None, strict=False)
        unit.optionxform = str
        unit.read(self.path("lib/systemd/system/pawl.service"))
        service = unit["Service"]
        self.assertEqual(service["ExecStart"].split()[:2],
                         [os.path.join(self.options["prefix"], "bin/pawl"), "serve"])
        with open(os.path.join(ROOT, "docs/config.md"), encoding="utf-8") as file:
            again = re.findall(r"^\| (\d+) \|.*start it again", file.read(), re.M)
        self.assertGreaterEqual(len(again), 3)
        self.assertEqual(service["RestartForceExitStatus"].split(), again)
        self.assertEqual((service["Restart"], service["Delegate"], service["OOMPolicy"]),
                         ("on-failure", "yes", "continue"))

    def test_the_unit_is_one(self):
        if run("sh", "-c", "command -v systemd-analyze").returncode != 0:
            self.skipTest("no systemd-analyze")
        with open(self.path("lib/systemd/system/pawl.service"), encoding="utf-8") as file:
            text = file.read()
        copy = os.path.join(self.directory, "pawl.service")
        with open(copy, "w", encoding="utf-8") as file:
            file.write(text.replace(self.options["prefix"] + "/bin", self.path("bin")))
        done = run("systemd-analyze", "verify", "--man=no", copy)
        os.unlink(copy)
        self.assertEqual((done.returncode, done.stdout), (0, ""))


if __name__ == "__main__":
    unittest.main(verbosity=2)
