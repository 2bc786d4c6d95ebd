"""What the measurements of calls in time share: servers, models of any cost, figures with bars.

They run in the tests' Python (.venv-test) and use the tests' own modules: one way to start the
program, to read its metrics, to write a snapshot.
"""
from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import pathlib
import re
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/Protocol"))

import numpy as np  # noqa: E402

import process  # noqa: E402
import scrape  # noqa: E402
import snapshots  # noqa: E402
from process import binary  # noqa: E402, F401
from protobytes import varint  # noqa: E402

METHOD = "/crescendo.v1.PromotionScoreService/"
FIDELITY = ["UNSPECIFIED", "NONE", "PRIOR", "PARTIAL", "FULL"]
CORES = sorted(os.sched_getaffinity(0))
# Whoever ends a measurement early ends its server, too.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


class Report:
    """Figures, and what they are held to."""

    def __init__(self, title):
        self.rows, self.isMet = [], True
        self.title = title

    def figure(self, name, value):
        self.rows.append((name, value, "", ""))

    def bar(self, name, value, limit, met):
        """`limit`: in words, for example ">= 99 %"."""
        self.rows.append((name, value, limit, "pass" if met else "MISS"))
        self.isMet = self.isMet and bool(met)

    def show(self):
        """Prints the table; the exit code."""
        print(f"\n{self.title}")
        widths = [max(len(row[column]) for row in self.rows) for column in range(4)]
        for name, value, limit, verdict in self.rows:
            print(f"  {name:<{widths[0]}}  {value:>{widths[1]}}  {limit:<{widths[2]}}  {verdict}"
                  .rstrip())
        sys.stdout.flush()
        return 0 if self.isMet else 1


def say(text):
    print(text, file=sys.stderr, flush=True)


def percent(part, whole):
    return 100 * part / whole if whole else 0.0


def quantile(values, share):
    """The smallest value that at least this share of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1e6) * len(ordered) // 10**6) - 1))]


def mebibytes(count):
    return f"{count / (1 << 20):,.1f} MiB"


def arguments(description, **options):
    """The options of one measurement: name → default, and --quick for all of them."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, to try it")
    parser.add_argument("--seed", type=int, default=1)
    for name, default in options.items():
        parser.add_argument("--" + name.replace("_", "-"), type=type(default), default=default)
    return parser.parse_args()


# MARK: Servers


@contextlib.contextmanager
def on_core(core):
    """What is started within runs on that core alone; None = wherever it likes."""
    before = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def serving(snapshot, *more, core=None, ready_seconds=90):
    """A server with an admin port, stopped by SIGTERM at the end."""
    with on_core(core):
        server = process.Server(snapshot, "--admin", "127.0.0.1:0", *more,
                                ready_seconds=ready_seconds)
    try:
        yield server
        server.stop()
    finally:
        server.kill()


def cpu_nanoseconds(pid):
    """What a process has used, by its CPU clock as clock_getcpuclockid names it. Threads that run
    just now are counted up to their last tick."""
    return time.clock_gettime_ns((~pid << 3) | 2)


class ThreadClocks:
    """The same to the nanosecond, also of threads that run just now: the kernel's task clock of each
    thread that there is when this is made (perf_event_open, a software event)."""

    SYSTEM_CALL = {"x86_64": 298, "aarch64": 241}
    SOFTWARE, TASK_CLOCK, ATTRIBUTE_BYTES = 1, 1, 64

    def __init__(self, pid):
        number = self.SYSTEM_CALL[os.uname().machine]
        attribute = struct.pack("<IIQ", self.SOFTWARE, self.ATTRIBUTE_BYTES, self.TASK_CLOCK)
        attribute = ctypes.create_string_buffer(attribute, self.ATTRIBUTE_BYTES)
        call = ctypes.CDLL(None, use_errno=True).syscall
        self.clocks = []
        for thread in os.listdir(f"/proc/{pid}/task"):
            descriptor = call(number, attribute, int(thread), -1, -1, 0)
            if descriptor < 0:
                raise SystemExit("perf_event_open: " + os.strerror(ctypes.get_errno()))
            self.clocks.append(descriptor)

    def nanoseconds(self):
        return sum(int.from_bytes(os.read(clock, 8), "little") for clock in self.clocks)

    def close(self):
        for clock in self.clocks:
            os.close(clock)


