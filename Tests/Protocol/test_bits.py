"""To the bit: every raw sum is LightGBM's own, every score its documented transform."""

import os

import pytest

import batches
import oracle

PAIRS = 50_000
LASTFM_PAIRS = 500_000
# An instrumented program is some hundred times slower: sixteen batches are more than its queue takes.
IN_FLIGHT = 1 if os.environ.get("CRESCENDO_SANITIZER") else 16


def ask(stubs, snapshot, client, requests, expected=None):
    """Sends all, several at a time, and checks each answer. The number of pairs compared."""
    compared, waiting = 0, []
    for at in range(len(requests) + IN_FLIGHT):
        if at < len(requests):
            waiting.append((at, client.scores.Score.future(requests[at], timeout=60)))
        if len(waiting) >= IN_FLIGHT or at >= len(requests):
            if not waiting:
                break
            index, future = waiting.pop(0)
            compared += oracle.check(stubs, snapshot, requests[index], future.result(),
                                     expected[index] if expected else None)
    return compared


def draw(stubs, snapshot, seed, count, **options):
    requests = batches.Batches(stubs, snapshot, seed, **options).pairs(count)
    expected = [oracle.Expected(snapshot, request, request.context.time_unix_ms)
                for request in requests]
    return requests, expected


@pytest.fixture(scope="module")
def synthetic_pairs(stubs, synthetic, seed):
    return draw(stubs, synthetic, seed, PAIRS, fixed_time=True)


@pytest.fixture(scope="module")
def everything_pairs(stubs, everything, seed):
    return draw(stubs, everything, seed + 1, PAIRS, fixed_time=True)


@pytest.mark.parametrize("shards", [1, 4])
@pytest.mark.parametrize("fanout", ["auto", "always", "never"])
def test_synthetic_catalogue(stubs, synthetic, synthetic_pairs, start, connect, fanout, shards):
    server = start(synthetic, "--loops", 2, "--shards", shards, "--fanout", fanout)
    requests, expected = synthetic_pairs
    assert ask(stubs, synthetic, connect(server), requests, expected) >= PAIRS


@pytest.mark.parametrize("shards", [1, 4])
@pytest.mark.parametrize("fanout", ["auto", "always", "never"])
def test_every_source_and_objective(
        stubs, everything, everything_pairs, start, connect, fanout, shards):
    server = start(everything, "--loops", 1, "--shards", shards, "--fanout", fanout)
    requests, expected = everything_pairs
    assert ask(stubs, everything, connect(server), requests, expected) >= PAIRS


def test_the_pairs_try_what_they_should(stubs, everything, everything_pairs):
    """The comparison means nothing if the requests were all alike."""
    requests, expected = everything_pairs
    users = everything.users
    seen = {
        "anonymous": any(not r.user_id and not r.user_uri for r in requests),
        "unknown user": any(r.user_id and r.user_id not in users.row_of for r in requests),
        "user by uri": any(r.user_uri in users.row_of_uri and not r.user_id for r in requests),
        "both names of a user": any(r.user_uri and r.user_id for r in requests),
        "unknown item": any(not e.known.all() for e in expected),
        "items by uri": any(r.item_uris for r in requests),
        "duplicates": any(len(set(r.item_ids)) < len(r.item_ids) for r in requests),
        "empty batch": any(not len(e.known) for e in expected),
        "unknown market": any(r.context.market == "ZZ" for r in requests),
        "unknown surface": any(r.context.surface == "lift" for r in requests),
        "no market": any(not r.context.market for r in requests),
        "missing column": any(len(r.candidate_columns) < 2 for r in requests),
        "overrides": any(r.user_columns for r in requests),
        "overridden vector": any(len(c.values) > 1 for r in requests for c in r.user_columns),
        "before 1970": any(r.context.time_unix_ms < 0 for r in requests),
        "offset": any(r.context.utc_offset_minutes < 0 for r in requests),
        **{f"model {name}": any(r.model == name for r in requests) for name in everything.models}}
    assert not [what for what, found in seen.items() if not found]
    distinct = {value for e in expected for value in e.raw[e.known].tolist()}
    assert len(distinct) > PAIRS // 4, "the models hardly tell the pairs apart"


def test_the_transform_is_what_lightgbm_predicts(everything, everything_pairs):
    """The oracle's own transform against the real library's, rounded once to float."""
    for request, expected in zip(*everything_pairs):
        if everything.models[everything.model_name(request)]["output"] == "raw":
            continue
        if expected.known.any():
            predicted = expected.model.booster.predict(expected.matrix).astype("float32")
            assert predicted.tobytes() == expected.scores[expected.known].tobytes(), request.model


def test_the_servers_clock(stubs, everything, client, seed):
    """Time 0: hour and weekday follow from the time that the provenance tells."""
    requests = batches.Batches(stubs, everything, seed + 2).pairs(10_000)
    for request in requests[::2]:
        request.context.time_unix_ms = 0
    assert ask(stubs, everything, client, requests) >= 10_000


def test_lastfm(stubs, lastfm, start, connect, seed):
    server = start(lastfm, "--loops", 2)
    requests = batches.Batches(stubs, lastfm, seed + 3, sizes=(500, 1_000), fixed_time=True).pairs(
        LASTFM_PAIRS)
    assert ask(stubs, lastfm, connect(server), requests) >= LASTFM_PAIRS
