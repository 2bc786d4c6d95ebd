"""Readers that do not read: what their calls and connections may hold, and that they recover."""

import itertools
import random

import pytest

import streams
import wire
from scrape import eventually
from streams import MANY, NO_ERROR, STREAM, Narrow, by_sequence, check_item, item, request_of
from test_framing import LIMIT, padded
from test_many import talk

# Limits.connectionOutboundBytes
CONNECTION_BYTES = 16 << 20
# Limits.streamOutboundBytes, Limits.streamItems, Limits.streamWindowBytes
OUTBOUND, ITEMS, WINDOW = 256 << 10, 64, 256 << 10
# Candidates of an item.
CANDIDATES = 100 if streams.SANITIZED else 500
# More items than are answered before somebody reads, and with them no more than the window holds.
SOME = 80


def fill(connection, payload, enough):
    """Calls whose answers wait, one after the other, until `enough` says so; their streams, and
    the answer that was a refusal."""
    opened = []
    while True:
        # Not before all is over are they cut.
        stream = connection.start(payload, streams.timeout("600S"))
        answer = connection.wait_headers(stream)
        if answer.code is not None:
            return opened, answer
        opened.append(stream)
        if enough(len(opened)):
            return opened, None
        assert len(opened) < 100, "a connection holds whatever it is asked for"


def answers_of(stubs, answer):
    return [stubs.ScoreManyResponse.FromString(one) for one in streams.plain(answer.body)]


@pytest.fixture
def watched(start, small):
    """A server of the test's own, whose counters begin at 0. A stream's one part, and the headers
    before it, come when the work is done."""
    return start(small, "--loops", 1, "--shards", 2, "--fanout", "never",
                 "--admin", "127.0.0.1:0")


@pytest.fixture
def crowded(stubs, small, watched):
    """The server, a connection to it, and a request whose answer has 160,000 bytes."""
    request = request_of(stubs, small, 10_000, want_raw=True)
    with Narrow(watched.port) as connection:
        yield watched, connection, request.SerializeToString()
        watched.check()


def finish(stubs, connection, opened):
    """Reads what waits: each answer is whole."""
    connection.set_window(1 << 30)
    for stream in opened:
        answer = connection.wait(stream)
        assert answer.code == "OK", answer
        one = stubs.StreamScoresResponse.FromString(answer.message)
        assert list(one.positions) == list(range(10_000)) and len(one.part.raw_scores) == 10_000


def test_a_full_connection_refuses(stubs, small, crowded):
    server, connection, payload = crowded
    opened, refused = fill(connection, payload, lambda count: False)
    assert refused.code == "RESOURCE_EXHAUSTED" and refused.text, refused
    assert "connection" in refused.text, refused
    assert len(opened) * 160_000 <= CONNECTION_BYTES < 3 * len(opened) * 160_000
    finish(stubs, connection, opened)
    assert connection.call(payload, wire.request_headers(STREAM)).code == "OK"


@pytest.mark.parametrize("model", ["", "nonesuch"])
def test_an_item_on_a_full_connection(stubs, small, crowded, model):
    """When there is no room even for the message that an item failed, the call ends with that."""
    server, connection, payload = crowded
    opened, _ = fill(connection, payload, lambda count: False)
    for size in (2_000, 500, 100, 20, 5, 0):
        smaller = request_of(stubs, small, size, want_raw=True).SerializeToString()
        _, refused = fill(connection, smaller, lambda count: count == 20)
    assert refused is not None, "the connection is not full"
    whole = wire.message(item(stubs, 4, request_of(stubs, small, 10, model=model))
                         .SerializeToString())
    for _ in range(10):
        stream = connection.open(wire.request_headers(MANY))
        connection.grant(stream, 1 << 20)
        connection.data(stream, whole * 3)
        answer = connection.wait(stream)
        assert answer.code == "RESOURCE_EXHAUSTED" and not answer.body, answer
        assert connection.wait_reset(stream) == NO_ERROR
    server.check()
    finish(stubs, connection, opened)


def test_producers_go_on_when_the_connection_has_room_again(stubs, small, crowded):
    """A call that stops taking items, for its connection is over the mark, though it has nothing
    to send itself, takes them again when others have been read."""
    server, connection, payload = crowded
    opened, _ = fill(connection, payload, lambda count: 2 * count * 160_000 > CONNECTION_BYTES)
    one = wire.message(item(stubs, 4, request_of(stubs, small, 10)).SerializeToString())
    stream = connection.open(wire.request_headers(MANY))
    connection.grant(stream, 1 << 20)
    connection.data(stream, one)
    while not connection.answers[stream].body:
        assert connection.pump(), connection.answers[stream]
    for _ in range(4):
        connection.data(stream, one)
        connection.ping()
    # It has sent what it had, and takes no more.
    assert len(streams.plain(connection.answers[stream].body)) == 1
    finish(stubs, connection, opened)
    connection.data(stream, one * 5, end=True)
    answer = connection.wait(stream)
    assert answer.code == "OK" and len(answers_of(stubs, answer)) == 10, answer


