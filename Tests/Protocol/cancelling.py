"""What tests of cancelled calls share: requests short and long, and what calls hold."""

import flow
import wire
from scrape import eventually

KINDS = {"unary": wire.SCORE, "streamed": flow.STREAM, "many": flow.MANY}
SOURCES = ("reset", "connection", "deadline", "stop")


class Requests:
    """Payloads by kind of call: one that is answered at once, one that is half a second's work."""

    def __init__(self, stubs, snapshot):
        ids = [int(key) for key in snapshot.items.ids]
        self.quick_request = stubs.ScoreRequest(item_ids=ids[:3], want_raw=True)
        self.long_request = stubs.ScoreRequest(
            item_ids=(ids * 200)[:10_000], want_raw=True, min_fidelity=stubs.FIDELITY_FULL)
        self.stubs = stubs
        self.quick = self.quick_request.SerializeToString()

    def of(self, kind, request):
        if kind == "many":
            request = self.stubs.ScoreManyRequest(sequence=7, request=request)
        return request.SerializeToString()

    def quick_of(self, kind):
        return self.of(kind, self.quick_request)

    def long_of(self, kind):
        return self.of(kind, self.long_request)


def gauges(metrics):
    """What calls hold while they are open."""
    return {
        "streams": metrics.sum("crescendo_streams"),
        **{kind: metrics.value("crescendo_held_bytes", kind=kind) for kind in ("receive", "send")},
        "arena": metrics.value("crescendo_held_bytes", kind="arena")}


def cancelled(metrics, source=None):
    labels = {} if source is None else {"source": source}
    return metrics.sum("crescendo_cancellations_total", **labels)


def window_of(metrics):
    return int(metrics.value("crescendo_limit", name="connectionWindowBytes"))


class Moved:
    """Proves at its end that `count` calls were cancelled by `source`, and by nothing else."""

    def __init__(self, server, source, count):
        self.server, self.source, self.count = server, source, count

    def __enter__(self):
        self.before = eventually(self.server, lambda one: not any(gauges(one).values()))
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            return
        wanted = cancelled(self.before) + self.count
        self.after = eventually(
            self.server,
            lambda one: cancelled(one) >= wanted and gauges(one) == gauges(self.before))
        moved = {source: cancelled(self.after, source) - cancelled(self.before, source)
                 for source in SOURCES}
        assert moved == {**dict.fromkeys(moved, 0), self.source: self.count}, moved


def headers(kind, **replace):
    return wire.request_headers(
        KINDS[kind], replace={name.replace("_", "-"): value for name, value in replace.items()})
