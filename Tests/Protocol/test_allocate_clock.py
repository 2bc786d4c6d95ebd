"""Whose clock Allocate goes by."""

import time

import pytest

import process
from promoting import campaign, eventually, instant


@pytest.mark.parametrize("days, flight, places", [
    (-2, (-1, 30), True), (60, (-1, 30), True), (1.5, (1, 2), False),
    (-0.5, (-1, 3 / 86_400), False)])
def test_flights_go_by_the_servers_clock(promote, days, flight, places):
    promoter = promote()
    start, end = (instant(one) for one in flight)
    promoter.apply(campaign("one", promoter.items[:5], flight={"start": start, "end": end}))
    if flight[1] < 1:
        eventually(lambda: promoter.allocate(items=promoter.items[:5]).unfilled_reason
                   == promoter.score.REASON_NOT_IN_FLIGHT, 20)
    asked = promoter.asking(items=promoter.items[:5], slots=2)
    asked.request.context.time_unix_ms = int((time.time() + days * 86_400) * 1_000)
    answer = promoter.allocations.Allocate(asked, timeout=process.patience(60))
    assert len(answer.placements) == (2 if places else 0), answer
    if not places:
        assert answer.unfilled_reason == promoter.score.REASON_NOT_IN_FLIGHT, answer
