"""A client of Crescendo's session framing, written from proto/SESSION.md, whose rows it names.

    import tempfile, score, session
    messages, _ = score.stubs(tempfile.mkdtemp())
    request = messages.ScoreRequest(user_id=5, item_ids=[101, 102])
    with session.Session.connect("127.0.0.1:7001") as one:
        reply = one.call(session.SCORE, request.SerializeToString(), work=2, timeout=0.5)
    print(messages.ScoreResponse.FromString(reply.message).scores, reply.timing)

No thread: a session moves while its caller waits in it. An idle one wants `pump(seconds=5)`."""
import collections
import contextlib
import functools
import math
import socket
import struct
import time
from concurrent.futures import Future

from google.protobuf import empty_pb2, unknown_fields
from google_crc32c import value as crc32c
from h2 import config, connection, events, exceptions

SCORE, OPEN = "/crescendo.v1.PromotionScoreService/Score", "/crescendo.v1.Session/Open"
TYPE, FRAME_BYTES, LARGEST = "application/x-crescendo-session", 4_259_840, 2**31 - 1
HEARTBEAT, SILENCE, INCOMPLETE, OPENING, ENDING, LINGER, TICK = 10, 20, 10, 10, 10, 1, 0.05
HELLO, CALL, MESSAGE, REPLY, END, CANCEL, CREDIT, DRAIN, PING, ERROR = range(1, 11)
TYPES = "? HELLO CALL MESSAGE REPLY END CANCEL CREDIT DRAIN PING ERROR".split()
FLAGS = {HELLO: (0,), REPLY: (0, 1, 3), END: (0, 2), CREDIT: (0,), DRAIN: (0,), PING: (0, 1)}
CODES = ("OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS "
         "PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE "
         "UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED").split()
LIVE, HTTP = ("open", "draining"), config.H2Configuration(header_encoding="utf-8")
Reply = collections.namedtuple("Reply", "message timing")
Timing = collections.namedtuple("Timing", "queue_us score_us encode_us pushback_ms")


class CallError(Exception):
    """How a call failed; `row`: of §8.3. After L1 another session may have it at once."""
    def __init__(self, code, text, row="L2", timing=None, details=b""):
        self.code, self.text, self.row = code if code < len(CODES) else 2, text, row
        self.name, self.timing, self.details = CODES[self.code], timing, details
        super().__init__(f"{self.name}: {text} ({row})")


class NotSpoken(Exception):
    """No session: use gRPC, for 10 minutes if `remember`, else until the next try (§2)."""
    remember = property(lambda self: self.args[1])


def demand(holds, code, text):
    if not holds: raise CallError(code, text)  # an X row of §8.1, which ends the session


def fields(message):
    found = unknown_fields.UnknownFieldSet(empty_pb2.Empty.FromString(message))
    return [(one.field_number, one.data) for one in found]


class Call(Future):
    """A future of its Reply; an iterator of its messages, if it is a stream."""
    def __init__(self, **known):
        super().__init__()
        vars(self).update(known, number=0, message=None, messages=collections.deque())

    def result(self, timeout=math.inf, get=Future.result):
        self.session.pump(self.done, timeout)
        return get(self, 0)

    exception = functools.partialmethod(result, get=Future.exception)

    def __iter__(self):
        while self.session.pump(lambda: self.messages or self.done()) and self.messages:
            yield self.messages.popleft()
        self.result()

    def cancel(self):
        """True if it was not too late."""
        return self.session._abandon(self, 1, "the caller cancelled the call", "L5")

    def send(self, message, work=0):
        """A further request message; waits for credit. Fails with the call's own error."""
        self.session.pump(lambda: self.is_last or self.done()
                          or self.number and self.session.balance > 0)
        if self.is_last or self.done():
            raise self.done() and self.exception() or ValueError("the call takes no more")
        self.session.balance -= max(1, work)
        self.session._frame(MESSAGE, struct.pack("<II", work, 0) + message, call=self.number)

    def half_close(self):
        """No more request messages."""
        if self.number and not self.is_last and not self.done():
            self.session._frame(MESSAGE, flags=1, call=self.number)
        self.is_last = True


