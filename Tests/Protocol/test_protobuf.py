"""Messages that no encoder writes: DESIGN 5. Each ends with a good call on the same connection."""

import re
import struct

import pytest

import protobytes as pb

REQUEST_ID, USER_ID, CONTEXT, ITEM_IDS, ITEM_URIS, COLUMNS, MODEL = 1, 2, 4, 5, 6, 7, 10
ONE = pb.packed_ids(ITEM_IDS, [1])

# Each is put behind a good start, so that the offset is not 0.
UNDECODABLE = {
    "tag 0": pb.varint(0),
    "field 0, length-delimited": pb.varint(2) + pb.varint(0),
    "group": pb.tag(50, 3) + pb.tag(50, 4),
    "empty group on a known field": pb.tag(ITEM_IDS, 3) + pb.tag(ITEM_IDS, 4),
    "end of a group": pb.tag(50, 4),
    "group without an end": pb.tag(50, 3) + pb.number(1, 1),
    "wire type 6": pb.tag(50, 6),
    "wire type 7": pb.tag(50, 7),
    "tag of eleven bytes": b"\xff" * 10 + b"\x01",
    "unknown varint of eleven bytes": pb.tag(50, 0) + b"\x80" * 10 + b"\x01",
    "flag of eleven bytes": pb.tag(11, 0) + b"\x80" * 10 + b"\x01",
    "length of eleven bytes": pb.tag(REQUEST_ID, 2) + b"\x80" * 10 + b"\x01",
    "varint cut off": pb.tag(11, 0) + b"\x80",
    "tag cut off": b"\x80",
    "fixed64 cut off": pb.tag(USER_ID, 1) + b"\x01" * 7,
    "unknown fixed32 cut off": pb.tag(50, 5) + b"\x01" * 3,
    "text cut off": pb.tag(REQUEST_ID, 2) + pb.varint(5) + b"abcd",
    "unknown bytes cut off": pb.tag(50, 2) + pb.varint(5) + b"abcd",
    "length of 2^31": pb.tag(REQUEST_ID, 2) + pb.varint(1 << 31) + b"abcd",
    "length of 2^63": pb.tag(ITEM_IDS, 2) + pb.varint(1 << 63) + b"abcd",
    "length of 2^64 - 1": pb.tag(50, 2) + pb.varint((1 << 64) - 1) + b"abcd",
    "packed ids of nine bytes": pb.block(ITEM_IDS, bytes(9)),
    "packed floats of five bytes": pb.block(COLUMNS, pb.block(1, b"skips") + pb.block(2, bytes(5))),
    "id as varint": pb.number(ITEM_IDS, 1),
    "id as fixed32": pb.fixed32(ITEM_IDS, 1),
    "user id as varint": pb.number(USER_ID, 1),
    "user id as bytes": pb.block(USER_ID, bytes(8)),
    "request id as varint": pb.number(REQUEST_ID, 1),
    "context as fixed64": pb.fixed64(CONTEXT, 1),
    "flag as bytes": pb.block(11, b"\x01"),
    "latin-1": pb.block(REQUEST_ID, b"Bj\xf6rk"),
    "overlong UTF-8": pb.block(REQUEST_ID, b"\xc0\xaf"),
    "surrogate": pb.block(REQUEST_ID, b"\xed\xa0\x80"),
    "beyond U+10FFFF": pb.block(REQUEST_ID, b"\xf4\x90\x80\x80"),
    "UTF-8 cut off": pb.block(REQUEST_ID, b"abc\xe2\x82"),
    "invalid UTF-8 in a URI": pb.block(ITEM_URIS, b"\xff"),
    "invalid UTF-8 in a market": pb.block(CONTEXT, pb.block(1, b"\xff\xfe")),
    "invalid UTF-8 in a segment": pb.block(CONTEXT, pb.block(6, b"ok") + pb.block(6, b"\x80")),
    "invalid UTF-8 in a column's name": pb.block(COLUMNS, pb.block(1, b"\xff")),
    "group inside the context": pb.block(CONTEXT, pb.tag(9, 3) + pb.tag(9, 4)),
    "tag 0 inside the context": pb.block(CONTEXT, pb.varint(0)),
    "context cut off inside": pb.block(CONTEXT, pb.tag(1, 2) + pb.varint(9) + b"SE"),
    "wrong wire type inside the context": pb.block(CONTEXT, pb.number(1, 1)),
    "time as varint": pb.block(CONTEXT, pb.number(4, 1)),
}
MESSAGES = re.compile(r"ScoreRequest|Context|CandidateColumn|UserColumn")


