"""`crescendo load --sweep`, `--compare` and `--report`: numbers that agree, and pages that show
them in a browser."""

import collections
import html
import json
import re

import pytest

import browser
import process
from test_load import items, load, parsed  # noqa: F401 (items is a fixture)


@pytest.fixture(scope="module")
def made(tmp_path_factory, everything):
    """A run, a sweep and a comparison with their pages, made once."""
    folder = tmp_path_factory.mktemp("reports")
    names = folder / "items.txt"
    names.write_text("".join(f"{int(key)}\n" for key in everything.items.ids[:200]))
    server = process.Server(everything.folder)
    common = ("--items-file", names, "--batch", 20, "--schedule", "constant", "--output", "json",
              "--slo", "errors=100%,p50=15s")
    try:
        done = {}
        for name, arguments in {
                "run": ("--rate", 50, "--duration", "3s", "--warm-up", "500ms"),
                "other": ("--rate", 40, "--duration", "2s", "--warm-up", "0"),
                "sweep": ("--sweep", "50,20,25", "--duration", "1s", "--warm-up", "200ms"),
        }.items():
            done[name] = load(server.target, *common, *arguments, "--report",
                              folder / f"{name}.html")
            (folder / f"{name}.json").write_text(done[name].stdout)
        server.check()
    finally:
        server.kill()
    assert done["run"].returncode == 0, process.explain(done["run"])
    assert done["sweep"].returncode == 0, process.explain(done["sweep"])
    for name, pair in {"compare": ("run", "other"), "sweeps": ("sweep", "sweep")}.items():
        done[name] = process.run("load", "--compare", *(folder / f"{one}.json" for one in pair),
                                 "--report", folder / f"{name}.html")
        assert done[name].returncode == 0, process.explain(done[name])
    return folder, done


def test_series_add_up(made):
    report = parsed(made[1]["run"])
    series = report["series"]
    rows = len(series["t_s"])
    # 3.5 s by tenths: five of them are warm-up.
    assert series["interval_s"] == 0.1 and rows == 35 and series["t_s"][5] == 0, series["t_s"]
    for key in ("calls", "in_time", "missing", "p50_ms", "p99_ms", "longest_ok_ms", "in_flight"):
        assert len(series[key]) == rows, key
    assert sum(series["calls"][5:]) == report["calls"] == 150, series["calls"]
    assert sum(series["in_time"][5:]) == report["in_time"], series
    # A slow machine's server refuses some calls, which are told as well.
    for key in ("status", "fidelity"):
        sums = {name: sum(counts[5:]) for name, counts in series[key].items()}
        assert {name: count for name, count in sums.items() if count} == report[key], sums
    longest = max(value for value in series["longest_ok_ms"][5:] if value is not None)
    if report["latency_ms"]["max"] is not None:
        assert longest == pytest.approx(report["latency_ms"]["max"], rel=.02), series
    curve = report["percentiles"]["latency_ms"]
    assert curve[0][0] == 0 and curve[-1] == [100, report["latency_ms"]["max"]], curve
    times = [value for _, value in curve if value is not None]
    assert times == sorted(times) and len(times) > 10, curve
    known = {"rate": 50, "duration_s": 3, "warm_up_s": 0.5, "schedule": "constant",
             "connections": 8, "framing": "grpc", "candidates": {"min": 20, "max": 20}}
    assert {key: report[key] for key in known} == known, report


def test_a_sweep_is_a_report_for_each_rate(made):
    done = made[1]["sweep"]
    reports = json.loads(done.stdout)["sweep"]
    assert [one["rate"] for one in reports] == [20, 25, 50], reports
    assert [one["calls"] for one in reports] == [20, 25, 50], reports
    assert all(one["series"]["t_s"] and one["slo"] for one in reports), reports
    assert done.stderr.count("slo ok") == 3 and "p99.9 ms" in done.stderr, process.explain(done)


