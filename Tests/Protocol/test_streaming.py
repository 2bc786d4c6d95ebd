"""StreamScores: each position exactly once, the same bits as Score, at the client's own pace."""

import grpc
import pytest
from hyperframe import frame as frames

import batches
import oracle
from flow import STREAM, Watched, messages
from parts import joined
from scrape import Metrics
from wire import message, request_headers

CODE = grpc.StatusCode
SIZES = (0, 1, 2, 63, 64, 65, 500, 1_000)


def ids(snapshot, count):
    known = [int(key) for key in snapshot.items.ids]
    return [known[at % len(known)] for at in range(count)]


def ten_thousand(stubs, snapshot):
    request = stubs.ScoreRequest(item_ids=ids(snapshot, 10_000), want_raw=True, request_id="big")
    request.context.time_unix_ms = 1
    return request


@pytest.mark.parametrize("shards", [1, 4])
@pytest.mark.parametrize("fanout", ["auto", "always", "never"])
def test_the_bits_are_those_of_score(stubs, everything, start, connect, seed, fanout, shards):
    server = start(everything, "--loops", 2, "--shards", shards, "--fanout", fanout)
    client = connect(server)
    drawn = batches.Batches(stubs, everything, seed + 40, sizes=SIZES, fixed_time=True)
    requests = [drawn.draw(size=size) for size in SIZES * 3]
    several = 0
    for request in requests:
        parts = list(client.scores.StreamScores(request, timeout=60))
        several += len(parts) > 1
        oracle.check(stubs, everything, request, joined(stubs, request, parts))
        unary = client.score(request)
        oracle.check(stubs, everything, request, unary)
        assert unary.provenance == parts[0].part.provenance
    # Each slice is a part: where batches are never cut, or for one shard, there is one.
    if fanout == "always" and shards > 1:
        assert several
    elif fanout == "never" or shards == 1:
        assert not several


def test_the_longest_batch(stubs, everything, start, connect):
    server = start(everything, "--shards", 4, "--fanout", "always")
    request = ten_thousand(stubs, everything)
    parts = list(connect(server).scores.StreamScores(request, timeout=60))
    assert len(parts) == 4
    assert oracle.check(stubs, everything, request, joined(stubs, request, parts)) == 10_000


def test_unknown_items_and_both_kinds_of_names(stubs, everything, client):
    uris = list(everything.items.uris[:5])
    for request in (stubs.ScoreRequest(item_ids=[0, *ids(everything, 3), 7]),
                    stubs.ScoreRequest(item_uris=["spotify:track:none", *uris])):
        request.context.time_unix_ms = 5
        parts = list(client.scores.StreamScores(request, timeout=60))
        oracle.check(stubs, everything, request, joined(stubs, request, parts))


@pytest.mark.parametrize("spoil, code", [
    (lambda r: setattr(r, "model", "nonesuch"), CODE.INVALID_ARGUMENT),
    (lambda r: setattr(r, "want_boosts", True), CODE.UNIMPLEMENTED),
    (lambda r: setattr(r, "request_id", "x" * 65), CODE.INVALID_ARGUMENT),
    (lambda r: r.item_ids.extend([1] * 10_001), CODE.RESOURCE_EXHAUSTED)])
def test_a_refused_batch_has_no_part(stubs, everything, client, spoil, code):
    request = stubs.ScoreRequest(item_ids=ids(everything, 3))
    spoil(request)
    parts = []
    with pytest.raises(grpc.RpcError) as caught:
        for part in client.scores.StreamScores(request, timeout=60):
            parts.append(part)
    assert caught.value.code() == code and caught.value.details() and not parts
    assert client.score(stubs.ScoreRequest(item_ids=[1])).scores


def test_a_hundred_streams_at_once(stubs, everything, client):
    requests = [stubs.ScoreRequest(item_ids=ids(everything, 10 * at), request_id=f"s{at}")
                for at in range(100)]
    for request in requests:
        request.context.time_unix_ms = 1
    calls = [client.scores.StreamScores(request, timeout=60) for request in requests]
    for request, call in zip(requests, calls):
        answer = joined(stubs, request, list(call))
        assert answer.request_id == request.request_id
        assert len(answer.scores) == len(request.item_ids)


