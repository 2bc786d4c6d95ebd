"""Calls of a session that end early: rows Y of proto/SESSION.md §8.2, cancellation, deadlines."""

import struct

import pytest

from scrape import eventually, handled
from session_calls import (
    CANCELLED, DEADLINE, EXHAUSTED, INTERNAL, INVALID, MANY, NOTHING, OK, SCORE, UNIMPLEMENTED,
    WATCH, ids, many, refused, request, spend_all)
from session_wire import ANSWER, CANCEL, CREDIT, END, FIN, LAST, PING, REPLY, Session, frame


@pytest.fixture
def session(server):
    """Ends cleanly, with its credit whole."""
    with Session(server) as made:
        yield made
        server.check()


def test_calls_that_the_framing_refuses(stubs, everything, session):
    good = request(stubs, everything).SerializeToString()
    rows = [
        (dict(method=99), UNIMPLEMENTED, "the session has no method 99", NOTHING),
        (dict(method=0), UNIMPLEMENTED, "the session has no method 0", NOTHING),
        (dict(priority=2), INTERNAL, "the prelude is malformed", NOTHING),
        (dict(zero=1), INTERNAL, "the prelude is malformed", NOTHING),
        (dict(metadata_length=60_000), INTERNAL, "the prelude is malformed", NOTHING),
        (dict(flags=0), UNIMPLEMENTED, "the method takes one message: CALL without FIN", NOTHING),
        (dict(metadata=bytes(8_193)), EXHAUSTED,
         "8193 bytes of metadata: at most 8192 are taken", -1),
        (dict(metadata=b"\x03abc\x01\x00x\x00"), INTERNAL, "metadata is malformed at byte 7",
         NOTHING),
        (dict(metadata=b"\x03aBc\x01\x00x"), INTERNAL, "metadata is malformed at byte 0", NOTHING),
        (dict(metadata=b"\x03abc\x05\x00x"), INTERNAL, "metadata is malformed at byte 0", NOTHING),
        (dict(metadata=b"\x03abc\x01\x00\x1f"), INTERNAL, "metadata is malformed at byte 0",
         NOTHING),
        (dict(work=4), INVALID, "work is 4, and the message has 3 candidates", NOTHING),
        (dict(work=0), INVALID, "work is 0, and the message has 3 candidates", NOTHING),
    ]
    for options, code, text, pushback in rows:
        options = dict(options)
        method, work = options.pop("method", SCORE), options.pop("work", 3)
        call = session.call(method, good, work, **options)
        assert refused(session, call) == (code, text, pushback), options
    # Binary values are raw.
    call = session.call(SCORE, good, 3, metadata=b"\x05a-bin\x02\x00\x00\xff")
    assert session.expect(REPLY, call).flags == LAST
    spend_all(session)


def test_what_decoding_finds(stubs, everything, session):
    call = session.call(SCORE, b"\xff", 0)
    code, text, _ = refused(session, call)
    assert code == INTERNAL and "ScoreRequest" in text
    made = request(stubs, everything)
    made.model = "nonesuch"
    call = session.call(SCORE, made.SerializeToString(), 3)
    got = session.expect(END, call)
    assert got.code == INVALID and "nonesuch" in got.record()["text"]
    assert b"google.rpc.BadRequest" in got.record()["details"]
    made = stubs.ScoreRequest(item_ids=[1] * 10_001)
    call = session.call(SCORE, made.SerializeToString(), 10_001)
    assert refused(session, call)[0] == EXHAUSTED
    session.finish()


