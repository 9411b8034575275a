#!/usr/bin/python3
"""Ten thousand slow clients, and what one good client notices of them. Not a test: it prints
figures, as one line of JSON.

    tests/http/slow.py BUILD [--slow N] [--seconds S]

The daemon has room for a few connections more than these. The slow clients come from many
loopback addresses, 200 each. A third sends a byte of a head each second and, given up after
five, comes again; a third sends a body at little more than the least rate; a third says
nothing. The good client sends one request after the other on one connection: alone, while the
slow ones are at another daemon, which takes the machine's time and nothing of ours, and while
they are at its own.
"""

import argparse
import json
import multiprocessing
import os
import resource
import socket
import statistics
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness"), os.path.join(HERE, "..", "..", "bench")]

from api import Api  # noqa: E402
from daemon import Daemon  # noqa: E402
import machine  # noqa: E402

PER_ADDRESS = 200
SLICES = 500  # of a second: not all of them at once
BODY_BYTES = 60000
RATE = 1100
TURNS = 3


def head_of(token, method="GET", length=0):
    return (f"{method} /2015-03-31/functions HTTP/1.1\r\nHost: localhost\r\nAuthorization: "
            f"Bearer {token}\r\nContent-Length: {length}\r\n\r\n").encode()


class Slow:
    """One slow client, that comes again when it has been given up."""

    def __init__(self, number, port, token):
        self.number = number
        self.port = port
        self.kind = number % 3
        self.token = token
        self.sock = None
        self.sent = 0

    def open(self):
        self.sock = socket.socket()
        self.sock.bind((f"127.0.{self.number // PER_ADDRESS + 1}.1", 0))
        self.sock.connect(("127.0.0.1", self.port))
        self.sock.setblocking(False)
        self.sent = 0
        if self.kind == 1:
            self.sock.send(head_of(self.token, "POST", BODY_BYTES))

    def step(self):
        """False: it has been given up."""
        try:
            if self.kind == 0:
                self.sock.send(head_of(self.token)[self.sent:self.sent + 1])
                self.sent += 1
            elif self.kind == 1 and self.sent < BODY_BYTES - RATE:
                self.sent += self.sock.send(b"x" * RATE)
            return self.sock.recv(1) == b"" and False
        except BlockingIOError:
            return True
        except OSError:
            return False


def be_slow(port, token, count, opened, sent, stop):
    clients = [Slow(number, port, token) for number in range(count)]
    for client in clients:
        client.open()
        opened.value += 1
    slices = [clients[number::SLICES] for number in range(SLICES)]
    turn = 0
    while not stop.is_set():
        begun = time.monotonic()
        for client in slices[turn % SLICES]:
            if not client.step():
                client.sock.close()
                client.open()
            sent.value += 1
        turn += 1
        time.sleep(max(0, 1 / SLICES - (time.monotonic() - begun)))


class Good:
    def __init__(self, port, token):
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request = head_of(token)

    def measure(self, seconds):
        """Microseconds of each request."""
        times = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            begun = time.perf_counter_ns()
            self.sock.sendall(self.request)
            answer = self.sock.recv(65536)
            times.append((time.perf_counter_ns() - begun) / 1000)
            if not answer.startswith(b"HTTP/1.1 200 "):
                raise SystemExit(f"slow.py: the good client got {answer[:100]}")
        return times


def p99(turns):
    return statistics.median(percentile(turn, .99) for turn in turns)


def p50(turns):
    return statistics.median(percentile(turn, .5) for turn in turns)


def percentile(times, part):
    return sorted(times)[min(len(times) - 1, int(len(times) * part))]


class Crowd:
    """All slow clients of a daemon, in a process of their own."""

    def __init__(self, daemon, count):
        self.opened = multiprocessing.Value("i", 0)
        self.sent = multiprocessing.Value("i", 0)
        self.stop = multiprocessing.Event()
        self.process = multiprocessing.Process(target=be_slow, args=(
            *door_of(daemon), count, self.opened, self.sent, self.stop))
        self.process.start()
        while self.opened.value < count and self.process.is_alive():
            time.sleep(0.05)
        time.sleep(6)  # the first have been given up

    def end(self):
        self.stop.set()
        self.process.join()


def door_of(daemon):
    """Port and token."""
    words = dict(word.split("=", 1) for word in daemon.ready_line.split() if "=" in word)
    with open(os.path.join(daemon.data, "token"), encoding="utf-8") as file:
        return int(words["listen"].rsplit(":", 1)[1]), file.read().strip()


def run(daemon, neighbour, options):
    good = Good(*door_of(daemon))

    def turns():
        return [good.measure(options.seconds) for _ in range(TURNS)]

    good.measure(1)
    quiet = turns()
    crowd = Crowd(neighbour, options.slow)
    beside = turns()
    crowd.end()
    quiet += turns()
    memory_before = machine.memory(daemon.process.pid)
    crowd = Crowd(daemon, options.slow)
    cpu_before = machine.cpu_s(daemon.process.pid)
    sent_before = crowd.sent.value
    begun = time.monotonic()
    crowded = turns()
    cpu = machine.cpu_s(daemon.process.pid) - cpu_before
    memory = machine.memory(daemon.process.pid)
    rate = (crowd.sent.value - sent_before) / (time.monotonic() - begun)
    descriptors = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
    Api(daemon.socket).request("GET", "/pawl/v1/status")
    crowd.end()
    quiet += turns()
    print(json.dumps({
        "slow": crowd.opened.value, "descriptors": descriptors, "slow_steps_per_s": round(rate),
        "p99_ratio_to_beside": round(p99(crowded) / p99(beside), 2),
        "p99_ratio_to_quiet": round(p99(crowded) / p99(quiet), 2),
        "p99_quiet_us": round(p99(quiet)), "p99_beside_us": round(p99(beside)),
        "p99_us": round(p99(crowded)), "p50_quiet_us": round(p50(quiet)),
        "p50_beside_us": round(p50(beside)), "p50_us": round(p50(crowded)),
        "requests": sum(map(len, crowded)), "daemon_cpu_s": round(cpu, 2),
        "bytes_before": memory_before[0], "bytes": memory[0]}))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--slow", type=int, default=10000)
    parser.add_argument("--seconds", type=float, default=3, help="of each of the turns")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < 2 * options.slow:
        raise SystemExit(f"slow.py: {hard} descriptors are too few, for half of them is TCP's")
    with tempfile.TemporaryDirectory(prefix="pawl-slow-") as scratch:
        config = os.path.join(scratch, "pawl.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"[limits]\nconnections_max = {options.slow + 100}\n")
        daemons = []
        for name in ("own", "neighbour"):
            os.mkdir(os.path.join(scratch, name))
            daemons.append(Daemon(options.build, os.path.join(scratch, name, "data"),
                                  ["--listen", "127.0.0.1:0", "--config", config]))
        try:
            for daemon in daemons:
                daemon.run()
            run(*daemons, options)
        finally:
            for daemon in daemons:
                if daemon.process is not None:
                    daemon.end()


if __name__ == "__main__":
    main()
