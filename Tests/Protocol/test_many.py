"""ScoreMany: any order, an item fails alone, each within its own time, at the client's pace."""

import queue
import threading

import grpc
import pytest
from hyperframe import frame as frames

import batches
import oracle
from flow import MANY, Watched, messages
from scrape import Metrics, eventually
from wire import message, request_headers

CODE = grpc.StatusCode
OK, INVALID_ARGUMENT, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL = (
    0, 3, 4, 8, 12, 13)


def ids(snapshot, count):
    known = [int(key) for key in snapshot.items.ids]
    return [known[at % len(known)] for at in range(count)]


def ask(client, items, timeout=60):
    """All answers by their sequence; fails when one comes twice or belongs to no item."""
    call = client.scores.ScoreMany(iter(items), timeout=timeout)
    answers = {}
    for answer in call:
        assert answer.sequence not in answers, f"{answer.sequence} came twice"
        answers[answer.sequence] = answer
    assert call.code() == CODE.OK
    assert set(answers) == {item.sequence for item in items}
    return answers


@pytest.mark.parametrize("shards, fanout", [(1, "auto"), (4, "always"), (4, "never")])
def test_the_bits_are_those_of_score(stubs, everything, start, connect, seed, shards, fanout):
    server = start(everything, "--loops", 2, "--shards", shards, "--fanout", fanout)
    client = connect(server)
    drawn = batches.Batches(stubs, everything, seed + 50, fixed_time=True)
    items = [stubs.ScoreManyRequest(sequence=(at * 7919) ^ 1 << 63, request=drawn.draw())
             for at in range(200)]
    answers = ask(client, items)
    for item in items:
        answer = answers[item.sequence]
        assert (answer.status_code, answer.status_message) == (OK, "")
        oracle.check(stubs, everything, item.request, answer.response)


def test_five_thousand_items(stubs, everything, client):
    items = [stubs.ScoreManyRequest(sequence=at, request=stubs.ScoreRequest(
        item_ids=ids(everything, at % 50), request_id=str(at))) for at in range(5_000)]
    answers = ask(client, items)
    for at in range(5_000):
        answer = answers[at].response
        assert answer.request_id == str(at) and len(answer.scores) == at % 50


def test_an_item_fails_alone(stubs, everything, client):
    def item(sequence, spoil=None, count=3):
        request = stubs.ScoreRequest(item_ids=ids(everything, count))
        if spoil:
            spoil(request)
        return stubs.ScoreManyRequest(sequence=sequence, request=request)

    items = [
        item(1), item(2, lambda r: setattr(r, "model", "nonesuch")), item(3),
        item(4, lambda r: setattr(r, "want_boosts", True)), item(5, count=10_001), item(6),
        item(7, lambda r: r.candidate_columns.add(name="skips", values=[1])),
        stubs.ScoreManyRequest(sequence=8)]
    answers = ask(client, items)
    for sequence, code, word in ((2, INVALID_ARGUMENT, "nonesuch"), (4, UNIMPLEMENTED, "boosts"),
                                 (5, RESOURCE_EXHAUSTED, "10000"), (7, INVALID_ARGUMENT, "skips")):
        answer = answers[sequence]
        assert answer.status_code == code and word in answer.status_message, answer
        assert not answer.HasField("response"), answer
    for sequence in (1, 3, 6):
        assert answers[sequence].status_code == OK
        assert len(answers[sequence].response.scores) == 3
    # An item without a request is an empty batch.
    assert answers[8].status_code == OK and not answers[8].response.scores


def test_the_same_sequence_twice_is_the_clients_affair(stubs, everything, client):
    items = [stubs.ScoreManyRequest(sequence=9, request=stubs.ScoreRequest(item_ids=[1]))] * 2
    assert [one.sequence for one in client.scores.ScoreMany(iter(items), timeout=60)] == [9, 9]


def test_no_items_at_all(client):
    call = client.scores.ScoreMany(iter(()), timeout=60)
    assert list(call) == [] and call.code() == CODE.OK


def test_one_after_the_other(stubs, everything, client):
    """An answer comes while the call is open on both sides: nothing waits for the half-close."""
    waiting = queue.Queue()
    call = client.scores.ScoreMany(iter(waiting.get, None), timeout=60)
    for at in range(50):
        waiting.put(stubs.ScoreManyRequest(
            sequence=at, request=stubs.ScoreRequest(item_ids=ids(everything, 5))))
        answer = next(call)
        assert answer.sequence == at and len(answer.response.scores) == 5
    waiting.put(None)
    assert list(call) == [] and call.code() == CODE.OK


