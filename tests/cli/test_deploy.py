"""pawl deploy: the requests it makes and the archive it sends."""
import base64
import io
import json
import os
import stat
import zipfile

import case
from fake_daemon import Answer, error

MISSING = error(404, "ResourceNotFoundException", "Function not found: f")
CREATED = Answer(201, {"FunctionName": "f", "CodeSize": 123, "CodeSha256": "c2hh",
                       "State": "Active", "LastUpdateStatus": "Successful"})
UPDATED = Answer(200, CREATED.body)


def found(**configuration):
    return Answer(200, {"Configuration": {"FunctionName": "f", "State": "Active",
                                          **configuration}})


class Deploy(case.Case):
    def program(self, name="prog", content=b"\x7fELF program", mode=0o755):
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, mode)
        return path

    def sent(self, n):
        return json.loads(self.daemon.requests[n].body)

    def archive(self, n):
        body = self.sent(n)
        data = base64.b64decode((body.get("Code") or body)["ZipFile"], validate=True)
        return zipfile.ZipFile(io.BytesIO(data))

    def test_new_function_is_created_with_defaults(self):
        self.script(MISSING, CREATED)
        result = self.pawl("deploy", "f", self.program())
        self.assert_code(result, 0)
        self.assertEqual(result.out, "created f (123 bytes, sha256 c2hh)\n")
        self.assert_asked("GET /2015-03-31/functions/f", "POST /2015-03-31/functions")
        body = self.sent(1)
        self.assertEqual(self.daemon.requests[1].headers["content-type"], "application/json")
        del body["Code"]
        self.assertEqual(body, {"FunctionName": "f", "Runtime": "provided.al2023",
                                "Handler": "bootstrap",
                                "Role": "arn:aws:iam::123456789012:role/pawl"})
        archive = self.archive(1)
        self.assertEqual(archive.namelist(), ["bootstrap"])
        self.assertEqual(archive.read("bootstrap"), b"\x7fELF program")
        info = archive.getinfo("bootstrap")
        self.assertEqual(stat.S_IMODE(info.external_attr >> 16), 0o755)
        self.assertEqual(info.date_time, (1980, 1, 1, 0, 0, 0))

    def test_every_option_is_sent(self):
        self.script(MISSING, CREATED)
        result = self.pawl(
            "deploy", "f", self.program(), "--timeout", "30", "--memory=256", "--env", "A=1",
            "--env", 'B="x=y"', "--durable", "--execution-timeout", "600", "--retention", "7",
            "--concurrency", "16", "--runtime", "provided.al2", "--handler", "h",
            "--description", "ünïcode")
        self.assert_code(result, 0)
        body = self.sent(1)
        del body["Code"]
        self.assertEqual(body, {
            "FunctionName": "f", "Runtime": "provided.al2", "Handler": "h", "Timeout": 30,
            "Role": "arn:aws:iam::123456789012:role/pawl", "MemorySize": 256,
            "Description": "ünïcode", "Environment": {"Variables": {"A": "1", "B": '"x=y"'}},
            "DurableConfig": {"ExecutionTimeout": 600, "RetentionPeriodInDays": 7},
            "CapacityProviderConfig": {"LambdaManagedInstancesCapacityProviderConfig": {
                "PerExecutionEnvironmentMaxConcurrency": 16}}})

    def test_durable_alone_sends_its_defaults(self):
        self.script(MISSING, CREATED)
        self.assert_code(self.pawl("deploy", "f", self.program(), "--durable"), 0)
        self.assertEqual(self.sent(1)["DurableConfig"],
                         {"ExecutionTimeout": 86400, "RetentionPeriodInDays": 14})

    def test_existing_function_gets_code_then_settings(self):
        self.script(found(), UPDATED, UPDATED)
        result = self.pawl("deploy", "f", self.program(), "--timeout", "9")
        self.assert_code(result, 0)
        self.assertEqual(result.out, "updated f (123 bytes, sha256 c2hh)\n")
        self.assert_asked("GET /2015-03-31/functions/f", "PUT /2015-03-31/functions/f/code",
                          "PUT /2015-03-31/functions/f/configuration")
        self.assertEqual(list(self.sent(1)), ["ZipFile"])
        self.assertEqual(self.sent(2), {"Timeout": 9})

    def test_update_without_settings_is_code_only(self):
        self.script(found(DurableConfig={"ExecutionTimeout": 5}), UPDATED)
        self.assert_code(self.pawl("deploy", "f", self.program(), "--durable"), 0)
        self.assert_asked("GET /2015-03-31/functions/f", "PUT /2015-03-31/functions/f/code")

    def test_update_changes_only_the_durable_number_given(self):
        self.script(found(DurableConfig={"ExecutionTimeout": 5}), UPDATED, UPDATED)
        self.assert_code(self.pawl("deploy", "f", self.program(), "--retention", "3"), 0)
        self.assertEqual(self.sent(2), {"DurableConfig": {"RetentionPeriodInDays": 3}})

    def test_settings_wait_until_the_code_is_taken_in(self):
        self.script(found(), Answer(200, {"LastUpdateStatus": "InProgress"}),
                    found(LastUpdateStatus="InProgress"), found(LastUpdateStatus="Successful"),
                    UPDATED)
        self.assert_code(self.pawl("deploy", "f", self.program(), "--timeout", "9"), 0)
        self.assert_asked("GET /2015-03-31/functions/f", "PUT /2015-03-31/functions/f/code",
                          "GET /2015-03-31/functions/f", "GET /2015-03-31/functions/f",
                          "PUT /2015-03-31/functions/f/configuration")

    def test_pending_function_is_waited_for_and_its_failure_told(self):
        self.script(MISSING, Answer(201, {"State": "Pending"}), found(State="Pending"),
                    found(State="Failed", StateReason="no bootstrap in it"))
        result = self.pawl("deploy", "f", self.program())
        self.assert_code(result, 1)
        self.assertEqual(result.err,
                         "pawl: the daemon could not take in 'f': no bootstrap in it\n")

    def test_daemon_without_updates_is_an_error_and_deletes_nothing(self):
        for status in (404, 405):
            with self.subTest(status=status):
                self.script(found(), Answer(status, ""))
                result = self.pawl("deploy", "f", self.program())
                self.assert_code(result, 4)
                self.assertEqual(
                    result.err,
                    f"pawl: cannot deploy 'f': the daemon does not support it ({status})\n")
                self.assert_asked("GET /2015-03-31/functions/f",
                                  "PUT /2015-03-31/functions/f/code")
                self.daemon.close()
        self.daemon = None

    def test_refused_settings_say_that_the_code_is_updated(self):
        self.script(found(), UPDATED,
                    error(400, "InvalidParameterValueException", "it was not created durable"))
        result = self.pawl("deploy", "f", self.program(), "--durable")
        self.assert_code(result, 4)
        self.assertEqual(result.err, "pawl: cannot change the settings of 'f' (its code is "
                         "updated): it was not created durable (400, "
                         "InvalidParameterValueException)\n")

    def test_directory_is_sorted_and_the_same_every_time(self):
        for name in ("lib/b.txt", "bootstrap", "lib/a.so", "Z"):
            self.program("d/" + name, name.encode(), 0o755 if name.endswith(".so") else 0o644)
        bodies = []
        for zone, age in (("UTC", 1), ("Asia/Tokyo", 10**9)):
            for root, _, files in os.walk(os.path.join(self.directory, "d")):
                for file in files:
                    os.utime(os.path.join(root, file), (age, age))
            self.script(MISSING, CREATED)
            self.assert_code(self.pawl("deploy", "f", os.path.join(self.directory, "d"), TZ=zone),
                             0)
            bodies.append(self.daemon.requests[1].body)
            archive = self.archive(1)
            self.daemon.close()
        self.daemon = None
        self.assertEqual(bodies[0], bodies[1])
        self.assertEqual(archive.namelist(), ["Z", "bootstrap", "lib/a.so", "lib/b.txt"])
        modes = [stat.S_IMODE(i.external_attr >> 16) for i in archive.infolist()]
        self.assertEqual(modes, [0o644, 0o755, 0o755, 0o644])

    def test_zip_is_taken_as_it_is(self):
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as archive:
            archive.writestr("bootstrap", "x")
        self.script(MISSING, CREATED)
        self.assert_code(self.pawl("deploy", "f", self.program("f.zip", data.getvalue(), 0o644)),
                         0)
        self.assertEqual(base64.b64decode(self.sent(1)["Code"]["ZipFile"]), data.getvalue())

    def deployed(self, path, *more):
        """Runtime and handler of a new function, and the names in its archive."""
        self.script(MISSING, CREATED)
        result = self.pawl("deploy", "f", os.path.join(self.directory, path), *more)
        self.assert_code(result, 0)
        sent = self.sent(1)["Runtime"], self.sent(1)["Handler"], self.archive(1).namelist()
        self.daemon.close()
        self.daemon = None
        return sent

    def test_files_say_what_runs_them(self):
        self.program("m/index.mjs")
        self.assertEqual(self.deployed("m"), ("nodejs22.x", "index.handler", ["index.mjs"]))
        self.program("j/index.js")
        self.assertEqual(self.deployed("j"), ("nodejs22.x", "index.handler", ["index.js"]))
        self.program("p/app.py")
        self.assertEqual(self.deployed("p"), ("python3.11", "app.handler", ["app.py"]))
        self.program("p/bootstrap")
        self.assertEqual(self.deployed("p"), ("provided.al2023", "bootstrap",
                                              ["app.py", "bootstrap"]))

    def test_runtime_and_handler_may_be_said(self):
        self.program("m/main.mjs")
        how = ("--runtime", "nodejs22.x", "--handler", "main.run")
        self.assertEqual(self.deployed("m", *how), ("nodejs22.x", "main.run", ["main.mjs"]))
        self.program("m/app.py")
        self.assertEqual(self.deployed("m", "--handler", "other.run")[:2],
                         ("python3.11", "other.run"))

    def test_a_script_is_deployed_alone(self):
        self.program("hello.mjs", b"export const handler = 1;", 0o644)
        self.assertEqual(self.deployed("hello.mjs"),
                         ("nodejs22.x", "index.handler", ["index.mjs"]))
        self.program("hello.js", b"exports.handler = 1;", 0o644)
        self.assertEqual(self.deployed("hello.js"), ("nodejs22.x", "index.handler", ["index.js"]))
        self.program("hello.py", b"handler = 1", 0o644)
        self.assertEqual(self.deployed("hello.py"), ("python3.11", "app.handler", ["app.py"]))
        self.program("tool.py", b"#!/usr/bin/python3\n")
        self.assertEqual(self.deployed("tool.py"), ("provided.al2023", "bootstrap",
                                                    ["bootstrap"]))

    def test_a_zip_is_looked_into(self):
        for name, runtime in (("index.mjs", "nodejs22.x"), ("app.py", "python3.11"),
                              ("bootstrap", "provided.al2023")):
            data = io.BytesIO()
            with zipfile.ZipFile(data, "w") as archive:
                archive.writestr(name, "x")
            self.program("f.zip", data.getvalue(), 0o644)
            self.assertEqual(self.deployed("f.zip")[0], runtime)

    def test_what_npm_links_is_left_out(self):
        self.program("d/index.mjs")
        self.program("d/node_modules/tool/cli.js")
        os.makedirs(os.path.join(self.directory, "d/node_modules/.bin"))
        os.symlink("../tool/cli.js", os.path.join(self.directory, "d/node_modules/.bin/tool"))
        self.assertEqual(self.deployed("d")[2], ["index.mjs", "node_modules/tool/cli.js"])
        os.makedirs(os.path.join(self.directory, "d/.bin"))
        os.symlink("../index.mjs", os.path.join(self.directory, "d/.bin/tool"))
        self.refuse(os.path.join(self.directory, "d"), "tool is a symbolic link")

    def test_code_that_looks_like_another_runtimes_is_noted(self):
        self.program("d/index.mjs")
        self.script(found(Runtime="provided.al2023"), UPDATED)
        result = self.pawl("deploy", "f", os.path.join(self.directory, "d"))
        self.assert_code(result, 0)
        self.assertIn("'f' keeps its runtime provided.al2023, but its new code looks like "
                      "nodejs22.x's", result.err)

    def test_code_of_the_same_family_is_not_noted(self):
        self.program("d/index.mjs")
        self.script(found(Runtime="nodejs20.x"), UPDATED)
        self.assertEqual(self.pawl("deploy", "f", os.path.join(self.directory, "d")).err, "")

    def test_a_missing_runtime_says_how_to_add_it(self):
        self.program("d/index.mjs")
        words = "adds a runtime with: pawl runtime add nodejs22.x DIR"
        self.script(MISSING, error(400, "InvalidParameterValueException", words))
        result = self.pawl("deploy", "f", os.path.join(self.directory, "d"))
        self.assert_code(result, 4)
        self.assertIn(words, result.err)

    def refuse(self, path, words, *more):
        """Wrong files are found before the daemon is asked: there is none."""
        result = self.pawl("deploy", "f", path, *more)
        self.assert_code(result, 2)
        self.assertIn(words, result.err)
        self.assertEqual(result.out, "")

    def test_symbolic_links_are_never_followed(self):
        target = self.program("real")
        os.symlink(target, os.path.join(self.directory, "link"))
        self.refuse(os.path.join(self.directory, "link"), "is a symbolic link")
        self.program("d/bootstrap")
        os.symlink("/etc/passwd", os.path.join(self.directory, "d", "inner"))
        self.refuse(os.path.join(self.directory, "d"), "inner is a symbolic link")
        os.unlink(os.path.join(self.directory, "d", "inner"))
        os.symlink("/etc", os.path.join(self.directory, "d", "dir"))
        self.refuse(os.path.join(self.directory, "d"), "dir is a symbolic link")

    def test_other_wrong_files_are_refused(self):
        self.program("d/bootstrap")
        os.mkfifo(os.path.join(self.directory, "d", "pipe"))
        self.refuse(os.path.join(self.directory, "d"), "pipe is neither a file nor a directory")
        self.refuse(os.path.join(self.directory, "none"), "cannot open")
        self.refuse(self.program("empty", b""), "is empty")

    def test_files_that_nothing_runs_are_refused(self):
        self.program("e/readme")
        self.script(MISSING)
        result = self.pawl("deploy", "f", os.path.join(self.directory, "e"))
        self.assert_code(result, 2)
        self.assertIn("holds neither 'bootstrap' nor index.mjs, index.js or app.py", result.err)
        self.assert_asked("GET /2015-03-31/functions/f")

    def test_wrong_variables_are_refused(self):
        path = self.program()
        self.refuse(path, "--env A: give NAME=VALUE", "--env", "A")
        self.refuse(path, "--env =1: give NAME=VALUE", "--env", "=1")
        self.refuse(path, "--env A=2: this variable was given before", "--env", "A=1", "--env",
                    "A=2")

    def test_durable_numbers_need_a_durable_function(self):
        self.script(MISSING)
        result = self.pawl("deploy", "f", self.program(), "--retention", "3")
        self.assert_code(result, 2)
        self.assertIn("add --durable", result.err)
        self.assert_asked("GET /2015-03-31/functions/f")

    def test_json_is_the_daemons_answer(self):
        self.script(MISSING, CREATED)
        result = self.pawl("deploy", "f", self.program(), "--output", "json")
        self.assertEqual(result.raw, CREATED.body + b"\n")

    def test_large_program_is_sent_without_waiting_for_100_continue(self):
        content = os.urandom(3 << 20)
        self.script(MISSING, CREATED)
        self.assert_code(self.pawl("deploy", "f", self.program(content=content)), 0)
        self.assertEqual(self.archive(1).read("bootstrap"), content)
        self.assertNotIn("expect", self.daemon.requests[1].headers)


case.main()
