"""ReportExposures: sequences and acknowledgements in order; each exposure settled once; forged,
unknown and repeated ones named."""

import contextlib
import sqlite3
import time

import grpc
import pytest

from delivering import REPORT, Talk, heard, outcomes  # noqa: F401: heard is a fixture
from promoting import CODE, at_once, campaign, caps, refused

# MARK: Sequences

@pytest.mark.parametrize("first", [0, 1, 77, (1 << 63) - 2, (1 << 64) - 8])
def test_sequences_start_anywhere(heard, first):
    """Each batch is acknowledged, in order, in answers that may join some."""
    tokens = heard.tokens(8)
    answers = list(heard.deliveries.ReportExposures(
        iter([heard.batch(first + at, [token]) for at, token in enumerate(tokens)])))
    acked = [one.acked_through for one in answers]
    assert acked == sorted(set(acked)) and acked[-1] == first + 7, acked
    assert sum(one.settled for one in answers) == 8 and not outcomes(answers)
    assert heard.state("one").exposures == 8


@pytest.mark.parametrize("second", [5, 4, 7, 0, (1 << 64) - 1])
def test_a_gap(heard, second):
    """OUT_OF_RANGE for what does not follow; what came before it is settled."""
    tokens = heard.tokens(2)
    talk = Talk(heard)
    talk.send(5, tokens[:1])
    assert next(talk.call).acked_through == 5
    talk.send(second, tokens[1:])
    with pytest.raises(grpc.RpcError) as raised:
        next(talk.call)
    assert raised.value.code() == CODE.OUT_OF_RANGE, raised.value
    assert str(second) in raised.value.details() and "6" in raised.value.details(), raised.value
    talk.end()
    assert heard.state("one").exposures == 1
    # It need not have been waited for.
    call = heard.deliveries.ReportExposures(iter(
        [heard.batch(5, [b"x"]), heard.batch(6, tokens[:1]), heard.batch(8, tokens[1:])]))
    answers = []
    with pytest.raises(grpc.RpcError) as raised:
        for one in call:
            answers.append(one)
    assert raised.value.code() == CODE.OUT_OF_RANGE, raised.value
    assert answers and answers[-1].acked_through == 6, answers
    assert heard.report(tokens) == [heard.delivery.EXPOSURE_OUTCOME_DUPLICATE,
                                    heard.delivery.EXPOSURE_OUTCOME_SETTLED]


def test_each_acknowledgement_comes_without_waiting_for_more(heard):
    """A client that waits for each gets each."""
    talk = Talk(heard)
    for at, token in enumerate(heard.tokens(50)):
        talk.send(at, [token])
        answer = next(talk.call)
        assert (answer.acked_through, answer.settled) == (at, 1), answer
    talk.send(50, [])
    answer = next(talk.call)
    assert (answer.acked_through, answer.settled, len(answer.exceptions)) == (50, 0, 0), answer
    talk.end()
    assert list(talk.call) == [] and talk.call.code() == CODE.OK


def test_nothing_to_report(heard):
    assert list(heard.deliveries.ReportExposures(iter([]))) == []


# MARK: Once

def test_repeated(heard):
    """In one batch, in one call, in calls after another, from sixteen clients at a time, after a
    release: paid once."""
    Outcome = heard.delivery
    tokens = heard.tokens(40)
    twice, = heard.deliveries.ReportExposures(iter([heard.batch(3, tokens[:20] * 2)]))
    assert twice.settled == 20
    assert outcomes([twice]) == {(3, at): Outcome.EXPOSURE_OUTCOME_DUPLICATE
                                 for at in range(20, 40)}
    answers = list(heard.deliveries.ReportExposures(
        iter([heard.batch(at, tokens[:20]) for at in (1, 2)])))
    assert sum(one.settled for one in answers) == 0 and len(outcomes(answers)) == 40
    results = at_once(16, lambda _: heard.report(tokens[20:]))
    for at in range(20):
        column = sorted(result[at] for result in results)
        assert column == [1] + [Outcome.EXPOSURE_OUTCOME_DUPLICATE] * 15, (at, column)
    state = heard.state("one")
    assert (state.exposures, state.settled_micros, state.reserved_micros) == (
        40, 400_000, state.reserved_micros)
    assert set(heard.release(tokens)) == {heard.allocation.RELEASE_OUTCOME_SETTLED}
    assert heard.state("one") == state


