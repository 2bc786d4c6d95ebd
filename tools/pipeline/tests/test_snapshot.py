"""What the writer writes, and what it refuses to write."""
import json
import tempfile
import unittest
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from snapshot import Model, parse_time, read, write
from tables import Table, Vector
from tests.format_check import check
from validate import SnapshotError

CREATED = datetime(2026, 11, 23, 8, tzinfo=timezone.utc)
MODEL = Model("default", b"tree\nfeature_names=plays taste\n",
              [("plays", "item.plays"), ("taste", "dot(user.taste, item.taste)")],
              prior="item.plays")


def table(**columns):
    return Table(np.array([5, 2 ** 64 - 1, 7], np.uint64), ["a", "nåme", "c"],
                 {"plays": np.array([1, 2, 3], np.float32)} | columns,
                 {"taste": Vector(np.ones((3, 2), np.int8), np.ones(3, np.float32))})


class SnapshotTests(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.folder = Path(directory.name) / "snapshot"

    def write(self, items=None, users=None, model=MODEL, **options):
        return write(self.folder, items or table(), users or table(), [model],
                     categories={"market": ["SE"]}, created=CREATED, **options)

    def test_it_keeps_the_format_and_reads_back(self):
        version = self.write()
        manifest, items, _ = check(self.folder)
        self.assertEqual(manifest["version"], version)
        self.assertEqual(manifest["created"], "2026-11-23T08:00:00Z")
        self.assertEqual(items["taste"][:2], ("I8", [3, 2]))
        back = read(self.folder)
        self.assertEqual(back.items.uris, ["a", "nåme", "c"])
        self.assertEqual(back.items.ids.tolist(), [5, 2 ** 64 - 1, 7])
        self.assertEqual(set(back.items.columns), {"plays"})
        self.assertEqual(back.users.vectors["taste"].scale.tolist(), [1, 1, 1])

    def test_a_published_folder_is_not_written_again(self):
        self.write()
        with self.assertRaisesRegex(SnapshotError, "never changes"):
            self.write()

    def test_the_version_follows_the_content(self):
        first = self.write()
        self.folder = self.folder.with_name("same")
        self.assertEqual(self.write(), first)
        self.folder = self.folder.with_name("other")
        self.assertNotEqual(self.write(items=table(more=np.zeros(3, np.int8))), first)

    def test_a_changed_file_is_noticed(self):
        self.write()
        path = self.folder / "items.safetensors"
        path.write_bytes(path.read_bytes()[:-1] + b"\x01")
        with self.assertRaisesRegex(SnapshotError, "digest"):
            read(self.folder)

    def test_the_manifest_names_what_the_server_needs(self):
        self.write(request_columns=["recent"])
        manifest = json.loads((self.folder / "manifest.json").read_text())
        self.assertEqual(manifest["request_columns"], ["recent"])
        self.assertEqual(manifest["models"][0]["features"][1],
                         {"name": "taste", "from": "dot(user.taste, item.taste)"})

    def assert_refused(self, pattern, **parts):
        with self.assertRaisesRegex(SnapshotError, pattern):
            self.write(**parts)
        self.assertFalse(self.folder.exists(), "something was written all the same")

    def test_bad_tables_are_refused(self):
        good = table()
        vector = Vector(np.ones((3, 2), np.float32))
        for pattern, items in [
            ("0 is no key", replace(good, ids=np.array([0, 1, 2], np.uint64))),
            ("id: a key stands there twice", replace(good, ids=np.array([1, 1, 2], np.uint64))),
            ("must be uint64", replace(good, ids=np.array([1, 2, 3]))),
            ("uri: a name stands there twice", replace(good, uris=["a", "a", "c"])),
            ("none of them empty", replace(good, uris=["a", "", "c"])),
            ("not valid UTF-8", replace(good, uris=["a", "\ud800", "c"])),
            ("items.x: uint16", table(x=np.zeros(3, np.uint16))),
            ("items.x: float32 \\(2,\\)", table(x=np.zeros(2, np.float32))),
            ("beyond 2\\^53", table(x=np.array([0, 0, 2 ** 53 + 1]))),
            ("beyond 2\\^53", table(x=np.array([0, 0, -(2 ** 63)]))),
            ("artist: caps count", table(artist=np.zeros(3, np.int32))),
            ("not a name", table(**{"x.y": np.zeros(3, np.int8)})),
            ("both a column and a vector", table(taste=np.zeros(3, np.int8))),
            ("int8 needs a scale",
             replace(good, vectors={"taste": Vector(np.ones((3, 2), np.int8))})),
            ("scale: must be float32",
             replace(good, vectors={"taste": Vector(np.ones((3, 2), np.int8), np.ones(3))})),
            ("do not match", replace(good, vectors={"taste": vector})),
        ]:
            self.assert_refused(pattern, items=items)
        self.write(items=table(x=np.array([2 ** 53, -(2 ** 53), 0])))

    def test_bad_models_are_refused(self):
        for pattern, model in [
            ("not exactly the features", replace(MODEL, features=MODEL.features[:1])),
            ("twice", replace(MODEL, features=MODEL.features * 2)),
            ("no column 'skips'",
             replace(MODEL, features=[("plays", "item.skips"), MODEL.features[1]])),
            ("no request column", replace(MODEL, features=[("plays", "request.x"),
                                                           MODEL.features[1]])),
            ("no source of a feature", replace(MODEL, features=[("plays", "plays"),
                                                                MODEL.features[1]])),
            ("items have no vector", replace(MODEL, features=[
                MODEL.features[0], ("taste", "dot(user.taste, item.mood)")])),
            ("is no item column", replace(MODEL, prior="user.plays")),
            ("no output", replace(MODEL, output="odds")),
            ("is no name", replace(MODEL, name="../up")),
        ]:
            self.assert_refused(pattern, model=model)

    def test_times_are_utc(self):
        self.assertEqual(parse_time("2026-11-23T08:00:00"), CREATED)
        self.assertEqual(parse_time("2026-11-23T09:00:00+01:00"), CREATED)
        with self.assertRaises(SnapshotError):
            write(self.folder, table(), None, [MODEL], categories={},
                  created=datetime(2026, 11, 23))
