"""What the kernel saw: every acknowledgement leaves after the fdatasync of its commit."""

import re
import shutil
import subprocess

import pytest

import process
import promoting
from promoting import campaign

CALLS = "read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg,pwrite64,pwritev,fdatasync,fsync"
INPUT, OUTPUT = {"read", "readv", "recvfrom", "recvmsg"}, {"write", "writev", "sendto", "sendmsg"}

def hexed(text):
    """As strace -xx writes it, names of files too."""
    return "".join(f"\\x{byte:02x}" for byte in text)


LOG = hexed(b"ledger.sqlite-wal") + ">"
LINE = re.compile(r"^(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)$")
# The first half of a sequence that stands nowhere else.
MAGIC = 0x5EC0DE5 << 32


class Trace:
    """(call, begun, ended, text) of every call that ended well; moments are line numbers: strace
    writes a call's line when it begins, and another one when it ends if anything came between."""

    def __init__(self, path):
        self.calls, open_calls = [], {}
        for number, line in enumerate(path.read_text(errors="replace").splitlines()):
            found = LINE.match(line)
            if not found:
                continue
            thread, resumed, begun, text = found.groups()
            if begun and text.endswith("<unfinished ...>"):
                open_calls[thread] = (begun, number, text)
                continue
            name, start, before = open_calls.pop(thread) if resumed else (begun, number, "")
            if not re.search(r"= -1 ", text):
                self.calls.append((name, start, number, before + text))

    def first(self, names, needle):
        """The first of these calls whose bytes hold `needle`."""
        text = hexed(needle)
        for name, begun, ended, said in self.calls:
            if name in names and text in said:
                return begun, ended
        raise AssertionError(f"no {names} of {needle.hex()} among {len(self.calls)} calls")

    def is_synced(self, needle):
        """Between what came in with `needle` and what went out with it: the log was written, and
        then synced to the end."""
        arrived = self.first(INPUT, needle)[1]
        left = self.first(OUTPUT, needle)[0]
        written = [begun for name, begun, _, said in self.calls
                   if name in ("pwrite64", "pwritev") and LOG in said and arrived < begun < left]
        return bool(written) and any(
            name in ("fdatasync", "fsync") and LOG in said and begun > written[0] and ended < left
            for name, begun, ended, said in self.calls)


def test_acknowledgements_follow_their_sync(generated, shelf, tmp_path):
    if not shutil.which("strace"):
        pytest.skip("strace is not installed: run `tools/setup test`")
    if process.SANITIZER:
        pytest.skip("an instrumented program cannot be traced")
    path = tmp_path / "trace.txt"
    # -D: the server is our child, and strace its.
    wrapper = ["strace", "-D", "-f", "-y", "-xx", "-s", "65536", "-e", f"trace={CALLS}", "-o", path]
    probe = subprocess.run([*wrapper, "true"], capture_output=True, text=True)
    if probe.returncode:
        pytest.skip(f"strace may not trace here: {probe.stderr.strip()}")
    server = process.Server(shelf.folder, "--data", tmp_path / "data", wrapper=wrapper)
    promoter = promoting.Promoter(generated, server, shelf)
    promoter.apply(campaign("one", promoter.items))
    allocated, tokens = [], []
    for user in promoter.users[:30]:
        asked = promoter.asking(user, promoter.items[:50], slots=2)
        tokens += [one.token for one in promoter.allocations.Allocate(asked).placements]
        allocated.append(asked.request_id)
    assert len(tokens) == 60
    sequence, reported, forged = MAGIC, [], []
    for token in tokens:
        for some, sent in ((reported, token), (forged, token[:-1])):
            answer, = promoter.deliveries.ReportExposures(
                iter([promoter.batch(sequence, [sent])]))
            assert answer.acked_through == sequence and answer.settled == (some is reported)
            some.append(sequence.to_bytes(8, "little"))
            sequence += 1
    promoter.stop()
    trace = Trace(path)
    late = [one.hex() for one in allocated + reported if not trace.is_synced(one)]
    assert not late, f"{len(late)} of {len(allocated + reported)} were told before they were synced"
    # What needs no commit is told without one: the trace tells the two apart.
    waited = sum(trace.is_synced(one) for one in forged)
    assert waited < len(forged) / 4, f"{waited} of {len(forged)}"
    print(f"{len(allocated)} allocations, {len(reported)} acknowledgements, each behind its sync")
