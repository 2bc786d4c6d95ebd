"""Allocations, and durable reports of exposures beside bare SQLite that writes the same rows.

usage: tools/bench exposures [--exposures N] [--rounds N] [--singles N] [--quick]

16 clients allocate 10 slots of 500 candidates each; what they were given is then reported in
batches of 100 over four grpcio streams, in rounds. After each round the rows that the server wrote
are read from its ledger and written once more by SQLite called from C (sqlite_rows.c): the same
tables, indexes and pragmas, one commit for every 100 rows, on the same core and the same disk. Then
reports of one exposure and commits of one row take turns. The server commits what has come
meanwhile, more than 100 rows: what bare SQLite costs in groups of that size is shown, too.
"""
import queue
import random
import shutil
import sqlite3
import statistics
import subprocess
import threading
import time

from measuring import (
    CORES, ROOT, Neighbours, Report, arguments, constant_snapshot, cpu_nanoseconds, generated_stubs,
    limit, metrics, on_core, quantile, say, serving, work_folder)
from promoting import Promoter, campaign, eventually
from raw import Fleet

ALLOCATE = "/crescendo.v1.PromotionAllocationService/Allocate"
REPORT = "/crescendo.v1.PromotionDeliveryService/ReportExposures"
CLIENTS, SLOTS, CANDIDATES, CAMPAIGNS, ITEMS = 16, 10, 500, 20, 10_000
STREAMS, BATCH, UNACKNOWLEDGED = 4, 100, 16
BAR_CPU, BAR_ACK = 2, 3


class Allocating:
    """Clients that each ask again once they are answered, until there are enough placements."""

    def __init__(self, promoter, item_ids, wanted, seed):
        self.promoter, self.item_ids, self.wanted = promoter, item_ids, wanted
        self.dice = random.Random(seed)
        self.tokens, self.seconds, self.begun = [], [], {}
        self.answer = promoter.allocation.AllocateResponse

    def run(self):
        fleet = Fleet()
        began = time.monotonic()
        links = [fleet.open(self.promoter.server.port, ended=self.ended) for _ in range(CLIENTS)]
        for link in links:
            self.ask(link)
        fleet.turn_until(lambda: not self.begun, 1_200, "allocations")
        self.wall = time.monotonic() - began
        fleet.close()
        return self

    def ask(self, link):
        asked = self.promoter.asking(
            self.dice.getrandbits(63) | 1, self.dice.sample(self.item_ids, CANDIDATES), SLOTS,
            name=self.dice.randbytes(16)).SerializeToString()
        self.begun[link] = time.monotonic()
        link.call(ALLOCATE, asked)

    def ended(self, link, stream):
        self.seconds.append(time.monotonic() - self.begun.pop(link))
        if stream.status != 0:
            raise SystemExit(f"Allocate ended with {stream.status}: {stream.trailers}")
        placed = self.answer.FromString(bytes(stream.body[5:])).placements
        if len(placed) != SLOTS:
            raise SystemExit(f"{len(placed)} of {SLOTS} slots were filled")
        self.tokens += [one.token for one in placed]
        if len(self.tokens) + SLOTS * len(self.begun) < self.wanted:
            self.ask(link)


class Reporter(threading.Thread):
    """One stream of batches, a few of them unacknowledged at a time. Batches are encoded before
    and answers are decoded after, so that the client is no slower than it has to be."""

    def __init__(self, promoter, batches):
        super().__init__()
        self.batches, self.answers, self.failure = batches, [], None
        self.room = threading.Semaphore(UNACKNOWLEDGED)
        self.call = promoter.channel.stream_stream(REPORT)
        self.decoded = promoter.delivery.ReportExposuresResponse.FromString

    def requests(self):
        for batch in self.batches:
            self.room.acquire()
            yield batch

    def run(self):
        acknowledged = 0
        try:
            for answer in self.call(self.requests(), timeout=600):
                self.answers.append(self.decoded(answer))
                while acknowledged < self.answers[-1].acked_through:
                    acknowledged += 1
                    self.room.release()
        except Exception as error:  # told by whoever waits for the threads
            self.failure = error
            # The batches that are left must not wait for room for ever.
            self.room.release(len(self.batches) + 1)

    def settled(self):
        self.join()
        if self.failure or any(one.exceptions for one in self.answers):
            raise SystemExit(f"a report failed: {self.failure or self.answers[-1]}")
        return sum(one.settled for one in self.answers)


