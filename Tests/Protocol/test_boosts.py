"""Scores with want_boosts: the number, why it is zero, whose it is; the same by all three calls."""

import hashlib

import numpy as np
import pytest

import process
from promoting import (CODE, campaign, caps, eventually, instant, key, refused, spread)

RADIO = {"scale_micros": 2_000, "surfaces": {"radio": {"weight": 0.75, "cap": 50.0},
                                             "home": {"weight": 3, "cap": 0.125}}}


def bits(values):
    return np.array(values, np.float32).view(np.uint32).tolist()


def columns(answer):
    return (bits(answer.boosts), list(answer.campaign_keys), spread(answer))


def formula(score, *, worth, price=0.0, cost, weight, scale, cap):
    """In double, left to right, rounded once."""
    gain = score * worth - price * cost
    boost = weight * max(0.0, gain) / scale
    return np.float32(min(max(boost, 0.0), cap))


def mixed(promoter):
    """Campaigns of every kind, and the request that meets them."""
    items = promoter.items
    promoter.apply(
        campaign("a", items[:40]), campaign("b", items[20:60], worth="0.7000"),
        campaign("c", items[50:90], markets=["NO"]),
        campaign("d", items[90:100], tiers=["premium"]), campaign("e", items[100:120], caps=caps(user_campaign=1)), boost=RADIO,
        holdout={"salt": "h", "percent": 25})
    for user in promoter.users[:20]:
        promoter.allocate(user, items[100:110])


# MARK: Three calls

def test_all_calls_say_the_same(promote):
    """StreamScores and ScoreMany as Score, by every user, with unknown items among them."""
    promoter = promote("--fanout", "always", "--shards", 3)
    mixed(promoter)
    keys = promoter.items[:120] + [5, 6] + promoter.items[:30]
    requests = [promoter.request(user, keys, want_boosts=True)
                for user in promoter.users + [0, 12345]]
    wanted = [promoter.scores.Score(one) for one in requests]
    assert len({tuple(spread(one)) for one in wanted}) > 2
    for request, answer in zip(requests, wanted):
        parts = list(promoter.scores.StreamScores(request))
        joined = {}
        for part in parts:
            made = zip(part.positions, *columns(part.part), strict=True)
            joined.update({at: rest for at, *rest in made})
            assert part.part.provenance.arm == answer.provenance.arm
            assert part.part.provenance.boost_scale == "micros:2000"
        assert [joined[at] for at in range(len(keys))] == [list(one) for one in
                                                           zip(*columns(answer))]
    items = (promoter.score.ScoreManyRequest(sequence=at, request=one)
             for at, one in enumerate(requests))
    many = {one.sequence: one for one in promoter.scores.ScoreMany(items)}
    for at, answer in enumerate(wanted):
        assert many[at].status_code == 0 and columns(many[at].response) == columns(answer)
        assert many[at].response.provenance.arm == answer.provenance.arm


def test_without_wanting_there_are_none(promote):
    promoter = promote()
    mixed(promoter)
    answer = promoter.scores.Score(promoter.request())
    assert not answer.boosts and not answer.campaign_keys and not answer.boost_reasons
    assert not answer.all_boost_reason and not answer.explanations


def test_empty_batch(promote):
    promoter = promote()
    mixed(promoter)
    answer = promoter.boosts(items=[])
    assert not answer.boosts and not answer.boost_reasons and not answer.campaign_keys
    assert answer.provenance.boost_scale == "micros:2000"


def test_a_raw_model_cannot_be_boosted(promote):
    promoter = promote()
    mixed(promoter)
    error = refused(lambda: promoter.boosts(model="raw"), CODE.INVALID_ARGUMENT, "model")
    assert "raw" in error.details()
    refused(lambda: promoter.allocate(model="raw"), CODE.INVALID_ARGUMENT, "model")
    refused(lambda: promoter.scores.Score(promoter.request(want_explanations=True)),
            CODE.INVALID_ARGUMENT, "want_boosts")


# MARK: Reasons

