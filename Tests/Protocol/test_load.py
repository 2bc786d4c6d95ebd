"""`crescendo load`: exit codes, the JSON that programs read, counts that add up, stalls that show."""

import concurrent.futures
import json
import socket
import threading
import time

import grpc
import pytest

import process

KEYS = {"offered_rps", "achieved_rps", "schedule_lag_ms", "calls", "status", "fidelity",
        "latency_ms", "service_ms", "server", "slo"}
PERCENTILES = {"p50", "p90", "p99", "p99_9", "p99_99", "max"}
# A busy machine makes the generator late, which is its own test.
PATIENT = ("--max-lag", "60s", "--timeout", "20s")


@pytest.fixture
def items(everything, tmp_path):
    path = tmp_path / "items.txt"
    path.write_text("".join(f"{int(key)}\n" for key in everything.items.ids[:200]))
    return path


def load(target, *arguments, patient=True, **options):
    return process.run("load", "--target", target, *(PATIENT if patient else ()), *arguments,
                       **options)


def parsed(done, code=0):
    assert done.returncode == code, process.explain(done)
    report = json.loads(done.stdout)
    assert set(report) >= KEYS, f"keys missing: {KEYS - set(report)}"
    for key in ("latency_ms", "service_ms"):
        assert set(report[key]) >= PERCENTILES, report[key]
    assert report["calls"] == sum(report["status"].values()) + report["missing"], report
    assert report["status"].get("OK", 0) == sum(report["fidelity"].values()), report
    assert report["in_time"] + report["late"] == report["status"].get("OK", 0), report
    known = [report["latency_ms"][key] for key in ("p50", "p90", "p99", "p99_9", "p99_99", "max")]
    finite = [value for value in known if value is not None]
    assert finite == sorted(finite) and known[:len(finite)] == finite, known
    return report


# 200 calls; an instrumented server takes them more slowly.
RATE, SECONDS = (50, 4) if process.SANITIZER else (200, 1)


def quick(items, *arguments):
    return ("--rate", str(RATE), "--duration", f"{SECONDS}s", "--warm-up", "200ms", "--items-file", items,
            "--output", "json", *arguments)


def test_report(server, items):
    report = parsed(load(server.target, *quick(items, "--schedule", "constant", "--users", 50)))
    assert report["status"] == {"OK": 200} and report["calls"] == 200, report
    assert report["offered_rps"] == pytest.approx(RATE) and report["server"] is None, report
    assert report["fidelity"] == {"FULL": 200}, report
    assert report["achieved_rps"] == pytest.approx(RATE), report
    assert 0 < report["latency_ms"]["p50"] <= report["latency_ms"]["max"], report


def test_the_same_seed_makes_the_same_calls(server, items):
    counts = [parsed(load(server.target, *quick(items, "--seed", seed)))["calls"]
              for seed in (7, 7, 8)]
    assert counts[0] == counts[1], counts
    # A Poisson process of 200 in the mean, five standard deviations.
    assert all(130 <= count <= 270 for count in counts), counts


def test_snapshot_and_process(server, everything):
    done = load(server.target, "--rate", "200", "--duration", "1s", "--warm-up", "0",
                "--snapshot", everything.folder, "--batch", "5-50", "--zipf", "1.1",
                "--priority", "batch", "--market", "SE", "--surface", "radio",
                "--min-fidelity", "full", "--connections", 3, "--pid", server.process.pid,
                "--output", "json")
    report = parsed(done)
    assert set(report["status"]) == {"OK"}, report
    assert report["server"]["rss_bytes"] > 1 << 20, report
    assert report["server"]["cpu_us_per_call"] >= 0, report


def test_slo_decides(server, items):
    met = parsed(load(server.target, *quick(items, "--slo", "p99=15s,errors=0%,full=100%")))
    assert [verdict["ok"] for verdict in met["slo"]] == [True] * 3, met["slo"]
    assert [verdict["name"] for verdict in met["slo"]] == ["p99", "errors", "full"]
    assert met["slo"][0]["limit"] == 15_000 and met["slo"][0]["value"] > 0, met["slo"]
    missed = parsed(load(server.target, *quick(items, "--slo", "p50=1ns,errors=0%")), code=1)
    assert [verdict["ok"] for verdict in missed["slo"]] == [False, True], missed["slo"]


