"""What the server says to a client that breaks the rules of proto/SESSION.md §8: row by row."""

import struct

import pytest

from python_session import (CHECK, PATIENCE, SCORE, STREAM, WATCH, client, entries, options_of,
                            served, session)  # noqa: F401

# A row: what the caller adds, and what comes back.
TRACE = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
CALL_ROWS = {
    "Y1": ({"method": "/x"}, "UNIMPLEMENTED", "the session has no method 999", None),
    "Y2": ({"priority": 2}, "INTERNAL", "the prelude is malformed", None),
    "Y4": ({"metadata": entries(("a", "b" * 8_189))}, "RESOURCE_EXHAUSTED",
           "8193 bytes of metadata: at most 8192 are taken", -1),
    "Y5-name": ({"metadata": entries(TRACE, ("A", "b"))}, "INTERNAL",
                "metadata is malformed at byte ", None),
    "Y5-value": ({"metadata": entries(("a", "\n"))}, "INTERNAL",
                 "metadata is malformed at byte ", None),
    "Y6": ({"request": bytes((4 << 20) + 1)}, "RESOURCE_EXHAUSTED",
           "a message of 4194305 bytes: at most 4194304 are taken", -1),
    "Y8": ({"timeout": 60, "timeout_us": 1, "work": 3}, "DEADLINE_EXCEEDED",
           "the deadline had passed before any work was done", None),
    "Y9": ({"request": b"\xff" * 20}, "INTERNAL", "", None),
    "Y10": ({"work": 2}, "INVALID_ARGUMENT", "work is 2, and the message has 3 candidates", None),
}


@pytest.mark.parametrize("row", CALL_ROWS)
def test_call_rows(session, stubs, small, row):
    """§8.2: the call alone fails; a good one follows."""
    change, name, text, pushback = CALL_ROWS[row]
    request = stubs.ScoreRequest(item_ids=[int(key) for key in small.items.ids[:3]])
    good = {"method": SCORE, "request": request.SerializeToString(), **options_of(request)}
    bad = {**good, **change}
    session.methods["/x"] = 999
    if us := bad.pop("timeout_us", None):
        del bad["timeout"]
        plain = session._frame

        def hurried(kind, payload=b"", *rest, **more):
            payload = struct.pack("<I", us) + payload[4:] if kind == client.CALL else payload
            plain(kind, payload, *rest, **more)

        session._frame = hurried
    with pytest.raises(client.CallError) as failure:
        session.call(**bad)
    error = failure.value
    assert (error.name, error.row, error.timing.pushback_ms) == (name, "L2", pushback), error
    assert error.text.startswith(text), error
    session.__dict__.pop("_frame", None)
    assert session.call(**good).message


def test_messages_that_may_not_come(session, stubs, small):
    """Y3 at a call of one message, Y12 behind FIN, S18 behind the end; the limits of metadata."""
    request = stubs.ScoreRequest(item_ids=[int(key) for key in small.items.ids[:3]])
    data = request.SerializeToString()
    for method in (SCORE, STREAM, CHECK):
        call = session.converse(method, data, **options_of(request))
        with pytest.raises(client.CallError, match="takes one message: CALL without FIN"):
            call.result(PATIENCE)
        session._frame(client.MESSAGE, struct.pack("<II", 40, 0), call=call.number)
        session.balance -= 40
    watch = session.stream(WATCH, b"")
    next(iter(watch))
    session._frame(client.MESSAGE, flags=1, call=watch.number)
    with pytest.raises(client.CallError, match="INTERNAL: a MESSAGE after FIN"):
        watch.result(PATIENCE)
    longest = entries(("a", "b" * 8_188))
    assert session.call(SCORE, data, metadata=longest, **options_of(request)).message
    with pytest.raises(client.CallError, match="UNIMPLEMENTED.*no method /y"):
        session.call("/y", b"")


PING = (client.PING, bytes(8))
SESSION_ROWS = {
    "X3": ([(client.PING, bytes(4_259_841))], "RESOURCE_EXHAUSTED",
           "a frame of 4259841 bytes: at most 4259840 are taken"),
    "X7": ([(client.HELLO, b"", 0, 1)], "INTERNAL", "a second HELLO"),
    "X10": ([(11, b"")], "INTERNAL", "unknown frame type 11"),
    "X10-0": ([(0, b"")], "INTERNAL", "unknown frame type 0"),
    "X11": ([(client.CREDIT, bytes(4))], "INTERNAL", "CREDIT is not for this end"),
    "X12": ([(client.PING, bytes(8), 2)], "INTERNAL",
            "PING: a field or flag that must be 0 is not"),
    "X13": ([(client.CALL, bytes(15), 1, 1, 1)], "INTERNAL", "CALL is malformed"),
    "X14": ([(client.CALL, bytes(16), 1, 0, 0)], "INTERNAL", "call 0 does not rise"),
    "X15": ([(client.CANCEL, b"", 0, 0, 9)], "INTERNAL", "call 9 was never opened"),
    "X18": ([(client.DRAIN, b""), (client.CALL, bytes(16), 1, 1, 1)], "INTERNAL",
            "a CALL after DRAIN"),
    "X19": ([(client.DRAIN, b"")] * 2, "INTERNAL", "a second DRAIN"),
    "X23": ([(client.CANCEL, b"", 0, 0, 1)] * 6_000, "RESOURCE_EXHAUSTED",
            "too many frames that do nothing"),
}


@pytest.mark.parametrize("row", SESSION_ROWS)
def test_session_rows(served, row):
    """§8.1: an ERROR, and the open calls are L3. A type that is skipped disturbs nothing."""
    sent, name, text = SESSION_ROWS[row]
    session = client.Session.connect(served.target)
    watch = session.stream(WATCH, b"")
    session._frame(200, b"skipped", 255, 65_535, 7)
    for kind, *rest in sent:
        session._frame(kind, *rest)
    error = watch.exception(timeout=PATIENCE)
    assert session.pump(lambda: session.state == "closed", PATIENCE)
    assert session.failure == f"session failed: {name}: {text}"
    if row != "X23":  # there the call was cancelled first
        assert (error.name, error.row, error.text) == ("UNAVAILABLE", "L3", session.failure)
    assert session.state == "closed" and not session.is_clean
