"""What tests of streaming calls share: answers joined and compared, tiny windows."""

import collections
import itertools
import os
import struct

import numpy as np
from hyperframe import frame as frames

import wire
from flow import MANY, SERVICE, STREAM, Watched  # noqa: F401: for those who import them from here

NO_ERROR, CANCEL = 0, 8
# An instrumented program is a hundred times slower, and its memory is not its own: its queues take
# fewer candidates at a time.
SANITIZED = bool(os.environ.get("CRESCENDO_SANITIZER"))


def request_of(stubs, snapshot, count, **fields):
    """`count` known candidates, over and over, for a moment that is always the same."""
    ids = itertools.islice(itertools.cycle([int(key) for key in snapshot.items.ids]), count)
    made = stubs.ScoreRequest(**{"item_ids": ids, "request_id": "r", **fields})
    made.context.time_unix_ms, made.context.market = 1, "SE"
    return made


class Columns:
    """The columns of an answer with `count` candidates, the all_* values spread out."""

    def __init__(self, answer, count, want_raw):
        assert len(answer.scores) == count, f"{len(answer.scores)} scores for {count} candidates"
        self.scores = np.array(answer.scores, np.float32)
        self.raw = np.array(answer.raw_scores, np.float64)
        assert len(self.raw) == (count if want_raw else 0), f"{len(self.raw)} raw_scores"
        self.fidelities = self._spread(answer.fidelities, answer.all_fidelity, count)
        self.reasons = self._spread(answer.reasons, answer.all_reason, count)
        for name in ("boosts", "campaign_keys", "explanations", "boost_reasons"):
            assert not getattr(answer, name), f"{name} were not asked for"

    @staticmethod
    def _spread(column, value, count):
        assert len(column) in (0, count), f"a column of {len(column)} for {count} candidates"
        assert column or value or not count, "neither a column nor a value for all"
        return np.array(column if column else [value] * count, np.int64)

    def all(self):
        return (self.scores.view(np.uint32), self.raw.view(np.uint64), self.fidelities,
                self.reasons)

    def check(self, wanted, what):
        """Equal to the bit: of NaNs, too, for one program has made both."""
        names = ("scores", "raw_scores", "fidelities", "reasons")
        for name, got, expected in zip(names, self.all(), wanted.all()):
            differ = np.flatnonzero(got != expected)
            assert not len(differ), (
                f"{what}, {name}: {len(differ)} of {len(got)} differ, first {differ[0]}: got "
                f"{got[differ[0]]:#x}, wanted {expected[differ[0]]:#x}")


class Joined(Columns):
    """The parts of one StreamScores call, put together; each position must come once."""

    def __init__(self, parts, request):
        count = len(request.item_ids) + len(request.item_uris)
        assert parts, "no part at all"
        if count == 0:
            assert len(parts) == 1, f"{len(parts)} parts of an empty batch"
        positions = [np.array(part.positions, np.int64) for part in parts]
        assert count == 0 or all(map(len, positions)), "an empty part of a batch that is not empty"
        order = np.concatenate(positions)
        assert np.array_equal(np.sort(order), np.arange(count)), (
            f"positions of {count} candidates do not come once each: {np.sort(order)}")
        columns = [Columns(one.part, len(one.positions), request.want_raw) for one in parts]
        place = np.argsort(order)
        self.scores, self.fidelities, self.reasons = (
            np.concatenate([getattr(one, name) for one in columns])[place]
            for name in ("scores", "fidelities", "reasons"))
        self.raw = np.concatenate([one.raw for one in columns])
        if request.want_raw:
            self.raw = self.raw[place]
        head = parts[0].part
        for one in parts:
            assert one.part.request_id == head.request_id, "parts of several requests"
            assert one.part.provenance == head.provenance, "parts of several provenances"
        self.request_id, self.provenance = head.request_id, head.provenance


def ask_both(client, request, timeout=60):
    """The parts of a request and its unary answer."""
    parts = list(client.scores.StreamScores(request, timeout=timeout))
    return parts, client.score(request, timeout=timeout)


def check_both(client, request):
    """Asks both ways; the parts must say what the unary answer does. How many parts."""
    return check_stream(*ask_both(client, request), request)


def check_stream(parts, unary, request):
    count = len(request.item_ids) + len(request.item_uris)
    what = f"request {request.request_id!r} of {count}, model {request.model!r}"
    joined = Joined(parts, request)
    joined.check(Columns(unary, count, request.want_raw), what)
    assert joined.provenance == unary.provenance, what
    assert joined.request_id == unary.request_id == request.request_id, what
    return len(parts)


def messages(body):
    """(flag, payload) of each message of a body."""
    at, made = 0, []
    while at < len(body):
        assert at + 5 <= len(body), "half a prefix at the end"
        flag, length = struct.unpack_from(">BI", body, at)
        assert at + 5 + length <= len(body), "half a message at the end"
        made.append((flag, body[at + 5:at + 5 + length]))
        at += 5 + length
    return made


def plain(body):
    """The payloads of messages that are not compressed."""
    assert all(flag == 0 for flag, _ in messages(body)), "a compressed message"
    return [payload for _, payload in messages(body)]


def item(stubs, sequence, request, timeout_us=0):
    return stubs.ScoreManyRequest(sequence=sequence, timeout_us=timeout_us, request=request)


def by_sequence(answers, wanted):
    """sequence → answer; each of `wanted` once and nothing else."""
    answers = list(answers)
    counts = collections.Counter(answer.sequence for answer in answers)
    assert counts == collections.Counter(wanted), (
        f"missing {list((collections.Counter(wanted) - counts).elements())[:9]}, "
        f"too many {list((counts - collections.Counter(wanted)).elements())[:9]}")
    return {answer.sequence: answer for answer in answers}


def check_item(answer, request, unary):
    """An OK item says what the unary answer does."""
    assert (answer.status_code, answer.status_message) == (0, ""), answer.status_message
    count, what = len(unary.scores), f"item {answer.sequence} of {len(unary.scores)}"
    Columns(answer.response, count, request.want_raw).check(
        Columns(unary, count, request.want_raw), what)
    assert answer.response.request_id == unary.request_id == request.request_id, what
    assert answer.response.provenance == unary.provenance, what


class Narrow(Watched):
    """A connection whose streams may send it only what `grant` allows; it notes resets."""

    def __init__(self, port, window=0, **options):
        self.resets = {}
        super().__init__(port, **options)
        self.set_window(window)

    def set_window(self, window):
        """For streams to come, and added to what open ones have."""
        self.settle(INITIAL_WINDOW_SIZE=window)

    def wait_headers(self, stream):
        answer = self.answers[stream]
        while not answer.headers:
            assert answer.reset is None and self.pump(), f"no headers: {answer} {self.goaway}"
        return answer

    def wait_reset(self, stream):
        """Reads until the peer has reset the stream; with which code."""
        while stream not in self.resets:
            assert self.pump(), f"closed instead of a reset: {self.answers[stream]} {self.goaway}"
        return self.resets[stream]

    def _sort(self, made):
        if isinstance(made, frames.RstStreamFrame):
            self.resets[made.stream_id] = made.error_code
        super()._sort(made)


def timeout(text):
    return wire.request_headers(STREAM, extra=[("grpc-timeout", text)])
