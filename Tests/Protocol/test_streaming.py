"""StreamScores: the unary answer in parts, each position once; its ends, windows and deadlines."""

import random

import grpc
import pytest

import batches
import streams
import wire
from streams import CANCEL, NO_ERROR, STREAM, Narrow, check_both, check_stream, request_of
from test_connections import accepted
from test_framing import LIMIT, padded

CODE = grpc.StatusCode
SIZES = (0, 1, 64, 500, 10_000)


def refusal(call):
    """The RpcError that ends a stream of parts, of which there may be none."""
    with pytest.raises(grpc.RpcError) as caught:
        parts = list(call)
        pytest.fail(f"{len(parts)} parts")
    return caught.value


# MARK: What the parts say

@pytest.fixture(params=[(shards, fanout) for shards in (1, 4) for fanout in ("auto", "always")],
                ids=lambda param: f"{param[0]}-{param[1]}")
def cut(request, servers, everything):
    """A server with so many shards that cuts batches so; shared between tests."""
    shards, fanout = request.param
    running = servers.get(everything, "--loops", 1, "--shards", shards, "--fanout", fanout)
    running.cuts = shards > 1 and fanout == "always"
    yield running
    running.check()


@pytest.mark.parametrize("size", SIZES)
def test_the_unary_answer_in_parts(stubs, everything, cut, connect, seed, size):
    client = connect(cut)
    drawn = batches.Batches(stubs, everything, seed + size, fixed_time=True)
    counts = []
    for _ in range(12 if size < 1_000 else 3):
        request = drawn.draw(size=size)
        request.min_fidelity = stubs.FIDELITY_FULL
        request.want_raw = bool(drawn.random.random() < 0.7)
        try:
            counts.append(check_both(client, request))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from None
    if cut.cuts and size == 10_000:
        assert min(counts) > 1, f"four shards, always cut, answer in {counts} parts"


def test_what_every_part_tells(stubs, everything, cut, connect):
    client = connect(cut)
    request = request_of(stubs, everything, 5_000, request_id="shelf 日本", model="zero")
    for one in client.scores.StreamScores(request, timeout=60):
        assert one.part.request_id == "shelf 日本"
        provenance = one.part.provenance
        assert (provenance.snapshot, provenance.model) == (everything.version, "zero")
        assert provenance.model_sha256 == everything.model_sha256("zero")
        assert provenance.time_unix_ms == 1
        assert provenance.trees_used == provenance.trees_total == 40
        assert one.part.all_fidelity == stubs.FIDELITY_FULL and not one.part.fidelities
        assert one.part.all_reason == stubs.REASON_OK and not one.part.reasons


def test_a_request_id_of_the_servers_own(stubs, everything, cut, connect):
    """One for all parts of a call, another for the next; the clock is read once, too."""
    client, made = connect(cut), set()
    for _ in range(5):
        request = request_of(stubs, everything, 2_000, request_id="")
        request.context.time_unix_ms = 0
        joined = streams.Joined(list(client.scores.StreamScores(request, timeout=60)), request)
        assert 0 < len(joined.request_id.encode()) <= 64 and joined.provenance.time_unix_ms > 0
        made.add(joined.request_id)
    assert len(made) == 5


def test_unknown_items(stubs, everything, cut, connect):
    client = connect(cut)
    request = request_of(stubs, everything, 3_000, want_raw=True)
    for at in range(0, 3_000, 7):
        request.item_ids[at] = 0
    check_both(client, request)
    nobody = stubs.ScoreRequest(item_ids=[0] * 2_000, want_raw=True)
    nobody.context.time_unix_ms = 1
    parts, unary = streams.ask_both(client, nobody)
    joined = streams.Joined(parts, nobody)
    joined.check(streams.Columns(unary, 2_000, True), "nobody")
    assert set(joined.reasons) == {stubs.REASON_UNKNOWN_ITEM}
    assert set(joined.fidelities) == {stubs.FIDELITY_NONE} and not joined.scores.any()


# MARK: How a call ends

WRONG = {
    "unknown model": (dict(model="nonesuch"), CODE.INVALID_ARGUMENT, "nonesuch"),
    "both id columns": (dict(item_uris=["spotify:track:0"]), CODE.INVALID_ARGUMENT, "item_uris"),
    "long request id": (dict(request_id="x" * 65), CODE.INVALID_ARGUMENT, "request_id"),
    "no such fidelity": (dict(min_fidelity=9), CODE.INVALID_ARGUMENT, "min_fidelity"),
    "boosts": (dict(want_boosts=True), CODE.UNIMPLEMENTED, "want_boosts"),
}


