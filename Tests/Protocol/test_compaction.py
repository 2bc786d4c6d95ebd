"""A server that runs on makes openings of the journal's old entries: it gets shorter while money,
counts and every line between stay right, and what is left is all that a next start needs."""

import json

import process
from promoting import campaign, eventually
from scrape import Metrics

# What is older than 1.25 reservation and report times and a lease's may go: 1.8 s.
SHORT = ("--limit", "reservationNanoseconds=400ms", "--limit", "reportNanoseconds=400ms",
         "--limit", "leaseNanoseconds=800ms", "--admin", "127.0.0.1:0")
COST = 10_000


def audit(data):
    """What the ledger is found to hold, which is never wrong."""
    done = process.run("ledger", "audit", "--data", data, "--output", "json")
    assert done.returncode == 0, process.explain(done)
    told = json.loads(done.stdout)
    assert told["clean"] is True, told
    for one in told["campaigns"]:
        assert one["spent_micros"] == one["exposures"] * COST, one
    return told


def told(found):
    """By campaign: what was spent, exposures, goals, what came too late."""
    return {one["campaign"]: [one[name] for name in (
        "budget_micros", "spent_micros", "exposures", "goals", "unpaid_exposures")]
            for one in found["campaigns"]}


def test_the_journal_shrinks_while_serving(promote, tmp_path):
    promoter, data = promote(*SHORT), tmp_path / "data"
    promoter.apply(*(campaign(name, promoter.items[at::3]) for at, name in enumerate("abc")))
    for at in range(60):
        placed = promoter.allocate(promoter.users[at % 9], slots=4).placements
        promoter.report([one.token for one in placed[:3]], goal=at % 4 == 0)
    first = audit(data)
    assert sum(one["exposures"] for one in first["campaigns"]) > 100, first
    # Every look on the way there is clean; what was not reported has come back by then.
    eventually(lambda: audit(data)["entries"] <= 30, 20)
    last = audit(data)
    assert last["open_reservations"] == 0 and told(last) == told(first), (first, last)
    compacted = Metrics(promoter.server).value("crescendo_ledger_compacted_total")
    assert compacted >= 300, compacted
    before = [promoter.state(name) for name in "abc"]
    promoter.kill()
    assert told(audit(data)) == told(first)
    promoter = promote(*SHORT)
    for name, state in zip("abc", before):
        after = promoter.state(name)
        assert (after.settled_micros, after.exposures, after.goals) == (
            state.settled_micros, state.exposures, state.goals), (state, after)
        # The journal no longer tells when it was.
        assert sum(promoter.get(name).spent_series_micros) == state.settled_micros
    placed = promoter.allocate(slots=4).placements
    assert len(placed) == 4
    promoter.report([one.token for one in placed])
    promoter.stop()
    assert sum(one["exposures"] for one in audit(data)["campaigns"]) == 4 + sum(
        one["exposures"] for one in first["campaigns"])
