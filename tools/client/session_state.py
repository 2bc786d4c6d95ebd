"""The states of proto/SESSION.md §7: of the session (C rows) and of calls (D rows)."""
import collections
import concurrent.futures
import heapq
import struct
import time

from session_frames import (CALL, CANCEL, CODES, CREDIT, DRAIN, END, ERROR, FRAME_BYTES, HELLO,
                            LARGEST, MEDIA_TYPE, MESSAGE, PING, REPLY, WATCH, CallError, NotSpoken,
                            Violation, check, crc32c, hello_of, record_of)
from session_link import Link

HEARTBEAT, SILENCE, INCOMPLETE, OPENING, ENDING, FAILING = 10, 20, 10, 10, 10, 1


class Machine(Link):
    """What a session knows and does by itself. All methods are called with the lock held."""

    def __init__(self, target, metadata, checksums, max_waiting, heartbeat):
        super().__init__(target, [
            (":method", "POST"), (":scheme", "http"), (":authority", target),
            (":path", "/crescendo.v1.Session/Open"), ("content-type", MEDIA_TYPE),
            ("te", "trailers"), *metadata], OPENING)
        self.opened, self.state, self.failure = concurrent.futures.Future(), "opening", None
        self.is_clean = self.has_drain = self.is_unchecked = False
        self.allows_unchecked, self.max_waiting = not checksums, max_waiting
        self.heartbeat = heartbeat or HEARTBEAT
        # The server's HELLO says these.
        self.balance, self.max_calls, self.max_frame_bytes, self.methods = 0, 0, 0, {}
        # By number, until the server's end has come; who waits for credit: calls, and messages.
        self.calls, self.highest, self.order = {}, 0, 0
        self.starts, self.sends, self.deadlines = (
            collections.OrderedDict(), collections.deque(), [])
        self.input, self.frame_since = bytearray(), None
        # `heard`: the heartbeat's own, for a PING restarts it; `since`: of the state.
        self.sent = self.heard = self.received = self.since = time.monotonic()
        flags = b"" if checksums else b"\x28\x01"
        self._frame(HELLO, b"\x08\x80\x80\x84\x02" + flags, code=1)
        self.thread.start()

    def _frame(self, kind, payload=b"", flags=0, code=0, call=0):
        head = struct.pack("<IBBHI", len(payload), kind, flags, code, call)
        crc = 0 if self.is_unchecked else crc32c(payload, crc32c(head))
        self.outbox += head + struct.pack("<I", crc) + payload
        self.sent = time.monotonic()

    def _serve(self):
        """Who waits for credit, calls and messages, in order (C12, C15, D5)."""
        while self.balance > 0:
            while self.sends and self.sends[0][1].done():
                self.sends.popleft()
            call = next(iter(self.starts), None) if len(self.calls) < self.max_calls else None
            if self.sends and (call is None or self.sends[0][0] < self.starts[call][0]):
                _, call, payload, work = self.sends.popleft()
                self.balance -= max(1, work)
                self._frame(MESSAGE, payload, call=call.number)
                self.changed.notify_all()
            elif call is not None:
                _, payload = self.starts.pop(call)
                left = LARGEST if call.deadline is None else (
                    int((call.deadline - time.monotonic()) * 1e6))
                if left < 1:
                    call.settle(CallError(4, "the deadline passed before it was sent", "L4"))
                    continue
                left = 0 if call.deadline is None else min(left, (1 << 32) - 1)
                self.highest += 1
                call.number, self.calls[self.highest] = self.highest, call
                self.balance -= call.cost
                self._frame(CALL, struct.pack("<I", left) + payload, int(call.finished),
                            self.methods[call.method], call.number)
                self.changed.notify_all()
                if self.highest >= (1 << 32) - 1_000:
                    self._drain(says=True)
            else:
                break

    def _goaway(self, last):
        if last < 1:
            self._close("the server has not seen the session", "L1")
        elif self.state == "open":
            self._drain(says=True)

    def _headers(self, headers):
        status, kind = headers.get(":status"), headers.get("content-type", "").split(";")[0]
        if (status, kind.strip().lower()) == ("200", MEDIA_TYPE):
            return
        grpc = headers.get("grpc-status", "12" if status == "200" else "")
        remember = status in ("404", "405", "415", "501") or (status, grpc) == ("200", "12")
        self._refused(f"no session: :status {status}, grpc-status {grpc}", remember)
        self._close("no session")

    def _trailers(self, headers):
        self.is_clean = (self.state == "ending" and not self.input
                         and headers.get("grpc-status") == "0")

    def _refused(self, text, remember=False):
        if not self.opened.done():
            self.opened.set_exception(NotSpoken(text, remember))

    def _data(self, data):
        self.received = self.heard = time.monotonic()
        self.input += data
        at = 0
        try:
            while len(self.input) >= at + 16 and self.state not in ("failed", "closed"):
                head = bytes(self.input[at:at + 16])
                length, kind, flags, code, number, crc = struct.unpack("<IBBHII", head)
                most = 65_536 if self.state == "opening" else FRAME_BYTES
                if length > most:
                    raise Violation(8, f"a frame of {length} bytes: at most {most} are taken")
                if len(self.input) < at + 16 + length:
                    break
                payload = bytes(self.input[at + 16:at + 16 + length])
                at, self.frame_since = at + 16 + length, None
                if not self.is_unchecked and crc32c(payload, crc32c(head[:12])) != crc:
                    raise Violation(15, "a frame's checksum is wrong")
                if self.state == "opening" and kind not in (HELLO, ERROR):
                    raise Violation(13, "the first frame is not HELLO")
                if kind < 128:
                    check(kind, flags, code, number, payload)
                    self._take(kind, flags, code, number, payload)
        except Violation as error:
            self._fail(error.code, error.text)
        del self.input[:at]
        if self.state in ("failed", "closed"):
            self.input.clear()
        if self.input and self.frame_since is None:
            self.frame_since = self.received

    def _take(self, kind, flags, code, number, payload):
        if kind in (REPLY, END):
            self._answer(kind, flags, code, number, payload)
        elif kind == CREDIT:
            self.balance += struct.unpack("<I", payload)[0]
            if self.balance > LARGEST:
                raise Violation(13, f"credit is over {LARGEST}")
            self._serve()
            self.changed.notify_all()
        elif kind == PING and not flags and self.state != "ending":
            self._frame(PING, payload, flags=1)
        elif kind == DRAIN and self.state != "ending":
            if number > self.highest:
                raise Violation(13, f"DRAIN names call {number}, which was never sent")
            if self.has_drain:
                raise Violation(13, "a second DRAIN")
            self.has_drain = True
            for call in [call for call in self.calls.values() if call.number > number]:
                del self.calls[call.number]
                self._settle(call, CallError(14, "the server drains: not started", "L1"))
            self._drain()
        elif kind == ERROR:
            text = payload.decode(errors="replace")
            name = CODES[code] if 0 < code < len(CODES) else "UNKNOWN"
            self._refused(f"{name}: {text}", name == "UNIMPLEMENTED")
            self._close(f"session failed: {name}: {text}")
        elif kind == HELLO:
            self._hello(code, payload)

    def _hello(self, version, payload):
        if self.state != "opening":
            raise Violation(13, "a second HELLO")
        try:
            if version != 1:
                raise Violation(12, f"version {version} is not spoken here")
            self.max_frame_bytes, self.balance, self.max_calls, flags, self.methods = (
                hello_of(payload))
        except ValueError as error:
            raise Violation(13, f"HELLO is malformed: {error}") from None
        self.is_unchecked = bool(self.allows_unchecked and flags & 1)
        self.state = "open"
        self.opened.set_result(self)

    def _answer(self, kind, flags, code, number, payload):
        call = self.calls.get(number)
        if call is None:
            raise Violation(13, f"call {number} is not open")
        is_end = kind == END or flags & 1
        message = payload[:len(payload) - code] if kind == REPLY else None
        if is_end:  # its credit comes back, whether or not the caller has gone (D17)
            del self.calls[number]
            self.balance += 0 if flags & 2 else call.cost
            call.timing, text, details = record_of(payload[len(message or b""):])
        if call.done():
            pass
        elif message is not None and call.is_unary and call.message is not None:
            self._abandon(call, CallError(13, "a unary call was answered twice"))
        else:
            if message is not None:
                call.message = message
                call.messages.put(message)
            if kind == END and code:
                self._settle(call, CallError(code, text, "L2", call.timing, details))
            elif is_end and call.is_unary and call.message is None:
                self._settle(call, CallError(13, "the call ended without an answer"))
            elif is_end:
                self._settle(call)
        self._serve()
        self.changed.notify_all()

    # Ends: of a call, of the session.

    def _settle(self, call, error=None):
        if not call.done():
            call.settle(error)
            self.changed.notify_all()

    def _abandon(self, call, error):
        """The caller has its result; the server's end has yet to come (D3, D14, D15)."""
        with self.lock:
            if call.done():
                return False
            self.starts.pop(call, None)
            if call.number in self.calls and self.state in ("open", "draining"):
                self._frame(CANCEL, call=call.number)
            self._settle(call, error)
            self._flush()
            return True

    def _drain(self, says=False):
        """No new calls here; those that wait may go elsewhere (D4)."""
        if says:
            self._frame(DRAIN)
        self.state = "draining"
        while self.starts:
            self._settle(self.starts.popitem()[0], CallError(14, "the session drains", "L1"))
        for call in list(self.calls.values()):
            if call.method == WATCH:  # has no end of its own (§12)
                self._abandon(call, CallError(14, "the session drains", "L3"))

    def _fail(self, code, text):
        if self.state == "ending":
            self._close(text)
            return
        self._refused(text, self.state == "opening" and code in (12, 13))
        self.failure = f"session failed: {CODES[code]}: {text}"
        self._settle_all(self.failure)
        self._frame(ERROR, text.encode()[:1_024], code=code)
        self.state, self.since = "failed", self.sent

    def _settle_all(self, text, row="L3"):
        waiting, self.state = list(self.starts), "failed"
        self.starts.clear()
        for call in waiting:
            self._settle(call, CallError(14, text, "L1"))
        for number in list(self.calls):
            self._settle(self.calls.pop(number), CallError(14, text, row))

    def _close(self, text, row="L3"):
        if self.state != "closed":
            self.failure = None if self.is_clean else self.failure or text
            self._refused(text)
            self._settle_all(text, row)
            self.state = "closed"
            self._leave()

    def _tick(self, now):
        """Does what its time has come for; when the next thing is due (§13)."""
        while self.deadlines and (self.deadlines[0][0] <= now or self.deadlines[0][2].done()):
            call = heapq.heappop(self.deadlines)[2]
            self._abandon(call, CallError(4, "the deadline has passed", "L4"))
        due = [self.deadlines[0][0]] if self.deadlines else []
        if self.state == "draining" and not self.calls and not self.sends:
            self.state, self.since, self.wants_end = "ending", now, True
        limits = {"opening": OPENING, "ending": ENDING, "failed": FAILING}
        if self.state in limits:
            due.append(self.since + limits[self.state])
            if due[-1] <= now or self.state == "failed" and not self.outbox:
                self._close("the session has ended") if self.state != "opening" else self._fail(
                    4, f"no HELLO within {OPENING} s")
        if self.state in ("open", "draining"):
            if now - self.received >= SILENCE:
                self._fail(14, f"nothing was received for {SILENCE} s")
            elif now - min(self.sent, self.heard) >= self.heartbeat:
                self._frame(PING, struct.pack("<d", now))
                self.heard = now
            due += [min(self.sent, self.heard) + self.heartbeat, self.received + SILENCE]
        if self.frame_since is not None and self.state in ("opening", "open", "draining"):
            due.append(self.frame_since + INCOMPLETE)
            if due[-1] <= now:
                self._fail(4, f"a frame was incomplete for {INCOMPLETE} s")
        return min(due, default=now + self.heartbeat)