@pytest.mark.parametrize("name", WRONG)
def test_refused_without_a_part(stubs, everything, client, name):
    fields, code, word = WRONG[name]
    call = client.scores.StreamScores(request_of(stubs, everything, 3, **fields), timeout=20)
    error = refusal(call)
    assert error.code() == code and word in error.details(), error
    good = request_of(stubs, everything, 3)
    check_both(client, good)


def test_too_many_candidates(stubs, everything, client):
    error = refusal(client.scores.StreamScores(request_of(stubs, everything, 10_001), timeout=20))
    assert error.code() == CODE.RESOURCE_EXHAUSTED, error
    assert ("grpc-retry-pushback-ms", "-1") in error.trailing_metadata(), error


def test_undecodable(raw):
    got = raw.connection.call(b"\xff\xff\xff", wire.request_headers(STREAM))
    raw.refused(got, "INTERNAL")
    assert "ScoreRequest" in got.text, got.text


@pytest.mark.parametrize("size", [LIMIT - 1, LIMIT])
def test_messages_that_just_fit(raw, stubs, size):
    got = raw.connection.call(padded(raw.payload, size), wire.request_headers(STREAM))
    assert got.code == "OK", got
    parts = [stubs.StreamScoresResponse.FromString(one) for one in streams.plain(got.body)]
    assert sorted(at for one in parts for at in one.positions) == [0, 1, 2]


def test_a_message_that_just_does_not(raw):
    got = raw.connection.call(padded(raw.payload, LIMIT + 1), wire.request_headers(STREAM))
    raw.refused(got, "RESOURCE_EXHAUSTED")
    assert got.trailers.get("grpc-retry-pushback-ms") == "-1", got


def test_no_message_and_two(raw):
    """One request, then the client's half ends: anything else is UNIMPLEMENTED."""
    connection, whole = raw.connection, wire.message(raw.payload)
    for body in (b"", whole + whole):
        stream = connection.open(wire.request_headers(STREAM))
        connection.data(stream, body, end=True)
        raw.refused(connection.wait(stream), "UNIMPLEMENTED")
    stream = connection.open(wire.request_headers(STREAM), end=True)
    raw.refused(connection.wait(stream), "UNIMPLEMENTED")


@pytest.mark.parametrize("sent", [1, 4, 5, 9])
def test_half_closed_inside_the_message(raw, sent):
    connection = raw.connection
    stream = connection.open(wire.request_headers(STREAM))
    connection.data(stream, wire.message(raw.payload)[:sent], end=True)
    raw.refused(connection.wait(stream), "INTERNAL")


def test_half_closed_by_an_empty_frame(raw, stubs):
    connection = raw.connection
    stream = connection.open(wire.request_headers(STREAM))
    connection.data(stream, wire.message(raw.payload))
    connection.ping()
    connection.data(stream, b"", end=True)
    got = connection.wait(stream)
    assert got.code == "OK" and streams.plain(got.body), got


def test_early_trailers_are_followed_by_a_reset(stubs, everything, server):
    """The client's half is open when the answer is complete: RST_STREAM(NO_ERROR), rpc.md 1.3."""
    early = {"too long": (STREAM, wire.message(b"", length=LIMIT + 1), "RESOURCE_EXHAUSTED"),
             "bad flag": (STREAM, wire.message(b"", flag=2), "INTERNAL"),
             "too long, many": (streams.MANY, wire.message(b"", length=LIMIT + 1),
                                "RESOURCE_EXHAUSTED"),
             "bad flag, many": (streams.MANY, wire.message(b"", flag=2), "INTERNAL"),
             "no such method": (streams.SERVICE + "/Nonesuch", b"\x00", "UNIMPLEMENTED")}
    with Narrow(server.port, window=1 << 20) as connection:
        for name, (path, body, code) in early.items():
            stream = connection.open(wire.request_headers(path))
            connection.data(stream, body)
            answer = connection.wait(stream)
            assert answer.code == code, f"{name}: {answer}"
            assert connection.wait_reset(stream) == NO_ERROR, f"{name}: {connection.resets}"
            # What was on its way is swallowed.
            connection.data(stream, bytes(100), end=True, obey_windows=False)
        whole = connection.open(wire.request_headers(STREAM))
        connection.data(whole, wire.message(request_of(stubs, everything, 3).SerializeToString()),
                        end=True)
        assert connection.wait(whole).code == "OK"
        connection.ping()
        assert whole not in connection.resets and connection.goaway is None


# MARK: Time

@pytest.mark.parametrize("text", ["0n", "1n", "1u"])
def test_expired_before_it_began(raw, text):
    got = raw.connection.call(raw.payload, streams.timeout(text))
    raw.refused(got, "DEADLINE_EXCEEDED")


