"""Snapshot folders written with numpy, json, safetensors and LightGBM alone.

`everything` has every dtype, every feature source, every missing kind and many objectives;
`small` is one little model, for tests of other things.
"""

import copy
import functools
import hashlib
import json
import pathlib

import lightgbm
import numpy as np
import safetensors.numpy

CATEGORIES = {"market": ["SE", "US", "NO", "DE", "BR", "JP"],
              "surface": ["radio", "home", "mix", "autoplay"], "tier": ["free", "premium"]}

SOURCES = {
    "plays_log": "item.plays_log", "heat": "item.heat", "rank": "item.rank",
    "artist": "item.artist", "age_days": "item.age_days", "genre": "item.genre",
    "tempo": "item.tempo", "is_explicit": "item.explicit", "item_market": "item.market",
    "user_plays_log": "user.plays_log", "user_age": "user.age", "user_days": "user.days",
    "user_premium": "user.premium", "recent": "request.recent_plays_7d", "skips": "request.skips",
    "market": "context.market", "surface": "context.surface", "tier": "context.tier",
    "hour": "context.hour", "weekday": "context.weekday", "taste": "dot(user.taste, item.taste)",
    "style": "dot(user.style, item.style)", "sound": "dot(user.sound, item.sound)",
    "here": "equal(item.market, context.market)", "home": "equal(user.market, item.market)",
    "a=b": "equal(user.segment, item.tempo)", "bias": "constant(1.5)"}
CATEGORICAL = ("genre", "item_market", "market", "surface", "hour")

# name → (LightGBM parameters, output, trees)
MODELS = {
    "default": ({"objective": "binary", "sigmoid": 0.7}, "probability", 60),
    "zero": ({"objective": "regression", "zero_as_missing": True}, "raw", 40),
    "plain": ({"objective": "poisson", "use_missing": False}, "probability", 40),
    "root": ({"objective": "regression", "reg_sqrt": True, "num_leaves": 255}, "probability", 20),
    "entropy": ({"objective": "cross_entropy", "zero_as_missing": True}, "probability", 30),
    "softplus": ({"objective": "cross_entropy_lambda"}, "probability", 30),
    "rank": ({"objective": "lambdarank"}, "probability", 30),
    "huber": ({"objective": "huber", "num_leaves": 2}, "raw", 30),
    "gamma": ({"objective": "gamma"}, "probability", 20),
    "dart": ({"objective": "binary", "boosting": "dart"}, "raw", 20),
}


def names(prefix, count):
    """The `uri` and `uri.offsets` tensors of rows named PREFIX:0, PREFIX:1, …"""
    texts = [f"{prefix}:{row:x}{'é' if row % 7 == 0 else ''}".encode() for row in range(count)]
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.uint64)
    return {"uri": np.frombuffer(b"".join(texts), np.uint8).copy(), "uri.offsets": offsets}


def ids(random, count):
    """Unique keys over the whole 64-bit range, the ends included."""
    keys = random.integers(1, 1 << 64, 2 * count, dtype=np.uint64)
    keys = np.unique(np.concatenate([keys, np.array([1, (1 << 64) - 1], np.uint64)]))
    return random.permutation(np.concatenate([keys[:1], keys[-1:], keys[1:count - 1]]))


def holes(random, values, share):
    return np.where(random.random(len(values)) < share, np.nan, values).astype(values.dtype)


def vectors(random, count):
    return {
        "taste": random.normal(size=(count, 24)).astype(np.float32),
        "style": random.normal(size=(count, 16)).astype(np.float16),
        "sound": random.integers(-128, 128, (count, 33)).astype(np.int8),
        "sound.scale": random.uniform(0.001, 0.01, count).astype(np.float32)}


