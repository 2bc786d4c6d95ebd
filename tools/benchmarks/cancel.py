"""Calls that are cancelled at random moments, by the hundred thousand: everything has to come back.

usage: tools/bench cancel [--calls N] [--links N] [--quick]

All three kinds of scoring calls, reset by their client with the first bytes, in the middle of the
message, behind it, while they are worked on or answered; now and then a whole connection goes.
Afterwards streams, memory, queues and windows have to be where they were, and a large upload on a
connection that has seen it all has to be as fast as before.
"""
import collections
import heapq
import random
import statistics
import time

from measuring import (
    Catalogue, Report, arguments, cpu_nanoseconds, mebibytes, metrics, percent, score_request,
    serving, varint, work_folder)
from raw import Fleet, message

TREES, CANDIDATES = 200, 500
OPEN_CALLS = 40
DELAY_SECONDS = 0.004
# One connection in so many calls is dropped with all that is under way.
CALLS_A_DROP = 1_000
UPLOAD_BYTES = 3_900_000
MOMENTS = ["headers", "half", "whole", "later", "answer"]
METHODS = ["Score", "StreamScores", "ScoreMany"]


class Canceller:
    """Opens calls on all links, and resets each at its moment."""

    def __init__(self, fleet, server, payloads, options):
        self.fleet, self.server, self.payloads, self.options = fleet, server, payloads, options
        self.random = random.Random(options.seed)
        self.links = [self.open() for _ in range(options.links)]
        self.due, self.number = [], 0
        self.cancelled, self.answered = collections.Counter(), 0

    def open(self):
        return self.fleet.open(self.server.port, ended=self.ended)

    def ended(self, link, stream):
        self.answered += 1

    @property
    def count(self):
        return sum(self.cancelled.values())

    def begin(self, link):
        method, moment = self.random.choice(METHODS), self.random.choice(MOMENTS)
        stream = link.open(method)
        payload = self.random.choice(self.payloads[method])
        if moment != "headers":
            part = self.random.randrange(1, len(payload)) if moment == "half" else len(payload)
            link.send(stream, payload[:part], ends=moment != "half" and method != "ScoreMany")
        delay = 0
        if moment in ("later", "answer"):
            delay = self.random.random() * DELAY_SECONDS
        elif self.random.random() < 0.5:
            # Else in the same write as the call itself.
            delay = 0.0005 * self.random.random()
        self.number += 1
        heapq.heappush(self.due, (time.monotonic() + delay, self.number, moment, link, stream))

    def cancel_due(self):
        now = time.monotonic()
        while self.due and self.due[0][0] <= now:
            _, _, moment, link, stream = heapq.heappop(self.due)
            if stream.isOver or link.isClosed:
                continue
            if moment == "answer" and not stream.body and now < self.due_limit(stream):
                self.number += 1
                heapq.heappush(self.due, (now + 0.0005, self.number, moment, link, stream))
                continue
            # What is queued for it goes out first, as far as it may.
            link.fill()
            link.reset(stream)
            self.cancelled[moment] += 1

    def due_limit(self, stream):
        """An answer is not waited for longer than this."""
        if not stream.trailers:
            stream.trailers = {"waited from": time.monotonic()}
        return stream.trailers["waited from"] + 0.05

    def drop(self):
        # The first ones: what was added to them lives through it all.
        index = self.random.randrange(self.options.links)
        link = self.links[index]
        self.cancelled["connection"] += len(link.streams)
        link.close()
        self.links[index] = self.open()

    def run(self):
        dropped = 0
        while self.count < self.options.calls:
            for link in self.links:
                while len(link.streams) < OPEN_CALLS:
                    self.begin(link)
            self.cancel_due()
            self.fleet.turn(0.001)
            if self.count // CALLS_A_DROP > dropped:
                dropped += 1
                self.drop()
        while self.due:
            self.cancel_due()
            self.fleet.turn(0.001)


def upload(fleet, link, body, count):
    """Seconds of each of some large uploads, one after the other."""
    took = []
    for _ in range(count):
        ended = []
        link.ended = lambda _, stream: ended.append(stream)
        began = time.monotonic()
        link.call("Score", body, "60S")
        fleet.turn_until(lambda: ended, 60, "an upload")
        took.append(time.monotonic() - began)
        if ended[0].status != 0:
            raise SystemExit(f"an upload failed: {ended[0].status}, {ended[0].trailers}, "
                             f"reset: {ended[0].reset}, round {len(took)}")
    return took


