"""Server CPU per call: Crescendo's transport, and `serve`, beside nghttpd, in one run.

usage: tools/bench wire [--rounds N] [--seconds S]

All servers run on one core, h2load (8 connections x 32 streams) on another. Rounds alternate
between the servers; medians are printed, with the ratio to nghttpd, which serves a static file of
the answer's size. Answers are checked before anything is measured: h2load does not look at
grpc-status.
"""
import argparse
import os
import re
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BATCHES = [0, 64, 500, 2000]
PATH = "/crescendo.v1.PromotionScoreService/Score"
GRPC_HEADERS = ["-H", "content-type: application/grpc", "-H", "te: trailers"]


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def framed(message):
    return b"\0" + struct.pack(">I", len(message)) + message


def request(ids):
    """A gRPC-framed ScoreRequest with item_ids alone."""
    if not ids:
        return framed(b"")
    packed = struct.pack(f"<{len(ids)}Q", *ids)
    return framed(b"\x2a" + varint(len(packed)) + packed)


class Server:
    """A server process on the first core, and the CPU that it has used."""

    def __init__(self, name, command, target):
        self.name = name
        self.target = target
        self.process = subprocess.Popen(
            ["taskset", "-c", CORES[0], *command], stdout=subprocess.PIPE, text=True)

    def line(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.name} ended with {self.process.wait()} before it was ready")
        return line

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit(f"nothing listens on port {port}")


def start_own(name, *arguments):
    server = Server(name, [os.path.join(ROOT, ".build/release", arguments[0]), *arguments[1:]], PATH)
    server.port = int(server.line().rsplit(":", 1)[1])
    return server


def start_nghttpd(folder):
    port = free_port()
    server = Server("nghttpd", ["nghttpd", "--no-tls", "-n", "1", "-d", folder, str(port)], None)
    server.port = port
    wait_for(port)
    return server


def load(server, batch, body, seconds, shape=("-c", "8", "-m", "32")):
    """Runs h2load for about `seconds`; answers calls and server CPU microseconds per call."""
    target = server.target or f"/answer-{batch}.bin"
    arguments = ["h2load", "-t", "1", *shape, "-D", str(seconds)]
    if server.target:
        arguments += ["-d", body, *GRPC_HEADERS]
    before = server.cpu_seconds()
    output = subprocess.run(
        ["taskset", "-c", CORES[1], *arguments, f"http://127.0.0.1:{server.port}{target}"],
        capture_output=True, text=True, check=True).stdout
    cpu = server.cpu_seconds() - before
    done = re.search(r"requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed",
                     output)
    if not done or done[3] != "0" or done[1] != done[2] or int(done[1]) == 0:
        sys.exit(f"{server.name}, {batch}: h2load says\n{output}")
    calls = int(done[1])
    return calls, 1e6 * cpu / calls


def answer_sizes(server, ids):
    """Asks once per batch by h2load and takes the size of the answer from what it counts."""
    sizes = {}
    for batch, body in ids.items():
        output = subprocess.run(
            ["h2load", "-n", "1", "-d", body, *GRPC_HEADERS,
             f"http://127.0.0.1:{server.port}{PATH}"],
            capture_output=True, text=True, check=True).stdout
        data = re.search(r"\((\d+)\) data", output)
        sizes[batch] = int(data[1])
    return sizes


def check_answers(server, requests, python):
    """Every score of every batch, by the stock client (grpcio)."""
    script = os.path.join(ROOT, "tools/benchmarks/check_hash.py")
    subprocess.run([python, script, str(server.port), *map(str, BATCHES)], check=True)


def make_requests(folder, item_ids):
    bodies = {}
    for batch in BATCHES:
        bodies[batch] = os.path.join(folder, f"request-{batch}.bin")
        with open(bodies[batch], "wb") as file:
            file.write(request(item_ids[:batch]))
    return bodies


def read_item_ids(snapshot):
    with open(os.path.join(snapshot, "items.safetensors"), "rb") as file:
        header_bytes = struct.unpack("<Q", file.read(8))[0]
        import json
        begin, end = json.loads(file.read(header_bytes))["id"]["data_offsets"]
        file.seek(8 + header_bytes + begin)
        return list(struct.unpack(f"<{(end - begin) // 8}Q", file.read(end - begin)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--snapshot", required=True, help="4,096 items, a model of one constant tree")
    parser.add_argument("--python", required=True, help="a Python with grpcio")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bodies = make_requests(folder, read_item_ids(options.snapshot))
        hashing = start_own("crescendo-bench", "crescendo-bench", "serve", "0")
        serving = start_own(
            "serve", "crescendo", "serve", "--listen", "127.0.0.1:0", "--snapshot",
            options.snapshot, "--loops", "1", "--shards", "1", "--log-level", "error")
        check_answers(hashing, bodies, options.python)
        for batch, size in answer_sizes(hashing, bodies).items():
            with open(os.path.join(folder, f"answer-{batch}.bin"), "wb") as file:
                file.write(b"x" * size)
        servers = [start_nghttpd(folder), hashing, serving]
        try:
            report(measure(servers, bodies, options))
        finally:
            for server in servers:
                server.stop()


def measure(servers, bodies, options):
    """Microseconds of server CPU per call, by batch and server, one figure per round."""
    figures = {}
    for batch in BATCHES:
        for number in range(options.rounds):
            for server in servers:
                calls, cost = load(server, batch, bodies[batch], options.seconds)
                figures.setdefault(batch, {}).setdefault(server.name, []).append(cost)
    return figures


def report(figures):
    names = list(figures[0])
    print("server CPU, microseconds per call (median of rounds), and the median ratio to nghttpd")
    print(f"{'candidates':>10}" + "".join(f"{name:>18}" for name in names))
    for batch, costs in figures.items():
        row = f"{batch:>10}"
        for name in names:
            ratio = statistics.median(
                cost / peer for cost, peer in zip(costs[name], costs["nghttpd"]))
            row += f"{statistics.median(costs[name]):>9.2f} ({ratio:4.2f} x)"
        print(row)


CORES = sorted(str(core) for core in os.sched_getaffinity(0))
if len(CORES) < 2:
    sys.exit("two cores are needed: one for the server, one for the load")
if __name__ == "__main__":
    main()
