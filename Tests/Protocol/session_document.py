"""proto/SESSION.md as data: its blocks of examples and the rows of its tables."""

import re

import process

TEXT = (process.ROOT / "proto/SESSION.md").read_text()
TYPES = {"HELLO": 1, "CALL": 2, "MESSAGE": 3, "REPLY": 4, "END": 5, "CANCEL": 6, "CREDIT": 7,
         "DRAIN": 8, "PING": 9, "ERROR": 10}


def blocks(tag):
    return re.findall(rf"^```{tag}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def crc32c(data):
    """Bit by bit, from §3.2's words."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


class Example:
    """One `session-frame` block: what it says (`fields`), and its bytes."""

    def __init__(self, block):
        self.fields, self.data = [], b""
        for line in block.splitlines():
            name, equals, value = line.partition(" = ")
            if equals and re.fullmatch("[a-z_]+", name):
                assert not self.data, f"a field behind the bytes: {line}"
                self.fields.append((name, value))
            else:
                self.data += bytes.fromhex(line.partition("#")[0])
        self.said = dict(self.fields)
        self.name, self.sender = self.said["name"], self.said["from"]
        self.type_name, number = self.said["type"].split()
        self.type = int(number)

    def __getitem__(self, name):
        return self.said[name]

    @property
    def flags(self):
        return set() if self["flags"] == "none" else set(self["flags"].split())

    @property
    def payload(self):
        return self.data[16:]

    def all(self, name):
        return [value for key, value in self.fields if key == name]


def examples():
    return [Example(block) for block in blocks("session-frame")]


def rows(letter):
    """The cells of every table row whose name is `letter` and a number, in order."""
    found = []
    for line in TEXT.splitlines():
        if re.match(rf"\| {letter}\d+ \|", line):
            found.append([cell.strip() for cell in line[1:-1].split("|")])
    return found
