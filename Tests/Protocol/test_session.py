"""The server's end of the session framing, row by row of proto/SESSION.md."""

import struct

import pytest

import batches
import oracle
import streams
from session_calls import (
    CANCELLED, CHECK, EXHAUSTED, INTERNAL, LOSS, MANY, OK, SCORE, STREAM, UNIMPLEMENTED, WATCH,
    collect, ids, many, refused, request, spend_all)
from session_wire import (
    ANSWER, CALL, CANCEL, CREDIT, END, FIN, HELLO, LAST, MESSAGE, PATH, PING, REPLY, TYPE,
    Session, frame, hello, prelude)
from wire import Connection, request_headers


@pytest.fixture
def session(server):
    """Ends cleanly, with its credit whole."""
    with Session(server) as made:
        yield made
        server.check()


# Opening


def test_opening(session):
    assert session.answer.http_status == "200"
    assert session.answer.headers[0] == {":status": "200", "content-type": TYPE}
    assert set(session.methods) == {SCORE, STREAM, MANY, CHECK, WATCH} | {
        f"/crescendo.v1.{name}" for name in (
            "PromotionAllocationService/Allocate", "PromotionAllocationService/Release",
            "PromotionDeliveryService/ReportExposures", "CampaignService/ApplyCampaigns",
            "CampaignService/GetCampaign", "CampaignService/ListCampaigns",
            "CampaignService/PauseCampaign", "CampaignService/DiagnoseCampaign")}
    assert (session.max_frame, session.credit, session.max_calls) == (
        (4 << 20) + (64 << 10), 65_536, 1_024)
    session.finish()


def test_a_media_type_may_have_parameters(server):
    for kind in (TYPE + ";v=1", "Application/X-Crescendo-Session"):
        with Session(server, headers=request_headers(
                PATH, replace={"content-type": kind})) as session:
            session.finish()


@pytest.mark.parametrize("path, replace, status, code", [
    (PATH, {"content-type": "application/json"}, "415", None),
    (SCORE, {"content-type": TYPE}, "415", None),
    (PATH, {"content-type": TYPE, ":method": "GET"}, "405", None),
    (PATH, {"content-type": TYPE + "x"}, "415", None),
    (PATH, {}, "200", "UNIMPLEMENTED")])
def test_what_is_no_session(server, path, replace, status, code):
    with Connection(server.port) as raw:
        stream = raw.open(request_headers(path, replace=replace), end=True)
        answer = raw.wait(stream)
        assert (answer.http_status, answer.code) == (status, code), answer


def test_answers_before_hello_but_says_hello_after(server):
    with Session(server, opens=False) as session:
        session.connection.until(lambda: session.answer.headers)
        session.connection.ping()
        session.connection.ping()
        assert not session.answer.body
        session.send(hello())
        session.read_hello()
        session.finish()


@pytest.mark.parametrize("version", [1, 2, 65_535])
def test_versions_above_ours_are_answered_with_ours(server, version):
    with Session(server, opens=False) as session:
        session.send(hello(version=version))
        assert session.read_hello().code == 1
        session.finish()


@pytest.mark.parametrize("first, code, text", [
    (frame(HELLO, b"\x08\x80\x80\x01", code=0), UNIMPLEMENTED, "version 0 is not spoken here"),
    (frame(HELLO, b"", code=1), INTERNAL,
     "HELLO is malformed: max_frame_bytes is below 16384"),
    (frame(HELLO, b"\x08\xff\x7f", code=1), INTERNAL,
     "HELLO is malformed: max_frame_bytes is below 16384"),
    (frame(HELLO, b"\x08", code=1), INTERNAL,
     "HELLO is malformed: byte 1: the message ends within a varint"),
    (frame(PING, bytes(8)), INTERNAL, "the first frame is not HELLO"),
    (frame(CALL, bytes(16), code=1, call=1), INTERNAL, "the first frame is not HELLO"),
    (frame(HELLO, b"", code=1, length=65_537), EXHAUSTED,
     "a frame of 65537 bytes: at most 65536 are taken"),
    (frame(HELLO, b"\x08\x80\x80\x01", code=1, crc=1), LOSS, "a frame's checksum is wrong"),
    (frame(HELLO, b"\x08\x80\x80\x01", code=1, call=1), INTERNAL,
     "HELLO: a field or flag that must be 0 is not")])
