"""DiagnoseCampaign: one leading cause, with numbers that add up. What is counted is a sample of the
batches, so that counts are judged by what they are of."""

import datetime
import re
import time

import pytest

import process
import scrape
from promoting import campaign, caps, eventually, instant

BATCHES = 400


def diagnose(promoter, name):
    answer = promoter.campaigns.DiagnoseCampaign(
        promoter.campaign.DiagnoseCampaignRequest(id=name), timeout=process.patience(60))
    causes = promoter.campaign.DiagnoseCampaignResponse.Cause
    assert answer.summary and answer.state.id == name, answer
    counts = {promoter.score.Reason.Name(one.reason)[7:]: one.count for one in answer.reasons}
    return causes.Name(answer.cause)[6:], counts, answer


def modest(name, items, **more):
    """A campaign for which `ask` is demand enough: a hundred exposures, as soon as they come."""
    return campaign(name, items, budget="1.00", **more)


def ask(promoter, count=BATCHES, **fields):
    for at in range(count):
        promoter.boosts(promoter.users[at % 64], **fields)


def test_not_in_flight(promote):
    promoter = promote()
    promoter.apply(campaign("soon", promoter.items[:5],
                            flight={"start": instant(1), "end": instant(2)}))
    ask(promoter)
    cause, counts, _ = diagnose(promoter, "soon")
    assert cause == "NOT_IN_FLIGHT" and set(counts) <= {"NOT_IN_FLIGHT"}, counts


def test_paused(promote):
    promoter = promote()
    promoter.apply(campaign("one", promoter.items[:5]))
    promoter.pause("one")
    assert diagnose(promoter, "one")[0] == "PAUSED"


def test_no_items(promote):
    promoter = promote()
    promoter.apply(campaign("one", ["x:nothing", 404]))
    ask(promoter)
    assert diagnose(promoter, "one")[0] == "NO_ITEMS"


def test_no_demand(promote):
    promoter = promote()
    promoter.apply(campaign("one", promoter.items[:5]), campaign("two", promoter.items[5:50]))
    ask(promoter, items=promoter.items[5:50])
    cause, counts, answer = diagnose(promoter, "one")
    assert cause == "NO_DEMAND" and answer.candidates == 0 and not counts, answer


def test_budget_spent(promote):
    promoter = promote()
    promoter.apply(campaign("one", promoter.items[:5], budget="0.01", cost="0.01"))
    placed, = promoter.allocate().placements
    promoter.report([placed.token])
    ask(promoter)
    assert diagnose(promoter, "one")[0] == "BUDGET_SPENT"


@pytest.mark.parametrize("change, field, reason", [
    (dict(markets=["JP"]), {}, "MARKET"), (dict(surfaces=["home"]), {}, "SURFACE"),
    (dict(tiers=["premium"]), {}, "TIER"), (dict(segments=["run"]), {}, "SEGMENT")])
def test_eligibility(promote, change, field, reason):
    """The rule that removes the most is told, and how often it did."""
    promoter = promote()
    promoter.apply(modest("one", promoter.items[:5], **change))
    ask(promoter, items=promoter.items[:50])
    cause, counts, answer = diagnose(promoter, "one")
    assert cause == "ELIGIBILITY" and set(counts) == {reason}, answer
    # Five candidates in each of the batches.
    assert BATCHES * 5 // 4 < counts[reason] < BATCHES * 5 * 4, answer
    assert counts[reason] == answer.candidates and answer.boosted == 0, answer
    # What it is: an estimate.
    assert answer.sampled_one_in > 1 and counts[reason] % answer.sampled_one_in == 0, answer
    assert "about" in answer.summary and f"one batch in {answer.sampled_one_in}" in answer.summary


def test_caps(promote):
    promoter = promote()
    promoter.apply(modest("one", promoter.items[:5], caps=caps(user_campaign=1)))
    for user in promoter.users:
        placed, = promoter.allocate(user).placements
        promoter.report([placed.token])
    ask(promoter)
    cause, counts, answer = diagnose(promoter, "one")
    assert cause == "CAPS" and max(counts, key=counts.get) == "CAPPED", answer


def test_caps_of_allocations(promote):
    """What only Allocate sees, at the user's shard, counts."""
    promoter = promote()
    promoter.apply(modest("one", promoter.items[:5], caps=caps(user_campaign=1)))
    for user in promoter.users:
        placed, = promoter.allocate(user).placements
        promoter.report([placed.token])
    for at in range(BATCHES):
        assert not promoter.allocate(promoter.users[at % 64], promoter.items[:5]).placements
    cause, counts, answer = diagnose(promoter, "one")
    assert cause == "CAPS" and counts["CAPPED"] > BATCHES * 5 // 4, answer
    assert answer.boosted <= answer.candidates - counts["CAPPED"], answer


