"""ScoreMany: many batches over one call, in any order; an item fails alone, and is told so."""

import queue
import random

import grpc
import pytest

import batches
import protobytes as pb
import streams
import wire
from scrape import eventually, handled
from streams import MANY, NO_ERROR, Narrow, by_sequence, check_item, item, request_of
from test_framing import LIMIT, padded

CODE = grpc.StatusCode


def talk(client, items, timeout=60):
    """All items, then half-close; the answers in the order in which they came, and the call."""
    call = client.scores.ScoreMany(iter(items), timeout=timeout)
    answers = list(call)
    assert call.code() == CODE.OK, call
    return answers


class Talk:
    """A call whose items are sent one by one."""

    def __init__(self, client, timeout=60, **options):
        self.waiting = queue.SimpleQueue()
        self.call = client.scores.ScoreMany(iter(self.waiting.get, None), timeout=timeout,
                                            **options)

    def send(self, one):
        self.waiting.put(one)

    def half_close(self):
        self.waiting.put(None)


@pytest.fixture(params=[(1, "auto"), (4, "always")], ids=lambda param: f"{param[0]}-{param[1]}")
def cut(request, servers, everything):
    shards, fanout = request.param
    running = servers.get(everything, "--loops", 1, "--shards", shards, "--fanout", fanout)
    yield running
    running.check()


@pytest.fixture
def watched(start, small):
    """A server of the test's own, whose counters begin at 0."""
    return start(small, "--loops", 1, "--shards", 2, "--admin", "127.0.0.1:0")


# MARK: What an item's answer says

def test_every_item_is_its_unary_answer(stubs, everything, cut, connect, seed):
    client = connect(cut)
    drawn = batches.Batches(stubs, everything, seed, fixed_time=True)
    requests = [drawn.draw() for _ in range(60)] + [drawn.draw(size=10_000)]
    dice, keys = random.Random(seed), {0, 1, (1 << 64) - 1}
    while len(keys) < len(requests):
        keys.add(dice.getrandbits(64))
    asked = dict(zip(keys, requests))
    for request in requests:
        request.min_fidelity = stubs.FIDELITY_FULL
    answers = by_sequence(
        talk(client, [item(stubs, key, request) for key, request in asked.items()]), keys)
    for key, request in asked.items():
        check_item(answers[key], request, client.score(request))


def test_sequences_are_the_clients_own(stubs, small, servers, connect):
    """Nothing is asked of them: the same one twice is answered twice."""
    client = connect(servers.get(small, "--loops", 1))
    one = request_of(stubs, small, 3)
    answers = talk(client, [item(stubs, 7, one) for _ in range(5)] + [item(stubs, 0, one)])
    assert sorted(answer.sequence for answer in answers) == [0, 7, 7, 7, 7, 7]


def test_a_short_item_overtakes_a_long_one(stubs, everything, servers, connect):
    """In any order: the answer to a later, short item does not wait for the client's half-close,
    nor for others."""
    client = connect(servers.get(everything, "--loops", 1, "--shards", 4, "--fanout", "always"))
    talking = Talk(client)
    for key in range(4):
        talking.send(item(stubs, key, request_of(stubs, everything, 10_000)))
    talking.send(item(stubs, 99, request_of(stubs, everything, 1)))
    seen = [next(talking.call).sequence for _ in range(5)]
    assert sorted(seen) == [0, 1, 2, 3, 99]
    talking.send(item(stubs, 100, request_of(stubs, everything, 1)))
    assert next(talking.call).sequence == 100
    talking.half_close()
    assert list(talking.call) == [] and talking.call.code() == CODE.OK


def test_an_empty_item(stubs, everything, client):
    answers = by_sequence(talk(client, [stubs.ScoreManyRequest(sequence=1),
                                        stubs.ScoreManyRequest()]), [1, 0])
    for answer in answers.values():
        assert answer.status_code == 0 and not answer.response.scores, answer
        assert answer.response.provenance.snapshot == everything.version
    assert answers[0].response.request_id != answers[1].response.request_id


def test_no_item(stubs, client, raw):
    assert talk(client, []) == []
    stream = raw.connection.open(wire.request_headers(MANY), end=True)
    got = raw.connection.wait(stream)
    assert got.code == "OK" and not got.body, got


# MARK: An item fails alone

