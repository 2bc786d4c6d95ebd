"""A client of Crescendo's session framing, written from proto/SESSION.md, whose rows it names.
No thread: a session moves while its caller waits in it. An idle one wants `pump(seconds=5)`."""
import contextlib
import struct
import time
from collections import deque, namedtuple
from concurrent.futures import Future
from functools import partialmethod
from math import inf

from google.protobuf import empty_pb2, unknown_fields
from google_crc32c import value as crc32c
from grpc import StatusCode

import http2

SCORE, TYPE = "/crescendo.v1.PromotionScoreService/Score", "application/x-crescendo-session"
SILENCE, INCOMPLETE, OPENING, ENDING, TICK, LIVE = 20, 10, 10, 10, 0.05, ("open", "draining")
FRAME_BYTES, LARGEST, MOST_ANSWERS, CODES = 4_259_840, 2**31 - 1, 1_000, [*StatusCode.__members__]
HELLO, CALL, MESSAGE, REPLY, END, CANCEL, CREDIT, DRAIN, PING, ERROR = range(1, 11)
TYPES = "? HELLO CALL MESSAGE REPLY END CANCEL CREDIT DRAIN PING ERROR".split()
# What a server sends (§4): the flags that may be, whether `call` is used, bytes if always so many.
FORMS = {HELLO: ((0,), False, None), REPLY: ((0, 1, 3), True, None), END: ((0, 2), True, None),
         CREDIT: ((0,), False, 4), DRAIN: ((0,), True, 0), PING: ((0, 1), False, 8)}
HEAD, RECORD = struct.Struct("<IBBHI"), struct.Struct("<IIIiHH")
Reply = namedtuple("Reply", "message timing")  # of a unary call; a stream's messages are iterated
Timing = namedtuple("Timing", "queue_us score_us encode_us pushback_ms")


class CallError(Exception):
    """How a call failed; `row`: of §8.3. After L1 another session may have it at once."""
    def __init__(self, code, text, row="L2", timing=None, details=b""):
        self.code, self.text, self.row = code if code < len(CODES) else 2, text, row
        self.name, self.timing, self.details = CODES[self.code], timing, details
        super().__init__(f"{self.name}: {text} ({row})")


class NotSpoken(Exception):
    """No session: use gRPC, for 10 minutes if `remember`, else until the next try (§2)."""
    remember = property(lambda self: self.args[1])


def demand(holds, text, code=13):
    if not holds:
        raise CallError(code, text)  # an X row of §8.1, which ends the session


class Call(Future):
    """A future of its Reply; an iterator of its messages, if it is a stream."""
    def result(self, timeout=inf, get=Future.result):
        self.session.pump(self.done, timeout)
        return get(self, 0)
    exception = partialmethod(result, get=Future.exception)

    def __iter__(self):
        while self.session.pump(lambda: self.messages or self.done()) and self.messages:
            yield self.messages.popleft()
        self.result()

    def fail(self, *error):
        """True if it was not too late. The server's end may have yet to come (D3, D14, D15)."""
        if not self.done():
            if self.number in self.session.calls and self.session.state in LIVE:
                self.session._frame(CANCEL, call=self.number)
            self.set_exception(CallError(*error))
            return True
    cancel = partialmethod(fail, 1, "the caller cancelled the call", "L5")

    def send(self, message, work=0):
        """A further request message; waits for credit. Fails with the call's own error."""
        self.session.pump(lambda: self.is_last or self.done()
                          or self.number and self.session.balance > 0)
        if self.is_last or self.done():
            raise self.done() and self.exception() or ValueError("the call takes no more")
        self.session.balance -= max(1, work)
        self.session._frame(MESSAGE, struct.pack("<II", work, 0) + message, call=self.number)

    def half_close(self):
        if self.number and not self.is_last and not self.done():
            self.session._frame(MESSAGE, flags=1, call=self.number)
        self.is_last = True