def test_metadata(stubs, everything, client):
    call = client.scores.StreamScores(
        stubs.ScoreRequest(item_ids=[1]), timeout=60,
        metadata=[("x-custom", "v"), ("x-blob-bin", b"\x00\xff"), ("crescendo-priority", "batch")])
    assert len(list(call)) == 1
    assert call.code() == CODE.OK
    assert dict(call.initial_metadata()).get("grpc-accept-encoding") in (
        None, "gzip", "identity,gzip", "gzip,identity")


@pytest.mark.parametrize("method", ["Score", "StreamScores"])
def test_messages_at_the_limit(stubs, everything, client, method):
    """4 MiB are taken, a byte more is not."""
    base = stubs.ScoreRequest(item_ids=ids(everything, 3)).SerializeToString()
    path = f"/crescendo.v1.PromotionScoreService/{method}"
    call = (client.channel.unary_stream if method == "StreamScores"
            else client.channel.unary_unary)(path)

    def ask(length):
        # Unknown fields are ignored: this one makes the message as long as it is to be.
        room = length - len(base) - 2 - 4
        payload = base + b"\xc2\x3e" + bytes(
            [room & 0x7F | 0x80, room >> 7 & 0x7F | 0x80, room >> 14 & 0x7F | 0x80, room >> 21]
        ) + bytes(room)
        assert len(payload) == length
        answer = call(payload, timeout=60)
        return list(answer) if method == "StreamScores" else [answer]

    for length in ((4 << 20) - 1, 4 << 20):
        assert len(ask(length)) == 1
    with pytest.raises(grpc.RpcError) as caught:
        ask((4 << 20) + 1)
    assert caught.value.code() == CODE.RESOURCE_EXHAUSTED
    assert str(4 << 20) in caught.value.details()
    assert dict(caught.value.trailing_metadata())["grpc-retry-pushback-ms"] == "-1"


# Raw frames from here on.

@pytest.fixture
def watched(server):
    with Watched(server.port) as connection:
        yield connection
        server.check()


def body_frames(connection, stream):
    return [one for one in connection.events
            if isinstance(one, frames.DataFrame) and one.stream_id == stream]


def test_headers_parts_trailers(stubs, everything, watched):
    """One HEADERS, DATA, one HEADERS that ends the stream with the status."""
    request = stubs.ScoreRequest(item_ids=ids(everything, 40))
    stream = watched.open(request_headers(STREAM))
    watched.data(stream, message(request.SerializeToString()), end=True)
    answer = watched.wait(stream)
    assert len(answer.headers) == 2 and answer.code == "OK", answer
    assert answer.headers[0][":status"] == "200"
    assert answer.headers[0]["content-type"] == "application/grpc"
    assert "grpc-status" not in answer.headers[0] and ":status" not in answer.headers[1]
    parts = [stubs.StreamScoresResponse.FromString(one) for one in messages(answer.body)]
    assert len(joined(stubs, request, parts).scores) == 40


def test_half_close_comes_late(stubs, everything, watched):
    """The message is whole, the half-close not there: it may be a second message's beginning."""
    request = stubs.ScoreRequest(item_ids=ids(everything, 4))
    stream = watched.open(request_headers(STREAM))
    watched.data(stream, message(request.SerializeToString()))
    watched.ping()
    assert not watched.answers[stream].ended
    watched.data(stream, b"", end=True)
    assert watched.wait(stream).code == "OK"
    # A second message is one too many.
    stream = watched.open(request_headers(STREAM))
    watched.data(stream, message(request.SerializeToString()) * 2, end=True)
    assert watched.wait(stream).code in ("UNIMPLEMENTED", "INTERNAL")


def test_an_early_end_stops_the_upload(stubs, watched):
    """Trailers before the client has said all are followed by RST_STREAM(NO_ERROR)."""
    stream = watched.open(request_headers(STREAM, extra=[("grpc-encoding", "snappy")]))
    watched.data(stream, message(bytes(100))[:50])
    answer = watched.wait(stream)
    assert answer.code == "UNIMPLEMENTED"
    watched.until(lambda: any(isinstance(one, frames.RstStreamFrame) and one.stream_id == stream
                              for one in watched.events))
    (reset,) = [one for one in watched.events if isinstance(one, frames.RstStreamFrame)]
    assert reset.error_code == 0, reset
    # What was on its way is no error.
    watched.data(stream, bytes(50), end=True, obey_windows=False)
    watched.ping()
    assert watched.goaway is None