def payloads_of(catalogue, options):
    """Messages of each method, some different ones."""
    chosen, made = random.Random(options.seed + 1), collections.defaultdict(list)
    for _ in range(50):
        request = score_request(chosen.sample(catalogue.item_ids, chosen.randrange(1, CANDIDATES)),
                                chosen.choice(catalogue.user_ids))
        for method in ("Score", "StreamScores"):
            made[method].append(message(request))
        items = [b"\x09" + number.to_bytes(8, "little") + b"\x1a" + varint(len(request)) + request
                 for number in range(3)]
        made["ScoreMany"].append(b"".join(map(message, items)))
    return made


def at_rest(server, seconds=20):
    """The metrics, once no stream is open and shards have passed by what was cancelled while it
    waited for them; else those that were there last."""
    end = time.monotonic() + seconds
    while True:
        seen = metrics(server)
        held = seen.value("crescendo_streams") + seen.sum("crescendo_held_bytes")
        if time.monotonic() > end or held == 0:
            return seen
        time.sleep(0.05)


def measure(server, catalogue, options):
    report = Report(f"{options.calls:,} calls cancelled on {options.links} connections")
    fleet = Fleet()
    # A field that nobody knows is dropped: the upload is long, the request in it short.
    filler = b"\xa2\x06" + varint(UPLOAD_BYTES) + bytes(UPLOAD_BYTES)
    body = score_request(catalogue.item_ids[:10]) + filler
    canceller = Canceller(fleet, server, payloads_of(catalogue, options), options)
    survivor = canceller.open()
    before = statistics.median(upload(fleet, survivor, body, options.uploads))
    survivor.ended = canceller.ended
    # It takes part like the others, but is never dropped.
    window, rss, began = survivor.window, server.rss_bytes(), time.monotonic()
    canceller.links.append(survivor)
    canceller.run()
    seconds = time.monotonic() - began
    seen = at_rest(server)
    cpu = cpu_nanoseconds(server.process.pid)
    time.sleep(1)
    cpu = cpu_nanoseconds(server.process.pid) - cpu
    after = statistics.median(upload(fleet, survivor, body, options.uploads))
    report.figure("cancelled, by moment", ", ".join(
        f"{moment} {count}" for moment, count in canceller.cancelled.items()))
    report.figure("answered before", f"{canceller.answered}, in {seconds:.0f} s in all")
    report_rest(report, seen, canceller, fleet)
    report.bar("CPU in the second after", f"{cpu / 1e6:.1f} ms", "<= 10 ms", cpu <= 10_000_000)
    report.figure("memory before, after", f"{mebibytes(rss)}, {mebibytes(server.rss_bytes())}")
    report.bar("the connection's window, of what it was",
               f"{percent(survivor.window, window):.0f} %", ">= 50 %",
               survivor.window >= window / 2)
    report.bar("a large upload, of its speed before", f"{percent(before, after):.0f} %", ">= 85 %",
               before / after >= 0.85)
    fleet.close()
    return report.show()


def report_rest(report, seen, canceller, fleet):
    report.bar("streams", f"{seen.value('crescendo_streams'):.0f}", "0",
               seen.value("crescendo_streams") == 0)
    for kind in ("receive", "send", "arena"):
        held = seen.value("crescendo_held_bytes", kind=kind)
        report.bar(f"bytes held: {kind}", f"{held:.0f}", "0", held == 0)
    connections = sum(not link.isClosed for link in fleet.links)
    report.bar("connections", f"{seen.value('crescendo_connections'):.0f}", f"{connections}",
               seen.value("crescendo_connections") == connections)
    started = seen.sum("grpc_server_started_total")
    handled = seen.sum("grpc_server_handled_total")
    report.bar("calls started, ended", f"{started:.0f}, {handled:.0f}", "equal",
               started == handled)
    lost = sum(link.goaway is not None for link in fleet.links)
    report.bar("connections that the server gave up", f"{lost}", "0", lost == 0)
    report.figure("cancellations counted, by source", ", ".join(
        f"{source} {seen.value('crescendo_cancellations_total', source=source):.0f}"
        for source in ("reset", "connection", "deadline")))


def main():
    options = arguments(__doc__, calls=100_000, links=8, uploads=20)
    if options.quick:
        options.calls //= 20
    with work_folder() as folder:
        catalogue = Catalogue(options.seed)
        with serving(catalogue.write(folder / "snapshot", TREES)) as server:
            return measure(server, catalogue, options)


if __name__ == "__main__":
    raise SystemExit(main())
