"""What operators use, and what is the same for every command."""
import json
import os
import socket
import subprocess

import case
from fake_daemon import Answer, error


class Operator(case.Case):
    def test_functions_are_listed_in_pages_of_50(self):
        durable = {"FunctionName": "orders", "State": "Active", "Runtime": "provided.al2023",
                   "Timeout": 30, "MemorySize": 128, "CodeSize": 1000, "DurableConfig": {},
                   "LastModified": "2026-11-23T08:33:41.977+0000", "CapacityProviderConfig": {
                       "LambdaManagedInstancesCapacityProviderConfig": {
                           "PerExecutionEnvironmentMaxConcurrency": 64}}}
        self.script(Answer(200, {"Functions": [durable], "NextMarker": "x"}),
                    Answer(200, {"Functions": [{"FunctionName": "f"}]}))
        result = self.pawl("functions")
        self.assert_code(result, 0)
        self.assert_asked("GET /2015-03-31/functions?MaxItems=50",
                          "GET /2015-03-31/functions?MaxItems=50&Marker=x")
        rows = [line.split() for line in result.out.splitlines()]
        self.assertEqual(rows[1], ["orders", "Active", "yes", "provided.al2023", "30", "128", "64",
                                   "1000", "2026-11-23T08:33:41.977+0000", "-"])
        self.assertEqual(rows[2], ["f", "-", "no", "-", "-", "-", "1", "-", "-", "-"])

    def test_delete(self):
        self.script(Answer(204), Answer(200, {"StatusCode": 204}))
        result = self.pawl("delete", "f/../x")
        self.assert_code(result, 0)
        self.assertEqual(result.out, "deleted f/../x\n")
        self.assertEqual(self.pawl("delete", "..", "--output", "json").json(),
                         {"StatusCode": 204})
        self.assert_asked("DELETE /2015-03-31/functions/f%2F..%2Fx",
                          "DELETE /2015-03-31/functions/%2E%2E")

    def test_access_keys(self):
        key = {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "Status": "Active", "CreateDate": 1.5,
               "Account": "123456789012", "Description": "the CI"}
        self.script(Answer(201, dict(key, SecretAccessKey="s3cret")), Answer(201, key),
                    Answer(200, {"Keys": [key, dict(key, Status="Inactive", Description="")]}),
                    Answer(200, {"Keys": []}), Answer(200, key), Answer(200, key), Answer(204),
                    error(404, "ResourceNotFoundException", "There is no access key x."))
        result = self.pawl("keys", "create", "--description", "the CI")
        self.assert_code(result, 0)
        self.assertEqual(result.out.splitlines()[:2],
                         ["AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE",
                          "AWS_SECRET_ACCESS_KEY=s3cret"])
        self.assertEqual(self.pawl("keys", "create", "--output", "json").json(), key)
        rows = self.pawl("keys", "list").out.splitlines()
        self.assertEqual(rows[1].split(),
                         ["AKIAIOSFODNN7EXAMPLE", "Active", "1970-01-01T00:00:01.500Z", "the",
                          "CI"])
        self.assertEqual(rows[2].split()[1:], ["Inactive", "1970-01-01T00:00:01.500Z", "-"])
        self.assertEqual(self.pawl("keys", "list", "--output", "json").json(), {"Keys": []})
        self.assertEqual(self.pawl("keys", "disable", "AK/.").out, "disabled access key AK/.\n")
        self.assertEqual(self.pawl("keys", "enable", "A").out, "enabled access key A\n")
        self.assertEqual(self.pawl("keys", "delete", "A").out, "deleted access key A\n")
        result = self.pawl("keys", "delete", "x")
        self.assert_code(result, 3)
        self.assertIn("cannot delete access key x", result.err)
        self.assert_asked("POST /pawl/v1/keys", "POST /pawl/v1/keys", "GET /pawl/v1/keys",
                          "GET /pawl/v1/keys", "POST /pawl/v1/keys/AK%2F./disable",
                          "POST /pawl/v1/keys/A/enable", "DELETE /pawl/v1/keys/A",
                          "DELETE /pawl/v1/keys/x")
        self.assertEqual([json.loads(r.body) for r in self.daemon.requests[:2]],
                         [{"Description": "the CI"}, {}])

    def test_status_is_an_outline(self):
        self.script(Answer(200, {"Version": "0.1.0", "Ready": True, "Shards": [
            {"Shard": 0, "CommittedLsn": 17}, {"Shard": 1, "CommittedLsn": 4}],
            "Views": {"AppliedLsn": 17}}))
        result = self.pawl("status")
        self.assert_code(result, 0)
        self.assert_asked("GET /pawl/v1/status")
        self.assertEqual(result.out, "Version  0.1.0\nReady    true\nShards:\n"
                         "Shard  CommittedLsn\n0      17\n1      4\nViews:\n  AppliedLsn  17\n")

    def test_runtimes_are_added_listed_and_removed(self):
        self.script(Answer(200, {"Name": "x", "Directory": "/d"}), Answer(200, {}), Answer(204),
                    Answer(200, {"Runtimes": [{"Name": "x", "Directory": "/d"},
                                              {"Name": "y", "Directory": "/e",
                                               "Problem": "/e: No such file"}]}))
        result = self.pawl("runtime", "add", "nodejs22.x", "d", cwd=self.directory)
        self.assert_code(result, 0)
        self.assertEqual(result.out, "added nodejs22.x\n")
        self.assert_code(self.pawl("runtime", "add", "x", "/d", "--output", "json"), 0)
        self.assertEqual([json.loads(r.body) for r in self.daemon.requests],
                         [{"Directory": os.path.join(os.path.realpath(self.directory), "d")},
                          {"Directory": "/d"}])
        result = self.pawl("runtime", "remove", "a/b")
        self.assertEqual((result.code, result.out), (0, "removed a/b\n"))
        result = self.pawl("runtime", "list")
        self.assert_code(result, 0)
        self.assertEqual([line.split(None, 2) for line in result.out.splitlines()][1:],
                         [["x", "/d", "-"], ["y", "/e", "/e: No such file"]])
        self.assert_asked("PUT /pawl/v1/runtimes/nodejs22.x", "PUT /pawl/v1/runtimes/x",
                          "DELETE /pawl/v1/runtimes/a%2Fb", "GET /pawl/v1/runtimes")

    def test_a_runtime_that_is_refused_says_why(self):
        self.script(error(400, "InvalidParameterValueException", "The Directory cannot be."))
        result = self.pawl("runtime", "add", "x", "/d")
        self.assert_code(result, 4)
        self.assertIn("The Directory cannot be.", result.err)

    def test_backup_directory_is_made_absolute(self):
        self.script(Answer(200, {}), Answer(200, {}))
        self.assert_code(self.pawl("backup", "b", cwd=self.directory), 0)
        self.assert_code(self.pawl("backup", "/b"), 0)
        self.assertEqual([json.loads(r.body) for r in self.daemon.requests],
                         [{"Directory": os.path.join(os.path.realpath(self.directory), "b")},
                          {"Directory": "/b"}])
        self.assert_asked("POST /pawl/v1/backup", "POST /pawl/v1/backup")

    def test_verify_of_the_daemon(self):
        self.script(Answer(200, {"Checked": 10, "Damaged": []}),
                    Answer(200, {"Checked": 10, "Damaged": [{"Segment": "a", "Why": "mac"}]}),
                    Answer(200, {}))
        self.assert_code(self.pawl("verify"), 0)
        result = self.pawl("verify")
        self.assert_code(result, 1)
        self.assertIn("a        mac", result.out)
        self.assertEqual(result.err, "pawl: 1 of 10 things checked are damaged\n")
        self.assert_code(self.pawl("verify"), 6)  # an answer that says nothing is no success

    def test_verify_and_doctor_without_a_daemon_use_the_hooks(self):
        result = self.pawl("verify", "--data", "/d", TEST_HOOKS="1")
        self.assertEqual((result.code, result.out), (0, "table /d\n"))
        result = self.pawl("--output", "json", "verify", "--data", "/damaged", TEST_HOOKS="1")
        self.assertEqual((result.code, result.out), (1, "json /damaged\n"))
        result = self.pawl("doctor", TEST_HOOKS="1")
        self.assertEqual((result.code, result.out), (0, "doctor table\n"))
        self.assert_code(self.pawl("verify", "--data", "/d"), 6)
        self.assert_code(self.pawl("doctor"), 6)

    def test_logs_are_printed_line_by_line(self):
        lines = [{"time": "2026-11-23T09:29:22.123Z", "requestId": "12345678-9", "level": "INFO",
                  "message": "one\ntwo\x1b[2J\n"},
                 {"time": 1764802628.83, "requestId": "r", "level": "ERROR", "message": "é"}]
        data = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        pieces = [data[:10], data[10:150], b"\n", data[150:]]  # cut anywhere, empty lines
        self.script(Answer(200, pieces=pieces), Answer(200, pieces=[data]))
        pieces[2:3] = []
        self.daemon.answers[0].pieces = pieces
        result = self.pawl("logs", "f", "--since", "1970-01-01T00:00:10Z", "--follow")
        self.assert_code(result, 0)
        self.assertEqual(result.out, "2026-11-23T09:29:22.123Z  INFO  12345678  one\n"
                         "    two?[2J\n2025-12-03T22:57:08.830Z  ERROR  r  é\n")
        result = self.pawl("logs", "f", "--execution", case.ARN, "--output", "json")
        self.assertEqual(result.raw, data)
        self.assert_asked("GET /pawl/v1/logs/f?Since=10000&Follow=true",
                          f"GET /pawl/v1/logs/f?Execution={case.ARN_PATH}")

    def test_logs_of_an_unknown_function_are_exit_3(self):
        self.script(error(404, "ResourceNotFoundException", "Function not found: f"))
        result = self.pawl("logs", "f")
        self.assert_code(result, 3)
        self.assertEqual(result.out, "")


