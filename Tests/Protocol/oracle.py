"""What an answer must say, from LightGBM itself and the documented output transform."""

import functools
import math
import re

import lightgbm
import numpy as np

import assemble


def exponential(value):
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def sigmoid(value, slope=1.0):
    return 1.0 / (1.0 + exponential(-slope * value))


def transform(objective, output):
    """The function from raw sum to score, in double: scoring.md 3, item 7."""
    name, *options = objective.split()
    options = dict(option.partition(":")[::2] for option in options)
    if output == "raw":
        return lambda value: value
    if name == "binary":
        return lambda value: sigmoid(value, float(options.get("sigmoid", 1)))
    if name == "cross_entropy":
        return sigmoid
    if name == "cross_entropy_lambda":
        return lambda value: math.log1p(exponential(value))
    if name in ("poisson", "gamma", "tweedie"):
        return exponential
    if name == "regression" and "sqrt" in options:
        return lambda value: math.copysign(1.0, value) * value * value if value else 0.0
    assert name in ("regression", "regression_l1", "huber", "fair", "quantile", "mape",
                    "lambdarank", "rank_xendcg"), f"no transform is documented for {objective}"
    return lambda value: value


class Model:
    def __init__(self, path, output):
        self.booster = lightgbm.Booster(model_file=str(path))
        self.names = self.booster.feature_name()
        objective = re.search(r"^objective=(.*)$", path.read_text(), re.MULTILINE)[1]
        self.transform = transform(objective, output)
        self.trees = self.booster.num_trees()

    def raw(self, matrix):
        if not len(matrix):
            return np.empty(0)
        return self.booster.predict(matrix, raw_score=True, num_threads=2)

    def scores(self, raw):
        return np.array([self.transform(value) for value in raw.tolist()], np.float64).astype(
            np.float32)


@functools.lru_cache(maxsize=None)
def model(snapshot, name):
    return Model(snapshot.model_path(name), snapshot.models[name]["output"])


class Expected:
    """raw float64 [n], NaN where unknown; scores float32 [n], 0 where unknown; known bool [n]."""

    def __init__(self, snapshot, request, now):
        assembly = assemble.Assembly(snapshot, request, now)
        self.model = model(snapshot, snapshot.model_name(request))
        self.known = assembly.known
        self.raw = np.full(assembly.count, np.nan)
        self.scores = np.zeros(assembly.count, np.float32)
        self.matrix = assembly.matrix(self.model.names)
        self.raw[self.known] = self.model.raw(self.matrix)
        self.scores[self.known] = self.model.scores(self.raw[self.known])

    def row_of(self, position):
        """The features of one known candidate, for messages."""
        row = self.matrix[int(self.known[:position].sum())]
        return {name: float(value) for name, value in zip(self.model.names, row)}


def resolved_time(request, answer):
    return request.context.time_unix_ms or answer.provenance.time_unix_ms


def column(answer, each, all_value, count, what):
    """A per-position column, or its all_* value spread out."""
    values = list(getattr(answer, each))
    if values:
        assert len(values) == count, f"{what}: {len(values)} {each} for {count} candidates"
        return values
    value = getattr(answer, all_value)
    assert value or not count, f"{what}: neither {each} nor {all_value}"
    return [value] * count


def check(stubs, snapshot, request, answer, expected=None):
    """Fails at the first thing in `answer` that is not as documented. The number of candidates."""
    expected = expected or Expected(snapshot, request, resolved_time(request, answer))
    count, what = len(expected.raw), f"request {request.request_id!r} ({len(expected.raw)})"
    assert answer.request_id == request.request_id or not request.request_id, what
    assert len(answer.scores) == count, f"{what}: {len(answer.scores)} scores"
    wanted_raw = count if request.want_raw else 0
    assert len(answer.raw_scores) == wanted_raw, f"{what}: {len(answer.raw_scores)} raw_scores"
    fidelity = column(answer, "fidelities", "all_fidelity", count, what)
    reason = column(answer, "reasons", "all_reason", count, what)
    full, none = stubs.FIDELITY_FULL, stubs.FIDELITY_NONE
    wrong = [at for at in range(count) if
             (fidelity[at], reason[at]) != ((full, stubs.REASON_OK) if expected.known[at] else
                                            (none, stubs.REASON_UNKNOWN_ITEM))]
    assert not wrong, (
        f"{what}: fidelity or reason differs at {len(wrong)} positions, first {wrong[0]}: known "
        f"{expected.known[wrong[0]]}, got {stubs.Fidelity.Name(fidelity[wrong[0]])}, "
        f"{stubs.Reason.Name(reason[wrong[0]])}")
    if request.want_raw:
        same_bits(what + ", raw_scores", np.array(answer.raw_scores, np.float64), expected.raw,
                  np.uint64, request, expected)
    same_bits(what + ", scores", np.array(answer.scores, np.float32), expected.scores, np.uint32,
              request, expected)
    return count


def same_bits(what, got, wanted, unsigned, request, expected):
    both_missing = np.isnan(got) & np.isnan(wanted)
    differ = np.flatnonzero((got.view(unsigned) != wanted.view(unsigned)) & ~both_missing)
    if not len(differ):
        return
    at = int(differ[0])
    keys = request.item_uris or request.item_ids
    row = expected.row_of(at) if expected.known[at] else "unknown item"
    raise AssertionError(
        f"{what}: {len(differ)} of {len(got)} differ; position {at}, item {keys[at]}, user "
        f"{request.user_id} {request.user_uri!r}, model {request.model!r}: got {got[at]!r} "
        f"({got[at].tobytes()[::-1].hex()}), wanted {wanted[at]!r} "
        f"({wanted[at].tobytes()[::-1].hex()})\nfeatures: {row}\nrequest without candidates: "
        f"{brief(request)}")


def brief(request):
    short = type(request)()
    short.CopyFrom(request)
    for name in ("item_ids", "item_uris", "candidate_columns"):
        short.ClearField(name)
    return short
