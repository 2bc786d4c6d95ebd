"""HTTP/2 connections that do only what they are told: many of them in one thread, window granted
when the measurement says so, calls reset in the middle. Fast where Tests/Protocol/wire.py is clear.
"""
from __future__ import annotations

import collections
import functools
import selectors
import socket
import struct
import time

import hpack

from measuring import METHOD

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
INITIAL_WINDOW = 65_535
WINDOW_MAX = (1 << 31) - 1
FRAME_BYTES = 16_384
# What is taken from streams into a link's own buffer at a time.
OUTPUT_BYTES = 256 << 10


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">BHBBI", len(payload) >> 16, len(payload) & 0xFFFF, kind, flags,
                       stream) + payload


def message(payload):
    """gRPC's length-prefixed message."""
    return struct.pack(">BI", 0, len(payload)) + payload


@functools.cache
def header_block(method, timeout):
    """Headers of a call, without the dynamic table: the same bytes on every connection.
    `method`: of the score service, or a whole path."""
    path = method if method.startswith("/") else METHOD + method
    fields = [(":method", "POST"), (":scheme", "http"), (":path", path),
              (":authority", "localhost"), ("te", "trailers"),
              ("content-type", "application/grpc"), ("grpc-timeout", timeout)]
    return hpack.Encoder().encode([hpack.NeverIndexedHeaderTuple(*field) for field in fields])


class Stream:
    """One call, as far as it has come."""

    __slots__ = ("number", "window", "unsent", "ends", "body", "status", "reset", "isOver",
                 "trailers")

    def __init__(self, number, window):
        self.number, self.window = number, window
        self.unsent, self.ends = memoryview(b""), False
        self.body, self.trailers, self.isOver = bytearray(), {}, False
        # grpc-status; the error code of RST_STREAM.
        self.status = self.reset = None


