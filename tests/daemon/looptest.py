"""Recursive loops: a function that is invoked again and again in one chain of invokes.

    looptest.py BUILD

The chain is in the trace that each invocation gets. Here the test passes it on as AWS's SDKs do
inside a function, and the daemon itself in destinations and chained invokes.
"""

import json
import os
import re
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness"), HERE]

from daemontest import wait_for  # noqa: E402
from case import ARN, Case, DURABLE  # noqa: E402

INVOKE = "/2015-03-31/functions/{}/invocations"
RECURSION = "/2024-08-31/functions/{}/recursion-config"
DESTINATIONS = "/2019-09-25/functions/{}/event-invoke-config?Qualifier=$LATEST"
RUNS_MAX = 16
LOOP = (400, "RecursiveInvocationException", "16 times")


class LoopTest(Case):
    def trace_after(self, trace, function="facts", **more):
        headers = dict({"X-Amzn-Trace-Id": trace} if trace else {}, **more)
        answer = self.post(INVOKE, function, "{}", headers).json()
        return answer["traceId"]

    def runs(self, count, trace=None):
        for _ in range(count):
            trace = self.trace_after(trace)
        return trace

    def allow(self, function):
        self.api.request("PUT", RECURSION.format(function), '{"RecursiveLoop":"Allow"}')

    def resting(self):
        return self.api.request("GET", "/pawl/v1/status").json()["Executions"]["Hot"] == 0

    # --- what is invoked by a function's own call ------------------------------------------

    def test_each_run_is_counted_in_the_trace(self):
        self.deploy("facts")
        first = self.trace_after("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1")
        self.assertRegex(first, r"^Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1;"
                         r"Lineage=[0-9a-f]{8}:1$")
        self.assertEqual(self.trace_after(first), first[:-1] + "2")
        self.assertRegex(self.trace_after(None), r"^Root=.*;Lineage=[0-9a-f]{8}:1$")

    def test_the_seventeenth_run_is_refused(self):
        self.deploy("facts")
        self.deploy("other", "facts")
        self.deploy("durable", "keeps", **DURABLE)
        trace = self.runs(RUNS_MAX)
        header = {"X-Amzn-Trace-Id": trace}
        self.refused(*LOOP, self.post, INVOKE, "facts", "{}", header)
        self.refused(*LOOP, self.post, INVOKE, "facts", "{}",
                     dict(header, **{"X-Amz-Invocation-Type": "Event"}))
        self.refused(*LOOP, self.post, "/2021-11-15/functions/{}/response-streaming-invocations",
                     "facts", "{}", header)
        self.post(INVOKE, "facts", "{}", dict(header, **{"X-Amz-Invocation-Type": "DryRun"}))
        self.assertTrue(self.trace_after(trace, "other").startswith(trace + "|"))
        self.assertEqual(self.post(INVOKE, "durable:$LATEST", "7", header).json(), 7)
        self.runs(1)  # without the trace it is another chain

    def test_a_function_may_be_allowed_to_loop(self):
        self.deploy("facts")
        self.allow("facts")
        trace = self.runs(RUNS_MAX + 4)
        self.assertTrue(trace.endswith(":20"), trace)
        self.kill_and_restart()
        self.assertTrue(self.runs(1, trace).endswith(":21"))

    def test_a_damaged_lineage_counts_nothing(self):
        self.deploy("facts")
        for lineage in ("", ":", "zz:16", "00000000:16;Lineage=", "1:2:3", "|||", "x" * 150):
            trace = self.trace_after("Root=1;Lineage=" + lineage)
            self.assertRegex(trace, r"^Root=1;Lineage=.*\b[0-9a-f]{8}:1$")

    # --- what the daemon passes on -----------------------------------------------------------

    def tell(self, function, target):
        self.api.request("PUT", DESTINATIONS.format(function), json.dumps(
            {"DestinationConfig": {"OnSuccess": {"Destination": ARN + target + ":$LATEST"}}}))

    def ping_pong(self, begin):
        for name, target in (("ping", "pong"), ("pong", "ping")):
            self.deploy(name, "keeps", **DURABLE)
        for name, target in (("ping", "pong"), ("pong", "ping")):
            self.tell(name, target)
        begin()
        self.api.invoke("ping:$LATEST", '"go"', kind="Event")

    def log(self):
        with open(self.daemon.log, encoding="utf-8") as file:
            return file.read()

    def test_destinations_do_not_go_round_for_ever(self):
        self.ping_pong(lambda: None)
        wait_for("the end", lambda: re.search(r"destination \S+:ping:\S+ was not told.*recursive",
                                              self.log()))
        wait_for("rest", self.resting)
        self.assertEqual([len(self.executions(name)) for name in ("ping", "pong")],
                         [RUNS_MAX, RUNS_MAX])

    def test_destinations_may_be_allowed_to(self):
        self.ping_pong(lambda: [self.allow(name) for name in ("ping", "pong")])
        wait_for("more rounds", lambda: len(self.executions("pong")) > RUNS_MAX + 2)
        for name in ("ping", "pong"):
            self.api.request("DELETE", DESTINATIONS.format(name))
        wait_for("rest", self.resting)

    def test_a_durable_function_that_invokes_itself_fails(self):
        self.deploy("circles", **DURABLE)
        answer = self.api.invoke("circles:$LATEST", json.dumps(ARN + "circles:$LATEST"))
        self.assertIn("recursive loop", answer.body.decode())
        wait_for("rest", self.resting)
        self.assertEqual(len(self.executions("circles")), RUNS_MAX)


if __name__ == "__main__":
    unittest.main(verbosity=2)
