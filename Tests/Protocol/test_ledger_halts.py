"""A ledger whose disk is full: it says so everywhere, boosts end, scoring goes on; and once there is
room it goes on by itself, with nothing lost and nothing twice."""

import json
import os
import resource
import time

import pytest

import process
import promoting
import scrape
from promoting import CODE, Promoter, campaign, document, eventually, refused, spread

# The server becomes a child whose writes beyond its limit fail, instead of ending it.
WRAPPER = ("sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh")
SCORES = ["", "crescendo.v1.PromotionScoreService", "grpc.health.v1.Health"]
LEDGERS = ["crescendo.v1.PromotionAllocationService", "crescendo.v1.PromotionDeliveryService",
           "crescendo.v1.CampaignService"]


class Disk:
    """What a server may write: as much as its ledger's log has now, or without a bound."""

    def __init__(self, server, data):
        self.pid, self.log = server.process.pid, data / "ledger.sqlite-wal"
        self.bound = resource.prlimit(self.pid, resource.RLIMIT_FSIZE)

    def fill(self):
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE,
                         (os.path.getsize(self.log), self.bound[1]))

    def free(self):
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, self.bound)


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def promoter(generated, shelf, data):
    server = process.Server(shelf.folder, "--data", data, "--loops", 2, "--shards", 2, "--admin",
                            "127.0.0.1:0", wrapper=WRAPPER)
    made = Promoter(generated, server, shelf)
    made.apply(campaign("one", made.items[:50]))
    yield made
    made.stop()


def health(generated, promoter):
    return generated.health_rpc.HealthStub(promoter.channel)


def serving(generated, promoter):
    """Service → whether it is SERVING."""
    answers = {}
    for name in SCORES + LEDGERS:
        answer = health(generated, promoter).Check(
            generated.health.HealthCheckRequest(service=name), timeout=process.patience(20))
        answers[name] = answer.status == generated.health.HealthCheckResponse.SERVING
    return answers


def state(server):
    metrics = scrape.Metrics(server)
    return {name for name in ("serving", "waiting", "stopped")
            if metrics.value("crescendo_ledger_state", state=name) == 1}, metrics


def test_a_disk_that_is_full_for_a_while(generated, promoter, data):
    items, reasons = promoter.items[:50], promoter.score
    server, disk = promoter.server, Disk(promoter.server, data)
    first, = promoter.allocate(items=items).placements
    assert any(promoter.boosts(items=items).boosts)
    watched = health(generated, promoter).Watch(
        generated.health.HealthCheckRequest(service=LEDGERS[0]), timeout=process.patience(60))
    told = generated.health.HealthCheckResponse
    assert next(watched).status == told.SERVING
    assert all(serving(generated, promoter).values()) and state(server)[0] == {"serving"}
    assert scrape.get(server, "/readyz")[2] == "SERVING\n"

    disk.fill()
    asked = promoter.asking(items=items)
    refused(lambda: promoter.allocations.Allocate(asked, timeout=20), CODE.UNAVAILABLE, "ledger")
    assert next(watched).status == told.NOT_SERVING
    assert serving(generated, promoter) == {**dict.fromkeys(SCORES, True),
                                            **dict.fromkeys(LEDGERS, False)}
    status, _, body = scrape.get(server, "/readyz")
    assert status == 200 and body.startswith("SERVING\n") and LEDGERS[1] in body, body
    states, metrics = state(server)
    assert states == {"waiting"} and metrics.value("crescendo_ledger_halts_total") == 1
    eventually(lambda: set(spread(promoter.boosts(items=items))) == {reasons.REASON_BUDGET_SPENT})
    assert not any(promoter.boosts(items=items).boosts)
    for call in (lambda: promoter.report([first.token]), lambda: promoter.release([first.token]),
                 lambda: promoter.pause("one"), promoter.allocate):
        refused(call, CODE.UNAVAILABLE, "ledger")
    # What is known is told, and why nothing is spent most of all.
    assert promoter.state("one").budget_micros == 1_000_000_000
    assert listed(promoter) == ["one"]
    found = promoter.campaigns.DiagnoseCampaign(
        promoter.campaign.DiagnoseCampaignRequest(id="one"), timeout=20)
    assert found.cause == promoter.campaign.DiagnoseCampaignResponse.CAUSE_LEDGER, found
    assert "waits for its storage" in found.summary and found.placed >= 1, found
    line, = [one for one in server.stderr().splitlines() if "waits for its storage" in one]
    assert "SQLite" in line and "boosts are 0" in line, line

    disk.free()
    assert next(watched).status == told.SERVING
    assert all(serving(generated, promoter).values()) and state(server)[0] == {"serving"}
    # What it was asked for is durable now: asked again, it is the same, once.
    placed = promoter.allocations.Allocate(asked, timeout=20)
    assert len(placed.placements) == 1
    assert promoter.state("one").reserved_micros == 2 * 10_000
    tokens = [first.token, placed.placements[0].token]
    assert promoter.report(tokens) == [promoter.delivery.EXPOSURE_OUTCOME_SETTLED] * 2
    eventually(lambda: any(promoter.boosts(items=items).boosts))
    assert server.stderr().count("the ledger goes on") == 1
    promoter.stop()
    done = process.run("ledger", "audit", "--data", data, "--output", "json")
    assert done.returncode == 0, process.explain(done)
    told = json.loads(done.stdout)
    assert told["clean"] is True and told["campaigns"][0]["spent_micros"] == 20_000, told


def test_a_change_whose_answer_was_that_it_is_not_durable(promoter, data):
    """It is taken up when it is, as if its answer had been lost."""
    disk = Disk(promoter.server, data)
    # Not in the ledger's own notes, which come with its first ticks, but in the change itself.
    eventually(lambda: is_quiet(promoter.server), 10)
    disk.fill()
    refused(lambda: promoter.send(document(campaign("two", promoter.items[50:60]))),
            CODE.UNAVAILABLE, "ledger")
    disk.free()
    eventually(lambda: listed(promoter) == ["one", "two"], 5)
    wanted = promoting.key("two")
    eventually(lambda: wanted in promoter.boosts(items=promoter.items[50:60]).campaign_keys)


def is_quiet(server):
    """Whether nothing is committed for two ticks."""
    before = scrape.Metrics(server).value("crescendo_ledger_commits_total")
    time.sleep(1.1)
    return scrape.Metrics(server).value("crescendo_ledger_commits_total") == before


def listed(promoter):
    """Ids of all campaigns."""
    answer = promoter.campaigns.ListCampaigns(promoter.campaign.ListCampaignsRequest())
    return [one.id for one in answer.campaigns]


def test_the_time_of_commits(promoter):
    """As a histogram, and the longest of late, which stays when nothing is committed."""
    before = scrape.Metrics(promoter.server)
    assert before.value("crescendo_ledger_commit_seconds_count") >= 1
    assert 0 < before.value("crescendo_ledger_commit_seconds_sum") < 60
    count = before.value("crescendo_ledger_commit_seconds_count")
    for _ in range(5):
        promoter.allocate()
    metrics = scrape.Metrics(promoter.server)
    assert metrics.value("crescendo_ledger_commit_seconds_count") >= count + 5

    def longest():
        return scrape.Metrics(promoter.server).value("crescendo_ledger_commit_seconds_largest")

    seen = eventually(longest, 3)
    assert 0 < seen < 60
    # A tick later, and one more.
    time.sleep(1.2)
    assert longest() > 0
