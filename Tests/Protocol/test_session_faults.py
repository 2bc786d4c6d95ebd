"""What ends a session: rows X of proto/SESSION.md §8.1, its timers, its drain."""

import random
import signal

import pytest

import process
from scrape import Metrics, eventually, handled
from session_calls import (
    DEADLINE, EXHAUSTED, INTERNAL, LOSS, MANY, SCORE, UNAVAILABLE, WATCH, good_call, many, request)
from session_wire import (
    ANSWER, CALL, CANCEL, CREDIT, DRAIN, END, ERROR, HELLO, MESSAGE, PING, REPLY, Session, frame,
    hello)


@pytest.fixture
def doomed(server):
    """For tests that end the session; another one works afterwards."""
    with Session(server) as made:
        yield made
    server.check()
    with Session(server) as other:
        other.send(frame(PING, b"12345678"))
        assert other.expect(PING).payload == b"12345678"
        other.finish()


@pytest.mark.parametrize("bad, code, text", [
    (frame(HELLO, b"\x08\x80\x80\x01", code=1), INTERNAL, "a second HELLO"),
    (frame(0), INTERNAL, "unknown frame type 0"),
    (frame(11), INTERNAL, "unknown frame type 11"),
    (frame(127), INTERNAL, "unknown frame type 127"),
    (frame(REPLY, call=1), INTERNAL, "REPLY is not for this end"),
    (frame(END, bytes(20), call=1), INTERNAL, "END is not for this end"),
    (frame(CREDIT, bytes(4)), INTERNAL, "CREDIT is not for this end"),
    (frame(PING, bytes(8), flags=2), INTERNAL, "PING: a field or flag that must be 0 is not"),
    (frame(PING, bytes(8), code=1), INTERNAL, "PING: a field or flag that must be 0 is not"),
    (frame(PING, bytes(8), call=1), INTERNAL, "PING: a field or flag that must be 0 is not"),
    (frame(CALL, bytes(16), flags=2, code=1, call=1), INTERNAL,
     "CALL: a field or flag that must be 0 is not"),
    (frame(CANCEL, code=1, call=1), INTERNAL, "CANCEL: a field or flag that must be 0 is not"),
    (frame(DRAIN, call=1), INTERNAL, "DRAIN: a field or flag that must be 0 is not"),
    (frame(PING, bytes(7)), INTERNAL, "PING is malformed"),
    (frame(CALL, bytes(15), code=1, call=1), INTERNAL, "CALL is malformed"),
    (frame(MESSAGE, bytes(7), call=1), INTERNAL, "MESSAGE is malformed"),
    (frame(MESSAGE, call=1), INTERNAL, "MESSAGE is malformed"),
    (frame(CANCEL, b"x", call=1), INTERNAL, "CANCEL is malformed"),
    (frame(DRAIN, b"x"), INTERNAL, "DRAIN is malformed"),
    (frame(CALL, bytes(16), code=1, call=0), INTERNAL, "call 0 does not rise"),
    (frame(CALL, bytes(16), code=1, call=(1 << 32) - 1), INTERNAL,
     "call 4294967295 does not rise"),
    (frame(CANCEL, call=1), INTERNAL, "call 1 was never opened"),
    (frame(CANCEL, call=0), INTERNAL, "call 0 was never opened"),
    (frame(MESSAGE, bytes(8), call=1), INTERNAL, "call 1 was never opened"),
    (frame(DRAIN) + frame(DRAIN), INTERNAL, "a second DRAIN"),
    (frame(DRAIN) + frame(CALL, bytes(16), code=1, call=1), INTERNAL, "a CALL after DRAIN"),
    (frame(PING, bytes(8), crc=0), LOSS, "a frame's checksum is wrong"),
    (frame(PING, b"", length=(4 << 20) + (64 << 10) + 1), EXHAUSTED,
     "a frame of 4259841 bytes: at most 4259840 are taken"),
    (frame(200) * 2_049, EXHAUSTED, "too many frames that do nothing"),
])
def test_faults(doomed, bad, code, text):
    doomed.send(bad)
    doomed.expect_error(code, text)


def test_ids_must_rise(stubs, everything, doomed):
    for call in (5, 6, 100, (1 << 32) - 2):
        doomed.send(good_call(doomed, stubs, everything, call))
        doomed.expect(REPLY, call)
    doomed.send(good_call(doomed, stubs, everything, 7))
    doomed.expect_error(INTERNAL, "call 7 does not rise")


