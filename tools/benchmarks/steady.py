"""Memory under a steady load: 70 % of capacity, for ten minutes.

usage: tools/bench steady [--seconds S] [--candidates N] [--timeout-ms N] [--quick]

The first tenth is for buffers, arenas and tables to fill; from then on the server's memory has to
stay where it is.
"""
import time

from measuring import CORES, Catalogue, Report, arguments, mebibytes, percent, serving, work_folder
from overload import find_capacity, report_of, sized, start

SHARE = 0.7


def main():
    options = arguments(__doc__, candidates=200, seconds=600.0, probe_seconds=3.0, timeout_ms=100)
    if options.quick:
        options.seconds, options.probe_seconds = 20.0, 1.0
    with work_folder() as folder:
        snapshot = sized(folder, Catalogue(options.seed), options)
        with serving(snapshot, "--loops", 1, "--shards", 1, core=CORES[0]) as server:
            capacity = find_capacity(server, snapshot, options)
            run = start(server, snapshot, SHARE * capacity, options.seconds, options,
                        "--min-fidelity", "full")
            began, sizes = time.monotonic(), []
            while run.poll() is None:
                sizes.append((time.monotonic() - began, server.rss_bytes()))
                time.sleep(min(1, options.seconds / 50))
            made = report_of(run)
    settled = [size for when, size in sizes if when > options.seconds / 10]
    report = Report(f"{SHARE:.0%} of {capacity:.0f} calls/s for {options.seconds:g} s")
    report.figure("calls", f"{made['calls']}")
    report.bar("in time", f"{percent(made['in_time'], made['calls']):.2f} %", ">= 99 %",
               percent(made["in_time"], made["calls"]) >= 99)
    report.figure("memory: at the start, settled, at the end",
                  ", ".join(mebibytes(size) for size in (sizes[0][1], settled[0], settled[-1])))
    drift = max(settled) - settled[0]
    report.bar("memory grew after it had settled", mebibytes(drift), "<= 2 MiB", drift <= 2 << 20)
    return report.show()


if __name__ == "__main__":
    raise SystemExit(main())
