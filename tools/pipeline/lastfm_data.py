"""The Last.fm listens of HetRec 2011, read from their own files, split, and given negatives."""
from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FOLDER = "lastfm2k"
LISTENS, TAGS, FRIENDS, ARTISTS = ("user_artists.dat.gz", "user_taggedartists.dat.gz",
                                   "user_friends.dat.gz", "artists.dat.gz")
SIGNALS, TRAINING, TEST = 0, 1, 2
SIGNAL_SHARE, TRAINING_SHARE = 0.6, 0.2
NEGATIVES = 50


class DataError(Exception):
    """The data is not there or not what it should be; the message says where it was sought."""


@dataclass(frozen=True)
class Listens:
    """m pairs of a user row and an artist row, with plays int64 and their part of the split.

    user_ids, artist_ids: the data's own ids by row, ascending.
    """

    user_ids: np.ndarray
    artist_ids: np.ndarray
    users: np.ndarray
    artists: np.ndarray
    plays: np.ndarray
    part: np.ndarray

    def of(self, part: int) -> tuple[np.ndarray, np.ndarray]:
        """User and artist rows of one part."""
        chosen = self.part == part
        return self.users[chosen], self.artists[chosen]


def table(folder: Path, name: str, columns: int) -> np.ndarray:
    """The first integer columns of a TAB-separated file with a header, int64 [rows, columns]."""
    path = folder / name
    if not path.is_file():
        raise DataError(f"{path} is not there; it is the HetRec 2011 Last.fm data, which is not "
                        "part of this project (--data DIR or CRESCENDO_TEST_DATA says where)")
    with gzip.open(path, "rb") as file:
        lines = file.read().splitlines()[1:]
    try:
        return np.array([[int(cell) for cell in line.split(b"\t")[:columns]] for line in lines])
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error


def rows_of(ids: np.ndarray, wanted: np.ndarray, name: str) -> np.ndarray:
    """The place of each wanted id in the ascending ids; `name` is the file that names them."""
    rows = np.searchsorted(ids, wanted)
    if not np.array_equal(ids[np.minimum(rows, len(ids) - 1)], wanted):
        raise DataError(f"{name}: an id that no other file has")
    return rows


def listens(folder: Path, rng: np.random.Generator) -> Listens:
    """All listens, each user's artists split at random: signals, training, test."""
    pairs = table(folder, LISTENS, 3)
    artist_ids = np.unique(table(folder, ARTISTS, 1)[:, 0])
    user_ids, users = np.unique(pairs[:, 0], return_inverse=True)
    artists = rows_of(artist_ids, pairs[:, 1], LISTENS)
    # Each user's listens in random order; the place in that order decides the part.
    order = np.lexsort((rng.random(len(pairs)), users))
    counts = np.bincount(users)
    place = np.empty(len(pairs), np.int64)
    place[order] = np.arange(len(pairs)) - np.repeat(np.cumsum(counts) - counts, counts)
    share = (place + 0.5) / counts[users]
    part = np.where(share < SIGNAL_SHARE, SIGNALS,
                    np.where(share < SIGNAL_SHARE + TRAINING_SHARE, TRAINING, TEST))
    return Listens(user_ids, artist_ids, users, artists, pairs[:, 2], part)


def with_negatives(data: Listens, part: int, rng: np.random.Generator
                   ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """User rows, artist rows and labels [r]: a part's listens and, for each, NEGATIVES artists
    that the user never listened to.

    They are drawn by their listeners in all parts, without repeats within a user: drawn by the
    signals alone, no negative would be an artist without signals, and some positives are.
    """
    users, artists = data.of(part)
    weights = np.log(np.maximum(np.bincount(data.artists, minlength=len(data.artist_ids)), 1e-9))
    found_users, found_artists = [users], [artists]
    for user in np.unique(users):
        own = data.artists[data.users == user]
        # Gumbel's trick: the largest of log weight + noise are a weighted draw without repeats.
        keys = weights + rng.gumbel(size=len(weights))
        keys[own] = -np.inf
        count = NEGATIVES * int((users == user).sum())
        found_artists.append(np.sort(np.argpartition(-keys, count)[:count]))
        found_users.append(np.full(count, user))
    labels = np.zeros(sum(map(len, found_users)))
    labels[:len(users)] = 1.0
    return np.concatenate(found_users), np.concatenate(found_artists), labels


def tag_assignments(folder: Path, data: Listens) -> tuple[np.ndarray, np.ndarray]:
    """Artist rows and tag ids of the tags that users gave to artists of their own signals.

    Whoever tags an artist listens to it: tags on a held-out listen would betray it.
    """
    given = table(folder, TAGS, 3)
    users, artists = data.of(SIGNALS)
    width = int(max(data.artist_ids.max(), given[:, 1].max())) + 1
    signals = data.user_ids[users] * width + data.artist_ids[artists]
    given = given[np.isin(given[:, 0] * width + given[:, 1], signals)]
    return np.searchsorted(data.artist_ids, given[:, 1]), given[:, 2]


def friends(folder: Path, data: Listens) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of user rows who are friends, in both directions."""
    pairs = table(folder, FRIENDS, 2)
    return tuple(rows_of(data.user_ids, side, FRIENDS) for side in pairs.T)
