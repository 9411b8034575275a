#!/usr/bin/python3
"""Clients that only shake hands (TLS, an RSA key of 2,048 bits, no resumption), and what one
good client notices of them, without and with threads in front of the loop. Not a test: it
prints figures, as one line of JSON.

    tests/http/handshakes.py BUILD [--seconds S] [--clients N] [--threads T]

The two kinds of server are asked in turns. The good client sends one request after the other
on one connection: over TLS, as those who come do, or on the unix socket, which stands for all that
the loop itself does. `ratio` is its p99 to that without handshakes, of the same server in the same
turn.
"""

import argparse
import json
import multiprocessing
import os
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time

TURNS = 3
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def shake_hands(port, seconds, result):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    count = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.create_connection(("127.0.0.1", port)) as plain:
            context.wrap_socket(plain).close()
        count += 1
    result.put(count)


def ask(sock, seconds):
    """Latencies of one request after the other, in microseconds."""
    times = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.perf_counter_ns()
        sock.sendall(REQUEST)
        data = b""
        while not data.endswith(b"}"):
            data += sock.recv(65536)
        times.append((time.perf_counter_ns() - begin) / 1000)
    return sorted(times)


def p99(times):
    return times[int(len(times) * 0.99)]


def run_once(options, files, threads):
    """Handshakes a second, and the good client's p99 before and meanwhile."""
    probe = socket.socket()
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
    probe.close()
    server = subprocess.Popen([os.path.join(options.build, "tests/http/bench_http"),
                               f"127.0.0.1:{port}", "600", str(threads), *files],
                              stdout=subprocess.DEVNULL)
    try:
        context = ssl.create_default_context(cafile=files[0])
        for _ in range(500):
            try:
                sock = context.wrap_socket(socket.create_connection(("127.0.0.1", port)),
                                           server_hostname="localhost")
                break
            except ConnectionRefusedError:
                time.sleep(0.01)
        local = socket.socket(socket.AF_UNIX)
        local.connect(files[2])
        before = [ask(client, options.seconds) for client in (sock, local)]
        counts = multiprocessing.Queue()
        clients = [multiprocessing.Process(target=shake_hands,
                                           args=(port, 2 * options.seconds + 1, counts))
                   for _ in range(options.clients)]
        for client in clients:
            client.start()
        time.sleep(0.5)
        meanwhile = [ask(client, options.seconds) for client in (sock, local)]
        total = sum(counts.get() for _ in clients)
        for client in clients:
            client.join()
        figures = {"handshakes_per_s": total / (2 * options.seconds + 1)}
        for name, quiet, loaded in zip(("tls", "unix"), before, meanwhile):
            figures[name + "_p50_us"] = statistics.median(loaded)
            figures[name + "_p99_us"] = p99(loaded)
            figures[name + "_ratio"] = p99(loaded) / p99(quiet)
        return figures
    finally:
        server.kill()
        server.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        files = [os.path.join(scratch, name) for name in ("cert", "key", "socket")]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout",
                        files[1], "-out", files[0], "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost"], check=True,
                       stderr=subprocess.DEVNULL)
        runs = {0: [], options.threads: []}
        for _ in range(TURNS):
            for threads, found in runs.items():
                found.append(run_once(options, files, threads))
    figures = {f"threads={threads}":
               {key: round(statistics.median(run[key] for run in found), 2) for key in found[0]}
               for threads, found in runs.items()}
    print(json.dumps({"clients": options.clients, "processors": os.cpu_count(), **figures}))


if __name__ == "__main__":
    sys.exit(main())