def test_reasons(promote):
    """Every zero has its reason, and every campaign that is not for a request another one."""
    promoter = promote()
    items, score = promoter.items, promoter.score
    tenth = [items[at:at + 5] for at in range(0, 60, 5)]
    promoter.apply(
        campaign("ok", tenth[0]), campaign("market", tenth[1], markets=["NO", "US"]),
        campaign("surface", tenth[2], surfaces=["home"]),
        campaign("tier", tenth[3], tiers=["premium"]),
        campaign("segment", tenth[4], segments=["run", "gym"]),
        campaign("later", tenth[5], flight={"start": instant(1), "end": instant(2)}),
        campaign("capped", tenth[6], caps=caps(user_campaign=1)),
        campaign("spent", tenth[7], budget="0.01", cost="0.01"),
        campaign("worthless", tenth[8], worth="0"), campaign("off", tenth[9]),
        boost=RADIO)
    promoter.pause("off")
    assert promoter.allocate(items=tenth[6]).placements
    placed, = promoter.allocate(items=tenth[7]).placements
    promoter.report([placed.token])
    wanted = {"ok": score.REASON_OK, "market": score.REASON_MARKET,
              "surface": score.REASON_SURFACE, "tier": score.REASON_TIER,
              "segment": score.REASON_SEGMENT, "later": score.REASON_NOT_IN_FLIGHT,
              "capped": score.REASON_CAPPED, "spent": score.REASON_BUDGET_SPENT,
              "worthless": score.REASON_WORTHLESS, "off": score.REASON_PAUSED}
    keys = sum(tenth[:10], []) + tenth[10] + [5, 6, 7, 8, 9]
    expected = sum([[reason] * 5 for reason in wanted.values()], [])
    expected += [score.REASON_NO_CAMPAIGN] * 5 + [score.REASON_UNKNOWN_ITEM] * 5
    eventually(lambda: spread(promoter.boosts(items=tenth[7])) == [score.REASON_BUDGET_SPENT] * 5)
    answer = promoter.boosts(items=keys)
    assert list(answer.boost_reasons) == expected and not answer.all_boost_reason
    names = sum([[key(name)] * 5 for name in wanted], []) + [0] * 10
    assert list(answer.campaign_keys) == names
    for boost, name in zip(answer.boosts, sum([[name] * 5 for name in wanted], []) + [""] * 10):
        assert (boost > 0) == (name == "ok"), (name, boost)
    # The same from the other side: who meets the rule is boosted.
    for index, fields in {1: dict(market="US"), 2: dict(surface="home"), 3: dict(tier="premium"),
                          4: dict(segments=["other", "gym"])}.items():
        other = promoter.boosts(items=tenth[index], **fields)
        assert other.all_boost_reason == score.REASON_OK and min(other.boosts) > 0, other
    # A cap is one user's, and an anonymous user has nothing to count by.
    assert promoter.boosts(promoter.users[1], tenth[6]).all_boost_reason == score.REASON_OK
    assert promoter.boosts(0, tenth[6]).all_boost_reason == score.REASON_CAPPED
    assert promoter.boosts(0, tenth[0]).all_boost_reason == score.REASON_OK


def test_paced(promote):
    """Ahead of its plan a campaign costs more than it is worth; without a plan it does not."""
    promoter = promote()
    state, score = promoter.campaign.CampaignState, promoter.score
    # Two a minute, and some more at first.
    promoter.apply(campaign("one", promoter.items[:40], budget="120.00", cost="0.10",
                            flight={"start": instant(0), "end": instant(10 / 24)},
                            pacing={"mode": "even"}), boost=RADIO)
    for user in promoter.users[:8]:
        promoter.allocate(user, slots=4)

    def paced():
        answer = promoter.boosts(items=promoter.items[:40])
        return answer if answer.all_boost_reason == score.REASON_PACED else None

    answer = eventually(paced, 5)
    assert not any(answer.boosts), answer
    assert set(answer.campaign_keys) == {key("one")}
    placed = promoter.allocate(promoter.users[9], promoter.items[:40], slots=4)
    assert not placed.placements and placed.unfilled_reason == score.REASON_PACED, placed
    told = promoter.state("one")
    assert told.price > 0 and told.status == state.STATUS_RUNNING
    assert told.planned_micros < told.reserved_micros < told.budget_micros, told
    # Paced or not, one without a plan is not held back.
    promoter.apply(campaign("one", promoter.items[:40], budget="120.00", cost="0.10"))
    eventually(lambda: promoter.boosts(items=promoter.items[:40]).all_boost_reason
               == score.REASON_OK, 5)