class Everywhere(case.Case):
    def test_no_daemon_is_exit_5_and_says_what_to_do(self):
        for word in ("status", "functions", "executions"):
            result = self.pawl(word, "--socket", "/nonexistent/pawl.sock")
            self.assert_code(result, 5)
            self.assertEqual(result.err, "pawl: no daemon listens on /nonexistent/pawl.sock: "
                             "start one with 'pawl dev' or give --socket\n")

    def test_socket_file_without_a_listener_is_exit_5(self):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(os.path.join(self.directory, "pawl.sock"))
        result = self.pawl("status")
        self.assert_code(result, 5)
        self.assertIn("no daemon listens on", result.err)

    def test_a_daemon_that_is_starting_is_waited_for(self):
        path = os.path.join(self.directory, "pawl.sock")
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(path)
        with subprocess.Popen([case.PROGRAM, "status", "--output", "json"],
                              env=self.environment(), stdout=subprocess.PIPE) as child:
            with self.assertRaises(subprocess.TimeoutExpired):
                child.wait(0.3)  # it has met the socket and has not given up
            os.unlink(path)
            self.script(Answer(200, {"Version": "1"}))
            out, _ = child.communicate(timeout=case.TIMEOUT_S)
        self.assertEqual(json.loads(out), {"Version": "1"})

    def test_too_long_a_socket_path_is_exit_2(self):
        self.assert_code(self.pawl("status", "--socket", "/" + "x" * 200), 2)

    def test_newest_socket_is_taken(self):
        """Both exist; the one of the home directory is younger or older by its time."""
        homes = os.path.join(self.directory, ".pawl")
        run = os.path.join(self.directory, "run", "pawl")
        os.makedirs(homes)
        os.makedirs(run)
        for directory, other in ((homes, run), (run, homes)):
            with socket.socket(socket.AF_UNIX) as dead:
                dead.bind(os.path.join(other, "pawl.sock"))
            os.utime(os.path.join(other, "pawl.sock"), (1, 1))
            self.daemon = case.FakeDaemon(directory, [Answer(200, {})])
            self.assert_code(self.pawl("status", PAWL_SOCKET=None, XDG_RUNTIME_DIR=os.path.join(
                self.directory, "run")), 0)
            self.daemon.close()
            os.unlink(os.path.join(other, "pawl.sock"))
        self.daemon = None

    def test_proxies_are_not_asked(self):
        self.script(Answer(200, {}))
        self.assert_code(self.pawl("status", http_proxy="http://127.0.0.1:1",
                                   ALL_PROXY="http://127.0.0.1:1"), 0)
        self.assert_asked("GET /pawl/v1/status")  # a proxy would be asked for http://...

    def test_answers_that_are_no_json_are_exit_6(self):
        self.script(Answer(200, "<html>"), Answer(200, "[]"), Answer(200, '{"Functions":1}'))
        self.assert_code(self.pawl("status"), 6)
        self.assert_code(self.pawl("status"), 6)
        self.assert_code(self.pawl("functions"), 6)

    def test_route_the_daemon_does_not_know_is_exit_4(self):
        self.script(Answer(404, "{}"))
        result = self.pawl("status")
        self.assert_code(result, 4)
        self.assertIn("the daemon does not support it (404)", result.err)

    def test_reads_are_tried_again_after_500_and_named_after_four(self):
        self.script(Answer(500), Answer(200, {}))
        self.assert_code(self.pawl("status"), 0)
        self.daemon.close()
        self.script(*[error(503, "ServiceException", "journal is full")] * 4)
        result = self.pawl("status")
        self.assert_code(result, 6)
        self.assertIn("journal is full (503, ServiceException)", result.err)

    def test_output_that_cannot_be_written_is_no_success(self):
        self.script(Answer(200, {"a": 1}))
        with open("/dev/full", "wb") as full:
            done = subprocess.run([case.PROGRAM, "status"], stdout=full, stderr=subprocess.PIPE,
                                  env=self.environment(), timeout=case.TIMEOUT_S, check=False)
        self.assertEqual(done.returncode, 6, done.stderr)

    def test_help_names_every_command_and_exit_code(self):
        result = self.pawl("--help")
        self.assert_code(result, 0)
        for word in ("serve", "dev", "deploy", "callback fail", "completion"):
            self.assertIn(f"\n  {word} ", result.out)
        for code in range(7):
            self.assertIn(f"\n  {code}  ", result.out)
        self.assertIn("--concurrency N", self.pawl("deploy", "--help").out)
        self.assertIn("Usage: pawl dev", self.pawl("dev", "-h").out)
        self.assertTrue(self.pawl("--version").out.startswith("pawl "))

    def test_wrong_command_lines_are_exit_2(self):
        for words in ([], ["frob"], ["callback"], ["deploy", "f"], ["status", "x"],
                      ["status", "--frob"], ["deploy", "f", "p", "--timeout"],
                      ["deploy", "f", "p", "--timeout", "0"],
                      ["deploy", "f", "p", "--memory", "128x"],
                      ["deploy", "f", "p", "--memory", "128", "--memory", "128"],
                      ["executions", "--status", "BAD"], ["executions", "--since", "soon"],
                      ["--output", "xml", "status"], ["logs", "f", "--since", "-1h"],
                      ["invoke", "f", "--async", "--log"], ["completion", "fish"]):
            with self.subTest(words=words):
                result = self.pawl(*words)
                self.assert_code(result, 2)
                self.assertTrue(result.err.startswith("pawl: "), result.err)
                self.assertEqual(result.err.count("\n"), 1)
                self.assertEqual(result.out, "")

    def complete(self, *words):
        script = os.path.join(self.directory, "completion")
        with open(script, "wb") as file:
            file.write(self.pawl("completion", "bash").raw)
        code = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); _pawl; ' \
               'printf "%s\\n" "${COMPREPLY[@]}"'
        done = subprocess.run(["bash", "-c", code, "-", script, *words], capture_output=True,
                              timeout=case.TIMEOUT_S, check=True, cwd=self.directory)
        self.assertEqual(done.stderr, b"")
        return done.stdout.decode().split()

    def test_completion_works_in_bash(self):
        self.assertEqual(self.complete("pawl", "de"), ["dev", "deploy", "delete"][0:3])
        self.assertEqual(self.complete("pawl", "callback", ""), ["succeed", "fail", "heartbeat"])
        self.assertEqual(self.complete("pawl", "keys", "d"), ["disable", "delete"])
        self.assertEqual(self.complete("pawl", "callback", "fail", "--me"), ["--message"])
        self.assertEqual(self.complete("pawl", "--socket", "/s", "deploy", "--mem"), ["--memory"])
        self.assertEqual(self.complete("pawl", "executions", "--sort", "st"), ["start", "status"])
        self.assertEqual(self.complete("pawl", "status", "--output", "j"), ["json"])
        self.assertEqual(self.complete("pawl", "completion", ""), ["bash"])
        self.assertEqual(self.complete("pawl", "deploy", "f", "comp"), ["completion"])


case.main()
