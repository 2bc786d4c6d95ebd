"""One seed of `tools/fuzz storage`: a server, clients, and power cuts, on one data folder."""

import collections
import pathlib
import random
import threading

import grpc

import disk
import ledger_load
import process
from ledger_load import COST, NAMES, Account, audit
from promoting import CODE, Promoter

# Records of a start: on a folder without a ledger, and on one with.
FRESH_START, START = 111, 23
SYNCHRONOUS = ("OFF", "NORMAL")
# What can be broken on purpose: what the disk forgets, or how SQLite is told to sync.
BROKEN = disk.FORGETS + SYNCHRONOUS


class Owner:
    """Changes campaigns, and keeps what they may be: what was answered, and what was asked for
    since. `budgets` are versions; 0 = not applied."""

    def __init__(self, dice, base):
        self.dice, self.base = dice, base
        self.version, self.versions, self.pauses = 0, {0}, {False}

    def micros(self, version):
        return self.base + version * COST

    def apply(self, promoter):
        self.version += 1
        self.versions.add(self.version)
        promoter.apply(*ledger_load.campaigns(
            promoter, budget=f"{self.micros(self.version) / 1e6:.6f}"))
        self.versions = {self.version}

    def change(self, promoter):
        if self.dice.random() < 0.5:
            return self.apply(promoter)
        wanted = self.dice.random() < 0.5
        self.pauses.add(wanted)
        promoter.pause(NAMES[-1], resume=not wanted)
        self.pauses = {wanted}

    def check(self, promoter):
        """One of the states that it may have; all campaigns of a document change together."""
        found = []
        for name in NAMES:
            try:
                found.append(promoter.state(name))
            except grpc.RpcError as error:
                if error.code() != CODE.NOT_FOUND:
                    raise
        if not found:
            assert 0 in self.versions, f"applied campaigns are gone: {self.versions}"
            self.versions = {0}
            return self.apply(promoter)
        assert len(found) == len(NAMES), f"{len(found)} of {len(NAMES)} campaigns are there"
        budgets = {state.budget_micros for state in found}
        matching = {one for one in self.versions if one and budgets == {self.micros(one)}}
        assert matching, f"budgets {budgets}, wanted one of {self.versions} over {self.base}"
        paused = found[-1].status == promoter.campaign.CampaignState.STATUS_PAUSED
        assert paused in self.pauses, f"{NAMES[-1]} is paused: {paused}, wanted {self.pauses}"
        self.versions, self.pauses = matching, {paused}


class Caller(ledger_load.Client):
    """Besides what is new: asks again and reports again, for what earlier servers were asked."""

    def __init__(self, promoter, account, seed, owner=None):
        super().__init__(promoter, account, seed, lambda count: None)
        self.owner = owner
        # Nobody else has these in hand.
        self.unanswered, self.unheard = sorted(account.asked), sorted(account.told)

    def turn(self):
        match self.dice.randrange(20):
            case 0 if self.owner:
                self.owner.change(self.promoter)
            case 1 | 2 if self.account.allocated:
                with self.account.lock:
                    asked = self.dice.choice(list(self.account.allocated))
                self.ask(asked)
            case 3 | 4 if self.unanswered:
                self.ask(self.dice.choice(self.unanswered))
            case 5 | 6 if self.account.heard:
                with self.account.lock:
                    token = self.dice.choice(list(self.account.heard))
                self.tell(token, {self.promoter.delivery.EXPOSURE_OUTCOME_DUPLICATE})
            case 7 | 8 if self.owner and self.unheard:
                self.tell(self.unheard.pop(), {
                    self.promoter.delivery.EXPOSURE_OUTCOME_DUPLICATE,
                    self.promoter.delivery.EXPOSURE_OUTCOME_SETTLED})
            case _:
                super().turn()

    def ask(self, asked):
        answer = self.promoter.raw_allocate(asked, timeout=process.patience(60))
        with self.account.lock:
            before = self.account.allocated.setdefault(asked, answer)
            self.account.asked.discard(asked)
        assert before == answer, "one request has two answers"

    def tell(self, token, allowed):
        outcome, = self.promoter.report([token])
        assert outcome in allowed, f"outcome {outcome}, wanted one of {allowed}"
        with self.account.lock:
            self.account.heard.add(token)
            self.account.told.discard(token)


