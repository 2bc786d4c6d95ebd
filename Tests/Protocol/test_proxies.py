"""Crescendo behind nginx, haproxy and nghttpx, configured as proto/SESSION.md §18 says: all kinds
of calls over gRPC and over sessions, and stops of server and proxy."""

import signal
import socket
import struct

import grpc
import pytest

import batches
import flow
import process
import proxies
import streams
import wire
from cancelling import Requests, cancelled, headers
from python_session import (CHECK, MANY, PATIENCE, SCORE, STREAM, client, is_whole, options_of)
from proxies import begin_proxy  # noqa: F401
from rich import Details
from scrape import Metrics, eventually
from test_many import Talk, talk
from test_session_client import Storm, columns

CODE = grpc.StatusCode
CALLS = 1_000
# A body of a request that is longer than any proxy's default for one, or any window.
LARGE_BYTES = 1_500_000


@pytest.fixture(scope="module")
def behind(servers, small):
    """The server behind the proxies of most tests."""
    running = servers.get(small, "--loops", 2, "--admin", "127.0.0.1:0")
    yield running
    running.check()


@pytest.fixture(scope="module", params=proxies.KINDS)
def proxy(request, begin_proxy, behind):
    running = begin_proxy(request.param, behind.port)
    yield running
    running.check()


@pytest.fixture
def session(proxy):
    with client.Session.connect(proxy.target) as made:
        credit = made.balance
        yield made
        is_whole(made, credit)
    assert made.is_clean, made.failure


@pytest.fixture
def drawn(stubs, small, seed):
    made = batches.Batches(stubs, small, seed, fixed_time=True)
    return [made.draw(size) for size in (0, 1, 64, 1_000)]


def same(kind, data):
    """A message's bytes in one order: the server writes its fields in an order of its own."""
    return kind.FromString(data).SerializeToString(deterministic=True)


def open_call(session, stubs, small):
    """A ScoreMany whose first item is answered; its item, and the answer to it."""
    request = streams.request_of(stubs, small, 3)
    item = streams.item(stubs, 1, request).SerializeToString()
    call = session.converse(MANY, item, work=3)
    return call, item, next(iter(call))


# MARK: gRPC

def test_grpc_answers(proxy, behind, connect, stubs, small, generated, drawn):
    direct, through = connect(behind), connect(proxy)
    for request in drawn:
        wanted = direct.score(request)
        assert through.score(request) == wanted
        streams.check_stream(
            list(through.scores.StreamScores(request, timeout=PATIENCE)), wanted, request)
    request = streams.request_of(stubs, small, 10_000, want_raw=True)
    parts, unary = streams.ask_both(through, request)
    assert streams.check_stream(parts, unary, request) > 1 and unary == direct.score(request)
    items = [streams.item(stubs, at, drawn[at % len(drawn)]) for at in range(1, 200)]
    answers = streams.by_sequence(talk(through, items), range(1, 200))
    for item in items:
        streams.check_item(answers[item.sequence], item.request, direct.score(item.request))
    data = flow.padded(drawn[1].SerializeToString(), LARGE_BYTES)
    assert same(stubs.ScoreResponse, through.call(wire.SCORE, data)) == same(
        stubs.ScoreResponse, direct.call(wire.SCORE, data))
    check = generated.health.HealthCheckRequest()
    assert through.health.Check(check, timeout=PATIENCE).status == 1
    watch = through.health.Watch(check, timeout=PATIENCE)
    assert next(watch).status == 1
    watch.cancel()


def test_grpc_refusals(proxy, behind, connect, stubs, drawn):
    """Status, text and google.rpc details are the server's own, with stock clients and raw."""
    bad = stubs.ScoreRequest(item_ids=[1, 2, 3], model="nonesuch")
    errors = []
    for one in (behind, proxy):
        with pytest.raises(grpc.RpcError) as caught:
            connect(one).score(bad)
        errors.append(caught.value)
    wanted, got = errors
    assert (got.code(), got.details()) == (CODE.INVALID_ARGUMENT, wanted.details())
    details = "grpc-status-details-bin"
    assert dict(got.trailing_metadata())[details] == dict(wanted.trailing_metadata())[details]
    with wire.Connection(behind.port) as direct, wire.Connection(proxy.port) as through:
        wanted, got = (one.call(bad.SerializeToString()) for one in (direct, through))
        assert wanted.trailers.items() <= got.trailers.items(), (wanted, got)
        assert Details(got).fields == Details(wanted).fields == [
            ("model", Details(wanted).fields[0][1])]
        good = through.call(drawn[1].SerializeToString())
        assert good.code == "OK" and len(good.headers) == 2, good


