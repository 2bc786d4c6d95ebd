"""Allocate and Release: idempotent to the byte, one reservation, distinct items, the best first."""

import random
import time

import grpc
import numpy as np
import pytest

import process
from promoting import (CODE, at_once, campaign, caps, eventually, instant, key, refused, spread)

CLIENTS = 16


def boosted(promoter, count=60, **more):
    """A campaign of the first `count` items, whose boosts are below their cap."""
    promoter.apply(campaign("one", promoter.items[:count], **more),
                   boost={"scale_micros": 1_000, "surfaces": {"radio": {"cap": 1e9}}})


# MARK: What an answer says

def test_placements(promote):
    """The items with the largest gains, each once, in their order, as Score boosts them."""
    promoter = promote()
    boosted(promoter)
    promoter.apply(campaign("two", promoter.items[40:90], worth="0.6000", cost="0.0250"))
    keys = random.Random(5).sample(promoter.items, 300) * 2
    score = promoter.boosts(items=keys)
    before = time.time() * 1_000
    answer = promoter.allocate(items=keys, slots=20)
    places = answer.placements
    assert len(places) == 20 and answer.unfilled_reason == promoter.score.REASON_OK, answer
    assert [one.slot for one in places] == list(range(20))
    assert len({one.item_id for one in places}) == 20
    best = sorted(set(zip(keys, score.boosts)), key=lambda pair: -pair[1])[:20]
    assert [one.boost for one in places] == [boost for _, boost in best]
    assert {one.item_id for one in places} == {item for item, _ in best}
    for one in places:
        assert keys[one.position] == one.item_id
        assert one.boost == score.boosts[one.position] and one.score == score.scores[one.position]
        assert one.campaign_key == key(one.campaign_id) == score.campaign_keys[one.position]
        assert one.cost_micros == {"one": 10_000, "two": 25_000}[one.campaign_id]
        assert one.propensity == 1
        # Half an hour, by the wall clock.
        assert abs(one.expires_unix_ms - before - 1_800_000) < process.patience(60_000)
    assert len({one.token for one in places}) == 20
    assert answer.provenance.snapshot == promoter.snapshot.version
    assert answer.provenance.boost_scale == "micros:1000"
    for name in ("one", "two"):
        assert promoter.state(name).reserved_micros == sum(
            one.cost_micros for one in places if one.campaign_id == name)


def test_fewer_than_slots(promote):
    promoter = promote()
    boosted(promoter, 5)
    score = promoter.score
    answer = promoter.allocate(slots=100)
    assert len(answer.placements) == 5, answer
    assert answer.unfilled_reason == score.REASON_NO_CAMPAIGN, answer
    for items, fields, reason in ((promoter.items[5:20], {}, score.REASON_NO_CAMPAIGN),
                                  ([1 << 50], {}, score.REASON_UNKNOWN_ITEM)):
        answer = promoter.allocate(items=items, slots=2, **fields)
        assert not answer.placements and answer.unfilled_reason == reason, answer
    promoter.apply(campaign("far", promoter.items[:90], markets=["JP"]),
                   campaign("one", promoter.items[:5], flight={"start": instant(1),
                                                               "end": instant(2)}))
    eventually(lambda: promoter.allocate(items=promoter.items[:90], slots=2).unfilled_reason
               == score.REASON_MARKET)
    answer = promoter.allocate(items=[], slots=3)
    assert not answer.placements and answer.unfilled_reason == score.REASON_NO_CANDIDATES


def test_what_is_promoted_is_told_first(promote):
    """Of what is promoted and not placed the reason, not that most of the others are not promoted;
    of items that are placed that no more are left."""
    promoter = promote()
    score, items = promoter.score, promoter.items
    boosted(promoter, 2, budget="0.03", caps=caps(user_campaign=2))
    assert promoter.allocate(items=items, slots=1).unfilled_reason == score.REASON_OK
    answer = promoter.allocate(items=items, slots=5)
    assert len(answer.placements) == 1 and answer.unfilled_reason == score.REASON_CAPPED, answer
    assert promoter.allocate(items=items, slots=5).unfilled_reason == score.REASON_CAPPED
    answer = promoter.allocate(promoter.users[1], items, slots=5)
    assert len(answer.placements) == 1, answer
    eventually(lambda: promoter.allocate(promoter.users[2], items, slots=5).unfilled_reason
               == score.REASON_BUDGET_SPENT, 5)
    promoter.apply(campaign("two", items[10:13]))
    answer = promoter.allocate(items=items[10:13] * 2, slots=9)
    assert len(answer.placements) == 3, answer
    assert answer.unfilled_reason == score.REASON_NO_CANDIDATES, answer
    promoter.pause("two")
    eventually(lambda: promoter.allocate(items=items[5:15], slots=9).unfilled_reason
               == score.REASON_PAUSED)


