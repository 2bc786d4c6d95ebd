"""A client of Crescendo's session framing, proto/SESSION.md: many calls over one HTTP/2 stream.

    with Session.connect("127.0.0.1:7001") as session:
        reply = session.call(SCORE, request_bytes, work=len(ids), timeout=0.02)

usage: session.py --target HOST:PORT --items 1,2,3 [--user ID]
"""
import argparse
import concurrent.futures
import heapq
import queue
import struct
import tempfile
import time

from session_frames import MESSAGE, SCORE, CallError, NotSpoken, Reply
from session_state import Machine

__all__ = ["SCORE", "Call", "CallError", "NotSpoken", "Reply", "Session"]


class Call(concurrent.futures.Future):
    """A call: a future of its Reply; an iterator of its messages, if it is a stream."""

    def __init__(self, session, method, is_unary, finishes, work, timeout):
        super().__init__()
        self.session, self.method, self.is_unary, self.finished = (
            session, method, is_unary, finishes)
        self.deadline = None if timeout is None else time.monotonic() + timeout
        self.number, self.cost, self.message, self.timing = 0, max(1, work), None, None
        self.messages = queue.SimpleQueue()

    def cancel(self):
        """True if it was not too late."""
        return self.session._abandon(self, CallError(1, "the caller cancelled the call", "L5"))

    def send(self, message, work=0):
        """A further request message; waits for credit. Fails with the call's own error."""
        self.session._send(self, message, work)

    def half_close(self):
        with self.session.lock:
            if not self.finished and not self.done() and self.number:
                self.session._frame(MESSAGE, flags=1, call=self.number)
                self.session._flush()
            self.finished = True

    def settle(self, error=None):
        """Its one end, for the caller: a second one raises InvalidStateError."""
        if error is None:
            self.set_result(Reply(self.message, self.timing))
        else:
            self.timing = error.timing
            self.set_exception(error)
        self.messages.put(None)

    def __iter__(self):
        while (message := self.messages.get()) is not None:
            yield message
        self.messages.put(None)
        self.result()


class Session(Machine):
    """One session on a connection of its own. Threads may share it. What is added to a call by
    `add_done_callback` runs on the session's thread and must not wait."""

    @classmethod
    def connect(cls, target, *, metadata=(), checksums=True, max_waiting=10_000, heartbeat=None):
        """An open session; NotSpoken where there is none, OSError where there is no server.
        Without `checksums` the server may still insist on them. `heartbeat`: seconds, 1 to 10;
        less than half of what a proxy on the way lets be idle."""
        made = cls(target, metadata, checksums, max_waiting, heartbeat)
        made.opened.result()
        return made

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for call in list(self.calls) if kind else ():
            self.calls[call].cancel()
        self.close()

    def close(self):
        """Takes no more calls, lets the open ones end, and ends the session."""
        with self.lock:
            if self.state == "open":
                self._drain(says=True)
        self._wake()
        self.thread.join()

    def call(self, method, request, **options):
        """A unary call: its Reply, or a CallError. Options: work, timeout (seconds), priority,
        attempt, metadata (pairs; bytes for names in -bin)."""
        call = self.start(method, request, **options)
        try:
            return call.result()
        finally:
            call.cancel()

    def start(self, method, request, **options):
        """The same at once: the Call is a future."""
        return self._begin(method, request, is_unary=True, finishes=True, **options)

    def stream(self, method, request, **options):
        """A server streaming call: iterate over it."""
        return self._begin(method, request, is_unary=False, finishes=True, **options)

    def converse(self, method, request, **options):
        """A bidirectional call, with its first message; then send(), half_close(), iteration."""
        return self._begin(method, request, is_unary=False, finishes=False, **options)

    def _begin(self, method, request, *, is_unary, finishes, work=0, timeout=None, priority=0,
               attempt=0, metadata=()):
        call = Call(self, method, is_unary, finishes, work, timeout)
        entries = b""
        for name, value in metadata:
            value = value if isinstance(value, bytes) else value.encode()
            entries += struct.pack("<B", len(name)) + name.encode()
            entries += struct.pack("<H", len(value)) + value
        rest = struct.pack("<IBBHI", work, priority, min(attempt, 255), len(entries), 0)
        rest += entries + request
        with self.lock:
            if self.state != "open":
                call.settle(CallError(14, f"the session is {self.state}", "L1"))
            elif method not in self.methods:
                call.settle(CallError(12, f"the session has no method {method}", "L6"))
            elif len(rest) + 4 > self.max_frame_bytes:
                call.settle(CallError(8, f"the server takes {self.max_frame_bytes} bytes", "L6"))
            elif len(self.starts) >= self.max_waiting:
                call.settle(CallError(8, f"{self.max_waiting} calls wait for credit", "L6"))
            else:
                self.order += 1
                self.starts[call] = (self.order, rest)
                if call.deadline is not None:
                    heapq.heappush(self.deadlines, (call.deadline, self.order, call))
                self._serve()
                self._flush()
                if call.deadline is not None and call.deadline < self.wake_at:
                    self._wake()
        return call

    def _send(self, call, message, work):
        with self.changed:
            self.changed.wait_for(lambda: call.done() or call.number)
            if call.finished:
                raise ValueError("the call takes no more messages")
            if not call.done():
                self.order += 1
                entry = (self.order, call, struct.pack("<II", work, 0) + message, work)
                self.sends.append(entry)
                self._serve()
                self._flush()
                self.changed.wait_for(lambda: call.done() or entry not in self.sends)
            if call.done():
                raise call.exception() or ValueError("the call has ended")

def main():
    parser = argparse.ArgumentParser(description="Prints scores, over a session.")
    parser.add_argument("--target", required=True, metavar="HOST:PORT")
    parser.add_argument("--items", required=True, metavar="1,2,3")
    parser.add_argument("--user", type=int, default=0, metavar="ID")
    options = parser.parse_args()
    import score
    with tempfile.TemporaryDirectory() as folder:
        messages, _ = score.stubs(folder)
    items = [int(item) for item in options.items.split(",")]
    request = messages.ScoreRequest(item_ids=items, user_id=options.user)
    with Session.connect(options.target) as session:
        reply = session.call(SCORE, request.SerializeToString(), work=len(items), timeout=1.0)
    answer = messages.ScoreResponse.FromString(reply.message)
    order = sorted(range(len(items)), key=lambda at: (-answer.scores[at], at))
    for rank, at in enumerate(order, 1):
        fidelity = messages.Fidelity.Name(score.column(answer, "fidelity", at))
        print(f"  {rank:>2}  {answer.scores[at]:.6f}  {items[at]}  {fidelity}")
    print("  queued {} µs, scored {} µs, encoded {} µs".format(*reply.timing))


if __name__ == "__main__":
    main()