def test_grpc_deadline_and_cancellation(proxy, behind, connect, stubs, generated, small):
    """The server itself ends the call in time; and hears of a call that is cancelled."""
    requests = Requests(stubs, small)
    with wire.Connection(proxy.port) as connection:
        stream = connection.open(headers("many", grpc_timeout="200m"))
        connection.data(stream, wire.message(requests.quick_of("many")))
        answer = connection.wait(stream)
        assert answer.code == "DEADLINE_EXCEEDED" and answer.text, answer
        assert len(flow.messages(answer.body)) == 1 and len(answer.headers) == 2, answer
    grpcio, before = connect(proxy), cancelled(Metrics(behind))
    check = generated.health.HealthCheckRequest()
    brief = grpcio.health.Watch(check, timeout=0.5)
    watch = grpcio.health.Watch(check, timeout=PATIENCE)
    many = Talk(grpcio)
    many.send(streams.item(stubs, 1, requests.quick_request))
    assert next(brief).status == next(watch).status == next(many.call).sequence == 1
    for call in (watch, many.call):
        call.cancel()
        assert call.code() == CODE.CANCELLED
    many.half_close()
    with pytest.raises(grpc.RpcError) as caught:
        next(brief)
    assert caught.value.code() == CODE.DEADLINE_EXCEEDED
    # haproxy: a client that cancels before it has half-closed is told as if it had half-closed.
    wanted = before + (2 if proxy.kind == "haproxy" else 3)
    eventually(behind, lambda one: cancelled(one) == wanted and not one.sum("crescendo_streams"))


# MARK: Sessions

def test_session_answers(session, behind, connect, stubs, drawn):
    direct = connect(behind)
    for request in drawn:
        data = request.SerializeToString()
        reply = session.call(SCORE, data, **options_of(request))
        assert same(stubs.ScoreResponse, reply.message) == direct.score(
            request).SerializeToString(deterministic=True)
        parts = session.stream(STREAM, data, **options_of(request))
        assert columns(map(stubs.StreamScoresResponse.FromString, parts)) == columns(
            direct.scores.StreamScores(request, timeout=PATIENCE))
    items = [streams.item(stubs, at, request) for at, request in enumerate(drawn)]
    call = session.converse(MANY, items[0].SerializeToString(), **options_of(drawn[0]))
    for item in items[1:]:
        call.send(item.SerializeToString(), len(item.request.item_ids) + len(
            item.request.item_uris))
    call.half_close()
    answers = streams.by_sequence(map(stubs.ScoreManyResponse.FromString, call), range(len(drawn)))
    for item in items:
        streams.check_item(answers[item.sequence], item.request, direct.score(item.request))
    data = flow.padded(drawn[1].SerializeToString(), LARGE_BYTES)
    reply = session.call(SCORE, data, **options_of(drawn[1]))
    assert same(stubs.ScoreResponse, reply.message) == direct.score(
        drawn[1]).SerializeToString(deterministic=True)
    bad = stubs.ScoreRequest(item_ids=[1, 2, 3], model="nonesuch")
    with pytest.raises(client.CallError, match="INVALID_ARGUMENT: .*nonesuch") as caught:
        session.call(SCORE, bad.SerializeToString(), **options_of(bad))
    assert caught.value.details


def test_many_calls_in_flight(session, stubs, small, seed):
    """Of all kinds; some are cancelled, some have no time. `session` sees to their credit."""
    storm = Storm(session, stubs, [int(key) for key in small.items.ids], seed)
    for _ in range(CALLS):
        storm.step()
    found = [call.exception(timeout=PATIENCE) for call in storm.calls]
    assert len(storm.ends) == len(set(storm.ends)) == CALLS
    rows = {(one.name, one.row) if one else ("OK", "L2") for one in found}
    assert {("OK", "L2"), ("CANCELLED", "L5")} <= rows <= {
        ("OK", "L2"), ("CANCELLED", "L5"), ("DEADLINE_EXCEEDED", "L4"),
        ("DEADLINE_EXCEEDED", "L2"), ("RESOURCE_EXHAUSTED", "L2")}, (seed, rows)


