"""The holdout of scores with want_boosts: who is control, by the formula, and by name."""

import hashlib

import pytest

import process
from promoting import campaign, caps, columns, spread


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
