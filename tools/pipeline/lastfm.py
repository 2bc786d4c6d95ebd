"""Writes a snapshot of the real Last.fm listens and proves that its model ranks them.

usage: lastfm.py OUT_DIR [--data DIR] [--seed 7] [--trees 200]

Items are artists. Of each user's artists 60 % become signals, 20 % train the trees and 20 % test
them, each beside 50 artists that the user never listened to. Prints AUC and NDCG@20 (`ranking`)
of the model, of popularity alone and of the dot product alone on the test part. Exit codes: 1
unless the model beats both in both; 2 when the data is not there.
"""
from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

# Several threads add in another order than one, and the factors then differ in their last bits.
# OpenBLAS reads this when numpy loads it.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import lightgbm
import numpy as np

import lastfm_data
from lastfm_features import FEATURES, tables
from ranking import auc, ndcg
from rows import Rows, matrix, parse_source
from snapshot import Model, parse_time, write
from tables import Table
from training import Shape, content, train
from validate import SnapshotError

ROOT = Path(__file__).resolve().parents[2]
CREATED, DATA_TIME = "2026-11-23T08:00:00Z", "2011-05-01T00:00:00Z"
SOURCES = [parse_source(source) for _, source in FEATURES]
POPULARITY, TASTE = ([name for name, _ in FEATURES].index(name)
                     for name in ("listeners_log", "taste"))
# Training rows that are repeated without their user, so that the model knows the anonymous.
ANONYMOUS = 0.03


def trained(data: lastfm_data.Listens, items: Table, users: Table, trees: int,
            seed: int) -> lightgbm.Booster:
    """The model of the training part."""
    rng = np.random.default_rng([seed, lastfm_data.TRAINING])
    user, item, labels = lastfm_data.with_negatives(data, lastfm_data.TRAINING, rng)
    again = np.flatnonzero(rng.random(len(user)) < ANONYMOUS)
    user = np.concatenate([user, np.full(len(again), -1)])
    item, labels = np.append(item, item[again]), np.append(labels, labels[again])
    values = matrix(items, users, SOURCES, Rows(item, user))
    shape = Shape(trees=trees, leaves=31, rate=0.05, rows_per_leaf=100)
    return train(values, labels, [name for name, _ in FEATURES], [], shape, seed)


def measured(data: lastfm_data.Listens, items: Table, users: Table, booster: lightgbm.Booster,
             seed: int) -> dict[str, tuple[float, float]]:
    """AUC and NDCG@20 on the test part by what did the ranking."""
    rng = np.random.default_rng([seed, lastfm_data.TEST])
    user, item, labels = lastfm_data.with_negatives(data, lastfm_data.TEST, rng)
    values = matrix(items, users, SOURCES, Rows(item, user))
    rankings = {
        "model": booster.predict(values, raw_score=True),
        "popularity": values[:, POPULARITY],
        "dot product": values[:, TASTE],
    }
    return {name: (auc(scores, labels), ndcg(scores, labels, user, seed))
            for name, scores in rankings.items()}


def beats_all(results: dict[str, tuple[float, float]]) -> bool:
    """Whether the model is strictly above every other ranking in both measures."""
    model = results["model"]
    others = [result for name, result in results.items() if name != "model"]
    return all(mine > theirs for other in others for mine, theirs in zip(model, other))


def build(arguments: argparse.Namespace) -> int:
    folder = arguments.data / lastfm_data.FOLDER
    data = lastfm_data.listens(folder, np.random.default_rng(arguments.seed))
    items, users = tables(data, lastfm_data.tag_assignments(folder, data),
                          lastfm_data.friends(folder, data))
    booster = trained(data, items, users, arguments.trees, arguments.seed)
    nobody = Rows(np.arange(len(items)), np.full(len(items), -1))
    prior = booster.predict(matrix(items, users, SOURCES, nobody)).astype(np.float32)
    items = replace(items, columns=items.columns | {"prior": prior})
    results = measured(data, items, users, booster, arguments.seed)
    print(f"{'ranking':<12}  {'AUC':>6}  NDCG@20")
    for name, (area, gain) in results.items():
        print(f"{name:<12}  {area:6.4f}  {gain:7.4f}")
    if not beats_all(results):
        print("lastfm: the model does not beat the others in both measures", file=sys.stderr)
        return 1
    model = Model("default", content(booster), FEATURES, prior="item.prior")
    version = write(arguments.folder, items, users, [model], categories={},
                    created=arguments.created, data_time=parse_time(DATA_TIME),
                    run=f"lastfm seed {arguments.seed}")
    print(f"{arguments.folder}: {version}")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description="a snapshot of the real Last.fm listens")
    parser.add_argument("folder", type=Path, metavar="OUT_DIR")
    parser.add_argument("--data", type=Path, metavar="DIR",
                        default=Path(os.environ.get("CRESCENDO_TEST_DATA",
                                                    ROOT.parent / "shared" / "data")),
                        help="holds lastfm2k/; default $CRESCENDO_TEST_DATA, else ../shared/data "
                        "beside the project")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--trees", type=int, default=200)
    parser.add_argument("--created", type=parse_time, default=CREATED,
                        help=f"ISO 8601; default {CREATED}")
    try:
        return build(parser.parse_args())
    except lastfm_data.DataError as error:
        print(f"lastfm: {error}", file=sys.stderr)
        return 2
    except SnapshotError as error:
        print(f"lastfm: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
