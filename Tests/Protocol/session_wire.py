"""A session's frames on a hand-made connection: whatever a client could send, and what comes."""

import struct

import protobytes as pb
from flow import Watched
from wire import request_headers

PATH, TYPE = "/crescendo.v1.Session/Open", "application/x-crescendo-session"
HELLO, CALL, MESSAGE, REPLY, END, CANCEL, CREDIT, DRAIN, PING, ERROR = range(1, 11)
FIN = LAST = ANSWER = 1
KEEP = 2


def _table():
    made = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        made.append(byte)
    return made


TABLE = _table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def frame(kind, payload=b"", *, flags=0, code=0, call=0, length=None, crc=None):
    head = struct.pack("<IBBHI", len(payload) if length is None else length, kind, flags, code,
                       call)
    return head + struct.pack("<I", crc32c(head + payload) if crc is None else crc) + payload


def hello(max_frame=1 << 22, flags=0, version=1):
    payload = pb.number(1, max_frame) + (pb.number(5, flags) if flags else b"")
    return frame(HELLO, payload, code=version)


def prelude(work, timeout_us=0, priority=0, attempt=0, metadata=b"", zero=0, metadata_length=None):
    return struct.pack("<IIBBHI", timeout_us, work, priority, attempt,
                       len(metadata) if metadata_length is None else metadata_length,
                       zero) + metadata


class Frame:
    def __init__(self, head, payload, checked):
        self.length, self.kind, self.flags, self.code, self.call, crc = struct.unpack(
            "<IBBHII", head)
        self.payload = payload
        assert crc == (crc32c(head[:12] + payload) if checked else 0), (head.hex(), payload.hex())

    def record(self):
        """The END record: of END, or behind the message of a last REPLY."""
        data = self.payload if self.kind == END else self.payload[len(self.payload) - self.code:]
        queue, score, encode, pushback, text, details = struct.unpack("<IIIiHH", data[:20])
        assert len(data) == 20 + text + details, data.hex()
        return {"queue_us": queue, "score_us": score, "encode_us": encode, "pushback_ms": pushback,
                "text": data[20:20 + text].decode(), "details": data[20 + text:]}

    def message(self):
        assert self.kind == REPLY
        return self.payload[:len(self.payload) - self.code] if self.flags & LAST else self.payload

    def __repr__(self):
        return (f"<frame type={self.kind} flags={self.flags} code={self.code} call={self.call} "
                f"{self.payload[:60]!r}>")


class Session:
    """One session on a connection of its own, open unless told otherwise."""

    def __init__(self, server, *, opens=True, headers=None, flags=0, max_frame=1 << 22):
        self.connection = Watched(server.port)
        self.stream = self.connection.open(headers or request_headers(
            PATH, replace={"content-type": TYPE}))
        self.frames, self.at, self.checked, self.methods = [], 0, True, {}
        self.next_call = 1
        if opens:
            self.send(hello(max_frame, flags))
            self.read_hello(flags)

    def read_hello(self, flags=0):
        got = self.expect(HELLO)
        assert got.code == 1, got
        fields = pb.fields(got.payload)
        said = dict(fields)
        self.max_frame, self.credit, self.max_calls = said[1], said[2], said[3]
        self.server_flags = said.get(5, 0)
        for method in (dict(pb.fields(value)) for number, value in fields if number == 4):
            self.methods[method[2].decode()] = method[1]
        self.checked = not (flags & 1 and self.server_flags & 1)
        return got

    @property
    def answer(self):
        return self.connection.answers[self.stream]

    def send(self, *frames, end=False):
        self.connection.data(self.stream, b"".join(frames), end=end)

    def frame(self, kind, payload=b"", **options):
        """With or without a checksum, as agreed."""
        return frame(kind, payload, **({} if self.checked else {"crc": 0}), **options)

    def call(self, method, message, work, *, flags=FIN, call=None, **options):
        """Sends a CALL; its id."""
        call = self.next_call if call is None else call
        self.next_call = max(self.next_call, call + 1)
        code = self.methods[method] if isinstance(method, str) else method
        self.send(self.frame(CALL, prelude(work, **options) + message, flags=flags, code=code,
                             call=call))
        return call

    def message(self, call, message, work, flags=0, zero=0):
        self.send(self.frame(MESSAGE, struct.pack("<II", work, zero) + message, flags=flags,
                             call=call))

    def _parse(self):
        body = self.answer.body
        while len(body) - self.at >= 16:
            head = body[self.at:self.at + 16]
            length = int.from_bytes(head[:4], "little")
            if len(body) - self.at < 16 + length:
                break
            made = Frame(head, body[self.at + 16:self.at + 16 + length],
                         self.checked or head[4] == HELLO)
            self.frames.append(made)
            self.at += 16 + length

    def next(self):
        """The next frame, whatever it is; None when the stream has ended."""
        while True:
            self._parse()
            if self.frames:
                return self.frames.pop(0)
            if self.answer.ended or self.answer.reset is not None:
                return None
            assert self.connection.pump(), f"the connection ended: {self.answer}"

    def expect(self, kind, call=None):
        got = self.next()
        assert got is not None, f"wanted type {kind}, and the stream ended: {self.answer}"
        assert got.kind == kind and (call is None or got.call == call), (kind, call, got)
        return got

    def expect_error(self, code, text):
        """ERROR, then RST_STREAM(INTERNAL_ERROR)."""
        got = self.next()
        while got is not None and got.kind != ERROR:
            got = self.next()
        assert got is not None, f"the stream ended without ERROR: {self.answer}"
        assert (got.code, got.payload.decode()) == (code, text), got
        assert self.next() is None and self.answer.reset == 2, self.answer

    def finish(self):
        """END_STREAM, and the trailers of a clean end."""
        self.send(end=True)
        assert self.next() is None
        assert self.answer.ended and self.answer.code == "OK", self.answer

    def close(self):
        self.connection.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
