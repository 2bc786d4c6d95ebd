"""gzip, both ways: what stock grpcio sends and takes, and what is no honest gzip. rpc.md 1.2."""

import gzip
import random
import struct
import zlib

import grpc
import pytest

import streams
import wire
from scrape import eventually
from streams import MANY, STREAM, by_sequence, check_stream, item, request_of
from test_framing import LIMIT, padded

CODE = grpc.StatusCode
PATHS = (wire.SCORE, STREAM)
# Limits.inflatedRatio, Limits.inflatedFloorBytes
RATIO, FLOOR = 200, 64 << 10


def headers(path=wire.SCORE, coding="gzip", accept="identity,gzip"):
    extra = [("grpc-encoding", coding)] if coding else []
    return wire.request_headers(path, extra=extra + [("grpc-accept-encoding", accept)])


def ask(raw, body, path=wire.SCORE, **options):
    """One call whose body is these bytes; its answer."""
    stream = raw.connection.open(headers(path, **options))
    raw.connection.data(stream, body, end=True)
    return raw.connection.wait(stream)


def packed(payload, level=6):
    return wire.message(gzip.compress(payload, level, mtime=0), flag=1)


def unpacked(answer):
    """The payloads of an answer, and which of them came compressed."""
    coding, made = answer.headers[0].get("grpc-encoding", "identity"), []
    for flag, payload in streams.messages(answer.body):
        assert flag == 0 or coding == "gzip", f"compressed, though grpc-encoding is {coding}"
        made.append((gzip.decompress(payload) if flag else payload, flag == 1))
    return made


def refused(raw, answer, code):
    """Trailers-Only; then a good call, compressed and not."""
    raw.refused(answer, code)
    (payload, _), = unpacked(ask(raw, packed(raw.payload)))
    assert list(raw.parse(payload).raw_scores) == raw.wanted
    raw.still_good()
    return answer


# MARK: Stock grpcio

@pytest.fixture
def zipped(start, small, connect):
    """(client that compresses, client that does not, server)."""
    server = start(small, "--loops", 1, "--shards", 2, "--fanout", "always",
                   "--admin", "127.0.0.1:0")
    coding = ("grpc.default_compression_algorithm", grpc.Compression.Gzip.value)
    return connect(server, [coding]), connect(server), server


def sizes(server, method, direction):
    """Bytes of messages as they were on the wire."""
    service = "crescendo.v1.PromotionScoreService"
    name = f"grpc_server_call_{direction}_total_compressed_message_size_bytes"
    total = eventually(server, lambda one: one.sum(
        f"{name}_count", grpc_method=f"{service}/{method}") >= 1)
    return total.sum(f"{name}_sum", grpc_method=f"{service}/{method}")


def test_unary_by_grpcio(stubs, small, zipped):
    compressing, plain, server = zipped
    request = request_of(stubs, small, 5_000, want_raw=True)
    answer = compressing.score(request)
    assert sizes(server, "Score", "rcvd") < request.ByteSize() // 4
    assert sizes(server, "Score", "sent") < answer.ByteSize() // 4
    assert answer.raw_scores and answer == plain.score(request)


def test_parts_by_grpcio(stubs, small, zipped):
    compressing, plain, server = zipped
    request = request_of(stubs, small, 5_000, want_raw=True)
    parts = list(compressing.scores.StreamScores(request, timeout=60))
    whole = sum(part.ByteSize() for part in parts)
    assert sizes(server, "StreamScores", "rcvd") < request.ByteSize() // 4
    assert sizes(server, "StreamScores", "sent") < whole // 2
    check_stream(parts, plain.score(request), request)


def test_items_by_grpcio(stubs, small, zipped):
    compressing, plain, server = zipped
    request = request_of(stubs, small, 2_000, want_raw=True)
    wrong = request_of(stubs, small, 3, model="nonesuch")
    items = [item(stubs, at, wrong if at % 5 == 4 else request) for at in range(30)]
    answers = by_sequence(compressing.scores.ScoreMany(iter(items), timeout=60), range(30))
    assert sizes(server, "ScoreMany", "rcvd") < sum(one.ByteSize() for one in items) // 4
    assert sizes(server, "ScoreMany", "sent") < sum(
        one.ByteSize() for one in answers.values()) // 4
    unary = plain.score(request)
    for at, one in answers.items():
        if at % 5 == 4:
            assert one.status_code == CODE.INVALID_ARGUMENT.value[0], one
        else:
            assert one.status_code == 0 and one.response == unary, at


def test_one_call_of_many_by_grpcio(stubs, small, zipped):
    """Compression that a call asks for, beside ones that do not."""
    _, plain, _ = zipped
    request = request_of(stubs, small, 3_000, want_raw=True)
    wanted = plain.score(request)
    for _ in range(3):
        assert plain.score(request, compression=grpc.Compression.Gzip) == wanted
        assert plain.score(request) == wanted
    with pytest.raises(grpc.RpcError) as caught:
        plain.score(request, compression=grpc.Compression.Deflate)
    assert caught.value.code() == CODE.UNIMPLEMENTED, caught.value
    assert plain.score(request) == wanted


