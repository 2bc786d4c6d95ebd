"""What happens to connections: streams, resets, drops, garbage. The server lives through it all."""

import concurrent.futures
import socket
import struct
import threading

import grpc
import pytest
from hyperframe import frame as frames

import process
from wire import PREFACE, Connection, message, request_headers

PROTOCOL_ERROR = 1


def test_a_hundred_streams_at_once(raw):
    connection = raw.connection
    streams = [connection.open() for _ in range(100)]
    for stream in streams:
        connection.data(stream, message(raw.payload)[:10])
    for stream in reversed(streams):
        connection.data(stream, message(raw.payload)[10:], end=True)
    for stream in streams:
        raw.accepted(connection.wait(stream))


def test_a_hundred_streams_from_grpcio(stubs, everything, client):
    requests = [stubs.ScoreRequest(item_ids=[int(key) for key in everything.items.ids[:at]],
                                   request_id=str(at)) for at in range(100)]
    futures = [client.scores.Score.future(request, timeout=30) for request in requests]
    for at, future in enumerate(futures):
        answer = future.result()
        assert answer.request_id == str(at) and len(answer.scores) == at


def test_one_stream_more(doomed):
    """Beyond MAX_CONCURRENT_STREAMS: refused or a connection error, never a crash."""
    connection = doomed.connection
    connection.ping()
    streams = [connection.open() for _ in range(101)]
    while connection.goaway is None and connection.answers[streams[-1]].reset is None:
        if not connection.pump():
            break
    assert connection.goaway is not None or connection.answers[streams[-1]].reset == 7


def test_a_smaller_stream_number(doomed):
    """rpc.md 0.6: h2spec 5.1.1/2."""
    connection = doomed.connection
    connection.next_stream = 101
    doomed.accepted(connection.call(doomed.payload))
    connection.open(stream=51)
    while connection.goaway is None and connection.pump():
        pass
    assert connection.goaway is not None, "closed without GOAWAY"
    assert connection.goaway.error_code == PROTOCOL_ERROR, connection.goaway


def test_an_even_stream_number(doomed):
    connection = doomed.connection
    connection.open(stream=2)
    while connection.goaway is None and connection.pump():
        pass
    assert connection.goaway is not None and connection.goaway.error_code == PROTOCOL_ERROR


def test_late_data_behind_our_reset(raw):
    """DATA, WINDOW_UPDATE and RST that crossed the server's own RST must not close anything."""
    connection = raw.connection
    for _ in range(30):
        stream = connection.open(request_headers(replace={"content-length": "3"}))
        connection.data(stream, message(raw.payload), obey_windows=False)
        connection.wait(stream)
        connection.data(stream, b"late", obey_windows=False)
        more = frames.WindowUpdateFrame(stream)
        more.window_increment = 5
        connection.send(more)
        connection.reset(stream)
    connection.ping()
    assert connection.goaway is None, connection.goaway


@pytest.mark.parametrize("sent", [0, 3, 5, 20])
def test_cancelled_mid_way(raw, sent):
    connection = raw.connection
    for _ in range(50):
        stream = connection.open()
        if sent:
            connection.data(stream, message(raw.payload)[:sent])
        connection.reset(stream)
    connection.ping()


def test_cancelled_right_behind_the_request(raw):
    """RST_STREAM in the same segment, and after a round trip: the work may be under way."""
    connection = raw.connection
    for at in range(100):
        stream = connection.start(raw.payload)
        if at % 2:
            connection.ping()
        connection.reset(stream)
    connection.ping()


def test_cancelled_by_grpcio(stubs, everything, client):
    """Large batches, so that the cancellation meets work in every state."""
    request = stubs.ScoreRequest(item_ids=[int(key) for key in everything.items.ids[:1000]] * 10)
    for _ in range(30):
        futures = [client.scores.Score.future(request, timeout=30) for _ in range(4)]
        for future in futures:
            future.cancel()
    assert len(accepted(client, request).scores) == 10_000


def accepted(client, request):
    """The answer, once the queue has dropped what was cancelled: it may still be full of it."""
    for _ in range(20_000):
        try:
            return client.score(request)
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, error
    raise AssertionError("the queue never drained")


def test_deadlines_during_the_work(stubs, everything, client):
    request = stubs.ScoreRequest(item_ids=[int(key) for key in everything.items.ids[:1000]] * 10)
    for at in range(60):
        try:
            assert len(client.score(request, timeout=0.0005 * at).scores) == 10_000
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, error
    assert len(client.score(request).scores) == 10_000


