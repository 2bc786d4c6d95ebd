"""Connections that end, go away, break HTTP/2 or stay silent, under `crescendo score`/`health`."""

import time

import pytest

import process
from grpc_cases import HTML, OK, POINTS, RESETS, Case
from grpc_double import (
    abort, block, close, data, frame, goaway, good, half, head, only, raw, repeat, reset, settings,
    trailers)
from test_grpc_double import HEALTH, SCORE, ask, check, double  # noqa: F401  (a fixture)

ANSWER = (head(), good, trailers(OK))
COMMANDS = pytest.mark.parametrize("command", [SCORE, HEALTH], ids=["score", "health"])


def points():
    return pytest.mark.parametrize("point", POINTS.values(), ids=POINTS)


# MARK: GOAWAY


@pytest.mark.parametrize("number", [*range(14), 77])
def test_goaway_below_the_call(double, number):
    """Not processed: UNAVAILABLE, whatever the code is."""
    name = RESETS[number] if number < 14 else str(number)
    ask(double, Case("", (goaway(-2, number),), "UNAVAILABLE", hints=(name,)))


@points()
def test_goaway_below_a_call_that_was_begun(double, point):
    """A server that contradicts itself."""
    ask(double, Case("", (*point, goaway(-2, 2)), "UNAVAILABLE", hints=("INTERNAL_ERROR",)))


@points()
@pytest.mark.parametrize("last", [0, 2], ids=["at", "above"])
def test_goaway_at_or_above_the_call(double, last, point):
    """Its answer still comes; or the end does, or a reset, and that is what counts."""
    away, rest = goaway(last, 0), ANSWER[len(point):]
    if POINTS["within the message"] == point:
        rest = (lambda call: call.peer.data(call.stream, call.good[6:], False), trailers(OK))
    if POINTS["within a page"] == point:
        ask(double, Case("", (*point, away, data(b"", end=True)), "UNAVAILABLE",
                         hints=("HTTP status 503",)))
    else:
        ask(double, Case("", (*point, away, *rest), "OK"))
    ask(double, Case("", (*point, away, close), "UNAVAILABLE"))
    ask(double, Case("", (*point, away, reset(8)), "CANCELLED", hints=("CANCEL",)))


@COMMANDS
def test_goaway_in_steps(double, command):
    """The notice, then the real one."""
    notice = goaway(last=(1 << 31) - 1)
    ask(double, Case("", (notice, goaway(0), *ANSWER), "OK"), command)
    ask(double, Case("", (notice, goaway(-2), *ANSWER), "UNAVAILABLE"), command)
    ask(double, Case("", (notice, goaway(-2)), "UNAVAILABLE", hints=("NO_ERROR",)), command)
    # A last stream may not rise.
    ask(double, Case("", (goaway(0), notice, *ANSWER), "UNAVAILABLE"), command)


@COMMANDS
@pytest.mark.parametrize("opening", [
    (settings(), goaway(last=0)), (settings(), goaway(last=0, code=11), close),
    (settings(), close), (close,)], ids=["goaway", "calm", "closed", "closed at once"])
def test_a_connection_that_ends_before_the_call(double, command, opening):
    ask(double, Case("", (), "UNAVAILABLE"), command, opening=opening)


@COMMANDS
@pytest.mark.parametrize("opening", [(abort,), (settings(), abort)], ids=["at once", "greeted"])
def test_a_connection_that_is_reset_before_the_call(double, command, opening):
    """The kernel may tell it while connecting still: then the server was not reached."""
    double.begin((), opening=opening)
    done = process.run(*command, "--target", double.target)
    if done.returncode == 3:
        assert done.stderr.startswith(f"cannot reach {double.target}: "), process.explain(done)
    else:
        check(done, Case("", (), "UNAVAILABLE"), double.target)
    double.rest()


# MARK: The connection is lost


@points()
@pytest.mark.parametrize("end", [close, abort])
def test_the_connection_ends(double, point, end):
    ask(double, Case("", (*point, end), "UNAVAILABLE"))


@COMMANDS
def test_the_connection_ends_after_the_answer(double, command):
    ask(double, Case("", (*ANSWER, close), "OK"), command)
    ask(double, Case("", (*ANSWER, goaway(0), close), "OK"), command)


# MARK: The peer breaks HTTP/2


