"""Campaigns from a client's side: documents, and all four services through stock grpcio."""

import hashlib
import json
import os
import threading
import time

import grpc
import numpy as np

import process
import snapshots

DAY = 86_400
CODE = grpc.StatusCode


def shelf(folder, seed, items=600, users=64):
    """Four items of an artist, two of a release; `default` gives probabilities, `raw` raw sums."""
    parts = snapshots.small_parts(seed, item_count=items, user_count=users)
    parts["items"]["artist"] = np.arange(items, dtype=np.int64) // 4 + 1
    parts["items"]["release"] = np.arange(items, dtype=np.int64) // 2 + 1
    declared = parts["manifest"]["models"][0]
    parts["manifest"]["models"].append(
        {**declared, "name": "raw", "file": "models/raw.txt", "output": "raw"})
    parts["models"]["raw"] = parts["models"]["default"]
    parts["manifest"]["version"] = f"shelf-{seed}"
    return snapshots.write(folder, **parts)


def key(campaign):
    """As answers name a campaign."""
    return int.from_bytes(hashlib.sha256(campaign.encode()).digest()[:8], "little")


def instant(days):
    """RFC 3339, so many days from now."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + days * DAY))


def campaign(name, items, *, budget="1000.00", cost="0.0100", worth="0.5000", **more):
    """One that runs now, and whose price pacing leaves alone, unless `more` says otherwise."""
    return {"id": name, "items": [str(item) for item in items],
            "flight": {"start": instant(-1), "end": instant(30)}, "budget": {"amount": budget},
            "cost": {"per": "exposure", "amount": cost}, "worth": {"per": "goal", "amount": worth},
            "pacing": {"mode": "asap"}, **more}


def caps(**limits):
    """`caps(user_artist=2)`: two within a day."""
    return [{"scope": scope, "limit": limit, "window": "1d"} for scope, limit in limits.items()]


def document(*campaigns, currency="USD", **policy):
    """A campaign file; a key a line, so that a fault's line says which it was."""
    lines = [f"currency: {currency}"]
    lines += [f"{name}: {json.dumps(value)}" for name, value in policy.items()]
    if campaigns:
        lines.append("campaigns:")
    for one in campaigns:
        for at, (name, value) in enumerate(one.items()):
            lines.append(("    ", "  - ")[at == 0] + f"{name}: {json.dumps(value)}")
    return "\n".join(lines) + "\n"


def at_once(count, work):
    """`work(number)` on as many threads, all let go at the same moment; what they returned."""
    gate, results, failures = threading.Barrier(count), [None] * count, []

    def run(number):
        try:
            gate.wait(process.patience(60))
            results[number] = work(number)
        except Exception as error:  # told below, with the others
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, f"{len(failures)} of {count} failed: {failures[0]!r}"
    return results


