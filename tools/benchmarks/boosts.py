"""What want_boosts costs: server CPU of Score with and without it, by 10 campaigns and by many.

usage: tools/bench boosts [--campaigns N] [--items N] [--calls N] [--rounds N] [--quick]

Every item is in exactly three campaigns, and all campaigns have caps. A call has 500 random
candidates; half of the users that are asked with boosts have placements that count against caps.
The model is a constant. --campaigns: how many "many" are; 100,000 unless told otherwise,
which take two minutes to apply. Server on one core, the client on another; both servers run at
once and are asked in turn, so that what else runs on the machine meets them alike.
"""
import random
import statistics
import time

from measuring import (
    CORES, Neighbours, Report, arguments, constant_snapshot, cpu_nanoseconds, generated_stubs,
    on_core, say, serving, work_folder)
from promoting import Promoter, campaign, caps, document, eventually
from raw import Fleet

FEW, EACH = 10, 3
CANDIDATES, USERS, BODIES = 500, 200, 200
LINKS, STREAMS = 4, 4
BAR_US, AIM_US, BAR_GROWTH = 40, 20, 1.5
# Of a document: the server's bound is raised to this, and parts are kept well below it.
DOCUMENT_BYTES, PART_ITEMS = 32 << 20, 50_000
KINDS = ["plain", "boosts, users without history", "boosts, users with history"]


