"""What a refusal says beyond its status: DESIGN 5. Each is followed by a good call."""

import grpc
import pytest

import flow
import heavy
import process
import protobytes as pb
import wire
from cancelling import KINDS, Requests, headers
from rich import Details

LIMIT = 4 << 20
CODES = {name: number for number, name in enumerate(wire.STATUS)}


def column(where, name, values):
    return lambda request: getattr(request, where).add(name=name, values=values)


def second(where, first, name, values):
    """The column that is wrong comes behind a good one: its index is 1."""
    def spoil(request):
        getattr(request, where).add(name=first[0], values=first[1])
        getattr(request, where).add(name=name, values=values)
    return spoil


SKIPS, AGE = ("skips", [1, 2, 3]), ("age", [30])
# name → (what is done to a good request of three candidates, the field that is to be named)
WRONG = {
    "both id columns": (lambda r: r.item_uris.append("spotify:track:0"), "item_uris"),
    "long request id": (lambda r: setattr(r, "request_id", "x" * 65), "request_id"),
    "unknown model": (lambda r: setattr(r, "model", "nonesuch"), "model"),
    "no such fidelity": (lambda r: setattr(r, "min_fidelity", 9), "min_fidelity"),
    "negative fidelity": (lambda r: setattr(r, "min_fidelity", -1), "min_fidelity"),
    "fidelity of 256": (lambda r: setattr(r, "min_fidelity", 256), "min_fidelity"),
    "undeclared candidate column": (
        column("candidate_columns", "plays", [1, 2, 3]), "candidate_columns[0].name"),
    "nameless candidate column": (
        column("candidate_columns", "", [1, 2, 3]), "candidate_columns[0].name"),
    "short candidate column": (
        column("candidate_columns", "skips", [1, 2]), "candidate_columns[0].values"),
    "long candidate column": (
        column("candidate_columns", "skips", [1] * 4), "candidate_columns[0].values"),
    "empty candidate column": (
        column("candidate_columns", "skips", []), "candidate_columns[0].values"),
    "second candidate column": (
        second("candidate_columns", SKIPS, "recent_plays_7d", [1]),
        "candidate_columns[1].values"),
    "second candidate column's name": (
        second("candidate_columns", SKIPS, "nope", [1, 2, 3]), "candidate_columns[1].name"),
    "undeclared user column": (
        column("user_columns", "shoe_size", [44]), "user_columns[0].name"),
    "candidate column as user column": (
        column("user_columns", "skips", [1]), "user_columns[0].name"),
    "long user column": (column("user_columns", "age", [1, 2]), "user_columns[0].values"),
    "empty user column": (column("user_columns", "age", []), "user_columns[0].values"),
    "short vector": (column("user_columns", "taste", [0.5] * 23), "user_columns[0].values"),
    "over an I8 vector": (column("user_columns", "sound", [0.5] * 33), "user_columns[0].name"),
    "second user column": (
        second("user_columns", AGE, "taste", [0.5]), "user_columns[1].values"),
    "users that disagree": (
        lambda r: (setattr(r, "user_id", 77), setattr(r, "user_uri", "spotify:user:1")),
        "user_uri"),
}


def good_request(stubs, everything):
    request = stubs.ScoreRequest(item_ids=[int(key) for key in everything.items.ids[:3]])
    request.context.time_unix_ms = 1
    return request


def assert_names(details, answer, field):
    assert details.status is not None, f"no grpc-status-details-bin: {answer}"
    assert [path for path, _ in details.fields] == [field], details.fields
    assert details.fields[0][1], "a violation without a description"
    assert details.pushback is None, "advice to retry what will be wrong again"


@pytest.mark.parametrize("kind", ["unary", "streamed"])
@pytest.mark.parametrize("name", WRONG)
def test_the_field_is_named(raw, stubs, everything, kind, name):
    spoil, field = WRONG[name]
    request = good_request(stubs, everything)
    spoil(request)
    answer = raw.connection.call(request.SerializeToString(), headers(kind))
    raw.refused(answer, "INVALID_ARGUMENT")
    assert_names(Details(answer), answer, field)


def test_an_item_says_it_in_its_message(raw, stubs, everything):
    """ScoreMany: an item has no trailers. Its message names the field; the others are served."""
    connection = raw.connection
    stream = connection.open(headers("many"))
    fields = {}
    for at, (spoil, field) in enumerate(WRONG.values()):
        for sequence, is_wrong in ((2 * at + 1, True), (2 * at + 2, False)):
            request = good_request(stubs, everything)
            if is_wrong:
                spoil(request)
                fields[sequence] = field
            item = stubs.ScoreManyRequest(sequence=sequence, request=request)
            connection.data(stream, wire.message(item.SerializeToString()))
    connection.data(stream, b"", end=True)
    answer = connection.wait(stream)
    assert answer.code == "OK", answer
    made = [stubs.ScoreManyResponse.FromString(one) for one in flow.messages(answer.body)]
    assert sorted(one.sequence for one in made) == list(range(1, 2 * len(WRONG) + 1))
    for one in made:
        if one.sequence not in fields:
            assert one.status_code == 0 and len(one.response.scores) == 3, one
            continue
        assert one.status_code == CODES["INVALID_ARGUMENT"], one
        assert not one.HasField("response") and one.status_message, one
        # The path without its index is a word of the message, as people write it.
        word = fields[one.sequence].split("[")[0]
        assert word in one.status_message or word.removesuffix("s") in one.status_message, one


