"""Reads a snapshot folder by the words of the format alone, sharing no code with the writer."""
import hashlib
import json
import re
from pathlib import Path

SIZES = {"F64": 8, "F32": 4, "F16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1,
         "U64": 8}


def tensors(data: bytes) -> dict[str, tuple[str, list[int], bytes]]:
    """A safetensors file as name: (dtype, shape, bytes); AssertionError where it is malformed."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + length].decode("utf-8"))
    header.pop("__metadata__", None)
    body = data[8 + length:]
    assert (8 + length) % 64 == 0, "data does not start on 64 bytes"
    end = 0
    result = {}
    for name, entry in sorted(header.items(), key=lambda pair: pair[1]["data_offsets"]):
        begin, finish = entry["data_offsets"]
        size = SIZES[entry["dtype"]]
        for dimension in entry["shape"]:
            size *= dimension
        assert begin == end and finish - begin == size, f"{name}: a hole, overlap or wrong size"
        end = finish
        result[name] = (entry["dtype"], entry["shape"], body[begin:finish])
    assert end == len(body), "bytes that belong to no tensor"
    return result


def integers(data: bytes) -> list[int]:
    return [int.from_bytes(data[at:at + 8], "little") for at in range(0, len(data), 8)]


def check_table(data: bytes) -> dict[str, tuple[str, list[int], bytes]]:
    """Keys, names, columns and vectors of a table's file."""
    found = tensors(data)
    dtype, (count,), keys = found["id"]
    keys = integers(keys)
    assert dtype == "U64" and 0 not in keys and len(set(keys)) == count
    assert found["uri"][0] == "U8" and found["uri.offsets"][:2] == ("U64", [count + 1])
    offsets, text = integers(found["uri.offsets"][2]), found["uri"][2]
    assert offsets[0] == 0 and offsets[-1] == len(text) and offsets == sorted(offsets)
    names = {text[a:b].decode("utf-8") for a, b in zip(offsets, offsets[1:])}
    assert len(names) == count
    for name, (dtype, shape, _) in found.items():
        if name in ("id", "uri", "uri.offsets"):
            continue
        assert shape[0] == count, name
        if len(shape) == 2:
            assert dtype in ("F32", "F16", "I8"), name
            assert (dtype == "I8") == (name + ".scale" in found), name
        else:
            assert len(shape) == 1 and dtype != "U64", name
        if name.endswith(".scale"):
            assert (dtype, shape) == ("F32", [count]), name
        if name in ("artist", "release"):
            assert dtype == "I64", name
    return found


def check_binding(source: str, manifest: dict, items: dict, users: dict | None) -> None:
    """One feature's source against what the tables and the manifest have."""
    for scope, name in re.findall(r"(item|user|request|context)\.(\w+)", source):
        if scope == "item":
            assert name in items, source
        elif scope == "user":
            assert users is None or name in users, source
        elif scope == "request":
            assert name in manifest["request_columns"], source
        else:
            assert name in ("market", "surface", "tier", "hour", "weekday"), source
    if pair := re.fullmatch(r"dot\(user\.(\w+), item\.(\w+)\)", source):
        (dtype, shape, _), (other, other_shape, _) = users[pair[1]], items[pair[2]]
        assert dtype == other and shape[1] == other_shape[1], source
    else:
        assert re.fullmatch(r"(equal|constant)\(.*\)|(item|user|request|context)\.\w+", source)


def check(folder: Path) -> tuple[dict, dict, dict | None]:
    """The manifest and the tables' tensors of a folder that keeps the format."""
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert manifest["format"] == "crescendo-snapshot/1"
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", manifest["version"])
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{6}", manifest["version"])
    on_disk = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert on_disk == set(manifest["files"]) | {"manifest.json"}
    for name, entry in manifest["files"].items():
        data = (folder / name).read_bytes()
        assert len(data) == entry["bytes"], name
        assert hashlib.sha256(data).hexdigest() == entry["sha256"], name
    items = check_table((folder / "items.safetensors").read_bytes())
    users = None
    if "users.safetensors" in manifest["files"]:
        users = check_table((folder / "users.safetensors").read_bytes())
    for model in manifest["models"]:
        text = (folder / model["file"]).read_text("utf-8")
        named = re.search("^feature_names=(.*)$", text, re.MULTILINE)[1].split()
        assert sorted(named) == sorted(feature["name"] for feature in model["features"])
        for feature in model["features"]:
            check_binding(feature["from"], manifest, items, users)
        if "prior" in model:
            assert model["prior"].removeprefix("item.") in items
    assert manifest["default_model"] in [model["name"] for model in manifest["models"]]
    return manifest, items, users
