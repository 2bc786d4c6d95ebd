"""The Python client of tools/client/session.py, written from proto/SESSION.md alone, and the
server: answers as over gRPC, every call ends once, credit adds up, a stop loses nothing.
"""

import random
import signal
import socket
import struct
import subprocess
import sys

import pytest

import batches
import heavy
import process
from python_session import (CHECK, MANY, PATIENCE, SCORE, STREAM, WATCH, client, is_whole,
                            options_of, served, session, size_of)  # noqa: F401


@pytest.fixture
def drawn(stubs, small, seed):
    made = batches.Batches(stubs, small, seed, fixed_time=True)
    return [made.draw(size) for size in (0, 1, 7, 64, 500, 1_000, 1, 3)]


def columns(parts):
    """What is said of each position, over all parts of a streamed answer."""
    found = {}
    for part in parts:
        for at, position in enumerate(part.positions):
            assert position not in found, "a position came twice"
            found[position] = struct.pack("<fd", part.part.scores[at], part.part.raw_scores[at])
    return found


def test_answers_are_those_of_grpc(session, served, connect, stubs, generated, drawn):
    grpc = connect(served)

    def same(kind, data):
        """A message's bytes in one order: the server writes its fields in an order of its own."""
        return kind.FromString(data).SerializeToString(deterministic=True)

    for request in drawn:
        data = request.SerializeToString()
        wanted = grpc.score(request)
        reply = session.call(SCORE, data, **options_of(request))
        assert same(stubs.ScoreResponse, reply.message) == wanted.SerializeToString(
            deterministic=True), request
        assert reply.timing.pushback_ms is None
        parts = list(session.stream(STREAM, data, **options_of(request)))
        assert columns(map(stubs.StreamScoresResponse.FromString, parts)) == columns(
            grpc.scores.StreamScores(request, timeout=PATIENCE))
    items = [stubs.ScoreManyRequest(sequence=at, request=request)
             for at, request in enumerate(drawn)]
    call = session.converse(MANY, items[0].SerializeToString(), **options_of(items[0].request))
    for item in items[1:]:
        call.send(item.SerializeToString(), size_of(item.request))
    call.half_close()
    got = sorted(call, key=lambda one: stubs.ScoreManyResponse.FromString(one).sequence)
    wanted = sorted(grpc.scores.ScoreMany(iter(items), timeout=PATIENCE),
                    key=lambda one: one.sequence)
    assert [same(stubs.ScoreManyResponse, one) for one in got] == [
        one.SerializeToString(deterministic=True) for one in wanted]
    serving = generated.health.HealthCheckResponse(status=1).SerializeToString()
    assert session.call(CHECK, b"", timeout=PATIENCE).message == serving
    watch = session.stream(WATCH, b"")
    assert next(iter(watch)) == serving
    assert watch.cancel() and not watch.cancel()
    with pytest.raises(client.CallError, match="CANCELLED"):
        watch.result()


def test_waits_for_credit(session, stubs, small):
    """Four times the credit at once: the balance is below 0 by one call at most."""
    ids = ([int(key) for key in small.items.ids] * 200)[:10_000]
    request = stubs.ScoreRequest(item_ids=ids, min_fidelity=stubs.FIDELITY_PRIOR)
    data, credit, low = request.SerializeToString(), session.balance, []
    calls = []
    for _ in range(26):  # no answer is read in between
        calls.append(session.start(SCORE, data, **options_of(request)))
        low.append(session.balance)
    assert -len(ids) < min(low) <= 0 < credit < 26 * len(ids), low
    codes = [call.exception().name if call.exception() else "OK" for call in calls]
    assert set(codes) <= {"OK", "RESOURCE_EXHAUSTED"} and "OK" in codes, codes
    is_whole(session, credit)


class Storm:
    """Calls of all kinds, many in flight; some are cancelled, some have no time."""

    def __init__(self, session, stubs, ids, seed):
        self.session, self.stubs, self.dice = session, stubs, random.Random(seed)
        self.ids, self.calls, self.ends = ids, [], []

    def request(self):
        ids = self.dice.choices(self.ids, k=self.dice.choice((0, 1, 20, 300, 3_000)))
        return self.stubs.ScoreRequest(item_ids=ids)

    def begin(self):
        request, dice = self.request(), self.dice
        options = options_of(request, timeout=dice.choice((0.0005, 0.002, 0.01, PATIENCE)))
        kind = dice.choice((SCORE, SCORE, STREAM, MANY))
        if kind == SCORE:
            return self.session.start(SCORE, request.SerializeToString(), **options)
        if kind == STREAM:
            return self.session.stream(STREAM, request.SerializeToString(), **options)
        item = self.stubs.ScoreManyRequest(request=request).SerializeToString()
        call = self.session.converse(MANY, item, **options)
        try:
            for _ in range(dice.randrange(3)):
                call.send(item, size_of(request))
        except client.CallError:
            pass  # it has ended meanwhile: its end is looked at with all others
        call.half_close()
        return call

    def step(self):
        call = self.begin()
        call.add_done_callback(self.ends.append)
        self.calls.append(call)
        if self.dice.random() < 0.3:
            self.dice.choice(self.calls[-40:]).cancel()
        self.session.pump(seconds=self.dice.choice((0, 0, 0.001)))


