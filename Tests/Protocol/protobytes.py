"""Protobuf by hand: what no encoder writes, and the few reads that need no schema."""

import struct


def varint(value, width=0):
    """`width`: at least so many bytes, by padding with empty groups."""
    made = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        more = value or len(made) + 1 < width
        made.append(low | (0x80 if more else 0))
        if not more:
            return bytes(made)


def tag(field, wire):
    return varint(field << 3 | wire)


def block(field, payload):
    """A length-delimited field."""
    return tag(field, 2) + varint(len(payload)) + payload


def number(field, value):
    return tag(field, 0) + varint(value)


def fixed64(field, value):
    return tag(field, 1) + struct.pack("<Q", value)


def fixed32(field, value):
    return tag(field, 5) + struct.pack("<I", value)


def packed_ids(field, ids):
    return block(field, struct.pack(f"<{len(ids)}Q", *ids))


def packed_floats(field, values):
    return block(field, struct.pack(f"<{len(values)}f", *values))


def nested(field, depth):
    """A length-delimited field in itself, `depth` deep."""
    made = b""
    for _ in range(depth):
        made = block(field, made)
    return made


def fields(data):
    """(field, value) of a well-formed message: int or bytes."""
    at, made = 0, []

    def read():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = read()
        wire = key & 7
        if wire == 0:
            value = read()
        else:
            length = read() if wire == 2 else {1: 8, 5: 4}[wire]
            value = data[at:at + length]
            assert len(value) == length, "truncated"
            at += length
        made.append((key >> 3, value))
    return made
