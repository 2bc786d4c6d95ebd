"""A client that can say what no proper client says: HTTP/2 frames by hand, on one socket."""

import socket
import struct
import time
import urllib.parse

import hpack
from hyperframe import frame as frames

import process

SCORE = "/crescendo.v1.PromotionScoreService/Score"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
STATUS = ["OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
          "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
          "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
          "UNAUTHENTICATED"]


def message(payload, flag=0, length=None):
    """gRPC's length-prefixed message."""
    return struct.pack(">BI", flag, len(payload) if length is None else length) + payload


def request_headers(path=SCORE, *, replace=None, extra=()):
    """Headers of a good call. `replace`: name → value, or None to leave the header out."""
    fields = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "localhost",
              "te": "trailers", "content-type": "application/grpc", "user-agent": "raw/1"}
    fields.update(replace or {})
    return [(name, value) for name, value in fields.items() if value is not None] + list(extra)


class Answer:
    """What came back on one stream."""

    def __init__(self):
        self.headers = []      # one dictionary for each HEADERS frame
        self.body = b""
        self.ended = False
        self.reset = None      # error code of RST_STREAM

    @property
    def http_status(self):
        return self.headers[0].get(":status") if self.headers else None

    @property
    def trailers(self):
        return self.headers[-1] if self.headers else {}

    @property
    def code(self):
        value = self.trailers.get("grpc-status")
        return None if value is None else STATUS[int(value)]

    @property
    def text(self):
        return urllib.parse.unquote(self.trailers.get("grpc-message", ""))

    @property
    def message(self):
        assert len(self.body) >= 5, f"no message in {self}"
        flag, length = struct.unpack(">BI", self.body[:5])
        assert flag == 0 and len(self.body) == 5 + length, f"not one whole message in {self}"
        return self.body[5:]

    def __repr__(self):
        return (f"<answer headers={self.headers} body={len(self.body)} bytes ended={self.ended} "
                f"reset={self.reset} text={self.text!r}>")


