"""ApplyCampaigns with documents that are wrong: line, field, reason; nothing half-applied."""

import random

import grpc
import pytest

import process
import wire
from promoting import CODE, Promoter, campaign, caps, document, instant, refused


def line_of(text, field, nth=0):
    """The line, from 1, of the nth `field:` in a document."""
    lines = [at for at, line in enumerate(text.splitlines(), 1)
             if line.strip(" -").startswith(field + ":")]
    return lines[nth]


# What is changed in the second of two campaigns → the line's key, the field, a word of the reason.
FAULTS = {
    "over": (dict(flight={"start": "2020-01-01T00:00:00Z", "end": "2020-02-01T00:00:00Z"}),
             "flight", "flight.end", "over"),
    "backwards": (dict(flight={"start": instant(3), "end": instant(2)}), "flight", "flight.end",
                  "after"),
    "no zone": (dict(flight={"start": "2026-01-01T00:00:00", "end": instant(2)}), "flight",
                "flight.start", "zone"),
    "no end": (dict(flight={"start": instant(0)}), "flight", "flight.end", "missing"),
    "negative budget": (dict(budget={"amount": "-1.00"}), "budget", "budget.amount", ""),
    "no budget": (dict(budget={"amount": "0"}), "budget", "budget.amount", "more than 0"),
    "overflow": (dict(budget={"amount": "9223372036854.775808"}), "budget", "budget.amount", ""),
    "far overflow": (dict(budget={"amount": "1" + "0" * 400}), "budget", "budget.amount", ""),
    "too exact": (dict(cost={"per": "exposure", "amount": "0.0000001"}), "cost", "cost.amount", ""),
    "no number": (dict(budget={"amount": "a lot"}), "budget", "budget.amount", "a lot"),
    "dear": (dict(cost={"per": "exposure", "amount": "1000.01"}), "cost", "cost",
             "more than the budget"),
    "negative worth": (dict(worth={"per": "goal", "amount": "-0.01"}), "worth", "worth.amount", ""),
    "per what": (dict(cost={"per": "click", "amount": "0.01"}), "cost", "cost.per", "exposure"),
    "promise": (dict(minimum_exposures=100_001), "minimum_exposures", "minimum_exposures",
                "more than the budget"),
    "free promise": (dict(minimum_exposures=1, cost={"per": "exposure", "amount": "0"}),
                     "minimum_exposures", "minimum_exposures", "costs nothing"),
    "market": (dict(markets=["SE", "ZZ"]), "markets", "markets[1]", "ZZ"),
    "market's form": (dict(markets=["se"]), "markets", "markets[0]", "se"),
    "market twice": (dict(markets=["SE", "SE"]), "markets", "markets[1]", "twice"),
    "no market": (dict(markets=[]), "markets", "markets", "empty"),
    "surface": (dict(surfaces=["radoi"]), "surfaces", "surfaces[0]", "radio"),
    "tier": (dict(tiers=["gold"]), "tiers", "tiers[0]", "gold"),
    "scope": (dict(caps=caps(user_album=2)), "caps", "caps[0].scope", "user_release"),
    "limit": (dict(caps=caps(user_campaign=0)), "caps", "caps[0].limit", ""),
    "window": (dict(caps=[{"scope": "user_artist", "limit": 1, "window": "91d"}]), "caps",
               "caps[0].window", "91d"),
    "cap twice": (dict(caps=caps(user_artist=1) + caps(user_artist=2)), "caps", "caps[1]",
                  "already"),
    "mode": (dict(pacing={"mode": "fast"}), "pacing", "pacing.mode", "asap"),
    "exploration": (dict(exploration="maybe"), "exploration", "exploration", "thompson"),
    "key": (dict(budgets=1), "budgets", "budgets", ""),
    "no items": (dict(items=[]), "items", "items", ""),
    "item twice": (dict(items=["7", "8", "7"]), "items", "items[2]", "twice"),
    "items file": (dict(items_file="x.txt"), "items_file", "items_file", ""),
    "id": (dict(id="Two"), "id", "id", "a-z"),
    "long id": (dict(id="x" * 65), "id", "id", "64"),
}