def test_goals_count_once(heard):
    """With the exposure or after it, by a repeated report; never before it."""
    Outcome, tokens = heard.delivery, heard.tokens(4)
    again, added = Outcome.EXPOSURE_OUTCOME_DUPLICATE, Outcome.EXPOSURE_OUTCOME_GOAL_ADDED
    heard.report(tokens[:2], goal=True)
    assert heard.state("one").goals == 2
    assert heard.report(tokens, goal=False) == [again] * 2 + [1, 1]
    assert heard.state("one").goals == 2
    assert heard.report(tokens, goal=True) == [again] * 2 + [added] * 2
    for _ in range(2):
        assert heard.report(tokens, goal=True) == [again] * 4
    state = heard.state("one")
    assert (state.exposures, state.goals, state.settled_micros) == (4, 4, 40_000)


def test_times_that_cannot_be(heard):
    """Long before the placement or in the future: refused, and good for another report."""
    Outcome, token, now = heard.delivery, heard.tokens(1)[0], int(time.time() * 1_000)
    before = heard.state("one")
    for when in (-1, 1, -(1 << 63), (1 << 63) - 1, now - 1_200_000, now + 1_200_000):
        assert heard.report([token], when=when) == [Outcome.EXPOSURE_OUTCOME_INVALID_TIME], when
    assert heard.state("one") == before
    assert heard.report([token], when=now - 300_000) == [Outcome.EXPOSURE_OUTCOME_SETTLED]


def test_after_a_release(heard):
    """What was given back and is heard after all is paid, once, as long as there is room."""
    Outcome, token = heard.delivery, heard.tokens(1)[0]
    heard.release([token])
    before = heard.state("one")
    assert heard.report([token, token], goal=True) == [Outcome.EXPOSURE_OUTCOME_SETTLED_LATE,
                                                       Outcome.EXPOSURE_OUTCOME_DUPLICATE]
    state = heard.state("one")
    assert state.settled_micros == before.settled_micros + 10_000
    assert (state.exposures, state.goals, state.unpaid_micros) == (1, 1, 0)


def test_after_a_release_without_room(promote):
    """Recorded, counted, not paid: the budget stays whole."""
    promoter = promote()
    promoter.apply(campaign("one", promoter.items[:9], budget="0.01", cost="0.01"))
    Outcome = promoter.delivery
    first, = promoter.allocate().placements
    promoter.release([first.token])
    second = None
    for user in promoter.users * 400:
        places = promoter.allocate(user).placements
        if places:
            second = places[0]
            break
    assert second, "what was released is not placed again"
    assert promoter.report([first.token]) == [Outcome.EXPOSURE_OUTCOME_UNPAID]
    assert promoter.report([second.token, first.token]) == [1, Outcome.EXPOSURE_OUTCOME_DUPLICATE]
    state = promoter.state("one")
    assert (state.settled_micros, state.unpaid_micros, state.reserved_micros) == (10_000, 10_000, 0)


def test_caps_count_what_is_heard_late(promote):
    promoter = promote()
    promoter.apply(campaign("one", promoter.items, caps=caps(user_campaign=1)))
    first, = promoter.allocate().placements
    promoter.release([first.token])
    promoter.report([first.token])
    answer = promoter.allocate()
    assert not answer.placements and answer.unfilled_reason == promoter.score.REASON_CAPPED, answer


# MARK: Tokens that are none