def test_a_sweep_of_parts_of_the_capacity(server, items, tmp_path):  # noqa: F811
    """No rate above a call a second answers within a nanosecond: there is no capacity."""
    done = load(server.target, "--rate", 2, "--items-file", items, "--sweep", "0.5..1.5",
                "--duration", "500ms", "--warm-up", "0", "--slo", "p50=1ns")
    assert done.returncode == 1 and "no capacity" in done.stderr, process.explain(done)


def test_comparison(made):
    folder, done = made
    text = done["compare"].stdout
    assert "A: run.json: 50.0 calls/s" in text and "B: other.json: 40.0 calls/s" in text, text
    assert "warning: the rates differ: 50 and 40 calls/s" in text, text
    both = process.run("load", "--compare", folder / "run.json", folder / "other.json",
                       "--output", "json")
    rows = {row["name"]: row for row in json.loads(both.stdout)["runs"][0]["rows"]}
    a, b = (json.loads((folder / f"{name}.json").read_text()) for name in ("run", "other"))
    row = rows["latency_ms.p50"]
    assert (row["a"], row["b"]) == (a["latency_ms"]["p50"], b["latency_ms"]["p50"]), row
    assert row["difference"] == pytest.approx(row["b"] - row["a"]), row
    assert row["ratio"] == pytest.approx(row["b"] / row["a"]), row
    share = rows["fidelity.FULL"]["a"]
    assert share == pytest.approx(100 * a["fidelity"]["FULL"] / a["calls"]), rows
    assert "25.0 calls/s" in done["sweeps"].stdout, done["sweeps"].stdout


@pytest.mark.parametrize("arguments, hint", [
    (("--compare", "run.json"), "two files"),
    (("--compare", "run.json", "nothing.json"), "cannot read"),
    (("--compare", "run.json", "run.html"), "run.html is no report of crescendo load"),
    (("--compare", "run.json", "empty.json"), "offered_rps is missing"),
    (("--compare", "run.json", "sweep.json"), "compare like with like"),
    (("--compare", "run.json", "run.json", "--rate", "5"), "makes no load"),
    (("--compare", "run.json", "run.json", "--report", "no/such/page.html"), "cannot write"),
    (("--compare", "run.json", "run.json", "--report", "."), "cannot write"),
    (("--items-file", "items.txt"), "--rate"),
    (("--items-file", "items.txt", "--sweep", "0.1..1.2"), "--slo"),
    (("--items-file", "items.txt", "--sweep", "1.2..0.1"), "capacity"),
    (("--items-file", "items.txt", "--sweep", "100,100"), "twice"),
    (("--items-file", "items.txt", "--sweep", "fast"), "rate"),
    (("--items-file", "items.txt", "--sweep", "10", "--rate", "10"), "--rate"),
    (("--items-file", "items.txt", "--sweep", "10", "--hgrm", "x"), "--hgrm"),
    (("--items-file", "items.txt", "--rate", "10", "--report", "no/page.html"), "cannot write"),
])
def test_usage(made, arguments, hint):
    folder, _ = made
    (folder / "empty.json").write_text("{}")
    files = {path.name for path in folder.iterdir()} | {"nothing.json", "no/such/page.html",
                                                        "no/page.html", "."}
    done = process.run("load", *(folder / one if one in files else one for one in arguments))
    assert done.returncode == 2 and hint in done.stderr, process.explain(done)


def test_a_page_is_there_whole_or_not_at_all(made):
    folder, _ = made
    assert not [path.name for path in folder.iterdir() if ".html." in path.name]
    assert (folder / "run.html").read_text().endswith("</html>\n")
    assert (folder / "run.html").stat().st_mode & 0o444 == 0o444


@pytest.fixture(scope="module")
def visit(made, tmp_path_factory):
    """Opens a page by its name, once."""
    folder, seen = tmp_path_factory.mktemp("visits"), {}

    def of(name):
        if name not in seen:
            seen[name] = browser.Visit(folder, made[0] / f"{name}.html")
        return seen[name]

    return of


