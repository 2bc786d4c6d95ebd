"""A gRPC server that misbehaves as a test tells it to: raw HTTP/2 frames, one script a call.

A script is a sequence of steps; a step is a function of the call. `Double.opening` is the script
of a new connection, `Double.script(n)` that of the call with number n, counted over connections.
"""

import select
import socket
import struct
import threading

import hpack
from hyperframe import frame as frames

import protobytes
from wire import PREFACE, message

PATIENCE = 30
GRPC = "application/grpc"
# What the two commands take as an answer: scores of two items from the whole model; SERVING.
GOOD = {"/crescendo.v1.PromotionScoreService/Score":
        protobytes.packed_floats(3, [0.5, 0.25]) + protobytes.number(5, 4),
        "/grpc.health.v1.Health/Check": protobytes.number(1, 1)}


class Call:
    """One request as it came. Stream 0: the opening of a connection."""

    def __init__(self, peer, stream, headers=()):
        self.peer, self.stream, self.headers = peer, stream, dict(headers)
        self.received = 0        # bytes of the request's body
        self.reset = None        # code of the client's RST_STREAM

    @property
    def good(self):
        return message(GOOD[self.headers[":path"]])


def head(*extra, status="200", content=GRPC, end=False):
    """The first block of an answer; a status of None leaves it out."""
    fields = [(":status", status), ("content-type", content)]
    fields = [field for field in fields if field[1] is not None] + list(extra)
    return block(*fields, end=end)


def block(*fields, end=False):
    return lambda call: call.peer.headers(call.stream, fields, end)


def trailers(*fields, end=True):
    return block(*fields, end=end)


def only(*fields, **options):
    """Trailers-Only."""
    return head(*fields, end=True, **options)


def data(payload, *, end=False):
    return lambda call: call.peer.data(call.stream, payload, end)


def good(call):
    """The whole message of an answer."""
    call.peer.data(call.stream, call.good, False)


def half(call):
    """Prefix and first byte of the message of an answer."""
    call.peer.data(call.stream, call.good[:6], False)


def reset(code):
    def step(call):
        made = frames.RstStreamFrame(call.stream)
        made.error_code = code
        call.peer.send(made)
    return step


def goaway(offset=0, code=0, *, last=None):
    """The last stream is so much above this call's, or the one that is named."""
    return lambda call: call.peer.send(frames.GoAwayFrame(
        0, max(0, call.stream + offset) if last is None else last, code))


def settings(**values):
    """SETTINGS: `MAX_CONCURRENT_STREAMS=1`."""
    def step(call):
        made = frames.SettingsFrame(0)
        made.settings = {getattr(frames.SettingsFrame, name): value
                         for name, value in values.items()}
        call.peer.send(made)
    return step


def raw(payload):
    return lambda call: call.peer.write(payload)


def frame(kind, payload=b"", flags=0, *, stream=None, length=None):
    """A frame that no library would make."""
    def step(call):
        size = len(payload) if length is None else length
        number = call.stream if stream is None else stream
        call.peer.write(struct.pack(">IBI", size << 8 | kind, flags, number) + payload)
    return step


def close(call):
    """The end of what this side says; what the client still says is read."""
    call.peer.socket.shutdown(socket.SHUT_WR)


def abort(call):
    """A TCP reset."""
    call.peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    call.peer.socket.close()


def repeat(step, seconds=0):
    """Again and again, until the client resets the call or is gone."""
    def steps(call):
        while call.reset is None:
            step(call)
            while select.select([call.peer.socket], [], [], seconds)[0]:
                if not call.peer.pump():
                    return
                if call.reset is not None:
                    return
    return steps


