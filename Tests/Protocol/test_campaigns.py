"""CampaignService: what is applied holds, at once and after a restart; what is wrong is named."""

import json
import subprocess
import threading
import time

import pytest

import process
from promoting import (CODE, DAY, Promoter, campaign, caps, document, eventually, instant, key,
                       refused, spread)


def states(promoter, **fields):
    return promoter.campaigns.ListCampaigns(
        promoter.campaign.ListCampaignsRequest(**fields), timeout=process.patience(60))


def diagnose(promoter, name):
    return promoter.campaigns.DiagnoseCampaign(
        promoter.campaign.DiagnoseCampaignRequest(id=name), timeout=process.patience(60))


def kinds(answer):
    return {one.campaign_id: one.kind for one in answer.changes}


# MARK: Applying and reading

def test_what_is_applied_is_told_again(promote):
    promoter = promote()
    full = campaign(
        "summer-drop", promoter.items[:5] + [404], budget="2500.00", cost="0.0150", worth="0.40",
        markets=["SE", "NO"], surfaces=["radio"], tiers=["free"], segments=["gym", "run"],
        caps=caps(user_campaign=3, user_artist=5), pacing={"mode": "even"}, minimum_exposures=7,
        exploration="thompson")
    Kind = promoter.campaign.CampaignChange
    assert kinds(promoter.apply(full)) == {"summer-drop": Kind.KIND_ADDED, "": Kind.KIND_POLICY}
    got = promoter.get("summer-drop")
    state = got.state
    assert (state.id, state.key, state.currency) == ("summer-drop", key("summer-drop"), "USD")
    assert state.status == promoter.campaign.CampaignState.STATUS_RUNNING
    assert (state.budget_micros, state.settled_micros, state.reserved_micros) == (2_500_000_000,
                                                                                  0, 0)
    assert (state.items, state.items_known, state.exposures, state.goals) == (6, 5, 0, 0)
    assert state.end_unix_ms - state.start_unix_ms == 31 * DAY * 1_000
    assert abs(state.start_unix_ms / 1_000 + DAY - time.time()) < 600
    assert len(got.spent_series_micros) == len(got.planned_series_micros)
    # What it tells is a file that changes nothing.
    again = promoter.send(got.document)
    assert again.applied and kinds(again) == {"summer-drop": Kind.KIND_UNCHANGED}, again
    assert promoter.get("summer-drop").document == got.document


def test_what_changes_is_told(promote):
    promoter = promote()
    one = campaign("one", promoter.items[:5])
    two = campaign("two", promoter.items[5:9])
    promoter.apply(one, two)
    Kind = promoter.campaign.CampaignChange
    new = campaign("new", promoter.items[9:12])
    text = document({**one, "budget": {"amount": "2000"}, "markets": ["SE"]}, two, new)
    dry = promoter.send(text, dry_run=True)
    assert not dry.applied and not dry.faults
    assert promoter.state("one").budget_micros == 1_000_000_000
    refused(lambda: promoter.get("new"), CODE.NOT_FOUND, "new")
    wet = promoter.send(text)
    assert wet.applied and list(wet.changes) == list(dry.changes)
    assert kinds(wet) == {"one": Kind.KIND_CHANGED, "two": Kind.KIND_UNCHANGED,
                          "new": Kind.KIND_ADDED}
    fields = {one.field: (one.before, one.after) for change in wet.changes
              if change.campaign_id == "one" for one in change.fields}
    assert fields.keys() == {"budget.amount", "markets"}, fields
    assert "1000" in fields["budget.amount"][0] and "2000" in fields["budget.amount"][1]
    assert promoter.state("one").budget_micros == 2_000_000_000


def test_lists_come_by_pages(promote):
    promoter = promote()
    names = sorted(f"c-{number:x}" for number in range(1_025))
    promoter.apply(*[campaign(name, [promoter.items[at % 600]]) for at, name in enumerate(names)])
    first = states(promoter)
    assert [one.id for one in first.campaigns] == names[:1_000] and first.has_more
    last = states(promoter, after_id=names[999])
    assert [one.id for one in last.campaigns] == names[1_000:] and not last.has_more
    got, after = [], ""
    while True:
        page = states(promoter, page_size=205, after_id=after)
        assert len(page.campaigns) == 205
        got += [one.id for one in page.campaigns]
        after = got[-1]
        if not page.has_more:
            break
    assert got == names
    between = states(promoter, page_size=1, after_id=names[3] + "-")
    assert [one.id for one in between.campaigns] == [min(
        name for name in names if name > names[3] + "-")]
    assert not states(promoter, after_id="zzz").campaigns
    refused(lambda: states(promoter, page_size=1_001), CODE.INVALID_ARGUMENT, "page_size")


