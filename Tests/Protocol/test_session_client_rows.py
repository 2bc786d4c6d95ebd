"""The Python client against a server that says anything: the C and D rows of proto/SESSION.md."""

import struct

import h2.events
import pytest

from python_session import PATIENCE, client
from session_double import RECORD, double, end, frame, hello, last, opened  # noqa: F401

GRPC = "application/grpc"
NOT_SPOKEN = {
    "404": ({":status": "404"}, True), "405": ({":status": "405"}, True),
    "415": ({":status": "415"}, True), "501": ({":status": "501"}, True),
    "12": ({":status": "200", "content-type": GRPC, "grpc-status": "12"}, True),
    "none": ({":status": "200", "content-type": "text/html"}, True),
    "14": ({":status": "200", "content-type": GRPC, "grpc-status": "14"}, False),
    "401": ({":status": "401"}, False), "429": ({":status": "429"}, False),
    "503": ({":status": "503"}, False)}


@pytest.mark.parametrize("row", NOT_SPOKEN)
@pytest.mark.parametrize("greeting", [b"", None])
def test_not_spoken(double, row, greeting):
    headers, remember = NOT_SPOKEN[row]
    with pytest.raises(client.NotSpoken) as failure:
        client.Session.connect(double(list(headers.items()), greeting).target)
    assert failure.value.remember is remember, failure.value


FIRST = {
    "C6": (frame(client.HELLO, hello(), code=2), True, (12, b"version 2 is not spoken here")),
    "C7": (frame(client.HELLO, b"\xff", code=1), True, (13, b"HELLO is malformed: ")),
    "C7-credit": (frame(client.HELLO, hello(credit=1 << 31), code=1), True,
                  (13, b"HELLO is malformed: ")),
    "C7-calls": (frame(client.HELLO, hello(calls=0), code=1), True, (13, b"HELLO is malformed: ")),
    "C7-bytes": (frame(client.HELLO, hello(frame_bytes=16_383), code=1), True,
                 (13, b"HELLO is malformed: ")),
    "C7-ids": (frame(client.HELLO, hello(methods={"/a": 1, "/b": 1}), code=1), True,
               (13, b"HELLO is malformed: ")),
    "C8": (frame(client.PING, bytes(8)), True, (13, b"the first frame is not HELLO")),
    "C8-skipped": (frame(128), True, (13, b"the first frame is not HELLO")),
    "C9": (frame(client.ERROR, b"no", code=12), True, None),
    "C9-now": (frame(client.ERROR, b"no", code=14), False, None),
    "X1": (frame(client.HELLO, hello(), code=1, flip=1), False, (15, b"a frame's checksum")),
    "X3": (struct.pack("<IBBHII", 65_537, 1, 0, 1, 0, 0), False,
           (8, b"a frame of 65537 bytes: at most 65536 are taken"))}


@pytest.mark.parametrize("row", FIRST)
def test_first_frame(double, row):
    data, remember, error = FIRST[row]
    server = double(greeting=data)
    with pytest.raises(client.NotSpoken) as failure:
        client.Session.connect(server.target)
    assert failure.value.remember is remember, failure.value
    if error:
        _, _, code, _, text = server.wait(client.ERROR)[0]
        assert code == error[0] and text.startswith(error[1]), (code, text)
    assert server.wait_event(h2.events.StreamReset).error_code == 8


def test_no_hello(double, monkeypatch):
    """C10, and C32 for one that begins."""
    monkeypatch.setattr(client, "OPENING", 0.05)
    server = double()
    with pytest.raises(client.NotSpoken, match="no HELLO") as failure:
        client.Session.connect(server.target)
    assert not failure.value.remember and server.wait(client.ERROR)[0][2] == 4


