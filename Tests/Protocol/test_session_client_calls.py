"""Calls of the Python client against a server that says anything: credit, and the D rows of
proto/SESSION.md."""

import struct

import h2.events
import pytest

from python_session import PATIENCE, client
from session_double import double, end, frame, last, opened  # noqa: F401


def test_credit(opened):
    """The worked numbers of §9: below 0 by one, in line, KEEP, CREDIT; places are counted, too."""
    server, session = opened(credit=100, calls=2)
    first = session.start("/a", b"", work=300)
    second = session.start("/a", b"", work=0)
    assert (first.number, second.number, session.balance) == (1, 0, -200)
    server.say(last(1))
    assert first.result(PATIENCE) == (b"x", (1, 2, 3, None))
    server.wait(client.CALL, 2)
    assert session.balance == 99
    server.say(end(2, keep=2))
    assert second.exception(PATIENCE).name == "INTERNAL"  # D11
    assert session.balance == 99
    calls = [session.start("/a", b"", work=1) for _ in range(3)]
    assert [call.number for call in calls] == [3, 4, 0] and session.balance == 97
    assert calls[2].cancel() and calls[2].exception().row == "L5"
    server.say(frame(client.CREDIT, b"\1\0\0\0"), last(3), last(4))
    assert [call.result(PATIENCE).message for call in calls[:2]] == [b"x", b"x"]
    assert session.balance == 100 and not session.calls


def test_credit_of_nothing(opened):
    """At a balance of 0 a call waits; a session may begin with 0."""
    server, session = opened(credit=0)
    first, second = session.start("/a", b"", work=5), session.start("/a", b"")
    assert (first.number, second.number) == (0, 0)
    server.say(frame(client.CREDIT, b"\5\0\0\0"))
    server.wait(client.CALL)
    assert (first.number, second.number, session.balance) == (1, 0, 0)
    server.say(last(1))
    server.wait(client.CALL, 2)
    assert session.balance == 4


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("granted", [0, 1])
def test_without_checksums(opened, asked, granted):
    """Only if both say so; then 0 is sent, and what comes is not looked at. HELLO has its own."""
    server, session = opened(checksums=not asked, flags=granted)
    call = session.start("/a", b"")
    server.wait(client.CALL)
    is_without = asked and granted == 1
    assert server.checksums[0] != 0 and (server.checksums[1] == 0) is is_without
    server.say(frame(client.PING, b"question", flip=1 if is_without else 0), last(1))
    assert call.result(PATIENCE)
    assert server.wait(client.PING) == [(client.PING, 1, 0, 0, b"question")]
    assert (server.checksums[-1] == 0) is is_without


def test_abandoned(opened):
    """D14 to D17: the caller has its result at once; the credit comes with the end."""
    server, session = opened()
    gone = session.start("/a", b"", work=60)
    late = session.start("/a", b"", work=30, timeout=PATIENCE)
    server.wait(client.CALL, 2)
    late.deadline = 0  # its time has come
    assert gone.cancel() and not gone.cancel()
    assert gone.exception().row == "L5" and late.exception(PATIENCE).row == "L4"
    assert {one[3] for one in server.wait(client.CANCEL, 2)} == {1, 2}
    assert session.balance == 10 and set(session.calls) == {1, 2}
    server.say(frame(client.REPLY, b"dropped", call=1), end(1, 1), last(2))
    good = session.start("/a", b"", work=1)
    server.wait(client.CALL, 3)
    server.say(last(3))
    assert good.result(PATIENCE).message == b"x"
    assert session.balance == 100 and not session.calls and not late.cancel()


def test_unary_twice(opened):
    """D12: INTERNAL at once, and CANCEL unless the second is the end."""
    server, session = opened()
    calls = [session.start("/a", b"") for _ in range(3)]
    server.wait(client.CALL, 3)
    server.say(*(frame(client.REPLY, b"1", call=call) for call in (1, 2, 3)),
               frame(client.REPLY, b"2", call=1), last(2), end(3))
    assert calls[0].exception(PATIENCE).name == calls[1].exception(PATIENCE).name == "INTERNAL"
    assert calls[2].result(PATIENCE).message == b"1"
    assert [one[3] for one in server.wait(client.CANCEL)] == [1]
    server.say(end(1, 1))


def test_pings_whose_answers_wait(opened):
    """X28: a server that asks and does not read is no reason to keep answers for ever."""
    server, session = opened()
    server.http.acknowledge_received_data = lambda *_: None  # no window is given back
    call = session.start("/a", bytes(70_000))
    ping = frame(client.PING, bytes(8))
    for _ in range(2):
        server.say(ping * (client.MOST_ANSWERS // 2))
    server.say(end(1, 5))
    assert call.exception(PATIENCE).name == "NOT_FOUND" and session.state == "open"
    server.say(ping)
    assert server.wait_event(h2.events.StreamReset).error_code == 8
    assert session.failure == "session failed: RESOURCE_EXHAUSTED: no room for a frame of 8 bytes"


def test_messages_wait_for_credit(opened):
    """D5 to D7, D20, and C15: a call and a message in the order in which they came."""
    server, session = opened(credit=1)
    call = session.converse("/b", b"1", work=5)
    waiting = session.start("/a", b"", work=1)
    server.say(frame(client.CREDIT, struct.pack("<I", 6)))
    call.send(b"2", work=1)  # returns when it was sent: behind the other call
    server.wait(client.MESSAGE)
    kinds = [(one[0], one[3]) for one in server.frames if one[0] != client.HELLO]
    assert kinds == [(client.CALL, 1), (client.CALL, 2), (client.MESSAGE, 1)]
    call.half_close()
    call.half_close()
    assert [one[1::3] for one in server.wait(client.MESSAGE, 2)][1] == (1, b"")
    with pytest.raises(ValueError):
        call.send(b"3")
    other = session.converse("/b", b"1")
    server.say(last(2), frame(client.CREDIT, b"\4\0\0\0"))
    server.wait(client.CALL, 3)
    server.say(end(3, 5), last(1))
    with pytest.raises(client.CallError, match="NOT_FOUND"):
        list(other)
    with pytest.raises(client.CallError, match="NOT_FOUND"):
        other.send(b"2")
    assert list(call) == [b"x"] and waiting.result(PATIENCE)
