"""Reservations that end: their money, caps and request ids come back, and what is reported after
that is late, unpaid, or no longer taken. The server's times are seconds here, instead of hours."""

import time

import pytest

import process
from promoting import campaign, caps, eventually

SHORT = ("--limit", "reservationNanoseconds=2s", "--limit", "reportNanoseconds=3s")


def limited(promote, **more):
    """A campaign whose budget is one exposure's, on a server of short reservations."""
    promoter = promote(*SHORT)
    promoter.apply(campaign("one", promoter.items[:9], budget="0.01", cost="0.01", **more))
    return promoter


def placed(promoter, *arguments, seconds=20, **fields):
    """An allocation, once there is one to be had."""
    return eventually(lambda: promoter.allocate(*arguments, **fields).placements, seconds)[0]


def is_over(placement, more=0):
    """Sleeps until a reservation has ended, and `more` seconds."""
    time.sleep(max(placement.expires_unix_ms / 1_000 + more - time.time(), 0))


def test_what_is_not_reported_comes_back(promote):
    promoter = limited(promote)
    before = time.time() * 1_000
    first = placed(promoter)
    assert 1_000 < first.expires_unix_ms - before < 2_000 + process.patience(20_000)
    state = promoter.state("one")
    assert (state.reserved_micros, state.settled_micros) == (10_000, 0), state
    eventually(lambda: promoter.state("one").reserved_micros == 0, 20)
    assert time.time() * 1_000 >= first.expires_unix_ms - 50, "before its time"
    assert promoter.release([first.token]) == [promoter.allocation.RELEASE_OUTCOME_ALREADY_RELEASED]
    second = placed(promoter)
    assert second.token != first.token
    assert promoter.report([second.token]) == [promoter.delivery.EXPOSURE_OUTCOME_SETTLED]
    assert promoter.state("one").settled_micros == 10_000


def test_late(promote):
    """Paid while the budget has room, and only once."""
    promoter = limited(promote)
    Outcome, first = promoter.delivery, placed(promoter)
    is_over(first)
    eventually(lambda: promoter.state("one").reserved_micros == 0, 20)
    assert promoter.report([first.token] * 2) == [Outcome.EXPOSURE_OUTCOME_SETTLED_LATE,
                                                  Outcome.EXPOSURE_OUTCOME_DUPLICATE]
    state = promoter.state("one")
    assert (state.settled_micros, state.exposures, state.unpaid_micros) == (10_000, 1, 0), state


def test_late_without_room(promote):
    """What came back is placed again: whoever comes late then is not paid."""
    promoter = limited(promote)
    Outcome, first = promoter.delivery, placed(promoter)
    second = placed(promoter, promoter.users[1])
    assert time.time() * 1_000 >= first.expires_unix_ms - 50
    assert promoter.report([second.token]) == [Outcome.EXPOSURE_OUTCOME_SETTLED]
    assert promoter.report([first.token]) == [Outcome.EXPOSURE_OUTCOME_UNPAID]
    state = promoter.state("one")
    assert (state.settled_micros, state.unpaid_micros) == (10_000, 10_000), state


def test_too_late(promote):
    """EXPIRED, recorded nowhere. What has ended is forgotten by quarters, so that it may be taken
    a quarter of both times longer than said."""
    promoter = limited(promote)
    first = placed(promoter)
    is_over(first, 1.25 * (2 + 3) + 1)
    assert promoter.report([first.token]) == [promoter.delivery.EXPOSURE_OUTCOME_EXPIRED]
    state = promoter.state("one")
    assert (state.settled_micros, state.unpaid_micros, state.exposures) == (0, 0, 0), state


def test_request_ids_and_caps_end_with_their_reservations(promote):
    promoter = promote(*SHORT)
    promoter.apply(campaign("one", promoter.items[:9], caps=caps(user_campaign=1)))
    name, items = b"sixteen bytes...", promoter.items[:9]
    asking = promoter.asking(items=items, name=name).SerializeToString()
    first = promoter.raw_allocate(asking)
    assert promoter.raw_allocate(asking) == first
    answer = promoter.allocate(items=items)
    assert not answer.placements and answer.unfilled_reason == promoter.score.REASON_CAPPED
    is_over(promoter.allocation.AllocateResponse.FromString(first).placements[0])
    eventually(lambda: [one for one in promoter.allocate(items=items, name=name).placements
                        if one.token not in first], 20)


@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_over_a_restart(promote, tmp_path, ending):
    """A reservation ends in the next life of the server, at its time."""
    promoter = limited(promote)
    first = placed(promoter)
    getattr(promoter, ending)()
    promoter = promote(*SHORT)
    is_over(first)
    second = placed(promoter)
    assert promoter.report([second.token, first.token]) == [
        promoter.delivery.EXPOSURE_OUTCOME_SETTLED, promoter.delivery.EXPOSURE_OUTCOME_UNPAID]
    promoter.stop()
    audit = process.run("ledger", "audit", "--data", tmp_path / "data")
    assert audit.returncode == 0, process.explain(audit)
