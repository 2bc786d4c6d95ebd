"""Writes a snapshot of a made-up music catalogue with a LightGBM model trained on it.

usage: synthetic.py OUT_DIR [--seed 7] [--items 100000] [--users 20000] [--trees 100]
                    [--example-request FILE] [--constant-tree]

The same arguments give the same bytes on the same kind of machine.
"""
from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import lightgbm
import numpy as np

import listening
from catalogue import CATEGORIES, MARKETS, SURFACES, TIERS, Genres, listeners, tracks
from rows import Rows, local_hour, local_weekday, matrix, parse_source
from snapshot import Model, parse_time, write
from tables import Table
from training import Shape, constant, content, train
from validate import SnapshotError

CREATED = "2026-11-23T08:00:00Z"
TRAINING_ROWS = 200_000
CONSTANT_TREE_ITEMS = 4_096
EXAMPLE_USERS, EXAMPLE_POOL, EXAMPLE_ITEMS = 40, 500, 20
# A Friday evening in Stockholm: 2026-11-20T19:30:00+01:00.
EXAMPLE_TIME_MS, EXAMPLE_OFFSET_MINUTES = 1_795_199_400_000, 60
SOURCES = [parse_source(source) for _, source in listening.FEATURES]


def fitted(rng: np.random.Generator, items: Table, users: Table, shape: Shape,
           seed: int) -> lightgbm.Booster:
    """The model of offers to the catalogue's listeners."""
    # Twenty rows an item are enough of a tiny catalogue, which tests want at once.
    count = min(TRAINING_ROWS, 20 * len(items))
    rows = listening.offers(rng, items, users, count)
    labels = listening.played(rng, items, users, rows)
    names = [name for name, _ in listening.FEATURES]
    return train(matrix(items, users, SOURCES, rows), labels, names, listening.CATEGORICAL, shape,
                 seed)


def prior(booster: lightgbm.Booster, items: Table, users: Table) -> np.ndarray:
    """The model's probability of each item for nobody in no context, float32 [n]; missing for
    items that were hardly played, so that the other branch of the format is in use too."""
    nobody = Rows(np.arange(len(items)), np.full(len(items), -1))
    probability = booster.predict(matrix(items, users, SOURCES, nobody)).astype(np.float32)
    probability[items.columns["plays"] < 20] = np.nan
    return probability


def example(rng: np.random.Generator, booster: lightgbm.Booster, items: Table,
            users: Table) -> dict:
    """A ScoreRequest whose answer is worth reading: a Swedish listener, and tracks that the model
    spreads evenly from its best to its worst of a pool, half of it popular, in random order."""
    swedish = np.flatnonzero(users.columns["market"] == MARKETS.index("SE"))[:EXAMPLE_USERS]
    popular = np.argsort(-items.columns["plays"], kind="stable")[:EXAMPLE_POOL // 2]
    candidates = np.union1d(popular, rng.permutation(len(items))[:EXAMPLE_POOL // 2])
    best: tuple[float, int, np.ndarray] = (-1.0, 0, np.zeros(0))
    for user in swedish if len(swedish) else [0]:
        raw = booster.predict(matrix(items, users, SOURCES, example_rows(candidates, user)),
                              raw_score=True)
        if np.ptp(raw) > best[0]:
            best = (float(np.ptp(raw)), int(user), raw)
    _, user, raw = best
    order = np.argsort(-raw, kind="stable")
    wanted = np.linspace(raw.max(), raw.min(), min(EXAMPLE_ITEMS, len(candidates)))
    chosen: list[int] = []
    for level in wanted:
        free = [row for row in order if row not in chosen]
        chosen.append(min(free, key=lambda row: abs(raw[row] - level)))
    picked = rng.permutation(candidates[chosen])
    return {
        "requestId": "example",
        "userUri": users.uris[user],
        "context": {"market": "SE", "surface": "radio", "tier": "premium",
                    "timeUnixMs": str(EXAMPLE_TIME_MS),
                    "utcOffsetMinutes": EXAMPLE_OFFSET_MINUTES},
        "itemUris": [items.uris[row] for row in picked],
        "candidateColumns": [{"name": "recent_plays_7d", "values": [0.0] * len(picked)}],
    }


def example_rows(candidates: np.ndarray, user: int) -> Rows:
    count = len(candidates)
    fields = {
        "market": MARKETS.index("SE"),
        "surface": SURFACES.index("radio"),
        "tier": TIERS.index("premium"),
        "hour": local_hour(EXAMPLE_TIME_MS, EXAMPLE_OFFSET_MINUTES),
        "weekday": local_weekday(EXAMPLE_TIME_MS, EXAMPLE_OFFSET_MINUTES),
    }
    return Rows(candidates, np.full(count, user),
                {name: np.full(count, float(value)) for name, value in fields.items()},
                {"recent_plays_7d": np.zeros(count, np.float32)})


def build(arguments: argparse.Namespace) -> str:
    """The whole job; returns the version."""
    rng = np.random.default_rng(arguments.seed)
    genres = Genres(rng)
    items = tracks(rng, genres, arguments.items)
    users = listeners(rng, genres, arguments.users)
    booster = fitted(rng, items, users, Shape(trees=arguments.trees, leaves=arguments.leaves),
                     arguments.seed)
    request = example(rng, booster, items, users)
    items = replace(items, columns=items.columns | {"prior": prior(booster, items, users)})
    model = Model("default", content(booster), listening.FEATURES, prior="item.prior")
    version = write(arguments.folder, items, users, [model], categories=CATEGORIES,
                    created=arguments.created, request_columns=listening.REQUEST_COLUMNS,
                    run=f"synthetic seed {arguments.seed}")
    if arguments.example_request:
        arguments.example_request.write_text(json.dumps(request) + "\n", encoding="utf-8")
    return version


def build_constant(arguments: argparse.Namespace) -> str:
    """Items and a model of one constant tree: scoring costs nothing, so the wire is measured."""
    rng = np.random.default_rng(arguments.seed)
    items = tracks(rng, Genres(rng), arguments.items)
    model = Model("default", content(constant(100, 1_000, "bias")),
                  [("bias", "constant(1.0)")])
    return write(arguments.folder, items, None, [model], categories=CATEGORIES,
                 created=arguments.created, run=f"constant tree, seed {arguments.seed}")


def count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def main() -> int:
    parser = argparse.ArgumentParser(description="a snapshot of a made-up music catalogue")
    parser.add_argument("folder", type=Path, metavar="OUT_DIR")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--items", type=count, help="default 100000, or 4096 with a constant tree")
    parser.add_argument("--users", type=count, default=20_000)
    parser.add_argument("--trees", type=count, default=100)
    parser.add_argument("--leaves", type=count, default=31)
    parser.add_argument("--created", type=parse_time, default=CREATED,
                        help=f"ISO 8601; default {CREATED}")
    parser.add_argument("--example-request", type=Path, metavar="FILE",
                        help="also write a ScoreRequest, one line of JSON")
    parser.add_argument("--constant-tree", action="store_true",
                        help="a model of one constant tree and no users, for wire benchmarks")
    arguments = parser.parse_args()
    if arguments.items is None:
        arguments.items = CONSTANT_TREE_ITEMS if arguments.constant_tree else 100_000
    if arguments.constant_tree and arguments.example_request:
        parser.error("a constant tree ranks nothing: no example request")
    try:
        version = (build_constant if arguments.constant_tree else build)(arguments)
    except SnapshotError as error:
        print(f"synthetic: {error}", file=sys.stderr)
        return 1
    print(f"{arguments.folder}: {version}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
