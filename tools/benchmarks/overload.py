"""More calls than the server can answer: `crescendo load` at 0.5 to 10 times its capacity.

usage: tools/bench overload [--candidates N] [--seconds S] [--timeout-ms N] [--quick]

The server has one core, the generator another. A call costs at least 2 ms of core time. Capacity
is what --find-capacity finds. Then, calls that want the whole model: those answered in time must
not get fewer under overload. Then calls that take coarser answers; then batch traffic that
overloads the server beside interactive calls with an objective; then how soon all is well again.
"""
import json
import statistics
import subprocess
import time

from measuring import (
    CORES, Catalogue, Neighbours, Report, access_lines, arguments, binary, on_core, percent, say,
    serving, work_folder)

FIRST_TREES = 200
CALL_MICROSECONDS = 2_500
FACTORS = (0.5, 1, 2, 4, 10)
CONNECTIONS = 8


def start(server, snapshot, rate, seconds, options, *more):
    """One run of the generator, on its core."""
    command = [binary(), "load", "--target", server.target, "--rate", str(rate),
               "--duration", f"{seconds:g}s", "--warm-up", "1s", "--snapshot", str(snapshot),
               "--batch", str(options.candidates), "--timeout", f"{options.timeout_ms}ms",
               "--connections", str(CONNECTIONS), "--pid", str(server.process.pid),
               "--seed", str(options.seed), "--output", "json", *map(str, more)]
    with on_core(CORES[1]):
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def report_of(run):
    output, errors = run.communicate(timeout=300)
    try:
        return json.loads(output)
    except json.JSONDecodeError:
        raise SystemExit(
            f"crescendo load ended with {run.returncode}\n{output}\n{errors}") from None


def load(server, snapshot, rate, seconds, options, *more):
    return report_of(start(server, snapshot, rate, seconds, options, *more))


def sized(folder, catalogue, options):
    """A snapshot whose calls take CALL_MICROSECONDS of scoring."""
    trees = FIRST_TREES
    for turn in range(4):
        snapshot = catalogue.write(folder / str(turn), trees)
        with serving(snapshot, "--loops", 1, "--shards", 1, "--log-level", "debug",
                     core=CORES[0]) as server:
            load(server, snapshot, 20, 2, options)
            whole = statistics.median(int(line["score_us"]) for line in access_lines(server))
        say(f"{trees} trees: {whole:.0f} us of scoring a call")
        if abs(whole / CALL_MICROSECONDS - 1) < 0.1:
            break
        trees = max(8, round(trees * CALL_MICROSECONDS / whole))
    return snapshot


def find_capacity(server, snapshot, options):
    found = load(server, snapshot, round(1e6 / CALL_MICROSECONDS / 2), options.probe_seconds,
                 options, "--min-fidelity", "full", "--find-capacity", "--slo",
                 f"p99={options.timeout_ms}ms,errors=1%")
    rate = found["capacity"]["rps"]
    if not rate:
        raise SystemExit(f"no rate passed: {found['capacity']}")
    return rate


def spread(counts, calls):
    return ", ".join(f"{name} {percent(count, calls):.0f} %" for name, count in counts.items())


def sweep(report, server, snapshot, capacity, options):
    """The whole model or nothing; then whatever there is time for."""
    in_time, busy = {}, 0
    for fidelity in ("full", "prior"):
        for factor in FACTORS:
            made = load(server, snapshot, factor * capacity, options.seconds, options,
                        "--min-fidelity", fidelity)
            busy = max(busy, made["generator"]["busy"])
            in_time[fidelity, factor] = made["in_time_rps"]
            p99 = made["latency_ms"]["p99"]
            shown = "-" if p99 is None else f"{p99:.1f} ms"
            report.figure(
                f"{factor:g} x, {fidelity}",
                f"{made['in_time_rps']:.0f}/s in time; p99 {shown}; "
                + spread(made["status"], made["calls"])
                + ("" if fidelity == "full" else
                   "; " + spread(made["fidelity"], made["status"].get("OK", 0))))
    peak = max(in_time["full", factor] for factor in FACTORS)
    at_four = percent(in_time["full", 4], peak)
    report.bar("in time at 4 x, of the peak", f"{at_four:.0f} %", ">= 85 %", at_four >= 85)
    report.figure("in time at 10 x, of the peak", f"{percent(in_time['full', 10], peak):.0f} %")
    report.bar("the generator's time, at most", f"{100 * busy:.0f} %", "<= 50 %", busy <= 0.5)


def classes(report, server, snapshot, capacity, options):
    """Interactive calls at 30 % of capacity, while batch ones offer four times all of it."""
    objective = f"p99={options.timeout_ms}ms,errors=1%"
    batch = start(server, snapshot, 4 * capacity, options.seconds + 2, options,
                  "--min-fidelity", "full", "--priority", "batch")
    time.sleep(1)
    interactive = load(server, snapshot, 0.3 * capacity, options.seconds, options,
                       "--min-fidelity", "full", "--priority", "interactive", "--slo", objective)
    shed = report_of(batch)
    report.figure("interactive at 0.3 x", spread(interactive["status"], interactive["calls"]))
    report.figure("batch at 4 x", spread(shed["status"], shed["calls"]))
    values = ", ".join(
        f"{one['name']} " + ("infinite" if one["value"] is None else f"{one['value']:.1f}")
        for one in interactive["slo"])
    report.bar("interactive's objective", values, objective,
               all(one["ok"] for one in interactive["slo"]))


def recovery(report, server, snapshot, capacity, options):
    """Half of capacity, second by second, right after ten times capacity has ended."""
    load(server, snapshot, 10 * capacity, options.seconds, options, "--min-fidelity", "full")
    ended, took = time.monotonic(), None
    while took is None and time.monotonic() - ended < 10:
        began = time.monotonic() - ended
        made = load(server, snapshot, 0.5 * capacity, 0.5, options, "--min-fidelity", "full",
                    "--warm-up", "0")
        if made["in_time"] == made["calls"]:
            took = began
    report.bar("all in time again after", "never" if took is None else f"{took:.1f} s", "< 2 s",
               took is not None and took < 2)


def main():
    options = arguments(__doc__, candidates=200, seconds=5.0, probe_seconds=3.0, timeout_ms=100)
    if options.quick:
        options.seconds, options.probe_seconds = 2.0, 1.0
    with work_folder() as folder:
        catalogue = Catalogue(options.seed)
        snapshot = sized(folder, catalogue, options)
        with serving(snapshot, "--loops", 1, "--shards", 1, core=CORES[0]) as server:
            capacity = find_capacity(server, snapshot, options)
            report = Report(f"overload: capacity {capacity:.0f} calls/s of {options.candidates} "
                            f"candidates in {options.timeout_ms} ms")
            neighbours = Neighbours(server)
            sweep(report, server, snapshot, capacity, options)
            classes(report, server, snapshot, capacity, options)
            recovery(report, server, snapshot, capacity, options)
            neighbours.show(report)
    return report.show()


if __name__ == "__main__":
    if len(CORES) < 2:
        raise SystemExit("two cores are needed: one for the server, one for the load")
    raise SystemExit(main())
