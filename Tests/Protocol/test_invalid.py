"""Decodable but wrong: INVALID_ARGUMENT that says what to do; and what is not there yet."""

import grpc
import pytest

import protobytes as pb

CODE = grpc.StatusCode


def refusal(call, *arguments, **options):
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, **options)
    return caught.value


def column(request, where, name, values):
    getattr(request, where).add(name=name, values=values)


# name → (what is done to a good request of three candidates, a word that the message must have)
WRONG = {
    "both id columns": (lambda r: r.item_uris.append("spotify:track:0"), "item_uris"),
    "request id of 65 bytes": (lambda r: setattr(r, "request_id", "x" * 65), "request_id"),
    "request id of 66 bytes in 22 letters": (
        lambda r: setattr(r, "request_id", "日" * 22), "request_id"),
    "unknown model": (lambda r: setattr(r, "model", "nonesuch"), "nonesuch"),
    "undeclared request column": (
        lambda r: column(r, "candidate_columns", "plays_log", [1, 2, 3]), "plays_log"),
    "nameless request column": (
        lambda r: column(r, "candidate_columns", "", [1, 2, 3]), "candidate_columns"),
    "short request column": (
        lambda r: column(r, "candidate_columns", "skips", [1, 2]), "skips"),
    "long request column": (
        lambda r: column(r, "candidate_columns", "skips", [1, 2, 3, 4]), "skips"),
    "empty request column": (lambda r: column(r, "candidate_columns", "skips", []), "skips"),
    "undeclared user column": (
        lambda r: column(r, "user_columns", "shoe_size", [44]), "shoe_size"),
    "request column as user column": (
        lambda r: column(r, "user_columns", "skips", [1]), "skips"),
    "long user column": (lambda r: column(r, "user_columns", "age", [1, 2]), "age"),
    "empty user column": (lambda r: column(r, "user_columns", "age", []), "age"),
    "short vector": (lambda r: column(r, "user_columns", "taste", [0.5] * 23), "taste"),
    "one value for a vector": (lambda r: column(r, "user_columns", "taste", [0.5]), "taste"),
    "over an I8 vector": (lambda r: column(r, "user_columns", "sound", [0.5] * 33), "sound"),
}


def good(stubs, everything):
    request = stubs.ScoreRequest(item_ids=[int(key) for key in everything.items.ids[:3]])
    request.context.time_unix_ms = 1
    return request


@pytest.mark.parametrize("name", WRONG)
def test_wrong_requests(stubs, everything, client, name):
    spoil, word = WRONG[name]
    request = good(stubs, everything)
    client.score(request)
    spoil(request)
    error = refusal(client.score, request)
    assert error.code() == CODE.INVALID_ARGUMENT, error
    assert word in error.details(), f"the message does not name {word!r}: {error.details()!r}"
    assert len(client.score(good(stubs, everything)).scores) == 3


def test_user_id_and_uri_that_disagree(stubs, everything, client):
    users = everything.users
    first = int(users.ids[0])
    for key, uri in ((first, users.uris[1]), (first, "spotify:user:nobody"), (77, users.uris[0])):
        request = good(stubs, everything)
        request.user_id, request.user_uri = key, uri
        error = refusal(client.score, request)
        assert error.code() == CODE.INVALID_ARGUMENT, (key, uri, error)
        assert "user" in error.details(), (key, uri, error)
    request.user_id, request.user_uri = int(users.ids[1]), users.uris[1]
    assert len(client.score(request).scores) == 3


@pytest.mark.parametrize("flag", ["want_boosts", "want_explanations"])
def test_wishes_of_later_days(stubs, everything, client, flag):
    request = good(stubs, everything)
    setattr(request, flag, True)
    error = refusal(client.score, request)
    assert error.code() == CODE.UNIMPLEMENTED and flag in error.details(), error
    client.score(good(stubs, everything))


@pytest.mark.parametrize("method", [
    "/crescendo.v1.PromotionScoreService/Nonesuch", "/crescendo.v1.PromotionScoreService/score",
    "/crescendo.v1.Nonesuch/Score", "/Score", "/", "/grpc.health.v1.Health/Nonesuch",
    "/crescendo.v1.PromotionScoreService/Score/", "/crescendo.v1.PromotionScoreService/Score?x=1"])
def test_unknown_methods(stubs, everything, client, method):
    error = refusal(client.call, method, b"")
    assert error.code() == CODE.UNIMPLEMENTED, error
    assert len(client.score(good(stubs, everything)).scores) == 3


def test_health(generated, client):
    health = generated.health
    for name in ("", "crescendo.v1.PromotionScoreService"):
        answer = client.health.Check(health.HealthCheckRequest(service=name), timeout=20)
        assert answer.status == health.HealthCheckResponse.SERVING, name
    for name in ("nonesuch", "crescendo.v1.promotionscoreservice", "x" * 5_000):
        error = refusal(client.health.Check, health.HealthCheckRequest(service=name), timeout=20)
        assert error.code() == CODE.NOT_FOUND, error