def test_every_bit_of_a_token_counts(heard):
    """Any flipped bit, any other length, is FORGED, and moves nothing."""
    token = heard.tokens(1)[0]
    before = heard.state("one")
    forged = [token[:at] + bytes([token[at] ^ 1 << bit]) + token[at + 1:]
              for at in range(len(token)) for bit in range(8)]
    forged += [b"", token[:-1], token + b"\0", token[1:], bytes(len(token)), token * 2]
    forged.append(b"x" * 9_000)
    assert set(heard.report(forged)) == {heard.delivery.EXPOSURE_OUTCOME_FORGED}
    assert set(heard.release(forged[:1_000])) == {heard.allocation.RELEASE_OUTCOME_FORGED}
    assert heard.state("one") == before
    assert heard.report([token]) == [heard.delivery.EXPOSURE_OUTCOME_SETTLED]


def test_tokens_of_another_server(heard, promote, tmp_path):
    """Another key: FORGED. The same key over another ledger: the reservation is not known."""
    token = heard.tokens(1)[0]
    other = promote(data=tmp_path / "other")
    other.apply(campaign("one", other.items))
    assert other.report([token]) == [other.delivery.EXPOSURE_OUTCOME_FORGED]
    assert other.release([token]) == [other.allocation.RELEASE_OUTCOME_FORGED]
    third = tmp_path / "third"
    promote(data=third).stop()
    key = tmp_path / "data/token.key"
    assert key.stat().st_mode & 0o777 == 0o600 and len(key.read_bytes()) == 32
    (third / "token.key").write_bytes(key.read_bytes())
    other = promote(data=third)
    other.apply(campaign("one", other.items))
    assert other.report([token]) == [other.delivery.EXPOSURE_OUTCOME_UNKNOWN_RESERVATION]
    assert other.release([token]) == [other.allocation.RELEASE_OUTCOME_UNKNOWN]
    assert other.state("one").settled_micros == 0


# MARK: Bounds

def test_bounds(heard):
    refused(lambda: list(heard.deliveries.ReportExposures(
        iter([heard.batch(1, [b""] * 10_001)]))), CODE.RESOURCE_EXHAUSTED, "exposures")
    tokens = heard.tokens(3)
    batches = [heard.batch(1, tokens)] + [heard.batch(at, [b"x"] * 10_000) for at in range(2, 7)]
    answers = list(heard.deliveries.ReportExposures(iter(batches)))
    assert answers[-1].acked_through == 6 and sum(one.settled for one in answers) == 3
    for one in answers:
        assert len(one.exceptions) <= 10_000
        assert len(one.exceptions) == 10_000 or not one.exceptions_left_out, one.acked_through
    assert sum(len(one.exceptions) + one.exceptions_left_out for one in answers) == 50_000
    assert set(outcomes(answers).values()) == {heard.delivery.EXPOSURE_OUTCOME_FORGED}


def test_more_exceptions_than_are_named(heard, tmp_path):
    """One answer for three batches, as none of them may be acknowledged before the first: the
    first 10,000 exceptions by name, the others by number. The first is held up by a lock."""
    token, = heard.tokens(1)
    with contextlib.closing(sqlite3.connect(tmp_path / "data/ledger.sqlite",
                                            isolation_level=None)) as ledger:
        talk = Talk(heard)
        ledger.execute("BEGIN IMMEDIATE")
        talk.send(1, [token])
        talk.send(2, [b""] * 10_000)
        talk.send(3, [b"x"] * 10_000)
        talk.end()
        # They are read by now: the loop that answers this read them, or lets the lock end.
        time.sleep(1)
        assert heard.boosts(items=heard.items[:1]).scores
        ledger.execute("ROLLBACK")
    answer, = talk.call
    assert (answer.acked_through, answer.settled) == (3, 1), answer.acked_through
    assert len(answer.exceptions) == answer.exceptions_left_out == 10_000
    assert [(one.sequence, one.index) for one in answer.exceptions] == [
        (2, at) for at in range(10_000)]


def test_broken_messages(heard):
    call = heard.channel.stream_stream(REPORT)
    refused(lambda: list(call(iter([b"\xff\xff\xff"]))), CODE.INTERNAL, "ReportExposuresRequest")
    assert heard.report(heard.tokens(1)) == [heard.delivery.EXPOSURE_OUTCOME_SETTLED]
