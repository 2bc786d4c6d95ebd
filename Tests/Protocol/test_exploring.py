"""Campaigns that explore: what a draw tells of itself, and what is heard moves it."""

import numpy as np
import pytest

from promoting import boosted, campaign, eventually


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
        """Values, and what they are to the scores."""
        answers = [promoter.boosts(user, promoter.items[:100]) for user in promoter.users]
        value = np.mean([answer.boosts for answer in answers]) / 500
        return value, value / np.mean([answer.scores for answer in answers])

    _, before = mean()
    assert 0.7 < before < 1.3, before
    tokens = []
    while len(tokens) < 800:
        for user in promoter.users:
            tokens += [one.token for one in promoter.allocate(user, slots=100).placements]
    promoter.report(tokens, goal=goal)

    def has_moved():
        # Every exposure a goal: values up to 1, where there can be no more.
        value, ratio = mean()
        return value > 0.9 and ratio > 1.2 if goal else ratio < 0.1

    eventually(has_moved, 5)
    promoter.stop()
    promoter = promote()
    assert has_moved(), mean()