def campaigns_of(item_ids, count, seed):
    """`count` campaigns; each item is in three of them, a third of the circle apart."""
    dice = random.Random(seed)
    order = list(item_ids)
    dice.shuffle(order)
    parts = [[] for _ in range(count)]
    for at, item in enumerate(order):
        for turn in range(EACH):
            parts[(at + turn * (count // EACH)) % count].append(item)
    limits = caps(user_campaign=3, user_artist=5)
    return [campaign(f"c-{at}", items, budget="100000.00", worth=f"{dice.uniform(0.3, 0.9):.4f}",
                     caps=limits)
            for at, items in enumerate(parts) if items]


def documents(campaigns):
    """Of so many campaigns each that no document is too large."""
    part, items = [], 0
    for one in campaigns:
        part.append(one)
        # A campaign without items is as long as some twenty items are.
        items += len(one["items"]) + 20
        if items > PART_ITEMS:
            yield document(*part)
            part, items = [], 0
    if part:
        yield document(*part)


class Side:
    """A server with so many campaigns, and the requests that it is asked."""

    def __init__(self, server, stubs, item_ids, count, options):
        self.server, self.count = server, count
        self.costs = {kind: [] for kind in KINDS}
        # Promoter names items by a snapshot's; here the request always names them.
        self.promoter = Promoter(stubs, server, None)
        made = campaigns_of(item_ids, count, options.seed)
        began, texts, longest = time.monotonic(), 0, 0.0
        for text in documents(made):
            start = time.monotonic()
            answer = self.promoter.campaigns.ApplyCampaigns(
                stubs.campaign.ApplyCampaignsRequest(document=text), timeout=300)
            if not answer.applied or answer.faults:
                raise SystemExit(f"not applied: {str(answer)[:2_000]}")
            texts, longest = texts + 1, max(longest, time.monotonic() - start)
        self.applied = (f"{len(made):,} in {texts} documents, "
                        f"{time.monotonic() - began:.1f} s, the longest {longest:.1f} s")
        say(f"applied: {self.applied}")
        dice = random.Random(options.seed + 1)
        self.make_bodies(dice, item_ids)
        self.fleet = Fleet()
        self.links = [self.fleet.open(server.port, ended=self.ended) for _ in range(LINKS)]

    def make_bodies(self, dice, item_ids):
        """The same candidates with and without want_boosts; users of both kinds."""
        known = [dice.getrandbits(63) | 1 for _ in range(USERS)]
        self.history = self.allocate_for(known, dice, item_ids)
        self.bodies = {kind: [] for kind in KINDS}
        for _ in range(BODIES):
            items = dice.sample(item_ids, CANDIDATES)
            fresh, old = dice.getrandbits(63) | 1, dice.choice(known)
            self.bodies[KINDS[0]].append(
                self.promoter.request(fresh, items).SerializeToString())
            for kind, user in ((KINDS[1], fresh), (KINDS[2], old)):
                self.bodies[kind].append(
                    self.promoter.request(user, items, want_boosts=True).SerializeToString())

    def allocate_for(self, users, dice, item_ids):
        """Placements of each of the users, three calls each; how many there are."""
        eventually(lambda: self.promoter.allocate(
            dice.getrandbits(63) | 1, dice.sample(item_ids, CANDIDATES), 5).placements, 60)
        placed = 0
        for _ in range(3):
            waiting = [self.promoter.allocations.Allocate.future(
                self.promoter.asking(user, dice.sample(item_ids, CANDIDATES), 5), timeout=60)
                       for user in users]
            placed += sum(len(one.result().placements) for one in waiting)
        say(f"placed: {placed:,}")
        if not placed:
            raise SystemExit("nothing was placed, so that no user has a history")
        return placed

    def ended(self, link, stream):
        if stream.status != 0 or stream.reset is not None:
            raise SystemExit(f"a call ended with {stream.status}: {stream.trailers}")
        self.done += 1
        self.bytes += len(stream.body)
        self.ask(link)

    def ask(self, link):
        if self.asked < self.wanted:
            bodies = self.bodies[self.kind]
            link.call("Score", bodies[self.asked % len(bodies)])
            self.asked += 1

    def run(self, kind, calls):
        """Server CPU microseconds a call, all of them answered OK."""
        self.kind, self.wanted, self.asked, self.done, self.bytes = kind, calls, 0, 0, 0
        cpu = cpu_nanoseconds(self.server.process.pid)
        for link in self.links * STREAMS:
            self.ask(link)
        self.fleet.turn_until(lambda: self.done == calls, 300, kind)
        return (cpu_nanoseconds(self.server.process.pid) - cpu) / 1e3 / calls

    def check(self):
        """Most candidates have a boost, so that what is measured is there."""
        answer = self.promoter.scores.Score(self.promoter.score.ScoreRequest.FromString(
            self.bodies[KINDS[1]][0]))
        self.boosted = sum(boost > 0 for boost in answer.boosts)
        if self.boosted < CANDIDATES // 2:
            raise SystemExit(f"only {self.boosted} of {CANDIDATES} candidates have a boost")

    def idle(self, seconds=2):
        """CPU microseconds a second while nobody asks."""
        cpu = cpu_nanoseconds(self.server.process.pid)
        time.sleep(seconds)
        return (cpu_nanoseconds(self.server.process.pid) - cpu) / 1e3 / seconds

    def close(self):
        self.fleet.close()
        self.promoter.channel.close()


def differences(side, kind):
    """Of each round: what the kind costs more than the plain call."""
    return [more - less for more, less in zip(side.costs[kind], side.costs[KINDS[0]])]


def tell(report, sides):
    for side in sides:
        name = f"{side.count:,} campaigns"
        report.figure(f"{name}: applied", side.applied)
        report.figure(f"{name}: candidates with a boost", f"{side.boosted} of {CANDIDATES}")
        report.figure(f"{name}: placements of users with history", f"{side.history:,}")
        report.figure(f"{name}: idle", f"{side.idle():,.0f} us of CPU a second")
        for kind in KINDS:
            report.figure(f"{name}: {kind}", f"{statistics.median(side.costs[kind]):.1f} us a call")
        for kind in KINDS[1:]:
            more = statistics.median(differences(side, kind))
            report.bar(f"{name}: {kind}, more", f"{more:.1f} us",
                       f"<= {BAR_US} us, aim {AIM_US}", more <= BAR_US)
    few, many = sides
    for kind in KINDS[1:]:
        less = statistics.median(differences(few, kind))
        more = statistics.median(differences(many, kind))
        grown = more / less if less > 0 else float("inf")
        report.bar(f"{kind}: {many.count:,} beside {few.count}", f"{grown:.2f}",
                   f"<= {BAR_GROWTH}", grown <= BAR_GROWTH)


def main():
    options = arguments(__doc__, campaigns=100_000, items=100_000, calls=4_000, rounds=9)
    if options.quick:
        options.campaigns, options.calls, options.rounds = options.campaigns // 10, 400, 3
    if options.campaigns < FEW:
        raise SystemExit(f"--campaigns: at least {FEW}")
    report = Report(f"server CPU of Score, {CANDIDATES} candidates of {options.items:,} items, "
                    f"medians of {options.rounds} rounds of {options.calls:,} calls")
    with work_folder() as folder:
        stubs = generated_stubs(folder / "stubs")
        item_ids = constant_snapshot(folder / "snapshot", options.items)

        def server(name):
            return serving(folder / "snapshot", "--data", folder / name, "--loops", 1, "--shards",
                           1, "--log-level", "error", "--limit",
                           f"messageBytes={DOCUMENT_BYTES}", core=CORES[0])

        with server("few") as first, server("many") as second, on_core(CORES[-1]):
            sides = [Side(first, stubs, item_ids, FEW, options),
                     Side(second, stubs, item_ids, options.campaigns, options)]
            for side in sides:
                side.check()
                for kind in KINDS:
                    side.run(kind, min(options.calls, 500))
            neighbours = Neighbours(second)
            for number in range(options.rounds):
                for side in sides:
                    for kind in KINDS:
                        side.costs[kind].append(side.run(kind, options.calls))
                say(f"round {number + 1} of {options.rounds}")
            neighbours.show(report)
            tell(report, sides)
            for side in sides:
                side.close()
    return report.show()


if __name__ == "__main__":
    raise SystemExit(main())