def test_worth_nothing_is_not_placed(promote):
    promoter = promote()
    boosted(promoter, worth="0")
    answer = promoter.allocate(slots=3, items=promoter.items[:60])
    assert not answer.placements and answer.unfilled_reason == promoter.score.REASON_WORTHLESS
    assert promoter.state("one").reserved_micros == 0


def test_a_minimum_is_placed_whatever_it_is_worth(promote):
    promoter = promote()
    boosted(promoter, worth="0", minimum_exposures=3)
    assert promoter.state("one").price < 0
    assert len(promoter.allocate(slots=3).placements) == 3
    eventually(lambda: promoter.state("one").price == 0, 5)
    assert not promoter.allocate(slots=3).placements


@pytest.mark.parametrize("shards", [1, 3])
def test_whole_slots_of_a_small_budget(promote, shards):
    """A budget of fifty exposures fills allocations of ten slots, one after the other; the last of
    it may lie with other shards, an exposure or two each."""
    promoter = promote("--shards", shards)
    boosted(promoter, budget="0.50", cost="0.0100")
    counts = [len(promoter.allocate(user, slots=10).placements) for user in promoter.users[:5]]
    assert counts[:4] == [10] * 4 and counts[4] >= 10 - 2 * shards, counts
    assert promoter.state("one").reserved_micros == sum(counts) * 10_000


def test_free_exposures(promote):
    """What costs nothing is placed all the same, and counted."""
    promoter = promote()
    boosted(promoter, cost="0", budget="0.000001")
    places = promoter.allocate(slots=10).placements
    assert len(places) == 10 and not any(one.cost_micros for one in places)
    promoter.report([one.token for one in places])
    state = promoter.state("one")
    assert (state.exposures, state.settled_micros, state.reserved_micros) == (10, 0, 0)


# MARK: Wrong requests

@pytest.mark.parametrize("fields, code, word", [
    (dict(user=0), CODE.INVALID_ARGUMENT, "user_id"),
    (dict(slots=0), CODE.INVALID_ARGUMENT, "slots"),
    (dict(slots=101), CODE.INVALID_ARGUMENT, "slots"),
    (dict(slots=(1 << 32) - 1), CODE.INVALID_ARGUMENT, "slots"),
    (dict(name=b""), CODE.INVALID_ARGUMENT, "request_id"),
    (dict(name=b"x" * 15), CODE.INVALID_ARGUMENT, "request_id"),
    (dict(name=b"x" * 17), CODE.INVALID_ARGUMENT, "request_id"),
    (dict(model="nonesuch"), CODE.INVALID_ARGUMENT, "nonesuch"),
    (dict(items=[1] * 10_001), CODE.RESOURCE_EXHAUSTED, "")])
def test_wrong_requests(promote, fields, code, word):
    promoter = promote()
    boosted(promoter)
    error = refused(lambda: promoter.allocate(**fields), code, word)
    if code == CODE.INVALID_ARGUMENT:
        details = dict(error.trailing_metadata())["grpc-status-details-bin"]
        wanted = {"nonesuch": "request.model", "user_id": "request.user_id"}.get(word, word)
        assert wanted.encode() in details, details
    assert promoter.state("one").reserved_micros == 0


# MARK: The same request again

