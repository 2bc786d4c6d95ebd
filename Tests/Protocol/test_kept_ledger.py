"""A data folder that is not as the server left it: refused with the file, what is wrong and what to
do; and what `ledger audit` makes of it."""

import json
import os
import shutil
import sqlite3
import subprocess
import time

import pytest

import process
from ledger_load import promoter_of
from promoting import campaign


@pytest.fixture(scope="module")
def stopped(generated, shelf, tmp_path_factory):
    """A folder with two campaigns and some exposures, after a stop."""
    data = tmp_path_factory.mktemp("kept") / "data"
    promoter = promoter_of(generated, shelf, data)
    promoter.apply(campaign("spring", promoter.items[:300]), campaign("fall", promoter.items[300:]))
    tokens = [one.token for user in promoter.users[:9]
              for one in promoter.allocate(user, slots=3).placements]
    assert set(promoter.report(tokens[9:])) == {promoter.delivery.EXPOSURE_OUTCOME_SETTLED}
    promoter.stop()
    return data


@pytest.fixture
def data(stopped, tmp_path):
    return shutil.copytree(stopped, tmp_path / "data")


def audit(data, *arguments):
    return process.run("ledger", "audit", "--data", data, *arguments)


def change(data, *statements):
    file = sqlite3.connect(data / "ledger.sqlite")
    file.create_function("flipped", 1, lambda value: value[:-1] + bytes([value[-1] ^ 1]))
    with file:
        for one in statements:
            assert file.execute(one).rowcount >= 1, one
    file.close()


def refusal(shelf, data):
    """What a server says that does not start."""
    done = process.run("serve", "--listen", "127.0.0.1:0", "--snapshot", shelf.folder,
                       "--data", data, "--loops", 1, "--shards", 1, timeout=process.patience(20))
    assert done.returncode == 1, process.explain(done)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"--data {data}: "), last
    return last


def wait_for(condition):
    limit = time.monotonic() + process.patience(20)
    while not condition():
        assert time.monotonic() < limit, "it did not come"
        time.sleep(0.05)


def test_a_stop_leaves_one_file(stopped):
    assert sorted(os.listdir(stopped)) == [
        "ledger.lock", "ledger.mark", "ledger.sqlite", "token.key"]
    assert audit(stopped).returncode == 0
    assert "commits " in (stopped / "ledger.mark").read_text()


@pytest.mark.parametrize("loss, said", [
    ("removed", "it is missing"), ("emptied", "it is empty"),
    ("overwritten", "it does not begin as a database does"), ("only the key is left", "token.key")])
def test_a_lost_ledger_is_no_new_one(shelf, data, loss, said):
    file = data / "ledger.sqlite"
    if loss == "removed":
        file.unlink()
    elif loss == "emptied":
        file.write_bytes(b"")
    elif loss == "overwritten":
        file.write_bytes(bytes(4_096) + file.read_bytes()[4_096:])
    else:
        file.unlink()
        (data / "ledger.mark").unlink()
    last = refusal(shelf, data)
    assert f"open {file}: " in last and said in last and "from a backup" in last, last
    if loss != "only the key is left":
        done = audit(data)
        assert done.returncode == 1 and said in done.stdout, process.explain(done)


