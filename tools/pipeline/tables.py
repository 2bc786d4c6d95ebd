"""One table of a snapshot in memory: keys, names, columns and vectors of items or of users."""
from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

COLUMN_DTYPES = ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8",
                 "bool")
VECTOR_DTYPES = ("float32", "float16", "int8")
RESERVED = ("id", "uri", "uri.offsets")
SCALE = ".scale"


@dataclass(frozen=True)
class Vector:
    """An embedding: values [n, d] float32, float16 or int8; scale [n] float32 with int8 only."""

    values: np.ndarray
    scale: np.ndarray | None = None


@dataclass(frozen=True)
class Table:
    """n rows: ids uint64 [n], n names, columns [n] of COLUMN_DTYPES, and vectors."""

    ids: np.ndarray
    uris: list[str]
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    vectors: dict[str, Vector] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def row_by_id(self) -> dict[int, int]:
        return {int(key): row for row, key in enumerate(self.ids)}

    def row_by_uri(self) -> dict[str, int]:
        return {uri: row for row, uri in enumerate(self.uris)}


def to_tensors(table: Table) -> dict[str, np.ndarray]:
    """The tensors of a table's file, by name, as the format wants them."""
    names = [uri.encode("utf-8") for uri in table.uris]
    offsets = np.zeros(len(names) + 1, np.uint64)
    np.cumsum([len(name) for name in names], out=offsets[1:])
    tensors = {
        "id": np.ascontiguousarray(table.ids, np.uint64),
        "uri": np.frombuffer(b"".join(names), np.uint8),
        "uri.offsets": offsets,
    }
    for name, column in table.columns.items():
        tensors[name] = np.ascontiguousarray(column)
    for name, vector in table.vectors.items():
        tensors[name] = np.ascontiguousarray(vector.values)
        if vector.scale is not None:
            tensors[name + SCALE] = np.ascontiguousarray(vector.scale)
    return tensors


def from_tensors(tensors: dict[str, np.ndarray]) -> Table:
    """The inverse of `to_tensors`."""
    offsets = tensors["uri.offsets"].astype(np.int64)
    text = tensors["uri"].tobytes()
    uris = [text[start:end].decode("utf-8") for start, end in zip(offsets[:-1], offsets[1:])]
    columns: dict[str, np.ndarray] = {}
    vectors: dict[str, Vector] = {}
    for name, values in tensors.items():
        if name in RESERVED:
            continue
        if values.ndim == 2:
            scale = tensors.get(name + SCALE) if values.dtype == np.int8 else None
            vectors[name] = Vector(values, scale)
        elif not is_scale(name, tensors):
            columns[name] = values
    return Table(tensors["id"], uris, columns, vectors)


def is_scale(name: str, tensors: dict[str, np.ndarray]) -> bool:
    """Whether a tensor is the scale of an int8 vector and not a column."""
    owner = tensors.get(name.removesuffix(SCALE)) if name.endswith(SCALE) else None
    return owner is not None and owner.ndim == 2 and owner.dtype == np.int8