@pytest.mark.parametrize("window", [0, 1, 7, 1_000])
def test_a_narrow_window(stubs, everything, start, watched, window):
    """Nothing beyond what the client grants, and then the rest, whole and in order."""
    watched.settle(INITIAL_WINDOW_SIZE=window)
    request = stubs.ScoreRequest(item_ids=ids(everything, 600), want_raw=True)
    request.context.time_unix_ms = 1
    stream = watched.open(request_headers(STREAM))
    watched.data(stream, message(request.SerializeToString()), end=True)
    granted = window
    for _ in range(20):
        watched.ping()
        # A PING's answer may overtake what was queued in its turn.
        watched.ping()
        sent = sum(len(one.data) for one in body_frames(watched, stream))
        assert sent <= granted, (sent, granted)
        watched.grant(stream, 13)
        granted += 13
    watched.grant(stream, 1 << 24)
    answer = watched.wait(stream)
    assert answer.code == "OK"
    parts = [stubs.StreamScoresResponse.FromString(one) for one in messages(answer.body)]
    oracle.check(stubs, everything, request, joined(stubs, request, parts))


def test_who_waits_keeps_nobody_else(stubs, everything, start, connect):
    """A stream without window, and its connection's and its server's other calls."""
    server = start(everything, "--loops", 1, "--admin", "127.0.0.1:0")
    client = connect(server)
    request = ten_thousand(stubs, everything)
    with Watched(server.port) as watched:
        watched.settle(INITIAL_WINDOW_SIZE=0)
        stalled = [watched.open(request_headers(STREAM)) for _ in range(5)]
        for stream in stalled:
            watched.data(stream, message(request.SerializeToString()), end=True)
        small = stubs.ScoreRequest(item_ids=ids(everything, 3))
        other = watched.open(request_headers(STREAM))
        watched.data(other, message(small.SerializeToString()), end=True)
        watched.grant(other, 1 << 20)
        assert watched.wait(other).code == "OK"
        for _ in range(20):
            client.score(small)
        assert Metrics(server).sum("crescendo_held_bytes", kind="send") > 100_000
        for stream in stalled:
            watched.grant(stream, 1 << 24)
        for stream in stalled:
            answer = watched.wait(stream)
            parts = [stubs.StreamScoresResponse.FromString(one) for one in messages(answer.body)]
            oracle.check(stubs, everything, request, joined(stubs, request, parts))


def test_a_reader_that_never_wakes_is_cut(stubs, everything, start, connect):
    server = start(everything, "--loops", 1, "--admin", "127.0.0.1:0", "--limit",
                   "stallNanoseconds=300ms", "--limit", "stallTickNanoseconds=20ms")
    request = ten_thousand(stubs, everything)
    with Watched(server.port) as watched:
        watched.settle(INITIAL_WINDOW_SIZE=0)
        stream = watched.open(request_headers(STREAM))
        watched.data(stream, message(request.SerializeToString()), end=True)
        answer = watched.answers[stream]
        watched.until(lambda: answer.ended or answer.reset is not None or watched.closed)
        assert answer.reset is not None or answer.code != "OK", answer
        if not watched.closed:
            watched.ping()
    client = connect(server)
    assert client.score(stubs.ScoreRequest(item_ids=[1])).scores
    metrics = Metrics(server)
    assert metrics.sum("crescendo_held_bytes", kind="send") == 0, metrics.text


def test_a_deadline_on_a_stream(stubs, everything, watched):
    """Nothing is granted: the deadline ends the call, not the stall."""
    watched.settle(INITIAL_WINDOW_SIZE=0)
    request = ten_thousand(stubs, everything)
    stream = watched.open(request_headers(STREAM, extra=[("grpc-timeout", "150m")]))
    watched.data(stream, message(request.SerializeToString()), end=True)
    answer = watched.wait(stream)
    assert answer.code == "DEADLINE_EXCEEDED" or answer.reset is not None, answer