class World:
    """`counts`: what has happened, for the summary."""

    def __init__(self, generated, snapshot, library, folder, seed, broken=None):
        self.generated, self.snapshot, self.library = generated, snapshot, library
        self.data, self.log = folder / "data", folder / "log"
        self.dice, self.account, self.counts = random.Random(seed), Account(), collections.Counter()
        forgets = broken if broken in disk.FORGETS else None
        self.disk = disk.Disk(self.data, forgets)
        # A small budget is used up, and has to hold.
        exposures = self.dice.choice([1_000_000, 1_000_000, self.dice.randint(20, 60)])
        self.owner = Owner(self.dice, exposures * COST)
        # A log of few pages is copied into the file often, and begun again.
        self.sql = self.dice.choice(["", f"PRAGMA wal_autocheckpoint = {self.dice.randint(4, 40)}"])
        if broken in SYNCHRONOUS:
            self.sql += f"; PRAGMA synchronous = {broken}"
        # An end at a sync would never come.
        self.syncs = broken != "OFF"
        self.arguments = ["--data", self.data, "--shards", self.dice.randint(1, 3), "--loops", 1]

    def run(self):
        for left in reversed(range(self.dice.choice([1, 1, 1, 2, 2, 3, 5]))):
            self.crash()
            # A process that dies alone leaves what it wrote to the kernel, synced or not.
            if left and self.dice.random() < 0.25:
                self.counts["kills"] += 1
            else:
                self.cut()
        self.finish()
        return self.counts

    def server(self, stop):
        return process.Server(self.snapshot.folder, *self.arguments, wrapper=disk.environment(
            self.library, self.data, self.log, stop, self.dice.choice([0, 200, 2_000]), self.sql))

    def stop(self):
        """When a process ends: in its start, about a sync, or anywhere."""
        is_fresh = not (self.data / "ledger.sqlite-wal").exists()
        chance = self.dice.random()
        if chance < 0.3:
            return f"*:{self.dice.randint(1, FRESH_START if is_fresh else START)}"
        if chance < 0.6 and self.syncs:
            return f"{self.dice.choice('BE')}:{self.dice.randint(1, 40)}"
        return f"*:{self.dice.randint(1, 500)}"

    def crash(self):
        """A server and its clients until the end that was chosen."""
        stop = self.stop()
        story, server = "", None
        try:
            server = self.server(stop)
        except AssertionError as error:
            story = str(error)
            self.counts["starts"] += 1
        if server:
            try:
                self.load(server)
            finally:
                server.kill()
            story = server.story()
        if "disk log: " in story:
            raise disk.HarnessFault(story)
        events = disk.read(self.log)
        assert events and events[-1].kind == "S", f"it ended before {stop}: {story}"
        self.counts["crashes"] += 1
        self.play(events)

    def load(self, server):
        promoter = Promoter(self.generated, server, self.snapshot)
        before = len(self.account.heard)
        try:
            self.owner.check(promoter)
        except grpc.RpcError as error:
            assert error.code() in ledger_load.GONE, error
        else:
            callers = [Caller(promoter, self.account, self.dice.getrandbits(32),
                              None if at else self.owner) for at in range(2)]
            for caller in callers:
                caller.start()
            for caller in callers:
                caller.join(process.patience(120))
                if caller.is_alive():
                    raise disk.HarnessFault("a client has not ended" + server.story())
        finally:
            promoter.channel.close()
        server.process.wait(process.patience(60))
        self.counts["acknowledged"] += len(self.account.heard) - before
        wrong, self.account.wrong = self.account.wrong, []
        assert not wrong, wrong[:3]

    def play(self, events):
        self.counts["calls"] += len(events)
        self.counts["syncs"] += sum(event.kind == "E" for event in events)
        self.disk.play(events)

    def cut(self):
        damage = self.disk.cut(self.dice)
        self.counts["cuts"] += 1
        self.counts["lost sectors"] += damage.lost
        self.counts["torn cuts"] += damage.lost > 0 and damage.kept > 0

    def finish(self):
        """A server that runs to its end, against all that clients were told; then the same of the
        disk alone."""
        server = self.server("-")
        promoter = Promoter(self.generated, server, self.snapshot)
        try:
            self.owner.check(promoter)
            ledger_load.check(promoter, self.account, self.dice)
            # What was answered and never reported can be reported.
            rest = [one.token for _, one in self.account.placements(promoter.allocation)
                    if one.token not in self.account.heard]
            late = set(promoter.report(rest)) if rest else set()
            assert late <= {promoter.delivery.EXPOSURE_OUTCOME_SETTLED}, late
            self.account.heard.update(rest)
            placed, settled = ledger_load.check_money(promoter, self.account)
            assert placed == settled
            if self.owner.base < 100 * COST:
                budgets = sum(self.owner.micros(one) for one in self.owner.versions) * len(NAMES)
                assert placed * COST <= budgets, (placed, budgets)
            promoter.stop()
        finally:
            promoter.channel.close()
            server.kill()
        self.counts["allocations"] += len(self.account.allocated)
        self.counts["exposures"] += settled
        self.play(disk.read(self.log))
        audit(self.data, self.account)
        self.cut()
        audit(self.data, self.account)

