"""pawl dev: it deploys what it was given, again when that changes, and restarts."""
import json
import os
import shutil
import signal
import socket
import sys
import threading
import unittest

import daemon


class Dev(daemon.Case):
    def setUp(self):
        super().setUp()
        self.lines = []

    def dev(self, *arguments):
        if "--listen" not in arguments:  # others test on this machine too
            arguments = ("--listen", "127.0.0.1:0", *arguments)
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

    def test_a_directory_of_another_runtime_is_deployed_once_that_is_there(self):
        directory = os.path.join(self.directory, "greet")
        os.mkdir(directory)
        source = os.path.join(directory, "app.py")
        with open(source, "w", encoding="utf-8") as out:
            out.write("def handler(event, context): return 'hello ' + event\n")
        process = self.dev("--plain", directory)
        self.said("greet could not be deployed")
        body = json.dumps({"Directory": os.environ["PAWL_PYTHON_RUNTIME"]})
        self.assertEqual(self.ask("PUT", "/pawl/v1/runtimes/python3.11", body)[0], 200)
        os.utime(source, (1, 1))
        self.said("greet is deployed from")
        self.assertEqual(self.ask("POST", "/2015-03-31/functions/greet/invocations", '"you"'),
                         (200, '"hello you"'))
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(daemon.DEADLINE_S), 0)

    def test_an_accident_is_followed_by_a_restart(self):
        process = self.dev()
        self.said("ready socket=")
        os.kill(self.server_pid(process), signal.SIGKILL)
        self.said("ended by accident (signal 9)")
        self.said("the daemon serves again")
        self.assertEqual(self.ask("GET", "/pawl/v1/status")[0], 200)

    def told(self, name):
        """What the newest start has told a shell."""
        self.said(f"export {name}=")
        return [line.split("=", 1)[1].strip() for line in self.lines
                if line.startswith(f"export {name}=")][-1]

    def keys(self):
        return [(key["AccessKeyId"], key["Status"])
                for key in json.loads(self.ask("GET", "/pawl/v1/keys")[1])["Keys"]]

    def end(self, process):
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(daemon.DEADLINE_S), 0)
        self.lines.clear()

    def test_clients_of_aws_are_told_a_key_that_stays(self):
        process = self.dev("--region", "eu-west-1")
        first = self.told("AWS_ACCESS_KEY_ID")
        secret = self.told("AWS_SECRET_ACCESS_KEY")
        self.assertEqual(self.told("AWS_REGION"), "eu-west-1")
        self.assertEqual(self.told("AWS_DEFAULT_REGION"), "eu-west-1")
        self.assertRegex(self.told("AWS_ENDPOINT_URL_LAMBDA"), r"^http://127\.0\.0\.1:\d+$")
        self.assertEqual(self.keys(), [(first, "Active")])
        path = os.path.join(self.data, "access-key")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        with open(path, encoding="ascii") as file:
            self.assertEqual(file.read(), f"AWS_ACCESS_KEY_ID={first}\n"
                             f"AWS_SECRET_ACCESS_KEY={secret}\n")
        self.end(process)
        process = self.dev()
        self.assertEqual((self.told("AWS_SECRET_ACCESS_KEY"), self.told("AWS_ACCESS_KEY_ID")),
                         (secret, first))
        self.assertEqual(self.ask("DELETE", f"/pawl/v1/keys/{first}")[0], 204)
        self.end(process)
        process = self.dev()
        self.told("AWS_SECRET_ACCESS_KEY")
        self.assertEqual(self.keys(), [(self.told("AWS_ACCESS_KEY_ID"), "Active")])
        self.assertNotEqual(self.told("AWS_ACCESS_KEY_ID"), first)

    def test_a_key_file_that_is_none_is_named_and_left(self):
        os.mkdir(self.data, 0o700)
        path = os.path.join(self.data, "access-key")
        with open(path, "w", encoding="ascii") as file:
            file.write("mine\n")
        os.chmod(path, 0o600)
        self.dev()
        self.said("there is no access key for AWS's clients")
        self.assertIn(f"not an access key: remove {path}", self.log())
        self.assertEqual(self.keys(), [])

    def test_without_an_address_it_finds_one(self):
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                taken.bind(("127.0.0.1", 9100))
                taken.listen()
            except OSError:
                pass  # someone else's: as good
            self.start_without_address()
            self.assertRegex(self.told("AWS_ENDPOINT_URL_LAMBDA"), r"^http://127\.0\.0\.1:\d+$")
            self.assertNotIn(":9100", self.told("AWS_ENDPOINT_URL_LAMBDA"))

    def start_without_address(self):
        process = self.start(command="dev")
        threading.Thread(target=self.read, args=(process,), daemon=True).start()

    def test_the_port_stays_over_an_accident(self):
        process = self.dev()
        self.told("AWS_SECRET_ACCESS_KEY")
        host, port = self.told("AWS_ENDPOINT_URL_LAMBDA")[len("http://"):].split(":")
        os.kill(self.server_pid(process), signal.SIGKILL)
        self.said("the daemon serves again")
        with socket.create_connection((host, int(port)), daemon.DEADLINE_S) as tcp:
            tcp.sendall(b"GET /pawl/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertIn(b" 403 ", tcp.recv(100))

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
