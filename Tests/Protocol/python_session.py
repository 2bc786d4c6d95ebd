"""The Python client of tools/client for tests, and a session that must end as it began."""

import struct
import sys

import pytest

import process

sys.path.insert(0, str(process.ROOT / "tools/client"))
import session as client  # noqa: E402

SERVICE = "/crescendo.v1.PromotionScoreService/"
SCORE, STREAM, MANY = (SERVICE + name for name in ("Score", "StreamScores", "ScoreMany"))
CHECK, WATCH = "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"
PATIENCE = process.patience(30)


def size_of(request):
    return len(request.item_ids) + len(request.item_uris)


def options_of(request, **more):
    return {"work": size_of(request), "timeout": PATIENCE, **more}


def entries(*pairs):
    """Metadata of a call as it is sent."""
    return b"".join(struct.pack(f"<B{len(name)}sH", len(name), name.encode(), len(value))
                    + value.encode() for name, value in pairs)


def is_whole(session, credit):
    """Waits until every call has had its end, and all credit is back."""
    assert session.pump(lambda: not session.calls and session.balance == credit, PATIENCE), (
        f"open {list(session.calls)}, balance {session.balance} of {credit}, {session.state}: "
        f"{session.failure}")


@pytest.fixture
def served(start, small):
    return start(small, "--loops", 2, "--shards", 2)


@pytest.fixture(params=[True, False], ids=["checked", "unchecked"])
def session(request, served):
    with client.Session.connect(served.target, checksums=request.param) as made:
        credit = made.balance
        assert made.is_unchecked is not request.param
        yield made
        is_whole(made, credit)
    assert made.is_clean, "no clean end"