@pytest.fixture(scope="module")
def settled(generated, tmp_path_factory, shelf):
    """A server with one campaign that no test of here changes."""
    server = process.Server(shelf.folder, "--data", tmp_path_factory.mktemp("faults"))
    made = Promoter(generated, server, shelf)
    made.apply(campaign("one", made.items[:5]))
    yield made
    made.stop()


def unchanged(promoter, text, count=1):
    """What `text` is answered, dry or not: the same faults; and nothing has changed."""
    before = promoter.get("one")
    answer = promoter.send(text)
    assert not answer.applied and answer.faults, answer
    dry = promoter.send(text, dry_run=True)
    places = [[(one.line, one.field) for one in told.faults] for told in (answer, dry)]
    assert places[0] == places[1] and not dry.applied, dry
    assert promoter.get("one") == before
    refused(lambda: promoter.get("two"), CODE.NOT_FOUND)
    assert len(promoter.campaigns.ListCampaigns(
        promoter.campaign.ListCampaignsRequest()).campaigns) == count
    return answer


@pytest.mark.parametrize("name", FAULTS)
def test_faults(settled, name):
    """The first campaign of the document is good, would change one, and is not applied either."""
    change, line, field, word = FAULTS[name]
    good = campaign("one", settled.items[:7], budget="5000")
    bad = {**campaign("two", settled.items[7:12]), **change}
    if "items_file" in change:
        del bad["items"]
    text = document(good, bad)
    answer = unchanged(settled, text)
    nth = 0 if line in change and line not in good else 1
    fault = answer.faults[0]
    assert len(answer.faults) == 1 and not answer.faults_left_out, answer
    assert fault.line == line_of(text, line, nth), (fault, text)
    assert fault.field == f"campaigns[1].{field}", fault
    assert fault.reason and word in fault.reason, fault


@pytest.mark.parametrize("key", ["id", "flight", "budget", "cost", "worth", "items"])
def test_what_is_missing(settled, key):
    bad = campaign("two", settled.items[7:12])
    del bad[key]
    text = document(campaign("one", settled.items[:7]), bad)
    fault, = unchanged(settled, text).faults
    assert fault.field == f"campaigns[1].{key}" and "missing" in fault.reason, fault
    assert fault.line == line_of(text, "id", 1) if key != "id" else fault.line > 8, fault


POLICIES = {
    "currency": (dict(currency="EUR"), "currency", "USD"),
    "no currency": (dict(currency="dollars"), "currency", "upper-case"),
    "scale": (dict(boost={"scale_micros": 0}), "boost.scale_micros", ""),
    "surface": (dict(boost={"surfaces": {"radoi": {"cap": 1}}}), "boost.surfaces.radoi", "radio"),
    "weight": (dict(boost={"surfaces": {"radio": {"weight": -1}}}), "boost.surfaces.radio.weight",
               ""),
    "cap": (dict(boost={"surfaces": {"radio": {"cap": "1e999"}}}), "boost.surfaces.radio.cap", ""),
    "holdout": (dict(holdout={"salt": "s", "percent": 101}), "holdout.percent", "101"),
    "no salt": (dict(holdout={"percent": 1}), "holdout.salt", "missing"),
    "thousandths": (dict(holdout={"salt": "s", "percent": 0.001}), "holdout.percent", "0.001"),
}


@pytest.mark.parametrize("name", POLICIES)
def test_what_holds_for_all(settled, name):
    change, field, word = POLICIES[name]
    text = document(campaign("one", settled.items[:7]), **change)
    fault, = unchanged(settled, text).faults
    assert fault.field == field and word in fault.reason, fault
    assert fault.line == line_of(text, field.split(".")[0]), fault


BROKEN = ["currency: USD\ncampaigns: [\n", "currency: USD\n\tcampaigns: []\n", "- 1\n", "just text",
          "currency: USD\ncurrency: USD\n", "a: &a [*a]\n", "currency: !!python/object:os.system x",
          "currency: USD\ncampaigns:\n  - " + "[" * 500 + "\n", "---\n---\n"]


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_what_is_no_campaign_file(settled, text):
    fault = unchanged(settled, text).faults[0]
    assert fault.reason and 1 <= fault.line <= len(text.splitlines()) + 1, fault