def test_open_calls_of_a_failed_session_have_no_end(generated, stubs, everything, doomed):
    watch = doomed.call(WATCH, b"", 0)
    doomed.expect(REPLY, watch)
    doomed.send(frame(0))
    doomed.expect_error(INTERNAL, "unknown frame type 0")


def test_overdrawn(stubs, everything, start):
    """The balance may be negative by one call, and then no more."""
    server = start(everything, "--limit", "sessionCredit=1000", "--shards", 1)
    with Session(server) as session:
        watch = session.call(WATCH, b"", 0)
        session.expect(REPLY, watch)
        # What these two hold comes back with their end only, and they may go on: no answer, however
        # early, gives credit back.
        for work in (998, 5_000):
            session.call(MANY, many(stubs, everything, 1, work), work, flags=0)
        session.call(SCORE, request(stubs, everything, 1).SerializeToString(), 1)
        session.expect_error(EXHAUSTED, "credit is overdrawn: the balance is -4999")
    server.check()


def test_too_many_calls(start, small):
    server = start(small, "--limit", "sessionCalls=3")
    with Session(server) as session:
        for _ in range(3):
            session.expect(REPLY, session.call(WATCH, b"", 0))
        session.call(WATCH, b"", 0)
        session.expect_error(EXHAUSTED, "more than 3 calls are open")
    server.check()


def test_an_error_of_the_client(server, doomed):
    """S23: nothing is said but RST_STREAM(CANCEL)."""
    doomed.call(WATCH, b"", 0)
    doomed.expect(REPLY)
    doomed.send(frame(ERROR, b"enough", code=INTERNAL, flags=9, call=7))
    assert doomed.next() is None and doomed.answer.reset == 8, doomed.answer


def test_no_room_for_a_frame(start, small):
    """X28; and what was held is on nobody's account afterwards."""
    server = start(small, "--limit", "messageBytes=64KiB", "--limit",
                   "connectionBufferedBytes=64KiB", "--admin", "127.0.0.1:0")
    with Session(server) as session:
        session.send(frame(PING, bytes(100_000))[:90_000])
        got = session.expect(ERROR)
        assert got.code == EXHAUSTED, got
        assert got.payload.startswith(b"no room for a frame of "), got
    metrics = eventually(server, lambda one: one.sum("crescendo_connections") == 0)
    assert metrics.sum("crescendo_held_bytes", kind="receive") == 0, metrics.text


@pytest.mark.parametrize("first", [1, 15, 16, 20])
def test_the_stream_ends_inside_a_frame(doomed, first):
    doomed.send(frame(PING, bytes(8))[:first], end=True)
    doomed.expect_error(LOSS, "the stream ended inside a frame")


def test_the_stream_ends_with_calls(doomed):
    doomed.expect(REPLY, doomed.call(WATCH, b"", 0))
    doomed.send(end=True)
    doomed.expect_error(UNAVAILABLE, "the stream ended with 1 calls open")


