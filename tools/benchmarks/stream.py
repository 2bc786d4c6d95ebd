"""What streaming costs: server CPU of a StreamScores call beside the unary call of the same batch.

usage: tools/bench stream [--candidates N] [--rounds N] [--seconds S] [--quick]

The model is a constant, so that the wire is measured. Server on one core, h2load on another, in
alternating rounds; with one slice a call as the server chooses, and cut for every shard.
"""
import re
import statistics
import subprocess

from measuring import (
    CORES, METHOD, Neighbours, Report, arguments, constant_snapshot, cpu_nanoseconds, metrics,
    score_request, serving, work_folder)
from raw import message

METHODS = ["Score", "StreamScores"]
HEADERS = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
SHARDS = 4


def load(server, method, body, seconds):
    """Server CPU microseconds a call, all of them answered OK."""
    before, cpu = metrics(server), cpu_nanoseconds(server.process.pid)
    output = subprocess.run(
        ["taskset", "-c", str(CORES[1]), "h2load", "-t", "1", "-c", "8", "-m", "8", "-D",
         str(seconds), "-d", body, *HEADERS, f"http://{server.target}{METHOD}{method}"],
        capture_output=True, text=True, check=True).stdout
    cpu = cpu_nanoseconds(server.process.pid) - cpu
    after = metrics(server)

    def grown(**labels):
        return (after.sum("grpc_server_handled_total", grpc_method=method, **labels)
                - before.sum("grpc_server_handled_total", grpc_method=method, **labels))

    # h2load does not look at grpc-status; what it leaves under way at its end is cancelled.
    ok, cancelled = grown(grpc_code="OK"), grown(grpc_code="Canceled")
    if not ok or grown() != ok + cancelled or not re.search(r"succeeded, 0 failed", output):
        raise SystemExit(f"{method}: {grown():.0f} calls, {ok:.0f} OK; h2load says\n{output}")
    return cpu / 1e3 / ok


def measure(report, fanout, snapshot, body, options):
    costs = {method: [] for method in METHODS}
    with serving(snapshot, "--loops", 1, "--shards", SHARDS, "--fanout", fanout, "--log-level",
                 "error", core=CORES[0]) as server:
        for method in METHODS:
            load(server, method, body, 1)
        neighbours = Neighbours(server)
        for _ in range(options.rounds):
            for method in METHODS:
                costs[method].append(load(server, method, body, options.seconds))
        neighbours.show(report)
    for method in METHODS:
        report.figure(f"{method}, fan-out {fanout}",
                      f"{statistics.median(costs[method]):.0f} us a call")
    ratio = statistics.median(stream / unary for unary, stream in zip(*costs.values()))
    report.bar(f"ratio, fan-out {fanout}", f"{ratio:.2f}", "<= 1.3", ratio <= 1.3)


def main():
    options = arguments(__doc__, candidates=10_000, rounds=7, seconds=2)
    if options.quick:
        options.rounds = 3
        options.seconds = 1
    report = Report(f"server CPU, {options.candidates:,} candidates, medians of {options.rounds} "
                    "rounds")
    with work_folder() as folder:
        item_ids = constant_snapshot(folder / "snapshot", options.candidates)
        (folder / "body.bin").write_bytes(message(score_request(item_ids)))
        for fanout in ("auto", "always"):
            measure(report, fanout, folder / "snapshot", folder / "body.bin", options)
    return report.show()


if __name__ == "__main__":
    raise SystemExit(main())