def test_many_faults(settled):
    """A hundred are told, the first by line, and how many more there are."""
    bad = [campaign(f"c-{at}", settled.items[:2], budget="0") for at in range(250)]
    text = document(*bad)
    answer = unchanged(settled, text)
    assert len(answer.faults) == 100 and answer.faults_left_out == 150
    assert [one.line for one in answer.faults] == [line_of(text, "budget", at)
                                                   for at in range(100)]
    assert answer.faults[99].field == "campaigns[99].budget.amount"


def test_more_campaigns_of_an_item_than_may_be(settled):
    """A fault as any other, also of a dry run."""
    crowd = [campaign(f"c-{at:03}", settled.items[:1]) for at in range(257)]
    fault = unchanged(settled, document(*crowd)).faults[0]
    assert fault.reason and fault.field.startswith("campaigns"), fault


def test_the_first_document_names_the_currency(promote):
    promoter = promote()
    text = document(campaign("one", promoter.items[:3])).replace("currency: USD\n", "")
    fault, = promoter.send(text).faults
    assert fault.field == "currency" and fault.line == 1, fault
    promoter.apply(campaign("one", promoter.items[:3]), currency="SEK")
    assert promoter.state("one").currency == "SEK" and promoter.send(text).applied


def test_a_column_that_is_not_there(promote, small):
    promoter = promote(snapshot=small)
    text = document(campaign("one", promoter.items[:3], caps=caps(user_campaign=1, user_release=1)))
    fault, = promoter.send(text).faults
    assert fault.field == "campaigns[0].caps[1].scope" and "release" in fault.reason, fault


def test_a_budget_below_what_is_committed(promote):
    promoter = promote()
    promoter.apply(campaign("one", promoter.items[:50], budget="100.00", cost="1.00"))
    placed = promoter.allocate(items=promoter.items[:50], slots=1).placements
    promoter.report([placed[0].token])
    text = document(campaign("two", promoter.items[:3]),
                    campaign("one", promoter.items[:50], budget="1.00", cost="0.50"))
    # What is settled alone would fit; what shards hold leases for does not.
    state = promoter.state("one")
    assert (state.settled_micros, state.reserved_micros) == (1_000_000, 0)
    if state.leased_micros:
        fault, = unchanged(promoter, text).faults
        assert fault.line == line_of(text, "budget", 1), fault
        assert fault.field == "campaigns[1].budget.amount", fault
        committed = (state.settled_micros + state.leased_micros) // 1_000_000
        assert f"{committed}.00" in fault.reason, (fault, state)
    below = document(campaign("one", promoter.items[:50], budget="0.99", cost="0.50"))
    fault, = unchanged(promoter, below).faults
    assert fault.field == "campaigns[0].budget.amount", fault
    assert promoter.state("one").budget_micros == 100_000_000


# MARK: Long documents

def long_document(items, lines):
    """One campaign of one known item and as many unknown ones as `lines` lines take."""
    head = document(campaign("two", items[:1])).splitlines()
    at = next(at for at, line in enumerate(head) if line.strip().startswith("items:"))
    head[at:at + 1] = ["    items:"] + [f"      - x:{number}"
                                         for number in range(lines - len(head) - 1)]
    head.append(f"      - {items[0]}")
    head[-1], head[at + 1] = head[at + 1], head[-1]
    tail = [line for line in head[at + 1:] if not line.startswith("      - ")]
    body = [line for line in head[at + 1:] if line.startswith("      - ")]
    return "\n".join(head[:at + 1] + body + tail) + "\n"


def test_a_hundred_thousand_lines(promote):
    promoter = promote()
    text = long_document(promoter.items, 100_000)
    assert len(text.splitlines()) in range(99_999, 100_002) and len(text) < 4 << 20
    answer = promoter.send(text)
    assert answer.applied, answer
    state = promoter.state("two")
    assert (state.items_known, state.items) == (1, text.count("      - ")), state
    bad = text.replace("- x:77777\n", "- x:77776\n")
    fault, = promoter.send(bad).faults
    assert fault.line == bad.splitlines().index("      - x:77776") + 2, fault
    assert "line" in fault.reason and "twice" in fault.reason, fault
    # It is kept as it is, and read again.
    promoter.stop()
    assert promote().state("two").items == state.items