def test_a_deadline_while_the_message_is_on_its_way(server):
    with Narrow(server.port, window=1 << 20) as connection:
        stream = connection.open(streams.timeout("100m"))
        connection.data(stream, wire.message(b"", length=1_000))
        answer = connection.wait(stream)
        assert answer.code == "DEADLINE_EXCEEDED" and not answer.body, answer
        assert connection.wait_reset(stream) == NO_ERROR


def test_a_deadline_while_the_parts_wait(stubs, everything, server):
    """Nobody reads them: the call ends all the same. Mid-message that is RST_STREAM(CANCEL)."""
    payload = request_of(stubs, everything, 10_000, want_raw=True).SerializeToString()
    with Narrow(server.port, window=7) as connection:
        stream = connection.start(payload, streams.timeout("900m"))
        connection.wait_headers(stream)
        assert connection.wait_reset(stream) == CANCEL
        assert len(connection.answers[stream].body) == 7
        assert not connection.answers[stream].ended, connection.answers[stream]
        connection.set_window(1 << 30)
        good = connection.call(payload, wire.request_headers(STREAM))
        assert good.code == "OK" and len(good.body) > 160_000, good


def test_deadlines_of_every_length(stubs, everything, client):
    """Whole, or DEADLINE_EXCEEDED; in time it is always whole, if coarser."""
    request = request_of(stubs, everything, 10_000)
    for at in range(40):
        try:
            parts = list(client.scores.StreamScores(request, timeout=0.0007 * at))
            assert streams.Joined(parts, request) is not None
        except grpc.RpcError as error:
            # The queue may still be full of what has expired; and a client whose own clock is late
            # hears of the end mid-message as RST_STREAM(CANCEL).
            assert error.code() in (CODE.DEADLINE_EXCEEDED, CODE.RESOURCE_EXHAUSTED,
                                    CODE.CANCELLED), error
    accepted(client, request)
    request.min_fidelity = stubs.FIDELITY_FULL
    check_both(client, request)


# MARK: Many at once

def test_a_hundred_at_once(stubs, small, servers, connect):
    client = connect(servers.get(small, "--loops", 1, "--shards", 2, "--fanout", "always"))
    step = 1 if streams.SANITIZED else 10
    requests = [request_of(stubs, small, step * at, request_id=str(at), want_raw=True)
                for at in range(100)]
    calls = [client.scores.StreamScores(request, timeout=60) for request in requests]
    for request, call in zip(requests, calls):
        parts = list(call)
        check_stream(parts, client.score(request), request)
    with pytest.raises(StopIteration):
        next(calls[0])


def test_a_hundred_on_one_connection(stubs, small, servers):
    """All open before the first message is whole; they end in any order."""
    server = servers.get(small, "--loops", 1, "--shards", 2, "--fanout", "always")
    payload = wire.message(request_of(stubs, small, 300).SerializeToString())
    with Narrow(server.port, window=1 << 20) as connection:
        opened = [connection.open(wire.request_headers(STREAM)) for _ in range(100)]
        for stream in opened:
            connection.data(stream, payload[:30])
        for stream in reversed(opened):
            connection.data(stream, payload[30:], end=True)
        for stream in opened:
            answer = connection.wait(stream)
            assert answer.code == "OK", answer
            parts = map(stubs.StreamScoresResponse.FromString, streams.plain(answer.body))
            assert sorted(at for one in parts for at in one.positions) == list(range(300))


