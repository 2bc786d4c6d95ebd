"""Calls that end before their answer, at every point and from every side: DESIGN 7, rpc.md 1.6.

Whatever they held, room in queues, arenas, buffers and window, is free again, and each is counted.
"""

import signal
import socket
import struct
import threading

import grpc
import pytest

import flow
import heavy
import process
import wire
from cancelling import KINDS, Moved, Requests, gauges, headers, window_of
from scrape import Metrics, eventually

CODE = grpc.StatusCode


@pytest.fixture(scope="module")
def costly(tmp_path_factory, seed):
    """10,000 candidates of it are a second of work, or more, also on a fast machine."""
    return heavy.snapshot(tmp_path_factory.mktemp("costly"), seed, copies=heavy.copies(500))


# So that no call of these tests is turned away for the length of its queue.
PATIENT = ("--loops", 2, "--shards", 2, "--admin", "127.0.0.1:0",
           "--limit", "shardQueueNanoseconds=1m", "--limit", "queueDelayTargetNanoseconds=1s",
           "--limit", "queueDelayIntervalNanoseconds=10s")


@pytest.fixture(scope="module")
def patient(costly, servers):
    made = servers.get(costly, *PATIENT)
    yield made
    made.check()


@pytest.fixture(scope="module")
def requests(stubs, costly):
    return Requests(stubs, costly)


def good(connection, requests):
    answer = connection.call(requests.quick)
    assert answer.code == "OK", answer
    assert len(requests.stubs.ScoreResponse.FromString(answer.message).scores) == 3


# What has been sent of the call when it ends: its headers, some of its message, all of it, and the
# end of the client's half. A round trip lies between, so that the server has it all.
STAGES = ("headers", "prefix", "part", "message", "half-closed")


def begin(connection, requests, kind, stage, **fields):
    """A call of half a second's work, as far as `stage`; its stream."""
    stream = connection.open(headers(kind, **fields))
    whole = wire.message(requests.long_of(kind))
    sent = {"headers": b"", "prefix": whole[:3], "part": whole[:50_000]}.get(stage, whole)
    if sent:
        connection.data(stream, sent, end=stage == "half-closed")
    connection.ping()
    return stream


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_reset_before_the_answer(patient, requests, kind, stage):
    with flow.Watched(patient.port) as connection:
        good(connection, requests)
        with Moved(patient, "reset", 5) as moved:
            for _ in range(5):
                connection.reset(begin(connection, requests, kind, stage))
        good(connection, requests)
        flow.assert_window_is_whole(connection, window_of(moved.after), requests.quick)
        assert not connection.goaways, connection.goaways


def test_reset_behind_the_answer_is_no_cancellation(patient, requests):
    """The call has ended well: a late RST_STREAM changes nothing."""
    with flow.Watched(patient.port) as connection, Moved(patient, "reset", 0):
        for kind in KINDS:
            stream = connection.open(headers(kind))
            connection.data(stream, wire.message(requests.quick_of(kind)), end=True)
            assert connection.wait(stream).code == "OK", kind
            connection.reset(stream)
        good(connection, requests)


@pytest.mark.parametrize("kind", KINDS)
def test_reset_mid_stream(patient, requests, kind):
    """The answer has begun, and cannot go on: the client's window holds ten bytes."""
    with flow.Watched(patient.port) as connection:
        connection.settle(INITIAL_WINDOW_SIZE=10)
        with Moved(patient, "reset", 3):
            for _ in range(3):
                stream = connection.open(headers(kind))
                connection.data(
                    stream, wire.message(requests.quick_of(kind)), end=kind != "many")
                connection.until(lambda: len(connection.answers[stream].body) == 10)
                connection.reset(stream)
        connection.settle(INITIAL_WINDOW_SIZE=1 << 20)
        good(connection, requests)


@pytest.mark.parametrize("closes", [False, True])
def test_reset_between_the_answers(patient, requests, closes):
    """ScoreMany: one item is answered, another is worked on; with and without a half-close."""
    with flow.Watched(patient.port) as connection:
        with Moved(patient, "reset", 4) as moved:
            for _ in range(4):
                stream = connection.open(headers("many"))
                connection.data(stream, wire.message(requests.quick_of("many")))
                connection.until(lambda: flow.messages(connection.answers[stream].body))
                connection.data(stream, wire.message(requests.long_of("many")), end=closes)
                connection.ping()
                assert not connection.answers[stream].ended
                connection.reset(stream)
        good(connection, requests)
        flow.assert_window_is_whole(connection, window_of(moved.after), requests.quick)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("way", ["FIN", "RST"])
def test_lost_connections(patient, requests, way, stage):
    with flow.Watched(patient.port) as other:
        good(other, requests)
        with Moved(patient, "connection", 6) as moved:
            connection = flow.Watched(patient.port)
            for kind in (*KINDS, *KINDS):
                begin(connection, requests, kind, stage)
            if way == "RST":
                connection.socket.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.socket.close()
        assert moved.after.sum("crescendo_connections") == 1
        good(other, requests)