def test_messages_that_end_their_call(stubs, everything, session):
    """T7, T8: with both MESSAGEs' credit back."""
    def begin():
        call = session.call(MANY, many(stubs, everything, 0), 3, flags=0)
        session.expect(REPLY, call)
        return call

    def ends(call, code, text, credit):
        seen = {}
        while END not in seen or seen.get(CREDIT, 0) < credit:
            got = session.next()
            if got.kind == CREDIT:
                seen[CREDIT] = seen.get(CREDIT, 0) + struct.unpack("<I", got.payload)[0]
            elif got.kind == END:
                assert (got.code, got.record()["text"]) == (code, text)
                seen[END] = got
        assert seen.get(CREDIT, 0) == credit

    call = begin()
    session.message(call, many(stubs, everything, 1), 3, zero=9)
    ends(call, INTERNAL, "the prelude is malformed", 3)
    call = begin()
    session.message(call, many(stubs, everything, 1), 7)
    ends(call, INVALID, "work is 7, and the message has 3 candidates", 7)
    # A Watch never ends by itself: FIN, and then a message.
    call = session.call(MANY, many(stubs, everything, 0, 4_000), 4_000, flags=FIN)
    session.message(call, many(stubs, everything, 1), 5)
    got, credit = session.next(), 0
    while credit < 5:
        if got.kind == CREDIT:
            credit += struct.unpack("<I", got.payload)[0]
        elif got.kind == END:
            assert got.code in (OK, INTERNAL), got
        if credit < 5:
            got = session.next()
    assert credit == 5
    spend_all(session)


def test_an_answer_longer_than_the_client_takes(stubs, everything, server):
    """T14, Y14; calls with short answers go on."""
    with Session(server, max_frame=16_384) as session:
        call = session.call(SCORE, request(stubs, everything, 5_000).SerializeToString(), 5_000)
        code, text, pushback = refused(session, call)
        assert code == EXHAUSTED and text.endswith("the client takes 16384") and pushback == -1
        call = session.call(SCORE, request(stubs, everything, 10).SerializeToString(), 10)
        assert session.expect(REPLY, call).flags == LAST
        # One that fits without its END record has an END behind it: n candidates are 4n + 144.
        sizes = set()
        for count in range(4_040, 4_075):
            wanted = stubs.ScoreRequest(item_ids=ids(everything, count))
            call = session.call(SCORE, wanted.SerializeToString(), count)
            got = session.next()
            if got.kind == REPLY and not got.flags:
                sizes.add(got.length)
                assert session.expect(END, call).code == OK
            else:
                assert got.call == call and (got.flags == LAST or got.code == EXHAUSTED), got
        assert sizes and min(sizes) > 16_384 - 20 and max(sizes) <= 16_384, sizes
        call = session.call(MANY, many(stubs, everything, 0, 5_000), 5_000, flags=0)
        assert refused(session, call)[0] == EXHAUSTED
        session.finish()


# Cancellation and deadlines


def test_cancel(stubs, everything, start):
    server = start(everything, "--loops", 1, "--shards", 1, "--fanout", "never", "--admin",
                   "127.0.0.1:0")
    with Session(server) as session:
        big = request(stubs, everything, 10_000).SerializeToString()
        calls = [session.call(SCORE, big, 10_000) for _ in range(6)]
        for call in calls:
            session.send(frame(CANCEL, call=call))
        ends = {}
        while len(ends) < 6:
            got = session.next()
            assert got.call in calls and got.call not in ends
            assert got.kind == END and got.code == CANCELLED or got.flags & LAST, got
            ends[got.call] = got
        # Late and double ones are ignored.
        session.send(*(frame(CANCEL, call=call) for call in calls * 2))
        session.send(frame(PING, b"12345678"))
        assert session.expect(PING).flags == ANSWER
        session.finish()
    eventually(server, lambda one: handled(one) == 6)


def test_deadlines(stubs, everything, session):
    """Y8: a microsecond is over before any work; the largest time is not."""
    made = request(stubs, everything, 2_000)
    made.min_fidelity = stubs.FIDELITY_FULL
    call = session.call(SCORE, made.SerializeToString(), 2_000, timeout_us=1)
    assert refused(session, call)[0] == DEADLINE
    call = session.call(SCORE, made.SerializeToString(), 2_000, timeout_us=(1 << 32) - 1)
    assert session.expect(REPLY, call).flags == LAST
    watch = session.call(WATCH, b"", 0, timeout_us=100_000)
    session.expect(REPLY, watch)
    assert refused(session, watch)[:2] == (
        DEADLINE, "the deadline passed before the call was answered")
    session.finish()
