"""SIGTERM, step by step: DESIGN 7 and rpc.md 1.8, seen frame by frame.

Health says NOT_SERVING; a GOAWAY that names no last stream gives notice; what was on its way then
is still taken; the final GOAWAY names the last stream; open calls finish; the process exits 0.
"""

import signal
import socket
import threading
import time

import grpc
import pytest

import flow
import process
import wire
from cancelling import KINDS, Requests, headers
from scrape import get

CHECK, WATCH = "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"
# Long enough for a test to have its say between notice and end, however busy the machine.
NOTICE = ("--limit", "drainNoticeNanoseconds=700ms")
PATIENT = ("--limit", "drainNanoseconds=10m")


@pytest.fixture
def serve(small):
    """Starts servers that a test stops itself; none outlives it."""
    made = []

    def begin(*arguments):
        made.append(process.Server(small.folder, "--loops", 2, *arguments))
        return made[-1]

    yield begin
    for server in made:
        server.kill()


@pytest.fixture(scope="module")
def requests(stubs, small):
    return Requests(stubs, small)


def ended(server, wanted=0):
    assert server.process.wait(timeout=process.patience(30)) == wanted, server.story()
    assert not process.CRASH.search(server.stderr()), server.story()


def terminate(server):
    server.process.send_signal(signal.SIGTERM)


def half_sent(connection, requests, kind="unary"):
    """A call whose message has come by half; what is left to send, and its stream."""
    stream = connection.open(headers(kind))
    whole = wire.message(requests.quick_of(kind))
    connection.data(stream, whole[:10])
    return stream, whole[10:]


def assert_notice(goaway):
    assert goaway.last_stream_id == flow.LAST_OF_ALL, f"the notice names a last stream: {goaway}"
    assert goaway.error_code == 0, goaway


def assert_final(goaway, last):
    assert goaway.last_stream_id == last, f"wanted {last} as the last stream: {goaway}"
    assert goaway.error_code == 0, goaway


def refuses_connections(server):
    limit = time.monotonic() + 20
    while time.monotonic() < limit:
        try:
            socket.create_connection(("127.0.0.1", server.port), timeout=5).close()
        except OSError:
            return True
    return False


def test_order(serve, requests, generated):
    health = generated.health
    states = health.HealthCheckResponse
    server = serve("--admin", "127.0.0.1:0", *NOTICE, *PATIENT)
    empty = health.HealthCheckRequest().SerializeToString()

    def check(connection):
        answer = connection.call(empty, wire.request_headers(CHECK))
        return states.FromString(answer.message).status

    with flow.Watched(server.port) as connection:
        watch = connection.start(empty, wire.request_headers(WATCH))
        told = connection.answers[watch]
        connection.until(lambda: flow.messages(told.body))
        assert check(connection) == states.SERVING
        held, rest = half_sent(connection, requests)
        connection.ping()

        terminate(server)
        connection.until(lambda: connection.goaways)
        assert_notice(connection.goaways[0])
        at = connection.events.index(connection.goaways[0])
        body = b"".join(one.data for one in connection.events[:at]
                        if one.stream_id == watch and hasattr(one, "data") and one.type == 0)
        assert [states.FromString(one).status for one in flow.messages(body)] == [
            states.SERVING, states.NOT_SERVING], "Watch was not told before the notice went out"
        # On its way when the notice went out: taken, and health says why no more should come.
        assert check(connection) == states.NOT_SERVING
        answer = connection.call(requests.quick)
        assert answer.code == "OK", answer
        on_its_way, rest_of_it = half_sent(connection, requests)
        connection.ping()
        assert len(connection.goaways) == 1, "the final GOAWAY came before the notice's time"
        assert get(server, "/readyz")[::2] == (503, "NOT_SERVING\n")
        assert get(server, "/healthz")[0] == 200
        assert refuses_connections(server), "new connections are taken in a drain"

        connection.until(lambda: len(connection.goaways) == 2)
        assert_final(connection.goaways[1], on_its_way)
        too_late = connection.start(requests.quick)
        for stream, remaining in ((held, rest), (on_its_way, rest_of_it)):
            connection.data(stream, remaining, end=True)
            assert connection.wait(stream).code == "OK", connection.answers[stream]
        assert connection.wait_closed(), "still open after its last call"
        late = connection.answers[too_late]
        assert not late.headers, f"behind the last stream, and yet answered: {late}"
        assert told.ended and told.code == "UNAVAILABLE", told
    ended(server)


def test_every_connection_is_told(serve, requests):
    """On both loops, idle or not; an idle one is closed behind the final GOAWAY."""
    server = serve(*PATIENT)
    connections = [flow.Watched(server.port) for _ in range(6)]
    last = []
    for at, connection in enumerate(connections):
        for _ in range(at):
            assert connection.call(requests.quick).code == "OK"
        connection.ping()
        last.append(2 * at - 1 if at else 0)
    terminate(server)
    for connection, stream in zip(connections, last):
        assert connection.wait_closed()
        assert len(connection.goaways) == 2, connection.goaways
        assert_notice(connection.goaways[0])
        assert_final(connection.goaways[1], stream)
        connection.socket.close()
    ended(server)


