"""The plain walker beside LightGBM's own C API: nanoseconds per row, one thread, in one run.

usage: tools/bench scoring [--rounds N] [--seconds S]

Two models (100 trees of 31 leaves, 500 of 63) with 24 user, 20 item and 4 pair features, 3 % of
them missing; 20,000 distinct rows, 40 users x 500 candidates, in batches of 500. Rounds alternate
between the two. The bits of all raw scores are compared before anything is measured.
"""
import argparse
import ctypes
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import lightgbm as lgb
import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
USER, ITEM, PAIR = 24, 20, 4
USERS, BATCH = 40, 500
RAW_SCORE = 1  # C_API_PREDICT_RAW_SCORE
FLOAT64 = 1  # C_API_DTYPE_FLOAT64


def with_missing(rng, shape):
    values = rng.normal(size=shape)
    values[rng.random(shape) < 0.03] = np.nan
    return values


def train(rng, trees, leaves):
    rows = with_missing(rng, (60_000, USER + ITEM + PAIR))
    rows[:, 0] = rng.integers(0, 24, len(rows))
    z = np.nan_to_num(rows)
    signal = sum(0.25 * np.sin(z[:, at] * 1.5) * z[:, USER + at % ITEM] for at in range(1, USER))
    labels = (signal + rng.normal(size=len(rows)) * 0.7 > 0.2).astype(int)
    parameters = dict(objective="binary", num_leaves=leaves, learning_rate=0.08, verbose=-1,
                      num_threads=1, min_data_in_leaf=20, seed=1, deterministic=True)
    return lgb.train(parameters, lgb.Dataset(rows, labels), num_boost_round=trees)


def candidate_rows(rng):
    """[USERS x BATCH, 48] float64: each user's features repeat over a batch of items."""
    users = with_missing(rng, (USERS, USER))
    users[:, 0] = rng.integers(0, 24, USERS)
    items = with_missing(rng, (USERS * BATCH, ITEM))
    pairs = with_missing(rng, (USERS * BATCH, PAIR))
    return np.ascontiguousarray(np.hstack([np.repeat(users, BATCH, axis=0), items, pairs]))


def digest(raw):
    """FNV-1a over the 64-bit patterns, as crescendo-bench prints it."""
    value = 0xCBF29CE484222325
    for bits in raw.view(np.uint64).tolist():
        value = (value ^ bits) * 0x100000001B3 & (1 << 64) - 1
    return str(value)


class Library:
    """LightGBM's C API on one model."""

    def __init__(self, path):
        self.library = ctypes.CDLL(lgb.libpath._find_lib_path()[0])
        self.booster = ctypes.c_void_p()
        iterations = ctypes.c_int()
        self.check(self.library.LGBM_BoosterCreateFromModelfile(
            path.encode(), ctypes.byref(iterations), ctypes.byref(self.booster)))

    def check(self, status):
        if status != 0:
            self.library.LGBM_GetLastError.restype = ctypes.c_char_p
            sys.exit(self.library.LGBM_GetLastError().decode())

    def predict(self, rows, out):
        length = ctypes.c_int64()
        self.check(self.library.LGBM_BoosterPredictForMat(
            self.booster, rows.ctypes.data_as(ctypes.c_void_p), FLOAT64,
            ctypes.c_int32(len(rows)), ctypes.c_int32(rows.shape[1]), 1, RAW_SCORE, 0, -1,
            b"num_threads=1", ctypes.byref(length),
            out.ctypes.data_as(ctypes.POINTER(ctypes.c_double))))

    def nanoseconds_per_row(self, rows, seconds):
        out, walked, start = np.empty(BATCH), 0, 0
        began = time.process_time_ns()
        while (spent := time.process_time_ns() - began) < seconds * 1e9:
            self.predict(rows[start:start + BATCH], out)
            walked += BATCH
            start = (start + BATCH) % len(rows)
        return spent / walked


def walker(model, rows_path, seconds):
    binary = os.path.join(ROOT, ".build/release/crescendo-bench")
    output = subprocess.run(
        [binary, "walk", model, rows_path, str(BATCH), str(seconds)], capture_output=True,
        text=True, check=True).stdout
    return json.loads(output)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    print(f"ns per row, batches of {BATCH}, one thread (median of rounds); ratio = walker / LightGBM")
    print(f"{'model':>10}{'LightGBM ' + lgb.__version__:>18}{'walker':>12}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for trees, leaves in [(100, 31), (500, 63)]:
            rng = np.random.default_rng(trees)
            path = os.path.join(folder, "model.txt")
            booster = train(rng, trees, leaves)
            booster.save_model(path)
            rows = candidate_rows(rng)
            rows_path = os.path.join(folder, "rows.bin")
            rows.tofile(rows_path)
            expected = digest(booster.predict(rows, raw_score=True, num_threads=1))
            if walker(path, rows_path, 0.01)["digest"] != expected:
                sys.exit("the walker's raw scores differ from LightGBM's")
            library, theirs, ours = Library(path), [], []
            for _ in range(options.rounds):
                theirs.append(library.nanoseconds_per_row(rows, options.seconds))
                ours.append(walker(path, rows_path, options.seconds)["ns_per_row"])
            ratio = statistics.median(own / peer for own, peer in zip(ours, theirs))
            print(f"{trees:>4} x {leaves:<3}{statistics.median(theirs):>18,.0f}"
                  f"{statistics.median(ours):>12,.0f}{ratio:>8.2f}")


if __name__ == "__main__":
    main()