# MARK: Agreed

@pytest.mark.parametrize("level", [0, 1, 9])
def test_every_level(raw, level):
    (payload, _), = unpacked(ask(raw, packed(raw.payload, level)))
    assert list(raw.parse(payload).raw_scores) == raw.wanted


@pytest.mark.parametrize("path", PATHS)
def test_never_a_coding_that_is_not_accepted(raw, stubs, everything, path):
    payload = request_of(stubs, everything, 600).SerializeToString()
    answers = {}
    for accept in ("identity,deflate,gzip", "gzip", " gzip ", "identity", "deflate,br", "xgzip"):
        answer = ask(raw, packed(payload), path, accept=accept)
        assert answer.code == "OK", answer
        came = unpacked(answer)
        assert sum(compressed for _, compressed in came) == (
            len(came) if accept.strip() in ("gzip", "identity,deflate,gzip") else 0), accept
        answers[accept] = sorted(one for one, _ in came)
    # Who sends no gzip is not sent any.
    for coding in (None, "identity"):
        plain = ask(raw, wire.message(payload), path, coding=coding)
        assert plain.code == "OK" and not any(flag for _, flag in unpacked(plain)), plain
    assert raw.connection.call(payload, headers(path, accept="")).code == "OK"


def test_flags_of_both_kinds_in_one_call(raw, stubs, everything):
    """grpc-encoding allows compressed messages, and does not ask for them."""
    requests = [request_of(stubs, everything, 20 * at) for at in range(10)]
    payloads = [item(stubs, at, one).SerializeToString() for at, one in enumerate(requests)]
    body = b"".join((wire.message if at % 3 else packed)(one) for at, one in enumerate(payloads))
    answer = ask(raw, body, MANY)
    assert answer.code == "OK", answer
    answers = by_sequence([stubs.ScoreManyResponse.FromString(one)
                           for one, _ in unpacked(answer)], range(10))
    for at, one in answers.items():
        assert one.status_code == 0 and len(one.response.scores) == 20 * at
    (payload, _), = unpacked(ask(raw, wire.message(raw.payload)))
    assert list(raw.parse(payload).raw_scores) == raw.wanted


def test_split_at_each_byte(raw):
    whole = packed(raw.payload)
    for at in range(1, len(whole)):
        stream = raw.connection.open(headers())
        raw.connection.data(stream, whole[:at])
        raw.connection.data(stream, whole[at:], end=True)
        assert raw.connection.wait(stream).code == "OK", at


def test_an_empty_message(raw):
    """Compressed it is an empty request; flagged and without a byte it is no gzip."""
    (payload, _), = unpacked(ask(raw, packed(b"")))
    assert not raw.parse(payload).scores
    refused(raw, ask(raw, wire.message(b"", flag=1)), "INTERNAL")


def test_members_with_names_and_comments(raw):
    """RFC 1952's optional fields: extra, name, comment, header checksum."""
    deflated = gzip.compress(raw.payload, mtime=0)
    head = b"\x1f\x8b\x08\x1e\0\0\0\0\0\xff" + b"\x03\0abc" + b"name\0" + b"comment\0"
    head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
    (payload, _), = unpacked(ask(raw, wire.message(head + deflated[10:], flag=1)))
    assert list(raw.parse(payload).raw_scores) == raw.wanted


# MARK: Not agreed

@pytest.mark.parametrize("coding", [None, "identity"])
@pytest.mark.parametrize("path", PATHS)
def test_flagged_without_a_coding(raw, path, coding):
    answer = ask(raw, packed(raw.payload), path, coding=coding)
    assert "grpc-encoding" in refused(raw, answer, "INTERNAL").text, answer


@pytest.mark.parametrize("coding", ["deflate", "br", "snappy", "gzipp", "x" * 300])
@pytest.mark.parametrize("path", [*PATHS, MANY])
@pytest.mark.parametrize("flag", [0, 1])
def test_unknown_codings(raw, path, coding, flag):
    answer = ask(raw, wire.message(raw.payload, flag=flag), path, coding=coding)
    refused(raw, answer, "UNIMPLEMENTED")
    known = {one.strip() for one in answer.trailers.get("grpc-accept-encoding", "").split(",")}
    assert "gzip" in known and coding not in known, answer


# MARK: Damaged

