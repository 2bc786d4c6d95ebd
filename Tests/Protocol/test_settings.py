"""Flags, environment and config file of `serve`; limits that are moved and then hold."""

import os
import subprocess

import grpc
import hyperframe.frame as frames
import pytest

import process
import wire
from flow import STREAM, Watched
from scrape import Metrics, eventually, handled

MESSAGE_BYTES = 2 << 10


def test_moved_limits_hold(stubs, small, start, connect):
    server = start(small, "--admin", "127.0.0.1:0", "--limit", "candidates=3", "--limit",
                   f"messageBytes={MESSAGE_BYTES >> 10}KiB", "--limit", "concurrentStreams=7",
                   "--limit", "streamWindowBytes=16KiB")
    metrics = Metrics(server)
    for name, value in (("candidates", 3), ("messageBytes", MESSAGE_BYTES),
                        ("connectionBufferedBytes", 4 * MESSAGE_BYTES),
                        ("concurrentStreams", 7), ("streamWindowBytes", 16 << 10)):
        assert metrics.value("crescendo_limit", name=name) == value, name
    with wire.Connection(server.port) as raw:
        raw.ping()
        settings = frames.SettingsFrame
        assert raw.settings[settings.MAX_CONCURRENT_STREAMS] == 7
        assert raw.settings[settings.INITIAL_WINDOW_SIZE] == 16 << 10
    client = connect(server)
    assert len(client.score(stubs.ScoreRequest(item_ids=[1, 2, 3])).scores) == 3
    with pytest.raises(grpc.RpcError) as caught:
        client.score(stubs.ScoreRequest(item_ids=[1, 2, 3, 4]))
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "3" in caught.value.details(), caught.value

    def sized(length):
        request = stubs.ScoreRequest(item_ids=[1])
        room = length - request.ByteSize()
        # Unknown to the contract, known to be skipped: field 1000 with its length of two bytes.
        payload = request.SerializeToString() + b"\xc2\x3e" + bytes(
            [(room - 4) & 0x7F | 0x80, (room - 4) >> 7]) + bytes(room - 4)
        assert len(payload) == length
        return payload

    method = "/crescendo.v1.PromotionScoreService/Score"
    answer = stubs.ScoreResponse.FromString(client.call(method, sized(MESSAGE_BYTES)))
    assert len(answer.scores) == 1
    with pytest.raises(grpc.RpcError) as caught:
        client.call(method, sized(MESSAGE_BYTES + 1))
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert str(MESSAGE_BYTES) in caught.value.details(), caught.value


def test_a_reader_that_never_wakes_is_cut(stubs, small, start, connect):
    """After the stall time, and it counts as what it is: no OK, and a source of its own."""
    server = start(small, "--loops", 1, "--admin", "127.0.0.1:0", "--limit",
                   "stallNanoseconds=300ms", "--limit", "stallTickNanoseconds=20ms")
    request = stubs.ScoreRequest(item_ids=[1] * 10_000)
    with Watched(server.port) as watched:
        watched.settle(INITIAL_WINDOW_SIZE=0)
        stream = watched.open(wire.request_headers(STREAM))
        watched.data(stream, wire.message(request.SerializeToString()), end=True)
        watched.until(lambda: watched.answers[stream].reset is not None)
        watched.ping()
        metrics = eventually(server, lambda one: handled(one) == 1)
        assert handled(metrics, grpc_code="Canceled") + handled(
            metrics, grpc_code="CANCELLED") == 1, metrics.text
        assert metrics.value("crescendo_cancellations_total", source="stall") == 1
        assert metrics.sum("crescendo_held_bytes", kind="send") == 0
    assert connect(server).score(stubs.ScoreRequest(item_ids=[1])).scores


def test_the_strongest_layer_counts(small, tmp_path):
    config = tmp_path / "crescendo.yaml"
    config.write_text("loops: 4\nshards: 3\nfanout: never\nlimits:\n  candidates: 20\n"
                      "  headerCount: 33\n")
    done = subprocess.run(
        [process.binary(), "serve", "--config", config, "--fanout", "always", "--limit",
         "candidates=30", "--print-config"], capture_output=True, text=True, timeout=60,
        env=os.environ | {"CRESCENDO_LOOPS": "2", "CRESCENDO_LIMITS": "headerCount=34,connections=5"})
    assert done.returncode == 0, process.explain(done)
    for line in (f"shards: 3  # {config}:2: shards", "loops: 2  # CRESCENDO_LOOPS",
                 "fanout: always  # --fanout", "  candidates: 30  # --limit candidates",
                 "  headerCount: 34  # CRESCENDO_LIMITS headerCount",
                 "  connections: 5  # CRESCENDO_LIMITS connections",
                 "  stallNanoseconds: 1m  # default"):
        assert line in done.stdout.splitlines(), (line, done.stdout)
    # What is printed is a config file that says the same.
    config.write_text(done.stdout)
    again = process.run("serve", "--config", config, "--print-config")

    def values(text):
        return [line.split("  #")[0] for line in text.splitlines()]
    assert values(again.stdout) == values(done.stdout), process.explain(again)


def test_a_server_by_a_config_file(small, start, tmp_path, stubs, connect):
    config = tmp_path / "crescendo.yaml"
    config.write_text("loops: 1\nshards: 1\nlimits: {candidates: 2}\n")
    server = start(small, "--admin", "127.0.0.1:0", "--config", config)
    assert Metrics(server).value("crescendo_limit", name="candidates") == 2
    client = connect(server)
    assert len(client.score(stubs.ScoreRequest(item_ids=[1, 2])).scores) == 2
    with pytest.raises(grpc.RpcError) as caught:
        client.score(stubs.ScoreRequest(item_ids=[1, 2, 3]))
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("text, words", [
    ("loops: 0\n", ":1: loops: 1 to 256"),
    ("a: 1\n", ":1: there is no key a"),
    ("limits:\n  nothing: 1\n", ":2: limits.nothing: there is no limit nothing"),
    ("limits:\n  candidates: 0\n", "candidates 0: 1 to "),
    ("limits: [\n", "flow node"),
    ("loops: 1\nloops: 2\n", "uplicate"),
    ("\x00", "control characters"),
    ("x" * (1 << 20) + "\n", "over 1048576 bytes"),
    (b"\xff\xfe\xff", "UTF-8"),
    ("&a [*a]\n", "undefined alias"),
])
def test_broken_config_files(tmp_path, text, words):
    config = tmp_path / "crescendo.yaml"
    config.write_bytes(text if isinstance(text, bytes) else text.encode())
    done = process.run("serve", "--config", config)
    assert done.returncode == 2 and words in done.stderr, process.explain(done)
    assert str(config) in done.stderr, process.explain(done)


def test_no_config_file(tmp_path):
    done = process.run("serve", "--config", tmp_path / "none.yaml")
    assert done.returncode == 2 and "none.yaml" in done.stderr, process.explain(done)
    done = process.run("serve", "--config", tmp_path)
    assert done.returncode == 2 and str(tmp_path) in done.stderr, process.explain(done)
    done = process.run("serve")
    assert done.returncode == 2 and "--snapshot" in done.stderr, process.explain(done)
