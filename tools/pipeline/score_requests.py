"""ScoreRequest in protobuf's canonical JSON, resolved against a snapshot as the server does it."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rows import INDEXED_CONTEXT, Rows, local_hour, local_weekday
from snapshot import Snapshot
from tables import Table

UNKNOWN = -1


class RequestError(ValueError):
    """The server would answer this request INVALID_ARGUMENT, or its answer is not determined."""


@dataclass(frozen=True)
class Lookup:
    """The rows of one table by key and by name."""

    by_id: dict[int, int]
    by_uri: dict[str, int]

    @staticmethod
    def of(table: Table | None) -> Lookup:
        return Lookup({}, {}) if table is None else Lookup(table.row_by_id(), table.row_by_uri())


@dataclass(frozen=True)
class Resolver:
    """Turns requests into rows; the indexes are built once."""

    snapshot: Snapshot
    items: Lookup
    users: Lookup

    @staticmethod
    def of(snapshot: Snapshot) -> Resolver:
        return Resolver(snapshot, Lookup.of(snapshot.items), Lookup.of(snapshot.users))

    def rows(self, request: dict) -> Rows:
        """One row per candidate, in order; `items` is UNKNOWN where the snapshot has no such item.

        A request without `timeUnixMs` gets no hour and weekday at all, because the server would
        take its own clock: a model that asks for them then fails in `expected`.
        """
        items = self.candidates(request)
        user_values, user_vectors = self.overrides(request)
        return Rows(items, np.full(len(items), self.user(request)),
                    context(request.get("context", {}), self.snapshot.categories, len(items)),
                    self.columns(request, len(items)), user_values, user_vectors)

    def candidates(self, request: dict) -> np.ndarray:
        ids, uris = request.get("itemIds", []), request.get("itemUris", [])
        if ids and uris:
            raise RequestError("at most one of itemIds and itemUris")
        if uris:
            found = [self.items.by_uri.get(uri, UNKNOWN) for uri in uris]
        else:
            found = [self.items.by_id.get(int(key), UNKNOWN) for key in ids]
        return np.array(found, np.int64)

    def user(self, request: dict) -> int:
        key, uri = int(request.get("userId", 0)), request.get("userUri", "")
        by_id = self.users.by_id.get(key, UNKNOWN)
        by_uri = self.users.by_uri.get(uri, UNKNOWN)
        if key and uri and by_id != by_uri:
            raise RequestError("userId and userUri are not the same user")
        return by_id if key else by_uri

    def columns(self, request: dict, count: int) -> dict[str, np.ndarray]:
        declared = self.snapshot.manifest.get("request_columns", [])
        columns = {}
        for column in request.get("candidateColumns", []):
            name, values = column["name"], floats(column.get("values", []))
            if name not in declared:
                raise RequestError(f"candidateColumns: the snapshot declares no {name!r}")
            if len(values) != count:
                raise RequestError(f"candidateColumns, {name}: {len(values)} values, not {count}")
            columns[name] = values
        return columns

    def overrides(self, request: dict) -> tuple[dict[str, np.float32], dict[str, np.ndarray]]:
        users = self.snapshot.users
        scalars: dict[str, np.float32] = {}
        vectors: dict[str, np.ndarray] = {}
        for column in request.get("userColumns", []):
            name, values = column["name"], floats(column.get("values", []))
            if users is not None and name in users.columns and len(values) == 1:
                scalars[name] = values[0]
            elif users is not None and name in users.vectors:
                own = users.vectors[name].values
                if own.dtype == np.int8 or len(values) != own.shape[1]:
                    raise RequestError(f"userColumns, {name}: wrong length, or an int8 vector")
                vectors[name] = values
            else:
                raise RequestError(f"userColumns: {name!r} is no column of users, or not one value")
        return scalars, vectors


def floats(values: list) -> np.ndarray:
    """float32 [n]; canonical JSON writes NaN and the infinities as strings."""
    return np.array([float(value) for value in values], np.float32)


def context(sent: dict, categories: dict[str, list[str]], count: int) -> dict[str, np.ndarray]:
    """The context's fields as the model sees them, float64 [count] each."""
    fields = {}
    for name in INDEXED_CONTEXT:
        levels = categories.get(name, [])
        level = sent.get(name, "")
        index = float(levels.index(level)) if level in levels else np.nan
        fields[name] = np.full(count, index)
    time, offset = int(sent.get("timeUnixMs", 0)), int(sent.get("utcOffsetMinutes", 0))
    if time != 0:
        fields["hour"] = np.full(count, local_hour(time, offset))
        fields["weekday"] = np.full(count, local_weekday(time, offset))
    return fields
