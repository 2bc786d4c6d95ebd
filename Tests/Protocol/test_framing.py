"""gRPC's messages in DATA frames: rpc.md 1.2. Each ends with a good call on the same connection."""

import struct

import pytest

import protobytes as pb
from wire import Connection, message, request_headers

LIMIT = 4 << 20
PAD_FIELD = 1_000


def padded(payload, size):
    """The payload with an unknown field behind it, `size` bytes in all."""
    length = size - len(payload) - len(pb.tag(PAD_FIELD, 2)) - 5
    made = payload + pb.tag(PAD_FIELD, 2) + pb.varint(length, width=5) + bytes(length)
    assert len(made) == size
    return made


def send(raw, *pieces, end=True, **options):
    """Each piece in a DATA frame of its own; the answer."""
    stream = raw.connection.open()
    for at, piece in enumerate(pieces):
        raw.connection.data(stream, piece, end=end and at == len(pieces) - 1, **options)
    return raw.connection.wait(stream)


def test_split_at_each_byte(raw):
    whole = message(raw.payload)
    for at in range(1, len(whole)):
        raw.accepted(send(raw, whole[:at], whole[at:]))


def test_one_byte_a_frame(raw):
    whole = message(raw.payload)
    raw.accepted(send(raw, *[whole[at:at + 1] for at in range(len(whole))]))


def test_empty_frames_between(raw):
    whole = message(raw.payload)
    raw.accepted(send(raw, b"", whole[:3], b"", whole[3:], b""))


@pytest.mark.parametrize("padding", [0, 1, 255])
def test_padding(raw, padding):
    whole = message(raw.payload)
    raw.accepted(send(raw, whole[:4], whole[4:], padding=padding))


def test_padding_gives_its_window_back(raw):
    """Padding counts in flow control: far more of it than the windows are wide must pass."""
    whole = message(padded(raw.payload, 24_000))
    raw.accepted(send(raw, *[whole[at:at + 1] for at in range(len(whole))], padding=255))


@pytest.mark.parametrize("flag", [2, 0x80, 0xFF])
def test_unknown_flags(raw, flag):
    raw.refused(send(raw, message(raw.payload, flag=flag)), "INTERNAL")


@pytest.mark.parametrize("sent", [1, 4, 5, 9])
def test_end_of_stream_inside_a_message(raw, sent):
    raw.refused(send(raw, message(raw.payload)[:sent]), "INTERNAL")


def test_no_message(raw):
    raw.refused(send(raw, b""), "UNIMPLEMENTED")
    stream = raw.connection.open(end=True)
    raw.refused(raw.connection.wait(stream), "UNIMPLEMENTED")


def test_two_messages(raw):
    whole = message(raw.payload)
    raw.refused(send(raw, whole + whole), "UNIMPLEMENTED")
    raw.refused(send(raw, whole, whole), "UNIMPLEMENTED")


def test_bytes_behind_the_message(raw):
    """A second prefix begins, and the stream ends in it: too many, or truncated."""
    got = send(raw, message(raw.payload) + b"\x00")
    assert got.code in ("UNIMPLEMENTED", "INTERNAL"), got


def test_an_empty_message_is_an_empty_request(raw):
    assert not raw.answer(send(raw, message(b""))).scores


def no_retry(got):
    assert got.trailers.get("grpc-retry-pushback-ms") == "-1", f"no pushback −1: {got}"


def test_exactly_4_mib(raw):
    raw.accepted(send(raw, message(padded(raw.payload, LIMIT))))


def test_one_byte_more(raw):
    whole = message(padded(raw.payload, LIMIT + 1))
    no_retry(raw.refused(send(raw, whole), "RESOURCE_EXHAUSTED"))


