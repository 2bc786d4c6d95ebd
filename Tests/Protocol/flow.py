"""What the frames of one connection say in their order, and its windows to the byte."""

import struct

from hyperframe import frame as frames

import wire

SERVICE = "/crescendo.v1.PromotionScoreService"
STREAM, MANY = f"{SERVICE}/StreamScores", f"{SERVICE}/ScoreMany"
LAST_OF_ALL = (1 << 31) - 1


class Watched(wire.Connection):
    """A connection that keeps every frame; SETTINGS and windows of its own wish."""

    def __init__(self, port, **options):
        self.events, self.goaways = [], []
        super().__init__(port, **options)

    def _sort(self, made):
        self.events.append(made)
        if isinstance(made, frames.GoAwayFrame):
            self.goaways.append(made)
        super()._sort(made)

    def settle(self, **wanted):
        """SETTINGS, and a round trip behind which they hold."""
        made = frames.SettingsFrame(0)
        made.settings = {getattr(frames.SettingsFrame, name): value
                         for name, value in wanted.items()}
        self.send(made)
        self.ping()

    def grant(self, stream, count):
        """`stream` 0: the connection."""
        made = frames.WindowUpdateFrame(stream)
        made.window_increment = count
        self.send(made)

    def until(self, reached):
        """Reads until `reached()`; fails when the connection ends before."""
        while not reached():
            assert self.pump(), f"the connection ended; goaways {self.goaways}, {self.answers}"


def messages(body, flag=0):
    """The gRPC messages of a body that have come whole."""
    made, at = [], 0
    while len(body) - at >= 5:
        told, length = struct.unpack(">BI", body[at:at + 5])
        assert told == flag, f"flag {told} at byte {at}"
        if len(body) - at - 5 < length:
            break
        made.append(body[at + 5:at + 5 + length])
        at += 5 + length
    return made


def assert_window_is_whole(connection, window, payload):
    """Proves that the server owes this connection no byte of its receive window.

    nghttp2 gives window back once half of it has been taken, so that what is missing may be only
    not told yet. A good call is padded to make up that half to the byte: the WINDOW_UPDATE that it
    sets off makes the window whole, unless something has leaked.
    """
    least = len(padded(payload, len(payload) + 7)) + 5
    for _ in range(8):
        # A PING's answer goes before what was queued in its turn: the second one's comes after.
        connection.ping()
        connection.ping()
        missing = window - connection.connection_window
        if not missing:
            return
        room = window // 2 - missing
        assert room >= 0, f"{missing} of {window} bytes of window were not given back"
        made = padded(payload, room - 5) if room >= least else payload
        answer = connection.wait(connection.start(made))
        assert answer.code == "OK", answer
    raise AssertionError(f"{missing} bytes of the connection's window leaked")


def padded(payload, size):
    """The payload with an unknown field behind it, `size` bytes in all."""
    tag = b"\xc2\x3e"  # field 1000, length-delimited
    length = size - len(payload) - len(tag) - 5
    assert length >= 0, f"{size} bytes are too few for {len(payload)}"
    width = bytes([length & 0x7F | 0x80, length >> 7 & 0x7F | 0x80, length >> 14 & 0x7F | 0x80,
                   length >> 21 & 0x7F | 0x80, length >> 28])
    return payload + tag + width + bytes(length)