def test_the_calls_deadline_ends_all(stubs, everything, server, client, connect):
    waiting = queue.Queue()
    call = client.scores.ScoreMany(iter(waiting.get, None), timeout=0.4)
    waiting.put(stubs.ScoreManyRequest(sequence=1, request=stubs.ScoreRequest(item_ids=[1])))
    assert next(call).sequence == 1
    with pytest.raises(grpc.RpcError) as caught:
        next(call)
    assert caught.value.code() == CODE.DEADLINE_EXCEEDED
    waiting.put(None)
    assert connect(server).score(stubs.ScoreRequest(item_ids=[1])).scores


def test_an_items_own_time(stubs, everything, client):
    """A microsecond is over before the work begins, whatever the machine; the others have time."""
    items = [stubs.ScoreManyRequest(
        sequence=at, timeout_us=1 if at % 2 else 0,
        request=stubs.ScoreRequest(item_ids=ids(everything, 2_000),
                                   min_fidelity=stubs.FIDELITY_FULL)) for at in range(20)]
    answers = ask(client, items)
    for at in range(20):
        answer = answers[at]
        if at % 2:
            assert answer.status_code == DEADLINE_EXCEEDED and answer.status_message, answer
            assert not answer.HasField("response")
        else:
            assert len(answer.response.scores) == 2_000


def test_a_cancelled_call(stubs, everything, start, connect):
    server = start(everything, "--loops", 1, "--admin", "127.0.0.1:0")
    client = connect(server)
    items = [stubs.ScoreManyRequest(sequence=at, request=stubs.ScoreRequest(
        item_ids=ids(everything, 5_000))) for at in range(100)]
    call = client.scores.ScoreMany(iter(items), timeout=60)
    next(call)
    call.cancel()
    with pytest.raises(grpc.RpcError) as caught:
        list(call)
    assert caught.value.code() == CODE.CANCELLED
    eventually(server, lambda metrics: metrics.sum("crescendo_streams") == 0
               and metrics.sum("crescendo_held_bytes", kind="send") == 0)
    assert client.score(stubs.ScoreRequest(item_ids=[1])).scores


# Raw frames from here on.

def item(stubs, snapshot, sequence, count=3):
    request = stubs.ScoreRequest(item_ids=ids(snapshot, count))
    return message(stubs.ScoreManyRequest(sequence=sequence, request=request).SerializeToString())


def answers(stubs, answer):
    return [stubs.ScoreManyResponse.FromString(one) for one in messages(answer.body)]


@pytest.fixture
def watched(server):
    with Watched(server.port) as connection:
        yield connection
        server.check()


@pytest.mark.parametrize("cut", [1, 4, 5, 6, 20])
def test_messages_across_frames(stubs, everything, watched, cut):
    stream = watched.open(request_headers(MANY))
    data = b"".join(item(stubs, everything, at) for at in range(20))
    for at in range(0, len(data), cut):
        watched.data(stream, data[at:at + cut])
    watched.data(stream, b"", end=True)
    answer = watched.wait(stream)
    assert answer.code == "OK"
    assert sorted(one.sequence for one in answers(stubs, answer)) == list(range(20))


@pytest.mark.parametrize("bad, code", [
    (message(b"", flag=2), "INTERNAL"),
    (message(b"x" * 5, flag=1), "INTERNAL"),
    (message(b"", length=(4 << 20) + 1), "RESOURCE_EXHAUSTED")])
def test_a_broken_frame_ends_the_call(stubs, everything, watched, bad, code):
    """What cannot be a message leaves nothing to go on with: the call fails, not an item."""
    stream = watched.open(request_headers(MANY))
    watched.data(stream, item(stubs, everything, 1) + bad)
    answer = watched.wait(stream)
    assert answer.code == code and answer.text, answer
    other = watched.open(request_headers(MANY))
    watched.data(other, item(stubs, everything, 2), end=True)
    assert watched.wait(other).code == "OK"


def test_a_message_that_stops_in_the_middle(stubs, everything, watched):
    stream = watched.open(request_headers(MANY))
    watched.data(stream, item(stubs, everything, 1) + item(stubs, everything, 2)[:-1], end=True)
    answer = watched.wait(stream)
    assert answer.code == "INTERNAL" and answer.text, answer


