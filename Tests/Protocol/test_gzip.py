"""gzip for each message, both ways, negotiated; corrupt, and small messages that grow."""

import gzip
import struct
import zlib

import grpc
import pytest

import oracle
from flow import MANY, STREAM, messages
from parts import joined
from wire import SCORE, message, request_headers

CODE = grpc.StatusCode
GZIP = grpc.Compression.Gzip
MESSAGE_BYTES, RATIO, FLOOR = 4 << 20, 200, 64 << 10


def ids(snapshot, count):
    known = [int(key) for key in snapshot.items.ids]
    return [known[at % len(known)] for at in range(count)]


def good(stubs, everything, count=500):
    request = stubs.ScoreRequest(item_ids=ids(everything, count), want_raw=True)
    request.context.time_unix_ms = 1
    return request


def test_stock_clients(stubs, everything, generated, server, connect):
    """grpcio compresses what it sends and takes what comes back, for all three kinds of call."""
    request = good(stubs, everything)
    client = connect(server, options=[("grpc.default_compression_algorithm", 2)])
    oracle.check(stubs, everything, request, client.score(request))
    oracle.check(stubs, everything, request, client.score(request, compression=GZIP))
    parts = list(client.scores.StreamScores(request, timeout=60, compression=GZIP))
    oracle.check(stubs, everything, request, joined(stubs, request, parts))
    items = [stubs.ScoreManyRequest(sequence=at, request=request) for at in range(20)]
    answers = list(client.scores.ScoreMany(iter(items), timeout=60, compression=GZIP))
    assert sorted(one.sequence for one in answers) == list(range(20))
    for one in answers:
        oracle.check(stubs, everything, request, one.response)


def headers(path=SCORE, encoding="gzip", accepted="identity,gzip"):
    extra = [] if encoding is None else [("grpc-encoding", encoding)]
    return request_headers(path, extra=extra + (
        [] if accepted is None else [("grpc-accept-encoding", accepted)]))


def ask(raw, body, **options):
    stream = raw.connection.open(headers(**options))
    raw.connection.data(stream, body, end=True)
    return raw.connection.wait(stream)


def only_message(body):
    flag, length = struct.unpack(">BI", body[:5])
    assert len(body) == 5 + length
    return flag, body[5:]


@pytest.mark.parametrize("path", [SCORE, STREAM])
def test_the_answer_is_in_kind(stubs, everything, raw, path):
    request = good(stubs, everything)
    packed = gzip.compress(request.SerializeToString())
    got = ask(raw, message(packed, flag=1), path=path)
    assert got.code == "OK" and got.headers[0]["grpc-encoding"] == "gzip", got
    whole = messages(got.body, flag=1)
    assert whole and sum(len(one) + 5 for one in whole) == len(got.body)
    whole = [gzip.decompress(one) for one in whole]
    if path == STREAM:
        answer = joined(stubs, request, list(map(stubs.StreamScoresResponse.FromString, whole)))
    else:
        (answer,) = map(stubs.ScoreResponse.FromString, whole)
    oracle.check(stubs, everything, request, answer)


def test_not_to_those_who_do_not_take_it(stubs, everything, raw):
    packed = message(gzip.compress(good(stubs, everything).SerializeToString()), flag=1)
    for accepted in (None, "identity", "deflate", "gzipped", ""):
        got = ask(raw, packed, accepted=accepted)
        assert got.code == "OK" and got.headers[0].get("grpc-encoding") in (None, "identity"), got
        assert only_message(got.body)[0] == 0, accepted


def test_not_unasked(stubs, everything, raw):
    """Who sends plain messages gets plain ones, whatever they would take."""
    got = ask(raw, message(good(stubs, everything).SerializeToString()), encoding=None)
    assert got.code == "OK" and only_message(got.body)[0] == 0


def test_a_short_answer_stays_as_it_is(stubs, everything, raw):
    """Each message says for itself whether it is compressed."""
    got = ask(raw, message(gzip.compress(good(stubs, everything, 2).SerializeToString()), flag=1))
    assert got.code == "OK" and only_message(got.body)[0] == 0, got


def test_plain_messages_of_a_gzip_call(stubs, everything, raw):
    got = ask(raw, message(good(stubs, everything).SerializeToString()))
    assert got.code == "OK"
    got = ask(raw, message(b""))
    assert got.code == "OK"


def test_an_empty_message_compressed(stubs, raw):
    got = ask(raw, message(gzip.compress(b""), flag=1))
    assert got.code == "OK", got


def test_mixed_messages_of_one_call(stubs, everything, raw):
    body = b""
    for at in range(10):
        payload = stubs.ScoreManyRequest(
            sequence=at, request=good(stubs, everything, 300)).SerializeToString()
        body += message(gzip.compress(payload), flag=1) if at % 2 else message(payload)
    got = ask(raw, body, path=MANY)
    assert got.code == "OK", got
    seen, rest = [], got.body
    while rest:
        flag, length = struct.unpack(">BI", rest[:5])
        payload, rest = rest[5:5 + length], rest[5 + length:]
        seen.append(stubs.ScoreManyResponse.FromString(
            gzip.decompress(payload) if flag else payload).sequence)
    assert sorted(seen) == list(range(10))


def raw_deflate(payload):
    made = zlib.compressobj(9, zlib.DEFLATED, -15)
    return made.compress(payload) + made.flush()


