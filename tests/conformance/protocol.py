"""The native protocol, as much of it as a model of the daemon needs: frames, and messages
as {field: value} by the names of pawl.proto."""

import struct

HEADER = struct.Struct("<IBBHQ")
PIECE = 65536

HELLO, CHECKPOINT, COMPLETE, LOG, NEED_FULL = 1, 2, 3, 4, 5
INVOKE, CHECKPOINTED, NOTICE = 16, 17, 18

# name: (number, kind); kinds: i(nteger), t(ext), b(ytes), or a list of messages.
ERROR = {"type": (1, "t"), "message": (2, "t"), "data": (3, "t")}
UPDATE = {"id": (1, "t"), "type": (2, "i"), "action": (3, "i"), "parent_id": (4, "t"),
          "name": (5, "t"), "sub_type": (6, "t"), "has_payload": (7, "i"), "payload": (8, "b"),
          "has_error": (9, "i"), "error": (10, "b"), "has_step_options": (11, "i"),
          "delay_s": (12, "i"), "wait_s": (13, "i"), "timeout_s": (14, "i"),
          "heartbeat_s": (15, "i"), "replay_children": (16, "i"), "function": (17, "t"),
          "tenant_id": (18, "t")}
OPERATION = {"id": (1, "t"), "type": (2, "i"), "status": (3, "i"), "parent_id": (4, "t"),
             "name": (5, "t"), "sub_type": (6, "t"), "attempt": (7, "i"),
             "replay_children": (8, "i"), "has_result": (9, "i"), "result": (10, "b"),
             "has_error": (11, "i"), "error": (12, "b"), "start_ms": (13, "i"),
             "end_ms": (14, "i"), "due_ms": (15, "i"), "callback_id": (16, "t")}
CHECKPOINT_FIELDS = {"seq": (1, "i"), "updates": (2, [UPDATE])}
COMPLETE_FIELDS = {"outcome": (1, "i"), "has_payload": (2, "i"), "payload": (3, "b"),
                   "error": (4, "b")}
LOG_FIELDS = {"level": (1, "i"), "text": (2, "t"), "operation_id": (3, "t"),
              "attempt": (4, "i")}
INVOKE_FIELDS = {"request_id": (1, "t"), "function_arn": (2, "t"), "deadline_ms": (3, "i"),
                 "has_payload": (4, "i"), "payload": (5, "b"), "tenant_id": (6, "t"),
                 "is_durable": (9, "i"), "execution_arn": (10, "t"), "attempt": (11, "i"),
                 "execution_id": (12, "b"), "base": (13, "i"), "last": (14, "i"),
                 "operations": (15, [OPERATION]), "start_ms": (16, "i")}
CHECKPOINTED_FIELDS = {"seq": (1, "i"), "refusal": (2, "t"), "message": (3, "t"),
                       "last": (4, "i"), "operations": (5, [OPERATION])}


def put_varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def get_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def put_one(number, kind, value):
    if kind == "i":
        return put_varint(number << 3) + put_varint(int(value))
    if kind == "t":
        value = value.encode()
    elif kind != "b":
        value = encode(kind[0], value)
    return put_varint(number << 3 | 2) + put_varint(len(value)) + value


def encode(fields, message):
    out = b""
    for name, value in message.items():
        number, kind = fields[name]
        if isinstance(kind, list):
            out += b"".join(put_one(number, kind, item) for item in value)
        elif value:
            out += put_one(number, kind, value)
    return out


def empty(kind):
    return {"i": 0, "t": "", "b": b""}[kind] if isinstance(kind, str) else []


def decode(fields, data):
    """Absent fields have their empty value."""
    by_number = {number: (name, kind) for name, (number, kind) in fields.items()}
    message = {name: empty(kind) for name, (_, kind) in fields.items()}
    at = 0
    while at < len(data):
        tag, at = get_varint(data, at)
        value, at = get_varint(data, at)
        if tag & 7 == 2:
            value, at = data[at:at + value], at + value
        name, kind = by_number.get(tag >> 3, (None, None))
        if name is None:
            continue
        if kind == "t":
            value = value.decode("utf-8", "replace")
        if isinstance(kind, list):
            message[name].append(decode(kind[0], value))
        else:
            message[name] = value
    return message


def send(sock, kind, invocation, body=b""):
    pieces = [body[i:i + PIECE] for i in range(0, len(body), PIECE)] or [b""]
    for piece in pieces:
        more = piece is not pieces[-1]
        sock.sendall(HEADER.pack(len(piece), kind, more, 0, invocation) + piece)


def read_exactly(sock, size):
    data = b""
    while len(data) < size:
        chunk = sock.recv(size - len(data))
        if not chunk:
            return None
        data += chunk
    return data


def receive(sock):
    """(type, body) of the next message, or (None, None) at the end."""
    body = b""
    while True:
        header = read_exactly(sock, HEADER.size)
        if header is None:
            return None, None
        size, kind, more, _, _ = HEADER.unpack(header)
        piece = read_exactly(sock, size)
        if piece is None:
            return None, None
        body += piece
        if not more:
            return kind, body
