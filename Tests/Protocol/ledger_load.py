"""Clients of a server that may be killed at any moment, and the account that they keep of what they
were told: what a later server has to agree with, to the byte and the micro."""

import collections
import json
import os
import random
import threading

import grpc

import process
from promoting import CODE, Promoter, campaign, caps

COST = 12_345
LIMITS = {"user_campaign": 2, "user_artist": 3}
NAMES = [f"c-{at}" for at in range(3)]
CLIENTS = 6
# What a call ends with whose server has gone.
GONE = {CODE.UNAVAILABLE, CODE.CANCELLED, CODE.UNKNOWN}


def campaigns(promoter, budget="1000000.00"):
    rules = caps(**LIMITS)
    return [campaign(name, promoter.items[at::3], budget=budget, cost=f"{COST / 1e6:.6f}",
                     caps=rules) for at, name in enumerate(NAMES)]


class Account:
    """All that clients know. `allocated`: request → answer, both as bytes; `asked`: requests whose
    answer did not come; `heard`: tokens whose acknowledgement came; `told`: those without."""

    def __init__(self):
        self.lock = threading.Lock()
        self.allocated, self.asked, self.heard, self.told = {}, set(), set(), set()
        self.wrong = []

    def placements(self, messages):
        """(user, placement) of every answer."""
        for asked, answer in self.allocated.items():
            user = messages.AllocateRequest.FromString(asked).request.user_id
            for one in messages.AllocateResponse.FromString(answer).placements:
                yield user, one

    def note(self, **changes):
        with self.lock:
            for name, values in changes.items():
                getattr(self, name).update(values)

    def check_caps(self, promoter):
        """Nothing is released here, so that every placement counts."""
        counts, artist = collections.Counter(), {}
        for row, item in enumerate(promoter.items):
            artist[item] = row // 4
        for user, one in self.placements(promoter.allocation):
            counts["user_campaign", user, one.campaign_id] += 1
            counts["user_artist", user, artist[one.item_id]] += 1
        over = {name: count for name, count in counts.items() if count > LIMITS[name[0]]}
        assert not over, f"{len(over)} of {len(counts)} caps are exceeded: {over}"
        return len(counts)


class Client(threading.Thread):
    """Allocates and reports until the server is gone. A third of its users are everybody's."""

    def __init__(self, promoter, account, seed, progress):
        super().__init__()
        self.promoter, self.account, self.progress = promoter.another(), account, progress
        self.dice = random.Random(seed)

    def run(self):
        try:
            while True:
                self.turn()
        except grpc.RpcError as error:
            if error.code() not in GONE:
                self.account.wrong.append(error)
        except Exception as error:  # told by whoever waits for the threads
            self.account.wrong.append(error)
        finally:
            self.progress(1 << 60)
            self.promoter.channel.close()

    def turn(self):
        self.progress(0)
        dice, promoter = self.dice, self.promoter
        user = dice.choice(promoter.users[:10]) if dice.random() < 0.3 else dice.getrandbits(64) | 1
        asked = promoter.asking(user, dice.sample(promoter.items, 100), slots=dice.randint(1, 4),
                                name=dice.randbytes(16)).SerializeToString()
        self.account.note(asked=[asked])
        answer = promoter.raw_allocate(asked, timeout=process.patience(60))
        with self.account.lock:
            self.account.asked.discard(asked)
            self.account.allocated[asked] = answer
        tokens = [one.token for one in
                  promoter.allocation.AllocateResponse.FromString(answer).placements]
        if tokens and dice.random() < 0.8:
            self.report(tokens)

    def report(self, tokens):
        """A batch for each; some acknowledgements may come before the end does."""
        self.account.note(told=tokens)
        batches = [self.promoter.batch(at, [token], goal=self.dice.random() < 0.2)
                   for at, token in enumerate(tokens)]
        for answer in self.promoter.deliveries.ReportExposures(
                iter(batches), timeout=process.patience(60)):
            if answer.exceptions:
                self.account.wrong.append(answer)
            done = tokens[:answer.acked_through + 1]
            with self.account.lock:
                self.account.heard.update(done)
                self.account.told.difference_update(done)
            self.progress(answer.settled)