def test_the_first_answer_again(promote):
    """Byte for byte: from the same connection and others, after what it placed was heard or
    released, after the campaign is paused, after a restart."""
    promoter = promote()
    boosted(promoter, caps=caps(user_artist=1))
    asked = promoter.asking(slots=3).SerializeToString()
    first = promoter.raw_allocate(asked)
    places = promoter.allocation.AllocateResponse.FromString(first).placements
    assert len(places) == 3
    assert promoter.raw_allocate(asked) == first
    assert promoter.another().raw_allocate(asked) == first
    promoter.report([places[0].token])
    promoter.release([places[1].token])
    assert promoter.raw_allocate(asked) == first
    promoter.pause("one")
    assert promoter.raw_allocate(asked) == first
    state = promoter.state("one")
    assert (state.settled_micros, state.reserved_micros) == (10_000, 10_000)
    promoter.stop()
    promoter = promote("--shards", 3)
    assert promoter.raw_allocate(asked) == first
    state = promoter.state("one")
    assert (state.settled_micros, state.reserved_micros) == (10_000, 10_000)


def test_an_empty_answer_again(promote):
    """Also when there would be something by now."""
    promoter = promote()
    boosted(promoter, markets=["NO"])
    asked = promoter.asking(slots=3).SerializeToString()
    first = promoter.raw_allocate(asked)
    assert not promoter.allocation.AllocateResponse.FromString(first).placements
    boosted(promoter)
    assert promoter.allocate(slots=1).placements
    assert promoter.raw_allocate(asked) == first


def test_another_request_under_the_same_id(promote):
    """ALREADY_EXISTS for the same user, whatever differs; another user's ids are its own."""
    promoter = promote()
    boosted(promoter)
    name = bytes(range(16))
    first = promoter.allocate(name=name, slots=2)
    for fields in (dict(slots=3), dict(slots=2, market="NO"), dict(slots=2, tier="premium"),
                   dict(slots=2, items=promoter.items[1:])):
        refused(lambda: promoter.allocate(name=name, **fields), CODE.ALREADY_EXISTS, "request_id")
    assert promoter.state("one").reserved_micros == 20_000
    other = promoter.allocate(promoter.users[1], name=name, slots=2)
    assert other.placements[0].token != first.placements[0].token
    assert promoter.state("one").reserved_micros == 40_000


def test_racing_and_hedging(promote):
    """Sixteen clients, each twice at a time, one id: one answer, one reservation; fifty times."""
    promoter = promote("--shards", 3)
    boosted(promoter)
    clients = [promoter.another() for _ in range(CLIENTS)]
    for turn in range(50):
        user = promoter.users[turn % 64]
        asked = promoter.asking(user, slots=4).SerializeToString()

        def race(number):
            hedged = [clients[number].raw_allocate.future(asked, timeout=process.patience(60))
                      for _ in range(2)]
            return [one.result() for one in hedged]

        answers = {one for pair in at_once(CLIENTS, race) for one in pair}
        assert len(answers) == 1, f"{len(answers)} answers to one request"
        answer = promoter.allocation.AllocateResponse.FromString(answers.pop())
        assert len(answer.placements) == 4, answer
        assert promoter.state("one").reserved_micros == (turn + 1) * 40_000


def test_racing_bodies(promote):
    """Of two requests under one id one is answered, and the other refused, every time."""
    promoter = promote()
    boosted(promoter)
    clients = [promoter.another() for _ in range(CLIENTS)]
    for turn in range(20):
        asked = [promoter.asking(promoter.users[turn], name=turn.to_bytes(16, "big"), slots=slots)
                 .SerializeToString() for slots in (2, 3)]

        def race(number):
            try:
                return number % 2, clients[number].raw_allocate(asked[number % 2], timeout=60)
            except grpc.RpcError as error:
                assert error.code() == CODE.ALREADY_EXISTS, error
                return number % 2, None

        before = promoter.state("one").reserved_micros
        answers = {one for one in at_once(CLIENTS, race)}
        given = [one for one in answers if one[1] is not None]
        assert len(given) == 1 and (1 - given[0][0], None) in answers, answers
        assert (given[0][0], None) not in answers, "one body was answered and refused"
        assert promoter.state("one").reserved_micros - before == (given[0][0] + 2) * 10_000


# MARK: Giving back