def test_ended_with_reservations(promote):
    """Placements that nobody reported are the cause; when they are, its flight is."""
    promoter = promote()
    promoter.apply(campaign("one", promoter.items[:5],
                            flight={"start": instant(-1), "end": instant(3 / 86_400)}))
    tokens = [one.token for one in promoter.allocate(slots=5).placements]
    promoter.report(tokens[:2])
    cause, summary = eventually(lambda: (lambda cause, _, answer: (
        answer.state.status == promoter.campaign.CampaignState.STATUS_ENDED
        and (cause, answer.summary)))(*diagnose(promoter, "one")), 10)
    assert cause == "NOT_REPORTED" and "0.03" in summary and "0.02" in summary, summary
    promoter.report(tokens[2:])
    cause, _, answer = diagnose(promoter, "one")
    assert cause == "NOT_IN_FLIGHT" and "0.05" in answer.summary, answer


def test_outbid(promote):
    promoter = promote()
    promoter.apply(modest("one", promoter.items[:5]), modest("two", promoter.items[:5],
                                                             worth="0.9000"))
    ask(promoter)
    assert diagnose(promoter, "one")[0] == "SCORE"


def test_price(promote):
    """Far behind its plan, and more placed at once than it may catch up with: the price closes
    until the plan allows more."""
    promoter = promote()
    promoter.apply(campaign("one", promoter.items[:9], pacing={"mode": "even"}, budget="6.00",
                            flight={"start": instant(-1), "end": instant(1)}))
    tokens = [one.token for one in promoter.allocate(slots=9).placements]
    assert len(tokens) >= 5
    promoter.report(tokens)
    # A price at which no exposure is worth its cost: worth over cost.
    price = eventually(lambda: promoter.state("one").price, 5)
    assert price > 50
    ask(promoter)
    cause, counts, answer = diagnose(promoter, "one")
    assert cause == "PRICE" and max(counts, key=counts.get) == "PACED", answer
    assert str(price) in answer.summary and answer.state.planned_micros > 2_900_000, answer
    assert "behind its plan" in answer.summary and "falls" not in answer.summary, answer
    # 3 USD a day: 0.01 is 288 s of plan, or 72 s at four times its rate.
    opens = re.search(r"until about (\S+Z)", answer.summary).group(1)
    wait = seconds(opens) - time.time()
    assert 72 * (len(tokens) - 2) - 60 < wait < 72 * len(tokens), answer


def seconds(text):
    """Of 1970, of an RFC 3339 time."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def test_free(promote):
    """What costs nothing has no plan to be behind."""
    promoter = promote("--admin", "127.0.0.1:0")
    promoter.apply(campaign("one", promoter.items[:40], cost="0", pacing={"mode": "traffic"}))
    cause, _, answer = diagnose(promoter, "one")
    assert (cause, answer.placed, answer.state.planned_micros) == ("NO_DEMAND", 0, 0), answer
    assert "planned" not in answer.summary, answer
    tokens = [one.token for user in promoter.users[:4]
              for one in promoter.allocate(user, promoter.items[:40], slots=9).placements]
    assert len(tokens) == 36
    cause, _, answer = diagnose(promoter, "one")
    assert (cause, answer.placed, answer.state.exposures) == ("NOT_REPORTED", 36, 0), answer
    promoter.report(tokens[:9])
    promoter.release(tokens[-1:])
    cause, _, answer = diagnose(promoter, "one")
    assert (cause, answer.placed, answer.state.exposures) == ("NONE", 35, 9), answer
    assert answer.summary.startswith("it costs nothing"), answer
    assert not any(promoter.get("one").planned_series_micros)
    time.sleep(1.2)
    metrics = scrape.Metrics(promoter.server)
    assert metrics.value("crescendo_pace_error", of="largest") == 0


def even(promoter):
    """A campaign that is on its plan by its first exposures."""
    promoter.apply(campaign("one", promoter.items[:5], pacing={"mode": "even"}, budget="1.00",
                            flight={"start": instant(0), "end": instant(3)}))
    return [one.token for one in promoter.allocate(slots=5).placements]


def test_not_reported(promote):
    promoter = promote()
    assert len(even(promoter)) == 5
    assert diagnose(promoter, "one")[0] == "NOT_REPORTED"


def test_nothing_is_wrong(promote):
    promoter = promote()
    promoter.report(even(promoter))
    assert diagnose(promoter, "one")[0] == "NONE"


def test_allocations_are_demand(promote):
    """Their candidates count as those of scores do."""
    promoter = promote()
    promoter.apply(modest("one", promoter.items[:5], markets=["JP"]))
    for at in range(BATCHES):
        assert not promoter.allocate(promoter.users[at % 64], promoter.items[:20]).placements
    cause, counts, answer = diagnose(promoter, "one")
    assert answer.candidates > BATCHES and set(counts) == {"MARKET"}, answer
    assert cause == "ELIGIBILITY", answer
