"""Clients that do not read: what they cost the server, and everybody else.

usage: tools/bench slow-readers [--connections N] [--streams N] [--candidates N] [--hold S]
                                [--process-mib N] [--quick]

Every connection makes 50 StreamScores of 10,000 candidates and never grants window; beside them
one ScoreMany client writes for ever and never reads an answer. The server's memory has to stay
within its limits and flat, its shards idle, what is over a bound refused, a polite client served.
Then all of them wake up and read everything: each position of each admitted call has to be there
exactly once.
"""
import collections
import time

import grpc
import numpy as np

from measuring import (
    Report, arguments, constant_snapshot, cpu_nanoseconds, generated_stubs, limit, mebibytes,
    metrics, percent, say, score_request, serving, varint, work_folder)
from raw import Fleet, message

OK, RESOURCE_EXHAUSTED = 0, 8
TIMEOUT = "10M"
STALL = "5m"
POLITE_CANDIDATES = 500


class Readers:
    """The connections that grant nothing, and what has become of their calls."""

    def __init__(self, fleet, server, options, payload):
        self.fleet, self.server, self.options = fleet, server, options
        self.statuses = collections.Counter()
        self.complete = self.broken = 0
        self.finished = []
        self.links = [fleet.open(server.port, ended=self.ended, grants=False)
                      for _ in range(options.connections)]
        self.admitted = 0
        # In rounds over the connections, so that none is far ahead.
        for _ in range(options.streams):
            for link in self.links:
                stream = link.open("StreamScores", TIMEOUT)
                link.send(stream, payload)

    def ended(self, link, stream):
        self.statuses[stream.status] += 1
        if stream.status == OK:
            self.finished.append(stream.body)

    @property
    def total(self):
        return self.options.connections * self.options.streams


class Writer:
    """Writes items for ever, on one call; never grants window."""

    def __init__(self, fleet, server, item_ids):
        self.link = fleet.open(server.port, ended=self.ended, grants=False)
        self.request = score_request(item_ids)
        self.stream = self.link.open("ScoreMany", TIMEOUT)
        self.sent = 0
        self.status = None
        self.body = b""

    def ended(self, link, stream):
        self.status, self.body = stream.status, bytes(stream.body)

    def write(self):
        """One more item, if the last one has gone."""
        if self.stream.unsent or self.stream.isOver:
            return
        self.sent += 1
        item = (b"\x09" + self.sent.to_bytes(8, "little") + b"\x1a" + varint(len(self.request))
                + self.request)
        self.link.send(self.stream, message(item), ends=False)

    def finish(self):
        """Half-close, once the item that is under way has gone."""
        if self.stream.unsent:
            self.stream.ends = True
        else:
            self.link.send(self.stream, b"")


def messages(body):
    """The messages of a gRPC body."""
    at = 0
    while at < len(body):
        length = int.from_bytes(body[at + 1:at + 5], "big")
        yield bytes(body[at + 5:at + 5 + length])
        at += 5 + length
    assert at == len(body), "a message was cut"


def is_complete(stubs, body, candidates):
    """Whether the parts hold every position exactly once, each with a score."""
    seen = np.zeros(candidates, np.int64)
    for one in messages(body):
        part = stubs.score.StreamScoresResponse.FromString(one)
        positions = np.array(part.positions, np.int64)
        if len(part.part.scores) != len(positions):
            return False
        seen += np.bincount(positions, minlength=candidates)
    return bool((seen == 1).all())


def settle(fleet, server, writer, seconds, quiet_seconds):
    """Serves sockets until nothing has moved for a while; the most that arenas and unfinished
    messages have been seen to hold."""
    arenas = receiving = 0
    last, since = None, time.monotonic()
    end = since + seconds
    while time.monotonic() - since < quiet_seconds:
        if time.monotonic() > end:
            raise SystemExit(f"the server did not come to rest within {seconds} s")
        for _ in range(200):
            if writer:
                writer.write()
            if not fleet.turn(0.005):
                break
        seen = metrics(server)
        arenas = max(arenas, seen.value("crescendo_held_bytes", kind="arena"))
        receiving = max(receiving, seen.value("crescendo_held_bytes", kind="receive"))
        now = (writer.sent if writer else 0, seen.sum("crescendo_candidates_total"),
               seen.sum("crescendo_refusals_total"),
               seen.value("crescendo_held_bytes", kind="send"),
               seen.value("crescendo_held_bytes", kind="receive"))
        if now != last:
            last, since = now, time.monotonic()
    return arenas, receiving


