"""`crescendo load` against a server that misbehaves: every call is counted, by the same tables."""

import collections
import json
import time

import pytest

import grpc_cases
import process
from grpc_cases import HTML, OK, PAGE, RESETS, STATUS, Case, message
from grpc_double import (
    abort, close, data, goaway, good, half, head, only, raw, repeat, reset, settings, trailers)
from test_grpc_double import double  # noqa: F401  (a fixture)

ANSWER = (head(), good, trailers(OK))


@pytest.fixture(scope="module")
def items(tmp_path_factory):
    path = tmp_path_factory.mktemp("items") / "items.txt"
    path.write_text("1\n2\n")
    return path


def load(double, items, script, calls, *arguments, rate=400, timeout="20s", lag="60s", **options):
    """A run of so many calls; it ends by itself. What the program said, its report, the calls."""
    double.begin(script, **options)
    if "--warm-up" not in arguments:
        arguments += ("--warm-up", "0")
    done = process.run(
        "load", "--target", double.target, "--items-file", items, "--rate", rate, "--duration",
        f"{calls * 1000 // rate}ms", "--schedule", "constant", "--timeout",
        timeout, "--max-lag", lag, "--output", "json", *arguments, timeout=60)
    report = json.loads(done.stdout)
    assert report["calls"] == sum(report["status"].values()) + report["missing"], report
    return done, report, double.rest()


TABLES = {"http": grpc_cases.http_cases, "status": grpc_cases.status_cases,
          "body": grpc_cases.body_cases, "headers": grpc_cases.header_list_cases,
          "reset": grpc_cases.reset_cases, "malformed": grpc_cases.malformed_cases}


@pytest.mark.parametrize("name", TABLES)
def test_every_row_is_counted_as_the_table_says(double, items, name):
    """One connection, the cases in turn: what comes out is exactly their statuses."""
    cases = list(TABLES[name]())
    wanted, rounds = collections.Counter(), 2
    for case in cases:
        wanted[case.code] += rounds
    done, report, calls = load(
        double, items, lambda number: cases[number % len(cases)].steps, rounds * len(cases),
        "--connections", 1, rate=1_000)
    assert report["missing"] == 0 and len(calls) == rounds * len(cases), report
    assert report["status"] == dict(wanted), process.explain(done)
    assert report["generator"]["reconnects"] == 0, report
    assert done.returncode == (0 if wanted["OK"] else 4), process.explain(done)


@pytest.mark.parametrize("case", [
    Case("a proxy", (head(status="503", content=HTML), data(PAGE, end=True)), "UNAVAILABLE",
         hints=("HTTP status 503",)),
    Case("no status", (head(), good, data(b"", end=True)), "UNKNOWN", hints=("grpc-status",)),
    Case("its words", (only(("grpc-status", "8"), ("grpc-message", "%1B[31mf%C3%BCll")),),
         "RESOURCE_EXHAUSTED", hints=("\ufffd[31mfüll",)),
    Case("a reset", (head(), half, reset(11)), "RESOURCE_EXHAUSTED", hints=(RESETS[11],)),
    Case("two messages", (head(), data(message(b"") * 2)), "UNIMPLEMENTED",
         hints=("two messages",)),
    Case("a page without end", (head(status="404", content=HTML), repeat(data(PAGE * 300))),
         "UNIMPLEMENTED", hints=("HTTP status 404",)),
], ids=lambda case: case.name)
def test_a_run_of_which_nothing_is_answered(double, items, case):
    """Exit 4 with the status and its words; 1 where an objective is what was asked."""
    done, report, _ = load(double, items, case.steps, 4, rate=40)
    assert report["status"] == {case.code: 4}, process.explain(done)
    assert done.returncode == 4, process.explain(done)
    assert done.stderr.startswith(f"no call was answered OK; {case.code}: "), process.explain(done)
    for fragment in case.hints:
        assert fragment in done.stderr, process.explain(done)
    done, _, _ = load(double, items, case.steps, 4, "--slo", "errors=1%", rate=40)
    assert done.returncode == 1, process.explain(done)


@pytest.mark.parametrize("name, end", {
    "goaway below": (goaway(-2, 11),), "goaway at": (goaway(0, 0), *ANSWER),
    "goaway and no more": (goaway(0, 0), close), "closed": (close,), "reset": (head(), abort),
    "closed within": (head(), half, close), "broken": (raw(b"\xff" * 64),),
}.items())
def test_connections_that_end(double, items, name, end):
    """They are made again; each call is OK or UNAVAILABLE, and none is lost."""
    done, report, _ = load(double, items, lambda number: end if number % 10 == 5 else ANSWER, 100,
                           "--connections", 2)
    assert done.returncode == 0, process.explain(done)
    assert set(report["status"]) <= {"OK", "UNAVAILABLE"}, report
    # Calls that are under way together are lost together.
    assert report["status"]["OK"] > 0 and report["missing"] == 0, report
    assert report["generator"]["reconnects"] > 0, report
    assert name == "goaway at" or report["status"]["UNAVAILABLE"] > 0, report


