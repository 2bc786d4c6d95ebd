"""How good a ranking is: AUC over all rows, NDCG@20 per user."""
from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

CUTOFF = 20


def auc(scores: np.ndarray, labels: np.ndarray) -> float:
    """The chance that a positive row outscores a negative one, over all pairs of rows [r]; a tie
    counts one half."""
    positive = labels > 0
    positives, negatives = int(positive.sum()), int((~positive).sum())
    ranks = rankdata(scores)
    wins = ranks[positive].sum() - positives * (positives + 1) / 2
    return float(wins / (positives * negatives))


def ndcg(scores: np.ndarray, labels: np.ndarray, users: np.ndarray, seed: int) -> float:
    """Mean NDCG@20 over users with a positive row.

    A user's list is all of its rows here: its positives and the negatives drawn for them. Sorted
    by falling score, equal scores in an order drawn from the seed; gain 1 for a positive,
    discount 1 / log2(position + 1), divided by the same sum with all positives first.
    """
    chance = np.random.default_rng(seed).random(len(scores))
    order = np.lexsort((chance, -scores, users))
    discounts = 1.0 / np.log2(np.arange(2, CUTOFF + 2))
    edges = np.flatnonzero(np.diff(users[order])) + 1
    results = []
    for row_labels in np.split(labels[order], edges):
        positives = int(row_labels.sum())
        if positives:
            top = row_labels[:CUTOFF]
            ideal = discounts[:min(positives, CUTOFF)].sum()
            results.append((top * discounts[:len(top)]).sum() / ideal)
    return float(np.mean(results))
