"""The rules that a snapshot must keep, checked before anything is written."""
from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from dots import INT8_DIMENSION_MAX
from rows import NAME, Constant, Dot, Equal, Scalar, Source, parse_source
from tables import COLUMN_DTYPES, RESERVED, VECTOR_DTYPES, Table, Vector

if TYPE_CHECKING:
    from snapshot import Model

# Beyond it double no longer holds every integer, and a widened value would not be exact.
INTEGER_MAX = 1 << 53


class SnapshotError(ValueError):
    """A part of a snapshot breaks the format; the message names the part."""


def check_names(models: list[Model], categories: dict[str, list[str]],
                request_columns: list[str]) -> None:
    if not models:
        raise SnapshotError("a snapshot needs a model")
    check_unique("models", [model.name for model in models])
    check_unique("request_columns", list(request_columns))
    for name in [model.name for model in models] + list(request_columns):
        if not re.fullmatch(NAME, name):
            raise SnapshotError(f"{name!r} is no name")
    for name, levels in categories.items():
        check_unique(f"categories.{name}", levels)


def check_unique(what: str, names: list) -> None:
    if len(set(names)) != len(names):
        raise SnapshotError(f"{what}: a name stands there twice")


def check_table(what: str, table: Table) -> None:
    """Keys, names, columns and vectors of a table; `what` names it in messages."""
    count = len(table)
    if table.ids.dtype != np.uint64 or table.ids.ndim != 1:
        raise SnapshotError(f"{what}.id: must be uint64 [n]")
    if np.any(table.ids == 0):
        raise SnapshotError(f"{what}.id: 0 is no key")
    if len(np.unique(table.ids)) != count:
        raise SnapshotError(f"{what}.id: a key stands there twice")
    if len(table.uris) != count or "" in table.uris:
        raise SnapshotError(f"{what}.uri: must be {count} names, none of them empty")
    check_unique(f"{what}.uri", table.uris)
    for uri in table.uris:
        try:
            uri.encode("utf-8")
        except UnicodeEncodeError as error:
            raise SnapshotError(f"{what}.uri: {uri!r} is not valid UTF-8") from error
    for name, column in table.columns.items():
        check_column(f"{what}.{name}", name, column, count)
    for name, vector in table.vectors.items():
        if name in table.columns:
            raise SnapshotError(f"{what}.{name}: both a column and a vector")
        check_vector(f"{what}.{name}", name, vector, count)


def check_column(what: str, name: str, column: np.ndarray, count: int) -> None:
    if name in RESERVED or not re.fullmatch(NAME, name):
        raise SnapshotError(f"{what}: not a name for a column")
    if column.dtype.name not in COLUMN_DTYPES or column.shape != (count,):
        raise SnapshotError(f"{what}: {column.dtype} {column.shape}, not a column of {count}")
    if column.dtype == np.int64 and np.any((column > INTEGER_MAX) | (column < -INTEGER_MAX)):
        raise SnapshotError(f"{what}: an integer beyond 2^53")
    if name in ("artist", "release") and column.dtype != np.int64:
        raise SnapshotError(f"{what}: caps count by it, so it must be int64")


def check_vector(what: str, name: str, vector: Vector, count: int) -> None:
    values, scale = vector.values, vector.scale
    if name in RESERVED or not re.fullmatch(NAME, name):
        raise SnapshotError(f"{what}: not a name for a vector")
    if values.dtype.name not in VECTOR_DTYPES or values.ndim != 2 or len(values) != count:
        raise SnapshotError(f"{what}: {values.dtype} {values.shape}, not {count} vectors")
    if values.shape[1] == 0:
        raise SnapshotError(f"{what}: a vector has at least one element")
    if (values.dtype == np.int8) != (scale is not None):
        raise SnapshotError(f"{what}: int8 needs a scale, other types have none")
    if scale is not None:
        if scale.dtype != np.float32 or scale.shape != (count,):
            raise SnapshotError(f"{what}.scale: must be float32 [{count}]")
        if values.shape[1] > INT8_DIMENSION_MAX:
            raise SnapshotError(f"{what}: an int8 vector has at most {INT8_DIMENSION_MAX} elements")


def check_model(model: Model, items: Table, users: Table | None,
                request_columns: list[str]) -> None:
    """Bindings against the tables and, for LightGBM, against the features that the file names."""
    what = f"model {model.name!r}"
    names = [name for name, _ in model.features]
    check_unique(f"{what}, features", names)
    if model.kind == "lightgbm" and set(names) != set(lightgbm_features(what, model.content)):
        raise SnapshotError(f"{what}: its bindings are not exactly the features of its file")
    for name, text in model.features:
        try:
            check_source(parse_source(text), items, users, request_columns)
        except ValueError as error:
            raise SnapshotError(f"{what}, feature {name!r}: {error}") from error
    if model.output not in ("raw", "probability"):
        raise SnapshotError(f"{what}: no output {model.output!r}")
    if model.prior is not None:
        scope, _, column = model.prior.partition(".")
        if scope != "item" or column not in items.columns:
            raise SnapshotError(f"{what}: the prior {model.prior!r} is no item column")


def lightgbm_features(what: str, content: bytes) -> list[str]:
    match = re.search(rb"^feature_names=(.*)$", content, re.MULTILINE)
    if match is None:
        raise SnapshotError(f"{what}: its file has no feature_names")
    return match[1].decode("utf-8").split()


def check_source(source: Source, items: Table, users: Table | None,
                 request_columns: list[str]) -> None:
    match source:
        case Equal():
            check_source(source.left, items, users, request_columns)
            check_source(source.right, items, users, request_columns)
        case Scalar(scope="item") if source.name not in items.columns:
            raise ValueError(f"items have no column {source.name!r}")
        case Scalar(scope="user") if users is not None and source.name not in users.columns:
            raise ValueError(f"users have no column {source.name!r}")
        case Scalar(scope="request") if source.name not in request_columns:
            raise ValueError(f"no request column {source.name!r}")
        case Dot():
            check_pair(source, items, users)
        case Constant() | Scalar():
            return


def check_pair(source: Dot, items: Table, users: Table | None) -> None:
    if source.item not in items.vectors:
        raise ValueError(f"items have no vector {source.item!r}")
    if users is None:
        return
    if source.user not in users.vectors:
        raise ValueError(f"users have no vector {source.user!r}")
    user, item = users.vectors[source.user].values, items.vectors[source.item].values
    if user.dtype != item.dtype or user.shape[1] != item.shape[1]:
        raise ValueError(f"vectors of {user.dtype} [{user.shape[1]}] and {item.dtype} "
                         f"[{item.shape[1]}] do not match")
