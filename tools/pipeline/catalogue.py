"""A made-up music catalogue: tracks by artists of genres, and listeners with tastes.

Every dtype of the snapshot format is used by a column that would plausibly have it. Draws use
numpy's generator and plain arithmetic only, no matrix products, whose bits differ by machine.
"""
from __future__ import annotations

import hashlib

import numpy as np

from tables import Table, Vector

MARKETS = ["SE", "US", "GB", "DE", "BR", "NO", "MX", "FR", "JP", "ES", "NL", "AU"]
SURFACES = ["home", "radio", "autoplay", "mix", "search"]
TIERS = ["free", "premium", "family"]
GENRES = ["pop", "hip hop", "rock", "latin", "dance", "indie", "r&b", "metal", "folk", "jazz",
          "classical", "ambient", "country", "soul", "punk", "afrobeat"]
CATEGORIES = {"market": MARKETS, "surface": SURFACES, "tier": TIERS, "genre": GENRES}
# Listeners by market and tracks by genre: few large, many small.
MARKET_SHARES = 1.0 / np.arange(2.0, 2.0 + len(MARKETS))
GENRE_SHARES = 1.0 / np.arange(3.0, 3.0 + len(GENRES))
TASTE, SOUND, MOOD = 32, 16, 8


def shares(weights: np.ndarray) -> np.ndarray:
    return weights / weights.sum()


def with_missing(rng: np.random.Generator, values: np.ndarray, share: float,
                 dtype: type) -> np.ndarray:
    """The values in a float dtype, a share of them missing."""
    result = values.astype(dtype)
    result[rng.random(len(values)) < share] = np.nan
    return result


def key_of(uri: str) -> int:
    """A 64-bit key from a name, as a system with string ids would make one."""
    return int.from_bytes(hashlib.sha256(uri.encode("utf-8")).digest()[:8], "little")


def quantized(values: np.ndarray) -> Vector:
    """float32 [n, d] as int8 with one scale per row: the largest magnitude becomes 127."""
    scale = (np.abs(values).max(axis=1) / np.float32(127)).astype(np.float32)
    return Vector(np.rint(values / scale[:, None]).astype(np.int8), scale)


def centres(rng: np.random.Generator, dimension: int) -> np.ndarray:
    """One direction per genre, float32 [genres, dimension], of length about 1."""
    return (rng.normal(size=(len(GENRES), dimension)) / np.sqrt(dimension)).astype(np.float32)


def around(rng: np.random.Generator, middle: np.ndarray, spread: float) -> np.ndarray:
    """Vectors near the middle [n, d]; spread is the length of what is added."""
    noise = rng.normal(size=middle.shape) * (spread / np.sqrt(middle.shape[1]))
    return (middle + noise).astype(np.float32)


class Genres:
    """What tracks and listeners share: where the genres lie in each vector space."""

    def __init__(self, rng: np.random.Generator):
        self.taste = centres(rng, TASTE)
        self.sound = centres(rng, SOUND)
        self.mood = centres(rng, MOOD)


def tracks(rng: np.random.Generator, genres: Genres, count: int) -> Table:
    """`count` tracks; an artist has about a dozen, on releases of about four."""
    artists = max(count // 12, 1)
    popularity = rng.pareto(1.2, artists) + 1.0
    artist = rng.integers(0, artists, count)
    genre_of = rng.choice(len(GENRES), artists, p=shares(GENRE_SHARES))
    home = rng.choice(len(MARKETS), artists, p=shares(MARKET_SHARES))
    taste_of = around(rng, genres.taste[genre_of], 0.6)
    genre = genre_of[artist]
    plays = np.floor(popularity[artist] * rng.lognormal(5.0, 1.4, count)).astype(np.int64)
    year = 2026 - np.minimum(np.floor(rng.exponential(9.0, count)), 76)
    trend = rng.normal(size=count) + (year >= 2024)
    uris = [f"crescendo:track:{index:06d}" for index in range(1, count + 1)]
    # Below some hundred plays nobody has measured yet how often a track is skipped.
    skip_rate = np.clip(rng.beta(2.0, 5.0, count) + 0.04 * (genre % 4), 0, 1)
    skip_rate[plays < 150] = np.nan
    columns = {
        "artist": artist.astype(np.int64) + 1,
        "release": (artist * 8 + rng.integers(0, 3, count)).astype(np.int64) + 1,
        "plays": plays,
        "plays_28d": np.floor(plays * rng.beta(1.0, 12.0, count)).astype(np.int32),
        "trend": trend.astype(np.float64),
        "release_year": year.astype(np.int16),
        "duration_seconds": np.clip(rng.normal(205.0, 55.0, count), 31, 900).astype(np.float32),
        "skip_rate": skip_rate.astype(np.float32),
        "tempo": with_missing(rng, rng.normal(118.0, 24.0, count), 0.05, np.float16),
        "energy": with_missing(rng, rng.beta(4.0, 3.0, count), 0.05, np.float16),
        "market": home[artist].astype(np.int8),
        "genre": genre.astype(np.uint8),
        "explicit": rng.random(count) < np.where(genre == 1, 0.6, 0.12),
    }
    vectors = {
        "taste": Vector(around(rng, taste_of[artist], 0.4)),
        "sound": Vector(around(rng, genres.sound[genre], 0.8).astype(np.float16)),
        "mood": quantized(around(rng, genres.mood[genre], 1.0)),
    }
    ids = np.array([key_of(uri) for uri in uris], np.uint64)
    return Table(ids, uris, columns, vectors)


def listeners(rng: np.random.Generator, genres: Genres, count: int) -> Table:
    """`count` listeners, each drawn to one genre and a little to a second."""
    first = rng.choice(len(GENRES), count, p=shares(GENRE_SHARES))
    second = rng.choice(len(GENRES), count, p=shares(GENRE_SHARES))
    uris = [f"crescendo:user:{index:05d}" for index in range(1, count + 1)]
    columns = {
        "plays_total": np.floor(rng.lognormal(8.0, 1.3, count)).astype(np.int64),
        "plays_28d": np.floor(rng.lognormal(5.0, 1.0, count)).astype(np.int32),
        "diversity": rng.beta(3.0, 3.0, count),
        "skip_rate": with_missing(rng, rng.beta(2.0, 4.0, count), 0.04, np.float32),
        "age_years": with_missing(rng, np.floor(rng.gamma(9.0, 3.6, count)), 0.2, np.float16),
        "signup_year": (2026 - np.minimum(np.floor(rng.exponential(5.0, count)), 17)).astype(
            np.int16),
        "market": rng.choice(len(MARKETS), count, p=shares(MARKET_SHARES)).astype(np.int8),
        "favourite_genre": first.astype(np.uint8),
        "explicit_filter": rng.random(count) < 0.1,
    }

    def mixed(space: np.ndarray, spread: float) -> np.ndarray:
        middle = np.float32(0.8) * space[first] + np.float32(0.4) * space[second]
        return around(rng, middle, spread)

    vectors = {
        "taste": Vector(mixed(genres.taste, 0.5)),
        "sound": Vector(mixed(genres.sound, 0.6).astype(np.float16)),
        "mood": quantized(mixed(genres.mood, 0.8)),
    }
    return Table(np.arange(1, count + 1, dtype=np.uint64), uris, columns, vectors)