PAYLOAD = b"\x08\x05" * 40
PACKED = gzip.compress(PAYLOAD)
# What no gzip stream is, each with the kind of flaw that it has.
CORRUPT = {
    "nothing": b"",
    "one byte": b"\x1f",
    "another format": zlib.compress(PAYLOAD),
    "no format": raw_deflate(PAYLOAD),
    "plain": PAYLOAD,
    "cut in the header": PACKED[:6],
    "cut in the data": PACKED[:20],
    "cut in the checksum": PACKED[:-6],
    "cut in the length": PACKED[:-1],
    "wrong checksum": PACKED[:-8] + b"\0\0\0\0" + PACKED[-4:],
    "wrong length": PACKED[:-4] + b"\0\0\0\1",
    "wrong method": PACKED[:2] + b"\x07" + PACKED[3:],
    "reserved flags": PACKED[:3] + b"\xe0" + PACKED[4:],
    "broken data": PACKED[:12] + b"\xff\xff\xff" + PACKED[15:],
    "bytes behind it": PACKED + b"garbage",
}


@pytest.mark.parametrize("name", CORRUPT)
@pytest.mark.parametrize("path", [SCORE, STREAM, MANY])
def test_corrupt(raw, name, path):
    got = ask(raw, message(CORRUPT[name], flag=1), path=path)
    raw.refused(got, "INTERNAL")
    assert "inflate" in got.text or "gzip" in got.text, got


def test_several_members(stubs, everything, raw):
    """RFC 1952 allows them; gRPC's own libraries do not agree. Answered or refused, never half."""
    payload = good(stubs, everything).SerializeToString()
    got = ask(raw, message(gzip.compress(payload[:100]) + gzip.compress(payload[100:]), flag=1))
    if got.code == "OK":
        flag, body = only_message(got.body)
        answer = stubs.ScoreResponse.FromString(gzip.decompress(body) if flag else body)
        assert len(answer.scores) == 500
    else:
        assert got.code == "INTERNAL" and got.text, got


@pytest.mark.parametrize("encoding", [None, "identity"])
def test_a_compressed_message_without_its_encoding(raw, encoding):
    got = ask(raw, message(PACKED, flag=1), encoding=encoding)
    raw.refused(got, "INTERNAL")


@pytest.mark.parametrize("encoding", ["snappy", "deflate", "br", "gzip, gzip", ""])
def test_unknown_encodings(raw, encoding):
    stream = raw.connection.open(headers(encoding=encoding))
    raw.connection.data(stream, message(PACKED, flag=1), end=True)
    got = raw.connection.wait(stream)
    raw.refused(got, "UNIMPLEMENTED")
    accepted = {one.strip() for one in got.headers[0]["grpc-accept-encoding"].split(",")}
    assert "gzip" in accepted and accepted <= {"gzip", "identity"}, got


def unknown_field(length):
    """A message of `length` bytes that is nothing but one unknown field."""
    room = length - 6
    return b"\xc2\x3e" + bytes([room & 0x7F | 0x80, room >> 7 & 0x7F | 0x80,
                                room >> 14 & 0x7F | 0x80, room >> 21]) + bytes(room)


def with_ratio(length, ratio):
    """`unknown_field`, compressed to 1/ratio of it by bytes that do not shrink."""
    import random
    noise = random.Random(7).randbytes(length // ratio - length // 900)
    payload = unknown_field(length)
    payload = payload[:len(payload) - len(noise)] + noise
    return gzip.compress(payload), payload


def test_bombs(raw):
    for length in (FLOOR + 1, 1 << 20, MESSAGE_BYTES, MESSAGE_BYTES + 1, 64 << 20):
        packed = gzip.compress(unknown_field(min(length, MESSAGE_BYTES)) + bytes(
            max(0, length - MESSAGE_BYTES)))
        assert length / len(packed) > RATIO
        got = ask(raw, message(packed, flag=1))
        raw.refused(got, "RESOURCE_EXHAUSTED")
        assert got.trailers["grpc-retry-pushback-ms"] == "-1", got


def test_what_is_small_is_no_bomb(raw):
    packed = gzip.compress(unknown_field(FLOOR))
    assert FLOOR / len(packed) > RATIO
    assert ask(raw, message(packed, flag=1)).code == "OK"


def test_the_limit_counts_what_comes_out(raw):
    packed, payload = with_ratio(MESSAGE_BYTES, 100)
    assert len(payload) == MESSAGE_BYTES and len(packed) < MESSAGE_BYTES // 50
    assert ask(raw, message(packed, flag=1)).code == "OK"
    packed, payload = with_ratio(MESSAGE_BYTES + 1, 100)
    got = ask(raw, message(packed, flag=1))
    raw.refused(got, "RESOURCE_EXHAUSTED")
    assert str(MESSAGE_BYTES) in got.text and got.trailers["grpc-retry-pushback-ms"] == "-1", got


def test_bombs_in_a_stream_of_messages(stubs, everything, raw):
    bomb = message(gzip.compress(bytes(64 << 20)), flag=1)
    payload = stubs.ScoreManyRequest(sequence=1, request=good(stubs, everything)).SerializeToString()
    stream = raw.connection.open(headers(path=MANY))
    raw.connection.data(stream, message(payload) + bomb, end=True)
    got = raw.connection.wait(stream)
    assert got.code == "RESOURCE_EXHAUSTED", got
    assert len(messages(got.body)) <= 1