def test_one_flipped_bit(stubs, everything, server, seed):
    """Each is caught by its checksum, its length or the stream's end; the server lives."""
    rnd = random.Random(seed)
    with Session(server) as model:
        good = good_call(model, stubs, everything, 1) + frame(PING, b"12345678")
        opening = hello()
        model.finish()
    for _ in range(60):
        bit = rnd.randrange(8 * len(good))
        data = bytearray(good)
        data[bit // 8] ^= 1 << bit % 8
        with Session(server, opens=False) as session:
            session.send(opening)
            session.read_hello()
            session.send(bytes(data), end=True)
            seen = []
            while (got := session.next()) is not None:
                seen.append(got)
            assert seen and seen[-1].kind == ERROR, (bit, seen)
            assert seen[-1].code in (LOSS, EXHAUSTED), (bit, seen)
            assert session.answer.reset == 2, (bit, session.answer)
    server.check()


# Time


def test_heartbeat_and_silence(start, small):
    server = start(small, "--limit", "heartbeatNanoseconds=100ms", "--limit",
                   "silenceNanoseconds=400ms")
    with Session(server) as session:
        for _ in range(6):
            got = session.expect(PING)
            assert got.flags == 0
            session.send(frame(PING, got.payload, flags=ANSWER))
        session.expect_error(UNAVAILABLE, "nothing was received for 0 s")
    server.check()


def test_incomplete_frames_and_missing_hellos(start, small):
    server = start(small, "--limit", "frameNanoseconds=150ms")
    with Session(server, opens=False) as session:
        session.expect_error(DEADLINE, "no HELLO within 0 s")
    with Session(server) as session:
        session.send(frame(PING, bytes(8))[:20])
        session.expect_error(DEADLINE, "a frame was incomplete for 0 s")
    server.check()


# The end


def test_drain(stubs, everything):
    """S33, S12: calls above DRAIN are dropped, those below it finish; then a clean end."""
    server = process.Server(everything.folder, "--loops", 1)
    with Session(server) as session:
        watch = session.call(WATCH, b"", 0)
        session.expect(REPLY, watch)
        server.process.send_signal(signal.SIGTERM)
        seen = [session.next() for _ in range(3)]
        drain = [one for one in seen if one.kind == DRAIN]
        assert len(drain) == 1 and drain[0].call == watch, seen
        # The watcher hears of it and is ended.
        assert [one.kind for one in seen if one.kind != DRAIN] == [REPLY, END], seen
        session.send(good_call(session, stubs, everything))
        session.send(frame(PING, b"12345678"))
        assert session.expect(PING).payload == b"12345678"
        session.finish()
    assert server.process.wait(timeout=30) == 0, server.story()


def test_the_hard_end(small):
    """S34, X22."""
    server = process.Server(small.folder, "--loops", 1, "--limit", "drainNanoseconds=500ms")
    with Session(server) as session:
        server.process.send_signal(signal.SIGTERM)
        session.expect(DRAIN)
        got = session.expect(ERROR)
        assert (got.code, got.payload) == (UNAVAILABLE, b"the server has stopped")
    assert server.process.wait(timeout=30) == 0, server.story()


def test_nothing_is_left_behind(stubs, everything, start):
    """Sessions that end in every way: streams, bytes and calls are all back at 0."""
    server = start(everything, "--loops", 2, "--admin", "127.0.0.1:0")
    big = request(stubs, everything, 10_000).SerializeToString()
    for way in range(12):
        session = Session(server)
        for _ in range(4):
            session.call(SCORE, big, 10_000)
        session.call(MANY, many(stubs, everything, 0, 500), 500, flags=0)
        if way % 4 == 0:
            session.connection.reset(session.stream)
            session.connection.ping()
        elif way % 4 == 1:
            session.send(frame(0))
            session.expect_error(INTERNAL, "unknown frame type 0")
        elif way % 4 == 2:
            session.next()
        session.close()
    metrics = eventually(server, lambda one: one.sum("crescendo_connections") == 0)
    for name in ("crescendo_streams",):
        assert metrics.sum(name) == 0
    eventually(server, lambda one: one.sum("crescendo_held_bytes", kind="send") == 0
               and one.sum("crescendo_held_bytes", kind="receive") == 0)
    started = metrics.sum("grpc_server_started_total")
    # A socket closed on unread answers is reset, and may take what the server had not read with it.
    assert 50 <= started <= 60
    eventually(server, lambda one: handled(one) == started)


def test_a_client_that_does_not_read_runs_out_of_credit(stubs, everything, start):
    """Answers wait, credit does not come back while they do, and memory is bounded."""
    server = start(everything, "--loops", 1, "--admin", "127.0.0.1:0")
    with Session(server) as session:
        session.connection.settle(INITIAL_WINDOW_SIZE=session.at)
        big = request(stubs, everything, 5_000).SerializeToString()
        sent, balance = 0, session.credit
        while balance > 0:
            session.call(SCORE, big, 5_000)
            balance -= 5_000
            sent += 1
        eventually(server, lambda one: handled(one) == sent)
        assert Metrics(server).sum("crescendo_held_bytes", kind="send") < sent * (256 << 10)
        # One more is a fault: nothing has been given back.
        session.call(SCORE, big, 5_000)
        session.connection.settle(INITIAL_WINDOW_SIZE=(1 << 31) - 1)
        session.expect_error(EXHAUSTED, f"credit is overdrawn: the balance is {balance}")
    eventually(server, lambda one: one.sum("crescendo_held_bytes", kind="send") == 0)


def test_both_framings_on_one_connection(stubs, everything, server):
    with Session(server) as session:
        wanted = request(stubs, everything)
        connection = session.connection
        for _ in range(20):
            call = session.call(SCORE, wanted.SerializeToString(), 3)
            answer = connection.wait(connection.start(wanted.SerializeToString()))
            assert answer.code == "OK"
            assert session.expect(REPLY, call).message() is not None
        session.finish()
