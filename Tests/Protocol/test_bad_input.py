"""Bad input that test_headers, test_framing, test_invalid and test_protobuf try on `Score` alone, on
the other kinds of call; and rows of rpc.md (b) 13, 14 and 18 that stand nowhere else.

Each is refused with a sentence that helps, and followed by a good call on the same connection.
"""

import pytest

import flow
import protobytes as pb
import wire
from cancelling import KINDS, headers

LIMIT = 4 << 20
STREAMS = ("streamed", "many")
REQUEST = 3  # of ScoreManyRequest


def payload(raw, kind, sequence=9):
    """The good request of `raw`, as this kind of call takes it."""
    return raw.payload if kind != "many" else pb.fixed64(1, sequence) + pb.block(
        REQUEST, raw.payload)


def answered(raw, stubs, kind, answer):
    """An OK answer of any kind that is the good request's own."""
    if kind == "unary":
        return raw.accepted(answer)
    assert answer.code == "OK", answer
    wanted = dict(enumerate(raw.wanted))
    if kind == "many":
        for one in flow.messages(answer.body):
            made = stubs.ScoreManyResponse.FromString(one)
            assert made.status_code == 0, made
            assert list(made.response.raw_scores) == raw.wanted
        return None
    got = {}
    for one in flow.messages(answer.body):
        part = stubs.StreamScoresResponse.FromString(one)
        got.update(zip(part.positions, part.part.raw_scores))
    assert got == wanted, got
    return None


def send(raw, kind, *pieces, end=True, **options):
    """Each piece in a DATA frame of its own; the answer."""
    stream = raw.connection.open(headers(kind))
    for at, piece in enumerate(pieces):
        raw.connection.data(stream, piece, end=end and at == len(pieces) - 1, **options)
    return raw.connection.wait(stream)


def helps(raw, answer, code, *words):
    raw.refused(answer, code)
    for word in words:
        assert word in answer.text, f"{word!r} is not in {answer.text!r}"


# --- (13) headers

BAD_HEADERS = {
    "timeout without a unit": ({"grpc-timeout": "1"}, "INTERNAL", "grpc-timeout"),
    "timeout of nine digits": ({"grpc-timeout": "123456789S"}, "INTERNAL", "grpc-timeout"),
    "negative timeout": ({"grpc-timeout": "-1S"}, "INTERNAL", "grpc-timeout"),
    "timeout of no unit": ({"grpc-timeout": "1X"}, "INTERNAL", "grpc-timeout"),
    "empty timeout": ({"grpc-timeout": ""}, "INTERNAL", "grpc-timeout"),
    "unknown encoding": ({"grpc-encoding": "snappy"}, "UNIMPLEMENTED", "grpc-encoding"),
    "timeout of nothing": ({"grpc-timeout": "0n"}, "DEADLINE_EXCEEDED", "passed"),
}


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("name", BAD_HEADERS)
def test_bad_headers_of_streams(raw, kind, name):
    """Decided by the headers alone: nothing more is sent, and the answer does not wait for it."""
    replace, code, word = BAD_HEADERS[name]
    connection = raw.connection
    stream = connection.open(wire.request_headers(KINDS[kind], replace=replace))
    if code == "DEADLINE_EXCEEDED":  # a call with one message may wait for it first
        connection.data(stream, wire.message(payload(raw, kind)), end=True)
    helps(raw, connection.wait(stream), code, word)
    connection.ping()
    assert connection.goaway is None, connection.goaway


@pytest.mark.parametrize("kind", STREAMS)
def test_streams_outside_grpc(raw, kind):
    for replace, status in (({"content-type": "application/grpcx"}, "415"),
                            ({"content-type": None}, "415"), ({":method": "PUT"}, "405")):
        stream = raw.connection.open(wire.request_headers(KINDS[kind], replace=replace))
        assert raw.connection.wait(stream).http_status == status, replace


@pytest.mark.parametrize("path", [
    "/crescendo.v1.PromotionScoreService/StreamScores/", "/crescendo.v1.PromotionScoreService/",
    "/crescendo.v1.PromotionScoreService/scoreMany", "//crescendo.v1.PromotionScoreService/Score",
    "/crescendo.v1.PromotionScoreService/Score%20", "/" + "x" * 4_000])
