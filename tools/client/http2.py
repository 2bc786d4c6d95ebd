"""One HTTP/2 request whose body goes both ways at once, on a connection of its own: nothing of it
knows of sessions. No thread, and nothing waits but `receive`."""
import contextlib
import socket
import time

from h2 import config, connection, events, exceptions

# Windows that this end gives, in bytes: of the connection, of the stream. Seconds for the last.
WINDOWS, LINGER = (1 << 20, 1 << 18), 1
# HTTP/2's: the longest frame that this end takes, with its head; the type; the codes.
FRAME_BYTES, GOAWAY, REFUSED_STREAM, CANCEL = 9 + 16_384, 7, 7, 8


class Request:
    """OSError where there is no server within that many seconds."""
    def __init__(self, target, path, media_type, metadata, seconds):
        host, _, port = target.rpartition(":")
        self.socket = socket.create_connection((host.strip("[]"), int(port)), seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # What has come; what is to go: of the body, and of HTTP/2.
        self.input, self.body, self.output = bytearray(), bytearray(), bytearray()
        self.http = connection.H2Connection(config.H2Configuration(header_encoding="utf-8"))
        self.http.initiate_connection()
        self.http.send_headers(1, [
            (":method", "POST"), (":scheme", "http"), (":authority", target), (":path", path),
            ("content-type", media_type), ("te", "trailers"), *metadata])
        self.http.increment_flow_control_window(WINDOWS[0])
        self.http.increment_flow_control_window(WINDOWS[1], 1)

    def waits(self):
        """Whether anything is to go that windows or the socket have not taken."""
        return bool(self.body or self.output)

    def send(self, data=b""):
        """As much as windows and the socket take now, in order. An end of either is for `receive`
        to see."""
        self.body += data
        with contextlib.suppress(OSError, exceptions.ProtocolError):
            while self.body and (room := min(self.http.local_flow_control_window(1),
                                             self.http.max_outbound_frame_size)) > 0:
                self.http.send_data(1, bytes(self.body[:room]))
                del self.body[:room]
            self.output += self.http.data_to_send()
            self.socket.settimeout(0)
            del self.output[:self.socket.send(self.output)]

    def end(self):
        """No more of the body: END_STREAM."""
        self.http.end_stream(1)
        self.send()

    def receive(self, seconds):
        """What comes within that time, in order, as pairs. `headers` and `trailers`: as a dict;
        `data`: bytes; `goaway`: the connection is to end behind this request. Last comes why it
        has ended: `unseen`, if the server has not begun with it, or else `gone`."""
        try:
            self.socket.settimeout(seconds)
            self.input += (data := self.socket.recv(1 << 18))
        except (BlockingIOError, TimeoutError):
            return
        except OSError:
            data = b""
        while len(self.input) >= (size := 9 + int.from_bytes(self.input[:3], "big")):
            frame = bytes(self.input[:size])
            del self.input[:size]
            yield from self._frame(frame)
        if len(self.input) > FRAME_BYTES:
            yield "gone", "an HTTP/2 frame is too long"
        if not data:
            yield "gone", "the connection is gone"

    def _frame(self, frame):
        # h2 takes GOAWAY for the end of everything, but the request goes on.
        if frame[3] == GOAWAY:
            is_seen = any(frame[9:13])
            yield ("goaway", None) if is_seen else ("unseen", "the server has not seen the request")
            return
        try:
            found = self.http.receive_data(frame)
        except exceptions.ProtocolError as error:
            yield "gone", repr(error)
            return
        for event in found:
            match event:
                case events.DataReceived(data=data, flow_controlled_length=size):
                    self.http.acknowledge_received_data(size, 1)
                    yield "data", data
                case events.ResponseReceived(headers=headers):
                    yield "headers", dict(headers)
                case events.TrailersReceived(headers=headers):
                    yield "trailers", dict(headers)
                case events.StreamEnded():
                    yield "gone", "the server ended the stream"
                case events.StreamReset(error_code=code):
                    kind = "unseen" if code == REFUSED_STREAM else "gone"
                    yield kind, f"the stream was reset ({int(code)})"

    def close(self):
        """RST_STREAM(CANCEL) behind what has gone, unless both ends have ended."""
        end = time.monotonic() + LINGER
        with contextlib.suppress(OSError, exceptions.ProtocolError):
            self.http.reset_stream(1, CANCEL)
            self.socket.settimeout(LINGER)
            self.socket.sendall(self.output + self.http.data_to_send())
            self.socket.shutdown(socket.SHUT_WR)
            while self.socket.recv(1 << 18) and time.monotonic() < end:
                pass  # what came must not undo what went
        self.socket.close()