def report_all(promoters, tokens):
    """Reports them; server CPU nanoseconds, and seconds of wall clock."""
    reporters = []
    for at, promoter in enumerate(promoters):
        mine = [tokens[start:start + BATCH]
                for start in range(at * BATCH, len(tokens), BATCH * len(promoters))]
        reporters.append(Reporter(promoter, [promoter.batch(number, part).SerializeToString()
                                             for number, part in enumerate(mine, 1)]))
    pid = promoters[0].server.process.pid
    began, cpu = time.monotonic(), cpu_nanoseconds(pid)
    for one in reporters:
        one.start()
    settled = sum(one.settled() for one in reporters)
    cpu, wall = cpu_nanoseconds(pid) - cpu, time.monotonic() - began
    if settled != len(tokens):
        raise SystemExit(f"{settled} of {len(tokens)} exposures were settled")
    return cpu, wall


class Bare:
    """sqlite_rows.c, compiled with the server's SQLite: a file with the server's tables and pragmas
    and the rows that were there before, written on the server's core."""

    def __init__(self, folder, ledger, log_pages):
        folder.mkdir()
        compiler, program = shutil.which("cc") or shutil.which("clang"), folder / "sqlite_rows"
        subprocess.run([compiler, "-O2", "-o", program, ROOT / "tools/benchmarks/sqlite_rows.c",
                        "-lsqlite3"], check=True)
        with on_core(CORES[0]):
            self.process = subprocess.Popen(
                [program, ledger, folder / "bare.sqlite", str(log_pages)], text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.said()

    def said(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"sqlite_rows ended with {self.process.wait()}")
        return map(int, line.split())

    def write(self, which, each):
        """`all` rows that the server has written since this was asked, or the `last` of them, with
        a commit for every `each`: how many they were, and nanoseconds of CPU and of the wall."""
        self.process.stdin.write(f"{which} {each}\n")
        self.process.stdin.flush()
        return self.said()

    def close(self):
        self.process.stdin.close()
        if self.process.wait() != 0:
            raise SystemExit(f"sqlite_rows ended with {self.process.returncode}")


def commits_of(ledger):
    file = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)
    commits, = file.execute("SELECT commits FROM state").fetchone()
    file.close()
    return commits


def singles(promoter, bare, tokens):
    """Seconds of each durable acknowledgement, and of each bare commit, in turn."""
    waiting, answers = queue.Queue(), []
    call = promoter.channel.stream_stream(REPORT)(iter(waiting.get, None), timeout=600)
    acks, commits = [], []
    for number, token in enumerate(tokens, 1):
        batch = promoter.batch(number, [token]).SerializeToString()
        began = time.monotonic()
        waiting.put(batch)
        answers.append(next(call))
        acks.append(time.monotonic() - began)
        commits.append(list(bare.write("last", 1))[2] / 1e9)
    waiting.put(None)
    if list(call) or any(promoter.delivery.ReportExposuresResponse.FromString(one).settled != 1
                         for one in answers):
        raise SystemExit("a single report was not settled")
    return acks, commits