class Neighbours:
    """What else runs on the machine meanwhile: timing is worth nothing beside it."""

    def __init__(self, server):
        self.server = server
        self.began, self.used, self.own = time.monotonic(), self._used(), self._own()

    @staticmethod
    def _used():
        """Seconds of all cores that were not idle, those that the host took away included."""
        with open("/proc/stat", encoding="ascii") as file:
            user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
        return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")

    def _own(self):
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (time.process_time() + children.ru_utime + children.ru_stime
                + cpu_nanoseconds(self.server.process.pid) / 1e9)

    def show(self, report):
        seconds = time.monotonic() - self.began
        others = max(0, self._used() - self.used - (self._own() - self.own))
        report.figure("other processes meanwhile, of the machine",
                      f"{percent(others, seconds * len(CORES)):.0f} %")


def access_lines(server, since=0):
    """The server's lines for finished calls, oldest first (--log-level debug)."""
    found = []
    for line in server.stderr().splitlines()[since:]:
        if " method=/" in line:
            found.append(dict(re.findall(r"(\w+)=(\S+)", line)))
    return found


def limit(metrics, name):
    return int(metrics.value("crescendo_limit", name=name))


# MARK: Snapshots


def repeated(text, trees):
    """A LightGBM model's text with its trees repeated in turn, until there are so many."""
    header, rest = text.split("\nTree=0\n", 1)
    body, tail = rest.split("end of trees", 1)
    blocks = re.split(r"(?m)^Tree=\d+\n", body)
    made = [f"Tree={number}\n{blocks[number % len(blocks)].rstrip()}\n\n\n"
            for number in range(trees)]
    sizes = " ".join(str(len(block.encode())) for block in made)
    header = re.sub(r"(?m)^tree_sizes=.*$", f"tree_sizes={sizes}", header)
    return f"{header}\n{''.join(made)}end of trees{tail}"


class Catalogue:
    """Items, users and a trained model, to write snapshots of as many trees as are wanted."""

    ITEMS, USERS, TREES = 20_000, 2_000, 200

    def __init__(self, seed):
        self.parts = snapshots.small_parts(seed, self.ITEMS, self.USERS, self.TREES)
        self.item_ids = [int(key) for key in self.parts["items"]["id"]]
        self.user_ids = [int(key) for key in self.parts["users"]["id"]]

    def write(self, folder, trees):
        text = repeated(self.parts["models"]["default"], trees)
        manifest = {**self.parts["manifest"], "version": f"trees-{trees}"}
        return snapshots.write(folder, manifest, self.parts["items"], self.parts["users"],
                               {"default": text})


def constant_snapshot(folder, items):
    """The pipeline's: a model of one constant tree, so that scoring costs next to nothing."""
    subprocess.run([ROOT / ".venv-pipeline/bin/python", ROOT / "tools/pipeline/synthetic.py",
                    folder, "--constant-tree", "--items", str(items)], check=True,
                   stdout=subprocess.DEVNULL)
    table = snapshots.safetensors.numpy.load_file(pathlib.Path(folder) / "items.safetensors")
    return [int(key) for key in table["id"]]


@contextlib.contextmanager
def work_folder():
    with tempfile.TemporaryDirectory(prefix="crescendo-bench-") as folder:
        yield pathlib.Path(folder)


# MARK: Clients


def generated_stubs(folder):
    """The stubs of proto/, made for this run."""
    import conftest
    folder = pathlib.Path(folder)
    folder.mkdir(exist_ok=True)
    return conftest.Stubs(folder)


def score_request(item_ids, user_id=0):
    """The bytes of a ScoreRequest, without stubs."""
    ids = np.asarray(item_ids, np.uint64).tobytes()
    user = b"\x11" + int(user_id).to_bytes(8, "little") if user_id else b""
    return user + (b"\x2a" + varint(len(ids)) + ids if ids else b"")


def metrics(server):
    return scrape.Metrics(server)
