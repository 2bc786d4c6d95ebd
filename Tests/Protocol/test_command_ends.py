"""How the commands of campaigns end, and what they say then."""

import base64
import json

import pytest

import process
from campaign_double import double  # noqa: F401
from promoting import campaign, caps, document
from test_campaign_commands import FILE, lines, parsed, run


@pytest.fixture
def file(tmp_path):
    """A campaign file of a text."""
    def write(text):
        path = tmp_path / "campaigns.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path
    return write


# Applying

def test_apply_has_time_of_its_own(double, file):
    double.held_seconds = 1.1
    done = process.run("campaign", "apply", "-f", file(FILE), "--target", double.target)
    assert done.returncode == 0, process.explain(done)
    double.held_seconds = 30
    late = ("campaign", "apply", "-f", file(FILE), "--target", double.target, "--timeout", "50ms")
    done = process.run(*late)
    assert done.returncode == 4 and done.stderr.startswith("DEADLINE_EXCEEDED"), done
    assert "may have been applied" in done.stderr and "campaign list" in done.stderr, done
    done = process.run(*late, "--dry-run")
    assert done.returncode == 4 and "may have been applied" not in done.stderr, done


def test_apply_that_breaks_off_may_have_been_applied(double, file):
    done = run(double, "campaign", "apply", "-f", file(FILE + "# away\n"), code=4)
    assert done.stderr.startswith("UNAVAILABLE: going away\n"), done
    assert "may have been applied" in done.stderr, done
    double.close()
    done = process.run("campaign", "apply", "-f", file(FILE), "--target", double.target)
    assert done.returncode == 3 and "may have been applied" not in done.stderr, done


def test_apply_tells_warnings_and_what_is_left_out(double, file):
    path = file(FILE + "# warned\n")
    done = run(double, "campaign", "apply", "-f", path)
    assert "and 3 campaigns that are not shown\n" in done.stdout, done.stdout
    assert f"warning: {path}:4: campaigns[0].items: 1 of 2 is not known\n" in done.stdout
    assert done.stdout.endswith("applied: 4 added, 1 changed, 0 unchanged\n"), done.stdout
    said = parsed(double, "campaign", "apply", "-f", path)
    assert (said["changes_left_out"], said["added"], said["warnings_left_out"]) == (3, 4, 0)
    assert said["warnings"] == [{"file": str(path), "line": 4, "field": "campaigns[0].items",
                                 "reason": "1 of 2 is not known"}]


def test_a_file_that_is_no_text_is_a_faulty_file(double, file):
    path = file(FILE.encode() + b"# \xff\n")
    done = run(double, "campaign", "apply", "-f", path, code=1)
    assert done.stdout == f"{path}:9: it is not UTF-8\n\nnothing was applied\n", done
    assert not double.documents
    assert "cannot read" in run(double, "campaign", "apply", "-f", "/no/file", code=2).stderr


# Scores, lists, outcomes

def test_explaining_implies_boosts(double):
    said = parsed(double, "score", "--items", "7,8,9", "--explain")
    assert said["results"][1]["terms"] == {"worth": 400.0, "cap": 1.0}
    assert said["results"][1]["boost"] == pytest.approx(0.1)


def test_the_best_are_those_with_their_boosts(double):
    best = ("score", "--items", "7,8,9", "--top", "1")
    assert [one["item"] for one in parsed(double, *best)["results"]] == ["7"]
    assert [one["item"] for one in parsed(double, *best, "--boosts")["results"]] == ["9"]


def test_lists_by_status_with_what_is_left(double):
    double.add("stopped", status=3, price=1e-5, reserved_micros=500_000_000)
    said = parsed(double, "campaign", "list", "--status", "paused", "--status", "ended")
    assert [one["campaign"] for one in said["campaigns"]] == ["stopped"]
    assert said["campaigns"][0]["left_micros"] == 1_999_985_000
    head, row = run(double, "campaign", "list", "--status", "paused").stdout.splitlines()
    assert dict(zip(head.split(), row.split()))["left"] == "1999.985", row
    assert row.split()[-1] == "0.000010", "all prices are in one notation"