def test_flights_are_half_open(promote):
    """By the time of the request, to the millisecond."""
    promoter = promote()
    promoter.apply(campaign("one", promoter.items[:5]))
    state, score = promoter.state("one"), promoter.score
    for moment, reason in ((state.start_unix_ms - 1, score.REASON_NOT_IN_FLIGHT),
                           (state.start_unix_ms, score.REASON_OK),
                           (state.end_unix_ms - 1, score.REASON_OK),
                           (state.end_unix_ms, score.REASON_NOT_IN_FLIGHT),
                           (1, score.REASON_NOT_IN_FLIGHT),
                           ((1 << 63) - 1, score.REASON_NOT_IN_FLIGHT),
                           (-(1 << 63), score.REASON_NOT_IN_FLIGHT)):
        request = promoter.request(items=promoter.items[:5], want_boosts=True)
        request.context.time_unix_ms = moment
        assert promoter.scores.Score(request).all_boost_reason == reason, moment


def test_segments_are_bounded(promote):
    promoter = promote()
    promoter.apply(campaign("one", promoter.items[:5], segments=["s63"]))
    names = [f"s{at}" for at in range(65)]
    answer = promoter.boosts(items=promoter.items[:5], segments=names[:64])
    assert answer.all_boost_reason == promoter.score.REASON_OK
    refused(lambda: promoter.boosts(segments=names), CODE.INVALID_ARGUMENT, "segments")