# Figures with what their marks must be: the name of a line or layer, and its points of the data.
def marks(text):
    """Points of each path by figure and name: every M and L of a line, every M of bars."""
    found = collections.defaultdict(dict)
    for figure in re.split(r'<figure id="', text)[1:]:
        name = figure[:figure.index('"')]
        for kind, line, path in re.findall(
                r'<path class="(\S+)[^"]*" data-name="([^"]*)"[^>]* d="([^"]*)"', figure):
            found[name][html.unescape(line), kind] = len(re.findall(r"[ML]", path))
    return found


def test_what_a_page_asks_for_is_seen(tmp_path):
    """The watch for requests sees one, and the console's errors."""
    page = tmp_path / "asks.html"
    page.write_text('<!doctype html><img src="http://example.test/x.png"><script>no()</script>')
    visit = browser.Visit(tmp_path, page)
    assert "example.test/x.png" in str(visit.requests), visit.requests
    assert any("no is not defined" in line for line in visit.console), visit.console


@pytest.mark.parametrize("name", ["run", "sweep", "compare", "sweeps"])
def test_a_page_in_the_browser(made, visit, tmp_path, name):
    page = made[0] / f"{name}.html"
    assert browser.script_digest(page.read_text()) in page.read_text().replace("&#39;", "'")
    seen = visit(name)
    assert not seen.console and not seen.requests, (seen.console, seen.requests)
    # The script has run: it takes the titles over.
    assert seen.dom.count("data-text=") == seen.dom.count('class="hit"'), seen.dom[-500:]
    assert "aria-label=" in seen.dom and "<h1>" in seen.dom
    for width, dark in ((1280, False), (390, True)):
        rows = browser.screenshot(tmp_path, page, width, 1600, dark)
        colours = collections.Counter(pixel for row in rows[::2] for pixel in row[::2])
        background = sum(colours.most_common(1)[0][0])
        assert len(rows[0]) == width and len(colours) > 100, (width, len(colours))
        assert background < 150 if dark else background > 600, background


def test_marks_of_a_run(made, visit):
    report = parsed(made[1]["run"])
    series, found = report["series"], marks(visit("run").dom)
    curve = report["percentiles"]["latency_ms"]
    assert found["percentiles"]["latency, from the intended start", "line"] == len(curve), found
    for line, key in (("p50", "p50_ms"), ("p99", "p99_ms"), ("longest answer", "longest_ok_ms")):
        known = sum(value is not None for value in series[key])
        assert found["latency-time"][line, "line"] == known > 10, (line, found)
    assert found["calls-time"]["OK in time", "layer"] == sum(n > 0 for n in series["in_time"])
    assert found["fidelity-time"]["FULL", "layer"] == sum(
        n > 0 for n in series["fidelity"]["FULL"])
    assert found["in-flight"]["under way", "line"] == len(series["in_flight"]), found


def test_marks_of_a_sweep(made, visit):
    found = marks(visit("sweep").dom)
    reports = json.loads(made[1]["sweep"].stdout)["sweep"]
    for line, key in (("p50", "p50"), ("p99", "p99"), ("p99.9", "p99_9")):
        known = sum(one["latency_ms"][key] is not None for one in reports)
        assert found["curve"][line, "line"] == known, found["curve"]
        assert found["curve"].get((line, "dots"), 0) == known, found["curve"]
        assert found["curve"].get((line, "infinite"), 0) == 3 - known, found["curve"]
    assert found["goodput"]["OK in time", "line"] == 3, found["goodput"]
    assert found["outcomes"]["OK in time", "layer"] == 3, found["outcomes"]
    assert len(found["percentiles"]) == 3 and "rate-3-latency-time" in found, found.keys()
    both = marks(visit("sweeps").dom)
    assert both["curve"]["A p50", "line"] == both["curve"]["B p50", "line"] == 3, both["curve"]