def test_streams_under_way(serve, requests):
    """A blocked StreamScores goes on when its client reads; ScoreMany still takes items."""
    stubs = requests.stubs
    server = serve(*PATIENT)
    with flow.Watched(server.port) as connection:
        connection.settle(INITIAL_WINDOW_SIZE=10)
        ids = [int(key) for key in requests.quick_request.item_ids] * 1_000
        streamed = connection.open(headers("streamed"))
        connection.data(streamed, wire.message(
            stubs.ScoreRequest(item_ids=ids).SerializeToString()), end=True)
        many = connection.open(headers("many"))
        connection.data(many, wire.message(requests.quick_of("many")))
        connection.grant(many, 1 << 20)
        connection.until(lambda: flow.messages(connection.answers[many].body)
                         and len(connection.answers[streamed].body) == 10)

        terminate(server)
        connection.until(lambda: len(connection.goaways) == 2)
        assert_final(connection.goaways[1], many)
        for sequence in (20, 21):
            item = stubs.ScoreManyRequest(sequence=sequence, request=requests.quick_request)
            connection.data(many, wire.message(item.SerializeToString()))
        connection.until(lambda: len(flow.messages(connection.answers[many].body)) == 3)
        answers = [stubs.ScoreManyResponse.FromString(one)
                   for one in flow.messages(connection.answers[many].body)]
        assert sorted(one.sequence for one in answers) == [7, 20, 21], answers
        assert all(one.status_code == 0 for one in answers), answers
        connection.grant(streamed, 1 << 20)
        answer = connection.wait(streamed)
        assert answer.code == "OK", answer
        parts = [stubs.StreamScoresResponse.FromString(one)
                 for one in flow.messages(answer.body)]
        assert sorted(at for part in parts for at in part.positions) == list(range(len(ids)))
        connection.data(many, b"", end=True)
        assert connection.wait(many).code == "OK", connection.answers[many]
        assert connection.wait_closed()
    ended(server)


def test_grpcio_finishes_its_calls(serve, requests, connect):
    """Stock clients: streams that were open are served to their end, each answer in place."""
    server = serve(*PATIENT)
    client, stubs = connect(server), requests.stubs
    stopping = threading.Event()

    def items():
        yield stubs.ScoreManyRequest(sequence=1, request=requests.quick_request)
        assert stopping.wait(60)  # grpcio asks on a thread of its own
        for sequence in range(2, 50):
            yield stubs.ScoreManyRequest(sequence=sequence, request=requests.quick_request)

    call = client.scores.ScoreMany(items(), timeout=60)
    seen = [next(call).sequence]
    with flow.Watched(server.port) as other:
        other.ping()
        terminate(server)
        other.until(lambda: len(other.goaways) == 2)
    # A new call finds nobody: neither this connection, which its client has been told to leave,
    # nor a new one.
    with pytest.raises(grpc.RpcError) as caught:
        while True:
            client.score(requests.quick_request, timeout=20)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE, caught.value
    stopping.set()
    seen += [answer.sequence for answer in call]
    assert sorted(seen) == list(range(1, 50))
    client.channel.close()
    ended(server)


@pytest.mark.parametrize("kind", KINDS)
def test_hard_deadline(serve, requests, kind):
    """A call that never ends does not keep the process; its connection is closed."""
    server = serve("--limit", "drainNoticeNanoseconds=20ms", "--limit", "drainNanoseconds=200ms")
    with flow.Watched(server.port) as connection:
        stream, _ = half_sent(connection, requests, kind)
        connection.ping()
        terminate(server)
        assert connection.wait_closed(), "open after the hard deadline"
        answer = connection.answers[stream]
        assert answer.code in (None, "UNAVAILABLE", "CANCELLED"), answer
        assert len(connection.goaways) >= 2, connection.goaways
    ended(server)


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(serve, requests, second):
    """The hard deadline is minutes away, and a call is open."""
    server = serve(*PATIENT)
    with flow.Watched(server.port) as connection:
        half_sent(connection, requests)
        connection.ping()
        terminate(server)
        connection.until(lambda: connection.goaways)
        assert server.alive, server.story()
        server.process.send_signal(second)
        assert connection.wait_closed()
        status = server.process.wait(timeout=process.patience(30))
    assert status in (-second, 128 + second, 1), f"exit {status}{server.story()}"
    assert not process.CRASH.search(server.stderr()), server.story()


def test_interrupt_drains_too(serve, requests):
    """Control-C at a terminal is a stop like any other."""
    server = serve(*PATIENT)
    with flow.Watched(server.port) as connection:
        stream, rest = half_sent(connection, requests)
        connection.ping()
        server.process.send_signal(signal.SIGINT)
        connection.until(lambda: len(connection.goaways) == 2)
        connection.data(stream, rest, end=True)
        assert connection.wait(stream).code == "OK"
    ended(server)