def test_cancel_and_ping(session, behind, stubs, drawn):
    item = streams.item(stubs, 1, drawn[1]).SerializeToString()
    before = cancelled(Metrics(behind))
    call = session.converse(MANY, item, **options_of(drawn[1]))
    assert next(iter(call))
    assert call.cancel()
    with pytest.raises(client.CallError, match="CANCELLED.*L5"):
        call.result()
    eventually(behind, lambda one: cancelled(one) == before + 1)
    seen, take = [], session._take

    def watched(kind, flags, code, number, payload):
        seen.append((kind, flags, payload))
        take(kind, flags, code, number, payload)

    assert session.pump(lambda: not session.calls, PATIENCE), session.failure
    session._take = watched
    asked = [struct.pack("<Q", at) for at in range(50)]
    for data in asked:
        session._frame(client.PING, data)
    assert session.pump(lambda: len(seen) >= len(asked), PATIENCE), seen
    assert seen == [(client.PING, 1, data) for data in asked]


@pytest.mark.parametrize("way", ["reset", "gone"])
def test_client_that_leaves(proxy, behind, stubs, small, way):
    """The server hears of it, and drops the call that was open."""
    before = cancelled(Metrics(behind))
    session = client.Session.connect(proxy.target)
    call, *_ = open_call(session, stubs, small)
    if way == "gone":
        session.http.socket.shutdown(socket.SHUT_RDWR)
    else:
        session._end("the test leaves")
    assert "L3" in str(call.exception(timeout=PATIENCE))
    assert session.pump(lambda: session.state == "closed", PATIENCE)
    eventually(behind, lambda one: cancelled(one) == before + 1
               and not one.sum("crescendo_streams"))


# MARK: Stops

@pytest.fixture
def stopped(small):
    """A server that a test stops itself."""
    made = process.Server(small.folder, "--loops", 2)
    yield made
    made.kill()


def finish(session, call, item, answer):
    """The call goes on although the session drains, and both end well."""
    assert session.pump(lambda: session.state == "draining", PATIENCE), session.failure
    with pytest.raises(client.CallError, match="L1"):
        session.call(CHECK, b"")
    call.send(item, 3)
    call.half_close()
    assert list(call) == [answer]
    session.close()
    assert session.is_clean, session.failure


@pytest.mark.parametrize("kind", proxies.KINDS)
def test_server_stops(kind, begin_proxy, stopped, connect, stubs, small, generated):
    """DRAIN passes the proxy; an open call finishes. Then there is no server: gRPC for now."""
    proxy = begin_proxy(kind, stopped.port)
    session = client.Session.connect(proxy.target)
    call = open_call(session, stubs, small)
    stopped.process.send_signal(signal.SIGTERM)
    assert session.pump(lambda: session.has_drain, PATIENCE), session.failure
    finish(session, *call)
    assert stopped.process.wait(timeout=PATIENCE) == 0, stopped.story()
    with pytest.raises(client.NotSpoken, match=":status 50[23]") as caught:
        client.Session.connect(proxy.target)
    assert not caught.value.remember
    with pytest.raises(grpc.RpcError) as failed:
        connect(proxy).score(streams.request_of(stubs, small, 3), timeout=PATIENCE)
    assert failed.value.code() == CODE.UNAVAILABLE, failed.value
    proxy.check()


def test_proxy_stops(proxy, begin_proxy, behind, stubs, small):
    """Its GOAWAY drains the session (C28); the proxy ends when the session has."""
    other = begin_proxy(proxy.kind, behind.port)
    session = client.Session.connect(other.target)
    call = open_call(session, stubs, small)
    other.drain()
    finish(session, *call)
    assert not session.has_drain
    assert other.process.wait(timeout=PATIENCE) == 0, other.story()