@pytest.mark.parametrize("opening, hint", [
    ((raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"),), "HTTP/1"), ((raw(b"\x15\x03\x01\0\x02\x02\x46"),),
                                                            "TLS"),
    ((raw(b"\0" * 64),), ""), ((settings(), close), "closed"),
    ((settings(), goaway(last=0)), "closing"),
], ids=["HTTP/1.1", "TLS", "zeros", "closed", "goaway"])
def test_no_grpc_at_all(double, items, opening, hint):
    done, report, _ = load(double, items, (), 40, "--connections", 2, opening=opening)
    assert report["calls"] == 40 and set(report["status"]) == {"UNAVAILABLE"}, report
    assert done.returncode == 4 and hint in done.stderr, process.explain(done)


@pytest.mark.parametrize("steps", [(), (head(),), (head(), half), (head(), good), (goaway(0),)],
                         ids=["nothing", "headers", "half", "no trailers", "goaway"])
def test_no_answer(double, items, steps):
    """Given up some time after the deadline, and the server is told."""
    began = time.monotonic()
    done, report, calls = load(double, items, steps, 10, rate=100, timeout="100ms")
    assert report["status"] == {"DEADLINE_EXCEEDED": 10}, process.explain(done)
    assert report["timed_out"] == 10 and done.returncode == 4, process.explain(done)
    assert time.monotonic() - began < 20
    assert {call.reset for call in calls} == {8}, calls


def test_a_reset_at_the_deadline_is_the_deadline(double, items):
    late = (lambda call: time.sleep(0.06), reset(8))
    done, report, _ = load(double, items, late, 5, "--connections", 5, rate=100, timeout="50ms")
    assert report["status"] == {"DEADLINE_EXCEEDED": 5}, process.explain(done)


def test_no_streams(double, items):
    """A server that allows none: nothing is sent, and that is no success."""
    done, report, calls = load(
        double, items, ANSWER, 10, "--warm-up", "1s", rate=100, timeout="50ms",
        opening=(settings(MAX_CONCURRENT_STREAMS=0),))
    assert report["calls"] == report["missing"] == 10, report
    assert len(calls) < 100, "sent after SETTINGS had come"
    assert done.returncode == 4 and "room" in done.stderr, process.explain(done)


@pytest.mark.parametrize("opening", [
    settings(MAX_CONCURRENT_STREAMS=1), settings(INITIAL_WINDOW_SIZE=1)],
    ids=["streams 1", "window 1"])
def test_tight_settings(double, items, opening):
    done, report, _ = load(double, items, ANSWER, 40, "--connections", 1, opening=(opening,))
    assert report["status"] == {"OK": 40} and done.returncode == 0, process.explain(done)


def test_the_generator_comes_first(double, items):
    """Whatever the server did: who fell behind has not measured it."""
    done, report, _ = load(double, items, (only(("grpc-status", "13")),), 20, lag="1ns")
    assert report["status"] == {STATUS[13]: 20} and done.returncode == 5, process.explain(done)
    assert "fell behind" in done.stderr, process.explain(done)


def test_where_no_session_opens_the_load_is_gRPC(double, items):
    refusal = (head(status="404", content=HTML, end=True),)
    done, report, calls = load(
        double, items, lambda number: ANSWER if number else refusal, 8, "--connections", 2,
        "--framing", "session", is_early=True)
    assert done.returncode == 0 and report["status"] == {"OK": 8}, process.explain(done)
    assert report["framing"] == "grpc" and report["generator"]["reconnects"] == 0, report
    assert done.stderr == (f"{double.target} opens no session: HTTP status 404 instead of a session"
                           "; measuring by gRPC\n"), process.explain(done)
    assert [call.headers[":path"].rsplit("/", 1)[1] for call in calls] == ["Open"] + 8 * ["Score"]


def test_failures_of_the_warm_up_are_told_nowhere(double, items):
    failing = (only(("grpc-status", "5"), ("grpc-message", "cold")),)
    double.begin(lambda number: ANSWER if number > 5 else failing)
    done = process.run(
        "load", "--target", double.target, "--items-file", items, "--rate", 100, "--warm-up",
        "300ms", "--duration", "200ms", "--schedule", "constant", "--timeout", "20s", "--max-lag",
        "60s", timeout=60)
    assert done.returncode == 0 and "20 calls: OK 20\n" in done.stdout, process.explain(done)
    assert "cold" not in done.stdout and "first" not in done.stdout, process.explain(done)
    double.rest()
