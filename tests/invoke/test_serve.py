"""pawl serve: how it starts, refuses to, reads its configuration again, and ends."""
import base64
import io
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import unittest
import zipfile

import daemon


class Serve(daemon.Case):
    def test_ready_line_names_everything(self):
        process, line = self.serve("--listen", "127.0.0.1:0")
        found = re.fullmatch(r"ready socket=(\S+) listen=127\.0\.0\.1:(\d+) data=(\S+) (sandbox: "
                             r".+)\n", line)
        self.assertIsNotNone(found, line)
        self.assertEqual(found.group(1), self.socket)
        self.assertEqual(found.group(3), self.data)
        self.assertEqual(self.ask("GET", "/pawl/v1/status")[0], 200)
        with socket.create_connection(("127.0.0.1", int(found.group(2)))) as tcp:
            tcp.sendall(b"GET /pawl/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertIn(b" 403 ", tcp.recv(100))
        process.terminate()
        self.assertEqual(process.wait(daemon.DEADLINE_S), 0)
        self.assertFalse(os.path.exists(self.socket))

    def test_everything_it_makes_is_for_its_user_alone(self):
        old = os.umask(0)
        try:
            self.serve()
        finally:
            os.umask(old)
        for root, dirs, files in os.walk(self.data):
            for name in dirs + files:
                mode = stat.S_IMODE(os.lstat(os.path.join(root, name)).st_mode)
                self.assertEqual(mode & 0o077, 0, f"{name} has mode {mode:o}")
        self.assertEqual(stat.S_IMODE(os.stat(self.data).st_mode), 0o700)
        self.assertEqual(stat.S_IMODE(os.stat(self.socket).st_mode), 0o600)

    def test_it_has_no_privileges(self):
        process, _ = self.serve()
        with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
            status = dict(line.split(":\t", 1) for line in file if ":\t" in line)
        for name in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
            self.assertEqual(int(status[name], 16), 0, name)
        self.assertEqual(status["NoNewPrivs"].strip(), "1")
        with open(f"/proc/{process.pid}/limits", encoding="ascii") as file:
            self.assertIn(("Max", "core", "file", "size", "0", "0", "bytes"),
                          [tuple(line.split()) for line in file])

    def sleeper(self):
        """A program that runs, and never says that it is ready."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            info = zipfile.ZipInfo("bootstrap")
            info.external_attr = 0o755 << 16
            file.writestr(info, "#!/bin/sh\nexec sleep 1000\n")
        return base64.b64encode(archive.getvalue()).decode()

    def test_second_signal_ends_at_once(self):
        path = os.path.join(self.directory, "own.ini")
        with open(path, "w", encoding="ascii") as file:
            file.write("[limits]\nenvironment_init_ms = 600000\n")
        self.drain_s = 600
        process, _ = self.serve("--config", path)
        body = {"FunctionName": "f", "Role": "r", "Runtime": "provided.al2023", "Handler": "h",
                "Timeout": 900, "Code": {"ZipFile": self.sleeper()}}
        self.assertEqual(self.ask("POST", "/2015-03-31/functions", json.dumps(body))[0], 201)
        caller = daemon.Connection(self.socket)
        caller.request("POST", "/2015-03-31/functions/f/invocations", "{}")
        daemon.wait_for("an environment", lambda: json.loads(
            self.ask("GET", "/pawl/v1/status")[1])["Environments"])
        process.send_signal(signal.SIGTERM)
        daemon.wait_for("the drain", lambda: "ending: running functions have 600 s" in self.log())
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(daemon.DEADLINE_S), 128 + signal.SIGINT)
        caller.close()

    def test_a_second_daemon_is_refused(self):
        first, _ = self.serve()
        self.refused(1, f"another daemon uses {self.data}")
        self.assertIsNone(first.poll())
        self.assertEqual(self.ask("GET", "/pawl/v1/status")[0], 200)

    def test_wrong_command_lines_and_files(self):
        for arguments, words in (
                (["--colour"], "unrecognized option"), (["x"], "'x' is not an option"),
                (["--config", "/nowhere"], "open /nowhere"),
                (["--isolation", "some"], "one of: sandbox none")):
            self.refused(2, words, *arguments)
        os.mkdir(self.data, 0o700)
        with open(os.path.join(self.data, "pawl.ini"), "w", encoding="ascii") as file:
            file.write("[daemon]\n\nsize = 7\n")
        self.refused(2, "pawl.ini:3: [daemon]: it has no such key")

    def test_lost_keys_are_not_replaced(self):
        process, _ = self.serve()
        process.terminate()
        self.assertEqual(process.wait(daemon.DEADLINE_S), 0)
        for name in ("root.key", "keyring"):
            os.rename(os.path.join(self.data, name), os.path.join(self.directory, name))
        self.refused(1, "its keys are missing")
        self.assertFalse(os.path.exists(os.path.join(self.data, "root.key")))
        for name in ("root.key", "keyring"):
            os.rename(os.path.join(self.directory, name), os.path.join(self.data, name))
        self.serve()

    def test_open_data_directories_are_closed(self):
        os.mkdir(self.data)
        os.chmod(self.data, 0o755)
        self.serve()
        self.assertEqual(stat.S_IMODE(os.stat(self.data).st_mode), 0o700)
        self.assertIn("its mode is now 0700", self.log())

    def test_hangup_reads_the_configuration_again(self):
        path = os.path.join(self.directory, "own.ini")
        with open(path, "w", encoding="ascii") as file:
            file.write("[daemon]\nlog_level = info\n")
        process, _ = self.serve("--config", path)
        with open(path, "w", encoding="ascii") as file:
            file.write("[daemon]\nlog_json = yes\nregion = elsewhere\n")
        process.send_signal(signal.SIGHUP)
        daemon.wait_for("the change", lambda: "log_json is changed" in self.log())
        self.assertIn("[daemon] region needs a restart", self.log())
        daemon.wait_for("JSON lines", lambda: '{"' in self.log())
        with open(path, "w", encoding="ascii") as file:
            file.write("[daemon]\nnonsense\n")
        process.send_signal(signal.SIGHUP)
        daemon.wait_for("the refusal", lambda: "stays as it was" in self.log())
        self.assertEqual(self.ask("GET", "/pawl/v1/status")[0], 200)

    def test_a_grant_of_the_data_directory_is_refused(self):
        path = os.path.join(self.directory, "own.ini")
        with open(path, "w", encoding="ascii") as file:
            file.write(f"[function f]\ngrants = {self.directory}\n")
        self.refused(1, "it would show the function the data directory", "--config", path)

    def test_a_lost_launcher_ends_it_with_70(self):
        process, _ = self.serve()
        with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as file:
            children = [int(pid) for pid in file.read().split()]
        self.assertEqual(len(children), 1)
        os.kill(children[0], signal.SIGKILL)
        self.assertEqual(process.wait(daemon.DEADLINE_S), 70)
        self.assertIn("the launcher has died", self.log())
        self.serve()

    def test_the_journal_is_there_after_kill(self):
        process, _ = self.serve()
        process.kill()
        process.wait()
        process, _ = self.serve()
        process.terminate()
        self.assertEqual(process.wait(daemon.DEADLINE_S), 0)
        done = subprocess.run([daemon.PAWL, "verify", "--data", self.data], timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_help_and_version(self):
        for command in ("serve", "dev"):
            out = subprocess.run([daemon.PAWL, command, "--help"], stdout=subprocess.PIPE,
                                 check=True, timeout=60, text=True).stdout
            self.assertIn(f"Usage: pawl {command} [OPTIONS]", out)
            for option in ("--data", "--socket", "--listen", "--config"):
                self.assertIn(option, out)
        out = subprocess.run([daemon.PAWL, "--version"], stdout=subprocess.PIPE, check=True,
                             timeout=60, text=True).stdout
        self.assertRegex(out, r"^pawl \d+\.\d+\.\d+\n$")

    def test_launcher_is_not_for_users(self):
        done = subprocess.run([daemon.PAWL, "launcher"], stderr=subprocess.PIPE, timeout=60,
                              check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"not by you", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
