"""`crescendo score` and `health` against a server that answers each call in some wrong way."""

import itertools

import pytest

import grpc_cases
import process
from grpc_cases import HTML, PAGE, Case
from grpc_double import (
    Double, close, data, frame, goaway, good, head, only, repeat, settings, trailers)

SCORE = ("score", "--user", "1", "--items", "1,2")
LARGE = ("score", "--user", "1", "--items", ",".join(map(str, range(1, 8_301))))
HEALTH = ("health",)
# Beyond every run: a call that waits for its end shows as DEADLINE_EXCEEDED.
LONG = "20s"


@pytest.fixture(scope="module")
def double():
    made = Double()
    yield made
    made.close()


def ask(double, case, command=SCORE, timeout=LONG, **options):
    """Runs a case; what was told must be what the case says. The calls that came."""
    double.begin(case.steps, **options)
    done = process.run(*command, "--target", double.target, "--timeout", timeout, timeout=60)
    check(done, case, double.target)
    return double.rest()


def check(done, case, target):
    if case.code == "OK":
        assert done.returncode == 0 and done.stdout and not done.stderr, process.explain(done)
        return
    hint = "; allow more with --timeout" if case.code == "DEADLINE_EXCEEDED" else ""
    assert done.returncode == 4 and not done.stdout, process.explain(done)
    assert done.stderr.startswith(f"{case.code}: "), process.explain(done)
    assert done.stderr.count("\n") == 1 and done.stderr.endswith("\n"), process.explain(done)
    if case.text is not None:
        assert done.stderr == f"{case.code}: {case.text}{hint}\n", process.explain(done)
        return
    assert done.stderr.endswith(f"({target}){hint}\n"), process.explain(done)
    for fragment in case.hints:
        assert fragment in done.stderr, process.explain(done)


def table(*makers):
    """Every case of the tables, by name."""
    cases = list(itertools.chain(*(maker() for maker in makers)))
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


@table(grpc_cases.http_cases)
def test_http_instead_of_grpc(double, case):
    ask(double, case)


@table(grpc_cases.status_cases)
def test_the_servers_own_status(double, case):
    ask(double, case)


@table(grpc_cases.body_cases, grpc_cases.header_list_cases)
def test_bodies_and_header_lists(double, case):
    ask(double, case)


@table(grpc_cases.reset_cases)
def test_resets(double, case):
    ask(double, case)


@table(grpc_cases.malformed_cases)
def test_answers_that_are_no_http(double, case):
    [call] = ask(double, case)
    assert call.reset == 1, f"reset with {call.reset}, not PROTOCOL_ERROR"


def test_a_stream_window_of_2_to_the_31(double):
    """Likewise, with FLOW_CONTROL_ERROR."""
    case = Case("", (head(), frame(8, b"\x7f\xff\xff\xff")), "INTERNAL")
    [call] = ask(double, case)
    assert call.reset in (3, 8), call.reset


def some(maker, *words):
    """Of a table, the cases with such names."""
    return [case for case in maker() if any(word in case.name for word in words)]


@pytest.mark.parametrize("case", [
    *some(grpc_cases.http_cases, " alone", "OK"), *some(grpc_cases.status_cases, " headers"),
    *some(grpc_cases.body_cases, "OK", "message"),
    *some(grpc_cases.reset_cases, "before headers"),
], ids=lambda case: case.name)
def test_health_maps_alike(double, case):
    ask(double, case, HEALTH)


@pytest.mark.parametrize("answer, shown, code", [
    (b"\x08\x01", "SERVING", 0), (b"\x08\x02", "NOT_SERVING", 1), (b"", "UNKNOWN", 1),
    (b"\x08\x03", "SERVICE_UNKNOWN", 1)])
def test_health_that_is_told(double, answer, shown, code):
    double.begin((head(), data(grpc_cases.message(answer)), trailers(grpc_cases.OK)))
    done = process.run(*HEALTH, "--target", double.target, "--timeout", LONG)
    assert (done.returncode, done.stdout, done.stderr) == (code, shown + "\n", ""), (
        process.explain(done))
    double.rest()