def damaged(seed, payload):
    """name → bytes that are no gzip of one message."""
    good, dice = gzip.compress(payload, mtime=0), random.Random(seed)
    made = {"no gzip": payload, "zlib": zlib.compress(payload), "zeros": bytes(100),
            "raw deflate": zlib.compress(payload)[2:-4], "one byte": b"\x1f",
            "twice compressed": gzip.compress(good), "trailing zero": good + b"\0",
            "trailing garbage": good + b"garbage", "two members": good + gzip.compress(b""),
            "members joined": gzip.compress(payload[:9]) + gzip.compress(payload[9:]),
            "bad magic": b"\x1f\x8c" + good[2:], "method 7": good[:2] + b"\x07" + good[3:],
            "reserved flags": good[:3] + b"\xe0" + good[4:],
            "wrong checksum": good[:-8] + bytes([good[-8] ^ 1]) + good[-7:],
            "one byte promised": good[:-4] + struct.pack("<I", 1),
            "one byte less promised": good[:-4] + struct.pack("<I", len(payload) - 1),
            "one byte more promised": good[:-4] + struct.pack("<I", len(payload) + 1),
            "4 GiB promised": good[:-4] + b"\xff\xff\xff\xff"}
    for at in (1, 5, 9, 10, 11, len(good) // 2, len(good) - 9, len(good) - 8, len(good) - 1):
        made[f"cut at {at}"] = good[:at]
    # Not in the last byte of DEFLATE, whose unused bits mean nothing.
    for at in dice.choices([*range(10, len(good) - 9), *range(len(good) - 8, len(good))], k=40):
        made[f"bit of byte {at} flipped"] = (
            good[:at] + bytes([good[at] ^ 1 << dice.randrange(8)]) + good[at + 1:])
    return made


@pytest.mark.parametrize("path", PATHS)
def test_damaged(raw, seed, path):
    for name, body in damaged(seed, raw.payload).items():
        answer = ask(raw, wire.message(body, flag=1), path)
        try:
            refused(raw, answer, "INTERNAL")
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, {name}: {error}") from None


def test_damaged_items_end_their_call(raw, stubs, everything, seed):
    """Not the item alone: what cannot be inflated is no message. Answers before it still come."""
    good = packed(item(stubs, 3, request_of(stubs, everything, 50)).SerializeToString())
    for name, body in list(damaged(seed, raw.payload).items())[:30]:
        answer = ask(raw, good * 3 + wire.message(body, flag=1) + good, MANY)
        if name == "twice compressed":
            # One layer is inflated: the item in it is gzip, not protobuf, and fails alone.
            assert answer.code == "OK", answer
            continue
        assert answer.code == "INTERNAL", (name, answer)
        for one, _ in unpacked(answer):
            assert stubs.ScoreManyResponse.FromString(one).sequence == 3, name
    raw.still_good()


# MARK: Bombs

def noise(count):
    """Bytes that gzip halves at best."""
    return random.Random(count).randbytes(count // 2 + 1).hex().encode()[:count]


def test_up_to_the_limit(raw):
    """The limit of a message counts after inflating."""
    head = padded(raw.payload, LIMIT)[:len(raw.payload) + 16]
    whole = packed(head + noise(LIMIT - len(head)), 1)
    assert RATIO * len(whole) > LIMIT
    (payload, _), = unpacked(ask(raw, whole))
    assert list(raw.parse(payload).raw_scores) == raw.wanted


@pytest.mark.parametrize("over", [1, 1 << 20])
@pytest.mark.parametrize("path", [*PATHS, MANY])
def test_over_the_limit(raw, over, path):
    whole = packed(noise(LIMIT + over), 1)
    assert 5 < len(whole) < LIMIT < RATIO * len(whole)
    answer = ask(raw, whole, path)
    refused(raw, answer, "RESOURCE_EXHAUSTED")
    assert answer.trailers.get("grpc-retry-pushback-ms") == "-1", answer


@pytest.mark.parametrize("size", [FLOOR * 2, 1 << 20, LIMIT, LIMIT * 4])
@pytest.mark.parametrize("promise", [None, 100, 0xFFFFFFFF])
def test_bombs(raw, size, promise):
    """Far more than their length allows, whatever their last bytes promise. Some lie: INTERNAL."""
    body = gzip.compress(bytes(size), 9, mtime=0)
    if promise is not None:
        body = body[:-4] + struct.pack("<I", promise)
    answer = ask(raw, wire.message(body, flag=1))
    refused(raw, answer, "INTERNAL" if promise == 100 else "RESOURCE_EXHAUSTED")
    if promise != 100:
        assert answer.trailers.get("grpc-retry-pushback-ms") == "-1", answer


def test_a_short_message_of_zeros_is_no_bomb(raw):
    """Below the floor the ratio does not count."""
    body = packed(padded(raw.payload, FLOOR), 9)
    assert RATIO * len(body) < FLOOR
    (payload, _), = unpacked(ask(raw, body))
    assert list(raw.parse(payload).raw_scores) == raw.wanted


def test_bombs_leave_nothing_behind(stubs, small, start):
    """Hundreds of them, on ten streams at a time: memory stays where it was."""
    server = start(small, "--loops", 1, "--shards", 1)
    bomb = wire.message(gzip.compress(bytes(LIMIT * 4), 9, mtime=0), flag=1)
    with wire.Connection(server.port) as connection:
        before = None
        for turn in range(21):
            opened = [connection.open(headers()) for _ in range(10)]
            for stream in opened:
                connection.data(stream, bomb, end=True)
            for stream in opened:
                assert connection.wait(stream).code == "RESOURCE_EXHAUSTED"
            if turn == 5:
                before = server.rss_bytes()
        assert streams.SANITIZED or server.rss_bytes() < before + (16 << 20)
        request = request_of(stubs, small, 3).SerializeToString()
        assert connection.call(request).code == "OK"