def measure(report, server, stubs, item_ids, folder, options):
    promoter = Promoter(stubs, server, None)
    promoter.apply(*(campaign(f"c-{at}", item_ids[at::CAMPAIGNS], budget="1000000.00")
                     for at in range(CAMPAIGNS)))
    eventually(lambda: len(promoter.allocate(1, item_ids[:CANDIDATES], SLOTS).placements) == SLOTS,
               60)
    neighbours = Neighbours(server)
    cpu = cpu_nanoseconds(server.process.pid)
    made = Allocating(promoter, item_ids, options.exposures + options.singles, options.seed).run()
    cpu = cpu_nanoseconds(server.process.pid) - cpu
    count = len(made.seconds)
    report.figure(f"Allocate, {CLIENTS} clients, p50",
                  f"{statistics.median(made.seconds) * 1e3:.2f} ms")
    report.figure("Allocate, p99", f"{quantile(made.seconds, 0.99) * 1e3:.2f} ms")
    report.figure("Allocate, a second", f"{count / made.wall:,.0f}")
    report.figure("Allocate, server CPU", f"{cpu / 1e3 / count:.0f} us a call")
    say(f"{count:,} allocations in {made.wall:.1f} s")

    tokens = made.tokens[:options.exposures]
    ledger, log_pages = folder / "data/ledger.sqlite", limit(metrics(server), "storageLogPages")
    bare, larger = (Bare(folder / name, ledger, log_pages) for name in ("bare", "larger"))
    promoters = [promoter] + [promoter.another() for _ in range(STREAMS - 1)]
    share = -(-len(tokens) // options.rounds)
    own, peer, walls, bare_walls, ratios = [], [], [], [], []
    groups, same = [], []
    for start in range(0, len(tokens), share):
        part, before = tokens[start:start + share], commits_of(ledger)
        used, wall = report_all(promoters, part)
        commits = commits_of(ledger) - before
        rows, written, bare_wall = bare.write("all", BATCH)
        if rows < len(part):
            raise SystemExit(f"{rows} rows for {len(part)} exposures")
        groups.append(rows / commits)
        same.append(used / list(larger.write("all", round(groups[-1])))[1])
        own.append(used / 1e3 / len(part))
        peer.append(written / 1e3 / len(part))
        walls.append(len(part) / wall)
        bare_walls.append(rows / (bare_wall / 1e9))
        ratios.append(used / written)
    report.figure("reports, exposures a second", f"{statistics.median(walls):,.0f}")
    report.figure("reports, server CPU", f"{statistics.median(own):.2f} us an exposure")
    report.figure("bare SQLite, rows a second", f"{statistics.median(bare_walls):,.0f}")
    report.figure("bare SQLite, CPU", f"{statistics.median(peer):.2f} us a row")
    report.figure("rows a commit of the server", f"{statistics.median(groups):,.0f}")
    report.figure("server CPU, of bare SQLite's in such groups", f"{statistics.median(same):.2f}")
    ratio = statistics.median(ratios)
    report.bar("server CPU, of bare SQLite's", f"{ratio:.2f}", f"<= {BAR_CPU}", ratio <= BAR_CPU)

    left = made.tokens[options.exposures:options.exposures + options.singles]
    acks, commits = map(statistics.median, singles(promoter, bare, left))
    report.figure("one durable acknowledgement, p50", f"{acks * 1e3:.2f} ms")
    report.figure("one bare commit, p50", f"{commits * 1e3:.2f} ms")
    report.bar("acknowledgement, of a bare commit", f"{acks / commits:.2f}", f"<= {BAR_ACK}",
               acks <= BAR_ACK * commits)
    neighbours.show(report)
    bare.close()
    larger.close()
    for one in promoters:
        one.channel.close()


def main():
    options = arguments(__doc__, exposures=100_000, rounds=7, singles=1_000)
    if options.quick:
        options.exposures, options.rounds, options.singles = 10_000, 3, 100
    report = Report(f"{options.exposures:,} exposures in batches of {BATCH}, medians of "
                    f"{options.rounds} rounds")
    with work_folder() as folder:
        stubs = generated_stubs(folder / "stubs")
        item_ids = constant_snapshot(folder / "snapshot", ITEMS)
        with serving(folder / "snapshot", "--data", folder / "data", "--loops", 1, "--shards", 1,
                     "--log-level", "error", core=CORES[0]) as server, on_core(CORES[-1]):
            measure(report, server, stubs, item_ids, folder, options)
    return report.show()


if __name__ == "__main__":
    raise SystemExit(main())
