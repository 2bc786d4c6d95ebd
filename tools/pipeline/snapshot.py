"""Writes and reads snapshot folders (numpy, json and safetensors only).

A folder is complete once its manifest.json is there: that file is written last and renamed into
place, and a folder that has one is never written again.
"""
from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from safetensors.numpy import load_file, save

from rows import Source, parse_source
from tables import Table, from_tensors, to_tensors
from validate import SnapshotError, check_model, check_names, check_table

FORMAT = "crescendo-snapshot/1"
MANIFEST = "manifest.json"
# Readers that map the file then find the widest tensors aligned to cache lines.
DATA_ALIGNMENT_BYTES = 64


@dataclass(frozen=True)
class Model:
    """A model file as its trainer wrote it, and where each of its features comes from."""

    name: str
    content: bytes
    features: list[tuple[str, str]]
    kind: str = "lightgbm"
    output: str = "probability"
    prior: str | None = None

    @property
    def file(self) -> str:
        return f"models/{self.name}.{'txt' if self.kind == 'lightgbm' else 'json'}"


@dataclass(frozen=True)
class Snapshot:
    manifest: dict
    folder: Path
    items: Table
    users: Table | None

    @property
    def categories(self) -> dict[str, list[str]]:
        return self.manifest["categories"]

    def model(self, name: str = "") -> dict:
        wanted = name or self.manifest["default_model"]
        for model in self.manifest["models"]:
            if model["name"] == wanted:
                return model
        raise SnapshotError(f"no model {wanted!r} in {self.folder}")

    def sources(self, name: str = "") -> dict[str, Source]:
        """The bindings of a model by feature name."""
        return {f["name"]: parse_source(f["from"]) for f in self.model(name)["features"]}


def write(folder: Path, items: Table, users: Table | None, models: list[Model], *,
          categories: dict[str, list[str]], created: datetime, request_columns: list[str] = (),
          data_time: datetime | None = None, run: str = "local") -> str:
    """Checks all parts, writes the folder and returns its version; the first model is the default.

    SnapshotError when a part breaks the format or the folder already holds a snapshot.
    """
    if (folder / MANIFEST).exists():
        raise SnapshotError(f"{folder} holds a snapshot already, and a snapshot never changes")
    check_names(models, categories, request_columns)
    check_table("items", items)
    if users is not None:
        check_table("users", users)
    for model in models:
        check_model(model, items, users, request_columns)
    contents = {"items.safetensors": encode(items)}
    if users is not None:
        contents["users.safetensors"] = encode(users)
    contents |= {model.file: model.content for model in models}
    manifest = {
        "format": FORMAT,
        "version": "",
        "created": timestamp(created),
        "data_time": timestamp(data_time or created),
        "producer": {"name": "tools/pipeline", "run": run},
        "files": {name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
                  for name, data in contents.items()},
        "request_columns": list(request_columns),
        "categories": categories,
        "models": [describe(model) for model in models],
        "default_model": models[0].name,
    }
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    manifest["version"] = f"{utc(created):%Y%m%dT%H%M%SZ}-{digest[:6]}"
    (folder / "models").mkdir(parents=True, exist_ok=True)
    for name, data in contents.items():
        put(folder / name, data)
    put(folder / (MANIFEST + ".new"), (json.dumps(manifest, indent=1) + "\n").encode())
    os.replace(folder / (MANIFEST + ".new"), folder / MANIFEST)
    return manifest["version"]


def read(folder: Path) -> Snapshot:
    """A folder's manifest and tables, digests verified."""
    folder = Path(folder)
    manifest = json.loads((folder / MANIFEST).read_bytes())
    if manifest["format"] != FORMAT:
        raise SnapshotError(f"{folder / MANIFEST}: format {manifest['format']!r}, not {FORMAT!r}")
    for name, entry in manifest["files"].items():
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != entry["sha256"]:
            raise SnapshotError(f"{folder / name}: its digest is not the manifest's")
    items = from_tensors(load_file(folder / "items.safetensors"))
    users = None
    if "users.safetensors" in manifest["files"]:
        users = from_tensors(load_file(folder / "users.safetensors"))
    return Snapshot(manifest, folder, items, users)


def encode(table: Table) -> bytes:
    """The safetensors file of a table, its header padded so that data starts on 64 bytes."""
    data = save(to_tensors(table))
    length = int.from_bytes(data[:8], "little")
    padding = -(8 + length) % DATA_ALIGNMENT_BYTES
    header = data[8:8 + length] + b" " * padding
    return len(header).to_bytes(8, "little") + header + data[8 + length:]


def describe(model: Model) -> dict:
    """A model's entry in the manifest."""
    entry = {"name": model.name, "kind": model.kind, "file": model.file, "output": model.output}
    if model.prior is not None:
        entry["prior"] = model.prior
    entry["features"] = [{"name": name, "from": source} for name, source in model.features]
    return entry


def put(path: Path, data: bytes) -> None:
    """Writes a file through to the disk, so that the manifest never outlives what it names."""
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise SnapshotError("a snapshot's times need a time zone")
    return moment.astimezone(timezone.utc)


def timestamp(moment: datetime) -> str:
    return f"{utc(moment):%Y-%m-%dT%H:%M:%SZ}"


def parse_time(text: str) -> datetime:
    """An ISO 8601 time of the command line; without a zone it is UTC."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