CONTEXT = 4
UNDECODABLE = {
    "invalid UTF-8": pb.block(1, b"\xff"),
    "invalid UTF-8 in a segment": pb.block(CONTEXT, pb.block(6, b"ok") + pb.block(6, b"\x80")),
    "a group": pb.tag(50, 3) + pb.tag(50, 4),
    "cut off": pb.tag(1, 2) + pb.varint(5) + b"abcd",
}


@pytest.mark.parametrize("name", UNDECODABLE)
def test_undecodable_bytes_name_message_and_offset(raw, name):
    """INTERNAL is no matter of a field that a caller could change; its place is told in words."""
    answer = raw.refused(raw.connection.call(UNDECODABLE[name]), "INTERNAL")
    assert "byte" in answer.text, answer
    assert not Details(answer).fields, answer


def too_large(stubs):
    return {
        "message": wire.message(b"", length=LIMIT + 1),
        "candidates": wire.message(
            stubs.ScoreRequest(item_ids=[1] * 10_001).SerializeToString()),
        "arena": wire.message(pb.block(6, b"") * 2_000_000),
    }


@pytest.mark.parametrize("kind", ["unary", "streamed"])
@pytest.mark.parametrize("name", ["message", "candidates", "arena"])
def test_over_a_size_limit_never_again(raw, stubs, kind, name):
    connection = raw.connection
    stream = connection.open(headers(kind))
    connection.data(stream, too_large(stubs)[name], end=name != "message")
    answer = raw.refused(connection.wait(stream), "RESOURCE_EXHAUSTED")
    details = Details(answer)
    assert details.pushback == "-1", answer
    assert details.retry_milliseconds is None, answer


# --- Overload


@pytest.fixture(scope="module")
def costly(tmp_path_factory, seed):
    return heavy.snapshot(tmp_path_factory.mktemp("costly"), seed, copies=heavy.copies(100))


@pytest.fixture(scope="module")
def busy(costly, servers):
    """A server whose queues hold one call of `costly`, and no second one."""
    made = servers.get(costly, "--loops", 2, "--shards", 2,
                       "--limit", "shardQueueNanoseconds=50ms",
                       "--limit", "batchQueueNanoseconds=50ms")
    yield made
    made.check()


@pytest.fixture(scope="module")
def requests(stubs, costly):
    return Requests(stubs, costly)


@pytest.mark.parametrize("priority", [None, "interactive", "batch"])
@pytest.mark.parametrize("kind", ["unary", "streamed"])
def test_overload_says_when_to_come_back(busy, requests, kind, priority):
    """RetryInfo and the pushback say the same time, and not all are told the same."""
    with flow.Watched(busy.port, timeout_seconds=process.patience(60)) as connection:
        fields = headers(kind)
        if priority:
            fields.append(("crescendo-priority", priority))
        streams = [connection.start(requests.long_of(kind), fields) for _ in range(30)]
        answers = [connection.wait(stream) for stream in streams]
        refused = [one for one in answers if one.code != "OK"]
        assert len(refused) < len(answers), "an empty queue took none"
        told = set()
        for answer in refused:
            assert answer.code == "RESOURCE_EXHAUSTED" and not answer.body, answer
            assert len(answer.headers) == 1, f"not Trailers-Only: {answer}"
            assert "retry" in answer.text, answer
            details = Details(answer)
            assert details.status is not None, f"no grpc-status-details-bin: {answer}"
            assert details.retry_milliseconds == int(details.pushback) > 0, answer
            assert not details.fields, answer
            told.add(int(details.pushback))
        assert len(refused) >= 10, f"half a second's work thirty times, and {len(refused)} refused"
        assert len(told) > 1, f"{len(refused)} callers would come back together: {told}"
        assert connection.call(requests.quick).code == "OK"


def test_grpcio_reads_the_pushback(busy, requests, connect):
    client = connect(busy)
    calls = [client.scores.Score.future(requests.long_request, timeout=60) for _ in range(20)]
    errors = [call.exception() for call in calls]
    refused = [one for one in errors if one is not None]
    assert refused and len(refused) < len(calls)
    for error in refused:
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, error
        trailers = dict(error.trailing_metadata())
        assert int(trailers["grpc-retry-pushback-ms"]) > 0, error
        assert isinstance(trailers["grpc-status-details-bin"], bytes), error
    assert len(client.score(requests.quick_request).scores) == 3


def test_what_was_answered_takes_no_room(busy, requests):
    """One caller, one call at a time, each larger than the queue: none meets the one before."""
    ids = list(requests.quick_request.item_ids) * 500
    request = requests.stubs.ScoreRequest(item_ids=ids, min_fidelity=requests.stubs.FIDELITY_FULL)
    payload = request.SerializeToString()
    with flow.Watched(busy.port) as connection:
        for at in range(40):
            answer = connection.call(payload)
            assert answer.code == "OK", f"call {at}: {answer}"


def test_kinds_without_a_retry(raw):
    """Where there is no time to name and no field, there are no details."""
    for kind in KINDS:
        answer = raw.connection.call(raw.payload, headers(kind, grpc_timeout="0n"))
        raw.refused(answer, "DEADLINE_EXCEEDED")
        details = Details(answer)
        assert details.pushback is None and not details.fields, answer
        assert details.retry_milliseconds is None, answer
    answer = raw.refused(
        raw.connection.call(b"", wire.request_headers("/nope")), "UNIMPLEMENTED")
    assert Details(answer).status is None, answer