def test_paths_nearly_right(raw, path):
    answer = raw.connection.call(raw.payload, wire.request_headers(path))
    helps(raw, answer, "UNIMPLEMENTED", "method")


# --- (14) framing


@pytest.mark.parametrize("kind", STREAMS)
def test_streams_split_at_each_byte(raw, stubs, kind):
    whole = wire.message(payload(raw, kind))
    for at in range(1, len(whole)):
        answered(raw, stubs, kind, send(raw, kind, whole[:at], whole[at:]))
    answered(raw, stubs, kind, send(raw, kind, *[whole[at:at + 1] for at in range(len(whole))]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("padding", [0, 7, 255])
def test_padding_on_every_frame(raw, stubs, kind, padding):
    whole = wire.message(payload(raw, kind))
    pieces = [whole[at:at + 3] for at in range(0, len(whole), 3)] + [b""]
    answered(raw, stubs, kind, send(raw, kind, *pieces, padding=padding))


def test_many_messages_in_one_frame(raw, stubs):
    """A frame ends anywhere: in a prefix, in a message, behind fifty of them."""
    whole = b"".join(wire.message(payload(raw, "many", sequence)) for sequence in range(1, 101))
    for step in (len(whole) // 2 + 3, len(whole) // 7, 15_999):
        pieces = [whole[at:at + step] for at in range(0, len(whole), step)]
        answer = send(raw, "many", *pieces)
        answered(raw, stubs, "many", answer)
        made = [stubs.ScoreManyResponse.FromString(one) for one in flow.messages(answer.body)]
        assert sorted(one.sequence for one in made) == list(range(1, 101))


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("flag", [2, 0x80, 0xFF])
def test_unknown_flags_in_streams(raw, kind, flag):
    helps(raw, send(raw, kind, wire.message(payload(raw, kind), flag=flag), end=False),
          "INTERNAL", "flag")


@pytest.mark.parametrize("kind", STREAMS)
def test_compressed_flag_without_encoding_in_streams(raw, kind):
    helps(raw, send(raw, kind, wire.message(payload(raw, kind), flag=1)), "INTERNAL",
          "grpc-encoding")


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("sent", [1, 4, 5, 9])
def test_end_of_stream_inside_a_message_of_streams(raw, kind, sent):
    helps(raw, send(raw, kind, wire.message(payload(raw, kind))[:sent]), "INTERNAL")


def test_end_of_stream_behind_a_good_item(raw, stubs):
    """What was whole is answered, then the status says what was not."""
    good = wire.message(payload(raw, "many", 1))
    answer = send(raw, "many", good + good[:9])
    assert answer.ended and answer.code == "INTERNAL" and answer.text, answer
    made = [stubs.ScoreManyResponse.FromString(one) for one in flow.messages(answer.body)]
    assert [one.sequence for one in made] in ([1], []), made


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [LIMIT + 1, (1 << 32) - 1])
def test_too_long_in_streams(raw, kind, length):
    """Refused from the prefix, before any of it has come."""
    answer = send(raw, kind, wire.message(b"", length=length), end=False)
    helps(raw, answer, "RESOURCE_EXHAUSTED", str(LIMIT))
    assert answer.trailers.get("grpc-retry-pushback-ms") == "-1", answer


@pytest.mark.parametrize("kind", KINDS)
def test_the_limit_and_one_byte_less(raw, stubs, kind):
    for size in (LIMIT - 1, LIMIT):
        answered(raw, stubs, kind, send(
            raw, kind, wire.message(flow.padded(payload(raw, kind), size))))


def test_number_of_messages(raw, stubs):
    """StreamScores takes one message, as Score does; ScoreMany takes none, too."""
    whole = wire.message(raw.payload)
    helps(raw, send(raw, "streamed", whole, whole), "UNIMPLEMENTED", "message")
    helps(raw, send(raw, "streamed", b""), "UNIMPLEMENTED", "message")
    stream = raw.connection.open(headers("streamed"), end=True)
    helps(raw, raw.connection.wait(stream), "UNIMPLEMENTED", "message")
    for end in (True, False):
        stream = raw.connection.open(headers("many"), end=end)
        if not end:
            raw.connection.data(stream, b"", end=True)
        answer = raw.connection.wait(stream)
        assert answer.code == "OK" and not answer.body, answer


# --- (18) protobuf

UNDECODABLE = {
    "tag 0": pb.varint(0), "a group": pb.tag(50, 3) + pb.tag(50, 4),
    "a length beyond the end": pb.tag(1, 2) + pb.varint(1 << 31),
    "invalid UTF-8": pb.block(1, b"\xff"), "an id as varint": pb.number(5, 1),
    "a varint of eleven bytes": pb.tag(11, 0) + b"\x80" * 10 + b"\x01",
    "packed ids of nine bytes": pb.block(5, bytes(9)),
}


@pytest.mark.parametrize("name", UNDECODABLE)
def test_undecodable_in_streams(raw, stubs, name):
    """StreamScores as Score; of ScoreMany the item alone, where its sequence could be read."""
    bad = UNDECODABLE[name]
    helps(raw, send(raw, "streamed", wire.message(raw.payload + bad)), "INTERNAL", "byte")
    item = pb.fixed64(1, 5) + pb.block(REQUEST, raw.payload + bad)
    answer = send(raw, "many", wire.message(item), wire.message(payload(raw, "many", 6)))
    if answer.code == "INTERNAL":
        return helps(raw, answer, "INTERNAL", "byte")
    assert answer.code == "OK", answer
    made = {one.sequence: one for one in map(
        stubs.ScoreManyResponse.FromString, flow.messages(answer.body))}
    assert sorted(made) == [5, 6]
    assert wire.STATUS[made[5].status_code] == "INTERNAL", made[5]
    assert "byte" in made[5].status_message and "ScoreRequest" in made[5].status_message
    assert list(made[6].response.raw_scores) == raw.wanted
    return None


WRAPPERS = {
    "an item that is no message": b"\xff\xff\xff", "a request as varint": pb.number(REQUEST, 1),
    "a sequence as varint": pb.number(1, 1), "a request cut off": pb.tag(3, 2) + pb.varint(99),
    "a group": pb.tag(50, 3) + pb.tag(50, 4),
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_undecodable_items(raw, stubs, name):
    """There may be no sequence to answer to: then the call ends, with the place of the error."""
    answer = send(raw, "many", wire.message(WRAPPERS[name]))
    if answer.code == "OK":
        made = [stubs.ScoreManyResponse.FromString(one) for one in flow.messages(answer.body)]
        assert [wire.STATUS[one.status_code] for one in made] == ["INTERNAL"], made
        text = made[0].status_message
    else:
        raw.refused(answer, "INTERNAL")
        text = answer.text
    assert "ScoreManyRequest" in text and "byte" in text, text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("depth", [101, 10_000])
def test_nesting_of_unknown_fields(raw, stubs, kind, depth):
    """What nobody knows is skipped, however deep it pretends to be."""
    deep = pb.nested(1_000, depth)
    answered(raw, stubs, kind, send(raw, kind, wire.message(payload(raw, kind) + deep)))


def test_unusual_items(raw, stubs):
    """Fields in any order, twice, or unknown; no request at all is an empty one."""
    request = pb.block(REQUEST, raw.payload)
    for item in (request + pb.fixed64(1, 4), pb.fixed64(1, 3) + request + pb.fixed64(1, 4),
                 pb.number(99, 1) * 1_000 + pb.fixed64(1, 4) + request + pb.block(98, b"x"),
                 pb.block(REQUEST, raw.payload[:0]) + pb.fixed64(1, 4) + request):
        answer = send(raw, "many", wire.message(item))
        answered(raw, stubs, "many", answer)
        made = [stubs.ScoreManyResponse.FromString(one) for one in flow.messages(answer.body)]
        assert [one.sequence for one in made] == [4], made
    answer = send(raw, "many", wire.message(b""))
    made = stubs.ScoreManyResponse.FromString(flow.messages(answer.body)[0])
    assert made.sequence == 0 and made.status_code == 0 and not made.response.scores, made
