"""What the server must answer, from LightGBM itself: the oracle of the protocol tests.

usage: expected.py SNAPSHOT [REQUESTS]

REQUESTS holds JSON lines of ScoreRequest; - or nothing is standard input.

Prints one JSON object per request: raw scores (exact: Python writes the shortest decimal that
reads back to the same double), their 64-bit patterns in hex, and scores. null = unknown item.
"""
from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import lightgbm
import numpy as np

from rows import TIME_CONTEXT, Equal, Rows, Scalar, Source, matrix
from score_requests import UNKNOWN, RequestError, Resolver
from snapshot import Snapshot, read


@dataclass(frozen=True)
class Expected:
    """An answer's columns: raw float64 [c] (NaN for an unknown item), scores float32 [c] (0 for
    one), known bool [c], and the model's name."""

    raw: np.ndarray
    scores: np.ndarray
    known: np.ndarray
    model: str


class Oracle:
    """Answers requests from a snapshot folder; each model is loaded at its first use."""

    def __init__(self, folder: Path | str):
        self.snapshot: Snapshot = read(Path(folder))
        self.resolver = Resolver.of(self.snapshot)
        self.boosters: dict[str, lightgbm.Booster] = {}

    def booster(self, name: str) -> lightgbm.Booster:
        if name not in self.boosters:
            file = self.snapshot.folder / self.snapshot.model(name)["file"]
            self.boosters[name] = lightgbm.Booster(model_file=str(file))
        return self.boosters[name]

    def matrix(self, request: dict) -> np.ndarray:
        """The known candidates' rows, float64 [known, features], in the model file's order."""
        return self._matrix(request, self.resolver.rows(request))

    def answer(self, request: dict) -> Expected:
        """The model's raw sums for a request, and the scores that follow from them."""
        model = self.snapshot.model(request.get("model", ""))
        rows = self.resolver.rows(request)
        known = rows.items != UNKNOWN
        raw = np.full(len(rows), np.nan)
        scores = np.zeros(len(rows), np.float32)
        if known.any():
            booster = self.booster(model["name"])
            raw[known] = booster.predict(self._matrix(request, rows), raw_score=True,
                                         num_threads=1)
            scores[known] = transformed(booster, model["output"], raw[known])
        return Expected(raw, scores, known, model["name"])

    def _matrix(self, request: dict, rows: Rows) -> np.ndarray:
        name = self.snapshot.model(request.get("model", ""))["name"]
        bindings = self.snapshot.sources(name)
        sources = [bindings[feature] for feature in self.booster(name).feature_name()]
        if "hour" not in rows.context and any(map(reads_clock, sources)):
            raise RequestError("the model asks for the time, so the request must say it")
        known = rows.items != UNKNOWN
        rows.items, rows.users = rows.items[known], rows.users[known]
        rows.context = {field: values[known] for field, values in rows.context.items()}
        rows.request = {column: values[known] for column, values in rows.request.items()}
        return matrix(self.snapshot.items, self.snapshot.users, sources, rows)


def reads_clock(source: Source) -> bool:
    match source:
        case Scalar():
            return source.scope == "context" and source.name in TIME_CONTEXT
        case Equal():
            return reads_clock(source.left) or reads_clock(source.right)
    return False


def transformed(booster: lightgbm.Booster, output: str, raw: np.ndarray) -> np.ndarray:
    """The scores of raw sums: the transform in double, then rounded once to float32."""
    if output == "raw":
        return raw.astype(np.float32)
    header = booster.model_to_string(num_iteration=1).split("\nTree=", 1)[0].splitlines()
    objective = next((line[10:].split() for line in header if line.startswith("objective=")), [])
    if "average_output" in header:
        raw = raw / booster.current_iteration()
    return np.array([transform(objective, value) for value in raw.tolist()], np.float32)


def transform(objective: list[str], raw: float) -> float:
    """One output of an objective (`name key:value ...`), in double with libm's functions, as
    numpy's vectorised exp may differ from them in the last bit."""
    name, *settings = objective or ["none"]
    match name:
        case "binary":
            sigmoid = next((float(s[8:]) for s in settings if s.startswith("sigmoid:")), 1.0)
            return 1.0 / (1.0 + exp(-sigmoid * raw))
        case "cross_entropy" | "xentropy":
            return 1.0 / (1.0 + exp(-raw))
        case "cross_entropy_lambda" | "xentlambda":
            return math.log1p(exp(raw))
        case "poisson" | "gamma" | "tweedie":
            return exp(raw)
        case "regression" if "sqrt" in settings:
            return math.copysign(raw * raw, raw)
        case "multiclass" | "multiclassova":
            raise ValueError(f"{name}: a model with several outputs has no one score")
    return raw


def exp(value: float) -> float:
    """libm's exp, which answers infinity where math.exp raises."""
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def line(request: dict, expected: Expected) -> str:
    def column(values: list) -> list:
        return [value if known else None for value, known in zip(values, expected.known)]

    return json.dumps({
        "requestId": request.get("requestId", ""),
        "model": expected.model,
        "raw": column(expected.raw.tolist()),
        "rawBits": column([f"{bits:016x}" for bits in expected.raw.view(np.uint64).tolist()]),
        "scores": column([float(str(score)) for score in expected.scores]),
    })


def main() -> int:
    parser = argparse.ArgumentParser(description="what the server must answer")
    parser.add_argument("snapshot", type=Path)
    parser.add_argument("requests", nargs="?", default="-")
    arguments = parser.parse_args()
    oracle = Oracle(arguments.snapshot)
    source = sys.stdin if arguments.requests == "-" else open(arguments.requests, encoding="utf-8")
    with source:
        for text in source:
            if text.strip():
                request = json.loads(text)
                print(line(request, oracle.answer(request)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