@pytest.mark.parametrize("kind", ["unary", "streamed"])
def test_deadline_while_the_answer_cannot_go(start, costly, requests, kind):
    """It is cut off mid-message, which only RST_STREAM(CANCEL) can tell: rpc.md 1.6."""
    server = start(costly, *PATIENT, "--limit", "stallTickNanoseconds=10ms")
    with flow.Watched(server.port) as connection:
        connection.settle(INITIAL_WINDOW_SIZE=10)
        with Moved(server, "deadline", 2):
            for _ in range(2):
                stream = connection.open(headers(kind, grpc_timeout="300m"))
                connection.data(stream, wire.message(requests.quick_of(kind)), end=True)
                answer = connection.wait(stream)
                assert answer.reset == 8 and len(answer.body) == 10, answer
        connection.settle(INITIAL_WINDOW_SIZE=1 << 20)
        good(connection, requests)


def test_deadline_of_an_open_call(patient, requests):
    """ScoreMany that nobody closes: told by a status, for nothing of it is half sent."""
    with flow.Watched(patient.port) as connection:
        with Moved(patient, "deadline", 2) as moved:
            for _ in range(2):
                stream = connection.open(headers("many", grpc_timeout="100m"))
                connection.data(stream, wire.message(requests.quick_of("many")))
                answer = connection.wait(stream)
                assert answer.code == "DEADLINE_EXCEEDED" and answer.text, answer
        good(connection, requests)
        flow.assert_window_is_whole(connection, window_of(moved.after), requests.quick)


def test_stop(costly, requests):
    """Calls that are open at the hard deadline of a stop: each one's line in the log says so."""
    server = process.Server(
        costly.folder, "--log-level", "debug", "--limit", "drainNoticeNanoseconds=10ms",
        "--limit", "drainNanoseconds=100ms")
    try:
        with flow.Watched(server.port) as connection:
            good(connection, requests)
            for kind in KINDS:
                begin(connection, requests, kind, "part")
            server.process.send_signal(signal.SIGTERM)
            while connection.pump():
                pass
            assert server.process.wait(timeout=process.patience(30)) == 0, server.story()
    finally:
        server.kill()
    lines = [line for line in server.stderr().splitlines() if "cancelled=stop" in line]
    assert len(lines) == len(KINDS), server.story()
    for kind in KINDS.values():
        assert any(kind in line for line in lines), (kind, server.story())


def test_cancelled_work_is_not_done(patient, requests):
    """Forty cancelled calls of half a second each take less of the processor than ten would."""
    name = "process_cpu_seconds_total"
    with flow.Watched(patient.port, timeout_seconds=process.patience(60)) as connection:
        before = Metrics(patient).value(name)
        connection.wait(connection.start(requests.long_of("unary")))
        between = Metrics(patient).value(name)
        one = between - before
        with Moved(patient, "reset", 40):
            for at in range(40):
                kind = ("unary", "streamed", "many")[at % 3]
                connection.reset(begin(connection, requests, kind, "half-closed"))
        good(connection, requests)
        spent = Metrics(patient).value(name) - between
        assert spent < 10 * one, f"one call takes {one:.2f} s, forty cancelled ones {spent:.2f} s"


def crowd(connection, requests):
    """Seconds of work: whatever is sent after it is not done before it is cancelled."""
    return [connection.start(requests.long_of("unary"), headers("unary", grpc_timeout="600S"))
            for _ in range(8)]


def test_cancelled_by_grpcio(patient, requests, connect):
    """A stock client: before headers, mid-stream and after half-close."""
    client, stubs = connect(patient), requests.stubs
    client.score(requests.quick_request)
    with flow.Watched(patient.port) as connection:
        with Moved(patient, "reset", 8 + 3) as moved:
            begun = moved.before.sum("grpc_server_started_total")
            crowded = crowd(connection, requests)
            item = stubs.ScoreManyRequest(sequence=1, request=requests.long_request)
            calls = [client.scores.Score.future(requests.long_request, timeout=600),
                     client.scores.StreamScores(requests.long_request, timeout=600),
                     client.scores.ScoreMany(iter([item]))]
            eventually(patient, lambda one: one.sum("grpc_server_started_total") == begun + 11)
            for call in calls:
                assert call.cancel()
                assert call.code() == CODE.CANCELLED, call
            for stream in crowded:
                connection.reset(stream)
        good(connection, requests)
    with Moved(patient, "reset", 1):
        done = threading.Event()

        def items():
            yield stubs.ScoreManyRequest(sequence=5, request=requests.quick_request)
            done.wait(60)

        call = client.scores.ScoreMany(items())
        assert next(call).sequence == 5
        assert call.cancel()
        done.set()
    assert len(client.score(requests.quick_request).scores) == 3


def test_deadline_of_grpcio(patient, requests, connect):
    """Its client's own clock or the server's, whichever is first: no answer, and nothing held."""
    client = connect(patient)
    client.score(requests.quick_request)
    with flow.Watched(patient.port) as connection:
        crowded = crowd(connection, requests)
        connection.ping()
        with pytest.raises(grpc.RpcError) as caught:
            client.score(requests.long_request, timeout=0.05)
        assert caught.value.code() in (CODE.DEADLINE_EXCEEDED, CODE.RESOURCE_EXHAUSTED)
        for stream in crowded:
            connection.reset(stream)
        eventually(patient, lambda one: not any(gauges(one).values()))
        good(connection, requests)
    assert len(client.score(requests.quick_request).scores) == 3
