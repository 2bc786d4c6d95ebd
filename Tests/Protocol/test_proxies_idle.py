"""Sessions that are idle for longer than a proxy allows: the heartbeat of either end keeps them,
and without it they are cut. The proxies are those of proto/SESSION.md §18, with shorter times."""

import threading
import time

import pytest

import proxies
import streams
from proxies import begin_proxy  # noqa: F401
from python_session import CHECK, MANY, PATIENCE, client, is_whole

# What proxies let be idle, how often those who have a heartbeat speak, and how long they rest, all
# in seconds.
IDLE, HEARTBEAT, REST = 3, 1, 7


class Resting:
    """A session with one open ScoreMany on which nothing is asked any more. A session has no thread
    of its own: one serves it here, until it is `taken`."""

    def __init__(self, proxy, heartbeat, item, work):
        self.proxy, self.item, self.work, self.cut_seconds = proxy, item, work, None
        self.session = client.Session.connect(proxy.target, heartbeat=heartbeat)
        self.credit = self.session.balance
        self.call = self.session.converse(MANY, item, work=work)
        self.first = next(iter(self.call))
        began = time.monotonic()
        self.call.add_done_callback(
            lambda _: setattr(self, "cut_seconds", time.monotonic() - began))
        self.is_taken = threading.Event()
        self.thread = threading.Thread(
            target=self.session.pump, args=(self.is_taken.is_set,), daemon=True)
        self.thread.start()

    def taken(self):
        """Itself, served by nobody else."""
        self.is_taken.set()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()
        return self


@pytest.fixture(scope="module")
def rested(servers, small, stubs, begin_proxy):
    """(proxy, whose heartbeat) → a session that has rested, all at the same time."""
    request = streams.request_of(stubs, small, 3)
    item = streams.item(stubs, 1, request).SerializeToString()
    silent = servers.get(small, "--loops", 2)
    beating = servers.get(
        small, "--loops", 2, "--limit", f"heartbeatNanoseconds={HEARTBEAT}s")
    made = {}
    for kind in proxies.KINDS:
        before_silent, before_beating = (
            begin_proxy(kind, one.port, idle=f"{IDLE}s") for one in (silent, beating))
        made[kind, "client"] = Resting(before_silent, HEARTBEAT, item, 3)
        made[kind, "server"] = Resting(before_beating, 10, item, 3)
        # Through the same proxy to the same server as the first; both ends speak after 10 s only.
        made[kind, "nobody"] = Resting(before_silent, 10, item, 3)
    limit = time.monotonic() + REST
    for one in made.values():
        one.thread.join(max(0, limit - time.monotonic()))
    yield made
    for one in made.values():
        one.taken()
        one.call.cancel()
        one.session.close()


@pytest.mark.parametrize("whose", ["client", "server"])
@pytest.mark.parametrize("kind", proxies.KINDS)
def test_heartbeat_keeps_a_session(rested, kind, whose):
    """Of either end alone: a PING moves one direction, and its answer the other."""
    one = rested[kind, whose].taken()
    assert one.session.state == "open" and one.cut_seconds is None, one.session.failure
    one.call.send(one.item, one.work)
    one.call.half_close()
    assert list(one.call) == [one.first] and one.call.result()
    assert one.session.call(CHECK, b"", timeout=PATIENCE).message
    is_whole(one.session, one.credit)
    one.session.close()
    assert one.session.is_clean


@pytest.mark.parametrize("kind", proxies.KINDS)
def test_without_heartbeat_it_is_cut(rested, kind):
    """The counter-proof: C27, and L3 for the call that was open. The proxy lives."""
    one = rested[kind, "nobody"].taken()
    assert one.session.state == "closed" and not one.session.is_clean
    assert IDLE - 1 < one.cut_seconds < REST
    assert ("the server ended the stream" if kind == "haproxy" else "the stream was reset") in (
        one.session.failure)
    error = one.call.exception()
    assert (error.name, error.row) == ("UNAVAILABLE", "L3"), error
    with pytest.raises(client.CallError, match="L1"):
        one.session.call(CHECK, b"")
    with client.Session.connect(one.proxy.target) as other:
        assert other.call(CHECK, b"", timeout=PATIENCE).message
    assert other.is_clean
