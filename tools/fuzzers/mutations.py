"""Ways to break bytes: blind ones, and ones that know protobuf's varints and HTTP/2's frames."""

import struct

import protobytes

VARINTS = [b"\x00", b"\x7f", b"\x80\x01", b"\xff" * 9 + b"\x01", b"\xff" * 9 + b"\x7f",
           b"\x80" * 10, b"\xff\xff\xff\xff\x0f", b"\xff\xff\xff\xff\x07", b"\x80\x80\x80\x80\x10"]
BYTES = [0, 1, 0x7F, 0x80, 0xFF]


def blind(random, data):
    """One to eight small wounds."""
    data = bytearray(data)
    for _ in range(1 << random.randrange(4)):
        at = random.randrange(len(data) + 1)
        match random.randrange(8):
            case 0 if at < len(data):
                data[at] ^= 1 << random.randrange(8)
            case 1 if at < len(data):
                data[at] = random.choice(BYTES)
            case 2:
                data[at:at] = random.randbytes(random.randrange(1, 9))
            case 3:
                del data[at:at + random.randrange(1, 17)]
            case 4:
                data[at:at] = data[at:at + random.randrange(1, 65)]
            case 5:
                data[at:at + 1] = random.choice(VARINTS)
            case 6 if at + 8 <= len(data):
                data[at:at + 8] = random.choice(
                    [b"\0" * 8, b"\xff" * 8, struct.pack("<d", float("nan")), b"\0" * 7 + b"\x80"])
            case _:
                del data[at:]
        if not data:
            break
    return bytes(data)


def nested(random):
    """A field within a field within a field."""
    inner = b""
    for _ in range(random.randrange(1, 400)):
        inner = protobytes.block(random.choice([1, 2, 3, 5, 7, 8, 15, 100]), inner)
    return inner


def frames(random, chain):
    """A list of serialized frames with one to four of them broken, lost, doubled or moved."""
    chain = list(chain)
    for _ in range(random.randrange(1, 5)):
        at = random.randrange(len(chain))
        frame = chain[at]
        match random.randrange(9):
            case 0:
                chain[at] = blind(random, frame)
            case 1:  # another type
                chain[at] = frame[:3] + bytes([random.randrange(16)]) + frame[4:]
            case 2:  # other flags
                chain[at] = frame[:4] + bytes([random.randrange(256)]) + frame[5:]
            case 3:  # another stream
                number = random.choice([0, 1, 2, 3, 5, 199, 0x7FFFFFFF, 0xFFFFFFFF])
                chain[at] = frame[:5] + struct.pack(">I", number) + frame[9:]
            case 4:  # another length, the payload as it is
                length = random.choice([0, 1, 4, 5, 8, 16_384, 16_385, 0xFFFFFF])
                chain[at] = struct.pack(">I", length)[1:] + frame[3:]
            case 5:
                del chain[at]
            case 6:
                chain.insert(at, frame)
            case 7:
                chain.insert(random.randrange(len(chain) + 1), chain.pop(at))
            case _:  # a frame of its own, of any type
                payload = random.randbytes(random.choice([0, 1, 4, 5, 6, 8, 9, 40]))
                number = random.choice([0, 1, 3, 5])
                chain.insert(at, struct.pack(">I", len(payload))[1:] + bytes(
                    [random.randrange(12), random.randrange(256)]) + struct.pack(
                        ">I", number) + payload)
        if not chain:
            break
    return chain
