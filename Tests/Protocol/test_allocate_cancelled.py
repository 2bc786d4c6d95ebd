"""Calls that their clients give up: nothing is lost by it, nothing is reserved twice."""

import random

import grpc

import process
from promoting import at_once, campaign, caps, spread

CLIENTS = 8


def given_up(call, dice):
    """Cancelled right away, a moment later, or not at all; the answer if one came."""
    for _ in range(dice.choice([0, 10, 100, 1_000])):
        if call.done():
            break
    if dice.random() < 0.8:
        call.cancel()
    try:
        return call.result()
    except grpc.FutureCancelledError:
        return None
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.CANCELLED, error
        return None


def test_allocations_given_up(promote, seed):
    """Asked again, each gets its one answer, and the books hold each placement once."""
    promoter = promote("--shards", 3)
    promoter.apply(campaign("one", promoter.items, caps=caps(user_artist=2)))

    def work(number):
        client, dice, answers = promoter.another(), random.Random(seed + number), {}
        for _ in range(60):
            asked = client.asking(dice.choice(client.users), dice.sample(client.items, 50),
                                  slots=dice.randint(1, 3)).SerializeToString()
            call = client.raw_allocate.future(asked, timeout=process.patience(60))
            answers[asked] = given_up(call, dice)
        for asked, before in answers.items():
            answer = client.raw_allocate(asked, timeout=process.patience(60))
            assert before in (None, answer)
            answers[asked] = answer
        client.channel.close()
        return answers

    results = at_once(CLIENTS, work)
    placed = sum(len(promoter.allocation.AllocateResponse.FromString(answer).placements)
                 for answers in results for answer in answers.values())
    assert placed > CLIENTS * 30
    assert promoter.state("one").reserved_micros == placed * 10_000


def test_boosts_given_up(promote, seed):
    """Also those for which a shard is asked first what the user has had."""
    promoter = promote("--shards", 3, "--fanout", "always")
    promoter.apply(campaign("one", promoter.items, caps=caps(user_campaign=1)))
    for user in promoter.users:
        assert promoter.allocate(user).placements

    def work(number):
        client, dice, count = promoter.another(), random.Random(seed + number), 0
        for _ in range(300):
            request = client.request(dice.choice(client.users), want_boosts=True,
                                     want_explanations=dice.random() < 0.5)
            call = client.scores.Score.future(request, timeout=process.patience(60))
            answer = given_up(call, dice)
            if answer:
                assert set(spread(answer)) == {client.score.REASON_CAPPED}
                count += 1
        client.channel.close()
        return count

    assert sum(at_once(CLIENTS, work)) > 0
    answer = promoter.boosts(promoter.users[0])
    assert set(spread(answer)) == {promoter.score.REASON_CAPPED}


def test_reports_given_up(promote, seed):
    """What was sent may be settled or not; sent again, everything is, once."""
    promoter = promote("--shards", 3)
    promoter.apply(campaign("one", promoter.items))
    tokens = [one.token for user in promoter.users
              for one in promoter.allocate(user, slots=20).placements]

    def work(number):
        client, dice = promoter.another(), random.Random(seed + number)
        mine = tokens[number::CLIENTS]
        for at in range(0, len(mine), 8):
            call = client.deliveries.ReportExposures(
                iter([client.batch(one, [token]) for one, token in enumerate(mine[at:at + 8])]),
                timeout=process.patience(60))
            for _ in range(dice.randint(0, 3)):
                # One answer may acknowledge them all.
                if next(call, None) is None or dice.random() < 0.3:
                    break
            call.cancel()
        answers = client.report(mine)
        client.channel.close()
        return answers

    outcomes = {one for some in at_once(CLIENTS, work) for one in some}
    assert outcomes <= {promoter.delivery.EXPOSURE_OUTCOME_SETTLED,
                        promoter.delivery.EXPOSURE_OUTCOME_DUPLICATE}, outcomes
    state = promoter.state("one")
    assert (state.exposures, state.reserved_micros) == (len(tokens), 0)