def test_release(promote):
    """Budget and cap come back; what was heard, released or never ours says so."""
    promoter = promote()
    boosted(promoter, caps=caps(user_campaign=2), budget="0.02")
    Outcome, user = promoter.allocation, promoter.users[0]
    first = [promoter.allocate(user).placements[0] for _ in range(2)]
    answer = promoter.allocate(user, promoter.items[:60])
    assert not answer.placements and answer.unfilled_reason == promoter.score.REASON_CAPPED
    assert promoter.state("one").reserved_micros == 20_000
    promoter.report([first[0].token])
    forged = first[1].token[:-1] + bytes([first[1].token[-1] ^ 1])
    assert promoter.release([first[0].token, first[1].token, forged, b"", first[1].token]) == [
        Outcome.RELEASE_OUTCOME_SETTLED, Outcome.RELEASE_OUTCOME_RELEASED,
        Outcome.RELEASE_OUTCOME_FORGED, Outcome.RELEASE_OUTCOME_FORGED,
        Outcome.RELEASE_OUTCOME_ALREADY_RELEASED]
    state = promoter.state("one")
    assert (state.settled_micros, state.reserved_micros) == (10_000, 0)
    again = eventually(lambda: promoter.allocate(user).placements, 5)
    assert len(again) == 1 and again[0].token != first[1].token
    assert promoter.state("one").reserved_micros == 10_000
    assert not promoter.allocate(user).placements


def test_release_bounds(promote):
    promoter = promote()
    boosted(promoter, 600)
    tokens = [one.token for user in promoter.users[:10]
              for one in promoter.allocate(user, slots=100).placements]
    assert len(tokens) == 1_000
    error = refused(lambda: promoter.release(tokens + [b""]), CODE.RESOURCE_EXHAUSTED, "tokens")
    assert dict(error.trailing_metadata())["grpc-retry-pushback-ms"] == "-1"
    assert promoter.release([]) == []
    assert promoter.release(tokens) == [promoter.allocation.RELEASE_OUTCOME_RELEASED] * 1_000
    assert promoter.state("one").reserved_micros == 0


# MARK: Drawn by lot

def test_propensity(promote):
    """With exploration every placement has a probability, and users see different items."""
    promoter = promote()
    promoter.apply(*[campaign(f"c-{at}", [promoter.items[at]], exploration="thompson")
                     for at in range(12)])
    answers = [promoter.allocate(user, slots=1) for user in promoter.users]
    places = [one for answer in answers for one in answer.placements]
    assert len(places) > 50 and all(0 < one.propensity <= 1 for one in places)
    assert any(one.propensity < 1 for one in places)
    assert len({one.item_id for one in places}) > 1
    assert np.isfinite([one.boost for one in places]).all()


@pytest.mark.parametrize("goal", [False, True])
def test_what_is_heard_moves_the_boost(promote, goal):
    """Hundreds of exposures without a goal take the boosts of a campaign that explores away, goals
    keep them up, and a restart forgets nothing."""
    promoter = promote()
    boosted(promoter, 100, exploration="thompson")

    def mean():
        answers = [promoter.boosts(user, promoter.items[:100]) for user in promoter.users]
        scores = np.concatenate([answer.scores for answer in answers])
        return np.mean([answer.boosts for answer in answers]) / np.mean(scores) / 500

    before = mean()
    assert 0.7 < before < 1.3, before
    tokens = []
    while len(tokens) < 800:
        for user in promoter.users:
            tokens += [one.token for one in promoter.allocate(user, slots=100).placements]
    promoter.report(tokens, goal=goal)

    def has_moved():
        # Every exposure a goal: as many as there can be, a value of 1.
        value = mean()
        return value > 1.5 if goal else value < 0.1

    eventually(has_moved, 5)
    promoter.stop()
    promoter = promote()
    assert has_moved(), mean()


def test_score_reads_what_allocate_binds(promote):
    """A user's next score knows the caps of the answer before it: one placement a cap."""
    promoter = promote()
    boosted(promoter, 40, caps=caps(user_campaign=2, user_artist=1))
    for user in promoter.users:
        places = [one for _ in range(2) for one in promoter.allocate(user, slots=9).placements]
        assert len(places) == 2 and len({one.position // 4 for one in places}) == 2
        reasons = spread(promoter.boosts(user, promoter.items[:40]))
        assert set(reasons) == {promoter.score.REASON_CAPPED}, (user, reasons)
