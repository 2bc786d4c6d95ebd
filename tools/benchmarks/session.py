"""Server CPU per call over sessions, beside nghttpd and our own gRPC, in one run.

usage: tools/bench session [--rounds N] [--seconds S]

Servers run on one core, the load on another: h2load (8 connections x 32 streams) for gRPC and for
nghttpd, which serves a static file of the answer's size; `crescendo-bench drive` (8 connections x
32 calls in flight, every answer looked at) for sessions. Checksums are on. Rounds alternate;
medians of the ratios of each round are held to the bars. `sockets` is what the same bytes in the
same turns cost a server in C that does nothing with them (sockets.c): no server costs less here.
"""
import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile

import wire

DRIVER = os.path.join(wire.ROOT, ".build/release/crescendo-bench")
BATCHES = [0, 64, 500, 2000]
# Where the calls of a turn fit into a socket's buffer.
FLOORS = [0, 64, 500]
# Times nghttpd that a call costs less: by column and candidates.
BARS = {("bench, session", 0): 10, ("bench, session", 64): 8, ("bench, session", 500): 4.5,
        ("serve, session", 64): 5, ("serve, session", 500): 2.5}
# Frames of a session around a request and its answer: heads, the record of the end, DATA.
REQUEST_FRAME, ANSWER_FRAME = 32, 36
# Times our own gRPC.
OWN_BARS = {("bench, session", "bench, gRPC", 64): 4}


def drive(server, batch, message, seconds, connections=8, in_flight=32, busy=False):
    """Calls over sessions; server CPU microseconds per call, and what the driver says."""
    before = server.cpu_seconds()
    output = subprocess.run(
        ["taskset", "-c", wire.CORES[1], DRIVER, "drive", str(server.port), str(connections),
         str(in_flight), message, str(batch), str(seconds)] + ["busy"] * busy,
        capture_output=True, text=True)
    if output.returncode != 0:
        sys.exit(f"{server.name}, {batch}: {output.stderr}")
    said = json.loads(output.stdout)
    # The driver does not count its first calls; their server time is counted here: a bias of a
    # thousandth, against us.
    return 1e6 * (server.cpu_seconds() - before) / said["calls"], said


