"""Sixteen clients at the same users and the same money: no cap and no budget is exceeded."""

import collections
import random

import pytest

from promoting import at_once, campaign, caps

CLIENTS = 16


def drain(promoter, calls, seed, *, users, slots=3, report=0.3, release=0.2, group=None):
    """Each client allocates `calls` times for `users` drawn by lot, and reports or releases some.
    (user, placement, whether it was released) of everything that was placed. `group`: of which one
    answer has at most one each."""
    def work(number):
        client, dice, placed = promoter.another(), random.Random(seed + number), []
        for _ in range(calls):
            user = dice.choice(users)
            keys = dice.sample(client.items, 40)
            answer = client.allocate(user, keys, slots=dice.randint(1, slots))
            places = list(answer.placements)
            assert [one.boost for one in places] == sorted((one.boost for one in places),
                                                           reverse=True)
            assert len({one.item_id for one in places}) == len(places), answer
            assert not group or len({group(client, one) for one in places}) == len(places)
            draw = dice.random()
            tokens = [one.token for one in places]
            if tokens and draw < report:
                assert set(client.report(tokens)) == {1}
            released = bool(tokens) and report <= draw < report + release
            if released:
                assert set(client.release(tokens)) == {1}
            placed += [(user, one, released) for one in places]
        client.channel.close()
        return placed

    return [one for some in at_once(CLIENTS, work) for one in some]


GROUPS = {"user_campaign": lambda promoter, one: one.campaign_id,
          "user_artist": lambda promoter, one: promoter.items.index(one.item_id) // 4,
          "user_release": lambda promoter, one: promoter.items.index(one.item_id) // 2}


@pytest.mark.parametrize("scope", GROUPS)
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_caps(promote, seed, scope, limit):
    """Nothing is released: what one user got of one group is never over the limit, and in one
    answer it is one of each."""
    promoter = promote("--shards", 3)
    promoter.apply(*[campaign(f"c-{at}", promoter.items[at::3], caps=caps(**{scope: limit}))
                     for at in range(3)])
    users = promoter.users[:6]
    placed = drain(promoter, 25, seed, users=users, slots=5, release=0, group=GROUPS[scope])
    counts = collections.Counter((user, GROUPS[scope](promoter, one)) for user, one, _ in placed)
    over = {name: count for name, count in counts.items() if count > limit}
    assert not over, f"{len(over)} of {len(counts)} are over {limit}: {over}"
    assert max(counts.values()) == limit and len(placed) >= len(users) * limit, counts
    # No user is short of what it may have: where all are capped, all have the limit.
    if scope == "user_campaign":
        assert set(counts.values()) == {limit} and len(counts) == 3 * len(users), counts


def test_caps_and_releases(promote, seed):
    """What was released may be given again, no more."""
    promoter = promote("--shards", 3)
    promoter.apply(campaign("one", promoter.items, caps=caps(user_campaign=3)))
    users = promoter.users[:4]
    placed = drain(promoter, 30, seed, users=users, slots=4, release=0.5)
    kept = collections.Counter(user for user, _, released in placed if not released)
    assert max(kept.values()) <= 3, kept
    assert any(released for _, _, released in placed)
    for user in users:
        left = [len(promoter.allocate(user, slots=100).placements) for _ in range(4)]
        assert sorted(left, reverse=True) == left and sum(left) == 3 - kept[user], (left, kept)


@pytest.mark.parametrize("exposures", [1, 7, 100])
def test_a_budget_of_so_many_exposures(promote, seed, exposures):
    """Raced by sixteen clients, of many users: never more placements than it pays for, and the
    books agree with what was answered."""
    promoter = promote("--shards", 3)
    cost = 33_333
    promoter.apply(campaign("one", promoter.items, cost="0.033333",
                            budget=f"{(exposures * cost + cost - 1) / 1e6:.6f}"))
    placed = drain(promoter, 20, seed, users=promoter.users, slots=5, release=0)
    assert 1 <= len(placed) <= exposures, len(placed)
    state = promoter.state("one")
    assert state.settled_micros + state.reserved_micros == len(placed) * cost, state
    assert state.settled_micros == state.exposures * cost
    assert state.budget_micros >= state.settled_micros + state.reserved_micros + state.leased_micros


def test_a_budget_is_used_up(promote):
    """Asked for long enough, all that a budget pays for is placed, over all shards."""
    promoter = promote("--shards", 3)
    promoter.apply(campaign("one", promoter.items, budget="0.60", cost="0.01"))
    placed = 0
    for turn in range(6):
        for user in promoter.users:
            placed += len(promoter.allocate(user, slots=2).placements)
    assert placed == 60, placed
    assert promoter.state("one").reserved_micros == 600_000
    assert promoter.allocate().unfilled_reason == promoter.score.REASON_BUDGET_SPENT


def test_budget_comes_back(promote, seed):
    """Releases beside allocations: at the end the books say what the answers say."""
    promoter = promote("--shards", 3)
    promoter.apply(campaign("one", promoter.items, budget="5.00", cost="0.01"))
    placed = drain(promoter, 30, seed, users=promoter.users, slots=3, release=0.6)
    kept = sum(not released for _, _, released in placed)
    state = promoter.state("one")
    assert state.settled_micros + state.reserved_micros == kept * 10_000, (kept, state)


def test_a_change_of_caps_beside_allocations(promote, seed):
    """A lower limit holds from when it was applied; what was placed before stays."""
    promoter = promote("--shards", 3)
    promoter.apply(campaign("one", promoter.items, caps=caps(user_campaign=3)))
    users = promoter.users[:8]
    for user in users[:4]:
        assert sum(len(promoter.allocate(user).placements) for _ in range(3)) == 3
    promoter.apply(campaign("one", promoter.items, caps=caps(user_campaign=1)))
    placed = drain(promoter, 10, seed, users=users, release=0)
    counts = collections.Counter(user for user, _, _ in placed)
    assert counts == {user: 1 for user in users[4:]}, counts
