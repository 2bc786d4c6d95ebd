"""A disk that a power cut can be had of: the log of disk_log/log.h, read, and what it leaves.

A sync covers what was logged before it began, and counts once it has ended. Of all else a cut may
leave anything: each 512-byte sector of a write by itself, a new length without the bytes, a name
without its file's bytes, or nothing. Two writes of one sector keep their order. A file's sync does
not cover its name: that is its folder's. Stricter than most file systems, as POSIX has it.
"""

import dataclasses
import os
import pathlib
import shutil
import struct
import subprocess

SECTOR = 512
RECORD = struct.Struct("<BBHIQQ")
FILE, FOLDER, PARENT, INDEX = 1, 2, 3, 4
SOURCES = pathlib.Path(__file__).parent / "disk_log"
# What a disk may be told to forget, so that whoever looks for losses has to find them.
FORGETS = ("log", "folder", "parent", "all")


class HarnessFault(Exception):
    """The log or this model is wrong: says nothing of the server."""


def build(folder):
    """Compiles what is loaded into the server; its path."""
    compiler = shutil.which("cc") or shutil.which("clang")
    if not compiler:
        raise HarnessFault("no C compiler: run `tools/setup build`")
    made = pathlib.Path(folder) / "disk.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-o", made,
                    SOURCES / "log.c", SOURCES / "calls.c"], check=True)
    return made


@dataclasses.dataclass
class Event:
    kind: str
    place: int
    inode: int
    number: int
    data: bytes


def read(path):
    """The events of a log. A process that was ended from outside may leave half a record."""
    log, at, events = pathlib.Path(path).read_bytes(), 0, []
    while at + RECORD.size <= len(log):
        kind, place, _, length, inode, number = RECORD.unpack_from(log, at)
        at += RECORD.size
        events.append(Event(chr(kind), place, inode, number, log[at:at + length]))
        at += length
    return events


@dataclasses.dataclass
class File:
    """`synced`: the bytes that the disk has promised. `pending`: what came since, in order, as
    (when, offset, bytes), or (when, length, None) for a new length."""
    mode: int
    synced: bytearray = dataclasses.field(default_factory=bytearray)
    pending: list = dataclasses.field(default_factory=list)

    def now(self):
        content = bytearray(self.synced)
        for _, at, data in self.pending:
            change(content, at, data)
        return content

    def sync(self, before):
        for _, at, data in (one for one in self.pending if one[0] < before):
            change(self.synced, at, data)
        self.pending = [one for one in self.pending if one[0] >= before]

    def after_cut(self, damage):
        content = bytearray(self.synced)
        for _, at, data in self.pending:
            if data is None:
                if damage.keeps():
                    change(content, at, None)
                continue
            end = at + len(data)
            # The new length may be there before the bytes are, and then anything is.
            if end > len(content) and damage.keeps():
                content += damage.filling(end - len(content))
            start = at
            while start < end:
                stop = min(end, start - start % SECTOR + SECTOR)
                if damage.keeps():
                    if start > len(content):
                        content += damage.filling(start - len(content))
                    change(content, start, data[start - at:stop - at])
                else:
                    damage.lost += 1
                start = stop
        return content


def change(content, at, data):
    """Writes `data`, or with None makes the length `at`."""
    if at > len(content):
        content += bytes(at - len(content))
    if data is None:
        del content[at:]
    else:
        content[at:at + len(data)] = data


class Damage:
    """What one cut does, by its dice. Half of all cuts take everything that is not synced; others
    leave a share of it."""

    def __init__(self, dice):
        self.dice = dice
        self.share = 0 if dice.random() < 0.5 else dice.choice([0.1, 0.5, 0.9, 0.99, 1])
        self.is_junk = dice.random() < 0.5
        self.lost = self.kept = 0

    def keeps(self):
        kept = self.dice.random() < self.share
        self.kept += kept
        return kept

    def filling(self, count):
        return self.dice.randbytes(count) if self.is_junk else bytes(count)