def test_metadata(stubs, everything, client):
    """What a caller adds does no harm, and comes back to nobody."""
    request = request_of(stubs, everything, 100, request_id="m")
    call = client.scores.StreamScores(request, timeout=20, metadata=[
        ("x-note", "a b"), ("x-note", "again"), ("x-blob-bin", bytes(range(256))),
        ("crescendo-priority", "batch"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")])
    check_stream(list(call), client.score(request), request)
    assert call.code() == CODE.OK and call.details() == ""
    sent = [*call.initial_metadata(), *call.trailing_metadata()]
    assert not [key for key, _ in sent if key.startswith("x-")], sent


# MARK: Windows

def gather(stubs, body, request):
    return streams.Joined(
        [stubs.StreamScoresResponse.FromString(one) for one in streams.plain(body)], request)


@pytest.mark.parametrize("size", [0, 1, 500, 2_000 if streams.SANITIZED else 10_000])
def test_a_tiny_window_is_resumed(stubs, everything, cut, connect, seed, size):
    request = request_of(stubs, everything, size, want_raw=True, request_id="w")
    unary, dice = connect(cut).score(request), random.Random(seed)
    with Narrow(cut.port) as connection:
        stream = connection.start(request.SerializeToString(), wire.request_headers(STREAM))
        answer, granted = connection.wait_headers(stream), 0
        connection.ping()
        while not answer.ended:
            assert len(answer.body) <= granted, "more than the window allows"
            if len(answer.body) == granted:
                most = 9 if granted < 200 else 3_000 if size < 1_000 else 40_000
                more = dice.randint(1, most)
                granted += more
                connection.grant(stream, more)
            assert connection.pump(), answer
        assert answer.code == "OK", answer
    gather(stubs, answer.body, request).check(
        streams.Columns(unary, size, True), f"seed {seed}, {size} candidates")


def test_the_connections_own_window(stubs, small, servers):
    """65,535 bytes for all streams together, until more are granted."""
    server = servers.get(small, "--loops", 1, "--shards", 2, "--fanout", "always")
    request = request_of(stubs, small, 5_000, want_raw=True)

    class Closed(Narrow):
        """Says nothing of the connection's window before it is asked to."""

        def send_bytes(self, data):
            if data.startswith(wire.PREFACE):
                data = data[:-13]
            super().send_bytes(data)

    with Closed(server.port, window=1 << 30) as connection:
        answers, granted = [], 65_535
        for _ in range(3):
            stream = connection.start(request.SerializeToString(), wire.request_headers(STREAM))
            answers.append(connection.wait_headers(stream))
        while not all(answer.ended for answer in answers):
            received = sum(len(answer.body) for answer in answers)
            assert received <= granted, "more than the connection's window allows"
            if received == granted:
                granted += 50_000
                connection.grant(0, 50_000)
            assert connection.pump(), answers
    assert granted > 3 * 5_000 * 16
    first = gather(stubs, answers[0].body, request)
    for answer in answers:
        gather(stubs, answer.body, request).check(first, "one of three")


@pytest.mark.parametrize("shards", [1, 4])
def test_a_stalled_stream_disturbs_no_other(stubs, small, servers, connect, shards):
    request = request_of(stubs, small, 10_000, want_raw=True, request_id="s")
    other = request_of(stubs, small, 700, want_raw=True, request_id="o")
    server = servers.get(small, "--loops", 1, "--shards", shards, "--fanout", "always")
    client = connect(server)
    unary, wanted = client.score(request), streams.Columns(client.score(other), 700, True)
    with Narrow(server.port) as connection:
        stalled = []
        for _ in range(3):
            stalled.append(
                connection.start(request.SerializeToString(), wire.request_headers(STREAM)))
            connection.wait_headers(stalled[-1])
        for _ in range(20):
            stream = connection.start(other.SerializeToString(), wire.request_headers(STREAM))
            connection.grant(stream, 1 << 20)
            answer = connection.wait(stream)
            assert answer.code == "OK", answer
            gather(stubs, answer.body, other).check(wanted, "beside a stalled stream")
        assert not any(connection.answers[stream].body for stream in stalled)
        connection.set_window(1 << 30)
        for stream in stalled:
            answer = connection.wait(stream)
            assert answer.code == "OK", answer
            gather(stubs, answer.body, request).check(
                streams.Columns(unary, 10_000, True), "stalled, then read")


def test_cancelled_while_it_stalls(stubs, small, start, connect):
    """Nothing is left of it: streams and bytes held are what they were."""
    from scrape import eventually
    server = start(small, "--loops", 1, "--shards", 2, "--admin", "127.0.0.1:0")
    payload = request_of(stubs, small, 10_000, want_raw=True).SerializeToString()

    def held(metrics, kind):
        return metrics.value("crescendo_held_bytes", kind=kind)

    with Narrow(server.port) as connection:
        for _ in range(3):
            opened = []
            for _ in range(10):
                opened.append(connection.start(payload, wire.request_headers(STREAM)))
                connection.wait_headers(opened[-1])
            full = eventually(server, lambda one: held(one, "send") >= 10 * 160_000)
            assert full.value("crescendo_streams") == 10
            for stream in opened:
                connection.reset(stream)
            eventually(server, lambda one: held(one, "send") == held(one, "receive") == 0
                       and one.value("crescendo_streams") == 0)
    client, good = connect(server), request_of(stubs, small, 64)
    check_both(client, good)


def test_cancelled_by_grpcio(stubs, everything, client):
    """After the first part, and before any. The queue may still be full of what was cancelled."""
    request = request_of(stubs, everything, 10_000)
    for at in range(20):
        call = client.scores.StreamScores(request, timeout=30)
        try:
            if at % 2:
                next(call)
        except grpc.RpcError as error:
            assert error.code() == CODE.RESOURCE_EXHAUSTED, error
        call.cancel()
    accepted(client, request)
    good = request_of(stubs, everything, 500)
    check_both(client, good)