def test_a_lost_end_is_seen(promote, shelf, data):
    """Killed, and then its log is cut: refused until the mark is removed, and told."""
    promoter = promote(data=data)
    marked = (data / "ledger.mark").read_bytes()
    promoter.apply(campaign("more", promoter.items[:5]))
    wait_for(lambda: (data / "ledger.mark").read_bytes() != marked)
    promoter.kill()
    log = data / "ledger.sqlite-wal"
    content = bytearray(log.read_bytes())
    content[len(content) // 2] ^= 1
    log.write_bytes(content)
    last = refusal(shelf, data)
    assert "the end is lost" in last and f"removes {data}/ledger.mark" in last, last
    assert log.read_bytes() == content
    done = audit(data)
    assert done.returncode == 1 and "the end is lost" in done.stdout, process.explain(done)
    (data / "ledger.mark").unlink()
    promoter = promote(data=data)
    assert promoter.state("spring").exposures + promoter.state("fall").exposures > 0
    assert "whether the end of the ledger is lost cannot be seen" in promoter.server.stderr()
    promoter.stop()
    assert audit(data).returncode == 0


@pytest.mark.parametrize("loss, said", [
    ("removed", "token.key is missing, and the ledger has been used"),
    ("cut", "token.key has 31 bytes, wanted 32"),
    ("open", "token.key may be read or written by others (mode 644)")])
def test_a_lost_key_is_not_made_anew(shelf, data, loss, said):
    key = data / "token.key"
    if loss == "removed":
        key.unlink()
    elif loss == "cut":
        key.write_bytes(key.read_bytes()[:31])
    else:
        key.chmod(0o644)
    assert said in refusal(shelf, data)
    assert key.exists() == (loss != "removed")


@pytest.mark.parametrize("document, said", [
    ("campaigns:\n  - id: [\n", "the stored definition of campaign fall cannot be read: line "),
    ("campaigns:\n", "the stored definition of campaign fall cannot be read: line 1")])
def test_a_broken_definition_is_named(shelf, data, document, said):
    change(data, f"UPDATE campaigns SET document = '{document}' WHERE id = 'fall'")
    assert said in refusal(shelf, data)
    done = audit(data)
    assert done.returncode == 1 and said in done.stdout, process.explain(done)


@pytest.mark.parametrize("statement, said", [
    ("DELETE FROM journal WHERE sequence = (SELECT max(sequence) FROM journal)",
     "the journal ends with entry "),
    ("DELETE FROM journal WHERE kind = 6 AND sequence IN (SELECT min(sequence) FROM journal WHERE "
     "kind = 6)", " is missing"),
    ("UPDATE journal SET user = user + 1 WHERE sequence = (SELECT min(sequence) FROM journal WHERE "
     "kind = 4)", "it is not as it was written"),
    ("UPDATE journal SET at = at + 1 WHERE sequence = (SELECT max(sequence) FROM journal)",
     "it is not as it was written"),
    ("UPDATE journal SET amount = amount + 1, seal = NULL WHERE sequence = (SELECT min(sequence) "
     "FROM journal WHERE kind = 1)", "its definition has a budget of "),
    ("UPDATE allocations SET answer = flipped(answer) WHERE position = 3",
     "the answer of the allocation with request_id "),
    ("DELETE FROM allocations WHERE position = 3", "answers of allocations are missing"),
    ("DELETE FROM campaigns WHERE id = 'spring'", "no definition"),
    ("UPDATE campaigns SET is_paused = 1 WHERE id = 'spring'", "definitions of campaigns are"),
    ("DELETE FROM notes WHERE key = 'ledger.clock'", "the note ledger.clock is missing")])
def test_an_audit_sees(shelf, data, statement, said):
    change(data, statement)
    done = audit(data)
    assert done.returncode == 1 and done.stdout.startswith("not clean: "), process.explain(done)
    assert said in done.stdout, done.stdout
    told = json.loads(audit(data, "--output", "json").stdout)
    assert told["clean"] is False and said in told["finding"], told
    if "entry " in told["finding"] and "campaign" in told["finding"]:
        assert "campaign spring," in told["finding"] or "campaign fall," in told["finding"], told
    # Nor is it served.
    refusal(shelf, data)


def test_a_folder_from_before_answers_were_sealed(promote, shelf, data):
    """It is taken over with its answers, which are the same byte for byte; and then they are
    sealed."""
    promoter = promote(data=data)
    asked = promoter.asking(promoter.users[0], slots=3, name=b"answers are kept")
    first = promoter.allocations.Allocate(asked, timeout=process.patience(20))
    assert len(first.placements) == 3
    promoter.stop()
    file = sqlite3.connect(data / "ledger.sqlite")
    file.executescript("ALTER TABLE allocations DROP COLUMN seal; ALTER TABLE state DROP COLUMN "
                       "allocation_sum; PRAGMA user_version = 2")
    file.close()
    assert audit(data).returncode == 0
    promoter = promote(data=data)
    again = promoter.allocations.Allocate(asked, timeout=process.patience(20))
    assert again.SerializeToString() == first.SerializeToString()
    promoter.stop()
    assert audit(data).returncode == 0
    change(data, "DELETE FROM allocations WHERE position = (SELECT max(position) FROM allocations)")
    assert "answers of allocations are missing" in refusal(shelf, data)


def test_what_cannot_be_audited(tmp_path):
    """No folder and no ledger are no bad books."""
    for folder in (tmp_path / "nowhere", tmp_path):
        done = audit(folder, "--output", "json")
        assert done.returncode == 6, process.explain(done)
        told = json.loads(done.stdout)
        assert told["clean"] is None and "No such file" in told["error"], told
        assert str(folder) in done.stderr, done.stderr
        done = process.run("ledger", "show", "--data", folder)
        assert done.returncode == 6, process.explain(done)


def test_a_folder_that_cannot_be_written(data):
    """As on a read-only medium, where the kernel lets us make one."""
    script = f'mount --bind "{data}" "{data}" && mount -o remount,bind,ro "{data}" && exec "$@"'
    command = ["unshare", "--mount", "--map-root-user", "sh", "-c", script, "sh"]
    probe = subprocess.run([*command, "true"], capture_output=True, text=True)
    if probe.returncode:
        pytest.skip(f"no mount of our own here: {probe.stderr.strip()}")
    done = subprocess.run([*command, process.binary(), "ledger", "audit", "--data", data],
                          capture_output=True, text=True)
    assert done.returncode == 0 and "every account balances" in done.stdout, process.explain(done)
