"""SIGKILL under load, and again: nothing that a client was told is lost, and nothing is given
twice. CRESCENDO_KILLS: how many (default 4; `tools/test soak` asks for 50)."""

import os
import random
import sqlite3

import pytest

import ledger_load
import process
from ledger_load import Account, audit, campaigns, check, load_and_kill, promoter_of

KILLS = int(os.environ.get("CRESCENDO_KILLS", "4"))


@pytest.mark.soak
def test_killed_again_and_again(generated, shelf, tmp_path, seed):
    """Each server has another number of shards and loops; the last one ends by itself."""
    data, dice, account = tmp_path / "data", random.Random(seed), Account()
    acknowledged, entries = 0, 0
    for turn in range(KILLS):
        promoter = promoter_of(generated, shelf, data, "--shards", dice.randint(1, 4), "--loops",
                               dice.randint(1, 3))
        if turn == 0:
            promoter.apply(*campaigns(promoter))
        else:
            check(promoter, account, dice)
        before = len(account.heard)
        load_and_kill(promoter, account, seed + 100 * turn, dice.randint(1, 400))
        acknowledged += len(account.heard) - before
        entries = audit(data, account)["entries"]
    promoter = promoter_of(generated, shelf, data)
    placed, settled = check(promoter, account, dice, sample=1 << 30)
    promoter.stop()
    assert audit(data, account)["entries"] >= entries
    print(f"{KILLS} kills, {len(account.allocated)} allocations, {placed} placements, "
          f"{settled} settled exposures, of which {acknowledged} had been acknowledged before a "
          f"kill; unpaid 0; {KILLS + 1} audits clean, the last but one of {entries} entries")
    assert acknowledged >= KILLS and placed > settled > 0


def test_killed_while_it_starts(generated, shelf, tmp_path, seed):
    """A start that is killed changes nothing: ten of them, then one that is not."""
    data, account = tmp_path / "data", Account()
    promoter = promoter_of(generated, shelf, data)
    promoter.apply(*campaigns(promoter))
    load_and_kill(promoter, account, seed, 50)
    for _ in range(10):
        promoter_of(generated, shelf, data).kill()
    promoter = promoter_of(generated, shelf, data)
    check(promoter, account, random.Random(seed))
    promoter.stop()


def test_campaigns_are_durable_when_applied(generated, shelf, tmp_path):
    """Applied, changed, paused: killed right after each answer, it holds."""
    data = tmp_path / "data"
    for turn in range(6):
        promoter = promoter_of(generated, shelf, data)
        if turn:
            state = promoter.state("c-1")
            assert state.budget_micros == turn * 1_000_000
            paused = promoter.campaign.CampaignState.STATUS_PAUSED
            assert (state.status == paused) == (turn % 2 == 1), state
        promoter.apply(*campaigns(promoter, budget=f"{turn + 1}.00"))
        promoter.pause("c-1", resume=turn % 2 == 1)
        promoter.kill()


def test_a_small_budget_over_kills(generated, shelf, tmp_path, seed):
    """Forty exposures of budget a campaign, three kills while clients race for them: never a
    forty-first, and in the end none is lost."""
    data, account, dice = tmp_path / "data", Account(), random.Random(seed)
    budget = f"{40 * ledger_load.COST / 1e6:.6f}"
    for turn in range(4):
        promoter = promoter_of(generated, shelf, data, "--shards", 1 + turn)
        if turn == 0:
            promoter.apply(*campaigns(promoter, budget=budget))
        else:
            placed, _ = check(promoter, account, dice)
            assert placed <= 120, placed
        if turn < 3:
            load_and_kill(promoter, account, seed + 100 * turn, 10, turns=100)
    for user in range(1, 1_000):
        placed += len(promoter.allocate(user, slots=3).placements)
        if placed >= 120:
            break
    assert placed == 120, f"{placed} of 120 exposures were placed"
    assert sum(promoter.state(name).reserved_micros + promoter.state(name).settled_micros
               for name in ledger_load.NAMES) == 120 * ledger_load.COST
    promoter.stop()


def test_the_ledger_is_audited(generated, shelf, tmp_path, seed):
    """After a kill, beside a server that runs, and after a stop."""
    data, account = tmp_path / "data", Account()
    promoter = promoter_of(generated, shelf, data)
    promoter.apply(*campaigns(promoter))
    load_and_kill(promoter, account, seed, 100)
    audit(data, account)
    promoter = promoter_of(generated, shelf, data)
    check(promoter, account, random.Random(seed))
    placed, settled = check(promoter, account, random.Random(seed))
    told = audit(data, account)
    promoter.stop()
    assert audit(data, account)["entries"] >= told["entries"]
    assert told["open_reservations"] == placed - settled, told
    assert sum(one["exposures"] for one in told["campaigns"]) == settled


def spoil(data, change):
    """One number of the journal, changed behind the program's back."""
    file = sqlite3.connect(data / "ledger.sqlite")
    with file:
        assert file.execute(change).rowcount == 1, change
    file.close()


@pytest.mark.parametrize("change", [
    "UPDATE journal SET amount = amount + 1 WHERE sequence = (SELECT max(sequence) FROM journal "
    "WHERE kind = 6)",
    "UPDATE journal SET amount = amount * 1000 WHERE sequence = (SELECT min(sequence) FROM journal "
    "WHERE kind = 4)",
    "DELETE FROM journal WHERE sequence = (SELECT min(sequence) FROM journal WHERE kind = 4)",
    "DELETE FROM journal WHERE sequence = (SELECT min(sequence) FROM journal WHERE kind = 1)"])
def test_an_audit_sees_what_was_changed(generated, shelf, tmp_path, change):
    data = tmp_path / "data"
    promoter = promoter_of(generated, shelf, data)
    promoter.apply(*campaigns(promoter))
    tokens = [one.token for user in promoter.users[:9]
              for one in promoter.allocate(user, slots=3).placements]
    assert set(promoter.report(tokens)) == {promoter.delivery.EXPOSURE_OUTCOME_SETTLED}
    promoter.stop()
    assert process.run("ledger", "audit", "--data", data).returncode == 0
    spoil(data, change)
    done = process.run("ledger", "audit", "--data", data)
    assert done.returncode == 1 and "not clean: entry " in done.stdout, process.explain(done)
