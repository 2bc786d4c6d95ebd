"""Health as a stream: the first answer at once, changes as they come, the end with the server."""

import signal
import threading

import grpc
import pytest

import process
from scrape import eventually

SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3
NAMES = ("", "crescendo.v1.PromotionScoreService", "grpc.health.v1.Health")


def watch(generated, client, name, **options):
    return client.health.Watch(generated.health.HealthCheckRequest(service=name), **options)


def test_the_first_answer_comes_at_once(generated, server, connect):
    client = connect(server)
    for name in NAMES:
        call = watch(generated, client, name, timeout=60)
        assert next(call).status == SERVING
        call.cancel()


def test_an_unknown_service_is_watched_too(generated, start, small, connect):
    """It may come to be known: the call stays open (health-checking.md)."""
    server = start(small, "--admin", "127.0.0.1:0")
    client = connect(server)
    call = watch(generated, client, "nonesuch", timeout=60)
    assert next(call).status == SERVICE_UNKNOWN
    eventually(server, lambda metrics: metrics.sum("crescendo_streams") == 1)
    assert call.is_active()
    call.cancel()
    eventually(server, lambda metrics: metrics.sum("crescendo_streams") == 0)


def test_a_stop_is_told_to_all_watchers(generated, small, connect):
    server = process.Server(small.folder, "--loops", 2)
    clients = [connect(server) for _ in range(3)]
    calls = [watch(generated, clients[at % 3], NAMES[at % 3], timeout=60) for at in range(60)]
    for call in calls:
        assert next(call).status == SERVING
    server.process.send_signal(signal.SIGTERM)
    for call in calls:
        assert next(call).status == NOT_SERVING
        with pytest.raises((grpc.RpcError, StopIteration)) as ended:
            next(call)
        if isinstance(ended.value, grpc.RpcError):
            assert ended.value.code() == grpc.StatusCode.UNAVAILABLE, ended.value
    assert server.process.wait(timeout=30) == 0, server.story()


def test_nothing_is_said_while_nothing_changes(generated, server, connect):
    client = connect(server)
    call = watch(generated, client, "", timeout=0.5)
    assert next(call).status == SERVING
    with pytest.raises(grpc.RpcError) as caught:
        next(call)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_watchers_that_leave(generated, start, small, connect):
    server = start(small, "--admin", "127.0.0.1:0")

    def come_and_go():
        client = connect(server)
        for _ in range(50):
            call = watch(generated, client, "", timeout=60)
            assert next(call).status == SERVING
            call.cancel()

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    metrics = eventually(server, lambda one: one.sum("crescendo_streams") == 0)
    assert metrics.sum("grpc_server_started_total", grpc_method="Watch") == 200
