"""`campaign`, `allocate`, `report`, `release`, and scores with boosts, against a server of stock
grpcio."""

import base64
import json

import pytest

import process
from campaign_double import CampaignDouble, key

FILE = """currency: USD
campaigns:
  - id: summer-drop
    flight: {start: 2026-12-01T00:00:00Z, end: 2035-12-31T00:00:00Z}
    budget: {amount: "2500.00"}
    cost: {per: exposure, amount: "0.0150"}
    worth: {per: goal, amount: "0.4000"}
    items: [7, 8]
"""


@pytest.fixture
def double(generated):
    made = CampaignDouble(generated)
    for number in range(250):
        made.add(f"c-{number:03}")
    made.add("summer-drop")
    yield made
    made.close()


def run(double, *arguments, code=0, **options):
    done = process.run(*arguments, "--target", double.target, "--timeout", "20s", **options)
    assert done.returncode == code, process.explain(done)
    return done


def parsed(double, *arguments, **options):
    return json.loads(run(double, *arguments, "--output", "json", **options).stdout)


def lines(tokens, **more):
    return "".join(json.dumps({"token": base64.b64encode(token).decode(), **more}) + "\n"
                   for token in tokens)


# Scores

def test_score_names_the_campaigns_of_boosts(double):
    said = parsed(double, "score", "--user", 5, "--items", "7,8,9", "--boosts", "--explain")
    results = said["results"]
    assert [one["campaign"] for one in results] == [None, "summer-drop", f"key:{key('gone'):016x}"]
    assert [one["boost"] for one in results] == [0, pytest.approx(0.1), pytest.approx(0.2)]
    assert [one["boost_reason"] for one in results] == ["NO_CAMPAIGN", "OK", "OK"]
    assert results[1]["terms"] == {"worth": 400.0, "cap": 1.0} and "terms" not in results[0]
    assert (said["boost_scale"], said["arm"]) == ("micros:1000", "holdout:treated")
    table = run(double, "score", "--user", 5, "--items", "7,8,9", "--boosts", "--explain").stdout
    assert "8: worth 400.0, cap 1.0" in table and "boost scale micros:1000" in table
    assert table.splitlines()[0].split()[:6] == ["rank", "item", "score", "boost", "campaign",
                                                 "boost"]


def test_score_without_boosts_asks_for_no_campaigns(double):
    double.lists = False
    said = parsed(double, "score", "--items", "7,8")
    assert all(one["boost"] is None and one["campaign"] is None for one in said["results"])
    boosted = parsed(double, "score", "--items", "7,8", "--boosts")
    assert boosted["results"][1]["campaign"] == f"key:{key('summer-drop'):016x}"


def test_score_is_shown_whatever_becomes_of_the_names(double):
    double.listing_seconds = 60
    done = process.run("score", "--items", "7,8", "--boosts", "--output", "json", "--target",
                       double.target, "--timeout", "500ms")
    assert done.returncode == 0, process.explain(done)
    assert json.loads(done.stdout)["results"][1]["campaign"] == f"key:{key('summer-drop'):016x}"
    assert done.stderr.startswith("campaigns stay without names: DEADLINE_EXCEEDED"), done.stderr


# Campaigns

def test_apply_sends_the_file_and_shows_the_difference(double, tmp_path):
    file = tmp_path / "campaigns.yaml"
    file.write_text(FILE)
    done = run(double, "campaign", "apply", "-f", file)
    assert double.documents == [FILE]
    assert done.stdout == ("~ summer-drop\n    budget.amount: 1.00 -> 2500.00\n+ other\n\n"
                           "applied: 1 added, 1 changed, 0 unchanged\n")
    said = parsed(double, "campaign", "apply", "-f", file, "--dry-run")
    assert not said["applied"] and said["dry_run"] and said["faults"] == []
    assert said["changes"][0] == {"campaign": "summer-drop", "kind": "CHANGED", "fields": [
        {"field": "budget.amount", "before": "1.00", "after": "2500.00"}]}