def test_bad_first_frames(server, first, code, text):
    """S2, S3, S4, F1, F3, F8."""
    with Session(server, opens=False) as session:
        session.send(first)
        session.expect_error(code, text)
    server.check()


def test_an_end_instead_of_hello(server):
    """S6."""
    with Session(server, opens=False) as session:
        session.send(end=True)
        session.expect_error(INTERNAL, "the first frame is not HELLO")


def test_without_checksums(stubs, everything, server):
    with Session(server, flags=1) as session:
        assert not session.checked
        wanted = request(stubs, everything)
        call = session.call(SCORE, wanted.SerializeToString(), 3)
        oracle.check(stubs, everything, wanted, stubs.ScoreResponse.FromString(
            session.expect(REPLY, call).message()))
        # What stands there is not read.
        session.send(frame(PING, b"abcdefgh", crc=77))
        assert session.expect(PING).payload == b"abcdefgh"
        session.finish()


# Calls


@pytest.mark.parametrize("shards, fanout", [(1, "auto"), (4, "always")])
def test_unary_bits(stubs, everything, start, seed, shards, fanout):
    server = start(everything, "--loops", 1, "--shards", shards, "--fanout", fanout)
    drawn = batches.Batches(stubs, everything, seed + 60, fixed_time=True)
    requests = [drawn.draw() for _ in range(150)]
    with Session(server) as session:
        asked, out = {}, 0
        for one in requests:
            count = len(one.item_ids) or len(one.item_uris)
            # Never over the credit: half of it is out at most, then all answers are waited for.
            if out + count > session.credit // 2:
                collect(stubs, everything, session, asked)
                out = 0
            asked[session.call(SCORE, one.SerializeToString(), count)] = one
            out += max(1, count)
        collect(stubs, everything, session, asked)
        spend_all(session)


@pytest.mark.parametrize("fanout", ["never", "always"])
def test_streaming(stubs, everything, start, fanout):
    server = start(everything, "--shards", 4, "--fanout", fanout)
    wanted = request(stubs, everything, 5_000)
    with Session(server) as session:
        call = session.call(STREAM, wanted.SerializeToString(), 5_000)
        parts = []
        while True:
            got = session.next()
            assert got.call == call
            if got.kind == END:
                assert got.code == OK
                break
            parts.append(stubs.StreamScoresResponse.FromString(got.message()))
            if got.flags & LAST:
                break
        assert len(parts) == (4 if fanout == "always" else 1)
        call = session.call(SCORE, wanted.SerializeToString(), 5_000)
        whole = stubs.ScoreResponse.FromString(session.expect(REPLY, call).message())
        oracle.check(stubs, everything, wanted, whole)
        streams.Joined(parts, wanted).check(streams.Columns(whole, 5_000, True), "parts")
        session.finish()


def test_health(generated, session):
    check = generated.health.HealthCheckRequest
    call = session.call(CHECK, check().SerializeToString(), 0)
    got = generated.health.HealthCheckResponse.FromString(session.expect(REPLY, call).message())
    assert got.status == 1
    call = session.call(CHECK, check(service="nonesuch").SerializeToString(), 0)
    got = session.expect(END, call)
    assert got.code == 5 and "nonesuch" in got.record()["text"]
    watch = session.call(WATCH, check().SerializeToString(), 0)
    got = session.expect(REPLY, watch)
    assert not got.flags
    session.send(frame(CANCEL, call=watch))
    assert session.expect(END, watch).code == CANCELLED
    session.finish()