def load_and_kill(promoter, account, seed, acknowledged, turns=1 << 60):
    """Clients at work; SIGKILL once so many exposures have been acknowledged, or so many
    allocations been asked for."""
    reached, counted, begun = threading.Event(), [0], [0]

    def progress(count):
        with account.lock:
            counted[0] += count
            begun[0] += count == 0
        if counted[0] >= acknowledged or begun[0] >= turns:
            reached.set()

    clients = [Client(promoter, account, seed + at, progress) for at in range(CLIENTS)]
    for client in clients:
        client.start()
    waited = reached.wait(process.patience(120))
    promoter.kill()
    for client in clients:
        client.join()
    assert waited and not account.wrong, account.wrong[:3]


def audit(data, account):
    """`crescendo ledger audit`, which has to find nothing, and as much as clients were told."""
    done = process.run("ledger", "audit", "--data", data, "--output", "json")
    assert done.returncode == 0, process.explain(done)
    told = json.loads(done.stdout)
    assert told["clean"] is True and told["finding"] is None, told
    assert sorted(one["campaign"] for one in told["campaigns"]) == NAMES, told
    for one in told["campaigns"]:
        assert one["budget_micros"] == sum(one[f"{where}_micros"] for where in (
            "spent", "reserved", "leased", "left")), one
        assert one["spent_micros"] == one["exposures"] * COST and one["unpaid_micros"] == 0, one
    exposures = sum(one["exposures"] for one in told["campaigns"])
    assert len(account.heard) <= exposures <= len(account.heard) + len(account.told), told
    return told


def check(promoter, account, dice, sample=2_000):
    """A server after a crash, against what clients were told by the one before it."""
    Outcome = promoter.delivery
    # What was answered is answered again; what was not gets its one answer now.
    answered = list(account.allocated.items())
    for asked, answer in dice.sample(answered, min(sample, len(answered))):
        assert promoter.raw_allocate(asked, timeout=process.patience(60)) == answer
    for asked in sorted(account.asked):
        account.allocated[asked] = promoter.raw_allocate(asked, timeout=process.patience(60))
    account.asked.clear()
    # What was acknowledged is there; what was not is paid now, if it was not before.
    heard = sorted(account.heard)
    for at in range(0, len(heard), 5_000):
        again = set(promoter.report(heard[at:at + 5_000]))
        assert again == {Outcome.EXPOSURE_OUTCOME_DUPLICATE}, again
    told = sorted(account.told)
    late = promoter.report(told) if told else []
    assert set(late) <= {Outcome.EXPOSURE_OUTCOME_SETTLED, Outcome.EXPOSURE_OUTCOME_DUPLICATE}, late
    account.heard |= account.told
    account.told.clear()
    account.check_caps(promoter)
    return check_money(promoter, account)


def check_money(promoter, account):
    """Every placement is reserved or settled, none twice; nothing is unpaid."""
    places = [one for _, one in account.placements(promoter.allocation)]
    for name in NAMES:
        state = promoter.state(name)
        mine = [one for one in places if one.campaign_id == name]
        settled = sum(one.token in account.heard for one in mine)
        assert state.exposures == settled, (name, state.exposures, settled)
        assert state.settled_micros == settled * COST, (state, settled)
        assert state.reserved_micros == (len(mine) - settled) * COST, (state, len(mine), settled)
        assert state.unpaid_micros == 0, state
        assert state.settled_micros + state.reserved_micros + state.leased_micros <= \
            state.budget_micros, state
    return len(places), len(account.heard)


def promoter_of(generated, snapshot, data, *arguments):
    server = process.Server(snapshot.folder, "--data", os.fspath(data), *arguments)
    return Promoter(generated, server, snapshot)