class Disk:
    """One folder. `names`: those that the disk has promised; `pending`: changes since, as (when,
    {name: File or None}). `is_there`: whether the folder itself is promised."""

    def __init__(self, folder, forgets=None):
        self.folder, self.forgets = pathlib.Path(folder), forgets
        self.adopt()

    def adopt(self):
        """All that is there now is synced."""
        self.names, self.pending, self.inodes, self.when = {}, [], {}, 0
        self.is_there, self.made = self.folder.is_dir(), []
        for path in self.folder.iterdir() if self.is_there else ():
            status = path.stat()
            file = File(status.st_mode & 0o777)
            if not path.name.endswith("-shm"):
                file.synced = bytearray(path.read_bytes())
            self.names[path.name] = self.inodes[status.st_ino] = file

    def now(self, kept=lambda: True):
        """name → File as the kernel has it, or with some of the changes that are not synced."""
        names = dict(self.names)
        for _, changes in self.pending:
            if kept():
                names.update(changes)
        return {name: file for name, file in names.items() if file}

    def play(self, events):
        """One process's events, on top of those before it; then the folder has to look so."""
        open_syncs = {}
        for event in events:
            self.when += 1
            match event.kind:
                case "C":
                    made = self.inodes[event.inode] = File(event.number)
                    self.pending.append((self.when, {event.data.decode(): made}))
                case "W":
                    self.file(event).pending.append((self.when, event.number, event.data))
                case "T":
                    self.file(event).pending.append((self.when, event.number, None))
                case "U":
                    self.pending.append((self.when, {event.data.decode(): None}))
                case "R":
                    old, new = event.data.decode().split("\0")
                    self.pending.append((self.when, {old: None, new: self.now()[old]}))
                case "M":
                    self.made.append(self.when)
                case "B":
                    open_syncs[event.number] = self.when
                case "E":
                    self.sync(event, open_syncs.pop(event.number))
                case "S":
                    pass
                case other:
                    raise HarnessFault(f"{other!r} is no kind of record")
        self.compare()

    def file(self, event):
        if event.inode not in self.inodes:
            raise HarnessFault(f"{event.kind} of a file that the log does not know")
        return self.inodes[event.inode]

    def sync(self, event, before):
        if self.is_forgotten(event):
            return
        if event.place == FILE:
            self.file(event).sync(before)
        elif event.place == FOLDER:
            for _, changes in (one for one in self.pending if one[0] < before):
                self.names.update(changes)
            self.names = {name: file for name, file in self.names.items() if file}
            self.pending = [one for one in self.pending if one[0] >= before]
        else:
            self.is_there |= any(when < before for when in self.made)

    def is_forgotten(self, event):
        match self.forgets:
            case "all":
                return True
            case "log":
                return event.place == FILE and self.file(event) is self.now().get(
                    "ledger.sqlite-wal")
            case "folder":
                return event.place == FOLDER
            case "parent":
                return event.place == PARENT
            case _:
                return False

    def compare(self):
        """A write that passed the log by would make all that follows worthless."""
        wanted = self.now()
        found = {path.name for path in self.folder.iterdir()} if self.folder.is_dir() else set()
        if found != set(wanted):
            raise HarnessFault(f"the log tells of {sorted(wanted)}, there are {sorted(found)}")
        for name, file in wanted.items():
            if not name.endswith("-shm") and (self.folder / name).read_bytes() != file.now():
                raise HarnessFault(f"{name} has other bytes than the log tells of")

    def cut(self, dice):
        """The power fails: the folder becomes what the disk has, by the dice. Its Damage."""
        damage = Damage(dice)
        index = {path.name: path.read_bytes() for path in self.folder.glob("*-shm")}
        there = self.is_there or bool(self.made) and damage.keeps()
        names = self.now(damage.keeps) if there else {}
        shutil.rmtree(self.folder, ignore_errors=True)
        if there:
            self.folder.mkdir(0o700)
        for name, file in names.items():
            content = file.after_cut(damage)
            if name in index:
                content = dice.choice([b"", index[name], dice.randbytes(len(index[name]))])
            path = self.folder / name
            path.write_bytes(content)
            path.chmod(file.mode)
        self.adopt()
        return damage


def environment(library, folder, log, stop="-", sync_microseconds=300, sql=""):
    """The command before a server that is to be logged. `stop`: as DISK_LOG_STOP."""
    return ["env", f"LD_PRELOAD={library}", f"DISK_LOG_FOLDER={os.path.realpath(folder)}",
            f"DISK_LOG_FILE={log}", f"DISK_LOG_STOP={stop}",
            f"DISK_LOG_SYNC_US={sync_microseconds}", *([f"DISK_LOG_SQL={sql}"] if sql else [])]