@pytest.mark.parametrize("payload", [b"\xff", b"\x1a\x05abc", b"\x09\x01", b"\x1a\x02\x0a\x05"])
def test_bytes_that_are_no_item(stubs, everything, watched, payload):
    """Undecodable bytes have their status, and the items around them their answers."""
    stream = watched.open(request_headers(MANY))
    watched.data(stream, item(stubs, everything, 1))
    watched.data(stream, message(payload))
    watched.data(stream, item(stubs, everything, 2), end=True)
    answer = watched.wait(stream)
    made = answers(stubs, answer)
    if answer.code == "OK":
        failed = [one for one in made if one.status_code]
        assert len(failed) == 1 and failed[0].status_code in (INTERNAL, INVALID_ARGUMENT), made
        assert failed[0].status_message
        assert sorted(one.sequence for one in made if not one.status_code) == [1, 2]
    else:
        assert answer.code == "INTERNAL" and answer.text, answer


def test_who_writes_for_ever_and_never_reads(stubs, everything, start, connect):
    """The client is stopped by its window; then it reads, and has every answer exactly once."""
    server = start(everything, "--loops", 1, "--admin", "127.0.0.1:0")
    polite = connect(server)
    with Watched(server.port) as watched:
        watched.settle(INITIAL_WINDOW_SIZE=0)
        stream = watched.open(request_headers(MANY))
        sent = 0
        # Each item asks for 16 KB in 8 KB: until nothing more may be sent, after any number of
        # round trips.
        quiet = 0
        while quiet < 5:
            one = item(stubs, everything, sent, count=1_000)
            if min(watched.connection_window, watched.windows[stream]) >= len(one):
                watched.data(stream, one)
                sent += 1
                quiet = 0
            else:
                watched.ping()
                quiet += 1
            assert sent < 10_000, "the server takes items without end"
        assert len(polite.score(stubs.ScoreRequest(item_ids=[1, 2])).scores) == 2
        metrics = Metrics(server)
        bound = metrics.value("crescendo_limit", name="streamOutboundBytes") + 64 * (16 << 10)
        assert metrics.sum("crescendo_held_bytes", kind="send") <= bound, metrics.text
        window = metrics.value("crescendo_limit", name="streamWindowBytes")
        assert metrics.sum("crescendo_held_bytes", kind="receive") <= window + 8_200
        assert not watched.answers[stream].body
        watched.grant(stream, 1 << 30)
        # What is read makes room: all that was sent is answered, and what is sent now too.
        for more in range(10):
            watched.data(stream, item(stubs, everything, sent + more, count=1_000))
        watched.data(stream, b"", end=True)
        answer = watched.wait(stream)
        assert answer.code == "OK"
        made = answers(stubs, answer)
        assert sorted(one.sequence for one in made) == list(range(sent + 10))
        assert all(len(one.response.scores) == 1_000 for one in made)


def test_a_connection_that_is_lost(stubs, everything, start, connect):
    server = start(everything, "--loops", 1, "--admin", "127.0.0.1:0")
    for _ in range(5):
        with Watched(server.port) as watched:
            stream = watched.open(request_headers(MANY))
            for at in range(20):
                watched.data(stream, item(stubs, everything, at, count=1_000))
    eventually(server, lambda metrics: metrics.sum("crescendo_connections") == 0
               and metrics.sum("crescendo_held_bytes", kind="send") == 0
               and metrics.sum("crescendo_held_bytes", kind="receive") == 0)
    assert connect(server).score(stubs.ScoreRequest(item_ids=[1])).scores


def test_many_calls_at_once(stubs, everything, server, connect):
    """Eight calls on four connections, each from a thread of its own."""
    clients = [connect(server) for _ in range(4)]
    failures = []

    def run(at):
        try:
            items = [stubs.ScoreManyRequest(sequence=one, request=stubs.ScoreRequest(
                item_ids=ids(everything, one % 70), request_id=f"{at}-{one}"))
                for one in range(300)]
            for sequence, answer in ask(clients[at % 4], items).items():
                assert answer.response.request_id == f"{at}-{sequence}"
                assert len(answer.response.scores) == sequence % 70
        except Exception as error:  # noqa: BLE001: told by the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=run, args=(at,)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
