"""LightGBM as this pipeline uses it: the same seed gives the same bytes."""
from __future__ import annotations

from dataclasses import dataclass

import lightgbm
import numpy as np

# Histogram sums depend on how rows are dealt to threads, so the number is part of the result. One,
# because LightGBM's threads spin for each other: on a busy machine of two cores, two of them took
# five times as long as one.
THREADS = 1


@dataclass(frozen=True)
class Shape:
    """Size and pace of a forest; rate is the learning rate."""

    trees: int = 100
    leaves: int = 31
    rate: float = 0.1
    rows_per_leaf: int = 50


def train(matrix: np.ndarray, labels: np.ndarray, names: list[str], categorical: list[str],
          shape: Shape, seed: int) -> lightgbm.Booster:
    """A binary model on matrix float64 [r, f] (NaN = missing) and labels 0 or 1 [r]."""
    parameters = {
        "objective": "binary",
        "num_leaves": shape.leaves,
        "learning_rate": shape.rate,
        "min_data_in_leaf": shape.rows_per_leaf,
        "feature_fraction": 0.8,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": THREADS,
        "seed": seed,
        "verbose": -1,
        # Else a feature that does not vary fails the training of a tiny catalogue.
        "feature_pre_filter": False,
    }
    data = lightgbm.Dataset(matrix, labels, feature_name=names, categorical_feature=categorical,
                            params=parameters)
    return lightgbm.train(parameters, data, num_boost_round=shape.trees)


def constant(positives: int, count: int, feature: str) -> lightgbm.Booster:
    """A model of one tree with one leaf: the log-odds of `positives` out of `count`."""
    labels = (np.arange(count) < positives).astype(np.float64)
    return train(np.ones((count, 1)), labels, [feature], [], Shape(trees=1), seed=0)


def content(booster: lightgbm.Booster) -> bytes:
    """The model file, as LightGBM writes it."""
    return booster.model_to_string().encode("utf-8")
