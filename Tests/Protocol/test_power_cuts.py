"""Power cuts under the built server: `tools/fuzz storage` with a few seeds, what it must find when
something is broken on purpose, and the disk that it believes in."""

import os
import random
import subprocess
import sys

import pytest

import process

sys.path.append(str(process.ROOT / "tools/fuzzers"))

import disk  # noqa: E402
import power_cuts  # noqa: E402
import storage  # noqa: E402

SEEDS = 12
# Seeds within which each fault has to show; most show in the first or second.
WITHIN = 12

pytestmark = pytest.mark.skipif(
    bool(process.SANITIZER), reason="a sanitizer's library wants to be loaded first")


@pytest.fixture(scope="module")
def seeds(generated, tmp_path_factory):
    return storage.Seeds(tmp_path_factory.mktemp("storage"), generated)


def test_nothing_that_was_acknowledged_is_lost(seeds, seed):
    for one in range(seed, seed + SEEDS):
        reason = seeds.run(one)
        assert not reason, f"tools/fuzz storage 1 --first {one}: {reason}"
    print(seeds.summary())
    counts = seeds.counts
    assert counts["cuts"] >= 2 * SEEDS and counts["starts"] > 0 and counts["acknowledged"] > SEEDS
    assert counts["lost sectors"] > 0, counts


@pytest.mark.parametrize("broken", power_cuts.BROKEN)
def test_what_is_broken_is_found(seeds, seed, broken):
    found = (one for one in range(seed, seed + WITHIN) if seeds.run(one, broken))
    assert next(found, None) is not None, f"{broken} is not found within {WITHIN} seeds"


# MARK: The disk

class Cut(disk.Damage):
    def __init__(self, share, seed):
        super().__init__(random.Random(seed))
        self.share = share


def event(kind, inode=7, number=0, data=b"", place=disk.FILE):
    return disk.Event(kind, place, inode, number, data)


@pytest.fixture
def one_disk(tmp_path):
    """A disk with a file `old` of ten bytes, and how a cut that keeps a share of what is not synced
    leaves it after some events: name → bytes. The folder is not looked at."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/old").write_bytes(b"0123456789")
    made = disk.Disk(tmp_path / "data")
    made.compare = lambda: None
    inode = (tmp_path / "data/old").stat().st_ino

    def after(share, *events, dice=1):
        made.adopt()
        made.play([event(one.kind, inode if one.inode == 7 else one.inode, one.number, one.data,
                         one.place) for one in events])
        damage = Cut(share, dice)
        return {name: bytes(file.after_cut(damage))
                for name, file in made.now(damage.keeps).items()}

    return after


def test_a_sync_covers_what_was_written_before_it_began(one_disk):
    events = (event("W", data=b"ab"), event("B", number=1), event("W", number=4, data=b"cd"),
              event("E", number=1))
    assert one_disk(0, *events) == {"old": b"ab23456789"}
    assert one_disk(1, *events) == {"old": b"ab23cd6789"}
    assert one_disk(0, *events[:3]) == {"old": b"0123456789"}


def test_sectors_are_kept_one_by_one(one_disk):
    """Of a write of three sectors any may be there without the others, whatever the length."""
    sectors = [bytes([at]) * disk.SECTOR for at in (1, 2, 3)]
    written = event("W", data=b"".join(sectors))
    found = set()
    for dice in range(100):
        left = one_disk(0.5, written, dice=dice)["old"]
        found.add(tuple(left[at * disk.SECTOR:][:disk.SECTOR] == one
                        for at, one in enumerate(sectors)))
    assert len(found) == 8


def test_lengths_and_names_are_synced_apart(one_disk):
    folder = {"place": disk.FOLDER}
    made = (event("C", 9, 0o600, b"new"), event("W", 9, data=b"x"), event("B", 9, 1),
            event("E", 9, 1))
    assert one_disk(0, *made) == {"old": b"0123456789"}
    named = (*made, event("B", 1, 2, **folder), event("E", 1, 2, **folder))
    assert one_disk(0, *named) == {"old": b"0123456789", "new": b"x"}
    renamed = (*named, event("R", data=b"new\0old"))
    assert one_disk(0, *renamed) == {"old": b"0123456789", "new": b"x"}
    assert one_disk(1, *renamed) == {"old": b"x"}
    gone = (event("T", number=3), event("U", data=b"old"))
    assert one_disk(0, *gone) == {"old": b"0123456789"}
    assert one_disk(0, *gone, event("B", 1, 1, **folder), event("E", 1, 1, **folder)) == {}
    assert one_disk(0, event("T", number=3), event("B", number=1), event("E", number=1)) == {
        "old": b"012"}


PROGRAM = """
import os, sys, threading
folder = sys.argv[1]
os.mkdir(folder)
parent = os.open(os.path.dirname(folder), os.O_RDONLY)
os.fsync(parent)
at = os.open(folder, os.O_RDONLY)
first = os.open(folder + "/first", os.O_RDWR | os.O_CREAT, 0o600)
os.rename("first", "all", src_dir_fd=at, dst_dir_fd=at)
os.ftruncate(first, 4096)
os.fsync(first)
os.fsync(at)
def work(number):
    own = open(f"{folder}/{number}", "ab", buffering=0)
    os.fsync(at)
    for count in range(1, 1000):
        os.pwrite(first, bytes([count % 256]) * 8, 8 * number)
        own.write(b"%d\\n" % count)
        os.writev(own.fileno(), [b"a", b"b"])
        os.fdatasync(own.fileno())
        os.fdatasync(first)
        os.write(1, b"%d %d\\n" % (number, count))
for number in range(4):
    threading.Thread(target=work, args=(number,)).start()
"""


@pytest.mark.parametrize("stop", [9, 14, 40, 333, 1_000])
def test_what_a_program_synced_outlives_a_cut(seeds, tmp_path, stop):
    """Four threads on five files: the log is what the kernel has, and keeps what was promised."""
    data, log = tmp_path / "data", tmp_path / "log"
    made = disk.Disk(data)
    done = subprocess.run(
        [*disk.environment(seeds.library, data, log, f"*:{stop}"), sys.executable, "-c", PROGRAM,
         data], capture_output=True, text=True, timeout=process.patience(60))
    events = disk.read(log)
    assert done.returncode == -9 and events[-1].kind == "S" and len(events) == stop + 1, done.stderr
    made.play(events)
    counts = dict(line.split() for line in done.stdout.splitlines())
    assert counts or stop < 100
    made.cut(random.Random(stop))
    for number, count in counts.items():
        wanted = b"".join(b"%d\nab" % one for one in range(1, int(count) + 1))
        assert (data / number).read_bytes()[:len(wanted)] == wanted
        left = (data / "all").read_bytes()[8 * int(number):][:8]
        assert left in {bytes([(int(count) + more) % 256]) * 8 for more in (0, 1)}, left


def test_a_write_beside_the_log_is_found(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/file").write_bytes(b"1")
    made = disk.Disk(tmp_path / "data")
    made.play([])
    (tmp_path / "data/file").write_bytes(b"2")
    with pytest.raises(disk.HarnessFault):
        made.play([])
    os.remove(tmp_path / "data/file")
    with pytest.raises(disk.HarnessFault):
        made.play([])
