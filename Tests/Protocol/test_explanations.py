"""Explanations of boosts: on their terms Python's own arithmetic gives the served bits.

CRESCENDO_EXPLAINED_PAIRS: how many pairs (default 20,000)."""

import os
import random

import numpy as np

import process
from promoting import campaign, caps, spread

PAIRS = int(os.environ.get("CRESCENDO_EXPLAINED_PAIRS", "20000"))
BATCH = 500
SURFACES = {"radio": (0.1, 15.5), "home": (7.7, 0.3)}
TERMS = ["raw", "calibrated", "value", "worth", "price", "cost", "gain", "weight", "scale", "cap"]


def evaluated(terms):
    """allocation.md 1, left to right in double, rounded once."""
    gain = terms["value"] * terms["worth"] - terms["price"] * terms["cost"]
    boost = terms["weight"] * max(0.0, gain) / terms["scale"]
    return gain, np.float32(min(max(boost, 0.0), terms["cap"]))


def drawn(promoter, dice, at):
    """A campaign of anything."""
    more = {}
    if dice.random() < 0.3:
        more["markets"] = dice.sample(["SE", "NO", "US"], 2)
    if dice.random() < 0.2:
        more["surfaces"] = dice.sample(["radio", "home", "mix"], 2)
    if dice.random() < 0.4:
        more["caps"] = caps(user_campaign=1, user_artist=2)
    if dice.random() < 0.2:
        more["exploration"] = "thompson"
    micros = dice.choice([dice.randint(0, 10), dice.randint(0, 900_000), 123_456_789])
    return campaign(f"c-{at}", dice.sample(promoter.items, 60), worth=f"{micros / 1e6:.6f}",
                    cost=f"{dice.randint(0, 200_000) / 1e6:.6f}",
                    pacing={"mode": dice.choice(["asap", "even", "traffic"])}, **more)


def test_terms_give_the_served_boost(promote, seed):
    promoter, dice = promote(), random.Random(seed)
    promoter.apply(
        *[drawn(promoter, dice, at) for at in range(20)],
        boost={"scale_micros": 1_234_567, "surfaces": {
            name: {"weight": weight, "cap": cap} for name, (weight, cap) in SURFACES.items()}},
        holdout={"salt": "e", "percent": 10})
    pairs, boosted, clipped, reasons = 0, 0, 0, set()
    while pairs < PAIRS:
        user = dice.choice(promoter.users)
        if dice.random() < 0.3:
            promoter.allocate(user, slots=5)
        keys = [dice.choice(promoter.items) if dice.random() < 0.98 else 5 for _ in range(BATCH)]
        request = promoter.request(
            user, keys, market=dice.choice(["SE", "NO", "US"]), want_boosts=True,
            surface=dice.choice(["radio", "home", "mix"]), want_explanations=True, want_raw=True)
        answer = promoter.scores.Score(request, timeout=process.patience(60))
        assert len(answer.explanations) == BATCH
        for at, one in enumerate(answer.explanations):
            assert one.position == at and [term.name for term in one.terms] == TERMS, one
            terms = {term.name: term.value for term in one.terms}
            gain, wanted = evaluated(terms)
            got = np.float32(answer.boosts[at])
            assert got.tobytes() == wanted.tobytes(), (got, wanted, one, spread(answer)[at])
            assert terms["gain"] == gain, one
            # What the file says, whatever the reason.
            surface = SURFACES.get(request.context.surface, (1, 1))
            assert (terms["weight"], terms["cap"], terms["scale"]) == (*surface, 1_234_567), one
            assert 0 <= terms["value"] <= 1, one
            raw = answer.raw_scores[at]
            assert terms["raw"] == raw or np.isnan(raw) and np.isnan(terms["raw"]), (raw, one)
            assert np.float32(terms["calibrated"]) == np.float32(answer.scores[at]), one
            boosted += got > 0
            clipped += got == np.float32(terms["cap"])
        reasons |= set(spread(answer))
        pairs += BATCH
    print(f"{pairs} pairs, {boosted} boosted, {clipped} at their cap")
    assert pairs // 10 < boosted and clipped < boosted - pairs // 20 and len(reasons) >= 7, reasons


def test_streamed_explanations(promote):
    """Their positions are the request's own."""
    promoter = promote("--fanout", "always", "--shards", 3)
    promoter.apply(campaign("one", promoter.items[:300]))
    keys = promoter.items + promoter.items
    request = promoter.request(items=keys, want_boosts=True, want_explanations=True)
    whole = promoter.scores.Score(request)
    seen = {}
    for part in promoter.scores.StreamScores(request):
        assert [one.position for one in part.part.explanations] == list(part.positions)
        seen.update(zip(part.positions, part.part.explanations))
    assert len(seen) == len(keys) and len(whole.explanations) == len(keys)
    for at, one in enumerate(whole.explanations):
        # raw may be NaN, which equals nothing.
        assert str(seen[at]) == str(one), at