def test_apply_names_line_field_and_reason(double, tmp_path):
    file = tmp_path / "campaigns.yaml"
    file.write_text(FILE.replace('"2500.00"', '"-1"').replace("[7, 8]", "[]"))
    done = run(double, "campaign", "apply", "-f", file, code=1)
    assert not double.documents, "a faulty file is not sent"
    first = done.stdout.splitlines()[0]
    assert first.startswith(f"{file}:5: campaigns[0].budget.amount: "), done.stdout
    assert done.stdout.endswith("\n\nnothing was applied\n")
    said = parsed(double, "campaign", "apply", "-f", file, code=1)
    assert not said["applied"] and [one["line"] for one in said["faults"]] == [5, 8]

    file.write_text(FILE.replace("summer-drop", "taken"))
    done = run(double, "campaign", "apply", "-f", file, code=1)
    assert done.stdout.startswith(f"{file}:5: campaigns[0].budget.amount: is below 9.00\n")


def test_apply_puts_items_of_files_in_place(double, tmp_path):
    (tmp_path / "items.txt").write_text("# shelf\n7\n8\n")
    file = tmp_path / "campaigns.yaml"
    text = "# a comment\n\n" + FILE.replace("items: [7, 8]", "items_file: items.txt")
    file.write_text(text)
    run(double, "campaign", "apply", "-f", file)
    sent = double.documents[0]
    assert "items_file" not in sent and "7" in sent and "summer-drop" in sent
    # The server's line is one of what was sent; what is shown is one of the file.
    file.write_text(text.replace("summer-drop", "taken"))
    done = run(double, "campaign", "apply", "-f", file, code=1)
    assert done.stdout.startswith(f"{file}:7: campaigns[0].budget.amount: is below 9.00\n")
    (tmp_path / "items.txt").unlink()
    done = run(double, "campaign", "apply", "-f", file, code=1)
    assert done.stdout.startswith(f"{file}:10: campaigns[0].items_file: "), done.stdout


def test_list_reads_every_page(double):
    said = parsed(double, "campaign", "list")
    assert [one["campaign"] for one in said["campaigns"]] == sorted(double.campaigns)
    assert said["campaigns"][0]["budget_micros"] == 2_500_000_000
    table = run(double, "campaign", "list").stdout.splitlines()
    assert len(table) == 252 and table[1].split()[:4] == ["c-000", "RUNNING", "2500.00", "0.015"]


def test_show_draws_spend_against_plan(double):
    done = run(double, "campaign", "show", "summer-drop", "--document")
    assert "spent       _.#_\nplan        :::: \n".replace(": \n", ":\n") in done.stdout
    assert "budget      2500.00 USD" in done.stdout and "  - id: summer-drop" in done.stdout
    said = parsed(double, "campaign", "show", "summer-drop")
    assert said["spent_series_micros"] == [0, 10, 80, 0] and said["items_known"] == 1


def test_pause_and_diagnose(double):
    assert run(double, "campaign", "pause", "summer-drop").stdout == "summer-drop: PAUSED\n"
    assert parsed(double, "campaign", "pause", "summer-drop", "--resume")["status"] == "RUNNING"
    done = run(double, "campaign", "diagnose", "summer-drop")
    assert done.stdout.startswith("CAPS: caps kept 8 of 30 candidates away\n")
    assert done.stdout.index("CAPPED") < done.stdout.index("MARKET")
    said = parsed(double, "campaign", "diagnose", "summer-drop")
    assert said["cause"] == "CAPS" and said["reasons"] == {"MARKET": 2, "CAPPED": 8}


def test_what_is_not_there_fails(double):
    for command in ("show", "pause", "diagnose"):
        done = run(double, "campaign", command, "nobody", code=4)
        assert done.stderr == "NOT_FOUND: there is no campaign nobody\n"
    double.close()
    done = process.run("campaign", "list", "--target", double.target)
    assert done.returncode == 3 and "cannot reach" in done.stderr


