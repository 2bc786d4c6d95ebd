"""A storm of calls of the async client (`crescendo-bench storm`) at a server that is restarted
under it (`crescendo-bench serve PORT storm`), and what has to hold afterwards.

CRESCENDO_BENCH_BIN: another build of crescendo-bench than the one beside the tested program.
"""

import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import tempfile
import threading
import time

import process

# Without a call that ends for so long, seconds, some call never will: each has 10 s.
STALL = 40
# Between two looks at the storm, seconds.
LOOK = 0.005
DRAIN = 20


def bench():
    chosen = os.environ.get("CRESCENDO_BENCH_BIN")
    path = pathlib.Path(chosen) if chosen else pathlib.Path(process.binary()).with_name(
        "crescendo-bench")
    if not path.is_file():
        raise RuntimeError(f"{path} does not exist: run `swift build -c release`, or name it by "
                           "CRESCENDO_BENCH_BIN")
    return str(path)


def free_port(dice):
    """One below those that the system gives to outgoing connections: it stays free."""
    while True:
        port = dice.randrange(15_000, 30_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Fault(Exception):
    """What must not happen in a storm."""


class Server:
    """One life of the server."""

    def __init__(self, port):
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([bench(), "serve", str(port), "storm"],
                                        stdout=subprocess.PIPE, stderr=self.errors, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            self.process.wait()
            raise Fault(f"the server does not listen: {line}{self.said()}")

    def said(self):
        self.errors.seek(0)
        return self.errors.read()[-3_000:]

    def end(self, number):
        """By a signal; how long it took, seconds."""
        began = time.monotonic()
        self.process.send_signal(number)
        wanted = 0 if number == signal.SIGTERM else -number
        try:
            status = self.process.wait(timeout=DRAIN)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Fault(f"the server still runs {DRAIN} s after SIGTERM") from None
        if status != wanted or process.CRASH.search(self.said()):
            raise Fault(f"the server ended with {status} by signal {number}: {self.said()}")
        self.process.stdout.close()
        return time.monotonic() - began

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Storm:
    """The clients' process, and how far it is."""

    def __init__(self, ports, calls, seed):
        self.calls = calls
        self.process = subprocess.Popen(
            [bench(), "storm", ",".join(f"127.0.0.1:{port}" for port in ports), str(calls),
             str(seed)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.now = {"ended": 0, "lost": 0, "unserved": 0}
        self.lines, self.silence, self.said = 0, 0, []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stderr:
            if not line.startswith("{"):
                self.said.append(line)
                continue
            now = json.loads(line)
            if now["ended"] != self.now["ended"]:
                self.silence = 0
            self.now = now
            self.lines += 1

    def wait(self, is_there):
        """Until `is_there()` or the end of the process."""
        while self.process.poll() is None and not is_there():
            # Looked at so often in vain, not so long ago: a machine that stands still is no fault.
            # At the end a client waits up to 20 s for its sessions.
            if self.silence > STALL / LOOK:
                raise Fault(f"no call has ended for {STALL} s: {self.now} of {self.calls}, "
                            f"{self.lines} reports" + "".join(self.said)[-3_000:])
            self.silence += 1
            time.sleep(LOOK)

    def result(self):
        self.wait(lambda: False)
        self.reader.join()
        line = self.process.stdout.read()
        if self.process.returncode != 0 or not line:
            raise Fault(f"the clients ended with {self.process.returncode}: "
                        + "".join(self.said)[-3_000:])
        return json.loads(line)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def run(calls, restarts, seed, servers=1, say=lambda text: None):
    """The clients' own account of a storm, and what each restart cost: by turns SIGTERM, which
    drains, and SIGKILL, at random moments; of several servers, one after the other."""
    dice = random.Random(seed)
    ports = [free_port(dice) for _ in range(servers)]
    running = [Server(port) for port in ports]
    storm, costs = Storm(ports, calls, seed), []
    try:
        for number in range(restarts):
            at = calls * 0.95 * (number + dice.uniform(0.2, 0.8)) / restarts
            storm.wait(lambda: storm.now["ended"] >= at)
            if storm.process.poll() is not None:
                storm.result()
                raise Fault(f"the storm ended before restart {number}")
            # Each server is ended in either way.
            which, name = number // 2 % servers, ("SIGTERM", "SIGKILL")[number % 2]
            before = storm.now
            seconds = running[which].end(getattr(signal, name))
            time.sleep(dice.uniform(0, 0.2))
            running[which] = Server(ports[which])
            # What the end of the server has cost is told within milliseconds.
            seen = storm.lines
            storm.wait(lambda: storm.lines >= seen + 5)
            costs.append({"by": name, "seconds": seconds, "at": before["ended"],
                          **{key: storm.now[key] - before[key] for key in ("lost", "unserved")}})
            say(f"{name} at {before['ended']:,} calls: ended in {seconds:.2f} s, lost "
                f"{costs[-1]['lost']:,} calls of {costs[-1]['unserved']:,} that were not served")
        result = storm.result()
        for server in running:
            server.end(signal.SIGTERM)
        return result, costs
    finally:
        storm.kill()
        for server in running:
            server.kill()


def cost(costs, name, what):
    """Of all restarts by that signal."""
    return sum(one[what] for one in costs if one["by"] == name)


def verdicts(result, costs, calls, servers=1):
    """(name, value, what it has to be, whether it is) of each thing that has to hold."""
    sessions = [one for client in result["clients"] for one in client["sessions"]]
    whole = [one for one in sessions
             if one["open_calls"] == 0 and one["balance"] == one["initial_credit"] > 0]
    left = sum(client["open_calls"] + client["waiting"] for client in result["clients"])
    # Beside another server a drained one costs no call; alone, none that it had begun with.
    what = "unserved" if servers > 1 else "lost"
    drained = cost(costs, "SIGTERM", what)
    return [
        ("calls started, of those wanted", result["calls"], calls, result["calls"] == calls),
        ("calls that ended", result["ended"], calls, result["ended"] == calls),
        ("answers that are not the call's own", result["wrong"], 0, result["wrong"] == 0),
        ("statuses that nothing explains", result["unexpected"], 0, result["unexpected"] == 0),
        ("calls left open or in line at the end", left, 0, left == 0),
        ("clients with a session at the end", sum(map(bool, (
            client["sessions"] for client in result["clients"]))), len(result["clients"]),
         all(client["sessions"] for client in result["clients"])),
        ("sessions with all their credit and no call", len(whole), len(sessions),
         len(whole) == len(sessions)),
        (f"calls {what} around SIGTERMs", drained, 0, drained == 0),
    ]
