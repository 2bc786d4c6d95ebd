"""`crescendo snapshot verify|inspect`, and `serve` on what cannot be served."""

import json
import re

import pytest

import broken
import broken_contents  # registers its kinds
import process
import snapshots

assert broken_contents.model


def test_verify_accepts_what_python_wrote(everything, small, synthetic):
    for snapshot in (everything, small, synthetic):
        done = process.run("snapshot", "verify", snapshot.folder)
        assert done.returncode == 0, process.explain(done)
        assert snapshot.version in done.stdout, process.explain(done)


@pytest.mark.parametrize("name", broken.KINDS)
def test_broken_folders_are_refused_by_name(tmp_path, name):
    words = broken.make(name, tmp_path / "snapshot")
    done = process.run("snapshot", "verify", tmp_path / "snapshot")
    assert done.returncode == 1, "accepted, or the wrong exit code" + process.explain(done)
    said = done.stdout + done.stderr
    missing = [word for word in words if not re.search(word, said, re.IGNORECASE)]
    assert not missing, f"the refusal does not name {missing}" + process.explain(done)


def test_unbroken_parts_are_accepted(tmp_path):
    """Else every kind of broken folder would be refused for the wrong reason."""
    snapshots.write(tmp_path / "snapshot", **snapshots.small_parts(3))
    done = process.run("snapshot", "verify", tmp_path / "snapshot")
    assert done.returncode == 0, process.explain(done)


def test_no_folder(tmp_path):
    done = process.run("snapshot", "verify", tmp_path / "nowhere")
    assert done.returncode == 1 and "nowhere" in done.stdout + done.stderr, process.explain(done)


def test_padded_headers_and_extra_metadata(tmp_path):
    """What safetensors allows: spaces behind the header, `__metadata__`, any alignment."""
    import struct
    for padding in (0, 1, 7, 64):
        parts = snapshots.small_parts(3)

        def pad(data, padding=padding):
            length = struct.unpack("<Q", data[:8])[0]
            return (struct.pack("<Q", length + padding) + data[8:8 + length] + b" " * padding
                    + data[8 + length:])

        parts["items"] = broken.raw_table(
            parts["items"], lambda header: {"__metadata__": {"by": "tests"}, **header}, pad)
        folder = snapshots.write(tmp_path / f"padded-{padding}", **parts)
        done = process.run("snapshot", "verify", folder)
        assert done.returncode == 0, process.explain(done)


def everything_in(value):
    """Every key and leaf of a JSON value, as text."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from everything_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from everything_in(inner)
    else:
        yield str(value)


def test_inspect(everything):
    done = process.run("snapshot", "inspect", everything.folder, "--output", "json")
    assert done.returncode == 0, process.explain(done)
    said = list(everything_in(json.loads(done.stdout)))
    wanted = [everything.version, *everything.models, str(len(everything.items.ids)),
              str(len(everything.users.ids))]
    assert not [one for one in wanted if one not in said], process.explain(done)
    table = process.run("snapshot", "inspect", everything.folder)
    assert table.returncode == 0 and everything.version in table.stdout, process.explain(table)


@pytest.mark.parametrize("name", ["one bit of the items file", "feature not bound", "no manifest"])
def test_serve_refuses_a_broken_snapshot(tmp_path, name):
    words = broken.make(name, tmp_path / "snapshot")
    done = process.run("serve", "--listen", "127.0.0.1:0", "--snapshot", tmp_path / "snapshot")
    assert done.returncode not in (0, 2), process.explain(done)
    assert "listening on" not in done.stdout, process.explain(done)
    missing = [word for word in words if not re.search(word, done.stderr, re.IGNORECASE)]
    assert not missing, f"standard error does not name {missing}" + process.explain(done)


def test_a_store_with_a_link_to_the_current_snapshot(small, tmp_path, start, connect, stubs):
    """`--snapshot DIR` may be a store of folders with a link `current`."""
    snapshots.small(tmp_path / "store" / "one", 9)
    (tmp_path / "store" / "current").symlink_to("one")
    answer = connect(start(tmp_path / "store")).score(stubs.ScoreRequest(item_ids=[1]))
    assert answer.provenance.snapshot == "small-9"
