"""Writes a snapshot with nothing but numpy, json and safetensors, as a job of another team would.

usage: write_snapshot.py FOLDER
Beside the snapshot it leaves expected.json: what a reader must find in it.
"""
import datetime
import hashlib
import json
import os
import pathlib
import sys

import numpy as np
from safetensors.numpy import save_file

ROWS, USERS = 1000, 50


def uri_tensors(uris):
    texts = [uri.encode() for uri in uris]
    offsets = np.cumsum([0] + [len(text) for text in texts]).astype(np.uint64)
    return {"uri": np.frombuffer(b"".join(texts), np.uint8), "uri.offsets": offsets}


def tables(random):
    plays = random.normal(size=ROWS)
    plays[::17] = np.nan
    half = np.resize(np.array([1e-7, 6e-8, 65504, np.inf, -np.inf, np.nan, -0.0, 0.1]), ROWS)
    items = {
        "id": random.permutation(np.arange(1, ROWS + 1)).astype(np.uint64) * 0x9E3779B97F4A7C15,
        **uri_tensors([f"spotify:track:{i}" + "å" * (i % 3) for i in range(ROWS)]),
        "plays_log": plays,
        "prior": random.random(ROWS).astype(np.float32),
        "half": half.astype(np.float16),
        "artist": random.integers(-(2**53), 2**53, ROWS),
        "release": random.integers(-(2**31), 2**31, ROWS).astype(np.int32),
        "market": (np.arange(ROWS) % 3 - 1).astype(np.int16),
        "small": random.integers(-128, 128, ROWS).astype(np.int8),
        "byte": random.integers(0, 256, ROWS).astype(np.uint8),
        "explicit": random.random(ROWS) < 0.5,
        "taste": random.normal(size=(ROWS, 16)).astype(np.float32),
        "mood": random.normal(size=(ROWS, 3)).astype(np.float16),
        "style": random.integers(-128, 128, (ROWS, 5)).astype(np.int8),
        "style.scale": random.random(ROWS).astype(np.float32),
    }
    users = {
        "id": np.arange(1, USERS + 1).astype(np.uint64),
        "plays_log": random.normal(size=USERS),
        "taste": random.normal(size=(USERS, 16)).astype(np.float32),
    }
    return items, users


def bits(values):
    """Doubles as text: not all have a JSON number, and not all readers of those round well."""
    return [float(value).hex() for value in values]


def expected(table):
    special = {"id", "uri", "uri.offsets"}
    signals = {name: values for name, values in table.items() if name not in special}
    texts = bytes(table["uri"]) if "uri" in table else b""
    offsets = table.get("uri.offsets", [])
    return {
        "ids": [str(value) for value in table["id"]],
        "uris": [
            texts[int(begin):int(end)].decode() for begin, end in zip(offsets[:-1], offsets[1:])
        ],
        "columns": {
            name: bits(values)
            for name, values in signals.items()
            if values.ndim == 1 and not name.endswith(".scale")
        },
        "embeddings": {
            name: [bits(vector) for vector in values]
            for name, values in signals.items()
            if values.ndim == 2
        },
        "scales": {
            name.removesuffix(".scale"): bits(values)
            for name, values in signals.items()
            if name.endswith(".scale")
        },
    }


def main():
    folder = pathlib.Path(sys.argv[1])
    (folder / "models").mkdir(parents=True)
    items, users = tables(np.random.default_rng(20261125))
    save_file(items, folder / "items.safetensors", metadata={"made": "by a test"})
    save_file(users, folder / "users.safetensors")
    (folder / "models/default.txt").write_text("tree\n")
    (folder / "expected.json").write_text(
        json.dumps({"items": expected(items), "users": expected(users)})
    )
    files = {}
    for name in ["items.safetensors", "users.safetensors", "models/default.txt"]:
        content = (folder / name).read_bytes()
        files[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    now = datetime.datetime.now(datetime.timezone.utc)
    manifest = {
        "format": "crescendo-snapshot/1",
        "version": now.strftime("%Y%m%dT%H%M%SZ-test"),
        "created": now.isoformat(),
        "data_time": now.isoformat(timespec="seconds"),
        "producer": {"name": "write_snapshot.py", "run": "test"},
        "files": files,
        "request_columns": [],
        "categories": {"market": ["SE", "US"], "surface": ["radio"], "tier": ["free"]},
        "models": [
            {
                "name": "default",
                "kind": "lightgbm",
                "file": "models/default.txt",
                "output": "probability",
                "prior": "item.prior",
                "features": [
                    {"name": "plays_log", "from": "item.plays_log"},
                    {"name": "affinity", "from": "dot(user.taste, item.taste)"},
                    {"name": "same_market", "from": "equal(item.market, context.market)"},
                ],
            }
        ],
        "default_model": "default",
    }
    (folder / "manifest.json.new").write_text(json.dumps(manifest, indent=1, ensure_ascii=False))
    os.rename(folder / "manifest.json.new", folder / "manifest.json")


main()