def test_resume(double):
    assert run(double, "campaign", "pause", "summer-drop").stdout == "summer-drop: PAUSED\n"
    assert run(double, "campaign", "resume", "summer-drop").stdout == "summer-drop: RUNNING\n"


@pytest.mark.parametrize("command", ["report", "release"])
def test_nothing_is_told_of_nothing(double, command):
    done = run(double, command, input="nonsense\n", code=2)
    assert done.stdout == "" and done.stderr.startswith("-: line 1: it is no JSON"), done
    double.close()
    done = process.run(command, "--target", double.target, input=lines([b"token-1"]))
    assert done.returncode == 3 and done.stdout == "", done


def test_report_takes_what_allocate_has_answered(double):
    answers = [run(double, "allocate", "--user", user, "--items", "7,8,9", "--slots", 3,
                   "--output", "json").stdout for user in (5, 6)]
    said = parsed(double, "report", "--batch", 3, input="".join(answers))
    assert (said["exposures"], said["settled"]) == (4, 4)
    assert double.settled == {base64.b64decode(one["token"]) for answer in answers
                              for one in json.loads(answer)["placements"]}


# Against a server

def test_what_is_surely_not_meant(promote, file):
    promoter = promote()
    target = ("--target", promoter.server.target, "--timeout", "20s")
    odd = campaign("odd", ["7", "x:nowhere", promoter.items[0]], caps=[
        {"scope": "user_campaign", "limit": 5, "window": "1d"},
        {"scope": "user_campaign", "limit": 3, "window": "7d"}])
    good = campaign("good", promoter.items[:2], caps=caps(user_campaign=2))
    path = file(document(good, odd))
    done = process.run("campaign", "apply", "-f", path, *target)
    assert done.returncode == 0, process.explain(done)
    warnings = [line for line in done.stdout.splitlines() if line.startswith("warning: ")]
    line = path.read_text().splitlines().index('  - id: "odd"') + 1
    assert warnings == [
        f"warning: {path}:{line}: campaigns[1].items: 2 of 3 items are not in the snapshot that is "
        'served, and get no boost: "7", "x:nowhere"',
        f"warning: {path}:{line}: campaigns[1].caps[0]: 5 in 1d is never reached: 3 in 7d of the "
        "same scope comes first"], done.stdout
    # A user whom nobody knows is named.
    done = process.run("allocate", "--user", "crescendo:user:nobody", "--slots", 1, "--items", 7,
                       *target)
    assert done.returncode == 4 and "no user crescendo:user:nobody" in done.stderr, done


def test_the_journal_by_campaign_kind_and_user(promote, tmp_path):
    promoter = promote()
    promoter.apply(campaign("one", promoter.items[:5]), campaign("two", promoter.items[5:9]))
    for user in promoter.users[:2]:
        token = promoter.allocate(user, promoter.items[:5]).placements[0].token
        assert promoter.report([token]) == [1]

    def show(*arguments, code=0):
        done = process.run("ledger", "show", "--data", tmp_path / "data", "--output", "json",
                           *arguments)
        assert done.returncode == code, process.explain(done)
        return done if code else [json.loads(line) for line in done.stdout.splitlines()]

    settled = show("--kind", "settle")
    assert [one["kind"] for one in settled] == ["settle"] * 2 and settled[0]["reservation"]
    assert {one["kind"] for one in show("--kind", "fund", "--kind", "settle")} == {
        "fund", "settle"}
    assert show("--kind", "fund", "--campaign", "two")[0]["user"] is None
    reserved = show("--user", promoter.users[0], "--kind", "reserve")
    assert [one["user"] for one in reserved] == promoter.users[:1]
    assert "knows no campaign nosuch" in show("--campaign", "nosuch", code=1).stderr
    assert show("--campaign", "two", "--kind", "settle") == []
