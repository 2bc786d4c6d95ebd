"""ApplyCampaigns with long documents: taken whole, bounded, and never half."""

import random

import grpc

import process
import wire
from promoting import CODE, campaign, caps, document, refused


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


def test_caps_that_count_from_now_on(promote):
    """As they do: what was placed before a cap was applied does not count, and the answer says so."""
    promoter = promote()
    user, items = promoter.users[0], promoter.items[:1]
    promoter.apply(campaign("one", items))
    assert promoter.allocate(user, items).placements
    capped = document(campaign("one", items, caps=caps(user_campaign=1)))
    for dry_run in (True, False):
        answer = promoter.send(capped, dry_run=dry_run)
        warning, = answer.warnings
        assert warning.field == "campaigns[0].caps[0]", warning
        assert warning.reason.startswith("1 in 1d counts exposures from now on"), warning
        assert answer.applied is not dry_run
    assert promoter.allocate(user, items).placements
    assert not promoter.allocate(user, items).placements
    assert not promoter.send(capped).warnings
