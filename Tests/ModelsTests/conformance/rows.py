"""Rows that reach every branch of a model, and what its file says of its mean."""

import re

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
