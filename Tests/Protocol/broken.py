"""Snapshot folders broken one way each: the manifest, the tensors, the folder itself.

KINDS: name → (what breaks the parts or the folder, words that the refusal must have).
A word may be a regular expression; case does not count.
"""

import json
import struct

import numpy as np
import safetensors.numpy

import snapshots

KINDS = {}
MANIFEST, ITEMS, USERS, MODEL = "manifest.json", "items.safetensors", "users.safetensors", (
    r"models/default.txt")


def kind(name, *words):
    """Registers a function that changes the parts before they are written."""
    def register(function):
        KINDS[name] = ("parts", function, words)
        return function
    return register


def folder_kind(name, *words):
    """Registers a function that changes the folder after it is written."""
    def register(function):
        KINDS[name] = ("folder", function, words)
        return function
    return register


def make(name, folder):
    """Writes the broken folder; the words that its refusal must have."""
    where, function, words = KINDS[name]
    parts = snapshots.small_parts(3)
    if where == "parts":
        function(parts)
    snapshots.write(folder, **parts)
    if where == "folder":
        function(folder)
    return words


def edit_manifest(folder, change):
    manifest = json.loads((folder / MANIFEST).read_text())
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def manifest_kind(name, change, *words):
    """A change of the manifest before it is written."""
    KINDS[name] = ("parts", lambda parts: change(parts["manifest"]), (MANIFEST, *words))


def column_kind(name, table, change, *words):
    """A change of one table's columns."""
    file = ITEMS if table == "items" else USERS
    KINDS[name] = ("parts", lambda parts: change(parts[table]), (file, *words))


def binding_kind(name, change, *words):
    """A change of the items that only the manifest's bindings make wrong: either may be named."""
    column_kind(name, "items", change, *words)
    KINDS[name] = (*KINDS[name][:2], (f"{ITEMS}|{MANIFEST}", *words))


def raw_table(table, change_header=None, change_bytes=None):
    """The table's safetensors bytes, with its JSON header and then its bytes changed."""
    data = safetensors.numpy.save(table)
    length = struct.unpack("<Q", data[:8])[0]
    header, body = json.loads(data[8:8 + length]), data[8 + length:]
    if change_header:
        replaced = change_header(header)
        header = header if replaced is None else replaced
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    data = struct.pack("<Q", len(text)) + text + body
    return change_bytes(data) if change_bytes else data


def tensor_kind(name, change_header=None, change_bytes=None, words=()):
    """A change of the items file's bytes; digest and length in the manifest agree with it."""
    def spoil(parts):
        parts["items"] = raw_table(parts["items"], change_header, change_bytes)
    KINDS[name] = ("parts", spoil, (ITEMS, *words))


# The folder.

@folder_kind("no manifest", MANIFEST)
def _(folder):
    (folder / MANIFEST).unlink()


@folder_kind("manifest is a folder", MANIFEST)
def _(folder):
    (folder / MANIFEST).unlink()
    (folder / MANIFEST).mkdir()


@folder_kind("manifest is empty", MANIFEST)
def _(folder):
    (folder / MANIFEST).write_text("")


@folder_kind("manifest is not JSON", MANIFEST)
def _(folder):
    (folder / MANIFEST).write_text('{"format": "crescendo-snapshot/1",')


@folder_kind("manifest is a list", MANIFEST)
def _(folder):
    (folder / MANIFEST).write_text("[]")


@folder_kind("manifest nests without end", MANIFEST)
def _(folder):
    (folder / MANIFEST).write_text('{"format":' + "[" * 200_000)


@folder_kind("items file is gone", ITEMS)
def _(folder):
    (folder / ITEMS).unlink()


@folder_kind("items file is a byte short", ITEMS, r"bytes|length|size")
def _(folder):
    (folder / ITEMS).write_bytes((folder / ITEMS).read_bytes()[:-1])


@folder_kind("items file is a byte long", ITEMS, r"bytes|length|size")
def _(folder):
    (folder / ITEMS).write_bytes((folder / ITEMS).read_bytes() + b"\0")


@folder_kind("one bit of the items file", ITEMS, "sha-?256")
def _(folder):
    data = bytearray((folder / ITEMS).read_bytes())
    data[-1] ^= 1
    (folder / ITEMS).write_bytes(data)


@folder_kind("one bit of the users file", USERS, "sha-?256")
def _(folder):
    data = bytearray((folder / USERS).read_bytes())
    data[-9] ^= 0x80
    (folder / USERS).write_bytes(data)


@folder_kind("one digit of the model", MODEL, "sha-?256")
def _(folder):
    path = folder / MODEL
    path.write_text(path.read_text().replace("leaf_value=0", "leaf_value=1", 1)
                    if "leaf_value=0" in path.read_text()
                    else path.read_text().replace("learning_rate: 0.1", "learning_rate: 0.2"))