def test_what_the_double_is_asked(double):
    """The client's own half, once: the requests that all of these cases answer."""
    [call] = ask(double, Case("OK", (head(), good, trailers(grpc_cases.OK)), "OK"))
    assert call.headers[":method"] == "POST" and call.headers["te"] == "trailers", call.headers
    assert call.headers["content-type"] == "application/grpc", call.headers
    assert call.headers["grpc-timeout"] == "20000000u", call.headers
    assert call.headers[":authority"] == double.target and call.received > 5, call.headers


def test_a_page_without_end(double):
    """It is cut off, and the server told so."""
    case = Case("page", (head(status="502", content=HTML), repeat(data(PAGE * 300))),
                "UNAVAILABLE", hints=("HTTP status 502",))
    [call] = ask(double, case)
    assert call.reset == 8, call.reset


@pytest.mark.parametrize("command", [SCORE, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("early", [
    Case("page", (head(status="429", content=None, end=True),), "UNAVAILABLE"),
    Case("status", (only(("grpc-status", "8"), ("grpc-message", "full")),), "RESOURCE_EXHAUSTED",
         "full"),
], ids=lambda case: case.name)
def test_an_answer_before_the_request_has_come(double, early, command):
    """66.4 KB are more than the first window: what is not sent yet stays unsent."""
    [call] = ask(double, early, command, is_early=True, gives_window=False)
    assert call.received < 65_536
    assert command == SCORE or call.reset == 8, call.reset


@pytest.mark.parametrize("opening", [
    settings(INITIAL_WINDOW_SIZE=1), settings(INITIAL_WINDOW_SIZE=100),
    settings(MAX_CONCURRENT_STREAMS=0), settings(MAX_CONCURRENT_STREAMS=1),
    settings(HEADER_TABLE_SIZE=0, MAX_FRAME_SIZE=16_384, MAX_HEADER_LIST_SIZE=1),
], ids=["window 1", "window 100", "streams 0", "streams 1", "small"])
def test_tight_settings(double, opening):
    """A request of 66.4 KB goes out piece by piece, and its answer is taken."""
    case = Case("refused", (only(("grpc-status", "3"), ("grpc-message", "read it")),),
                "INVALID_ARGUMENT", "read it")
    [call] = ask(double, case, LARGE, opening=(opening,))
    assert call.received > 66_400, call.received


def test_no_window(double):
    """The rest of the request never goes: the deadline ends it."""
    double.begin((), opening=(settings(INITIAL_WINDOW_SIZE=0),), gives_window=False)
    done = process.run(*LARGE, "--target", double.target, "--timeout", "150ms")
    check(done, Case("", (), "DEADLINE_EXCEEDED"), double.target)
    assert double.rest() == [], "the request has an end"


@pytest.mark.parametrize("refusal", [
    (head(status="404", content=HTML, end=True),), (head(status="415", end=True),),
    (head(status="503", content=HTML), data(PAGE, end=True)), (only(("grpc-status", "12")),),
    (head(status="503", content=HTML, end=True),), (goaway(-2),), (close,),
], ids=["404", "415", "503 and a page", "grpc-status 12", "503", "goaway", "close"])
def test_where_no_session_opens_gRPC_is_spoken(double, refusal):
    """`--framing session` says so; proto/SESSION.md §2."""
    double.begin(lambda number: (head(), good, trailers(grpc_cases.OK)) if number else refusal,
                 is_early=True)
    done = process.run(*SCORE, "--framing", "session", "--target", double.target, "--timeout",
                       LONG, timeout=60)
    assert done.returncode == 0 and done.stdout and not done.stderr, process.explain(done)
    assert [call.headers[":path"].rsplit("/", 1)[1] for call in double.rest()] == ["Open", "Score"]