def test_pause_and_resume(promote):
    promoter = promote()
    promoter.apply(campaign("one", promoter.items[:5]))
    State, ok = promoter.campaign.CampaignState, promoter.score.REASON_OK
    placed = promoter.allocate(items=promoter.items[:5]).placements[0]
    assert promoter.pause("one").status == State.STATUS_PAUSED
    eventually(lambda: ok not in spread(promoter.boosts(items=promoter.items[:5])))
    assert not promoter.allocate(items=promoter.items[:5]).placements
    # What was reserved stays so, and is paid.
    assert promoter.state("one").reserved_micros == 10_000
    assert promoter.report([placed.token]) == [promoter.delivery.EXPOSURE_OUTCOME_SETTLED]
    assert promoter.state("one").settled_micros == 10_000
    assert promoter.pause("one").status == State.STATUS_PAUSED
    assert promoter.pause("one", resume=True).status == State.STATUS_RUNNING
    eventually(lambda: spread(promoter.boosts(items=promoter.items[:5])) == [ok] * 5)
    assert promoter.allocate(items=promoter.items[:5]).placements


def test_applying_a_paused_campaign_does_not_resume_it(promote):
    promoter = promote()
    promoter.apply(campaign("one", promoter.items[:5]))
    promoter.pause("one")
    promoter.apply(campaign("one", promoter.items[:6], budget="2000"))
    state = promoter.state("one")
    assert (state.status, state.items) == (promoter.campaign.CampaignState.STATUS_PAUSED, 6)


def test_states_by_time(promote):
    promoter = promote()
    State = promoter.campaign.CampaignState
    soon = {"start": instant(1), "end": instant(2)}
    promoter.apply(campaign("soon", promoter.items[:5], flight=soon))
    assert promoter.state("soon").status == State.STATUS_SCHEDULED
    flight = {"start": instant(-1), "end": instant(3 / DAY)}
    promoter.apply(campaign("brief", promoter.items[:5], flight=flight))
    assert promoter.state("brief").status == State.STATUS_RUNNING
    eventually(lambda: promoter.state("brief").status == State.STATUS_ENDED, 10)


def test_what_is_not_there(promote):
    promoter = promote()
    refused(lambda: promoter.get("nobody"), CODE.NOT_FOUND, "nobody")
    refused(lambda: promoter.pause("nobody"), CODE.NOT_FOUND, "nobody")
    refused(lambda: diagnose(promoter, "nobody"), CODE.NOT_FOUND, "nobody")
    assert not states(promoter).campaigns and not states(promoter).has_more


# MARK: Effect

def test_changes_pause_nothing(promote):
    """Sixty changes while scores and slots are asked for without rest: none fails, and each change
    is seen within a second."""
    promoter = promote()
    promoter.apply(campaign("one", promoter.items[:50], budget="1000000"))
    ended, failures, counts = threading.Event(), [], []
    explained = promoter.request(want_boosts=True, want_explanations=True)
    ways = [lambda client, _: client.boosts().boosts,
            lambda client, at: client.allocate(client.users[at % 64], slots=3).request_id,
            lambda client, _: list(client.scores.StreamScores(explained)),
            lambda client, _: client.scores.Score(explained).explanations]

    def ask(way):
        client, count = promoter.another(), 0
        try:
            while not ended.is_set():
                assert way(client, count)
                count += 1
        except Exception as error:  # told at the end
            failures.append(error)
        counts.append(count)
        client.channel.close()

    threads = [threading.Thread(target=ask, args=(way,)) for way in ways]
    for thread in threads:
        thread.start()
    ok, slowest = promoter.score.REASON_OK, 0
    try:
        for number in range(60):
            count = 10 + number
            change = campaign("one", promoter.items[:count], budget="1000000",
                              caps=caps(user_campaign=1_000_000 + number % 2))
            promoter.apply(change, holdout={"salt": f"s{number}", "percent": 0})
            began = time.monotonic()
            eventually(lambda: spread(promoter.boosts()).count(ok) == count)
            slowest = max(slowest, time.monotonic() - began)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert not failures, failures[0]
    print(f"{sum(counts)} calls meanwhile; the slowest change was seen after {slowest:.3f} s")
    assert min(counts) > 20


