"""Health's Watch: the state at once and after each change, and an end when the server ends."""

import contextlib
import signal

import grpc
import pytest

import process
import streams
import wire
from scrape import eventually
from streams import NO_ERROR, Narrow

CODE = grpc.StatusCode
WATCH = "/grpc.health.v1.Health/Watch"
SCORES = "crescendo.v1.PromotionScoreService"
OURS = ("", SCORES, "grpc.health.v1.Health")


@pytest.fixture
def stopping(small):
    """A server of the test's own, which the test stops; it must exit 0."""
    server = process.Server(small.folder, "--loops", 2, "--admin", "127.0.0.1:0")
    try:
        yield server
        assert server.process.wait(timeout=process.patience(30)) == 0, server.story()
        assert not process.CRASH.search(server.stderr()), server.story()
    finally:
        server.kill()


def begin(connection, generated, service, **options):
    payload = generated.health.HealthCheckRequest(service=service).SerializeToString()
    return connection.start(payload, wire.request_headers(WATCH, **options))


def statuses(generated, answer):
    """What has been told so far, by name."""
    response = generated.health.HealthCheckResponse
    return [response.ServingStatus.Name(response.FromString(payload).status)
            for payload in streams.plain(answer.body)]


def first(connection, generated, stream):
    answer = connection.answers[stream]
    while not answer.body:
        assert not answer.ended and answer.reset is None and connection.pump(), answer
    return statuses(generated, answer)


def refused(call):
    with pytest.raises(grpc.RpcError) as caught:
        list(call)
    return caught.value


@pytest.mark.parametrize("service", OURS)
def test_serving_at_once(generated, client, service):
    health = generated.health
    call = client.health.Watch(health.HealthCheckRequest(service=service), timeout=30)
    assert next(call).status == health.HealthCheckResponse.SERVING
    assert call.is_active()
    call.cancel()
    assert call.code() == CODE.CANCELLED


def test_it_stays_open_and_quiet(generated, server):
    """One answer, and nothing more while nothing changes: also for a service that is unknown."""
    wanted = {"": "SERVING", SCORES: "SERVING", "nonesuch": "SERVICE_UNKNOWN",
              SCORES.lower(): "SERVICE_UNKNOWN", "x" * 5_000: "SERVICE_UNKNOWN"}
    with Narrow(server.port, window=1 << 20) as connection:
        opened = {name: begin(connection, generated, name) for name in wanted}
        for name, stream in opened.items():
            assert first(connection, generated, stream) == [wanted[name]], name
        for _ in range(20):
            connection.ping()
        for name, stream in opened.items():
            answer = connection.answers[stream]
            assert statuses(generated, answer) == [wanted[name]], name
            assert not answer.ended and answer.reset is None and len(answer.headers) == 1, answer


def test_a_deadline_is_the_clients_own(generated, client):
    call = client.health.Watch(generated.health.HealthCheckRequest(), timeout=0.3)
    assert next(call).status == generated.health.HealthCheckResponse.SERVING
    assert refused(call).code() == CODE.DEADLINE_EXCEEDED


def test_bad_requests(generated, raw):
    connection, headers = raw.connection, wire.request_headers(WATCH)
    raw.refused(connection.call(b"\xff\xff", headers), "INTERNAL")
    whole = wire.message(generated.health.HealthCheckRequest().SerializeToString())
    for body, code in ((b"", "UNIMPLEMENTED"), (whole * 2, "UNIMPLEMENTED"),
                       (whole + whole[:2], "INTERNAL"), (whole[:3], "INTERNAL")):
        stream = connection.open(headers)
        connection.data(stream, body, end=True)
        answer = connection.wait(stream)
        assert answer.code in (code, "UNIMPLEMENTED") and not answer.body, (body, answer)


def test_not_serving_when_told_to_stop(generated, stopping, connect):
    health, client = generated.health, connect(stopping)
    calls = {name: client.health.Watch(health.HealthCheckRequest(service=name), timeout=30)
             for name in (*OURS, "nonesuch")}
    for name, call in calls.items():
        assert next(call).status == (health.HealthCheckResponse.SERVING if name in OURS else
                                     health.HealthCheckResponse.SERVICE_UNKNOWN), name
    stopping.process.send_signal(signal.SIGTERM)
    for name, call in calls.items():
        told = []
        with pytest.raises(grpc.RpcError) as caught:
            for answer in call:
                told.append(answer.status)
        assert caught.value.code() == CODE.UNAVAILABLE and caught.value.details(), caught.value
        assert told == [health.HealthCheckResponse.NOT_SERVING] * (name in OURS), name


def test_the_order_of_a_stop(generated, stopping):
    """NOT_SERVING, trailers, then GOAWAY's last word and the end of the connection: rpc.md 1.8."""
    with Narrow(stopping.port, window=1 << 20) as connection:
        watched = begin(connection, generated, "")
        assert first(connection, generated, watched) == ["SERVING"]
        stopping.process.send_signal(signal.SIGTERM)
        answer = connection.wait(watched)
        assert statuses(generated, answer) == ["SERVING", "NOT_SERVING"]
        assert answer.code == "UNAVAILABLE" and answer.text, answer
        assert connection.wait_closed() and connection.goaway.error_code == NO_ERROR
        assert connection.goaway.last_stream_id == watched, connection.goaway


def test_who_comes_late_is_told_and_sent_away(generated, stopping):
    """Between the notice and the last GOAWAY calls are taken: a Watch must not hold up the end."""
    with Narrow(stopping.port, window=1 << 20) as connection:
        watched = begin(connection, generated, "")
        assert first(connection, generated, watched) == ["SERVING"]
        stopping.process.send_signal(signal.SIGTERM)
        connection.wait(watched)
        late = {name: begin(connection, generated, name) for name in ("", "nonesuch")}
        assert connection.wait_closed()
        for name, stream in late.items():
            # Behind the last GOAWAY it was never seen.
            if stream > connection.goaway.last_stream_id:
                continue
            answer = connection.answers[stream]
            assert answer.code == "UNAVAILABLE", answer
            assert statuses(generated, answer) in ([], ["NOT_SERVING"]), (name, answer)


def test_many_watchers(generated, stopping):
    """A hundred on each of eight connections, on two loops: all hear of the stop."""
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(8):
            connection = stack.enter_context(Narrow(stopping.port, window=1 << 20))
            opened.append((connection, [begin(connection, generated, OURS[at % 3])
                                        for at in range(100)]))
        for connection, watched in opened:
            for stream in watched:
                assert first(connection, generated, stream) == ["SERVING"]
        eventually(stopping, lambda one: one.value("crescendo_streams") == 800)
        # Some leave before.
        for connection, watched in opened:
            for stream in watched[::4]:
                connection.reset(stream)
        opened[0][0].socket.close()
        eventually(stopping, lambda one: one.value("crescendo_streams") == 7 * 75)
        stopping.process.send_signal(signal.SIGTERM)
        for connection, watched in opened[1:]:
            for at, stream in enumerate(watched):
                if at % 4 == 0:
                    continue
                answer = connection.wait(stream)
                assert statuses(generated, answer) == ["SERVING", "NOT_SERVING"], answer
                assert answer.code == "UNAVAILABLE", answer


def test_a_watcher_that_does_not_read(generated, stopping):
    """It cannot be told, and does not keep the server from its end."""
    with Narrow(stopping.port) as connection:
        watched = begin(connection, generated, "")
        connection.wait_headers(watched)
        stopping.process.send_signal(signal.SIGTERM)
        assert connection.wait_closed()
        assert not connection.answers[watched].body