@pytest.mark.parametrize("name", UNDECODABLE)
def test_undecodable(raw, name):
    payload = ONE + UNDECODABLE[name]
    got = raw.refused(raw.connection.call(payload), "INTERNAL")
    assert MESSAGES.search(got.text), f"no message name in {got.text!r}"
    assert re.search(r"byte|offset", got.text), f"no byte offset in {got.text!r}"
    offsets = [int(digits) for digits in re.findall(r"\d+", got.text)]
    assert any(len(ONE) <= offset <= len(payload) for offset in offsets), (
        f"no offset from {len(ONE)} to {len(payload)} in {got.text!r}")


def test_every_truncation(raw, stubs):
    """A message cut at each byte: OK where the cut is between two fields, else INTERNAL."""
    request = stubs.ScoreRequest.FromString(raw.payload)
    request.candidate_columns.add(name="skips", values=[1, 2, 3])
    request.user_columns.add(name="age", values=[30])
    whole, outcomes = request.SerializeToString(), set()
    for size in range(len(whole)):
        stream = raw.connection.call(whole[:size])
        try:
            stubs.ScoreRequest.FromString(whole[:size])
            assert stream.code in ("OK", "INVALID_ARGUMENT"), (size, stream)
        except Exception as error:
            assert type(error).__name__ == "DecodeError", error
            raw.refused(stream, "INTERNAL")
        outcomes.add(stream.code)
    assert outcomes >= {"OK", "INTERNAL"}


def test_random_damage(raw, stubs, seed):
    """Whatever the damage, there is one clear status, and the connection goes on."""
    import random
    dice, seen = random.Random(seed), set()
    request = stubs.ScoreRequest.FromString(raw.payload)
    request.candidate_columns.add(name="skips", values=[1, 2, 3])
    request.item_uris.append("x")
    whole = request.SerializeToString()
    for at in range(1_500):
        damaged = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            position = dice.randrange(len(damaged))
            if dice.random() < 0.6:
                damaged[position] = dice.randrange(256)
            elif dice.random() < 0.5:
                del damaged[position]
            else:
                damaged.insert(position, dice.randrange(256))
        got = raw.connection.call(bytes(damaged))
        assert got.code in ("OK", "INTERNAL", "INVALID_ARGUMENT", "UNIMPLEMENTED",
                            "RESOURCE_EXHAUSTED"), (seed, at, bytes(damaged).hex(), got)
        seen.add(got.code)
    assert seen >= {"INTERNAL", "INVALID_ARGUMENT"}, seen


UNKNOWN = {
    "thousands of varints": pb.number(1_000, 5) * 5_000,
    "thousands of kinds": b"".join(pb.number(field, 1) for field in range(100, 5_100)),
    "thousands of blocks": pb.block(1_000, b"x" * 20) * 5_000,
    "1,000 deep": pb.nested(1_000, 1_000),
    "a million empty blocks": pb.block(99, b"") * 1_000_000,
    "fixed32 and fixed64": (pb.fixed32(60, 1) + pb.fixed64(61, 2)) * 1_000,
    "the largest field": pb.number((1 << 29) - 1, 1),
    "inside the context": pb.block(CONTEXT, pb.number(99, 1) * 1_000 + pb.nested(98, 500)),
    "invalid UTF-8": pb.block(1_000, b"\xff\xfe\x00"),
    "a varint of ten bytes": pb.tag(50, 0) + b"\xff" * 9 + b"\x01",
    "a padded varint": pb.tag(50, 0) + pb.varint(1, width=9),
}


@pytest.mark.parametrize("name", UNKNOWN)
@pytest.mark.parametrize("front", [True, False])
def test_unknown_fields_are_legal(raw, name, front):
    extra = UNKNOWN[name]
    raw.accepted(raw.connection.call(extra + raw.payload if front else raw.payload + extra))


def test_unknown_fields_in_a_column(raw):
    column = pb.block(1, b"skips") + pb.number(77, 1) * 500 + pb.packed_floats(2, [1, 2, 3])
    payload = raw.payload + pb.block(COLUMNS, column)
    plain = raw.payload + pb.block(COLUMNS, pb.block(1, b"skips") + pb.packed_floats(2, [1, 2, 3]))
    got, wanted = (raw.answer(raw.connection.call(one)) for one in (payload, plain))
    assert list(got.raw_scores) == list(wanted.raw_scores)