class Promoter:
    """One channel to a server. Messages are made by `score`, `campaign`, `allocation`, `delivery`;
    calls that fail raise grpc.RpcError."""

    def __init__(self, generated, server, snapshot):
        self.generated, self.server, self.snapshot = generated, server, snapshot
        self.score, self.campaign = generated.score, generated.campaign
        self.allocation, self.delivery = generated.allocation, generated.delivery
        self.channel = grpc.insecure_channel(server.target, options=[
            ("grpc.max_receive_message_length", 64 << 20), ("grpc.use_local_subchannel_pool", 1),
            ("grpc.max_send_message_length", 64 << 20)])
        self.scores = generated.score_rpc.PromotionScoreServiceStub(self.channel)
        self.campaigns = generated.campaign_rpc.CampaignServiceStub(self.channel)
        self.allocations = generated.allocation_rpc.PromotionAllocationServiceStub(self.channel)
        self.deliveries = generated.delivery_rpc.PromotionDeliveryServiceStub(self.channel)
        self.raw_allocate = self.channel.unary_unary(
            "/crescendo.v1.PromotionAllocationService/Allocate")

        self.has_ended = False

    def stop(self):
        """Ends the server with SIGTERM, which it has to obey, unless it was ended before."""
        self.channel.close()
        if not self.has_ended:
            self.has_ended = True
            self.server.stop()

    def kill(self):
        """Ends it with SIGKILL; it must have run until then."""
        self.server.check()
        self.has_ended = True
        self.server.kill()
        self.channel.close()

    def another(self):
        """The same on a connection of its own."""
        return Promoter(self.generated, self.server, self.snapshot)

    @property
    def items(self):
        return [int(one) for one in self.snapshot.items.ids]

    @property
    def users(self):
        return [int(one) for one in self.snapshot.users.ids]

    # MARK: Campaigns

    def send(self, text, dry_run=False):
        """What an apply is answered, whatever it is."""
        return self.campaigns.ApplyCampaigns(
            self.campaign.ApplyCampaignsRequest(document=text, dry_run=dry_run),
            timeout=process.patience(60))

    def apply(self, *campaigns, **policy):
        """Applies them; without faults, or it fails."""
        answer = self.send(document(*campaigns, **policy))
        assert answer.applied and not answer.faults, answer
        return answer

    def get(self, name):
        return self.campaigns.GetCampaign(
            self.campaign.GetCampaignRequest(id=name), timeout=process.patience(60))

    def state(self, name):
        return self.get(name).state

    def pause(self, name, resume=False):
        return self.campaigns.PauseCampaign(
            self.campaign.PauseCampaignRequest(id=name, resume=resume),
            timeout=process.patience(60)).state

    # MARK: Scores

    def request(self, user=None, items=None, *, market="SE", surface="radio", tier="free",
                segments=(), **fields):
        made = self.score.ScoreRequest(
            user_id=self.users[0] if user is None else user,
            item_ids=self.items if items is None else items, request_id="r", **fields)
        made.context.market, made.context.surface, made.context.tier = market, surface, tier
        made.context.segments.extend(segments)
        return made

    def boosts(self, *arguments, **fields):
        return self.scores.Score(self.request(*arguments, want_boosts=True, **fields),
                                 timeout=process.patience(60))

    # MARK: Allocation

    def asking(self, user=None, items=None, slots=1, name=None, **fields):
        return self.allocation.AllocateRequest(
            request_id=os.urandom(16) if name is None else name, slots=slots,
            request=self.request(user, items, **fields))

    def allocate(self, *arguments, **fields):
        return self.allocations.Allocate(
            self.asking(*arguments, **fields), timeout=process.patience(60))

    def release(self, tokens):
        return list(self.allocations.Release(
            self.allocation.ReleaseRequest(tokens=tokens), timeout=process.patience(60)).outcomes)

    # MARK: Delivery

    def batch(self, sequence, tokens, goal=False, when=0):
        return self.delivery.ReportExposuresRequest(sequence=sequence, exposures=[
            self.delivery.Exposure(token=token, goal=goal, time_unix_ms=when)
            for token in tokens])

    def report(self, tokens, goal=False, when=0):
        """One batch in a call of its own: an ExposureOutcome for each token."""
        answer, = self.deliveries.ReportExposures(
            iter([self.batch(1, tokens, goal, when)]), timeout=process.patience(60))
        outcomes = [self.delivery.EXPOSURE_OUTCOME_SETTLED] * len(tokens)
        for one in answer.exceptions:
            assert one.sequence == 1 and outcomes[one.index] == 1, answer
            outcomes[one.index] = one.outcome
        assert answer.acked_through == 1 and outcomes.count(1) == answer.settled, answer
        return outcomes


def spread(answer, reasons="boost_reasons", everyone="all_boost_reason"):
    """The reason of each candidate's boost."""
    column = list(getattr(answer, reasons))
    return column or [getattr(answer, everyone)] * len(answer.scores)


def refused(call, code, word=""):
    """The error that `call` ends with: `code`, and `word` in its text."""
    try:
        answer = call()
    except grpc.RpcError as error:
        assert error.code() == code and word in error.details(), error
        return error
    raise AssertionError(f"wanted {code}, got {answer}")


def eventually(reached, seconds=1):
    """Asks until `reached` answers something, which it has to within `seconds`."""
    limit = time.monotonic() + process.patience(seconds)
    while True:
        answer = reached()
        if answer:
            return answer
        assert time.monotonic() < limit, f"not within {seconds} s"
