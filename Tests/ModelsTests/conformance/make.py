"""Models and rows with what the real LightGBM makes of them, for LightGBMConformanceTests.

usage: make.py OUT_DIR SEED        (needs lightgbm, numpy)

Writes, for each name in OUT_DIR/accepted.txt (one a line):
  NAME.txt       the model, as saved by LightGBM or, for names that begin with "fuzz", written here
  NAME.expected  little-endian: u32 rows, u32 features, f64 mean raw sum, then the rows (f64, rows
                 x features), raw scores (f64, rows) and outputs (f64, rows), all from a Booster
                 that was loaded from NAME.txt
and OUT_DIR/levels.json: {NAME: [[feature, [level, ...]], ...]} for models with pandas categories.
For each line "NAME<tab>REASON" of OUT_DIR/refused.txt, NAME.txt is a model that must be refused,
and REASON is part of the message.
"""

import json
import os
import random
import re
import struct
import sys

import lightgbm as lgb
import numpy as np

from fuzzed import fuzzed
from rows import ROWS, columns, fuzzed_rows, mean_raw


class Kit:
    def __init__(self, out, seed):
        self.out, self.seed, self.accepted, self.refused, self.levels = out, seed, [], [], {}

    def write(self, name, text):
        with open(os.path.join(self.out, name + ".txt"), "w", newline="") as file:
            file.write(text)

    def accept(self, name, text, levels=None):
        booster = lgb.Booster(model_str=text)
        features = booster.num_feature()
        rng = np.random.default_rng([self.seed, len(self.accepted)])
        rows = fuzzed_rows(rng, text, features)
        raw = booster.predict(rows, raw_score=True, num_threads=1)
        output = booster.predict(rows, num_threads=1)
        self.write(name, text)
        with open(os.path.join(self.out, name + ".expected"), "wb") as file:
            file.write(struct.pack("<IId", ROWS, features, mean_raw(text)))
            for part in (rows, raw, output):
                file.write(np.ascontiguousarray(part, dtype="<f8").tobytes())
        self.accepted.append(name)
        if levels:
            self.levels[name] = levels

    def refuse(self, name, text, reason):
        self.write(name, text)
        self.refused.append(f"{name}\t{reason}")

    def finish(self):
        for name, lines in (("accepted.txt", self.accepted), ("refused.txt", self.refused)):
            with open(os.path.join(self.out, name), "w") as file:
                file.write("".join(line + "\n" for line in lines))
        with open(os.path.join(self.out, "levels.json"), "w") as file:
            json.dump(self.levels, file)


def training(rng, n=1_500):
    x = rng.normal(size=(n, 8))
    x[:, 5] = rng.integers(0, 90, n)  # categories of more than 32 values
    x[:, 6] = rng.integers(0, 12, n) - (rng.random(n) < 0.02) * 20
    x[:, 7] = np.where(rng.random(n) < 0.5, 0.0, x[:, 7])
    x[rng.random(x.shape) < 0.05] = np.nan
    signal = (
        np.nan_to_num(x[:, 0])
        + np.sin(np.nan_to_num(x[:, 1]) * 2)
        + (np.nan_to_num(x[:, 5]) % 3 - 1)
        + 0.3 * np.nan_to_num(x[:, 7])
    )
    return x, signal + rng.normal(size=n) * 0.3


NAMES = ["plain", "a=b", "=", "semi;colon", "ünïcode", "cat=egory", "c2", "zeros"]


def train(rng, params, label=lambda s: s, rounds=20, categorical=(5, 6), **kwargs):
    x, signal = training(rng)
    base = dict(
        verbose=-1,
        num_threads=1,
        num_leaves=15,
        min_data_in_leaf=5,
        learning_rate=0.15,
        seed=7,
        deterministic=True,
        min_data_per_group=5,
        cat_smooth=1.0,
        force_row_wise=True,
    )
    data = lgb.Dataset(
        x, label(signal), feature_name=NAMES, categorical_feature=list(categorical), **kwargs
    )
    return lgb.train({**base, **params}, data, num_boost_round=rounds).model_to_string()


