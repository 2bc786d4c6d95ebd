"""Eight clients, two loops, mixed batches: every answer right, and memory that stays.

CRESCENDO_SOAK_CALLS: calls of each client (default 400; `tools/test soak` asks for 10,000).
CRESCENDO_SANITIZER: what the program was built with, if anything; memory is then not its own.
"""

import os
import random
import threading

import numpy as np
import pytest

import assemble
import oracle
import snapshots

CLIENTS = 8
CALLS = int(os.environ.get("CRESCENDO_SOAK_CALLS", "400"))
TEMPLATES = 60
ALLOWED_GROWTH_BYTES = 4 << 20


def templates(stubs, snapshot, seed):
    """Requests with their answers: every batch size class from 0 to 2,000, and unknown items."""
    dice, made = random.Random(seed), []
    for at in range(TEMPLATES):
        size = (0, 1, 2_000)[at] if at < 3 else int(2_000 * dice.random() ** 3)
        keys = [int(dice.choice(snapshot.items.ids)) for _ in range(size)]
        if at % 5 == 4:
            keys = [key if dice.random() < 0.9 else key ^ 0x5555 for key in keys]
        request = stubs.ScoreRequest(item_ids=keys, want_raw=True, request_id=f"t{at}")
        request.user_id = int(dice.choice(snapshot.users.ids))
        request.context.time_unix_ms = 1
        request.context.market = dice.choice(["SE", "US", "ZZ"])
        if at % 3 == 0:
            request.candidate_columns.add(
                name="recent", values=[dice.gauss(0, 1) for _ in range(size)])
        made.append((request.SerializeToString(), oracle.Expected(snapshot, request, 1)))
    return made


def right(answer, expected):
    raw = np.array(answer.raw_scores)
    scores = np.array(answer.scores, np.float32)
    return (len(raw) == len(expected.raw)
            and np.array_equal(raw[expected.known], expected.raw[expected.known])
            and bool(np.isnan(raw[~expected.known]).all())
            and np.array_equal(scores, expected.scores))


@pytest.mark.soak
def test_soak(stubs, tmp_path, start, connect, seed):
    snapshot = assemble.Snapshot(
        snapshots.small(tmp_path / "snapshot", seed, item_count=4_096, user_count=256, trees=10))
    server = start(snapshot, "--loops", 2)
    made = templates(stubs, snapshot, seed)
    wrong, midpoint = [], []
    # All clients meet at the midpoint, with nothing in flight, and RSS is read there.
    halfway = threading.Barrier(CLIENTS, action=lambda: midpoint.append(server.rss_bytes()))

    def talk(number, client):
        dice = random.Random(seed + number)
        call = client.channel.unary_unary(
            "/crescendo.v1.PromotionScoreService/Score",
            response_deserializer=stubs.ScoreResponse.FromString)
        try:
            for at in range(CALLS):
                if at == CALLS // 2:
                    halfway.wait(600)
                payload, expected = dice.choice(made)
                if not right(call(payload, timeout=60), expected):
                    wrong.append((number, at, "a wrong answer"))
        except Exception as error:  # noted, and the others are let go
            wrong.append((number, at, repr(error)))
            halfway.abort()

    threads = [threading.Thread(target=talk, args=(number, connect(server)))
               for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, f"seed {seed}: {len(wrong)} of {CLIENTS * CALLS} wrong, first {wrong[:3]}"
    growth = server.rss_bytes() - midpoint[0]
    print(f"{CLIENTS * CALLS} calls right; RSS {midpoint[0]} at midpoint, then {growth:+} bytes")
    sanitized = os.environ.get("CRESCENDO_SANITIZER")
    assert sanitized or growth <= ALLOWED_GROWTH_BYTES, (
        f"RSS grew by {growth} bytes from {midpoint[0]}")