def test_failed_calls_are_infinite(server, items):
    done = load(server.target, *quick(items, "--model", "no such model", "--slo", "errors=5%"))
    report = parsed(done, code=1)
    assert set(report["status"]) == {"INVALID_ARGUMENT"}, report
    assert set(report["latency_ms"].values()) == {None}, report
    assert report["slo"][0]["value"] == 100, report
    # Without an objective, it is the calls that failed.
    done = load(server.target, *quick(items, "--model", "no such model"))
    parsed(done, code=4)
    assert "INVALID_ARGUMENT" in done.stderr and "no such model" in done.stderr, (
        process.explain(done))


def test_unreachable(items):
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    done = load(f"127.0.0.1:{port}", *quick(items))
    assert done.returncode == 3 and "cannot reach" in done.stderr, process.explain(done)


@pytest.mark.parametrize("arguments, hint", [
    (("--rate", "0"), "rate"), (("--rate", "many"), "rate"),
    (("--slo", "p99=10"), "10ms"), (("--slo", "speed=1ms"), "no objective"),
    (("--slo", "errors=0.1"), "percentage"), (("--batch", "9-3"), "batch"),
    (("--batch", "201"), "200 items"), (("--find-capacity",), "--slo"),
    (("--pid", "999999999"), "process"), (("--connections", "0"), "connections"),
    (("--schedule", "closed"), "poisson"), (("--snapshot", "/nonexistent"), "either"),
    (("--max-in-flight", "2"), "connections"),
])
def test_usage(server, items, arguments, hint):
    done = load(server.target, *quick(items, *arguments))
    assert done.returncode == 2 and hint in done.stderr, process.explain(done)


def test_the_generator_tells_on_itself(server, items):
    """Nothing is sent within a nanosecond of when it could have been."""
    done = load(server.target, *quick(items, "--max-lag", "1ns", "--slo", "errors=100%"),
                patient=False)
    report = parsed(done, code=5)
    assert report["generator"]["fell_behind"] is True, report
    assert "fell behind" in done.stderr, process.explain(done)


def test_find_capacity(server, items):
    """Nothing answers within a nanosecond; any rate answers within its timeout, until one is not
    held."""
    done = load(server.target, *quick(items, "--find-capacity", "--slo", "p50=1ns", "--rate", "8",
                                      "--duration", "500ms"))
    report = parsed(done, code=1)
    capacity = report["capacity"]
    assert capacity["rps"] is None and len(capacity["probes"]) == 4, capacity
    assert [probe["rps"] for probe in capacity["probes"]] == [8, 4, 2, 1], capacity
    assert done.stderr.count("calls/s: failed") == 4, process.explain(done)


def test_table_and_histogram(server, items, tmp_path):
    path = tmp_path / "latency.hgrm"
    done = load(server.target, "--rate", "200", "--duration", "1s", "--warm-up", "0",
                "--items-file", items, "--batch", 20, "--schedule", "constant", "--hgrm", path,
                "--slo", "p99=15s")
    assert done.returncode == 0, process.explain(done)
    for word in ("offered", "OK 200", "p99.9", "schedule lag p99", "slo p99"):
        assert word in done.stdout, f"no {word}" + process.explain(done)
    assert "\x1b[" not in done.stdout + done.stderr, process.explain(done)
    lines = path.read_text().splitlines()
    assert lines[0].split() == ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"], lines[0]
    rows = [line.split() for line in lines[1:] if line and not line.startswith("#")]
    assert rows[-1][1:] == ["1.000000000000", "200"], rows[-1]


class Stock:
    """Another server of our proto: grpcio's, one call at a time, as slow as it is told to be."""

    def __init__(self, generated, answer):
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
        outer = self
        self.lock, self.metadata = threading.Lock(), []

        class Service(generated.score_rpc.PromotionScoreServiceServicer):
            def Score(self, request, context):
                with outer.lock:
                    outer.metadata.append(dict(context.invocation_metadata()))
                return answer(request, context)

        generated.score_rpc.add_PromotionScoreServiceServicer_to_server(Service(), self.server)
        self.target = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()


