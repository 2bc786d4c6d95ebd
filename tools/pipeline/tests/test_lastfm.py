"""The split, the negatives, the measures and the absence of leaks, on made-up listens."""
import gzip
import math
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np

import lastfm
import lastfm_data
from lastfm_data import SIGNALS, TEST
from lastfm_features import tables
from ranking import auc, ndcg

SEED = 5
USERS, ARTISTS, EACH = 70, 900, 20


def put(folder, name, header, rows, end="\r\n"):
    text = end.join(["\t".join(header)] + ["\t".join(map(str, row)) for row in rows]) + end
    with gzip.open(folder / name, "wb") as file:
        file.write(text.encode())


def fabricate(folder):
    """Users 2, 4, ... who each play EACH of the artists 3, 6, ... and tag every one of them."""
    rng = np.random.default_rng(SEED)
    weights = 1.0 / np.arange(5, ARTISTS + 5)
    listens = []
    for user in range(USERS):
        chosen = rng.choice(ARTISTS, EACH, replace=False, p=weights / weights.sum())
        listens += [(2 * user + 2, 3 * artist + 3, int(rng.integers(1, 999)))
                    for artist in chosen.tolist()]
    put(folder, lastfm_data.LISTENS, ["userID", "artistID", "weight"], listens)
    put(folder, lastfm_data.ARTISTS, ["id", "name"],
        [(3 * artist + 3, f'"n{artist}') for artist in range(ARTISTS)], end="\n")
    # One tag an artist, so that many singular values repeat: the factors must not waver then.
    put(folder, lastfm_data.TAGS, ["userID", "artistID", "tagID"],
        [(user, artist, artist % 60 + 1) for user, artist, _ in listens] + [(2, 99999, 1)])
    put(folder, lastfm_data.FRIENDS, ["userID", "friendID"], [(2, 4), (4, 2), (6, 4), (4, 6)])


class LastfmTests(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.folder = Path(directory.name)
        fabricate(self.folder)
        self.data = lastfm_data.listens(self.folder, np.random.default_rng(SEED))

    def tables(self, data):
        return tables(data, lastfm_data.tag_assignments(self.folder, data),
                      lastfm_data.friends(self.folder, data))

    def test_each_users_listens_are_split_60_20_20(self):
        for user in range(USERS):
            parts = np.bincount(self.data.part[self.data.users == user], minlength=3)
            self.assertEqual(parts.tolist(), [12, 4, 4])

    def test_negatives_are_fifty_each_unheard_and_unrepeated(self):
        user, item, labels = lastfm_data.with_negatives(self.data, TEST,
                                                        np.random.default_rng(SEED))
        for row in range(USERS):
            drawn = item[(user == row) & (labels == 0)]
            self.assertEqual(len(drawn), 4 * 50)
            self.assertEqual(len(set(drawn.tolist())), len(drawn))
            own = self.data.artists[self.data.users == row]
            self.assertFalse(set(drawn.tolist()) & set(own.tolist()))

    def test_negatives_follow_the_listeners_of_all_parts(self):
        _, item, labels = lastfm_data.with_negatives(self.data, TEST, np.random.default_rng(SEED))
        drawn = np.bincount(item[labels == 0], minlength=ARTISTS)
        listeners = np.bincount(self.data.artists, minlength=ARTISTS)
        signals = np.bincount(self.data.of(SIGNALS)[1], minlength=ARTISTS)
        unseen = (signals == 0) & (listeners > 0)
        self.assertGreater(int(drawn[unseen].sum()), 0)
        self.assertGreater(drawn[listeners >= 8].mean(), 2 * drawn[listeners == 1].mean())

    def test_held_out_listens_leave_no_trace_in_the_tables(self):
        items, users = self.tables(self.data)
        # The held-out listens of the training and test parts become quite other listens, tags
        # included, and nothing that the model is given may change.
        held_out = self.data.part != SIGNALS
        plays, artists = self.data.plays.copy(), self.data.artists.copy()
        plays[held_out] = 1_000_000
        artists[held_out] = (artists[held_out] + 450) % ARTISTS
        changed = lastfm_data.Listens(self.data.user_ids, self.data.artist_ids, self.data.users,
                                      artists, plays, self.data.part)
        for before, after in zip((items, users), self.tables(changed)):
            for name, column in before.columns.items():
                np.testing.assert_array_equal(column, after.columns[name], name)
            for name, vector in before.vectors.items():
                np.testing.assert_array_equal(vector.values, after.vectors[name].values, name)

    def test_tags_of_held_out_listens_are_left_out(self):
        artists, _ = lastfm_data.tag_assignments(self.folder, self.data)
        self.assertEqual(len(artists), USERS * 12)

    def test_a_missing_file_is_named(self):
        (self.folder / lastfm_data.TAGS).unlink()
        with self.assertRaisesRegex(lastfm_data.DataError, lastfm_data.TAGS):
            lastfm_data.tag_assignments(self.folder, self.data)
        script = Path(lastfm.__file__)
        absent = subprocess.run([sys.executable, script, self.folder / "out", "--data",
                                 self.folder / "nowhere"], capture_output=True, text=True,
                                timeout=60, check=False)
        self.assertEqual(absent.returncode, 2)
        self.assertIn("is not there", absent.stderr)


class RankingTests(unittest.TestCase):
    def test_auc_counts_pairs(self):
        labels = np.array([1, 0, 1, 0, 0])
        self.assertEqual(auc(np.array([9.0, 8, 7, 6, 5]), labels), 5 / 6)
        self.assertEqual(auc(np.zeros(5), labels), 0.5)

    def test_ndcg_by_hand(self):
        users = np.array([0, 0, 0, 1, 1, 2])
        labels = np.array([0.0, 1, 1, 0, 1, 0])
        scores = np.array([3.0, 2, 1, 1, 2, 5])
        first = (1 / math.log2(3) + 1 / math.log2(4)) / (1 + 1 / math.log2(3))
        self.assertAlmostEqual(ndcg(scores, labels, users, 1), (first + 1) / 2, places=12)

    def test_ndcg_ends_at_twenty(self):
        labels = np.zeros(30)
        labels[20] = 1
        scores = -np.arange(30.0)
        self.assertEqual(ndcg(scores, labels, np.zeros(30, int), 1), 0)
        self.assertEqual(ndcg(scores, np.ones(30), np.zeros(30, int), 1), 1)

    def test_ties_do_not_favour_the_positives(self):
        labels = np.tile([1.0] + [0.0] * 50, 400)
        users = np.repeat(np.arange(400), 51)
        self.assertLess(ndcg(np.zeros(len(labels)), labels, users, 1), 0.25)

    def test_the_model_must_win_everything(self):
        self.assertTrue(lastfm.beats_all({"model": (2, 2), "dot product": (1, 1)}))
        self.assertFalse(lastfm.beats_all({"model": (2, 2), "dot product": (1, 2)}))
        self.assertFalse(lastfm.beats_all({"model": (2, 1), "popularity": (1, 2)}))
