"""What a call of a session costs in instructions, and that it allocates nothing: exact counts, from
callgrind, as differences of a long and a short run, so that starting up does not count."""
from __future__ import annotations

import json
import pathlib
import subprocess

import pytest

import callgrind
import process
from protobytes import varint

BENCH = pathlib.Path(process.binary()).with_name("crescendo-bench")
CANDIDATES, IN_FLIGHT = 64, 32
SHORT, LONG = 3_200, 12_800

pytestmark = [
    pytest.mark.skipif(not callgrind.is_there(), reason="valgrind is not installed"),
    pytest.mark.skipif(not BENCH.exists(), reason="crescendo-bench is not built beside crescendo"),
]

# The target Wire (session machine, frames, decoding, encoding of answers) and its checksums.
WIRE, CHECKSUMS = r"^\$s4Wire|^\$sSp4Wire", r"^crc32c_|^crescendo_crc32c"
# What else of ours runs for each call: the bookkeeping of calls, buffers, counters.
TRANSPORT = r"^\$s(Sp)?9Transport|^\$s(Sp)?4Core"
ALLOCATIONS = r"^(malloc|calloc|realloc|posix_memalign|swift_slowAlloc|swift_allocObject)$"


class Pair:
    """Differences between two runs, for each call."""

    def __init__(self, short, long):
        self.short, self.long = short, long

    def instructions(self, pattern):
        return (self.long.of(pattern) - self.short.of(pattern)) / (LONG - SHORT)

    def allocations(self):
        return (self.long.called(ALLOCATIONS) - self.short.called(ALLOCATIONS)) / (LONG - SHORT)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return callgrind.stripped(BENCH, tmp_path_factory.mktemp("callgrind"))


@pytest.fixture(scope="module")
def request_file(tmp_path_factory):
    ids = b"".join((0x9E3779B97F4A7C15 * n % 2**64).to_bytes(8, "little")
                   for n in range(1, CANDIDATES + 1))
    file = tmp_path_factory.mktemp("request") / "request.bin"
    file.write_bytes(b"\x2a" + varint(len(ids)) + ids)
    return file


def drive(program, port, file, calls, *more, watched=None):
    """Runs the driver; `watched`: callgrind writes there."""
    arguments = [program, "drive", port, 1, IN_FLIGHT, file, CANDIDATES, f"{calls}calls", *more]
    arguments = callgrind.command(watched, *arguments) if watched else list(map(str, arguments))
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=300)
    assert json.loads(done.stdout)["calls"] >= calls


def server_runs(program, folder, file, *more):
    runs = []
    for calls in (SHORT, LONG):
        output = folder / f"server-{calls}.out"
        server = subprocess.Popen(callgrind.command(output, program, "serve", 0),
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        port = server.stdout.readline().rsplit(":", 1)[1].strip()
        drive(program, port, file, calls, *more)
        callgrind.end(server)
        runs.append(callgrind.Run(output))
    return Pair(*runs)


@pytest.fixture(scope="module")
def with_checksums(program, request_file, tmp_path_factory):
    return server_runs(program, tmp_path_factory.mktemp("with"), request_file)


@pytest.fixture(scope="module")
def without_checksums(program, request_file, tmp_path_factory):
    return server_runs(program, tmp_path_factory.mktemp("without"), request_file, "plain")


def test_server_without_checksums(without_checksums):
    assert without_checksums.instructions(CHECKSUMS) == 0
    wire = without_checksums.instructions(WIRE)
    print(f"{wire:.1f} instructions of Wire a call")
    assert 100 < wire <= 800


def test_server_with_checksums(with_checksums):
    wire = with_checksums.instructions(WIRE)
    checksums = with_checksums.instructions(CHECKSUMS)
    print(f"{wire:.1f} instructions of Wire a call, {checksums:.1f} of checksums")
    assert checksums > 100
    assert wire + checksums <= 1_400


def test_server_bookkeeping(with_checksums):
    """No bar of anybody's: what it is, so that it does not grow unseen."""
    transport = with_checksums.instructions(TRANSPORT)
    print(f"{transport:.1f} instructions of Transport and Core a call")
    assert 100 < transport <= 1_000


def test_server_allocates_nothing(with_checksums):
    # A few of a whole run are for growing; one for each turn of 32 calls would be 0.03.
    assert with_checksums.allocations() < 0.01


def test_client_allocates_nothing(program, request_file, tmp_path):
    server = subprocess.Popen([BENCH, "serve", "0"], stdout=subprocess.PIPE, text=True)
    try:
        port = server.stdout.readline().rsplit(":", 1)[1].strip()
        runs = []
        for calls in (SHORT, LONG):
            drive(program, port, request_file, calls, watched=tmp_path / f"client-{calls}.out")
            runs.append(callgrind.Run(tmp_path / f"client-{calls}.out"))
    finally:
        callgrind.end(server)
    pair = Pair(*runs)
    print(f"{pair.instructions(WIRE):.1f} instructions of Wire a call at the client")
    assert pair.allocations() < 0.01