@pytest.mark.parametrize("scope, size", [("user_artist", 4), ("user_release", 2)])
def test_caps_by_artist_and_release(promote, scope, size):
    """One exposure caps its whole group, and nothing else; over all campaigns that cap by it."""
    promoter = promote()
    promoter.apply(campaign("one", promoter.items[:40:2], caps=caps(**{scope: 1})),
                   campaign("two", promoter.items[1:41:2], caps=caps(**{scope: 1})),
                   campaign("free", promoter.items[40:80]))
    user, ok, capped = promoter.users[0], promoter.score.REASON_OK, promoter.score.REASON_CAPPED
    placed, = promoter.allocate(user, promoter.items[8:12]).placements
    group = (8 + placed.position) // size
    answer = promoter.boosts(user, promoter.items[:80])
    assert spread(answer) == [capped if at // size == group else ok for at in range(80)]
    assert promoter.release([placed.token]) == [promoter.allocation.RELEASE_OUTCOME_RELEASED]
    assert promoter.boosts(user, promoter.items[:80]).all_boost_reason == ok


# MARK: Which campaign

def test_the_largest_gain_wins_and_ties_go_by_id(promote):
    """Two hundred campaigns of the same items, in no order, some of equal worth."""
    promoter = promote()
    names = sorted((f"c-{at}" for at in range(200)), key=lambda one: hashlib.sha256(
        one.encode()).digest())
    worth = {name: f"0.{500 + at % 5}" for at, name in enumerate(names)}
    promoter.apply(*[campaign(name, promoter.items[:9], worth=worth[name]) for name in names],
                   boost=RADIO)
    best = min(name for name in names if worth[name] == "0.504")
    answer = promoter.boosts(items=promoter.items[:9])
    assert list(answer.campaign_keys) == [key(best)] * 9
    promoter.pause(best)
    second = min(name for name in names if worth[name] == "0.504" and name != best)
    eventually(lambda: list(promoter.boosts(items=promoter.items[:9]).campaign_keys)
               == [key(second)] * 9)


@pytest.mark.parametrize("surface, weight, cap", [
    ("radio", 0.75, 50.0), ("home", 3.0, 0.125), ("mix", 1.0, 1.0), ("nowhere", 1.0, 1.0)])
def test_weights_and_caps_of_surfaces(promote, surface, weight, cap):
    promoter = promote()
    promoter.apply(campaign("one", promoter.items, worth="0.01"), boost=RADIO)
    request = promoter.request(surface=surface, want_boosts=True, want_explanations=True)
    answer = promoter.scores.Score(request)
    for one, boost in zip(answer.explanations, answer.boosts, strict=True):
        terms = {term.name: term.value for term in one.terms}
        assert (terms["weight"], terms["cap"], terms["scale"]) == (weight, cap, 2_000.0)
        wanted = formula(terms["calibrated"], worth=10_000.0, cost=10_000.0, weight=weight,
                         scale=2_000.0, cap=cap)
        assert np.float32(boost) == wanted and boost <= cap
    assert len(set(answer.boosts)) > 1 or cap == 0.125 or cap == 1.0


@pytest.mark.parametrize("limits", [{"weight": 0}, {"cap": 0}])
def test_a_surface_without_boosts(promote, limits):
    """Every zero says so, and no slot is paid for there."""
    promoter = promote()
    promoter.apply(campaign("one", promoter.items[:5]), boost={"surfaces": {"radio": limits}})
    answer, off = promoter.boosts(items=promoter.items[:5]), promoter.score.REASON_SURFACE_OFF
    assert answer.all_boost_reason == off and not any(answer.boosts), answer
    placed = promoter.allocate(items=promoter.items[:5])
    assert not placed.placements and placed.unfilled_reason == off, placed
    assert promoter.state("one").reserved_micros == 0
    assert promoter.boosts(items=promoter.items[:5], surface="home").all_boost_reason == (
        promoter.score.REASON_OK)


# MARK: Holdout

def control(salt, user, percent):
    digest = hashlib.sha256(salt.encode() + b"\0" + user.to_bytes(8, "little")).digest()
    return int.from_bytes(digest[:8], "little") % 10_000 < round(percent * 100)


@pytest.mark.parametrize("percent", [0, 0.01, 12.34, 100])
def test_holdout(promote, percent):
    """Known and unknown users by Python's own SHA-256; control users never get a boost, by no
    call, and no slot; anonymous users are control."""
    promoter = promote()
    salt, score = "2026q4 é", promoter.score
    promoter.apply(campaign("one", promoter.items[:5]), holdout={"salt": salt, "percent": percent})
    users = promoter.users + list(range(2, 400))
    arms = {}
    items = (score.ScoreManyRequest(sequence=at, request=promoter.request(
        user, promoter.items[:6], want_boosts=True)) for at, user in enumerate(users))
    for one in promoter.scores.ScoreMany(items, timeout=process.patience(60)):
        answer, user = one.response, users[one.sequence]
        arms[user] = answer.provenance.arm
        treated = not control(salt, user, percent)
        assert arms[user] == ("holdout:treated" if treated else "holdout:control"), user
        reasons = spread(answer)
        # An item that nobody promotes says so in both arms.
        assert reasons == [score.REASON_OK if treated else score.REASON_HOLDOUT] * 5 + [
            score.REASON_NO_CAMPAIGN], (user, reasons)
        assert all((boost > 0) == treated for boost in answer.boosts[:5])
    assert len(arms) == len(users)
    anonymous = promoter.boosts(0, promoter.items[:5])
    assert anonymous.provenance.arm == "holdout:control"
    assert anonymous.all_boost_reason == score.REASON_HOLDOUT and not any(anonymous.boosts)
    for user in users[:60]:
        answer = promoter.allocate(user, promoter.items[:5])
        assert answer.provenance.arm == arms[user]
        treated = arms[user] == "holdout:treated"
        assert len(answer.placements) == treated
        assert treated or answer.unfilled_reason == score.REASON_HOLDOUT


def test_a_user_by_name_is_the_same_user(promote):
    """Arm and caps are of the id, however the request names the user."""
    promoter = promote()
    promoter.apply(campaign("one", promoter.items[:5], caps=caps(user_campaign=1)),
                   holdout={"salt": "x", "percent": 40})
    for user, uri in zip(promoter.users[:30], promoter.snapshot.users.uris):
        request = promoter.request(0, promoter.items[:5], want_boosts=True, user_uri=uri)
        promoter.allocate(user, promoter.items[:5])
        by_name, by_id = promoter.scores.Score(request), promoter.boosts(user, promoter.items[:5])
        assert by_name.provenance.arm == by_id.provenance.arm, uri
        assert columns(by_name) == columns(by_id), uri