# MARK: Clients that write and do not read

class Writer:
    """Writes items for as long as the windows allow, and may be read later."""

    def __init__(self, stubs, server, request, window=0):
        self.stubs, self.request = stubs, request
        self.connection = Narrow(server.port, window=window)
        self.stream = self.connection.open(wire.request_headers(MANY))
        self.made, self.pending = itertools.count(), b""

    @property
    def answer(self):
        return self.connection.answers[self.stream]

    def write(self, up_to):
        """As much as may go now of items with numbers under `up_to`; whether all of it went."""
        connection = self.connection
        while True:
            if not self.pending:
                number = next(self.made)
                if number >= up_to:
                    self.made = itertools.chain([number], self.made)
                    return True
                self.pending = wire.message(
                    item(self.stubs, number, self.request).SerializeToString())
            room = min(connection.connection_window, connection.windows[self.stream])
            if room <= 0:
                return False
            connection.data(self.stream, self.pending[:room])
            self.pending = self.pending[room:]

    def write_all(self, up_to):
        """Waits for the windows that the server opens without being read."""
        while not self.write(up_to):
            assert self.connection.pump(), self.answer

    def written(self):
        """Items that went whole."""
        number = next(self.made)
        self.made = itertools.chain([number], self.made)
        return number - bool(self.pending)

    def write_until_it_stalls(self, up_to):
        """Until a row of round trips has opened no window."""
        quiet = 0
        while quiet < 50:
            before = self.written(), len(self.pending)
            assert not self.write(up_to), "the server takes whatever comes"
            self.connection.ping()
            quiet = quiet + 1 if (self.written(), len(self.pending)) == before else 0


def test_a_client_that_writes_and_never_reads(stubs, small, watched, connect):
    """It is stopped by its own windows; others are not; and when it reads, all is there."""
    request = request_of(stubs, small, CANDIDATES, want_raw=True)
    total = 1_000
    unary = connect(watched).score(request)
    writer = Writer(stubs, watched, request)
    with writer.connection as connection:
        writer.write_until_it_stalls(total)
        # Answers over the mark, those of the items under way, and the window's worth of requests.
        answer_bytes = len(unary.SerializeToString())
        most = OUTBOUND // answer_bytes + ITEMS + WINDOW // len(request.SerializeToString()) + 2
        assert ITEMS // 8 < writer.written() <= most, (writer.written(), most)
        metrics = eventually(watched, lambda one: True)
        held = {kind: metrics.value("crescendo_held_bytes", kind=kind)
                for kind in ("send", "receive")}
        assert 0 < held["send"] <= 2 * (OUTBOUND + ITEMS * answer_bytes), held
        assert held["receive"] <= 2 * WINDOW, held
        assert not writer.answer.body
        # Somebody else, and another stream of the same connection.
        others = talk(connect(watched), [item(stubs, at, request) for at in range(50)])
        assert len(others) == 50
        stream = connection.start(request.SerializeToString())
        connection.grant(stream, 1 << 20)
        assert connection.wait(stream).code == "OK"

        connection.grant(writer.stream, 1 << 30)
        writer.write_all(total)
        connection.data(writer.stream, b"", end=True)
        answer = connection.wait(writer.stream)
        assert answer.code == "OK", answer
        answers = by_sequence(
            map(stubs.ScoreManyResponse.FromString, streams.plain(answer.body)), range(total))
        for at in range(0, total, 100):
            check_item(answers[at], request, unary)
        for one in answers.values():
            assert one.status_code == 0 and one.response.scores == unary.scores, one.sequence
    eventually(watched, lambda one: one.value("crescendo_held_bytes", kind="send") == 0
               and one.value("crescendo_held_bytes", kind="receive") == 0)


def test_half_closed_while_nothing_is_taken(stubs, small, watched, connect):
    """All is written, much of it not taken yet, and the client's half ends: all answers, OK."""
    request = request_of(stubs, small, CANDIDATES, want_raw=True)
    writer = Writer(stubs, watched, request)
    with writer.connection as connection:
        writer.write_all(SOME)
        connection.data(writer.stream, b"", end=True)
        for _ in range(20):
            connection.ping()
        assert not writer.answer.body and not writer.answer.ended
        connection.grant(writer.stream, 1 << 30)
        answer = connection.wait(writer.stream)
    assert answer.code == "OK", answer
    by_sequence(answers_of(stubs, answer), range(SOME))


