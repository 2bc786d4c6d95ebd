"""One HTTP/2 request on a connection of its own, and the thread that serves it. proto/SESSION.md
§2, §12 and §14 as far as they are HTTP/2's matter."""
import select
import socket
import threading
import time

import h2.config
import h2.connection
import h2.events
import h2.exceptions

LAST_STREAM = (1 << 31) - 1
LINGER = 1


class Link:
    """Below a session. `lock` is held in every method with an underscore. The session has
    `_tick(now)`, which says when it wants to be called next, and takes what comes:
    `_headers`, `_data`, `_trailers`, `_goaway`, `_close`."""

    def __init__(self, target, headers, timeout):
        host, _, port = target.rpartition(":")
        self.socket = socket.create_connection((host.strip("[]"), int(port)), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.alarm, self.bell = socket.socketpair()
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.thread = threading.Thread(target=self._work, daemon=True, name="session")
        # As they came; DATA that waits for a window; bytes that wait for the socket.
        self.raw, self.outbox, self.output = bytearray(), bytearray(), bytearray()
        self.wants_end = self.is_over = self.is_closed = False
        self.wake_at = 0
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.http.initiate_connection()
        self.http.increment_flow_control_window(4 << 20)
        self.http.send_headers(1, headers)
        self.http.increment_flow_control_window(1 << 20, 1)

    def _flush(self):
        """As much as windows and the socket take; the rest goes on the session's thread."""
        room = 1
        while self.outbox and room and not self.is_over:
            room = max(0, min(len(self.outbox), self.http.local_flow_control_window(1),
                              self.http.max_outbound_frame_size))
            if room:
                self.http.send_data(1, bytes(self.outbox[:room]))
                del self.outbox[:room]
        if self.wants_end and not self.outbox and not self.is_over:
            self.http.end_stream(1)
            self.is_over = True
        self.output += self.http.data_to_send()
        try:
            while self.output:
                del self.output[:self.socket.send(self.output)]
        except BlockingIOError:
            self._wake()
        except OSError:
            self.output.clear()  # what has come is still read; then the thread sees the end

    def _wake(self):
        if threading.current_thread() is not self.thread and not self.is_closed:
            self.bell.send(b"!")

    def _leave(self):
        """Ends the stream at once, and the thread with it."""
        try:
            self.http.reset_stream(1, 8)  # CANCEL
        except h2.exceptions.ProtocolError:
            pass  # it has ended
        self.is_over = self.is_closed = True
        self._flush()

    def _work(self):
        try:
            self._run()
        except Exception as error:  # a defect here: nobody may wait for ever
            with self.lock:
                self._close(f"the client has failed: {error!r}")
            raise
        finally:
            for one in (self.socket, self.alarm, self.bell):
                one.close()

    def _run(self):
        poll = select.poll()
        poll.register(self.alarm, select.POLLIN)
        while True:
            with self.lock:
                self._flush()
                self.wake_at = self._tick(time.monotonic())
                self._flush()
                if self.is_closed:
                    break
                poll.register(self.socket, select.POLLIN | bool(self.output) * select.POLLOUT)
                seconds = max(0, self.wake_at - time.monotonic())
            for ready, _ in poll.poll(seconds * 1_000):
                if ready == self.alarm.fileno():
                    self.alarm.recv(4_096)
            with self.lock:
                try:
                    self._read()
                except BlockingIOError:
                    pass
                except (OSError, h2.exceptions.ProtocolError) as error:
                    self._close(f"the connection is gone: {error}")
        try:  # what went out last must not be lost to what came last
            self.socket.settimeout(LINGER)
            self.socket.shutdown(socket.SHUT_WR)
            while self.socket.recv(1 << 18):
                pass
        except OSError:
            pass

    def _read(self):
        data = self.socket.recv(1 << 18)
        if not data:
            self._close("the connection is gone")
        # A GOAWAY does not get to h2, which takes it for the end of all sending (§12: it is not).
        self.raw += data
        while len(self.raw) >= 9 + (length := int.from_bytes(self.raw[:3], "big")):
            frame = bytes(self.raw[:9 + length])
            del self.raw[:9 + length]
            if frame[3] == 7:
                self._goaway(int.from_bytes(frame[9:13], "big") & LAST_STREAM)
            else:
                for event in self.http.receive_data(frame):
                    self._event(event)

    def _event(self, event):
        if isinstance(event, h2.events.ResponseReceived):
            self._headers(dict(event.headers))
        elif isinstance(event, h2.events.DataReceived):
            # Backpressure is credit, never the window (§14).
            self.http.acknowledge_received_data(event.flow_controlled_length, 1)
            self._data(event.data)
        elif isinstance(event, h2.events.TrailersReceived):
            self._trailers(dict(event.headers))
        elif isinstance(event, h2.events.StreamEnded):
            self._close("the server ended the stream")
        elif isinstance(event, h2.events.StreamReset):
            is_refused = event.error_code == 7
            self._close(f"the stream was reset ({event.error_code})", "L1" if is_refused else "L3")