@pytest.mark.parametrize("linger", [False, True])
def test_dropped_connections(stubs, everything, server, connect, linger):
    """Closed, or reset (linger 0), with work in flight, before any answer is read."""
    request = stubs.ScoreRequest(
        item_ids=[int(key) for key in everything.items.ids[:1000]] * 10).SerializeToString()
    for calls in (0, 1, 8, 40) * 3:
        connection = Connection(server.port)
        for _ in range(calls):
            connection.data(connection.open(), message(request), end=True, obey_windows=False)
        if linger:
            connection.socket.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.socket.close()
    assert len(connect(server).score(stubs.ScoreRequest(item_ids=[1, 2])).scores) == 2


def test_half_closed_connection(doomed):
    """The client has said all and shuts its side: an answer or a closed connection, no crash."""
    connection = doomed.connection
    stream = connection.start(doomed.payload)
    connection.socket.shutdown(socket.SHUT_WR)
    while not connection.answers[stream].ended and connection.pump():
        pass
    answer = connection.answers[stream]
    assert not answer.ended or answer.code in ("OK", "CANCELLED", "UNAVAILABLE"), answer


@pytest.mark.parametrize("data", [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 500,
    b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", b"\x00" * 24, b"P", PREFACE[:23], PREFACE + b"\xff" * 50,
    PREFACE + bytes(9), b"nonsense\n" * 10_000])
def test_other_protocols(stubs, server, connect, data):
    """Not HTTP/2: closed in time or left waiting, and nobody else is disturbed."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as other:
        try:
            other.sendall(data)
            other.shutdown(socket.SHUT_WR)
            while other.recv(65_536):
                pass
        except OSError:  # closed or reset under our hands, or still open after the timeout
            pass
    assert len(connect(server).score(stubs.ScoreRequest(item_ids=[1])).scores) == 1


@pytest.mark.parametrize("bad", [
    frames.DataFrame(1, b"idle").serialize(), frames.RstStreamFrame(9).serialize(),
    frames.PushPromiseFrame(1, 2).serialize(), frames.GoAwayFrame(0).serialize(),
    bytes.fromhex("000004080000000000" "00000000"),  # WINDOW_UPDATE of 0
    bytes.fromhex("000005060000000000" "0000000000"),  # PING of five bytes
    bytes.fromhex("000001000100000001" "ff")])  # END_STREAM on an idle stream
def test_frames_out_of_place(doomed, bad):
    """Each is followed by garbage in the same segment, which nobody may read any more."""
    doomed.connection.send_bytes(bad + bytes(range(200)) + bytes(500))
    assert doomed.connection.wait_closed(), "still open after a connection error"


def test_oversized_frame(doomed):
    doomed.connection.send_bytes(struct.pack(">I", 16_385)[1:] + b"\x00\x00\x00\x00\x00\x01")
    doomed.connection.send_bytes(bytes(16_385))
    assert doomed.connection.wait_closed()


def test_many_connections_at_once(stubs, everything, server):
    """Forty connections on two loops, each with its own answers."""
    keys = [int(key) for key in everything.items.ids[:40]]

    def talk(at):
        with Connection(server.port) as connection:
            for _ in range(5):
                payload = stubs.ScoreRequest(item_ids=keys[:at], request_id=str(at))
                got = connection.call(payload.SerializeToString())
                answer = stubs.ScoreResponse.FromString(got.message)
                assert answer.request_id == str(at) and len(answer.scores) == at, got
        return at

    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        assert list(pool.map(talk, range(40))) == list(range(40))


def test_stop_while_calls_run(stubs, everything, connect):
    """SIGTERM under load: each call ends with OK or UNAVAILABLE, and the server exits 0."""
    server = process.Server(everything.folder, "--loops", 2)
    client, ends = connect(server), []
    request = stubs.ScoreRequest(item_ids=[int(key) for key in everything.items.ids[:1000]])

    def talk():
        while True:
            try:
                client.score(request, timeout=20)
            except grpc.RpcError as error:
                return ends.append(error.code())

    threads = [threading.Thread(target=talk, daemon=True) for _ in range(4)]
    try:
        client.score(request)
        for thread in threads:
            thread.start()
        client.score(request)
        server.stop()
        for thread in threads:
            thread.join(30)
    finally:
        server.kill()
    assert len(ends) == 4 and set(ends) <= {
        grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}, ends