BROKEN = {
    "X1": (frame(client.PING, bytes(8), flip=1 << 31), 15, "a frame's checksum is wrong"),
    "X3": (struct.pack("<IBBHII", 4_259_841, 9, 0, 0, 0, 0), 8,
           "a frame of 4259841 bytes: at most 4259840 are taken"),
    "C14": (frame(client.HELLO, hello(), code=1), 13, "a second HELLO"),
    "C16": (frame(client.CREDIT, struct.pack("<I", (1 << 31) - 99)), 13,
            "credit is over 2147483647"),
    "C18": (frame(client.DRAIN, call=2), 13, "DRAIN names call 2, which was never sent"),
    "C19": (frame(client.DRAIN, call=1) * 2, 13, "a second DRAIN"),
    "C24": (last(2), 13, "call 2 is not open"), "C24-end": (end(0), 13, "call 0 is not open"),
    "C24-twice": (end(1) * 2, 13, "call 1 is not open"),
    "F6": (frame(11), 13, "unknown frame type 11"), "F6-0": (frame(0), 13, "unknown frame type 0"),
    "F7": (frame(client.CANCEL, call=1), 13, "CANCEL is not for this end"),
    "F8-flag": (frame(client.PING, bytes(8), flags=2), 13,
                "PING: a field or flag that must be 0 is not"),
    "F8-keep": (frame(client.REPLY, b"", flags=2, call=1), 13,
                "REPLY: a field or flag that must be 0 is not"),
    "F8-code": (frame(client.REPLY, RECORD, code=20, call=1), 13,
                "REPLY: a field or flag that must be 0 is not"),
    "F8-call": (frame(client.CREDIT, b"\1\0\0\0", call=1), 13,
                "CREDIT: a field or flag that must be 0 is not"),
    "F9-credit": (frame(client.CREDIT, bytes(4)), 13, "CREDIT is malformed"),
    "F9-ping": (frame(client.PING, bytes(7)), 13, "PING is malformed"),
    "F9-drain": (frame(client.DRAIN, b"x", call=1), 13, "DRAIN is malformed"),
    "F9-end": (end(1, record=RECORD + b"x"), 13, "END is malformed"),
    "F9-short": (end(1, record=RECORD[:19]), 13, "END is malformed"),
    "F9-last": (frame(client.REPLY, RECORD, 1, 21, 1), 13, "REPLY is malformed"),
    "F9-beyond": (frame(client.REPLY, b"ten bytes." + RECORD, 1, 50, 1), 13, "REPLY is malformed"),
    "F9-lasting": (frame(client.REPLY, b"x" + RECORD, 1, 21, 1), 13, "REPLY is malformed")}


@pytest.mark.parametrize("row", BROKEN)
def test_broken_frame(opened, row):
    """An ERROR, L3 for the open call, RST_STREAM(CANCEL); what comes behind is not looked at."""
    data, code, text = BROKEN[row]
    server, session = opened()
    call = session.stream("/a", b"")
    server.wait(client.CALL)
    server.say(frame(200, b"skipped", 9, 9, 9), data, frame(0))
    _, _, found, _, said = server.wait(client.ERROR)[0]
    assert (found, said.decode()) == (code, text)
    assert server.wait_event(h2.events.StreamReset).error_code == 8
    session.close()
    assert session.failure == f"session failed: {client.CODES[code]}: {text}"
    if row != "C24-twice":
        assert (call.exception().row, call.exception().text) == ("L3", session.failure)
    assert not session.is_clean


def test_drain_and_end(opened):
    """C17, C21, C26, D18, D4: calls below go on, those above and those that wait were not begun."""
    server, session = opened(credit=10)
    calls = [session.start("/a", b"", work=work) for work in (4, 5, 5, 5)]
    server.wait(client.CALL, 3)
    server.say(frame(client.DRAIN, call=1))
    assert [call.exception(PATIENCE).row for call in calls[1:]] == ["L1"] * 3
    with pytest.raises(client.CallError, match="L1"):
        session.call("/a", b"")
    assert not calls[0].done()
    server.say(last(1))
    assert calls[0].result(PATIENCE)
    server.wait_event(h2.events.StreamEnded)
    server.finish()
    session.close()
    assert session.is_clean


CUT = {"finish": ("L3", lambda server: server.finish()),
       "reset": ("L3", lambda server: server.reset(2)),
       "refused": ("L1", lambda server: server.reset(7)),
       "unseen": ("L1", lambda server: server.goaway(0)),
       "gone": ("L3", lambda server: server.close()),
       "long": ("L3", lambda server: server.socket.sendall(b"\xff" * 3 + bytes(20_000))),
       "error": ("L3", lambda server: server.say(frame(client.ERROR, b"why", 9, 99, 9)))}


@pytest.mark.parametrize("row", CUT)
def test_truncated(opened, row):
    """C25, C27, C29."""
    wanted, cut = CUT[row]
    server, session = opened()
    call = session.start("/a", b"")
    server.wait(client.CALL)
    cut(server)
    error = call.exception(PATIENCE)
    assert (error.name, error.row) == ("UNAVAILABLE", wanted)
    session.close()
    assert session.state == "closed" and not session.is_clean
    if row == "error":
        assert error.text == "session failed: UNKNOWN: why"


def test_goaway_notice(opened):
    """C28: DRAIN, and the open call is still answered."""
    server, session = opened()
    call = session.start("/a", b"")
    server.wait(client.CALL)
    server.goaway((1 << 31) - 1)
    server.wait(client.DRAIN)
    server.goaway(1)
    server.say(last(1))
    assert call.result(PATIENCE).message == b"x"


TIMERS = {"SILENCE": (14, "nothing was received for 0.05 s", b""),
          "INCOMPLETE": (4, "a frame was incomplete for 0.05 s", b"\1")}


@pytest.mark.parametrize("row", TIMERS)
def test_timers(opened, monkeypatch, row):
    """C31, C32."""
    code, text, data = TIMERS[row]
    monkeypatch.setattr(client, row, 0.05)
    server, session = opened()
    call = session.start("/a", b"")
    server.say(data)
    _, _, found, _, said = server.wait(client.ERROR)[0]
    assert (found, said.decode()) == (code, text)
    assert call.exception(PATIENCE).row == "L3"