@pytest.mark.parametrize("length", [LIMIT + 1, (1 << 31) - 1, 1 << 31, (1 << 32) - 1])
def test_too_long_is_known_from_the_prefix(raw, length):
    """Refused before any of it has come."""
    stream = raw.connection.open()
    raw.connection.data(stream, message(b"", length=length))
    no_retry(raw.refused(raw.connection.wait(stream), "RESOURCE_EXHAUSTED"))
    raw.connection.ping()


def test_grpcio_hears_of_the_limit(raw, client):
    import grpc
    method = "/crescendo.v1.PromotionScoreService/Score"
    assert client.call(method, padded(raw.payload, LIMIT))
    with pytest.raises(grpc.RpcError) as caught:
        client.call(method, padded(raw.payload, LIMIT + 1))
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, caught.value
    assert ("grpc-retry-pushback-ms", "-1") in caught.value.trailing_metadata()
    assert client.call(method, raw.payload)


@pytest.mark.parametrize("field", ["item_ids", "item_uris"])
def test_one_candidate_too_many(raw, stubs, client, field):
    import grpc
    one = 1 if field == "item_ids" else "u"
    assert len(client.score(stubs.ScoreRequest(**{field: [one] * 10_000})).scores) == 10_000
    with pytest.raises(grpc.RpcError) as caught:
        client.score(stubs.ScoreRequest(**{field: [one] * 10_001}))
    error = caught.value
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, error
    assert "10000" in error.details().replace(",", "").replace("_", ""), error.details()
    assert ("grpc-retry-pushback-ms", "-1") in error.trailing_metadata(), error
    no_retry(raw.connection.call(
        stubs.ScoreRequest(**{field: [one] * 10_001}).SerializeToString()))


def test_many_large_messages_pass_the_connection_window(raw):
    """Bytes of refused and of finished calls are given back: ten windows' worth passes."""
    for _ in range(5):
        raw.accepted(send(raw, message(padded(raw.payload, LIMIT))))
        raw.refused(send(raw, message(b"\x07" + bytes(LIMIT - 1))), "INTERNAL")


def test_abandoned_uploads_give_their_window_back(raw):
    """rpc.md 0.7: unconsumed bytes of a stream that dies stay charged until given back."""
    connection = raw.connection
    for _ in range(60):
        stream = connection.open()
        connection.data(stream, message(bytes(200_000), length=300_000))
        connection.reset(stream)
    raw.accepted(send(raw, message(padded(raw.payload, LIMIT))))


def test_data_after_the_servers_refusal(raw):
    """Late DATA and trailers behind an early answer must not close the connection."""
    connection = raw.connection
    for _ in range(20):
        stream = connection.open(request_headers("/nope"))
        connection.data(stream, struct.pack(">BI", 0, 100), obey_windows=False)
        connection.wait(stream)
        connection.data(stream, bytes(50), obey_windows=False)
        connection.data(stream, bytes(50), end=True, obey_windows=False)
    connection.ping()
    assert connection.goaway is None, connection.goaway


def test_trailers_from_the_client(raw):
    """A request may end with trailers."""
    connection = raw.connection
    stream = connection.open()
    connection.data(stream, message(raw.payload))
    connection.open([("x-trailer", "1")], stream=stream, end=True)
    raw.accepted(connection.wait(stream))


def test_the_answer_fits_into_small_windows(raw, server):
    """An answer larger than the client's windows waits for them and arrives whole."""
    from hyperframe import frame as frames
    with Connection(server.port) as connection:
        narrow = frames.SettingsFrame(0)
        narrow.settings = {frames.SettingsFrame.INITIAL_WINDOW_SIZE: 10}
        connection.send(narrow)
        connection.ping()
        stream = connection.start(raw.payload)
        connection.ping()
        received = 0
        answer = connection.answers[stream]
        while not answer.ended:
            assert len(answer.body) <= received + 10, "more than the window allows"
            if len(answer.body) == received + 10:
                received += 10
                more = frames.WindowUpdateFrame(stream)
                more.window_increment = 10
                connection.send(more)
            connection.pump()
        raw.accepted(answer)