def item_table(random, count):
    return {
        "id": ids(random, count), **names("spotify:track", count),
        "plays_log": random.gamma(2.0, 2.0, count),
        "heat": holes(random, random.normal(size=count).astype(np.float32), 0.1),
        "rank": holes(random, random.uniform(-1, 1, count).astype(np.float16), 0.05),
        "artist": random.integers(1, 1 << 53, count).astype(np.int64),
        "age_days": random.integers(-5, 20_000, count).astype(np.int32),
        "genre": random.integers(-1, 70, count).astype(np.int16),
        "market": random.integers(0, 6, count).astype(np.int8),
        "tempo": random.integers(0, 9, count).astype(np.uint8),
        "explicit": random.random(count) < 0.2,
        "prior": random.uniform(0, 1, count).astype(np.float32), **vectors(random, count)}


def user_table(random, count):
    return {
        "id": ids(random, count), **names("spotify:user", count),
        "plays_log": random.gamma(2.0, 2.0, count),
        "age": holes(random, random.uniform(13, 90, count).astype(np.float32), 0.2),
        "days": random.integers(0, 4_000, count).astype(np.int32),
        "market": random.integers(0, 6, count).astype(np.int8),
        "segment": random.integers(0, 9, count).astype(np.uint8),
        "premium": random.random(count) < 0.5, **vectors(random, count)}


def training_rows(random, count):
    """Rows of the shape of SOURCES, for training only: what is predicted comes over the wire."""
    made = {}
    for name in SOURCES:
        made[name] = random.normal(size=count)
    made["artist"] = random.integers(1, 1 << 53, count).astype(np.float64)
    made["age_days"] = random.integers(-5, 20_000, count).astype(np.float64)
    made["user_days"] = random.integers(0, 4_000, count).astype(np.float64)
    made["user_age"] = random.uniform(13, 90, count)
    for name, levels in {"genre": 70, "item_market": 6, "market": 6, "surface": 4, "hour": 24,
                         "tempo": 9, "tier": 2, "weekday": 7, "is_explicit": 2, "here": 2,
                         "home": 2, "a=b": 2, "user_premium": 2}.items():
        made[name] = random.integers(0, levels, count).astype(np.float64)
    made["bias"] = np.full(count, 1.5)
    made["recent"] = np.where(random.random(count) < 0.4, 0.0, made["recent"])
    made["skips"] = np.where(random.random(count) < 0.3, 0.0, made["skips"] * 1e-35)
    matrix = np.column_stack(list(made.values()))
    for name in ("heat", "rank", "user_plays_log", "user_age", "recent", "skips", "market",
                 "surface", "here", "home", "a=b"):
        matrix[random.random(count) < 0.15, list(made).index(name)] = np.nan
    filled = np.nan_to_num(matrix)
    at = {name: filled[:, column] for column, name in enumerate(made)}
    signal = (0.6 * at["plays_log"] + 0.5 * at["taste"] + 0.4 * (at["genre"] % 3)
              + 0.5 * at["here"] + 0.3 * at["style"] * at["heat"] + 0.3 * (at["hour"] > 17)
              + 0.2 * np.isnan(matrix[:, list(made).index("heat")]) + 0.3 * at["recent"]
              + 0.2 * (at["market"] == 2) * at["sound"] + 0.1 * at["user_age"] / 30)
    return matrix, signal + random.normal(size=count)