def test_damage_behind_what_is_not_taken_yet(stubs, small, watched):
    """It is found when its turn comes; what came before it is answered."""
    writer = Writer(stubs, watched, request_of(stubs, small, CANDIDATES, want_raw=True))
    with writer.connection as connection:
        writer.write_all(SOME)
        connection.data(writer.stream, wire.message(b"", flag=9), end=True)
        connection.ping()
        connection.grant(writer.stream, 1 << 30)
        answer = connection.wait(writer.stream)
    assert answer.code == "INTERNAL", answer
    numbers = [one.sequence for one in answers_of(stubs, answer)]
    assert len(set(numbers)) == len(numbers) and set(numbers) <= set(range(SOME))


@pytest.mark.parametrize("most", [700, 60_000])
def test_read_and_written_by_turns(stubs, small, watched, connect, seed, most):
    """Windows open a little at a time, at any moment: every answer once, to the bit."""
    request = request_of(stubs, small, CANDIDATES // 2, want_raw=True)
    unary, dice = connect(watched).score(request), random.Random(seed + most)
    total = 60 if most < 1_000 else 700
    writer = Writer(stubs, watched, request)
    with writer.connection as connection:
        wrote, granted, ended = 0, 0, False
        while not writer.answer.ended:
            wrote = min(total, wrote + dice.randint(0, 90))
            if writer.write(wrote) and wrote == total and not ended:
                connection.data(writer.stream, b"", end=True)
                ended = True
            assert len(writer.answer.body) <= granted, f"seed {seed}: more than was granted"
            if len(writer.answer.body) == granted or dice.random() < 0.2:
                more = dice.randint(1, most)
                granted += more
                connection.grant(writer.stream, more)
            connection.ping()
        answer = writer.answer
    assert answer.code == "OK", f"seed {seed}: {answer}"
    for one in by_sequence(answers_of(stubs, answer), range(total)).values():
        check_item(one, request, unary)


@pytest.mark.parametrize("how", ["reset", "deadline", "damage"])
def test_window_of_what_was_never_taken_comes_back(stubs, small, watched, how):
    """rpc.md 0.7: a connection's window outlives the streams whose bytes have used it up."""
    request = request_of(stubs, small, CANDIDATES, want_raw=True)
    body = b"".join(wire.message(item(stubs, at, request).SerializeToString())
                    for at in range(SOME))
    extra = [("grpc-timeout", "150m")] if how == "deadline" else []
    with Narrow(watched.port) as connection:
        used = 0
        while used < 3 * (4 << 20):
            opened = [connection.open(wire.request_headers(MANY, extra=extra)) for _ in range(8)]
            for stream in opened:
                connection.data(stream, body)
            used += 8 * len(body)
            for stream in opened:
                if how == "reset":
                    connection.reset(stream)
                elif how == "damage":
                    connection.data(stream, wire.message(b"", flag=9))
                    connection.grant(stream, 1 << 30)
                if how != "reset":
                    connection.wait(stream)
        eventually(watched, lambda one: one.value("crescendo_streams") == 0
                   and one.value("crescendo_held_bytes", kind="receive") == 0
                   and one.value("crescendo_held_bytes", kind="send") == 0)
        connection.ping()
        assert connection.connection_window >= 2 << 20, "the connection's window has leaked"
        big = padded(request_of(stubs, small, 3).SerializeToString(), LIMIT)
        stream = connection.start(big)
        connection.grant(stream, 1 << 20)
        assert connection.wait(stream).code == "OK"


def test_writers_that_go_away(stubs, small, watched):
    """Closed with everything unread: nothing is left of them."""
    for _ in range(5):
        writers = [Writer(stubs, watched, request_of(stubs, small, CANDIDATES)) for _ in range(4)]
        for writer in writers:
            writer.write_all(SOME)
        for writer in writers:
            writer.connection.socket.close()
    for name in ("crescendo_streams", "crescendo_connections"):
        eventually(watched, lambda one: one.value(name) == 0)
    for kind in ("send", "receive"):
        eventually(watched, lambda one: one.value("crescendo_held_bytes", kind=kind) == 0)


def test_a_hundred_calls_of_many_items(stubs, small, watched):
    """On one connection, whose mark they are over together; read in the end, each has its own."""
    request = request_of(stubs, small, CANDIDATES, want_raw=True)
    body = b"".join(wire.message(item(stubs, at, request).SerializeToString())
                    for at in range(30))
    with Narrow(watched.port) as connection:
        opened = [connection.open(wire.request_headers(MANY)) for _ in range(100)]
        for stream in opened[:33]:
            connection.data(stream, body, end=True)
        connection.set_window(1 << 30)
        for stream in opened[33:]:
            connection.data(stream, body, end=True)
        for stream in opened:
            answer = connection.wait(stream)
            assert answer.code == "OK", answer
            by_sequence(answers_of(stubs, answer), range(30))