class Session(contextlib.AbstractContextManager):
    """One session on a connection of its own, for one thread. NotSpoken where there is none,
    OSError where there is no server. Without `checksums` the server may still insist on them.
    `heartbeat`: seconds, 1 to 10; less than half of what a proxy on the way lets be idle."""
    def __init__(self, target, *, metadata=(), checksums=True, max_waiting=10_000, heartbeat=10):
        self.http = http2.Request(target, "/crescendo.v1.Session/Open", TYPE, metadata, OPENING)
        self.checksums, self.max_waiting, self.beat = checksums, max_waiting, heartbeat
        self.is_clean = self.has_drain = self.is_retired = self.is_unchecked = False
        self.state, self.failure, self.row, self.remember = "opening", None, "L3", False
        self.balance, self.highest, self.answers, self.frame_since = 0, 0, 0, inf
        self.waiting, self.calls, self.input = deque(), {}, bytearray()  # calls: sent, by number
        self.sent = self.received = self.asked = self.since = time.monotonic()
        self._frame(HELLO, b"\x08\x80\x80\x84\x02" + b"\x28\x01" * (not checksums), code=1)
        if not self.pump(lambda: self.state in LIVE):
            raise NotSpoken(self.failure, self.remember)
    connect = classmethod(lambda cls, target, **options: cls(target, **options))

    def close(self, failed=None, *_):
        """Takes no more calls, lets the open ones end (a Watch must be cancelled), and ends."""
        if failed:
            self._end("its caller has failed")
        self.is_retired = True
        self.pump()
    __exit__ = close

    def pump(self, until=lambda: False, seconds=inf):
        """Serves the session until `until()` holds, `seconds` are over, or it has closed."""
        end, due = (now := time.monotonic()) + seconds, self._move()
        while not until() and self.state != "closed" and now <= end:
            try:
                for kind, said in self.http.receive(max(0, min(due, end) - now)):
                    self._event(kind, said)
            except CallError as error:
                self._end(error.text, code=error.code)
            due, now = self._move(), time.monotonic()
        return until()

    def start(self, method, request, *, work=0, timeout=inf, priority=0, attempt=0, metadata=b"",
              is_unary=True, is_last=True):
        """The Call at once. `timeout`: seconds; `metadata`: entries as they are sent (§4.2)."""
        rest = struct.pack("<IBBHI", work, priority, min(attempt, 255), len(metadata), 0)
        call = Call()
        vars(call).update(session=self, number=0, method=method, cost=max(1, work), is_last=is_last,
                          is_unary=is_unary, deadline=time.monotonic() + timeout, messages=deque(),
                          rest=rest + metadata + request)
        if method not in self.methods:
            call.fail(12, f"the session has no method {method}", "L6")
        elif len(self.waiting) >= self.max_waiting or len(call.rest) + 4 > self.max_frame_bytes:
            call.fail(8, "the call is too long, or too many wait for credit", "L6")
        self.waiting.append(call)
        self._move()
        return call
    stream = partialmethod(start, is_unary=False)  # iterate over it
    converse = partialmethod(stream, is_last=False)  # and send(); half_close() ends it

    def call(self, *request, **options):
        """A unary call: its Reply, or a CallError. Arguments: those of `start`."""
        return self.start(*request, **options).result()

    def _frame(self, kind, payload=b"", flags=0, code=0, call=0):
        head = HEAD.pack(len(payload), kind, flags, code, call)
        crc = 0 if self.is_unchecked else crc32c(head + payload)
        self.http.send(head + struct.pack("<I", crc) + payload)
        self.sent = time.monotonic()

    def _move(self):
        """What time (§13), state, credit, places and windows allow. When to come again."""
        now, every = time.monotonic(), [*self.waiting, *self.calls.values()]
        for is_on, since, limit, code, text in (
                (self.state == "opening", self.since, OPENING, 4, "no HELLO within"),
                (self.state == "ending", self.since, ENDING, 0, "no trailers within"),
                (self.state in LIVE, self.received, SILENCE, 14, "nothing was received for"),
                (True, self.frame_since, INCOMPLETE, 4, "a frame was incomplete for")):
            if is_on and now - since >= limit:
                self._end(f"{text} {limit} s", code=code)
        if self.state in LIVE and now - max(self.asked, min(self.sent, self.received)) >= self.beat:
            self._frame(PING, bytes(8))
            self.asked = now
        if self.state == "open" and (self.is_retired or self.highest > 2**32 - 10_000):  # C33
            self._frame(DRAIN)
            self.state = "draining"
        for call in every:
            if self.state == "closed" or self.state != "open" and not call.number:  # D4, D19
                call.fail(14, self.failure or "the session ends", self.row if call.number else "L1")
            elif call.deadline - now < 1e-6:
                call.fail(4, "the deadline has passed", "L4")  # D2, D15
        self.waiting = deque(call for call in self.waiting if not call.done())
        while self.waiting and self.balance > 0 and len(self.calls) < self.max_calls:  # C12
            call, self.highest = self.waiting.popleft(), self.highest + 1  # D1
            call.number, self.calls[self.highest] = self.highest, call
            self.balance -= call.cost
            left = 0 if call.deadline == inf else min(call.deadline - now, 4294.967295)
            self._frame(CALL, struct.pack("<I", int(left * 1e6)) + call.rest, call.is_last,
                        self.methods[call.method], call.number)
        if self.state == "draining" and not self.calls and not self.http.waits():  # C21
            self.http.end()
            self.state, self.since = "ending", now
        self.http.send()
        return min([now + TICK, *(call.deadline for call in every if not call.done())])

    def _event(self, kind, said):
        if kind == "data":
            self._data(said)
        elif kind == "headers":
            status, grpc = said[":status"], said.get("grpc-status", "12")
            media = said.get("content-type", "").split(";")[0].strip().lower()
            if (status, media) != ("200", TYPE):
                self._end(f"no session: :status {status}, grpc-status {grpc}", remember=(
                    status in ("404", "405", "415", "501") or (status, grpc) == ("200", "12")))
        elif kind == "trailers":
            is_due = self.state == "ending" and not self.input
            self.is_clean = is_due and said.get("grpc-status") == "0"
        elif kind == "goaway":  # C28
            self.is_retired = True
        else:  # C27, C29
            self._end(said, "L1" if kind == "unseen" else "L3")

    def _data(self, data):
        self.received = time.monotonic()
        self.input += data
        while len(self.input) >= 16 and self.state != "closed":
            length, kind, flags, code, number = HEAD.unpack_from(self.input)
            most = 65_536 if self.state == "opening" else FRAME_BYTES
            demand(length <= most, f"a frame of {length} bytes: at most {most} are taken", 8)
            if len(self.input) < 16 + length:
                break
            frame = bytes(self.input[:16 + length])
            del self.input[:16 + length]
            self.frame_since, crc = inf, struct.pack("<I", crc32c(frame[:12] + frame[16:]))
            demand(self.is_unchecked or frame[12:16] == crc, "a frame's checksum is wrong", 15)
            demand(most > 65_536 or kind in (HELLO, ERROR), "the first frame is not HELLO")
            if kind < 128:
                self._take(kind, flags, code, number, frame[16:])
        self.frame_since = min(self.frame_since, self.received) if self.input else inf

    def _take(self, kind, flags, code, number, payload):
        """F6 to F9, and what the frame says."""
        demand(0 < kind <= ERROR, f"unknown frame type {kind}")
        name, has_record = TYPES[kind], kind == END or kind == REPLY and flags & 1
        if kind == ERROR:
            why = CallError(code or 2, payload.decode(errors="replace"))
            return self._end(f"session failed: {why.name}: {why.text}", remember=code == 12)
        demand(kind in FORMS, f"{name} is not for this end")
        may_flags, uses_call, size = FORMS[kind]
        is_zero = (uses_call or not number) and (has_record or kind == HELLO or not code)
        demand(flags in may_flags and is_zero, f"{name}: a field or flag that must be 0 is not")
        cut = len(payload) - {REPLY: code, END: len(payload)}.get(kind, 0)
        message, record = payload[:cut], payload[cut:]
        whole = 20 + sum(struct.unpack_from("<16xHH", record.ljust(20, b"\0"))) if has_record else 0
        is_whole = len(record) == whole and (kind == END or len(record) == code or not has_record)
        demand(is_whole and size in (None, len(payload)), f"{name} is malformed")
        if kind == HELLO:
            self._hello(code, payload)
        elif kind in (REPLY, END):
            self._answer(kind, flags, code, number, message, record)
        elif kind == CREDIT:
            demand(any(payload), "CREDIT is malformed")
            self.balance += int.from_bytes(payload, "little")
            demand(self.balance <= LARGEST, f"credit is over {LARGEST}")
        elif kind == PING and not flags and self.state != "ending":
            self.answers = self.answers + 1 if self.http.waits() else 0
            demand(self.answers <= MOST_ANSWERS, "no room for a frame of 8 bytes", 8)
            self._frame(PING, payload, flags=1)
        elif kind == DRAIN and self.state != "ending":
            demand(number <= self.highest, f"DRAIN names call {number}, which was never sent")
            demand(not self.has_drain, "a second DRAIN")
            self.state, self.has_drain = "draining", True
            for later in [later for later in self.calls if later > number]:
                self.calls.pop(later).fail(14, "the server drains: not started", "L1")

    def _hello(self, version, payload):
        def fields(message):
            found = unknown_fields.UnknownFieldSet(empty_pb2.Empty.FromString(message))
            return [(one.field_number, one.data) for one in found]
        demand(self.state == "opening", "a second HELLO")
        demand(version == 1, f"version {version} is not spoken here", 12)
        is_good = False
        with contextlib.suppress(Exception):  # what does not decode, for whatever reason
            said = {1: 0, 2: 0, 3: 0, 5: 0, **dict(fields(payload))}
            listed = [dict(fields(value)) for number, value in fields(payload) if number == 4]
            self.max_frame_bytes, self.balance, self.max_calls, bits = (
                said[number] & 2**32 - 1 for number in (1, 2, 3, 5))
            self.methods = {one[2].decode(): one[1] for one in listed}
            ids = {one for one in self.methods.values() if 1 <= one <= 65_535}
            is_good = (len(ids) == len(self.methods) == len(listed) and self.max_calls > 0
                       and self.max_frame_bytes >= 16_384 and self.balance <= LARGEST)
        demand(is_good, "HELLO is malformed: a field does not decode, or is out of its range")
        self.is_unchecked, self.state = bits & 1 == 1 and not self.checksums, "open"

    def _answer(self, kind, flags, code, number, message, record):
        demand(number in self.calls, f"call {number} is not open")
        call, is_end = self.calls[number], record != b""
        if is_end:  # its credit comes back, whether or not the caller has gone (D17)
            del self.calls[number]
            self.balance += 0 if flags & 2 else call.cost
        if kind == REPLY and not call.done():  # D16
            call.messages.append(message)
        *times, wait, size, _ = RECORD.unpack(record[:20] or bytes(20))
        timing = Timing(*times, None if wait == -2**31 else wait)
        text, details = record[20:20 + size].decode(errors="replace"), record[20 + size:]
        if kind == END and code:
            call.fail(code, text, "L2", timing, details)
        elif call.is_unary and not is_end <= len(call.messages) <= 1:  # D11, D12
            call.fail(13, f"{len(call.messages)} answers, and one was due")
        elif is_end and not call.done():
            call.set_result(Reply(call.messages[0] if call.is_unary else None, timing))

    def _end(self, text, row="L3", code=0, remember=False):
        """Closes, with an ERROR if there is a `code`, and a way and a window for it (§8.1)."""
        if self.state == "closed":
            return
        if code and self.state != "ending":
            self._frame(ERROR, text.encode()[:1_024], code=code)
            text, remember = f"session failed: {CODES[code]}: {text}", code in (12, 13)
        self.failure, self.row, self.remember = None if self.is_clean else text, row, remember
        self.state = "closed"
        self.http.close()