def same(raw, variant, plain):
    got, wanted = (raw.answer(raw.connection.call(one)) for one in (variant, plain))
    assert len(wanted.raw_scores) > 0 and list(got.raw_scores) == list(wanted.raw_scores)


def context(*parts):
    return b"".join(pb.block(CONTEXT, part) for part in parts)


TIME = pb.fixed64(4, 1_700_000_000_000)


def test_legal_but_unusual(raw):
    """Split and unpacked columns, merged messages, last value wins: as protobuf says."""
    ids, raw_flag = raw.ids, pb.number(11, 1)
    base = context(TIME) + raw_flag
    packed = base + pb.packed_ids(ITEM_IDS, ids)
    same(raw, base + b"".join(pb.fixed64(ITEM_IDS, one) for one in ids), packed)
    same(raw, pb.packed_ids(ITEM_IDS, ids[:1]) + base + pb.packed_ids(ITEM_IDS, ids[1:]), packed)
    same(raw, pb.packed_ids(ITEM_IDS, ids[:1]) + pb.fixed64(ITEM_IDS, ids[1]) + base
         + pb.packed_ids(ITEM_IDS, ids[2:]), packed)
    same(raw, packed + pb.packed_ids(ITEM_IDS, []), packed)
    name = pb.block(1, b"skips")
    column = packed + pb.block(COLUMNS, name + pb.packed_floats(2, [1, 2, 3]))
    loose = b"".join(pb.tag(2, 5) + struct.pack("<f", value) for value in (1, 2, 3))
    same(raw, packed + pb.block(COLUMNS, name + loose), column)
    same(raw, packed + pb.block(COLUMNS, pb.packed_floats(2, [1, 2]) + name
                                + pb.packed_floats(2, [3])), column)
    same(raw, pb.block(COLUMNS, name + pb.packed_floats(2, [1, 2, 3])) + packed, column)
    market, surface = pb.block(1, b"SE"), pb.block(2, b"home")
    ordered = raw_flag + pb.packed_ids(ITEM_IDS, ids) + context(market + surface + TIME)
    same(raw, context(market) + raw_flag + pb.packed_ids(ITEM_IDS, ids)
         + context(surface, TIME), ordered)
    same(raw, context(surface + TIME) + raw_flag + pb.packed_ids(ITEM_IDS, ids)
         + context(market), ordered)
    same(raw, context(pb.block(1, b"BR")) + ordered, ordered)
    same(raw, pb.fixed64(USER_ID, 9) + packed + pb.fixed64(USER_ID, 0), packed)
    same(raw, pb.number(11, 0) + packed, packed)
    same(raw, context(TIME) + pb.tag(11, 0) + pb.varint(1, width=10) + pb.packed_ids(ITEM_IDS, ids),
         packed)
    same(raw, context(TIME) + pb.number(11, 2) + pb.packed_ids(ITEM_IDS, ids), packed)


def test_ids_at_every_alignment(raw):
    plain = raw.payload
    for shift in range(1, 17):
        same(raw, pb.block(REQUEST_ID, b"x" * shift) + plain, plain)


def test_nul_in_text(raw):
    """U+0000, which a C string cannot hold: echoed whole or refused, never cut off."""
    got = raw.connection.call(raw.payload + pb.block(REQUEST_ID, b"a\x00b"))
    if got.code in ("INTERNAL", "INVALID_ARGUMENT"):
        assert "NUL" in got.text and "ScoreRequest" in got.text, got
    else:
        assert raw.answer(got).request_id == "a\x00b"


def test_the_arena_is_bounded(raw):
    """A message within its limit that decodes to very much: an answer or a refusal, no crash."""
    many = pb.block(COLUMNS, b"") * 2_000_000
    got = raw.connection.call(raw.payload + many[:4_000_000 // 2 * 2])
    assert got.code in ("RESOURCE_EXHAUSTED", "INVALID_ARGUMENT"), got
    segments = context(pb.block(6, b"") * 1_000_000)
    got = raw.connection.call(raw.payload + segments)
    assert got.code in ("RESOURCE_EXHAUSTED", "INVALID_ARGUMENT", "OK"), got
    uris = pb.block(ITEM_URIS, b"") * 2_000_000
    raw.refused(raw.connection.call(uris), "RESOURCE_EXHAUSTED")