def test_score_many_and_its_credit(stubs, everything, session):
    """§9's example: MESSAGEs come back by CREDIT, the CALL with the END."""
    call = session.call(MANY, many(stubs, everything, 0, 2), 2, flags=0)
    first = session.expect(REPLY, call)
    assert stubs.ScoreManyResponse.FromString(first.message()).sequence == 0
    credit, sequences = 0, set()
    for sequence, count in enumerate((300, 0, 200), 1):
        session.message(call, many(stubs, everything, sequence, count), count)
    while credit < 501 or len(sequences) < 3:
        got = session.next()
        if got.kind == CREDIT:
            credit += struct.unpack("<I", got.payload)[0]
        else:
            answer = stubs.ScoreManyResponse.FromString(got.message())
            assert answer.status_code == 0, answer
            sequences.add(answer.sequence)
    assert credit == 501 and sequences == {1, 2, 3}
    session.send(frame(MESSAGE, flags=FIN, call=call))
    assert session.expect(END, call).code == OK
    session.finish()


def test_fin_with_the_last_item(stubs, everything, session):
    call = session.call(MANY, many(stubs, everything, 0), 3, flags=0)
    session.message(call, many(stubs, everything, 1), 3, flags=FIN)
    seen = [session.next() for _ in range(4)]
    assert sorted(one.kind for one in seen) == [REPLY, REPLY, END, CREDIT]
    call = session.call(MANY, many(stubs, everything, 5), 3, flags=FIN)
    assert session.expect(REPLY, call).flags == 0
    assert session.expect(END, call).code == OK
    session.finish()


def test_five_thousand_items(stubs, everything, session):
    """More than may be worked on at a time, within the credit."""
    call = session.call(MANY, many(stubs, everything, 0, 1), 1, flags=0)
    sent, balance, sequences = 1, session.credit - 1, set()
    while len(sequences) < 5_000:
        while sent < 5_000 and balance > 40_000:
            session.message(call, many(stubs, everything, sent, sent % 30), sent % 30)
            balance -= max(1, sent % 30)
            sent += 1
        got = session.next()
        if got.kind == CREDIT:
            balance += struct.unpack("<I", got.payload)[0]
        else:
            sequences.add(stubs.ScoreManyResponse.FromString(got.message()).sequence)
    assert sequences == set(range(5_000))
    session.send(frame(MESSAGE, flags=FIN, call=call))
    while (got := session.next()).kind == CREDIT:
        balance += struct.unpack("<I", got.payload)[0]
    assert got.kind == END and got.code == OK
    assert balance + 1 == session.credit
    spend_all(session)


# Frames and DATA


@pytest.mark.parametrize("cut", [1, 3, 16, 17, 1_000])
def test_frames_across_data(stubs, everything, session, cut):
    wanted = request(stubs, everything, 200)
    session.next_call = 4
    data = b"".join(session.frame(
        CALL, prelude(200) + wanted.SerializeToString(), flags=FIN, code=session.methods[SCORE],
        call=call) for call in (1, 2, 3))
    for at in range(0, len(data), cut):
        session.connection.data(session.stream, data[at:at + cut])
    collect(stubs, everything, session, {call: wanted for call in (1, 2, 3)})
    session.finish()


def test_a_frame_longer_than_the_window(stubs, everything, session):
    """4 MiB of message: window comes back while the frame is not whole."""
    base = stubs.ScoreRequest(item_ids=ids(everything, 3)).SerializeToString()
    room = (4 << 20) - len(base) - 6
    payload = base + b"\xc2\x3e" + bytes([room & 0x7F | 0x80, room >> 7 & 0x7F | 0x80,
                                          room >> 14 & 0x7F | 0x80, room >> 21]) + bytes(room)
    assert len(payload) == 4 << 20
    call = session.call(SCORE, payload, 3)
    assert session.expect(REPLY, call).flags == LAST
    call = session.call(SCORE, payload + b"\0", 3)
    assert refused(session, call) == (
        EXHAUSTED, "a message of 4194305 bytes: at most 4194304 are taken", -1)
    session.finish()


def test_skipped_types_and_pings(session):
    session.send(frame(128, b"x" * 100), frame(255, flags=255, code=9, call=9),
                 frame(PING, b"abcdefgh"), frame(PING, b"late....", flags=ANSWER))
    got = session.expect(PING)
    assert (got.payload, got.flags) == (b"abcdefgh", ANSWER)
    session.send(frame(PING, b"ABCDEFGH"))
    assert session.expect(PING).payload == b"ABCDEFGH"
    session.finish()