# MARK: Restart

def test_a_restart_keeps_everything(promote, shelf, tmp_path):
    promoter = promote()
    promoter.apply(
        campaign("one", promoter.items[:9], caps=caps(user_campaign=2)),
        campaign("two", promoter.items[9:20], worth="0.30"), campaign("off", promoter.items[20:30]),
        boost={"scale_micros": 500, "surfaces": {"radio": {"weight": 0.5, "cap": 7.5}}},
        holdout={"salt": "s", "percent": 10})
    promoter.pause("off")
    request = promoter.request(want_boosts=True)
    request.context.time_unix_ms = int(time.time() * 1_000)
    placed = [promoter.allocate(user, slots=2).placements for user in promoter.users[:8]]
    promoter.report([one.token for some in placed for one in some[:1]])

    def told(promoter):
        score = promoter.scores.Score(request)
        documents = [promoter.get(one).document for one in ("one", "two", "off")]
        figures = [(one.id, one.status, one.budget_micros, one.settled_micros, one.reserved_micros,
                    one.exposures) for one in states(promoter).campaigns]
        return documents, figures, list(score.boosts), spread(score), score.provenance

    before = told(promoter)
    assert before[1][1][4] + before[1][2][4] > 0, before[1]
    promoter.stop()
    assert told(promote()) == before


def test_one_server_for_a_folder(promote, shelf, tmp_path):
    promote()
    done = subprocess.run(
        [process.binary(), "serve", "--listen", "127.0.0.1:0", "--snapshot", shelf.folder,
         "--data", tmp_path / "data"], capture_output=True, text=True, timeout=60)
    assert done.returncode > 0 and "listening" not in done.stdout, process.explain(done)
    assert str(tmp_path / "data") in done.stderr and "another process" in done.stderr, (
        process.explain(done))
    assert not process.CRASH.search(done.stderr), process.explain(done)


@pytest.mark.parametrize("call", ["Score", "Allocate", "Release", "ApplyCampaigns", "GetCampaign",
                                  "ListCampaigns", "PauseCampaign", "DiagnoseCampaign",
                                  "ReportExposures"])
def test_without_data_campaigns_are_off(generated, servers, shelf, call):
    promoter = Promoter(generated, servers.get(shelf, "--loops", 2), shelf)
    ways = {
        "Score": promoter.boosts, "Allocate": promoter.allocate,
        "Release": lambda: promoter.release([b"x"]),
        "ApplyCampaigns": lambda: promoter.send("currency: USD\n"),
        "GetCampaign": lambda: promoter.get("a"), "ListCampaigns": lambda: states(promoter),
        "PauseCampaign": lambda: promoter.pause("a"),
        "DiagnoseCampaign": lambda: diagnose(promoter, "a"),
        "ReportExposures": lambda: promoter.report([b"x"])}
    error = refused(ways[call], CODE.UNIMPLEMENTED, "--data")
    assert "off" in error.details(), error
    assert len(promoter.scores.Score(promoter.request()).scores) == 600
    promoter.channel.close()


def test_allocated_and_released_from_the_command_line(promote):
    promoter = promote()
    promoter.apply(campaign("one", promoter.items[:9]))
    target = ("--target", promoter.server.target, "--timeout", "20s", "--output", "json")
    said = process.run("allocate", "--user", promoter.users[0], "--slots", 3, "--market", "SE",
                       "--surface", "radio", "--tier", "free",
                       "--items", ",".join(map(str, promoter.items[:9])), *target)
    assert said.returncode == 0 and promoter.state("one").reserved_micros == 30_000, said
    given = process.run("release", *target, input=said.stdout)
    assert given.returncode == 0 and json.loads(given.stdout)["released"] == 3, given
    assert promoter.state("one").reserved_micros == 0
