"""A program under callgrind, and what its functions cost: exact counts of instructions."""
from __future__ import annotations

import re
import shutil
import signal
import subprocess


def is_there():
    return shutil.which("valgrind") is not None


def stripped(program, folder):
    """A copy that callgrind 3.19 can read: it stumbles over DWARF 5, and needs only names."""
    copy = folder / program.name
    subprocess.run(["strip", "--strip-debug", "-o", copy, program], check=True)
    return copy


class Run:
    """Instructions by function, those of functions that it calls left out; and how often each was
    called."""

    def __init__(self, file):
        self.costs, self.calls = {}, {}
        names = {}
        with open(file, encoding="utf-8", errors="replace") as lines:
            self._read(lines, names)

    def _read(self, lines, names):
        function, skips = None, False
        for line in lines:
            named = re.match(r"(c?fn)=\((\d+)\)(?: (.*))?$", line.rstrip("\n"))
            if named:
                kind, number, name = named.groups()
                if name:
                    names[number] = name
                if kind == "fn":
                    function = names[number]
                else:
                    called = names[number]
            elif line.startswith("calls="):
                count = int(line[6:].split()[0])
                self.calls[called] = self.calls.get(called, 0) + count
                # The line behind it is what the calls cost: the called function's own.
                skips = True
            elif re.match(r"[+*\-0-9]", line):
                if not skips and function:
                    cost = int(line.split()[1])
                    self.costs[function] = self.costs.get(function, 0) + cost
                skips = False

    def of(self, pattern):
        return sum(cost for name, cost in self.costs.items() if re.search(pattern, name))

    def called(self, pattern):
        return sum(count for name, count in self.calls.items() if re.search(pattern, name))


def command(file, *arguments):
    return ["valgrind", "--tool=callgrind", f"--callgrind-out-file={file}", *map(str, arguments)]


def end(process):
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0