WRONG = {
    "unknown model": (dict(model="nonesuch"), CODE.INVALID_ARGUMENT, "nonesuch"),
    "both id columns": (dict(item_uris=["spotify:track:0"]), CODE.INVALID_ARGUMENT, "item_uris"),
    "long request id": (dict(request_id="x" * 65), CODE.INVALID_ARGUMENT, "request_id"),
    "explanations": (dict(want_explanations=True), CODE.UNIMPLEMENTED, "want_explanations"),
    "too many": (dict(item_ids=[1] * 10_001), CODE.RESOURCE_EXHAUSTED, ""),
}


def test_items_that_fail(stubs, everything, cut, connect):
    client = connect(cut)
    good = request_of(stubs, everything, 200, want_raw=True)
    unary, items = client.score(good), []
    for at, (fields, _, _) in enumerate(WRONG.values()):
        items.append(item(stubs, 2 * at, good))
        items.append(item(stubs, 2 * at + 1, request_of(stubs, everything, 3, **fields)))
    items.append(item(stubs, 2 * len(WRONG), good))
    answers = by_sequence(talk(client, items), range(len(items)))
    for at, (name, (_, code, word)) in enumerate(WRONG.items()):
        answer = answers[2 * at + 1]
        assert answer.status_code == code.value[0], f"{name}: {answer}"
        assert answer.status_message and word in answer.status_message, f"{name}: {answer}"
        assert not answer.HasField("response"), f"{name}: {answer}"
    for at in range(0, len(items), 2):
        check_item(answers[at], good, unary)


BROKEN = {
    "no protobuf": (b"\xff\xff\xff", 0),
    "a broken request": (pb.fixed64(1, 77) + pb.block(3, b"\xff\xff\xff"), 77),
    "a truncated request": (pb.fixed64(1, 78) + pb.tag(3, 2) + pb.varint(50) + b"abc", 78),
    "ids cut short": (pb.fixed64(1, 79) + pb.block(3, pb.block(5, bytes(7))), 79),
    "nested without end": (pb.fixed64(1, 80) + pb.block(3, pb.nested(4, 500)), 80),
}


@pytest.mark.parametrize("name", BROKEN)
def test_an_undecodable_item_in_the_middle(stubs, everything, raw, name):
    """INTERNAL for it, with the message's name and where; the others are scored."""
    broken, sequence = BROKEN[name]
    good = request_of(stubs, everything, 10, want_raw=True)
    body = [item(stubs, key, good).SerializeToString() for key in (1, 2)]
    body.insert(1, broken)
    connection = raw.connection
    stream = connection.open(wire.request_headers(MANY))
    connection.data(stream, b"".join(map(wire.message, body)), end=True)
    got = connection.wait(stream)
    assert got.code == "OK", got
    answers = by_sequence(
        map(stubs.ScoreManyResponse.FromString, streams.plain(got.body)), [1, 2, sequence])
    failed = answers[sequence]
    assert failed.status_code == CODE.INTERNAL.value[0], failed
    assert "ScoreManyRequest" in failed.status_message or "ScoreRequest" in failed.status_message
    assert any(letter.isdigit() for letter in failed.status_message), failed
    unary = stubs.ScoreResponse.FromString(connection.call(good.SerializeToString()).message)
    for key in (1, 2):
        check_item(answers[key], good, unary)


def test_an_items_own_time(stubs, everything, cut, connect):
    """One that cannot be done in time fails alone, and sooner than the call."""
    client = connect(cut)
    good = request_of(stubs, everything, 50)
    long = request_of(stubs, everything, 500 if streams.SANITIZED else 10_000,
                      min_fidelity=stubs.FIDELITY_FULL)
    items = [item(stubs, at, long if at % 3 == 1 else good, timeout_us=1 if at % 3 == 1 else
                  0 if at % 3 else 50_000_000) for at in range(30)]
    answers = by_sequence(talk(client, items), range(30))
    unary = client.score(good)
    for at in range(30):
        if at % 3 == 1:
            assert answers[at].status_code == CODE.DEADLINE_EXCEEDED.value[0], answers[at]
            assert answers[at].status_message and not answers[at].HasField("response")
        else:
            check_item(answers[at], good, unary)


def test_an_item_has_no_more_time_than_its_call(stubs, server):
    """An item's time may be longer than the call's, which ends without waiting for it."""
    with Narrow(server.port, window=1 << 20) as connection:
        stream = connection.open(
            wire.request_headers(MANY, extra=[("grpc-timeout", "300m")]))
        one = item(stubs, 5, stubs.ScoreRequest(), timeout_us=(1 << 32) - 1)
        connection.data(stream, wire.message(one.SerializeToString()))
        answer = connection.wait(stream)
        assert answer.code == "DEADLINE_EXCEEDED", answer
        only, = map(stubs.ScoreManyResponse.FromString, streams.plain(answer.body))
        assert only.sequence == 5 and only.status_code == 0
        assert connection.wait_reset(stream) == NO_ERROR


