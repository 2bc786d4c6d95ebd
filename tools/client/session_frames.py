"""The frames of proto/SESSION.md: names, checksum, HELLO, END record, and what is checked."""
import struct
import typing

SCORE, WATCH = "/crescendo.v1.PromotionScoreService/Score", "/grpc.health.v1.Health/Watch"
MEDIA_TYPE = "application/x-crescendo-session"
TYPES = "? HELLO CALL MESSAGE REPLY END CANCEL CREDIT DRAIN PING ERROR".split()
HELLO, CALL, MESSAGE, REPLY, END, CANCEL, CREDIT, DRAIN, PING, ERROR = range(1, 11)
FLAGS = {HELLO: (0,), REPLY: (0, 1, 3), END: (0, 2), CREDIT: (0,), DRAIN: (0,), PING: (0, 1)}
SIZES = {CREDIT: 4, DRAIN: 0, PING: 8}
CODES = ("OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS "
         "PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE "
         "UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED").split()
FRAME_BYTES, LARGEST = 4_259_840, (1 << 31) - 1
HEARTBEAT, SILENCE, INCOMPLETE, OPENING, ENDING, FAILING = 10, 20, 10, 10, 10, 1
TABLE = list(range(256))
for _ in range(8):
    TABLE = [value >> 1 ^ (0x82F63B78 if value & 1 else 0) for value in TABLE]


def crc32c(data, crc=0):
    """Castagnoli's checksum; `crc` is that of the bytes before."""
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


Reply = typing.NamedTuple("Reply", [("message", bytes), ("timing", "Timing")])
Timing = typing.NamedTuple("Timing", [  # `pushback_ms`: None when the server says nothing
    ("queue_us", int), ("score_us", int), ("encode_us", int), ("pushback_ms", int | None)])


class CallError(Exception):
    """How a call failed. `row`: of SESSION.md §8.3; L1 was never started, and may be given to
    another session at once."""

    def __init__(self, code, text, row="L2", timing=None, details=b""):
        self.name = CODES[code] if isinstance(code, int) and code < len(CODES) else "UNKNOWN"
        super().__init__(f"{self.name}: {text} ({row})")
        self.code, self.text, self.row = CODES.index(self.name), text, row
        self.timing, self.details = timing, details


class NotSpoken(Exception):
    """No session here: use gRPC, for 10 minutes if `remember`, else until the next try."""

    def __init__(self, text, remember=False):
        super().__init__(text)
        self.remember = remember


def fields(data):
    """(number, value) of each field of a protobuf message; ValueError if it is none."""
    at = 0

    def varint():
        nonlocal at
        value = 0
        for shift in range(0, 70, 7):
            at += 1
            if at > len(data):
                break
            value |= (data[at - 1] & 127) << shift
            if data[at - 1] < 128:
                return value & (1 << 64) - 1
        raise ValueError("a number is cut off")

    while at < len(data):
        tag = varint()
        value = varint() if tag & 7 in (0, 2) else None
        size = {0: 0, 1: 8, 2: value, 5: 4}.get(tag & 7)
        if size is None or tag < 8 or at + size > len(data):
            raise ValueError(f"field {tag >> 3}")
        at += size
        yield tag >> 3, data[at - size:at] if tag & 7 else value


def hello_of(payload):
    """max_frame_bytes, initial_credit, max_calls, flags, and the methods: path → id."""
    found, methods = list(fields(payload)), {}
    numbers = {number: value & 0xFFFFFFFF for number, value in found if isinstance(value, int)}
    for method in (dict(fields(value)) for number, value in found if number == 4):
        key, path = method.get(1, 0), method.get(2, b"").decode()
        if not 1 <= key <= 65_535 or key in methods.values() or path in methods:
            raise ValueError(f"method {key}")
        methods[path] = key
    frame_bytes, credit, calls, flags = (numbers.get(number, 0) for number in (1, 2, 3, 5))
    if frame_bytes < 16_384 or credit > LARGEST or calls < 1:
        raise ValueError("a number is out of its range")
    return frame_bytes, credit, calls, flags, methods


class Violation(Exception):
    """An X row of SESSION.md §8.1: the session fails, with this code and text."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code, self.text = code, text


def check(kind, flags, code, call, payload):
    """F6 to F9, for a client: what does not hold is a Violation."""
    name = TYPES[kind] if kind < len(TYPES) else ""
    if not 0 < kind <= ERROR:
        raise Violation(13, f"unknown frame type {kind}")
    if kind == ERROR:
        return
    if kind not in FLAGS:
        raise Violation(13, f"{name} is not for this end")
    uses_code = kind in (HELLO, END) or kind == REPLY and flags & 1
    if (flags not in FLAGS[kind] or code and not uses_code
            or call and kind not in (REPLY, END, DRAIN)):
        raise Violation(13, f"{name}: a field or flag that must be 0 is not")
    record = payload if kind == END else payload[len(payload) - code:]
    if (len(payload) != SIZES.get(kind, len(payload)) or kind == CREDIT and not any(payload)
            or (kind == END or kind == REPLY and flags & 1)
            and not (20 <= len(record) == 20 + sum(struct.unpack_from("<HH", record, 16))
                     and (kind == END or code == len(record)))):
        raise Violation(13, f"{name} is malformed")


def record_of(record):
    """Timing, text and details of an END record that was checked."""
    *times, pushback, text_bytes, _ = struct.unpack_from("<IIIiHH", record)
    text = record[20:20 + text_bytes].decode(errors="replace")
    return Timing(*times, None if pushback == -1 << 31 else pushback), text, record[
        20 + text_bytes:]