class Peer(threading.Thread):
    """One connection."""

    def __init__(self, double, connection):
        super().__init__(daemon=True)
        self.double, self.socket, self.input = double, connection, b""
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.calls, self.open, self.window, self.stream_window = {}, set(), 65_535, 65_535
        self.windows, self.has_preface = {}, False

    def run(self):
        try:
            self.play(Call(self, 0), self.double.opening)
            while self.pump():
                pass
        except TimeoutError:
            self.double.faults.append(f"a client said nothing for {PATIENCE} s")
        except OSError:
            pass                 # the client is gone, or a step has closed the socket
        except Exception as error:
            self.double.faults.append(repr(error))
        finally:
            self.socket.close()

    def play(self, call, steps):
        for step in steps:
            step(call)

    def pump(self):
        """Reads once and takes what came. False at the end of the connection."""
        got = self.socket.recv(1 << 16)
        if not got:
            return False
        self.input += got
        if not self.has_preface and len(self.input) >= len(PREFACE):
            assert self.input.startswith(PREFACE), self.input[:40]
            self.input, self.has_preface = self.input[len(PREFACE):], True
        while self.has_preface and len(self.input) >= 9:
            made, length = frames.Frame.parse_frame_header(memoryview(self.input[:9]))
            if len(self.input) < 9 + length:
                break
            made.parse_body(memoryview(self.input[9:9 + length]))
            self.input = self.input[9 + length:]
            self.take(made)
        return True

    def take(self, made):
        call = self.calls.get(made.stream_id)
        if isinstance(made, frames.HeadersFrame):
            call = self.calls[made.stream_id] = Call(
                self, made.stream_id, self.decoder.decode(made.data))
            self.windows[made.stream_id] = self.stream_window
            if self.double.is_early:
                return self.play(call, self.double.next(call))
        elif isinstance(made, frames.DataFrame):
            call.received += len(made.data)
            for number in (0, made.stream_id) if self.double.gives_window else ():
                if made.data:
                    self.send(frames.WindowUpdateFrame(number, len(made.data)))
        elif isinstance(made, frames.RstStreamFrame):
            call.reset = made.error_code
        elif isinstance(made, frames.WindowUpdateFrame):
            if made.stream_id:
                self.windows[made.stream_id] += made.window_increment
            else:
                self.window += made.window_increment
        elif isinstance(made, frames.SettingsFrame) and "ACK" not in made.flags:
            self.stream_window = made.settings.get(
                frames.SettingsFrame.INITIAL_WINDOW_SIZE, self.stream_window)
            if self.double.opening:
                self.send(frames.SettingsFrame(0, flags=["ACK"]))
        if "END_STREAM" in made.flags and not self.double.is_early:
            self.play(call, self.double.next(call))

    def send(self, *which):
        self.write(b"".join(one.serialize() for one in which))

    def write(self, payload):
        """A client that is gone does not end the reading: its last frames may lie there."""
        try:
            self.socket.sendall(payload)
        except ConnectionError:
            pass

    def headers(self, stream, fields, end):
        encoded = self.encoder.encode(fields)
        pieces = [encoded[at:at + 16_000] for at in range(0, len(encoded), 16_000)] or [b""]
        made = [frames.HeadersFrame(stream, pieces[0], flags=["END_STREAM"] if end else [])]
        made += [frames.ContinuationFrame(stream, piece) for piece in pieces[1:]]
        made[-1].flags.add("END_HEADERS")
        self.send(*made)

    def data(self, stream, payload, end):
        """Within the client's windows."""
        while True:
            room = min(self.window, self.windows[stream], 16_000)
            while payload and room <= 0:
                if self.calls[stream].reset is not None or not self.pump():
                    return
                room = min(self.window, self.windows[stream], 16_000)
            piece, payload = payload[:room], payload[room:]
            self.window -= len(piece)
            self.windows[stream] -= len(piece)
            self.send(frames.DataFrame(
                stream, piece, flags=["END_STREAM"] if end and not payload else []))
            if not payload:
                return


class Double:
    """Listens. One test at a time sets it up by `begin` and looks at its calls by `rest`."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.target = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.lock, self.peers, self.calls, self.faults = threading.Condition(), [], [], []
        self.begin(())
        threading.Thread(target=self._accept, daemon=True).start()

    def begin(self, script, *, opening=(settings(),), is_early=False, gives_window=True):
        """`script`: steps for every call, or a function of the call's number. `is_early`: they are
        taken when a request's headers have come, not its end."""
        self.script = script if callable(script) else lambda _: script
        self.opening, self.is_early, self.gives_window = opening, is_early, gives_window
        self.calls, self.faults = [], []

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.settimeout(PATIENCE)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.peers.append(Peer(self, connection))
                self.peers[-1].start()
                self.lock.notify_all()

    def next(self, call):
        with self.lock:
            self.calls.append(call)
            number = len(self.calls) - 1
        return self.script(number)

    def rest(self):
        """The calls that came, once every client is gone; there was one at least."""
        with self.lock:
            assert self.lock.wait_for(lambda: self.peers, PATIENCE), "nobody has connected"
            peers, self.peers = self.peers, []
        for peer in peers:
            peer.join(PATIENCE)
            assert not peer.is_alive(), "a connection of the double is still open"
        assert not self.faults, self.faults
        return self.calls

    def close(self):
        self.listener.close()