def trained(kit, rng):
    positive = lambda s: np.exp(np.clip(s, -3, 3) / 2) + 0.01
    binary = lambda s: (s > 0.2).astype(int)
    share = lambda s: 1 / (1 + np.exp(-s))
    grade = lambda s: np.clip(np.round(s + 1), 0, 3).astype(int)
    queries = dict(group=[50] * 30)
    kit.accept("binary", train(rng, dict(objective="binary"), binary))
    kit.accept("binary-sigmoid", train(rng, dict(objective="binary", sigmoid=1.97819), binary))
    kit.accept(
        "binary-unbalanced-zero",
        train(rng, dict(objective="binary", zero_as_missing=True, is_unbalance=True), binary),
    )
    kit.accept("no-missing", train(rng, dict(objective="regression", use_missing=False)))
    for name in ("regression", "regression_l1", "fair", "quantile", "mape"):
        kit.accept(name, train(rng, dict(objective=name)))
        kit.accept(name + "-sqrt", train(rng, dict(objective=name, reg_sqrt=True)))
    kit.accept("huber", train(rng, dict(objective="huber", reg_sqrt=True)))
    for name in ("poisson", "gamma", "tweedie"):
        kit.accept(name, train(rng, dict(objective=name), positive))
    kit.accept("cross_entropy", train(rng, dict(objective="cross_entropy"), share))
    kit.accept("cross_entropy_lambda", train(rng, dict(objective="cross_entropy_lambda"), share))
    for name in ("lambdarank", "rank_xendcg"):
        kit.accept(name, train(rng, dict(objective=name), grade, **queries))
    kit.accept(
        "dart",
        train(
            rng,
            dict(objective="binary", boosting="dart", drop_rate=0.5, zero_as_missing=True),
            binary,
        ),
    )
    kit.accept("goss", train(rng, dict(objective="binary", data_sample_strategy="goss"), binary))
    kit.accept("single-leaf", train(rng, dict(objective="binary", min_data_in_leaf=1_400), binary))
    kit.accept(
        "monotone",
        train(rng, dict(objective="regression", monotone_constraints=[1, 0, -1, 0, 0, 0, 0, 0])),
    )
    kit.accept("one-hot", train(rng, dict(objective="regression", max_cat_to_onehot=100)))
    custom = lambda prediction, data: (prediction - data.get_label(), np.ones_like(prediction))
    kit.accept("custom-objective", train(rng, dict(objective=custom)))
    kit.refuse(
        "linear",
        train(rng, dict(objective="regression", linear_tree=True), categorical=()),
        "is_linear",
    )
    kit.refuse(
        "forest",
        train(
            rng,
            dict(objective="binary", boosting="rf", bagging_freq=1, bagging_fraction=0.7),
            binary,
        ),
        "average_output",
    )
    kit.refuse(
        "multiclass",
        train(rng, dict(objective="multiclass", num_class=4), grade, rounds=3),
        "num_class",
    )
    kit.refuse(
        "multiclassova",
        train(rng, dict(objective="multiclassova", num_class=4), grade, rounds=3),
        "num_class",
    )


def large_categories(kit, rng):
    n = 4_000
    chosen = np.concatenate(
        [rng.integers(0, 60, n // 2), rng.integers(65_500, 90_000, n - n // 2) // 400 * 400]
    )
    x = np.column_stack([chosen.astype(float), rng.normal(size=n)])
    y = (chosen // 400 % 2 == 0) + 0.1 * x[:, 1]
    params = dict(
        objective="regression",
        verbose=-1,
        num_threads=1,
        num_leaves=8,
        min_data_per_group=2,
        cat_smooth=1.0,
        min_data_in_leaf=2,
        max_cat_threshold=64,
    )
    text = lgb.train(
        params, lgb.Dataset(x, y, categorical_feature=[0]), num_boost_round=4
    ).model_to_string()
    assert max(columns(text)[1][0]) > 65_536
    kit.accept("large-categories", text)


def pandas_categories(kit, rng):
    # What the Python package makes of a frame: codes of its category columns, and their levels
    # in the file.
    lists = [
        ["SE", "NO", 'quote"d', "back\\slash", "tab\t", "\u00fcn\u00ef", "\U0001f3b5"],
        [1999, 2005, 2020],
        [1e-07, 0.5, 2.0],
        [False, True],
    ]
    n = 1_200
    x = np.column_stack(
        [
            rng.integers(0, 7, n),
            rng.normal(size=n),
            rng.integers(0, 3, n),
            rng.integers(0, 3, n),
            rng.integers(0, 2, n),
        ]
    ).astype(float)
    y = x[:, 0] * 0.3 + x[:, 1] + (x[:, 2] == 1) + x[:, 3] + x[:, 4]
    params = dict(
        objective="regression",
        verbose=-1,
        num_threads=1,
        num_leaves=12,
        min_data_per_group=2,
        cat_smooth=1.0,
    )
    booster = lgb.train(
        params, lgb.Dataset(x, y, categorical_feature=[0, 2, 3, 4]), num_boost_round=10
    )
    booster.pandas_categorical = lists
    features = [0, 2, 3, 4]
    spelled = [[v if isinstance(v, str) else json.dumps(v) for v in levels] for levels in lists]
    kit.accept("pandas", booster.model_to_string(), list(zip(features, spelled)))
    text = booster.model_to_string()
    infos = re.search(r"^feature_infos=(.*)$", text, flags=re.M).group(1).split()
    kit.refuse(
        "pandas-miscounted",
        text.replace(infos[2] + " " + infos[3], "none " + infos[3]),
        "4 lists of levels",
    )


def main():
    out, seed = sys.argv[1], int(sys.argv[2])
    os.makedirs(out, exist_ok=True)
    kit = Kit(out, seed)
    trained(kit, np.random.default_rng(seed))
    large_categories(kit, np.random.default_rng(seed + 1))
    pandas_categories(kit, np.random.default_rng(seed + 2))
    fuzzed(kit, random.Random(seed + 3))
    kit.finish()


if __name__ == "__main__":
    main()
