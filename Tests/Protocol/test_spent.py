"""The end of a budget: nobody is short while there is some, and boosts end and come back with it."""

from promoting import campaign, eventually, spread

SHARDS = 4


def budget_of(promoter, exposures):
    promoter.apply(campaign("one", promoter.items, budget=f"{exposures / 100:.2f}", cost="0.01"))


def test_nobody_is_short_while_there_is_budget(promote):
    """What lies in leases of other users' shards comes to who asks: every user gets one exposure
    until all are gone, and none after."""
    promoter = promote("--shards", SHARDS)
    budget_of(promoter, 24)
    placed = [len(promoter.allocate(user).placements) for user in promoter.users[:30]]
    assert placed == [1] * 24 + [0] * 6, placed


def test_boosts_and_status_follow_the_budget(promote):
    promoter = promote("--shards", SHARDS)
    budget_of(promoter, 12)
    status, reasons = promoter.campaign.CampaignState, promoter.score
    others = [promoter.another() for _ in range(4)]

    def boosts():
        return {reason for one in others for reason in spread(one.boosts(items=one.items[:20]))}

    assert boosts() == {reasons.REASON_OK}
    tokens = [one.token for user in promoter.users[:12]
              for one in promoter.allocate(user).placements]
    assert len(tokens) == 12
    state = promoter.state("one")
    assert (state.status, state.settled_micros) == (status.STATUS_RESERVED, 0), state
    # On every loop, within a tick of half a second and what is under way.
    eventually(lambda: boosts() == {reasons.REASON_BUDGET_SPENT}, 1)
    promoter.release(tokens[:1])
    assert promoter.state("one").status == status.STATUS_RUNNING
    eventually(lambda: boosts() == {reasons.REASON_OK}, 1)
    placed, = promoter.allocate(promoter.users[20]).placements
    promoter.report([*tokens[1:], placed.token])
    state = promoter.state("one")
    assert (state.status, state.settled_micros) == (status.STATUS_SPENT, 120_000), state
    eventually(lambda: boosts() == {reasons.REASON_BUDGET_SPENT}, 1)
    for one in others:
        one.channel.close()