class Link:
    """One connection. `ended(link, stream)` is called when the server has ended a stream."""

    def __init__(self, fleet, port, ended=None, grants=True, stream_window=WINDOW_MAX):
        """`grants`: window is granted as answers come; else never, until `wake`."""
        self.fleet, self.ended, self.grants = fleet, ended, grants
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.decoder = hpack.Decoder()
        self.streams, self.next_number = {}, 1
        self.sending = collections.deque()
        self.output, self.input = bytearray(PREFACE), bytearray()
        self.window, self.peer_stream_window = INITIAL_WINDOW, INITIAL_WINDOW
        self.ungranted, self.goaway, self.isClosed, self.pongs = 0, None, False, 0
        self.wantsWrite = True
        if grants:
            self.output += frame(SETTINGS, 0, 0, struct.pack(">HI", 4, stream_window))
            self.output += frame(WINDOW_UPDATE, 0, 0,
                                 struct.pack(">I", WINDOW_MAX - INITIAL_WINDOW))
        else:
            self.output += frame(SETTINGS, 0, 0)
        fleet.selector.register(self.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, self)

    # MARK: Saying

    def open(self, method, timeout="10S"):
        stream = Stream(self.next_number, self.peer_stream_window)
        self.next_number += 2
        self.streams[stream.number] = stream
        self.output += frame(HEADERS, END_HEADERS, stream.number, header_block(method, timeout))
        self.want_write()
        return stream

    def send(self, stream, data, ends=True):
        """Queues bytes of a stream that has none queued."""
        assert not stream.unsent, "one piece at a time"
        stream.unsent, stream.ends = memoryview(data), ends
        self.sending.append(stream)
        self.want_write()

    def call(self, method, payload, timeout="10S"):
        stream = self.open(method, timeout)
        self.send(stream, message(payload))
        return stream

    def reset(self, stream):
        """The server is told that nobody wants it any more."""
        self.output += frame(RST_STREAM, 0, stream.number, struct.pack(">I", 8))
        stream.isOver = True
        self.streams.pop(stream.number, None)
        self.want_write()

    def ping(self):
        self.output += frame(PING, 0, 0, b"crescend")
        self.want_write()

    def wake(self):
        """From now on everything is read: windows are as large as they can be."""
        self.grants = True
        self.output += frame(SETTINGS, 0, 0, struct.pack(">HI", 4, WINDOW_MAX))
        self.output += frame(WINDOW_UPDATE, 0, 0,
                             struct.pack(">I", WINDOW_MAX - INITIAL_WINDOW))
        self.want_write()

    def want_write(self):
        if not self.wantsWrite and not self.isClosed:
            self.wantsWrite = True
            self.fleet.selector.modify(
                self.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, self)

    def fill(self):
        """DATA of waiting streams, in turn, as far as the server's windows allow."""
        stuck = 0
        while self.sending and len(self.output) < OUTPUT_BYTES and stuck < len(self.sending):
            stream = self.sending.popleft()
            if stream.isOver:
                continue
            room = min(len(stream.unsent), FRAME_BYTES, self.window, stream.window)
            if room <= 0 and len(stream.unsent):
                self.sending.append(stream)
                stuck += 1
                continue
            stuck = 0
            ends = stream.ends and room == len(stream.unsent)
            self.output += frame(DATA, END_STREAM if ends else 0, stream.number,
                                 bytes(stream.unsent[:room]))
            stream.unsent = stream.unsent[room:]
            self.window -= room
            stream.window -= room
            if len(stream.unsent):
                self.sending.append(stream)

    def write(self):
        self.fill()
        try:
            while self.output:
                sent = self.socket.send(self.output)
                del self.output[:sent]
                self.fill()
        except BlockingIOError:
            return
        except OSError:
            return self.close()
        self.wantsWrite = False
        self.fleet.selector.modify(self.socket, selectors.EVENT_READ, self)

    # MARK: Hearing

    def read(self):
        try:
            data = self.socket.recv(1 << 20)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            return self.close()
        self.input += data
        at = 0
        while len(self.input) - at >= 9:
            high, low, kind, flags, number = struct.unpack_from(">BHBBI", self.input, at)
            end = at + 9 + (high << 16 | low)
            if end > len(self.input):
                break
            self.take(kind, flags, number, bytes(self.input[at + 9:end]))
            at = end
        del self.input[:at]
        if self.grants and self.ungranted > 1 << 20:
            self.output += frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", self.ungranted))
            self.ungranted = 0
            self.want_write()

    def take(self, kind, flags, number, payload):
        stream = self.streams.get(number)
        if kind == HEADERS:
            assert flags & END_HEADERS, "the server's headers are short"
            fields = dict(self.decoder.decode(payload))
            if stream is not None and "grpc-status" in fields:
                stream.status, stream.trailers = int(fields["grpc-status"]), fields
        elif kind == DATA:
            self.ungranted += len(payload)
            if stream is not None:
                stream.body += payload
        elif kind == RST_STREAM and stream is not None:
            stream.reset, = struct.unpack(">I", payload)
            self.end(stream)
        elif kind == WINDOW_UPDATE:
            increment, = struct.unpack(">I", payload)
            if number == 0:
                self.window += increment
            elif stream is not None:
                stream.window += increment
            self.want_write()
        elif kind == SETTINGS and not flags & ACK:
            for at in range(0, len(payload), 6):
                name, value = struct.unpack_from(">HI", payload, at)
                if name == 4:
                    for one in self.streams.values():
                        one.window += value - self.peer_stream_window
                    self.peer_stream_window = value
            self.output += frame(SETTINGS, ACK, 0)
            self.want_write()
        elif kind == PING and flags & ACK:
            self.pongs += 1
        elif kind == GOAWAY:
            self.goaway = payload
        if kind in (HEADERS, DATA) and flags & END_STREAM and stream is not None:
            self.end(stream)

    def end(self, stream):
        if stream.isOver:
            return
        stream.isOver = True
        del self.streams[stream.number]
        if self.ended:
            self.ended(self, stream)

    def close(self):
        if self.isClosed:
            return
        self.isClosed = True
        self.fleet.selector.unregister(self.socket)
        self.socket.close()


class Fleet:
    """All connections of a measurement, turned by one thread."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.links = []

    def open(self, port, **options):
        link = Link(self, port, **options)
        self.links.append(link)
        return link

    def turn(self, seconds=0.05):
        """Waits at most so long for sockets, and serves them; whether anything was ready."""
        ready = self.selector.select(seconds)
        for key, events in ready:
            if events & selectors.EVENT_WRITE:
                key.data.write()
            if events & selectors.EVENT_READ and not key.data.isClosed:
                key.data.read()
        return bool(ready)

    def turn_until(self, reached, seconds, what):
        """Serves sockets until `reached()`."""
        end = time.monotonic() + seconds
        while not reached():
            if time.monotonic() > end:
                raise SystemExit(f"{what}: not within {seconds} s")
            self.turn()

    def close(self):
        for link in self.links:
            link.close()
        self.selector.close()