@folder_kind("model file is gone", MODEL)
def _(folder):
    (folder / MODEL).unlink()


@folder_kind("model file is a link", MODEL)
def _(folder):
    (folder / MODEL).rename(folder / "elsewhere.txt")
    (folder / MODEL).symlink_to(folder / "elsewhere.txt")


@folder_kind("models folder is a link", "models")
def _(folder):
    (folder / "models").rename(folder / "elsewhere")
    (folder / "models").symlink_to("elsewhere")


@folder_kind("no files", MANIFEST, "files")
def _(folder):
    edit_manifest(folder, lambda manifest: manifest.pop("files"))


@folder_kind("items not listed", MANIFEST, ITEMS)
def _(folder):
    edit_manifest(folder, lambda manifest: manifest["files"].pop(ITEMS))


@folder_kind("model not listed", MODEL)
def _(folder):
    edit_manifest(folder, lambda manifest: manifest["files"].pop(MODEL))


@folder_kind("digest is not hexadecimal", ITEMS, "sha-?256")
def _(folder):
    edit_manifest(folder, lambda manifest: manifest["files"][ITEMS].update(sha256="z" * 64))


@folder_kind("length is negative", ITEMS, "bytes")
def _(folder):
    edit_manifest(folder, lambda manifest: manifest["files"][ITEMS].update(bytes=-1))


# Columns of a table.

def put(name, values):
    return lambda table: table.update({name: values})


def at(name, row, value):
    def change(table):
        table[name] = table[name].copy()
        table[name][row] = value
    return change


column_kind("no ids", "items", lambda table: table.pop("id"), r"\bid\b")
column_kind("id 0", "items", at("id", 5, 0), r"\bid\b", "0")
column_kind("users: id twice", "users", at("id", slice(3, 5), 99), r"\bid\b", "99|twice|duplicate")
column_kind("id twice", "items", at("id", slice(0, 64, 63), 4242), r"\bid\b",
            "4242|twice|duplicate")
column_kind("ids of I64", "items", put("id", np.arange(1, 65)), r"\bid\b", "U64|dtype")
column_kind("ids in two dimensions", "items",
            put("id", np.arange(1, 65, dtype=np.uint64).reshape(32, 2)), r"\bid\b",
            r"shape|dimension|\[32, 2\]")
column_kind("column of another length", "items", put("plays_log", np.zeros(63)), "plays_log")
column_kind("empty column", "items", put("plays_log", np.zeros(0)), "plays_log")
column_kind("U64 column", "items", put("plays_log", np.zeros(64, np.uint64)), "plays_log", "U64")
column_kind("integer beyond 2^53", "items",
            put("plays_log", np.full(64, (1 << 53) + 1, np.int64)), "plays_log")
column_kind("integer below -2^53", "items",
            put("plays_log", np.full(64, -(1 << 53) - 1, np.int64)), "plays_log")
binding_kind("vector where a value is bound",
            put("plays_log", np.zeros((64, 2), np.float32)), "plays_log")
binding_kind("vector of another length", put("taste", np.zeros((64, 23), np.float32)),
            "taste")
binding_kind("vector of another dtype", put("taste", np.zeros((64, 24), np.float16)),
            "taste")
column_kind("vector with other rows", "items", put("taste", np.zeros((63, 24), np.float32)),
            "taste")
column_kind("I8 vector without scale", "items", lambda table: table.pop("sound.scale"), "sound")
column_kind("scale of another length", "items", put("sound.scale", np.ones(3, np.float32)),
            "sound.scale")
column_kind("scale of F64", "items", put("sound.scale", np.ones(64)), "sound.scale")
column_kind("offsets missing", "items", lambda table: table.pop("uri.offsets"), "uri.offsets")
column_kind("offsets too few", "items", lambda table: table.update(
    {"uri.offsets": table["uri.offsets"][:-1]}), "uri.offsets")
column_kind("offsets fall", "items", at("uri.offsets", 7, 1), "uri.offsets")
column_kind("offsets beyond the text", "items", at("uri.offsets", 64, 1 << 40), "uri.offsets")
column_kind("offsets do not start at 0", "items", at("uri.offsets", 0, 1), "uri.offsets")
column_kind("URI twice", "items", lambda table: table.update(
    {"uri": np.frombuffer(b"a" * 64, np.uint8), "uri.offsets": np.arange(65, dtype=np.uint64)}),
    "uri", "twice|duplicate|unique|same")
column_kind("URI is not UTF-8", "items", at("uri", 3, 0xFF), "uri", "UTF-8")
