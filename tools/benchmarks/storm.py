"""A million calls of async clients, some cancelled, some short of time, at a server that is
restarted ten times: each ends exactly once and has its own answer, and no credit is lost.

usage: tools/bench storm [--calls N] [--restarts N] [--servers N] [--quick]

Four clients speak sessions with retries and hedges on: Score, StreamScores and ScoreMany with 0 to
500 candidates each, from 2,000 tasks. By turns the server is stopped (SIGTERM, it drains) and
killed (SIGKILL) at random moments, of several servers one after the other; twenty times a client
is closed and another takes its place. All scores are hashes of random item ids, so that an answer
of another call would show.
"""
import time

from measuring import Report, arguments, percent, say

import client_storm


def main():
    options = arguments(__doc__, calls=1_000_000, restarts=10, servers=1)
    if options.quick:
        options.calls //= 10
    began = time.monotonic()
    try:
        result, costs = client_storm.run(
            options.calls, options.restarts, options.seed, options.servers, say)
    except client_storm.Fault as fault:
        say(f"MISS: {fault}")
        return 1
    report = Report(f"{options.calls:,} calls, {options.restarts} restarts, seed {options.seed}, "
                    f"in {time.monotonic() - began:.0f} s")
    for name, value, limit, met in client_storm.verdicts(
            result, costs, options.calls, options.servers):
        report.bar(name, f"{value:,}", f"{limit:,}", met)
    report.figure("OK", f"{result['ok']:,} ({percent(result['ok'], options.calls):.1f} %)")
    for status, count in sorted(result["statuses"].items()):
        report.figure(status, f"{count:,}")
    for reason, count in sorted(result["reasons"].items()):
        report.figure(f"- {reason}", f"{count:,}")
    for kind in ("SIGTERM", "SIGKILL"):
        report.figure(f"UNAVAILABLE around {kind}s, lost among them",
                      f"{client_storm.cost(costs, kind, 'unserved'):,}, "
                      f"{client_storm.cost(costs, kind, 'lost'):,}")
    report.figure("clients closed and replaced", f"{result['renewals']}")
    for example in result["examples"]:
        report.figure("example", example)
    return report.show()


if __name__ == "__main__":
    raise SystemExit(main())