@pytest.fixture
def stock(generated):
    made = []

    def begin(answer):
        made.append(Stock(generated, answer))
        return made[-1]

    yield begin
    for one in made:
        one.server.stop(None)


def full(stubs, request):
    return stubs.ScoreResponse(scores=[0.5] * len(request.item_ids), all_fidelity=4, all_reason=1)


def test_a_stall_shows(stubs, stock, items):
    """200 ms of each second nothing is answered. Closed-loop arithmetic would see one slow call a
    second, far beyond its p99; here a fifth of all intended calls meet the stall."""
    began = time.monotonic()

    def answer(request, context):
        phase = (time.monotonic() - began) % 1
        if phase < 0.2:
            time.sleep(0.2 - phase)
        return full(stubs, request)

    report = parsed(load(
        stock(answer).target, "--rate", "150", "--duration", "4s", "--warm-up", "1s",
        "--items-file", items, "--batch", 4, "--schedule", "constant", "--output", "json"))
    assert report["status"] == {"OK": 600}, report
    assert report["latency_ms"]["p99"] >= 100, report["latency_ms"]
    assert report["latency_ms"]["p50"] < report["latency_ms"]["p99"] / 2, report["latency_ms"]


def test_fidelity_metadata_and_missing_columns(stubs, stock, items):
    """What a peer says is counted by what it says; an answer that is none is INTERNAL."""
    turn = iter(range(1 << 30))

    def answer(request, context):
        number = next(turn) % 4
        if number == 0:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "come back later")
        response = full(stubs, request)
        if number == 1:
            response.all_fidelity = 3
        if number == 2:
            response.scores.append(1)
        return response

    other = stock(answer)
    report = parsed(load(
        other.target, "--rate", "100", "--duration", "2s", "--warm-up", "0", "--items-file", items,
        "--batch", 8, "--schedule", "constant", "--priority", "interactive", "--output", "json"))
    assert report["status"] == {"OK": 100, "RESOURCE_EXHAUSTED": 50, "INTERNAL": 50}, report
    assert report["fidelity"] == {"PARTIAL": 50, "FULL": 50}, report
    assert report["latency_ms"]["p50"] is not None and report["latency_ms"]["p90"] is None, report
    assert {entry["crescendo-priority"] for entry in other.metadata} == {"interactive"}


def test_calls_without_an_answer(stubs, stock, items):
    """A server that says nothing: what is sent is given up, what has no room is never sent."""
    free = threading.Event()

    def answer(request, context):
        free.wait(30)
        return full(stubs, request)

    try:
        report = parsed(load(
            stock(answer).target, "--rate", "100", "--duration", "1s", "--warm-up", "0",
            "--items-file", items, "--batch", 2, "--schedule", "constant", "--connections", 2,
            "--max-in-flight", 10, "--timeout", "200ms", "--max-lag", "60s", "--output", "json",
            "--slo", "errors=1%", patient=False), code=1)
    finally:
        free.set()
    assert report["calls"] == 100 and set(report["status"]) == {"DEADLINE_EXCEEDED"}, report
    assert report["missing"] > 0 and report["generator"]["in_flight_max"] == 10, report
    assert set(report["latency_ms"].values()) == {None}, report


def test_a_server_that_dies(everything, items):
    """Its calls are UNAVAILABLE from then on, and every one of them is counted."""
    server = process.Server(everything.folder)
    timer = threading.Timer(1.0, server.kill)
    timer.start()
    try:
        report = parsed(load(
            server.target, "--rate", "100", "--duration", "3s", "--warm-up", "0", "--items-file",
            items, "--schedule", "constant", "--output", "json", "--slo", "errors=1%"), code=1)
    finally:
        timer.join()
    assert report["calls"] == 300 and set(report["status"]) == {"OK", "UNAVAILABLE"}, report
    assert report["generator"]["reconnects"] > 0, report
