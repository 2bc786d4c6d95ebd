"""Row assembly: the float64 matrix that a model sees, made exactly as the server makes it.

Training and the checks of served scores both go through `matrix`, so that what a model learnt
on is what it is asked about, to the last bit.
"""
from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from dots import dot_float, dot_rows
from tables import Table

INDEXED_CONTEXT = ("market", "surface", "tier")
TIME_CONTEXT = ("hour", "weekday")
NAME = r"[A-Za-z_][A-Za-z0-9_]*"
SCALAR = re.compile(rf"(item|user|request|context)\.({NAME})")
DOT = re.compile(rf"dot\(\s*user\.({NAME})\s*,\s*item\.({NAME})\s*\)")
EQUAL = re.compile(rf"equal\(\s*({SCALAR.pattern})\s*,\s*({SCALAR.pattern})\s*\)")
CONSTANT = re.compile(r"constant\(\s*([^()\s]+)\s*\)")


@dataclass(frozen=True)
class Scalar:
    scope: str
    name: str


@dataclass(frozen=True)
class Dot:
    user: str
    item: str


@dataclass(frozen=True)
class Equal:
    left: Scalar
    right: Scalar


@dataclass(frozen=True)
class Constant:
    value: float


Source = Scalar | Dot | Equal | Constant


@dataclass
class Rows:
    """What r rows are about; every array has r elements unless it says otherwise.

    items: row in the item table; users: row in the user table, -1 = anonymous or unknown.
    context: float64 by field, NaN = missing; a field that is not here is missing throughout.
    request: float32 by request column, likewise.
    user_values, user_vectors: values that a request sends in place of the user's own, one
    float32 or a float32 [d] for all rows.
    """

    items: np.ndarray
    users: np.ndarray
    context: dict[str, np.ndarray] = field(default_factory=dict)
    request: dict[str, np.ndarray] = field(default_factory=dict)
    user_values: dict[str, np.float32] = field(default_factory=dict)
    user_vectors: dict[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.items)


def parse_source(text: str) -> Source:
    """A manifest's `from` as a value; ValueError if it is none of the five forms."""
    if match := DOT.fullmatch(text):
        return Dot(match[1], match[2])
    if match := EQUAL.fullmatch(text):
        return Equal(parse_scalar(match[1]), parse_scalar(match[4]))
    if match := CONSTANT.fullmatch(text):
        return Constant(float(match[1]))
    return parse_scalar(text)


def parse_scalar(text: str) -> Scalar:
    match = SCALAR.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no source of a feature")
    if match[1] == "context" and match[2] not in INDEXED_CONTEXT + TIME_CONTEXT:
        raise ValueError(f"{text!r}: the context has no such field")
    return Scalar(match[1], match[2])


def matrix(items: Table, users: Table | None, sources: list[Source], rows: Rows) -> np.ndarray:
    """The rows' values, float64 [r, len(sources)], NaN = missing."""
    result = np.empty((len(rows), len(sources)))
    for column, source in enumerate(sources):
        result[:, column] = values(items, users, source, rows)
    return result


def values(items: Table, users: Table | None, source: Source, rows: Rows) -> np.ndarray:
    """One source for all rows, float64 [r] or a scalar that stands for all."""
    match source:
        case Scalar():
            return scalar(items, users, source, rows)
        case Dot():
            return dot(items, users, source, rows).astype(np.float64)
        case Equal():
            left = scalar(items, users, source.left, rows)
            right = scalar(items, users, source.right, rows)
            missing = np.isnan(left) | np.isnan(right)
            return np.where(missing, np.nan, (left == right).astype(np.float64))
        case Constant():
            return np.full(len(rows), source.value)


def scalar(items: Table, users: Table | None, source: Scalar, rows: Rows) -> np.ndarray:
    missing = np.full(len(rows), np.nan)
    match source.scope:
        case "item":
            return items.columns[source.name][rows.items].astype(np.float64)
        case "request":
            return rows.request.get(source.name, missing).astype(np.float64)
        case "context":
            return rows.context.get(source.name, missing)
    if source.name in rows.user_values:
        return np.full(len(rows), np.float64(rows.user_values[source.name]))
    if users is None:
        return missing
    known = rows.users >= 0
    missing[known] = users.columns[source.name][rows.users[known]].astype(np.float64)
    return missing


def dot(items: Table, users: Table | None, source: Dot, rows: Rows) -> np.ndarray:
    """The pair's product, float32 [r]: +0, not missing, for a user without a vector."""
    if source.user in rows.user_vectors:
        right = items.vectors[source.item].values[rows.items]
        sent = rows.user_vectors[source.user]
        return dot_float(np.broadcast_to(sent, right.shape), right)
    if users is None:
        return np.zeros(len(rows), np.float32)
    return dot_rows(users.vectors[source.user], items.vectors[source.item], rows.users, rows.items)


def local_hour(time_unix_ms: np.ndarray, utc_offset_minutes: np.ndarray) -> np.ndarray:
    """0 to 23, float64, in the request's local time."""
    local = np.asarray(time_unix_ms, np.int64) + np.int64(60_000) * np.asarray(utc_offset_minutes)
    return (local // 3_600_000 % 24).astype(np.float64)


def local_weekday(time_unix_ms: np.ndarray, utc_offset_minutes: np.ndarray) -> np.ndarray:
    """0 (Monday) to 6, float64, in the request's local time; 1970-01-01 was a Thursday."""
    local = np.asarray(time_unix_ms, np.int64) + np.int64(60_000) * np.asarray(utc_offset_minutes)
    return ((local // 86_400_000 + 3) % 7).astype(np.float64)
