"""A server of sessions that says what a test tells it to: frames by hand, over h2."""

import socket
import struct
import threading
import time

import h2.config
import h2.connection
import h2.events
import pytest

from python_session import PATIENCE, client

METHODS = {"/a": 1, "/b": 2}
ACCEPTED = [(":status", "200"), ("content-type", "application/x-crescendo-session;v=1")]
RECORD = struct.pack("<IIIiHH", 1, 2, 3, -1 << 31, 0, 0)


def varint(value):
    made = b""
    while value > 127:
        made, value = made + bytes([value & 127 | 128]), value >> 7
    return made + bytes([value])


def hello(credit=100, calls=10, frame_bytes=1 << 20, methods=METHODS, flags=0):
    made = b"".join(bytes([number << 3]) + varint(value) for number, value in (
        (1, frame_bytes), (2, credit), (3, calls), (5, flags)))
    for path, number in methods.items():
        one = b"\x08" + varint(number) + b"\x12" + varint(len(path)) + path.encode()
        made += b"\x22" + varint(len(one)) + one
    return made


def frame(kind, payload=b"", flags=0, code=0, call=0, flip=0):
    head = struct.pack("<IBBHI", len(payload), kind, flags, code, call)
    crc = client.crc32c(head + payload) ^ flip
    return head + struct.pack("<I", crc) + payload


def last(call, message=b"x", keep=0):
    return frame(client.REPLY, message + RECORD, 1 | keep, len(RECORD), call)


def end(call, code=0, record=RECORD, keep=0):
    return frame(client.END, record, keep, code, call)


class Double:
    """Takes one connection. What its client has sent comes from `wait(kind)`, frame by frame;
    meanwhile `session` is served, for it has no thread."""

    def __init__(self, headers=ACCEPTED, greeting=None):
        self.headers, self.greeting = headers, greeting
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.target = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.http = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.lock, self.came = threading.Lock(), threading.Condition()
        self.frames, self.input, self.events, self.socket = [], b"", [], None
        self.checksums, self.session = [], None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        self.listener.settimeout(PATIENCE)
        self.socket, _ = self.listener.accept()
        self.http.initiate_connection()
        self._flush()
        try:
            while data := self.socket.recv(1 << 16):
                with self.lock:
                    for event in self.http.receive_data(data):
                        self._event(event)
                    self._flush()
        except OSError:
            pass
        self.socket.close()

    def _event(self, event):
        with self.came:
            if isinstance(event, h2.events.RequestReceived):
                self.http.send_headers(1, self.headers, end_stream=self.greeting == b"")
                if self.greeting:
                    self.http.send_data(1, self.greeting)
            elif isinstance(event, h2.events.DataReceived):
                self.input += event.data
                self.http.acknowledge_received_data(event.flow_controlled_length, 1)
                while len(self.input) >= 16 + (size := int.from_bytes(self.input[:4], "little")):
                    _, kind, flags, code, call, crc = struct.unpack("<IBBHII", self.input[:16])
                    self.checksums.append(crc)
                    self.frames.append((kind, flags, code, call, self.input[16:16 + size]))
                    self.input = self.input[16 + size:]
            self.events.append(event)
            self.came.notify_all()

    def _flush(self):
        try:
            self.socket.sendall(self.http.data_to_send())
        except OSError:
            pass

    def say(self, *which):
        with self.lock:
            self.http.send_data(1, b"".join(which))
            self._flush()

    def finish(self, status="0"):
        with self.lock:
            self.http.send_headers(1, [("grpc-status", status)], end_stream=True)
            self._flush()

    def reset(self, code):
        with self.lock:
            self.http.reset_stream(1, code)
            self._flush()

    def goaway(self, stream):
        with self.lock:
            self.socket.sendall(struct.pack(">IBIII", 8 << 8 | 7, 0, 0, stream, 0))

    def wait(self, kind, count=1):
        """The frames of that kind, when there are as many."""
        return self._until(lambda: [one for one in self.frames if one[0] == kind], count)

    def wait_event(self, kind):
        return self._until(lambda: [one for one in self.events if isinstance(one, kind)], 1)[0]

    def _until(self, found, count):
        limit = time.monotonic() + PATIENCE
        while True:
            with self.came:
                if self.came.wait_for(lambda: len(found()) >= count, 0.005):
                    return found()
                assert time.monotonic() < limit, (self.frames, self.events)
            if self.session:
                self.session.pump(seconds=0.005)

    def close(self):
        self.listener.close()
        if self.socket:
            try:
                self.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.socket.close()


@pytest.fixture
def double():
    made = []

    def begin(*arguments, **options):
        made.append(Double(*arguments, **options))
        return made[-1]

    yield begin
    for one in made:
        one.close()


@pytest.fixture
def opened(double):
    """A double that has said HELLO, and the session with it."""
    def begin(checksums=True, **options):
        made = double(greeting=frame(client.HELLO, hello(**options), code=1))
        made.session = client.Session.connect(made.target, checksums=checksums)
        return made, made.session
    return begin
