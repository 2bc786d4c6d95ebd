"""Thousands of calls cancelled at random moments; then everything is back at its start.

CRESCENDO_CANCEL_CALLS: calls in all (default 2,000; a long run takes 100,000).
"""

import os
import random
import threading

import pytest

import flow
import heavy
import process
import wire
from cancelling import KINDS, Requests, cancelled, gauges, headers, window_of
from scrape import Metrics, eventually

CALLS = int(os.environ.get("CRESCENDO_CANCEL_CALLS", "2000"))
CONNECTIONS = 6
OPEN_AT_ONCE = 40
# So that OPEN_AT_ONCE halves do not fill the connection's window, and nobody waits for it.
SIZES = (200, 5_000, 70_000, 150_000)
LARGE_ITEMS = 16
MESSAGE_BYTES = 4 << 20


class Storm:
    """One connection's calls; a lost one is followed by a new one."""

    def __init__(self, server, requests, dice):
        self.server, self.requests, self.dice = server, requests, dice
        self.connection = flow.Watched(server.port, timeout_seconds=process.patience(60))
        self.open = []
        self.unfinished_resets = 0  # of calls that cannot have been answered

    def run(self, calls):
        for at in range(calls):
            if at % 500 == 499:
                self.connection.events.clear()
            self.begin()
            if len(self.open) > OPEN_AT_ONCE or (self.open and self.dice.random() < 0.3):
                self.end_one()
            if self.dice.random() < 0.01:
                self.lose()
        while self.open:
            self.end_one()
        self.connection.ping()

    def begin(self):
        dice = self.dice
        kind = dice.choice(list(KINDS))
        payload = self.payload(kind)
        whole = wire.message(payload)
        timeout = dice.choice(["0n", "1m", "5m", "20m"]) if dice.random() < 0.15 else None
        stream = self.connection.open(headers(kind, grpc_timeout=timeout))
        sent = dice.choice([0, 1, 4, 5, 6, len(whole) // 2, *[len(whole)] * 4])
        ends = sent == len(whole) and dice.random() < 0.8
        if sent:
            self.connection.data(stream, whole[:sent], end=ends)
        is_partial = sent < len(whole) and timeout is None  # nothing can answer it
        if is_partial or dice.random() < 0.8:
            self.open.append((stream, is_partial))
        else:
            self.answer(stream, timeout is not None or ends)

    def payload(self, kind):
        choice = self.dice.random()
        if choice < 0.3:
            return self.requests.long_of(kind)
        if choice < 0.4:
            return b"\xff" * 20
        quick = self.requests.quick_of(kind)
        return flow.padded(quick, self.dice.choice(SIZES))

    def answer(self, stream, ends):
        """Waits for the first thing to come, or for the end of a call that has one."""
        answer = self.connection.answers[stream]
        if ends and self.dice.random() < 0.5:
            self.connection.wait(stream)
        elif ends:
            self.connection.until(
                lambda: answer.headers or answer.reset is not None)
        self.connection.reset(stream)

    def end_one(self):
        dice = self.dice
        stream, is_partial = self.open.pop(dice.randrange(len(self.open)))
        if dice.random() < 0.3:
            self.connection.ping()
        self.connection.reset(stream)
        self.unfinished_resets += is_partial

    def lose(self):
        self.connection.socket.close()
        self.open = []
        self.connection = flow.Watched(self.server.port, timeout_seconds=process.patience(60))


def weather(server, requests, seed):
    """Storms on all connections at once; they have ended, and their connections are open."""
    storms = [Storm(server, requests, random.Random(seed * 100 + number))
              for number in range(CONNECTIONS)]
    failures = []

    def blow(storm):
        try:
            storm.run(CALLS // CONNECTIONS)
        except Exception as error:  # told by the test's own thread
            failures.append(repr(error)[:2_000])

    threads = [threading.Thread(target=blow, args=(storm,)) for storm in storms]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, f"seed {seed}: {failures}{server.story()}"
    return storms


def upload(connection, requests):
    """Items of 4 MiB, far more than the windows are wide; each is answered."""
    stream = connection.open(headers("many"))
    stubs = requests.stubs
    for sequence in range(LARGE_ITEMS):
        item = stubs.ScoreManyRequest(sequence=sequence + 1, request=requests.quick_request)
        large = flow.padded(item.SerializeToString(), MESSAGE_BYTES)
        connection.data(stream, wire.message(large), end=sequence == LARGE_ITEMS - 1)
    answer = connection.wait(stream)
    assert answer.code == "OK", answer
    made = [stubs.ScoreManyResponse.FromString(one) for one in flow.messages(answer.body)]
    assert sorted(one.sequence for one in made) == list(range(1, LARGE_ITEMS + 1))
    assert all(one.status_code == 0 and len(one.response.scores) == 3 for one in made)


def assert_queues_are_empty(connection, requests):
    """A call that is longer than a queue is taken by an empty one only."""
    for _ in range(2_000):
        answer = connection.wait(connection.start(requests.long_of("unary")))
        if answer.code == "OK":
            return
        # What was cancelled while it ran is counted until its next look.
        assert answer.code == "RESOURCE_EXHAUSTED", answer
    raise AssertionError("work that was cancelled is still queued")


@pytest.mark.soak
def test_storm(stubs, tmp_path, start, seed):
    snapshot = heavy.snapshot(tmp_path / "costly", seed, copies=heavy.copies(100))
    requests = Requests(stubs, snapshot)
    server = start(snapshot, "--loops", 2, "--shards", 2, "--admin", "127.0.0.1:0",
                   "--limit", "shardQueueNanoseconds=50ms")
    before = Metrics(server)
    storms = weather(server, requests, seed)
    after = eventually(server, lambda one: gauges(one) == gauges(before))
    started, handled = (after.sum(f"grpc_server_{name}_total") for name in ("started", "handled"))
    counts = {source: cancelled(after, source) for source in ("reset", "connection", "deadline")}
    what = f"seed {seed}: {started:.0f} started, {handled:.0f} handled, cancelled {counts}"
    print(what)
    assert started == handled, what
    assert counts["reset"] >= sum(storm.unfinished_resets for storm in storms) > 0, what
    assert counts["deadline"] > 0 and cancelled(after, "stop") == 0, what
    assert sum(counts.values()) <= started, what
    assert after.sum("crescendo_connections") == CONNECTIONS, what
    for storm in storms:
        assert not storm.connection.goaways, (what, storm.connection.goaways)
        flow.assert_window_is_whole(storm.connection, window_of(after), requests.quick)
    assert_queues_are_empty(storms[0].connection, requests)
    upload(storms[0].connection, requests)
    eventually(server, lambda one: gauges(one) == gauges(before))
    for storm in storms:
        storm.connection.socket.close()
    eventually(server, lambda one: one.sum("crescendo_connections") == 0)