class Polite:
    """A stock client that reads its answers."""

    def __init__(self, stubs, server, item_ids, candidates):
        self.channel = grpc.insecure_channel(
            server.target, options=[("grpc.use_local_subchannel_pool", 1)])
        self.score = stubs.score_rpc.PromotionScoreServiceStub(self.channel).Score
        # Small ones, and such as the others make: what is left over somewhere may do for the small.
        self.requests = [stubs.score.ScoreRequest(item_ids=(item_ids * 10)[:count], want_raw=True)
                         for count in (POLITE_CANDIDATES, candidates)]
        self.outcomes = collections.Counter()

    def call(self, count):
        for number in range(count):
            request = self.requests[number % 2]
            try:
                answer = self.score(request, timeout=5)
                self.outcomes["OK" if len(answer.scores) == len(request.item_ids) else "wrong"] += 1
            except grpc.RpcError as error:
                self.outcomes[f"{error.code().name}: {error.details()}"] += 1


def hold(server, seconds):
    """Memory sampled while nothing happens, and the CPU that it took."""
    sizes, began, cpu = [], time.monotonic(), cpu_nanoseconds(server.process.pid)
    while time.monotonic() - began < seconds:
        sizes.append(server.rss_bytes())
        time.sleep(min(1, seconds / 10))
    sizes.append(server.rss_bytes())
    return sizes, (cpu_nanoseconds(server.process.pid) - cpu) / 1e9


def drain(fleet, readers, writer, stubs, options):
    """Everybody reads everything; how many calls were whole."""
    for link in [*readers.links, writer.link]:
        link.wake()
    writer.finish()
    whole, end = 0, time.monotonic() + 300
    while sum(readers.statuses.values()) < readers.total or writer.status is None:
        if time.monotonic() > end:
            raise SystemExit("not everything was answered within 300 s of waking up")
        fleet.turn()
        while readers.finished:
            whole += is_complete(stubs, readers.finished.pop(), options.candidates)
    return whole


def answered_once(stubs, writer):
    """Items by status; whether each was answered exactly once."""
    statuses, seen = collections.Counter(), collections.Counter()
    for one in messages(writer.body):
        answer = stubs.score.ScoreManyResponse.FromString(one)
        statuses[answer.status_code] += 1
        seen[answer.sequence] += 1
    return statuses, seen == collections.Counter(range(1, writer.sent + 1))


def measure(server, stubs, item_ids, options):
    report = Report(f"{options.connections} connections x {options.streams} StreamScores of "
                    f"{options.candidates:,} candidates that nobody reads")
    fleet, polite = Fleet(), Polite(stubs, server, item_ids, options.candidates)
    polite.call(200)
    candidates = [item_ids[index % len(item_ids)] for index in range(options.candidates)]
    before, base = metrics(server), server.rss_bytes()
    readers = Readers(fleet, server, options, message(score_request(candidates)))
    writer = Writer(fleet, server, item_ids[:POLITE_CANDIDATES])
    most = settle(fleet, server, writer, 240, 2)
    say(f"at rest: {mebibytes(server.rss_bytes())}, {readers.statuses} so far")
    polite.call(options.polite)
    resting = metrics(server)
    sizes, cpu = hold(server, options.hold)
    idle = metrics(server)
    polite.call(options.polite)
    report_memory(report, server, base, sizes, most, resting, options)
    report.bar("CPU while nothing moves", f"{percent(cpu, options.hold):.2f} % of a core", "<= 1 %",
               cpu <= 0.01 * options.hold)
    work = idle.value("crescendo_work_seconds_total") - resting.value(
        "crescendo_work_seconds_total")
    report.bar("scoring meanwhile", f"{1e3 * work:.1f} ms", "0 ms", work == 0)
    refused = readers.statuses[RESOURCE_EXHAUSTED]
    whole = drain(fleet, readers, writer, stubs, options)
    report_answers(report, stubs, server, before, readers, writer, (refused, whole), polite)
    fleet.close()
    return report.show()


