"""A tiny made-up catalogue from end to end, and the oracle on top of it."""
import json
import math
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import lightgbm
import numpy as np

from expected import Oracle, transform
from score_requests import RequestError
from tests.format_check import check

PIPELINE = Path(__file__).resolve().parents[1]


def run(script, *arguments):
    return subprocess.run([sys.executable, PIPELINE / script, *map(str, arguments)],
                          capture_output=True, text=True, timeout=120, check=False)


class SyntheticTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.root = Path(directory.name)
        cls.folder, cls.example = cls.root / "tiny", cls.root / "example.json"
        made = run("synthetic.py", cls.folder, "--items", 1000, "--users", 200, "--trees", 20,
                   "--example-request", cls.example)
        if made.returncode != 0:
            raise AssertionError(made.stderr)
        cls.request = json.loads(cls.example.read_text())
        cls.oracle = Oracle(cls.folder)

    def test_it_keeps_the_format_and_uses_every_dtype(self):
        _, items, users = check(self.folder)
        columns = {dtype for found in (items, users) for name, (dtype, shape, _) in found.items()
                   if len(shape) == 1 and not name.startswith(("id", "uri"))}
        vectors = {dtype for dtype, shape, _ in items.values() if len(shape) == 2}
        self.assertEqual(columns, {"F64", "F32", "F16", "I64", "I32", "I16", "I8", "U8", "BOOL"})
        self.assertEqual(vectors, {"F32", "F16", "I8"})

    def test_the_model_has_splits_of_every_kind(self):
        text = (self.folder / "models" / "default.txt").read_text()
        kinds = {int(kind) for line in text.splitlines() if line.startswith("decision_type=")
                 for kind in line[14:].split()}
        self.assertTrue(any(kind & 1 for kind in kinds), "no categorical split")
        self.assertTrue(any(kind & 12 == 8 for kind in kinds), "no split that knows NaN")
        self.assertTrue(any(kind & 12 == 0 for kind in kinds), "no split without missing values")

    def test_the_same_arguments_give_the_same_bytes(self):
        again = self.root / "again"
        run("synthetic.py", again, "--items", 1000, "--users", 200, "--trees", 20)
        self.assertEqual((again / "manifest.json").read_bytes(),
                         (self.folder / "manifest.json").read_bytes())
        other = self.root / "other"
        run("synthetic.py", other, "--items", 1000, "--users", 200, "--trees", 20, "--seed", 8)
        self.assertNotEqual((other / "items.safetensors").read_bytes(),
                            (self.folder / "items.safetensors").read_bytes())

    def test_a_published_folder_is_refused(self):
        again = run("synthetic.py", self.folder, "--items", 10, "--users", 10, "--trees", 1)
        self.assertEqual(again.returncode, 1)
        self.assertIn("never changes", again.stderr)

    def test_the_example_ranks_with_a_spread(self):
        answer = self.oracle.answer(self.request)
        self.assertEqual(len(answer.scores), 20)
        self.assertTrue(answer.known.all())
        self.assertGreater(float(np.ptp(answer.scores)), 0.2)
        self.assertEqual(len(set(answer.scores.tolist())), 20)

    def test_raw_is_lightgbms_and_scores_are_rounded_once(self):
        answer = self.oracle.answer(self.request)
        file = self.folder / "models" / "default.txt"
        rows = self.oracle.matrix(self.request)
        raw = lightgbm.Booster(model_file=str(file)).predict(rows, raw_score=True)
        self.assertEqual(answer.raw.view(np.uint64).tolist(), raw.view(np.uint64).tolist())
        scores = [np.float32(1 / (1 + math.exp(-value))) for value in raw.tolist()]
        self.assertEqual(answer.scores.tolist(), [float(score) for score in scores])

    def test_ids_and_uris_name_the_same_items(self):
        by_uri = self.oracle.snapshot.items.row_by_uri()
        ids = [str(self.oracle.snapshot.items.ids[by_uri[u]]) for u in self.request["itemUris"]]
        request = {key: value for key, value in self.request.items() if key != "itemUris"}
        self.assertEqual(self.oracle.answer(request | {"itemIds": ids}).raw.tolist(),
                         self.oracle.answer(self.request).raw.tolist())

    def test_unknown_items_are_answered_by_position(self):
        uris = self.request["itemUris"][:2]
        request = {"context": self.request["context"], "itemUris": [uris[0], "nowhere", uris[1]]}
        answer = self.oracle.answer(request)
        self.assertEqual(answer.known.tolist(), [True, False, True])
        self.assertTrue(math.isnan(answer.raw[1]))
        self.assertEqual(answer.scores[1], 0)
        empty = self.oracle.answer({"context": self.request["context"]})
        self.assertEqual(len(empty.raw), 0)

    def test_requests_that_the_server_refuses(self):
        base = self.request
        for broken in (
            base | {"itemIds": ["1"]},
            base | {"userId": "3", "userUri": "crescendo:user:00004"},
            base | {"candidateColumns": [{"name": "nothing", "values": [0.0] * 20}]},
            base | {"candidateColumns": [{"name": "recent_plays_7d", "values": [0.0]}]},
            base | {"userColumns": [{"name": "mood", "values": [0.0] * 8}]},
            base | {"userColumns": [{"name": "taste", "values": [0.0] * 31}]},
            base | {"userColumns": [{"name": "nothing", "values": [0.0]}]},
        ):
            with self.assertRaises(RequestError):
                self.oracle.answer(broken)

    def test_a_model_that_reads_the_clock_needs_a_time(self):
        with self.assertRaisesRegex(RequestError, "time"):
            self.oracle.answer(self.request | {"context": {"market": "SE"}})

    def test_the_command_prints_exact_bits(self):
        printed = run("expected.py", self.folder, self.example)
        answer = self.oracle.answer(self.request)
        line = json.loads(printed.stdout)
        self.assertEqual([int(bits, 16) for bits in line["rawBits"]],
                         answer.raw.view(np.uint64).tolist())
        self.assertEqual(line["raw"], answer.raw.tolist())
        self.assertEqual(np.array(line["scores"], np.float32).tolist(), answer.scores.tolist())

    def test_a_constant_tree_without_users(self):
        folder = self.root / "constant"
        made = run("synthetic.py", folder, "--constant-tree")
        self.assertEqual(made.returncode, 0, made.stderr)
        _, items, users = check(folder)
        self.assertEqual(items["id"][1], [4096])
        self.assertIsNone(users)
        oracle = Oracle(folder)
        answer = oracle.answer({"itemIds": [str(key) for key in oracle.snapshot.items.ids[:3]]})
        self.assertEqual(answer.raw.tolist(), [answer.raw[0]] * 3)
        self.assertAlmostEqual(float(answer.scores[0]), 0.1, places=6)
        self.assertIn("num_leaves=1\n", (folder / "models" / "default.txt").read_text())


class TransformTests(unittest.TestCase):
    def test_objectives(self):
        for objective, raw, expected in [
            (["binary", "sigmoid:2"], 0.25, 1 / (1 + math.exp(-0.5))),
            (["cross_entropy"], -1.0, 1 / (1 + math.exp(1.0))),
            (["cross_entropy_lambda"], 0.5, math.log1p(math.exp(0.5))),
            (["poisson"], 1.5, math.exp(1.5)),
            (["regression", "sqrt"], -3.0, -9.0),
            (["regression"], -3.0, -3.0),
            (["lambdarank"], 0.7, 0.7),
            (["binary", "sigmoid:1"], -1000.0, 0.0),
        ]:
            self.assertEqual(transform(objective, raw), expected)
        with self.assertRaises(ValueError):
            transform(["multiclass", "num_class:3"], 0.0)