class Sockets:
    """sockets.c, compiled: cores as everywhere here."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "sockets")
        compiler = shutil.which("cc") or shutil.which("clang")
        source = os.path.join(wire.ROOT, "tools/benchmarks/sockets.c")
        subprocess.run([compiler, "-O2", "-o", self.path, source, "-lpthread"], check=True)

    def run(self, connections, in_flight, request, answer, seconds, *spin):
        output = subprocess.run(
            [self.path, *(str(value) for value in (
                connections, in_flight, request + REQUEST_FRAME, answer + ANSWER_FRAME, seconds)),
             *spin], check=True, capture_output=True, text=True).stdout
        return json.loads(output)


def start(folder, snapshot):
    hashing = wire.start_own("bench", "crescendo-bench", "serve", "0")
    serving = wire.start_own(
        "serve", "crescendo", "serve", "--listen", "127.0.0.1:0", "--snapshot", snapshot,
        "--loops", "1", "--shards", "1", "--log-level", "error")
    return hashing, serving


def measure(options, folder):
    items = wire.read_item_ids(options.snapshot)
    framed = wire.make_requests(folder, items)
    plain = {}
    for batch in BATCHES:
        plain[batch] = os.path.join(folder, f"message-{batch}.bin")
        with open(plain[batch], "wb") as file:
            file.write(wire.request(items[:batch])[5:])
    hashing, serving = start(folder, options.snapshot)
    wire.check_answers(hashing, framed, options.python)
    sizes = wire.answer_sizes(hashing, framed)
    for batch, size in sizes.items():
        with open(os.path.join(folder, f"answer-{batch}.bin"), "wb") as file:
            file.write(b"x" * size)
    peer, sockets = wire.start_nghttpd(folder), Sockets(folder)
    rounds = {}
    try:
        for batch in BATCHES:
            for _ in range(options.rounds):
                figures = {"nghttpd": wire.load(peer, batch, framed[batch], options.seconds)[1]}
                if batch in FLOORS:
                    figures["sockets"] = sockets.run(
                        8, 32, os.path.getsize(plain[batch]), sizes[batch],
                        options.seconds)["us_per_call"]
                for server in (hashing, serving):
                    figures[f"{server.name}, session"] = drive(
                        server, batch, plain[batch], options.seconds)[0]
                    figures[f"{server.name}, gRPC"] = wire.load(
                        server, batch, framed[batch], options.seconds)[1]
                rounds.setdefault(batch, []).append(figures)
    finally:
        for server in (hashing, serving, peer):
            server.stop()
    spinning = [sockets.run(1, 1, os.path.getsize(plain[64]), sizes[64], options.seconds,
                            "spin")["p50_us"] for _ in range(options.rounds)]
    singles = one_at_a_time(options, framed, plain)
    return rounds, {**singles, "sockets, both spinning": spinning}


def one_at_a_time(options, framed, plain):
    """One call after the other, 64 candidates: microseconds a call, and the median of spinning."""
    figures = {"session, asleep": [], "gRPC, asleep": [], "session, both spinning": []}
    asleep = wire.start_own("bench", "crescendo-bench", "serve", "0")
    busy = wire.start_own("bench", "crescendo-bench", "serve", "0", "busy")
    # A server that spins would take the core from the other one: it stands still meanwhile.
    busy.process.send_signal(signal.SIGSTOP)
    try:
        for _ in range(options.rounds):
            said = drive(asleep, 64, plain[64], options.seconds, 1, 1)[1]
            figures["session, asleep"].append(1e6 * said["seconds"] / said["calls"])
            calls = wire.load(asleep, 64, framed[64], options.seconds, ("-c", "1", "-m", "1"))[0]
            figures["gRPC, asleep"].append(1e6 * options.seconds / calls)
            busy.process.send_signal(signal.SIGCONT)
            said = drive(busy, 64, plain[64], options.seconds, 1, 1, busy=True)[1]
            busy.process.send_signal(signal.SIGSTOP)
            figures["session, both spinning"].append(said["p50_us"])
    finally:
        busy.process.send_signal(signal.SIGCONT)
        busy.stop()
        asleep.stop()
    return figures


def report_one_at_a_time(figures):
    medians = {name: statistics.median(values) for name, values in figures.items()}
    print("\none call at a time, 64 candidates: microseconds a call (mean; spinning: p50)")
    for name, value in medians.items():
        print(f"  {name:<24}{value:8.1f}")
    spins = medians["session, both spinning"] <= 15
    sleeps = medians["session, asleep"] <= medians["gRPC, asleep"]
    print(f"both spinning: bar 15: {'pass' if spins else 'MISS'}; "
          f"asleep no worse than gRPC: {'pass' if sleeps else 'MISS'}")
    return spins and sleeps


def ratio(rounds, batch, column, peer="nghttpd"):
    return statistics.median(figures[peer] / figures[column] for figures in rounds[batch])


def report(rounds):
    names = list(rounds[0][0])
    print("server CPU, microseconds per call (median of rounds), and times less than nghttpd")
    print(f"{'candidates':>10}" + "".join(f"{name:>22}" for name in names))
    for batch in rounds:
        row = f"{batch:>10}"
        for name in names:
            if name not in rounds[batch][0]:
                row += " " * 22
                continue
            cost = statistics.median(figures[name] for figures in rounds[batch])
            row += f"{cost:>12.3f} ({ratio(rounds, batch, name):5.2f} x)"
        print(row)
    is_met = True
    checks = [(name, "nghttpd", batch, bar) for (name, batch), bar in BARS.items()]
    checks += [(name, own, batch, bar) for (name, own, batch), bar in OWN_BARS.items()]
    for name, peer, batch, bar in checks:
        value = ratio(rounds, batch, name, peer)
        is_met = is_met and value >= bar
        print(f"{name} at {batch}: {value:.2f} times less than {peer}, bar {bar}: "
              f"{'pass' if value >= bar else 'MISS'}")
    return is_met


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--snapshot", required=True, help="4,096 items, a model of one constant tree")
    parser.add_argument("--python", required=True, help="a Python with grpcio")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rounds, singles = measure(options, folder)
        is_met = report(rounds)
        sys.exit(0 if report_one_at_a_time(singles) and is_met else 1)


if __name__ == "__main__":
    main()