class Session(contextlib.AbstractContextManager):
    """One session on a connection of its own, for one thread. NotSpoken where there is none,
    OSError where there is no server. Without `checksums` the server may still insist on them."""
    def __init__(self, target, *, metadata=(), checksums=True, max_waiting=10_000):
        host, _, port = target.rpartition(":")
        self.socket = socket.create_connection((host.strip("[]"), int(port)), OPENING)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.is_clean = self.has_drain = self.is_unchecked = self.remember = False
        self.state, self.failure, self.row, self.frame_since = "opening", None, "L3", math.inf
        self.checksums, self.max_waiting, self.balance, self.highest = checksums, max_waiting, 0, 0
        # For credit; for the server's end, by number. HTTP/2 and frames that came, or are to go.
        self.waiting, self.calls = collections.deque(), {}
        self.raw, self.input, self.outbox, self.output = (bytearray() for _ in range(4))
        self.sent = self.received = self.pinged = self.since = time.monotonic()
        self.http = connection.H2Connection(HTTP)
        self.http.initiate_connection()
        self.http.increment_flow_control_window(1 << 20)
        self.http.send_headers(1, [
            (":method", "POST"), (":scheme", "http"), (":authority", target), (":path", OPEN),
            ("content-type", TYPE), ("te", "trailers"), *metadata])
        self.http.increment_flow_control_window(1 << 18, 1)
        self._frame(HELLO, b"\x08\x80\x80\x84\x02" + b"\x28\x01" * (not checksums), code=1)
        if not self.pump(lambda: self.state in LIVE): raise NotSpoken(self.failure, self.remember)

    connect = classmethod(lambda cls, target, **options: cls(target, **options))

    def __exit__(self, kind, *_):
        self._end("its caller has failed") if kind else self.close()

    def close(self):
        """Takes no more calls, lets the open ones end (a Watch must be cancelled), and ends."""
        self._drain()
        self.pump()

    def pump(self, until=lambda: False, seconds=math.inf):
        """Serves the session until `until()` holds, `seconds` are over, or it has closed."""
        end, due = (now := time.monotonic()) + seconds, self._move()
        while not until() and self.state != "closed" and now <= end:
            self._read(max(0, min(due, end) - now))
            due, now = self._move(), time.monotonic()
        return until()

    def call(self, method, request, **options):
        """A unary call: its Reply, or a CallError. Options: those of `start`."""
        return self.start(method, request, **options).result()

    def start(self, method, request, *, work=0, timeout=math.inf, priority=0, attempt=0,
              metadata=b"", is_unary=True, is_last=True):
        """The Call at once. `timeout`: seconds; `metadata`: entries as they are sent (§4.2)."""
        rest = struct.pack("<IBBHI", work, priority, min(attempt, 255), len(metadata), 0)
        call = Call(session=self, method=method, rest=rest + metadata + request, cost=max(1, work),
                    deadline=time.monotonic() + timeout, is_unary=is_unary, is_last=is_last)
        self.waiting.append(call)
        if method not in self.methods:
            self._abandon(call, 12, f"the session has no method {method}", "L6")
        elif len(self.waiting) > self.max_waiting or len(call.rest) + 4 > self.max_frame_bytes:
            self._abandon(call, 8, "the call is too long, or too many wait for credit", "L6")
        self._move()
        return call

    stream = functools.partialmethod(start, is_unary=False)  # iterate over it
    converse = functools.partialmethod(stream, is_last=False)  # and send(), half_close()

    def _frame(self, kind, payload=b"", flags=0, code=0, call=0):
        head = struct.pack("<IBBHI", len(payload), kind, flags, code, call)
        crc = 0 if self.is_unchecked else crc32c(head + payload)
        self.outbox += head + struct.pack("<I", crc) + payload
        self.sent = time.monotonic()
        self._write()

    def _write(self):
        """As much as HTTP/2's windows and the socket take now; `_read` sees if that has ended."""
        while self.outbox and self.state != "closed" and (room := min(
                self.http.local_flow_control_window(1), self.http.max_outbound_frame_size)) > 0:
            self.http.send_data(1, bytes(self.outbox[:room]))
            del self.outbox[:room]
        self.output += self.http.data_to_send()
        with contextlib.suppress(OSError):
            self.socket.settimeout(0)
            del self.output[:self.socket.send(self.output)]

    def _move(self):
        """What time (§13), state, credit, places and windows allow. When to come again."""
        now, is_live = time.monotonic(), self.state in LIVE
        if self.state == "opening" and now - self.since >= OPENING:
            self._end(f"no HELLO within {OPENING} s", code=4)
        elif self.state == "ending" and now - self.since >= ENDING:
            self._end(f"no trailers within {ENDING} s")
        elif is_live and now - self.received >= SILENCE:
            self._end(f"nothing was received for {SILENCE} s", code=14)
        elif now - self.frame_since >= INCOMPLETE:
            self._end(f"a frame was incomplete for {INCOMPLETE} s", code=4)
        elif is_live and now - max(self.pinged, min(self.sent, self.received)) >= HEARTBEAT:
            self._frame(PING, bytes(8))
            self.pinged = now
        for call in [*self.waiting, *self.calls.values()]:
            if self.state == "closed" or self.state != "open" and not call.number:  # D4, D19
                row, text = self.row if call.number else "L1", f"the session is {self.state}"
                self._abandon(call, 14, self.failure or text, row)
            elif call.deadline - now < 1e-6:
                self._abandon(call, 4, "the deadline has passed", "L4")  # D2, D15
        while self.waiting and self.balance > 0 and len(self.calls) < self.max_calls:  # C12
            call, self.highest = self.waiting.popleft(), self.highest + 1  # D1
            call.number, self.calls[self.highest] = self.highest, call
            self.balance -= call.cost
            left = 0 if call.deadline == math.inf else min(call.deadline - now, 4294.967295)
            self._frame(CALL, struct.pack("<I", int(left * 1e6)) + call.rest, call.is_last,
                        self.methods[call.method], call.number)
        if self.highest > 2**32 - 10_000: self._drain()  # C33
        if self.state == "draining" and not self.calls and not self.outbox:
            self.http.end_stream(1)
            self.state, self.since = "ending", now
        self._write()
        open_calls = (call for call in (*self.waiting, *self.calls.values()) if not call.done())
        return min([now + TICK, *(call.deadline for call in open_calls)])

    def _read(self, seconds):
        """What comes within that time: HTTP/2's frames, and the session's in them."""
        try:
            self.socket.settimeout(seconds)
            self.raw += (data := self.socket.recv(1 << 18))
        except (BlockingIOError, TimeoutError): return
        except OSError: data = b""
        while len(self.raw) >= (size := 9 + int.from_bytes(self.raw[:3], "big")):
            frame, last = bytes(self.raw[:size]), int.from_bytes(self.raw[9:13], "big") & LARGEST
            del self.raw[:size]
            try:
                if frame[3] == 7:  # GOAWAY: the end of all for h2, but not for a session (§12)
                    self._drain() if last else self._end("the server has not seen it", "L1")
                else:
                    for event in self.http.receive_data(frame):
                        self._event(event, dict(getattr(event, "headers", None) or ()))
            except (CallError, exceptions.ProtocolError) as error:
                self._end(getattr(error, "text", repr(error)), code=getattr(error, "code", 0))
        if not data: self._end("the connection is gone")

    def _event(self, event, said):
        if isinstance(event, events.DataReceived):
            self.http.acknowledge_received_data(event.flow_controlled_length, 1)
            self._data(event.data)
        elif isinstance(event, events.ResponseReceived):
            status, grpc = said[":status"], said.get("grpc-status", "12")
            kind = said.get("content-type", "").split(";")[0].strip().lower()
            if (status, kind) != ("200", TYPE):
                self._end(f"no session: :status {status}, grpc-status {grpc}", remember=(
                    status in ("404", "405", "415", "501") or (status, grpc) == ("200", "12")))
        elif isinstance(event, events.TrailersReceived):
            is_between = self.state == "ending" and not self.input
            self.is_clean = is_between and said.get("grpc-status") == "0"
        elif isinstance(event, (events.StreamEnded, events.StreamReset)):
            code = getattr(event, "error_code", None)
            self._end(f"the stream has ended ({code})", "L1" if code == 7 else "L3")

    def _data(self, data):
        self.received = time.monotonic()
        self.input += data
        while len(self.input) >= 16 and self.state != "closed":
            length, kind, flags, code, number, crc = struct.unpack_from("<IBBHII", self.input)
            most = 65_536 if self.state == "opening" else FRAME_BYTES
            demand(length <= most, 8, f"a frame of {length} bytes: at most {most} are taken")
            if len(self.input) < 16 + length: break
            head, payload = bytes(self.input[:12]), bytes(self.input[16:16 + length])
            del self.input[:16 + length]
            self.frame_since, is_first = math.inf, self.state == "opening"
            is_good = self.is_unchecked or crc32c(head + payload) == crc
            demand(is_good, 15, "a frame's checksum is wrong")
            demand(kind in (HELLO, ERROR) or not is_first, 13, "the first frame is not HELLO")
            if kind < 128: self._take(kind, flags, code, number, payload)
        self.frame_since = min(self.frame_since, self.received) if self.input else math.inf

    def _take(self, kind, flags, code, number, payload):
        """F6 to F9, and what the frame says."""
        demand(0 < kind <= ERROR, 13, f"unknown frame type {kind}")
        name, has_record = TYPES[kind], kind == END or kind == REPLY and flags & 1
        if kind == ERROR:
            name = CODES[code] if 0 < code < len(CODES) else "UNKNOWN"
            text = f"session failed: {name}: {payload.decode(errors='replace')}"
            return self._end(text, remember=code == 12)
        demand(kind in FLAGS, 13, f"{name} is not for this end")
        uses_code, uses_call = has_record or kind == HELLO, kind in (REPLY, END, DRAIN)
        is_zero = flags in FLAGS[kind] and (uses_code or not code) and (uses_call or not number)
        demand(is_zero, 13, f"{name}: a field or flag that must be 0 is not")
        end = {REPLY: max(0, len(payload) - code), END: 0}.get(kind, len(payload))
        message, record = payload[:end], payload[end:]
        size = 20 + sum(struct.unpack_from("<HH", record, 16)) if len(record) >= 20 else -1
        is_whole = not has_record or len(record) == size and (kind == END or size == code)
        fits = len(payload) == {CREDIT: 4, DRAIN: 0, PING: 8}.get(kind, len(payload))
        demand(is_whole and fits and (kind != CREDIT or any(payload)), 13, f"{name} is malformed")
        if kind == HELLO:
            self._hello(code, payload)
        elif kind in (REPLY, END):
            self._answer(kind, flags, code, number, message, record)
        elif kind == CREDIT:
            self.balance += int.from_bytes(payload, "little")
            demand(self.balance <= LARGEST, 13, f"credit is over {LARGEST}")
        elif kind == PING and not flags and self.state != "ending":
            self._frame(PING, payload, flags=1)
        elif kind == DRAIN and self.state != "ending":
            is_known = number <= self.highest
            demand(is_known, 13, f"DRAIN names call {number}, which was never sent")
            demand(not self.has_drain, 13, "a second DRAIN")
            self.state, self.has_drain = "draining", True
            for later in [later for later in self.calls if later > number]:
                self._abandon(self.calls.pop(later), 14, "the server drains: not started", "L1")

    def _hello(self, version, payload):
        demand(self.state == "opening", 13, "a second HELLO")
        demand(version == 1, 12, f"version {version} is not spoken here")
        try:
            said = {1: 0, 2: 0, 3: 0, 5: 0, **dict(fields(payload))}
            listed = [dict(fields(value)) for number, value in fields(payload) if number == 4]
            self.max_frame_bytes, self.balance, self.max_calls, bits = (
                said[number] & 2**32 - 1 for number in (1, 2, 3, 5))
            self.methods = {one[2].decode(): one[1] for one in listed}
            ids = {one for one in self.methods.values() if 1 <= one <= 65_535}
        except Exception as error:  # what does not decode, for whatever reason
            raise CallError(13, f"HELLO is malformed: {error!r}") from None
        is_good = len(ids) == len(self.methods) == len(listed) and self.balance <= LARGEST
        is_good = is_good and self.max_frame_bytes >= 16_384 and self.max_calls > 0
        demand(is_good, 13, "HELLO is malformed: a number is out of its range")
        self.is_unchecked, self.state = bits & 1 == 1 and not self.checksums, "open"

    def _answer(self, kind, flags, code, number, message, record):
        call = self.calls.get(number)
        demand(call, 13, f"call {number} is not open")
        if record:  # its credit comes back, whether or not the caller has gone (D17)
            del self.calls[number]
            self.balance += 0 if flags & 2 else call.cost
        if kind == REPLY and call.is_unary and call.message is not None:
            self._abandon(call, 13, "a unary call was answered twice")
        elif kind == REPLY and not call.done():
            call.message = message
            call.messages.append(message)
        if record and not call.done():
            *times, pushback, size, _ = struct.unpack_from("<IIIiHH", record)
            timing = Timing(*times, None if pushback == -2**31 else pushback)
            text, details = record[20:20 + size].decode(errors="replace"), record[20 + size:]
            if kind == END and code:
                self._abandon(call, code, text, "L2", timing, details)
            elif call.is_unary and call.message is None:
                self._abandon(call, 13, "the call ended without an answer")
            else:
                call.set_result(Reply(call.message, timing))

    def _abandon(self, call, *error):
        """The caller has its result; the server's end may have yet to come (D3, D14, D15)."""
        if call.done(): return False
        if not call.number: self.waiting.remove(call)
        elif call.number in self.calls and self.state in LIVE: self._frame(CANCEL, call=call.number)
        call.set_exception(CallError(*error))
        return True

    def _drain(self):
        if self.state != "open": return
        self._frame(DRAIN)
        self.state = "draining"

    def _end(self, text, row="L3", code=0, remember=False):
        """Closes, with an ERROR if there is a `code`, and a way and a window for it (§8.1)."""
        if self.state == "closed": return
        if code and self.state != "ending":
            self._frame(ERROR, text.encode()[:1_024], code=code)
            text, remember = f"session failed: {CODES[code]}: {text}", code in (12, 13)
        self.failure, self.row, self.remember = None if self.is_clean else text, row, remember
        self.state = "closed"
        with contextlib.suppress(OSError, exceptions.ProtocolError):  # it may have ended
            self.http.reset_stream(1, 8)
            self.socket.settimeout(LINGER)
            self.socket.sendall(self.output + self.http.data_to_send())
            self.socket.shutdown(socket.SHUT_WR)
            while self.socket.recv(1 << 18): pass  # what came must not undo what went
        self.socket.close()
