"""The line that a call leaves in the log: who asked for what, how it ended, where its time went."""

import re
import time

import grpc
import pytest

import process

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def lines(server, count):
    """The first `count` calls' lines, each as its fields."""
    limit = time.monotonic() + process.patience(20)
    while True:
        found = [line for line in server.stderr().splitlines() if re.search(r" call$| call ", line)]
        if len(found) >= count:
            assert len(found) == count, found
            return [dict(re.findall(r"(\w+)=(\S*)", line)) for line in found]
        assert time.monotonic() < limit, server.story()
        time.sleep(0.01)


def test_a_line_for_each_call(stubs, small, start, connect):
    server = start(small, "--log-level", "debug", "--loops", 1)
    client = connect(server)
    client.score(stubs.ScoreRequest(item_ids=[1, 2, 3], request_id="here-7"),
                 metadata=[("traceparent", TRACE)])
    client.score(stubs.ScoreRequest(item_ids=[1]))
    with pytest.raises(grpc.RpcError):
        client.score(stubs.ScoreRequest(item_ids=[1], model="none"))
    parts = list(client.scores.StreamScores(stubs.ScoreRequest(item_ids=[1, 2]), timeout=60))
    good, unnamed, refused, streamed = lines(server, 4)
    assert good["method"] == "/crescendo.v1.PromotionScoreService/Score"
    assert (good["status"], good["candidates"], good["request_id"]) == ("OK", "3", "here-7")
    assert good["traceparent"] == TRACE and good["cancelled"] == "no"
    assert re.fullmatch(r"127\.0\.0\.1:\d+", good["peer"]), good
    for field in ("duration_us", "queue_us", "score_us", "encode_us"):
        assert good[field].isdigit(), good
    assert int(good["received_bytes"]) > 24 and int(good["sent_bytes"]) > 12
    # The server made one up.
    assert re.fullmatch("[0-9a-f]{32}", unnamed["request_id"]), unnamed
    assert unnamed["traceparent"] == "" and unnamed["peer"] == good["peer"]
    assert (refused["status"], refused["candidates"]) == ("INVALID_ARGUMENT", "0"), refused
    assert streamed["method"].endswith("/StreamScores") and streamed["candidates"] == "2"
    assert sum(len(part.positions) or 2 for part in parts) == 2


def test_no_lines_unless_asked_for(stubs, small, start, connect):
    server = start(small)
    connect(server).score(stubs.ScoreRequest(item_ids=[1]))
    assert "request_id" not in server.stderr()


def test_a_request_id_forges_no_line(stubs, small, start, connect):
    """What a client sends stays within its field."""
    server = start(small, "--log-level", "debug", "--loops", 1)
    connect(server).score(stubs.ScoreRequest(
        item_ids=[1], request_id="a\n2026-01-01 info crescendo: call status=FORGED"))
    (line,) = lines(server, 1)
    assert line["status"] == "OK", server.stderr()
    assert line["request_id"].startswith("a%0A2026-01-01%20info"), line
    assert not any(one.startswith("2026-01-01") for one in server.stderr().splitlines())
