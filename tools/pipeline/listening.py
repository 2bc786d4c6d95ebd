"""Made-up listening: which of the catalogue's tracks were offered to whom, when, and played."""
from __future__ import annotations

import numpy as np

from catalogue import MARKETS, SURFACES, TIERS
from dots import dot_rows
from rows import Rows, local_hour, local_weekday
from tables import Table

REQUEST_COLUMNS = ["recent_plays_7d", "hours_since_played"]
# Where the made-up log starts, 2026-10-26T00:00:00Z (a Monday), and how long it is.
LOG_START_MS, LOG_DAYS = 1_792_972_800_000, 28
DAY_MS = 86_400_000
UTC_OFFSET_MINUTES = np.array([60, -300, 0, 60, -180, 60, -360, 60, 540, 60, 60, 600])
FEATURES = [
    ("plays", "item.plays"),
    ("plays_28d", "item.plays_28d"),
    ("trend", "item.trend"),
    ("release_year", "item.release_year"),
    ("duration_seconds", "item.duration_seconds"),
    ("skip_rate", "item.skip_rate"),
    ("tempo", "item.tempo"),
    ("energy", "item.energy"),
    ("genre", "item.genre"),
    ("explicit", "item.explicit"),
    ("user_plays_total", "user.plays_total"),
    ("user_plays_28d", "user.plays_28d"),
    ("user_diversity", "user.diversity"),
    ("user_skip_rate", "user.skip_rate"),
    ("user_age_years", "user.age_years"),
    ("user_signup_year", "user.signup_year"),
    ("user_explicit_filter", "user.explicit_filter"),
    ("recent_plays_7d", "request.recent_plays_7d"),
    ("hours_since_played", "request.hours_since_played"),
    ("market", "context.market"),
    ("surface", "context.surface"),
    ("tier", "context.tier"),
    ("hour", "context.hour"),
    ("weekday", "context.weekday"),
    ("taste", "dot(user.taste, item.taste)"),
    ("sound", "dot(user.sound, item.sound)"),
    ("mood", "dot(user.mood, item.mood)"),
    ("same_market", "equal(item.market, context.market)"),
    ("favourite_genre", "equal(item.genre, user.favourite_genre)"),
    ("bias", "constant(1.0)"),
]
CATEGORICAL = ["genre", "market", "surface", "tier"]
# Shares of offers without a known user, and of each context field that a caller leaves out.
ANONYMOUS, LEFT_OUT = 0.06, 0.03


def offers(rng: np.random.Generator, items: Table, users: Table, count: int) -> Rows:
    """`count` offers: half of well-known tracks, half of any; anonymous ones among them."""
    popular = np.argsort(-items.columns["plays"], kind="stable")[:max(len(items) // 10, 1)]
    item = np.where(rng.random(count) < 0.5, rng.choice(popular, count),
                    rng.integers(0, len(items), count))
    user = rng.integers(0, len(users), count)
    market = users.columns["market"][user].astype(np.int64)
    time = LOG_START_MS + rng.integers(0, LOG_DAYS * DAY_MS, count)
    offset = UTC_OFFSET_MINUTES[market]
    context = {
        "market": market.astype(np.float64),
        "surface": rng.integers(0, len(SURFACES), count).astype(np.float64),
        "tier": rng.choice(len(TIERS), count, p=[0.5, 0.35, 0.15]).astype(np.float64),
        "hour": local_hour(time, offset),
        "weekday": local_weekday(time, offset),
    }
    for field in ("market", "surface", "tier"):
        context[field][rng.random(count) < LEFT_OUT] = np.nan
    user[rng.random(count) < ANONYMOUS] = -1
    return Rows(item, user, context, recent(rng, user))


def recent(rng: np.random.Generator, user: np.ndarray) -> dict[str, np.ndarray]:
    """The request columns of offers to these users (row or -1), float32: mostly no recent play,
    and for half of the anonymous offers no such columns at all."""
    count = len(user)
    played = rng.random(count) < 0.15
    plays = np.where(played, rng.geometric(0.4, count), 0).astype(np.float32)
    hours = np.where(played, rng.exponential(48.0, count), np.nan).astype(np.float32)
    unknown = (user < 0) & (rng.random(count) < 0.5)
    plays[unknown] = hours[unknown] = np.nan
    return {"recent_plays_7d": plays, "hours_since_played": hours}


def played(rng: np.random.Generator, items: Table, users: Table, rows: Rows) -> np.ndarray:
    """Whether each offer was played to the end, 0 or 1 float64 [r]: the law to be learnt."""
    column = {name: values[rows.items].astype(np.float64)
              for name, values in items.columns.items()}
    known = rows.users >= 0

    def of_user(name: str, otherwise: float) -> np.ndarray:
        values = users.columns[name][np.maximum(rows.users, 0)].astype(np.float64)
        return np.where(known & ~np.isnan(values), values, otherwise)

    def affinity(name: str) -> np.ndarray:
        return dot_rows(users.vectors[name], items.vectors[name], rows.users,
                        rows.items).astype(np.float64)

    hour = rows.context["hour"]
    evening = (hour >= 18) | (hour < 1)
    weekend = rows.context["weekday"] >= 5
    energy = np.nan_to_num(column["energy"], nan=0.5)
    logit = -3.1 + 0.22 * np.log1p(column["plays_28d"]) + 0.15 * column["trend"]
    logit += 1.6 * affinity("taste") + 0.5 * affinity("sound") + 0.4 * affinity("mood")
    logit -= 2.0 * np.nan_to_num(column["skip_rate"], nan=0.35)
    logit -= 1.5 * (of_user("skip_rate", 0.33) - 0.33)
    logit += 0.6 * (column["genre"] == of_user("favourite_genre", -1))
    logit += 0.5 * (column["market"] == rows.context["market"])
    logit += np.where(evening & weekend, 1.2, -0.4) * (energy - 0.5)
    logit += 0.7 * (rows.context["surface"] == SURFACES.index("search"))
    logit -= 0.5 * (rows.context["surface"] == SURFACES.index("autoplay"))
    logit -= 0.2 * (rows.context["tier"] == TIERS.index("free"))
    logit -= 1.5 * column["explicit"] * of_user("explicit_filter", 0)
    logit += 0.02 * (column["release_year"] - 2016) * (of_user("age_years", 32) < 28)
    logit += 0.35 * np.nan_to_num(rows.request["recent_plays_7d"])
    logit -= 1.0 * (np.nan_to_num(rows.request["hours_since_played"], nan=99.0) < 6)
    # A race of uniform draws against the logistic curve, at the curve's own scale.
    noise = rng.logistic(size=len(rows))
    return (logit + noise > 0).astype(np.float64)


assert len(UTC_OFFSET_MINUTES) == len(MARKETS)