def test_storm(start, stubs, tmp_path, seed):
    costly = heavy.snapshot(tmp_path / "costly", seed, copies=heavy.copies(20))
    server = start(costly, "--loops", 2, "--shards", 2)
    ids = [int(key) for key in costly.items.ids]
    with client.Session.connect(server.target) as session:
        credit, storm = session.balance, Storm(session, stubs, ids, seed)
        for _ in range(1_500):
            storm.step()
        is_whole(session, credit)
        found = [call.exception(timeout=PATIENCE) for call in storm.calls]
        assert len(storm.ends) == len(set(storm.ends)) == len(storm.calls) == 1_500, seed
        rows = {(one.name, one.row) if one else ("OK", "L2") for one in found}
        assert rows <= {("OK", "L2"), ("CANCELLED", "L5"), ("DEADLINE_EXCEEDED", "L4"),
                        ("DEADLINE_EXCEEDED", "L2"), ("RESOURCE_EXHAUSTED", "L2")}, (seed, rows)
        assert {("OK", "L2"), ("CANCELLED", "L5")} < rows, (seed, rows)
        assert session.call(CHECK, b"", timeout=PATIENCE).message
    assert session.is_clean


def test_stop_under_load(small, stubs, start):
    """Each call is answered, or was not started and is answered by another server."""
    server = process.Server(small.folder, "--loops", 2)
    request = stubs.ScoreRequest(item_ids=[int(key) for key in small.items.ids[:20]])
    request.context.time_unix_ms, request.request_id = 1, "r"
    data = request.SerializeToString()
    session = client.Session.connect(server.target, max_waiting=1 << 30)
    wanted = session.call(SCORE, data, **options_of(request)).message
    calls = []
    try:
        while session.state == "open":
            calls.append(session.start(SCORE, data, **options_of(request)))
            session.pump(seconds=0)
            if len(calls) == 300:
                server.process.send_signal(signal.SIGTERM)
        session.close()
        assert len(calls) >= 300 and session.has_drain and session.is_clean, session.state
        failures = [call.exception() for call in calls if call.exception()]
        assert {one.row for one in failures} <= {"L1"}, {str(one) for one in failures}
        assert all(call.result().message == wanted for call in calls if not call.exception())
        assert server.process.wait(timeout=PATIENCE) == 0, server.story()
        with client.Session.connect(start(small, "--loops", 2).target) as other:
            for call in [call for call in calls if call.exception()]:
                assert other.call(SCORE, data, **options_of(request)).message == wanted
        with pytest.raises(client.CallError, match="L1"):
            session.call(SCORE, data)
    finally:
        server.kill()


def test_calls_above_drain(small, stubs):
    """Calls that cross the server's DRAIN on the way are the L1s; those before it are answered."""
    server = process.Server(small.folder, "--loops", 2)
    request = stubs.ScoreRequest(item_ids=[int(key) for key in small.items.ids[:20]])
    data, drain = request.SerializeToString(), struct.pack("<IBBHI", 0, client.DRAIN, 0, 0, 1)
    try:
        session = client.Session.connect(server.target)
        assert session.call(SCORE, data, **options_of(request)).message
        server.process.send_signal(signal.SIGTERM)
        session.http.socket.settimeout(PATIENCE)
        while drain not in session.http.socket.recv(1 << 18, socket.MSG_PEEK):
            pass  # it is there, and the client has not read it
        calls = [session.start(SCORE, data, **options_of(request)) for _ in range(20)]
        for call in calls:
            error = call.exception(timeout=PATIENCE)
            assert (error.name, error.row) == ("UNAVAILABLE", "L1"), error
        session.close()
        assert session.highest == 21 and session.has_drain and session.is_clean
        assert server.process.wait(timeout=PATIENCE) == 0, server.story()
    finally:
        server.kill()


def test_heartbeat(served, monkeypatch):
    """Of both ends' own accord; a silent server would be found out, and this one is not silent."""
    seen, take = [], client.Session._take

    def watched(self, kind, flags, *rest):
        seen.append((kind, flags))
        take(self, kind, flags, *rest)

    monkeypatch.setattr(client.Session, "_take", watched)
    with client.Session.connect(served.target, heartbeat=0.02) as session:
        assert session.pump(lambda: seen.count((client.PING, 1)) >= 10, PATIENCE), seen
        assert session.state == "open"
        session._frame(client.PING, b"abcdefgh", flags=1)  # an answer to nothing
        assert session.call(CHECK, b"", timeout=PATIENCE).message
    assert session.is_clean


def test_example(served, small):
    """What the clients' document says: with another address and other items it works."""
    ids = [str(int(key)) for key in small.items.ids[:3]]
    text = (process.ROOT / "tools/client/README.md").read_text()
    program = text.split("```python\n")[1].split("```")[0]
    for said, wanted in (("127.0.0.1:7001", served.target), ("101, 102", ", ".join(ids)),
                         ("work=2", f"work={len(ids)}")):
        assert said in program
        program = program.replace(said, wanted)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                          timeout=60, cwd=process.ROOT / "tools/client")
    assert done.returncode == 0, done.stderr
    scores, timing = done.stdout.strip().split("]")
    assert len(scores.split(",")) == 3 and "queue_us" in timing, done.stdout


def test_length():
    """Each file of the client is one thing to read."""
    for name in ("session.py", "http2.py"):
        lines = (process.ROOT / "tools/client" / name).read_text().splitlines()
        assert 0 < len(lines) <= 300 and max(map(len, lines)) <= 100, (name, len(lines))
