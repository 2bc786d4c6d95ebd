"""The async client in a small storm: `tools/bench storm` is the large one."""

import pytest

import client_storm
import process

CALLS, RESTARTS = 20_000, 2


@pytest.mark.skipif(bool(process.SANITIZER), reason="crescendo-bench is built without sanitizers")
def test_calls_end_once(seed):
    result, costs = client_storm.run(CALLS, RESTARTS, seed)
    missed = [row for row in client_storm.verdicts(result, costs, CALLS) if not row[3]]
    assert not missed, (missed, result, costs)
    # That it was one: calls were answered, and cancelled, too late and lost besides.
    assert result["ok"] > CALLS // 2, result
    assert {"CANCELLED", "DEADLINE_EXCEEDED", "UNAVAILABLE"} <= set(result["statuses"]), result
    assert result["renewals"] > 10, result