def train(matrix, signal, parameters, trees, features, categorical=()):
    """A LightGBM model's text, as its trainer writes it."""
    objective, count = parameters["objective"], len(signal)
    label = signal
    if objective in ("binary", "lambdarank"):
        label = (signal > np.median(signal)).astype(np.float64)
    elif objective in ("cross_entropy", "cross_entropy_lambda"):
        label = 1 / (1 + np.exp(-signal))
    elif objective in ("poisson", "gamma"):
        label = np.exp(0.3 * signal)
    group = [50] * (count // 50) if objective == "lambdarank" else None
    data = lightgbm.Dataset(matrix, label, group=group, feature_name=list(features),
                            categorical_feature=[name for name in categorical])
    wanted = {"num_leaves": 31, "learning_rate": 0.1, "min_data_in_leaf": 5, "verbose": -1,
              "num_threads": 2, "seed": 7, "deterministic": True, "max_cat_to_onehot": 3,
              "min_data_per_group": 5, "cat_smooth": 1.0, "max_cat_threshold": 64, **parameters}
    return lightgbm.train(wanted, data, trees).model_to_string()


def write(folder, manifest, items, users, models):
    """The folder, its manifest last. `items` and `users`: tables, or bytes as they are to stand."""
    folder = pathlib.Path(folder)
    (folder / "models").mkdir(parents=True, exist_ok=True)
    files = {}
    for name, table in (("items.safetensors", items), ("users.safetensors", users)):
        if table is not None:
            files[name] = table if isinstance(table, bytes) else safetensors.numpy.save(table)
    for name, text in models.items():
        files[f"models/{name}.txt"] = text if isinstance(text, bytes) else text.encode()
    listed = {}
    for name, content in files.items():
        (folder / name).write_bytes(content)
        listed[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps({**manifest, "files": listed}))
    return folder


def manifest(version, models, features, *, categories=None, request_columns=(), prior="item.prior"):
    """`models`: name → output, or name → (output, sources)."""
    listed = []
    for name, output in models.items():
        listed.append({
            "name": name, "kind": "lightgbm", "file": f"models/{name}.txt", "output": output,
            "prior": prior, "features": [{"name": one, "from": source}
                                         for one, source in features.items()]})
    return {
        "format": "crescendo-snapshot/1", "version": version, "created": "2026-11-23T08:00:00Z",
        "data_time": "2026-11-23T06:00:00Z", "producer": {"name": "tests", "run": "local"},
        "files": {}, "request_columns": list(request_columns),
        "categories": CATEGORIES if categories is None else categories,
        "models": listed, "default_model": next(iter(models)), "an_unknown_key": {"kept": [1]}}


def everything(folder, seed, item_count=3_000, user_count=400):
    random = np.random.default_rng(seed)
    matrix, signal = training_rows(random, 6_000)
    made = {name: train(matrix, signal, parameters, trees, SOURCES, CATEGORICAL)
            for name, (parameters, _, trees) in MODELS.items()}
    shuffled = dict(random.permutation(list(SOURCES.items())).tolist())
    described = manifest(f"everything-{seed}", {name: MODELS[name][1] for name in MODELS}, shuffled,
                         request_columns=["recent_plays_7d", "skips"])
    return write(folder, described, item_table(random, item_count), user_table(random, user_count),
                 made)


SMALL_SOURCES = {"plays_log": "item.plays_log", "age": "user.age", "recent": "request.recent",
                 "market": "context.market", "taste": "dot(user.taste, item.taste)"}


def small_parts(seed, item_count=64, user_count=16, trees=10):
    """Manifest, items, users and models of a little folder, to be written as they are or broken."""
    return copy.deepcopy(_small_parts(seed, item_count, user_count, trees))


@functools.lru_cache(maxsize=None)
def _small_parts(seed, item_count, user_count, trees):
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(2_000, len(SMALL_SOURCES)))
    matrix[:, 3] = random.integers(0, 6, 2_000)
    matrix[random.random(2_000) < 0.1, 1] = np.nan
    signal = matrix[:, 0] + matrix[:, 4] + (matrix[:, 3] == 1) + random.normal(size=2_000)
    text = train(matrix, signal, {"objective": "binary"}, trees, SMALL_SOURCES, ("market",))
    described = manifest(f"small-{seed}", {"default": "probability"}, SMALL_SOURCES,
                         request_columns=["recent"])
    return {"manifest": described, "items": item_table(random, item_count),
            "users": user_table(random, user_count), "models": {"default": text}}


def small(folder, seed=1, **sizes):
    return write(folder, **small_parts(seed, **sizes))