def test_documents_over_a_message(promote):
    """A file may be longer than other messages; too long is said so, and what moves it."""
    promoter = promote("--limit", "campaignMessageBytes=5MiB")
    text = document(campaign("two", promoter.items[:3])) + "#" * (5 << 20)
    error = refused(lambda: promoter.send(text), CODE.RESOURCE_EXHAUSTED,
                    "serve --limit campaignMessageBytes=")
    assert dict(error.trailing_metadata())["grpc-retry-pushback-ms"] == "-1"
    # Other messages keep their bound.
    error = refused(lambda: promoter.get("a" * (5 << 20)), CODE.RESOURCE_EXHAUSTED,
                    "serve --limit messageBytes=")
    promoter.stop()
    promoter = promote()
    assert promoter.send(text).applied
    # Compressed, too; and what never becomes whole is bounded.
    noise = "".join(f"# {random.getrandbits(400):x}\n" for _ in range(60_000))
    answer = promoter.campaigns.ApplyCampaigns(
        promoter.campaign.ApplyCampaignsRequest(document=text[:-(5 << 20)] + noise),
        compression=grpc.Compression.Gzip, timeout=process.patience(60))
    assert len(noise) > 5 << 20 and answer.applied and answer.unchanged == 1, answer


def test_unfinished_documents_are_bounded(promote):
    """Of all connections together; other calls go on, and what was held is free afterwards."""
    promoter = promote("--loops", 1, "--limit", "campaignMessageBytes=5MiB", "--limit",
                       "campaignBufferedBytes=6MiB")
    whole = wire.message(b"\xff" * (5 << 20))
    headers = wire.request_headers("/crescendo.v1.CampaignService/ApplyCampaigns")
    with wire.Connection(promoter.server.port) as first, \
            wire.Connection(promoter.server.port) as second:
        held = first.open(headers)
        first.data(held, whole[:4 << 20])
        first.ping()
        turned_away = second.open(headers)
        second.data(turned_away, whole[:-1])
        answer = second.wait(turned_away)
        assert answer.code == "RESOURCE_EXHAUSTED", answer
        assert "campaignBufferedBytes" in answer.text, answer
        assert promoter.apply(campaign("two", promoter.items[:3])).added == 1
    with wire.Connection(promoter.server.port) as third:
        answer = third.call(b"\xff" * (5 << 20), headers)
        assert answer.code == "INTERNAL", f"the message is read, and is none: {answer}"


# MARK: Messages that are none

UNARY = ["CampaignService/ApplyCampaigns", "CampaignService/GetCampaign",
         "CampaignService/ListCampaigns", "CampaignService/PauseCampaign",
         "CampaignService/DiagnoseCampaign", "PromotionAllocationService/Allocate",
         "PromotionAllocationService/Release"]


@pytest.mark.parametrize("method", UNARY)
def test_bytes_that_are_no_message(settled, method):
    call = settled.channel.unary_unary(f"/crescendo.v1.{method}")
    for payload in (b"\xff\xff\xff", b"\x0a\x7fshort", b"\x08"):
        error = refused(lambda: call(payload), CODE.INTERNAL, "Request")
        assert any(letter.isdigit() for letter in error.details()), error
    assert settled.state("one").items == 5


@pytest.mark.parametrize("method", UNARY[:2] + UNARY[3:5])
@pytest.mark.parametrize("text, code", [
    (b"a\0b", CODE.INVALID_ARGUMENT), (b"\xff\xfe", CODE.INTERNAL),
    (b"\xed\xa0\x80", CODE.INTERNAL)])
def test_text_that_is_none(settled, method, text, code):
    """As in score requests."""
    call = settled.channel.unary_unary(f"/crescendo.v1.{method}")
    refused(lambda: call(b"\x0a" + bytes([len(text)]) + text), code, "Request: byte 2")