class Connection:
    """One connection. Frames that arrive are sorted into `answers`, `goaway`, `pongs`."""

    def __init__(self, port, host="127.0.0.1", timeout_seconds=process.patience(20)):
        self.socket = socket.create_connection((host, port), timeout=timeout_seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.timeout_seconds = timeout_seconds
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.answers, self.goaway, self.pongs, self.closed = {}, None, 0, False
        self.next_stream, self.connection_window, self.stream_window = 1, 65_535, 65_535
        self.windows, self.settings, self._input, self._block = {}, {}, b"", None
        ours = frames.SettingsFrame(0)
        ours.settings = {frames.SettingsFrame.INITIAL_WINDOW_SIZE: (1 << 31) - 1}
        window = frames.WindowUpdateFrame(0)
        window.window_increment = (1 << 31) - 1 - 65_535
        self.send_bytes(PREFACE + ours.serialize() + window.serialize())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send_bytes(self, data):
        self.socket.sendall(data)

    def send(self, *which):
        self.send_bytes(b"".join(one.serialize() for one in which))

    def open(self, headers=None, *, stream=None, end=False):
        """HEADERS on a new stream (or on the one named); the stream's number."""
        if stream is None:
            stream, self.next_stream = self.next_stream, self.next_stream + 2
        block = self.encoder.encode(request_headers() if headers is None else headers)
        pieces = [block[at:at + 16_000] for at in range(0, len(block), 16_000)] or [b""]
        made = [frames.HeadersFrame(stream, pieces[0])]
        made += [frames.ContinuationFrame(stream, piece) for piece in pieces[1:]]
        made[-1].flags.add("END_HEADERS")
        if end:
            made[0].flags.add("END_STREAM")
        self.answers.setdefault(stream, Answer())
        self.windows[stream] = self.stream_window
        self.send(*made)
        return stream

    def data(self, stream, payload, *, end=False, padding=None, obey_windows=True):
        """DATA frames, waiting for the peer's windows. Stops early if the peer ends the stream."""
        view, sent = memoryview(payload), 0
        while True:
            cost = 0 if padding is None else padding + 1
            room = len(view) - sent
            if obey_windows:
                answer = self.answers[stream]
                while min(self.connection_window, self.windows[stream]) <= cost and room:
                    if answer.ended or answer.reset is not None or not self.pump():
                        return
                room = min(room, self.connection_window - cost, self.windows[stream] - cost)
            piece = bytes(view[sent:sent + max(0, min(room, 16_000))])
            sent += len(piece)
            made = frames.DataFrame(stream, piece)
            if padding is not None:
                made.flags.add("PADDED")
                made.pad_length = padding
            if end and sent == len(view):
                made.flags.add("END_STREAM")
            self.connection_window -= len(piece) + cost
            self.windows[stream] = self.windows.get(stream, 0) - len(piece) - cost
            self.send(made)
            if sent == len(view):
                return

    def reset(self, stream, code=8):
        made = frames.RstStreamFrame(stream)
        made.error_code = code
        self.send(made)

    def start(self, payload, headers=None, **options):
        """A whole unary call, sent; its stream."""
        stream = self.open(headers)
        self.data(stream, message(payload), end=True, **options)
        return stream

    def call(self, payload, headers=None, **options):
        return self.wait(self.start(payload, headers, **options))

    def wait(self, stream):
        """Reads until the stream has ended; its answer."""
        answer = self.answers[stream]
        while not answer.ended and answer.reset is None:
            assert self.pump(), f"connection closed while waiting: {answer}, goaway {self.goaway}"
        return answer

    def ping(self):
        """A round trip: everything sent before it has been seen by the server."""
        before, made = self.pongs, frames.PingFrame(0)
        made.opaque_data = b"crescend"
        self.send(made)
        while self.pongs == before:
            assert self.pump(), f"connection closed instead of a PING answer; goaway {self.goaway}"

    def wait_closed(self):
        """Reads until the peer closes; True if it did within the time."""
        limit = time.monotonic() + self.timeout_seconds
        try:
            while self.pump():
                if time.monotonic() > limit:
                    return False
        except AssertionError:
            return False
        return True

    def pump(self):
        """Reads once and sorts what came. False at the end of the connection."""
        try:
            data = self.socket.recv(1 << 18)
        except ConnectionError:
            data = b""
        except TimeoutError:
            raise AssertionError(
                f"nothing came for {self.timeout_seconds} s; open: {self.unfinished()}") from None
        if not data:
            self.closed = True
            return False
        self._input += data
        while len(self._input) >= 9:
            made, length = frames.Frame.parse_frame_header(memoryview(self._input[:9]))
            if len(self._input) < 9 + length:
                break
            made.parse_body(memoryview(self._input[9:9 + length]))
            self._input = self._input[9 + length:]
            self._sort(made)
        return True

    def unfinished(self):
        return {number: answer for number, answer in self.answers.items()
                if not answer.ended and answer.reset is None}

    def _sort(self, made):
        answer = self.answers.setdefault(made.stream_id, Answer()) if made.stream_id else None
        if isinstance(made, (frames.HeadersFrame, frames.ContinuationFrame)):
            if isinstance(made, frames.HeadersFrame):
                self._block = (b"", "END_STREAM" in made.flags)
            self._block = (self._block[0] + made.data, self._block[1])
            if "END_HEADERS" in made.flags:
                answer.headers.append(dict(self.decoder.decode(self._block[0])))
                answer.ended = answer.ended or self._block[1]
        elif isinstance(made, frames.DataFrame):
            answer.body += made.data
            answer.ended = answer.ended or "END_STREAM" in made.flags
        elif isinstance(made, frames.RstStreamFrame):
            if not answer.ended:
                answer.reset = made.error_code
        elif isinstance(made, frames.GoAwayFrame):
            self.goaway = made
        elif isinstance(made, frames.PingFrame):
            if "ACK" in made.flags:
                self.pongs += 1
        elif isinstance(made, frames.WindowUpdateFrame):
            if made.stream_id:
                self.windows[made.stream_id] = (
                    self.windows.get(made.stream_id, self.stream_window) + made.window_increment)
            else:
                self.connection_window += made.window_increment
        elif isinstance(made, frames.SettingsFrame) and "ACK" not in made.flags:
            self.settings.update(made.settings)
            wanted = made.settings.get(frames.SettingsFrame.INITIAL_WINDOW_SIZE, self.stream_window)
            for number in self.windows:
                self.windows[number] += wanted - self.stream_window
            self.stream_window = wanted
            acknowledged = frames.SettingsFrame(0)
            acknowledged.flags.add("ACK")
            self.send(acknowledged)
