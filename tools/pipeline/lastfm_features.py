"""Artists and listeners of the Last.fm data as tables, made from the signals part alone.

Nothing here may look at a listen of the other parts: they are what the model is trained and
tested to foretell.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, diags_array

from lastfm_data import SIGNALS, Listens
from tables import Table, Vector

TASTE, KIN, TAGS = 32, 64, 32
# Division by listeners to this power keeps the few famous artists from filling every dimension.
FAME_DAMPING = 0.25
# Of the subspace iteration: enough that more of either does not move the measures.
OVERSAMPLING, ITERATIONS = 16, 12
FEATURES = [
    ("listeners_log", "item.listeners_log"),
    ("plays_log", "item.plays_log"),
    ("plays_per_listener_log", "item.plays_per_listener_log"),
    ("tags_log", "item.tags_log"),
    ("user_artists", "user.artists"),
    ("user_plays_log", "user.plays_log"),
    ("user_fame", "user.fame"),
    ("taste", "dot(user.taste, item.taste)"),
    ("kin", "dot(user.kin, item.kin)"),
    ("tags", "dot(user.tags, item.tags)"),
    ("circle", "dot(user.circle, item.taste)"),
]


@dataclass(frozen=True)
class Signals:
    """The signals part: m user rows, artist rows and log plays, of n_users by n_artists."""

    users: np.ndarray
    artists: np.ndarray
    log_plays: np.ndarray
    plays: np.ndarray
    shape: tuple[int, int]

    @staticmethod
    def of(data: Listens) -> Signals:
        users, artists = data.of(SIGNALS)
        plays = data.plays[data.part == SIGNALS].astype(np.float64)
        return Signals(users, artists, np.log1p(plays), plays,
                       (len(data.user_ids), len(data.artist_ids)))

    def listeners(self) -> np.ndarray:
        return np.bincount(self.artists, minlength=self.shape[1])

    def by_artist(self, weights: np.ndarray) -> np.ndarray:
        return np.bincount(self.artists, weights, self.shape[1])

    def by_user(self, weights: np.ndarray) -> np.ndarray:
        return np.bincount(self.users, weights, self.shape[0])


def singular(matrix: csr_array, rank: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The largest singular triplets: left [rows, rank], strength [rank], right [columns, rank].

    Subspace iteration from a drawn start. ARPACK would be quicker, but where singular values
    repeat it restarts from a state of its own and answers otherwise the next time.
    """
    start = np.random.default_rng(0).normal(size=(matrix.shape[1], rank + OVERSAMPLING))
    basis = np.linalg.qr(matrix @ start)[0]
    for _ in range(ITERATIONS):
        basis = np.linalg.qr(matrix @ np.linalg.qr(matrix.T @ basis)[0])[0]
    left, strength, right = np.linalg.svd((matrix.T @ basis).T, full_matrices=False)
    return (basis @ left)[:, :rank], strength[:rank], right[:rank].T


def factorized(signals: Signals, weights: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """User vectors [users, rank] and artist vectors [artists, rank] of the weighted listens."""
    fame = diags_array(np.maximum(signals.listeners(), 1) ** -FAME_DAMPING)
    matrix = csr_array((weights, (signals.users, signals.artists)), shape=signals.shape) @ fame
    left, strength, right = singular(matrix, rank)
    return left * np.sqrt(strength), right * np.sqrt(strength)


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1; a row of zeros stays."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1), 1e-9)[:, None]


def tag_profiles(signals: Signals, artists: np.ndarray,
                 tags: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """User and artist profiles of unit length from tag assignments; zero where there is none."""
    count = signals.shape[1]
    given = csr_array((np.ones(len(artists)), (artists, tags)))
    given.resize((count, given.shape[1]))
    given.sum_duplicates()
    spread = np.bincount(given.indices, minlength=given.shape[1])
    given.data = np.log1p(given.data) * np.log(count / spread[given.indices])
    length = np.sqrt(np.bincount(np.repeat(np.arange(count), np.diff(given.indptr)),
                                 given.data ** 2, count))
    given = diags_array(1.0 / np.maximum(length, 1e-9)) @ given
    left, strength, _ = singular(csr_array(given), TAGS)
    profiles = left * strength
    listens = csr_array((signals.log_plays, (signals.users, signals.artists)),
                        shape=signals.shape)
    return unit(listens @ profiles), unit(profiles)


def circle_tastes(tastes: np.ndarray, friends: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """The mean of each user's friends' tastes [users, rank]; zero without friends."""
    count = len(tastes)
    near = csr_array((np.ones(len(friends[0])), friends), shape=(count, count))
    return (near @ tastes) / np.maximum(np.bincount(friends[0], minlength=count), 1)[:, None]


def tables(data: Listens, tags: tuple[np.ndarray, np.ndarray],
           friends: tuple[np.ndarray, np.ndarray]) -> tuple[Table, Table]:
    """Artists and users with the columns and vectors that FEATURES names."""
    signals = Signals.of(data)
    listeners = signals.listeners()
    plays = signals.by_artist(signals.plays)
    own = np.maximum(signals.by_user(np.ones(len(signals.users))), 1)
    user_taste, taste = factorized(signals, signals.log_plays, TASTE)
    user_kin, kin = factorized(signals, np.ones(len(signals.users)), KIN)
    user_tags, tag = tag_profiles(signals, *tags)
    artists = {
        "listeners": listeners.astype(np.int32),
        "listeners_log": np.log1p(listeners).astype(np.float32),
        "plays_log": np.log1p(plays).astype(np.float32),
        "plays_per_listener_log": np.where(
            listeners > 0, np.log1p(plays / np.maximum(listeners, 1)), np.nan).astype(np.float32),
        "tags_log": np.log1p(np.bincount(tags[0], minlength=len(listeners))).astype(np.float32),
    }
    users = {
        "artists": signals.by_user(np.ones(len(signals.users))).astype(np.int16),
        "plays_log": np.log1p(signals.by_user(signals.plays)).astype(np.float32),
        "fame": (signals.by_user(np.log1p(listeners[signals.artists])) / own).astype(np.float32),
    }
    return (
        table("artist", data.artist_ids, artists,
              {"taste": (taste, np.float32), "kin": (kin, np.float16), "tags": (tag, np.float16)}),
        table("user", data.user_ids, users,
              {"taste": (user_taste, np.float32), "kin": (user_kin, np.float16),
               "tags": (user_tags, np.float16),
               "circle": (circle_tastes(user_taste, friends), np.float32)}),
    )


def table(kind: str, ids: np.ndarray, columns: dict[str, np.ndarray],
          vectors: dict[str, tuple[np.ndarray, type]]) -> Table:
    return Table(ids.astype(np.uint64), [f"lastfm:{kind}:{key}" for key in ids], columns,
                 {name: Vector(values.astype(dtype)) for name, (values, dtype) in vectors.items()})
