"""A relay between a client and the daemon that changes no byte and remembers all of them.

The client's connection is the daemon's connection: whatever the client does with it, keeps
it, closes it, sends two requests on it, the daemon meets. What was said is read afterwards.
"""

import http.client
import io
import socket
import threading

from shapes import Exchange

PIECE = 65536


class Recording:
    """Both directions of one connection."""

    def __init__(self):
        self.sent = bytearray()
        self.received = bytearray()
        self.taken = 0  # exchanges that were read already

    def exchanges(self):
        """The complete exchanges so far that were not given out yet."""
        found = read_exchanges(bytes(self.sent), bytes(self.received))
        new = found[self.taken:]
        self.taken = len(found)
        return new


class Relay:
    """Listens on a free port of 127.0.0.1. `connect` makes a connection to the daemon."""

    def __init__(self, connect):
        self.connect = connect
        self.recordings = []
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def take(self):
        """All exchanges since the last take."""
        with self.lock:
            recordings = list(self.recordings)
        return [one for recording in recordings for one in recording.exchanges()]

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            daemon = self.connect()
        except OSError:
            client.close()
            return
        recording = Recording()
        with self.lock:
            self.recordings.append(recording)
        back = threading.Thread(target=pump, args=(daemon, client, recording.received),
                                daemon=True)
        back.start()
        pump(client, daemon, recording.sent)
        back.join()
        client.close()
        daemon.close()


def pump(source, target, tape):
    """Until the end of `source`; what comes is on the tape before it goes on."""
    try:
        while piece := source.recv(PIECE):
            tape.extend(piece)
            target.sendall(piece)
    except OSError:
        pass
    for end in (lambda: target.shutdown(socket.SHUT_WR), lambda: source.shutdown(socket.SHUT_RD)):
        try:
            end()
        except OSError:
            pass


# --- reading what was recorded ----------------------------------------------------------------

class _Tape:
    """What http.client takes for a socket."""

    def __init__(self, file):
        self.file = file

    def makefile(self, *_arguments, **_more):
        return _Shared(self.file)


class _Shared(io.RawIOBase):
    """A file that goes on where the last reader stopped, and that nobody closes."""

    def __init__(self, file):
        super().__init__()
        self.file = file

    def readable(self):
        return True

    def read(self, size=-1):
        return self.file.read(size)

    def readinto(self, buffer):
        return self.file.readinto(buffer)

    def readline(self, size=-1):
        return self.file.readline(size)


def read_exchanges(sent, received):
    requests = io.BytesIO(sent)
    answers = io.BytesIO(received)
    found = []
    while True:
        request = read_request(requests)
        answer = read_answer(answers, request[0]) if request else None
        if answer is None:
            return found
        found.append(Exchange(*request, *answer))


def read_request(file):
    """(method, target, headers, body), or None when it is not whole."""
    line = file.readline().decode("latin-1").split()
    headers = read_headers(file) if len(line) == 3 else None
    if headers is None:
        return None
    length = int(headers.get("content-length", 0))
    body = file.read(length)
    return (line[0], line[1], headers, body) if len(body) == length else None


def read_headers(file):
    headers = {}
    while line := file.readline():
        if line in (b"\r\n", b"\n"):
            return headers
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    return None


def read_answer(file, method):
    """(status, headers, body), or None when it is not whole. Answers of 100 are passed over."""
    response = http.client.HTTPResponse(_Tape(file), method=method)
    try:
        response.begin()
        body = response.read()
    except (http.client.HTTPException, ValueError):
        return None
    if response.length:
        return None
    return (response.status, {name.lower(): value for name, value in response.getheaders()}, body)
