"""What each prefix of a model's trees must say (scoring.md 1), and calls that ask for them."""

import re

import numpy as np

import assemble
import flow
import oracle
import process
from cancelling import headers

BATCH = 10_000


def tree_means(text):
    """By tree, the mean of its leaves weighted by leaf_count, each in double: scoring.md 1."""
    made = []
    for block in re.split(r"\nTree=\d+\n", text)[1:]:
        fields = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        values = [float(one) for one in fields["leaf_value"].split()]
        counts = [int(one) for one in fields["leaf_count"].split()]
        total = sum(value * count for value, count in zip(values, counts))
        made.append(total / sum(counts))
    return made


class Levels:
    """What each prefix of a model's trees must say."""

    def __init__(self, snapshot, name="default"):
        self.snapshot, self.name = snapshot, name
        path = snapshot.model_path(name)
        self.model = oracle.model(snapshot, name)
        self.means = tree_means(path.read_text())
        self.total = len(self.means)
        assert self.total == self.model.trees

    def rows(self, request):
        assembly = assemble.Assembly(self.snapshot, request, request.context.time_unix_ms)
        return assembly, assembly.matrix(self.model.names)

    def check(self, stubs, request, answer):
        """An answer without parts: one level, and the scores of it. The level's fidelity."""
        assembly, matrix = self.rows(request)
        known, provenance = assembly.known, answer.provenance
        used = provenance.trees_used
        assert provenance.trees_total == self.total and provenance.model == self.name
        level = {0: stubs.FIDELITY_PRIOR, self.total: stubs.FIDELITY_FULL}.get(
            used, stubs.FIDELITY_PARTIAL)
        if level == stubs.FIDELITY_PARTIAL:
            assert used in (self.total // 8, self.total // 4, self.total // 2), used
        count, what = assembly.count, f"{used} trees"
        fidelities = oracle.column(answer, "fidelities", "all_fidelity", count, what)
        reasons = oracle.column(answer, "reasons", "all_reason", count, what)
        if known.all():
            assert answer.all_fidelity == level and answer.all_reason, what
            assert not answer.fidelities and not answer.reasons, "all alike, and told one by one"
        reason = {reasons[at] for at in np.flatnonzero(known)}
        if level == stubs.FIDELITY_FULL:
            assert reason == {stubs.REASON_OK}, reason
        else:
            assert len(reason) == 1, f"one answer, several reasons: {reason}"
            assert reason <= {stubs.REASON_DEADLINE, stubs.REASON_OVERLOAD}, reason
        for at in range(count):
            wanted = (level if known[at] else stubs.FIDELITY_NONE)
            assert fidelities[at] == wanted, f"position {at} of {what}: {fidelities[at]}"
            assert known[at] or reasons[at] == stubs.REASON_UNKNOWN_ITEM
        raw, scores = self.expected(matrix, assembly.rows[known], used)
        self.compare(answer, known, raw, scores, what)
        return level

    def expected(self, matrix, rows, used):
        """Raw sums and scores of known candidates."""
        if used == 0:
            column = self.snapshot.models[self.name].get("prior")
            mean = np.float32(self.model.transform(float(ordered_sum(self.means))))
            scores = np.full(len(rows), mean, np.float32)
            if column:
                prior = self.snapshot.items.columns[column.split(".")[1]][rows].astype(np.float64)
                scores = np.where(np.isnan(prior), scores, prior.astype(np.float32))
            return np.full(len(rows), np.nan), scores
        raw = self.model.booster.predict(
            matrix, raw_score=True, num_iteration=used, num_threads=2)
        corrected = raw if used == self.total else raw + ordered_sum(self.means[used:])
        return raw, self.model.scores(corrected)

    def compare(self, answer, known, raw, scores, what):
        got_raw = np.array(answer.raw_scores, np.float64)
        got = np.array(answer.scores, np.float32)
        assert len(got_raw) == len(got) == len(known)
        assert np.isnan(got_raw[~known]).all() and not got[~known].any(), what
        assert not np.isnan(got).any(), f"{what}: a score that is NaN"
        same_raw = (got_raw[known].view(np.uint64) == raw.view(np.uint64)) | (
            np.isnan(got_raw[known]) & np.isnan(raw))
        assert same_raw.all(), self.first(what + ", raw", same_raw, got_raw[known], raw)
        same = got[known].view(np.uint32) == scores.view(np.uint32)
        assert same.all(), self.first(what + ", score", same, got[known], scores)

    def first(self, what, same, got, wanted):
        at = int(np.flatnonzero(~same)[0])
        return (f"{what}: {int((~same).sum())} of {len(same)} differ, first {at}: got {got[at]!r}, "
                f"wanted {wanted[at]!r}")


def ordered_sum(values):
    total = 0.0
    for value in values:
        total += value
    return total


class Caller:
    """Raw calls, so that no client's own deadline gets in between."""

    def __init__(self, stubs, snapshot, server, seed):
        self.stubs, self.snapshot, self.server = stubs, snapshot, server
        self.random = np.random.default_rng(seed)
        self.connection = flow.Watched(server.port, timeout_seconds=process.patience(60))

    def request(self, size=BATCH, unknown=False, **fields):
        keys = self.random.choice(self.snapshot.items.ids, size)
        request = self.stubs.ScoreRequest(
            item_ids=[int(key) for key in keys], want_raw=True, **fields)
        if unknown:
            for at in range(0, size, 7):
                request.item_ids[at] ^= 0x5555
        request.user_id = int(self.random.choice(self.snapshot.users.ids))
        request.context.time_unix_ms = 1
        request.context.market = "SE"
        request.candidate_columns.add(
            name="recent", values=self.random.normal(size=size).astype(np.float32))
        return request

    def call(self, request, timeout=None, kind="unary"):
        return self.connection.wait(self.start(request, timeout, kind))

    def start(self, request, timeout=None, kind="unary"):
        # As many streams as the test likes share one encoder: what is sent is in order.
        return self.connection.start(
            request.SerializeToString(), headers(kind, grpc_timeout=timeout))

    def answer(self, got):
        assert got.code == "OK", got
        return self.stubs.ScoreResponse.FromString(got.message)

    def teach(self, model=""):
        """Whole answers, from which the server learns what the model costs."""
        for _ in range(3):
            got = self.call(self.request(2_000, model=model), "60S")
            assert self.answer(got).all_fidelity == self.stubs.FIDELITY_FULL