def report_memory(report, server, base, sizes, most, resting, options):
    arenas, receiving = most
    connection, whole = limit(resting, "connectionOutboundBytes"), limit(
        resting, "processOutboundBytes")
    bound = (options.connections + 1) * connection + int(arenas)
    growth = sizes[0] - base
    report.figure("memory before, at rest", f"{mebibytes(base)}, {mebibytes(sizes[0])}")
    report.figure("answers held, and what the process may hold",
                  mebibytes(resting.value("crescendo_held_bytes", kind="send")) + ", "
                  + mebibytes(whole))
    report.figure("unfinished messages: most seen, at rest", f"{mebibytes(receiving)}, "
                  + mebibytes(resting.value("crescendo_held_bytes", kind="receive")))
    report.figure("arenas: most seen, at rest", f"{mebibytes(arenas)}, "
                  + mebibytes(resting.value("crescendo_held_bytes", kind="arena")))
    report.bar("memory grew", mebibytes(growth), f"<= {mebibytes(bound)}", growth <= bound)
    drift = max(sizes) - min(sizes)
    report.bar(f"moved in {options.hold:g} s", mebibytes(drift), "<= 4 MiB", drift <= 4 << 20)


def report_answers(report, stubs, server, before, readers, writer, counts, polite):
    refused, whole = counts
    statuses = readers.statuses
    report.figure("calls", ", ".join(f"{count} of status {status}"
                                     for status, count in sorted(statuses.items(), key=str)))
    others = readers.total - statuses[OK] - statuses[RESOURCE_EXHAUSTED]
    report.bar("neither answered nor refused", f"{others}", "0", others == 0)
    report.bar("refused before anybody woke", f"{refused}", f"{statuses[RESOURCE_EXHAUSTED]}",
               refused == statuses[RESOURCE_EXHAUSTED])
    after = metrics(server)
    counted = after.sum("grpc_server_handled_total", grpc_method="StreamScores",
                        grpc_code="ResourceExhausted") - before.sum(
        "grpc_server_handled_total", grpc_method="StreamScores", grpc_code="ResourceExhausted")
    report.bar("of them counted", f"{counted:.0f}", f"{refused}", counted == refused)
    reasons = {reason: after.value("crescendo_refusals_total", reason=reason)
               - before.value("crescendo_refusals_total", reason=reason)
               for reason in ("queue_full", "memory")}
    report.figure("refusals by reason", ", ".join(f"{name} {count:.0f}"
                                                  for name, count in reasons.items()))
    report.bar("answers with each position once", f"{whole}", f"{statuses[OK]}",
               whole == statuses[OK] > 0)
    items, once = answered_once(stubs, writer)
    report.bar("items of ScoreMany answered once", f"{sum(items.values())}", f"{writer.sent}",
               once and writer.status == OK)
    report.figure("of them refused", f"{items[RESOURCE_EXHAUSTED]}")
    good, total = polite.outcomes["OK"], sum(polite.outcomes.values())
    report.bar("polite calls OK", f"{good} of {total}", "all", good == total)
    for outcome, count in polite.outcomes.items():
        if outcome != "OK":
            report.figure("polite, not OK", f"{count} x {outcome}")
    report.figure("memory after it", mebibytes(server.rss_bytes()))


def main():
    options = arguments(__doc__, connections=200, streams=50, candidates=10_000, hold=60.0,
                        polite=200, process_mib=0)
    if options.quick:
        options.connections, options.hold, options.process_mib = 20, 6.0, 64
    limits = ["--limit", f"stallNanoseconds={STALL}"]
    if options.process_mib:
        limits += ["--limit", f"processOutboundBytes={options.process_mib}MiB"]
    with work_folder() as folder:
        stubs = generated_stubs(folder / "stubs")
        item_ids = constant_snapshot(folder / "snapshot", 10_000)
        with serving(folder / "snapshot", *limits) as server:
            return measure(server, stubs, item_ids, options)


if __name__ == "__main__":
    raise SystemExit(main())
