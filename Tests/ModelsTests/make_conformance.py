"""Models and rows with what the real LightGBM makes of them, for LightGBMConformanceTests.

usage: make_conformance.py OUT_DIR SEED        (needs lightgbm, numpy)

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

ROWS = 2_000
SPECIAL = [
    0.0,
    -0.0,
    float("nan"),
    float("inf"),
    float("-inf"),
    5e-324,
    -5e-324,
    2.2e-308,
    1e-35,
    -1e-35,
    float(np.float32(1e-35)),
    -float(np.float32(1e-35)),
    np.nextafter(float(np.float32(1e-35)), 1),
    np.nextafter(-float(np.float32(1e-35)), -1),
    1e-36,
    -1e-36,
    1e300,
    -1e300,
    1.7976931348623157e308,
    0.5,
    -0.5,
    -0.9999999,
    -1.0,
    -1.5,
    1.0,
    31.0,
    32.0,
    63.999,
    64.0,
    65535.0,
    65536.0,
    70000.0,
    2147483647.0,
    2147483647.5,
    2147483648.0,
    4294967296.0,
    -2147483648.0,
    -2147483649.0,
    1e10,
    3.0,
    7.0,
]


def columns(text):
    """Thresholds of numerical and categories of categorical tests in a model text, by feature."""
    thresholds, categories = {}, {}
    for block in re.split(r"^Tree=", text.split("end of trees")[0], flags=re.M)[1:]:
        fields = dict(line.split("=", 1) for line in block.split("\n")[1:] if "=" in line)
        if int(fields["num_leaves"]) < 2:
            continue
        bounds = [int(x) for x in fields.get("cat_boundaries", "").split()]
        words = [int(x) for x in fields.get("cat_threshold", "").split()]
        for feature, threshold, kind in zip(
            fields["split_feature"].split(),
            fields["threshold"].split(),
            fields["decision_type"].split(),
        ):
            if int(kind) & 1:
                low, high = bounds[int(threshold)], bounds[int(threshold) + 1]
                bits = [
                    32 * i + j
                    for i, word in enumerate(words[low:high])
                    for j in range(32)
                    if word >> j & 1
                ]
                categories.setdefault(int(feature), []).extend(
                    bits[:50] + bits[-50:] + [32 * (high - low)]
                )
            else:
                thresholds.setdefault(int(feature), []).append(float(threshold))
    return thresholds, categories


def fuzzed_rows(rng, text, features):
    rows = rng.normal(size=(ROWS, features)) * np.exp(rng.normal(size=(ROWS, 1)))
    thresholds, categories = columns(text)
    with np.errstate(all="ignore"):
        for feature in range(features):
            near = np.array(thresholds.get(feature, [0.0]))
            near = rng.choice(near, ROWS)
            step = rng.integers(0, 3, ROWS)
            near = np.where(
                step == 1,
                np.nextafter(near, np.inf),
                np.where(step == 2, np.nextafter(near, -np.inf), near),
            )
            chance = rng.random(ROWS)
            rows[:, feature] = np.where(chance < 0.45, near, rows[:, feature])
            if feature in categories:
                whole = rng.choice(np.array(categories[feature], dtype=float), ROWS) + rng.integers(
                    -1, 2, ROWS
                )
                whole = np.where(rng.random(ROWS) < 0.2, whole + rng.random(ROWS), whole)
                rows[:, feature] = np.where(chance < 0.8, whole, rows[:, feature])
            rows[:, feature] = np.where(
                chance > 0.85, rng.choice(np.array(SPECIAL), ROWS), rows[:, feature]
            )
    return rows


def mean_raw(text):
    """The documented mean: by tree, weighted by leaf_count, summed from left to right."""
    total = 0.0
    for block in re.split(r"^Tree=", text.split("end of trees")[0], flags=re.M)[1:]:
        fields = dict(line.split("=", 1) for line in block.split("\n")[1:] if "=" in line)
        values = [float(x) for x in fields["leaf_value"].split()]
        counts = [int(x) for x in fields.get("leaf_count", "").split()]
        weighted = 0.0
        if sum(counts) > 0:
            for value, count in zip(values, counts):
                weighted += value * float(count)
            total += weighted / float(sum(counts))
        else:
            for value in values:
                weighted += value
            total += weighted / float(len(values))
    return total


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


def fuzzed_double(rng):
    kind = rng.randrange(8)
    if kind == 0:
        value = struct.unpack("<d", struct.pack("<Q", rng.getrandbits(64)))[0]
        value = 0.25 if value != value or abs(value) == float("inf") else value
        return "%.17g" % value
    if kind == 1:
        return rng.choice(
            [
                "0",
                "-0",
                "5e-324",
                "-2.2250738585072011e-308",
                "1e-310",
                "1e+300",
                "-1e+300",
                "inf",
                "-inf",
                "1.0000000180025095e-35",
                "-1.0000000180025095e-35",
                "1.0000000180025097e-35",
                "9.9999999999999994e-36",
            ]
        )
    if kind == 2:  # more digits than a double has
        return "%d.%040de%d" % (rng.randrange(10), rng.getrandbits(130), rng.randrange(-20, 20))
    return "%.17g" % rng.gauss(0, 1.5)


def fuzzed_tree(rng, number, features, largest):
    leaves = rng.choice([1, 2, 3, 8, 31, 80])
    left, right, at = [], [], {0: None}  # leaf -> (side list, index) that points to it
    for node in range(leaves - 1):
        leaf = rng.choice(list(at))
        if at[leaf]:
            at[leaf][0][at[leaf][1]] = node
        left.append(~leaf)
        right.append(~(node + 1))
        at[leaf], at[node + 1] = (left, node), (right, node)
    order = list(range(1, leaves - 1))  # files of other writers number nodes as they like
    rng.shuffle(order)
    order = [0] * (leaves > 1) + order
    renamed = {old: new for new, old in enumerate(order)}
    child = lambda column: [renamed[c] if c >= 0 else c for c in (column[old] for old in order)]
    left, right = child(left), child(right)
    kinds, thresholds, boundaries, words = [], [], [0], []
    for _ in range(leaves - 1):
        kind = rng.choice([0, 2, 4, 6, 8, 10, 1, 9])
        if kind & 1:
            count = rng.choice([1, 1, 2, 3, largest])
            thresholds.append(str(len(boundaries) - 1))
            words += [
                rng.getrandbits(32) if count < 10 or rng.random() < 0.02 else 0
                for _ in range(count)
            ]
            boundaries.append(len(words))
        else:
            thresholds.append(fuzzed_double(rng))
        kinds.append(kind)
    finite = [
        x
        for x in (fuzzed_double(rng) for _ in range(4 * leaves + 40))
        if "inf" not in x and abs(float(x)) < 1e290
    ]
    lines = [
        f"num_leaves={leaves}",
        f"num_cat={len(boundaries) - 1}",
        "split_feature=" + " ".join(str(rng.randrange(features)) for _ in kinds),
        "threshold=" + " ".join(thresholds),
        "decision_type=" + " ".join(map(str, kinds)),
        "left_child=" + " ".join(map(str, left)),
        "right_child=" + " ".join(map(str, right)),
        "leaf_value=" + " ".join(finite[:leaves]),
        "leaf_count=" + " ".join(str(rng.randrange(2_000)) for _ in range(leaves)),
    ]
    if len(boundaries) > 1:
        lines += [
            "cat_boundaries=" + " ".join(map(str, boundaries)),
            "cat_threshold=" + " ".join(map(str, words)),
        ]
    return f"Tree={number}\n" + "\n".join(lines) + "\nis_linear=0\nshrinkage=1\n\n\n"


def fuzzed(kit, rng):
    scales = [
        "1",
        "0.7",
        "1.97819",
        "3.72048",
        "0.123457",
        "3.14159e-05",
        "2.5e-07",
        "12.5",
        "1e+06",
        "0.857471",
    ]
    for index, scale in enumerate(scales):
        features = rng.choice([1, 3, 7])
        version = ["v2", "v3", "v4"][index % 3]
        trees = [fuzzed_tree(rng, number, features, 2_200) for number in range(12)]
        header = [
            "tree",
            f"version={version}",
            "num_class=1",
            "num_tree_per_iteration=1",
            "label_index=0",
            f"max_feature_idx={features - 1}",
            f"objective=binary sigmoid:{scale}",
            "feature_names=" + " ".join(f"f{i}" for i in range(features)),
            "feature_infos=" + " ".join(["[-1:1]"] * features),
            "tree_sizes=" + " ".join(str(len(t)) for t in trees),
        ]
        kit.accept(f"fuzz-{index}", "\n".join(header) + "\n\n" + "".join(trees) + "end of trees\n")


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