# Allocation and delivery

def test_allocate_shows_placements_and_tokens(double):
    name = "00112233445566778899aabbccddeeff"
    arguments = ("allocate", "--user", 5, "--items", "7,8,9", "--slots", 3, "--request-id", name)
    said = parsed(double, *arguments)
    assert said["request_id"] == name and said["unfilled_reason"] == "CAPPED"
    assert [(one["slot"], one["item"]) for one in said["placements"]] == [(0, "7"), (1, "8")]
    token = base64.b64decode(said["placements"][0]["token"])
    assert token == b"token" + bytes.fromhex(name) + b"\0"
    table = run(double, *arguments).stdout
    assert said["placements"][1]["token"] in table and "2 of 3 slots: CAPPED" in table
    other = parsed(double, *arguments[:-2])
    assert other["request_id"] != name and len(other["request_id"]) == 32
    for bad in ("00", name + "0", "zz" * 16, "+1" * 16):
        assert "32 hexadecimal digits" in run(double, *arguments[:-1], bad, code=2).stderr


def test_report_tells_what_became_of_each_exposure(double, tmp_path):
    tokens = [b"token-%d" % number for number in range(25)]
    file = tmp_path / "heard.jsonl"
    file.write_text(lines(tokens, time="2026-12-01T08:00:00Z") + "\n" + lines(tokens[:2])
                    + lines([b"forged"], goal=True))
    said = parsed(double, "report", file, "--batch", 10, code=1)
    assert (said["exposures"], said["settled"], said["duplicate"], said["forged"]) == (28, 25, 2, 1)
    assert said["exceptions"] == [{"line": 29, "outcome": "FORGED"}]
    assert double.sequences == [1, 2, 3]
    # From standard input, and all of it known by now: that is no failure.
    again = run(double, "report", input=lines(tokens, time=1_796_083_200_000))
    assert ["duplicate", "25"] in [line.split() for line in again.stdout.splitlines()]


def test_report_sends_again_what_was_not_acknowledged(double):
    tokens = [b"token-%d" % number for number in range(50)]
    double.breaks = 1
    said = parsed(double, "report", "--batch", 5, input=lines(tokens))
    assert said["settled"] + said["duplicate"] == 50 and said["unacknowledged"] == 0
    assert said["resent"] > 0 and double.sequences[0] == 1 and len(double.settled) == 50
    double.breaks = 2
    done = run(double, "report", "--retries", 1, "--batch", 5, input=lines(tokens), code=4)
    assert done.stderr.startswith("UNAVAILABLE: going away")


def test_report_is_not_held_by_many_batches(double):
    tokens = [b"token-%d" % number for number in range(3_000)]
    said = parsed(double, "report", "--batch", 7, input=lines(tokens))
    assert said["settled"] == 3_000 and len(double.sequences) == 429


@pytest.mark.parametrize("line, reason", [
    ("nonsense", "it is no JSON object"), ("[]", "it is no JSON object"),
    ('{"time": 1}', "token is missing"), ('{"token": 5}', "token has another type"),
    ('{"token": "%%"}', "token is no base64"), ('{"token": ""}', "token is empty"),
    ('{"token": "AAAA", "time": "noon"}', "a time is RFC 3339"),
    ('{"token": "AAAA", "goal": 1}', "goal has another type"),
    ('{"token": "AAAA", "gaol": true}', "there is no key gaol; there are token, time, goal"),
    ('{"token": "' + "A" * 200_000 + '"}', "over 65536 bytes")])
def test_report_ends_at_a_faulty_line(double, line, reason):
    done = run(double, "report", "--output", "json", code=2,
               input=lines([b"token-1", b"token-2"]) + "\n" + line + "\n" + lines([b"token-3"]))
    assert done.stderr.startswith("-: line 4") and reason in done.stderr, process.explain(done)
    assert json.loads(done.stdout)["settled"] == 2, "what stands before it is reported"


