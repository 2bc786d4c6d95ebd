"""What a good Score call means: score.proto, field by field."""

import time

import grpc
import numpy as np
import pytest

import oracle


def ids(snapshot, count, start=0):
    return [int(key) for key in snapshot.items.ids[start:start + count]]


def test_unknown_items_never_fail_a_batch(stubs, everything, client):
    known = ids(everything, 2)
    answer = client.score(
        stubs.ScoreRequest(item_ids=[known[0], 0, known[1], 12345], want_raw=True))
    full, none = stubs.FIDELITY_FULL, stubs.FIDELITY_NONE
    ok, unknown = stubs.REASON_OK, stubs.REASON_UNKNOWN_ITEM
    assert list(answer.fidelities) == [full, none, full, none]
    assert list(answer.reasons) == [ok, unknown, ok, unknown]
    assert answer.scores[1] == answer.scores[3] == 0
    assert np.isnan(answer.raw_scores[1]) and np.isnan(answer.raw_scores[3])
    assert not np.isnan(answer.raw_scores[0]) and not np.isnan(answer.raw_scores[2])


def test_one_value_for_all_where_all_are_alike(stubs, everything, client):
    answer = client.score(stubs.ScoreRequest(item_ids=ids(everything, 5)))
    assert answer.all_fidelity == stubs.FIDELITY_FULL and answer.all_reason == stubs.REASON_OK
    assert not answer.fidelities and not answer.reasons
    answer = client.score(stubs.ScoreRequest(item_ids=[7, 8, 9]))
    assert oracle.column(answer, "fidelities", "all_fidelity", 3, "unknown") == [
        stubs.FIDELITY_NONE] * 3
    assert oracle.column(answer, "reasons", "all_reason", 3, "unknown") == [
        stubs.REASON_UNKNOWN_ITEM] * 3
    assert list(answer.scores) == [0, 0, 0]


@pytest.mark.parametrize("want_raw", [False, True])
def test_an_empty_batch_is_fine(stubs, everything, client, want_raw):
    answer = client.score(stubs.ScoreRequest(want_raw=want_raw, request_id="none"))
    assert answer.request_id == "none"
    for name in ("scores", "boosts", "fidelities", "reasons", "campaign_keys", "raw_scores",
                 "explanations", "boost_reasons"):
        assert not getattr(answer, name), f"{name} is not empty: {answer}"
    assert answer.provenance.snapshot == everything.version


def test_raw_scores_only_on_request(stubs, everything, client):
    assert not client.score(stubs.ScoreRequest(item_ids=ids(everything, 3))).raw_scores


def test_request_id(stubs, client):
    for name in ("a", "x" * 64, "日本" * 10):
        assert client.score(stubs.ScoreRequest(request_id=name)).request_id == name
    made = {client.score(stubs.ScoreRequest()).request_id for _ in range(20)}
    assert len(made) == 20 and all(0 < len(name.encode()) <= 64 for name in made), made


@pytest.mark.parametrize("model", ["", "default", "zero", "huber"])
def test_provenance(stubs, everything, client, model):
    request = stubs.ScoreRequest(item_ids=ids(everything, 3), model=model)
    before = time.time_ns() // 1_000_000
    provenance = client.score(request).provenance
    after = time.time_ns() // 1_000_000
    name = model or everything.manifest["default_model"]
    trees = oracle.model(everything, name).trees
    assert provenance.snapshot == everything.version and provenance.model == name
    assert provenance.model_sha256 == everything.model_sha256(name)
    assert (provenance.trees_used, provenance.trees_total) == (trees, trees)
    assert before - 1_000 <= provenance.time_unix_ms <= after + 1_000
    request.context.time_unix_ms = 1_234_567_890_123
    assert client.score(request).provenance.time_unix_ms == 1_234_567_890_123


def test_ids_and_uris_give_the_same_answer(stubs, everything, client):
    by_id = stubs.ScoreRequest(item_ids=ids(everything, 300), want_raw=True)
    by_id.context.time_unix_ms = 1
    by_uri = stubs.ScoreRequest(item_uris=everything.items.uris[:300], want_raw=True)
    by_uri.context.time_unix_ms = 1
    by_id.user_id = int(everything.users.ids[3])
    by_uri.user_uri = everything.users.uris[3]
    first, second = client.score(by_id), client.score(by_uri)
    assert list(first.raw_scores) == list(second.raw_scores)
    assert list(first.scores) == list(second.scores)


def test_nan_is_missing(stubs, everything, client):
    request = stubs.ScoreRequest(item_ids=ids(everything, 100), want_raw=True)
    request.context.time_unix_ms = 1
    without = client.score(request)
    request.candidate_columns.add(name="recent_plays_7d", values=[float("nan")] * 100)
    request.user_columns.add(name="age", values=[float("nan")])
    assert list(client.score(request).raw_scores) == list(without.raw_scores)


def test_a_column_name_need_not_be_used_by_the_model(stubs, everything, client):
    """`prior` of users does not exist, `segment` and `days` do; every one of users may be sent."""
    request = stubs.ScoreRequest(item_ids=ids(everything, 3))
    for name in everything.users.signals():
        column = everything.users.columns[name]
        if column.ndim == 1:
            request.user_columns.add(name=name, values=[1])
    client.score(request)


@pytest.mark.parametrize("level", ["UNSPECIFIED", "NONE", "PRIOR", "PARTIAL", "FULL"])
def test_every_minimum_fidelity_is_met_by_full(stubs, everything, client, level):
    request = stubs.ScoreRequest(
        item_ids=ids(everything, 4), min_fidelity=getattr(stubs, f"FIDELITY_{level}"))
    assert client.score(request).all_fidelity == stubs.FIDELITY_FULL


@pytest.mark.parametrize("milliseconds", [-(1 << 63), -1, 1, (1 << 63) - 1])
@pytest.mark.parametrize("minutes", [-(1 << 31), -1, 1, (1 << 31) - 1])
def test_the_ends_of_time_do_no_harm(stubs, everything, client, milliseconds, minutes):
    """Whatever the verdict, it is one: the server lives (checked by the fixture)."""
    request = stubs.ScoreRequest(item_ids=ids(everything, 4))
    request.context.time_unix_ms, request.context.utc_offset_minutes = milliseconds, minutes
    try:
        assert len(client.score(request).scores) == 4
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error


def test_ten_thousand_candidates(stubs, everything, client):
    request = stubs.ScoreRequest(item_ids=ids(everything, 1_000) * 10, want_raw=True)
    request.context.time_unix_ms = 1
    answer = client.score(request)
    assert oracle.check(stubs, everything, request, answer) == 10_000


def test_a_snapshot_without_users(stubs, tmp_path, start, connect):
    import assemble
    import snapshots
    parts = snapshots.small_parts(5)
    parts["users"] = None
    snapshot = assemble.Snapshot(snapshots.write(tmp_path / "alone", **parts))
    client = connect(start(snapshot))
    request = stubs.ScoreRequest(item_ids=ids(snapshot, 64), user_id=3, want_raw=True)
    request.context.time_unix_ms = 1
    assert oracle.check(stubs, snapshot, request, client.score(request)) == 64