@pytest.mark.parametrize("broken", [
    (head(), frame(0, b"x" * 16_385)), (frame(0, b"x", stream=0),), (frame(1, b"\xff" * 8, 4),),
    (frame(1, b"\x80", 4),), (frame(9, b"", 4),), (frame(6, b"short", stream=0),),
    (frame(4, b"\0\x04\xff\xff\xff\xff", stream=0),), (frame(4, b"odd", stream=0),),
    (frame(5, b"\0\0\0\x02", 4),), (frame(8, b"\0\0\0\0", stream=0),), (data(b"early"),),
    (head(), frame(0, b"\xff", 8)), (frame(1, b"", 4, stream=0),), (frame(3, b"\0\0", 0),),
    (frame(0, b"x", stream=99),), (frame(7, b"\0\0\0\x02\0\0\0\0", stream=0),),
    (head(), frame(8, b"\x7f\xff\xff\xff", stream=0)),
], ids=["frame over the maximum", "DATA on stream 0", "bad HPACK", "index 0", "lone CONTINUATION",
        "short PING", "window of 2^32", "odd SETTINGS", "PUSH_PROMISE", "increment 0",
        "DATA before headers", "padding over all", "HEADERS on stream 0", "short RST_STREAM",
        "DATA on an idle stream", "GOAWAY of an even stream", "connection window of 2^31"])
def test_broken_http2(double, broken):
    ask(double, Case("", broken, "UNAVAILABLE"))


GARBAGE = {
    "HTTP/1.1": (b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", "HTTP/1"),
    "HTTP/1.0": (b"HTTP/1.0 505 no\r\n\r\n", "HTTP/1"),
    "TLS alert": (b"\x15\x03\x01\0\x02\x02\x46", "TLS"),
    "TLS 1.2 alert": (b"\x15\x03\x03\0\x02\x02\x28", "TLS"),
    "SSH": (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "HTTP/2"),
    "SMTP": (b"220 mail.example.com ESMTP ready\r\n", "HTTP/2"),
    "zeros": (b"\0" * 64, "HTTP/2"), "ones": (b"\xff" * 64, "HTTP/2"),
    "no SETTINGS": (b"\0\0\x08\x06\0\0\0\0\0whatever", "HTTP/2"),
    "a preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/2"),
}


@pytest.mark.parametrize("ends", [False, True], ids=["open", "closed"])
@pytest.mark.parametrize("greeting, hint", GARBAGE.values(), ids=GARBAGE)
def test_garbage_instead_of_http2(double, greeting, hint, ends):
    """Found out from the bytes, not from the deadline or the connection's end."""
    opening = (raw(greeting), close) if ends else (raw(greeting),)
    ask(double, Case("", (), "UNAVAILABLE", hints=(hint,)), opening=opening)


# MARK: No answer


def drop(seconds):
    return lambda call: time.sleep(seconds)


SILENCES = {
    "nothing": (), "headers": (head(),), "half": (head(), half), "no trailers": (head(), good),
    "a page": (head(status="503", content=HTML), data(b"<")),
    "goaway": (goaway(0),), "part of a frame": (raw(b"\0\0\x10\1"),),
    "no END_HEADERS": (frame(1, b"\x88", 0),),
    "drops": (head(), data(b"\0\0\0\1\0"), repeat(data(b"x"), 0.02)),
    "empty DATA": (head(), repeat(data(b""), 0.002)),
    "1xx for ever": (repeat(block((":status", "103")), 0.002),),
    "PING for ever": (repeat(frame(6, b"whatever", stream=0), 0.002),),
    "SETTINGS for ever": (repeat(settings(), 0.002),),
}


@pytest.mark.parametrize("steps", SILENCES.values(), ids=SILENCES)
def test_no_answer(double, steps):
    """DEADLINE_EXCEEDED at the deadline, and RST_STREAM(CANCEL) for the server."""
    began = time.monotonic()
    calls = ask(double, Case("", steps, "DEADLINE_EXCEEDED"), timeout="150ms")
    assert time.monotonic() - began >= 0.15
    assert [call.reset for call in calls] == [8], "the server was not told"


@COMMANDS
def test_no_http2_at_all(double, command):
    ask(double, Case("", (), "DEADLINE_EXCEEDED"), command, timeout="150ms", opening=(),
        gives_window=False)


@COMMANDS
def test_a_reset_at_the_deadline_is_the_deadline(double, command):
    """The server gives up at the same time: whichever is first, the status is the same."""
    for wait in (0.05, 0.06):
        case = Case("", (drop(wait), reset(8)), "DEADLINE_EXCEEDED")
        ask(double, case, command, timeout="50ms")


def test_the_servers_deadline_is_its_own_words(double):
    case = Case("", (only(("grpc-status", "4"), ("grpc-message", "too late")),),
                "DEADLINE_EXCEEDED", "too late")
    ask(double, case)