def test_report_of_nothing(double):
    assert parsed(double, "report", input="")["exposures"] == 0
    assert "cannot read" in run(double, "report", "/no/such/file", code=2).stderr
    assert run(double, "report", "--batch", 0, code=2).stderr == "--batch is 1 to 10000\n"


def test_release_gives_back_what_allocate_has_answered(double):
    answers = [run(double, "allocate", "--user", user, "--items", "7,8,9", "--slots", 3,
                   "--output", "json").stdout for user in (5, 6)]
    said = parsed(double, "release", input="\n".join(answers))
    assert (said["tokens"], said["released"], said["exceptions"]) == (4, 4, [])
    assert double.released == {base64.b64decode(one["token"]) for answer in answers
                               for one in json.loads(answer)["placements"]}
    # A second time it is no failure.
    table = run(double, "release", "-f", "-", input="".join(answers)).stdout
    assert ["already", "released", "4"] in [line.split() for line in table.splitlines()]


def test_release_tells_what_stays(double, tmp_path):
    good, heard = (base64.b64encode(one).decode() for one in (b"token-1", b"token-2"))
    double.settled.add(b"token-2")
    said = parsed(double, "release", good, "Zm9yZ2Vk", heard, code=1)
    assert (said["tokens"], said["released"], said["forged"], said["settled"]) == (3, 1, 1, 1)
    assert said["exceptions"] == [{"place": "token 2", "outcome": "FORGED"},
                                  {"place": "token 3", "outcome": "SETTLED"}]
    file = tmp_path / "given-back.jsonl"
    file.write_text(lines([b"token-3"]) + "\n" + json.dumps(
        {"placements": [{"slot": 0, "token": good}, {"slot": 1, "token": heard}]}) + "\n")
    said = parsed(double, "release", "-f", file, code=1)
    assert (said["released"], said["already_released"], said["settled"]) == (1, 1, 1)
    assert said["exceptions"] == [{"place": "line 3, placement 1", "outcome": "SETTLED"}]


def test_release_of_many_tokens_goes_in_calls_that_are_taken(double):
    tokens = [b"token-%d" % number for number in range(2_500)]
    assert parsed(double, "release", input=lines(tokens))["released"] == 2_500
    assert double.releases == [1_000, 1_000, 500]


@pytest.mark.parametrize("line, reason", [
    ("nonsense", "it is no JSON object"), ("[]", "it is no JSON object"),
    ("{}", "it has neither token nor placements"), ('{"token": 5}', "token has another type"),
    ('{"placements": [{}]}', "token is missing"), ('{"token": "%%"}', "token is no base64"),
    ('{"placements": [{"token": ""}]}', "token is empty"),
    ('{"placements": {}}', "placements has another type"),
    ('{"placements": [], "token": "AAAA"}', "one of them is expected"),
    ('{"token": "' + "A" * 200_000 + '"}', "over 65536 bytes")])
def test_release_ends_at_a_faulty_line(double, line, reason):
    done = run(double, "release", "--output", "json", code=2,
               input=lines([b"token-1", b"token-2"]) + line + "\n" + lines([b"token-3"]))
    assert done.stderr.startswith("-: line 3") and reason in done.stderr, process.explain(done)
    assert json.loads(done.stdout)["released"] == 2, "what stands before it is released"
    assert double.released == {b"token-1", b"token-2"}


def test_release_of_nothing(double):
    assert parsed(double, "release", input="")["tokens"] == 0 and double.releases == []
    assert "token 2: token is no base64" in run(double, "release", "AAAA", "%", code=2).stderr
    assert "not both" in run(double, "release", "AAAA", "-f", "x", code=2).stderr
    assert "cannot read" in run(double, "release", "-f", "/no/such/file", code=2).stderr
    assert double.releases == []