# MARK: Half-close, and other ends

def test_all_answers_then_the_end(stubs, everything, raw):
    """Half-closed in the frame of the last item, and by an empty one later."""
    connection = raw.connection
    payload = b"".join(
        wire.message(item(stubs, key, request_of(stubs, everything, 400)).SerializeToString())
        for key in range(100))
    for late in (False, True):
        stream = connection.open(wire.request_headers(MANY))
        connection.data(stream, payload, end=not late)
        if late:
            connection.ping()
            assert not connection.answers[stream].ended
            connection.data(stream, b"", end=True)
        got = connection.wait(stream)
        assert got.code == "OK", got
        by_sequence(map(stubs.ScoreManyResponse.FromString, streams.plain(got.body)), range(100))


@pytest.mark.parametrize("cut_at", [1, 4, 5, 9])
def test_half_closed_inside_an_item(stubs, everything, raw, cut_at):
    connection = raw.connection
    whole = wire.message(item(stubs, 1, request_of(stubs, everything, 3)).SerializeToString())
    stream = connection.open(wire.request_headers(MANY))
    connection.data(stream, whole + whole[:cut_at], end=True)
    assert connection.wait(stream).code == "INTERNAL", connection.answers[stream]


@pytest.mark.parametrize("bad, code", [
    (wire.message(b"", flag=2), "INTERNAL"), (wire.message(b"x", flag=1), "INTERNAL"),
    (wire.message(b"", length=LIMIT + 1), "RESOURCE_EXHAUSTED")])
def test_bytes_that_are_no_message_end_the_call(stubs, everything, raw, bad, code):
    connection = raw.connection
    whole = wire.message(item(stubs, 1, request_of(stubs, everything, 3)).SerializeToString())
    stream = connection.open(wire.request_headers(MANY))
    connection.data(stream, whole * 3 + bad + whole)
    assert connection.wait(stream).code == code, connection.answers[stream]
    for payload in streams.plain(connection.answers[stream].body):
        assert stubs.ScoreManyResponse.FromString(payload).sequence == 1


@pytest.mark.parametrize("size", [LIMIT - 1, LIMIT])
def test_items_that_just_fit(stubs, everything, raw, size):
    payload = item(stubs, 9, request_of(stubs, everything, 3)).SerializeToString()
    connection = raw.connection
    stream = connection.open(wire.request_headers(MANY))
    for _ in range(2):
        connection.data(stream, wire.message(padded(payload, size)))
    connection.data(stream, b"", end=True)
    got = connection.wait(stream)
    assert got.code == "OK", got
    for one in map(stubs.ScoreManyResponse.FromString, streams.plain(got.body)):
        assert (one.sequence, one.status_code, len(one.response.scores)) == (9, 0, 3)


def test_cancelled_early(stubs, everything, small, watched, connect):
    """By the client, with items under way and answers unread: nothing is left of the call."""
    client = connect(watched)
    for at in range(20):
        talking = Talk(client)
        for key in range(100):
            talking.send(item(stubs, key, request_of(stubs, small, 2_000)))
        for _ in range(at + 1):
            next(talking.call)
        talking.call.cancel()
        talking.half_close()
        assert talking.call.code() == CODE.CANCELLED
    eventually(watched, lambda one: one.value("crescendo_streams") == 0)
    for kind in ("send", "receive"):
        eventually(watched, lambda one: one.value("crescendo_held_bytes", kind=kind) == 0)
    eventually(watched, lambda one: handled(
        one, grpc_method="ScoreMany", grpc_code="Canceled") == 20)
    assert len(talk(client, [item(stubs, 1, request_of(stubs, small, 3))])) == 1


# MARK: Many items

def test_five_thousand_items(stubs, small, servers, connect, seed):
    client = connect(servers.get(small, "--loops", 1, "--shards", 2))
    sizes = [random.Random(seed).randrange(0, 40) for _ in range(5_000)]
    made = [request_of(stubs, small, size, request_id=str(size)) for size in range(40)]
    unary = [client.score(one) for one in made]
    answers = talk(client, (item(stubs, at, made[size]) for at, size in enumerate(sizes)))
    answers = by_sequence(answers, range(5_000))
    for at, size in enumerate(sizes):
        assert answers[at].response == unary[size] and answers[at].status_code == 0, at
