"""Models that cost much: a trained one's trees, over and over, each copy's leaves scaled anew."""

import re

import numpy as np

import assemble
import process
import snapshots

TREES = 10
# What a candidate of an instrumented program costs on top; its queues are measured in time.
COSTS = {"": 1, "address": 3, "thread": 50}


def copies(count):
    """As much work as `count` copies without a sanitizer."""
    return max(1, count // COSTS[process.SANITIZER])


def lengthened(text, copies):
    """The text of a LightGBM model with `copies` × as many trees.

    No two copies have the same leaves, so that each prefix has a sum of its own; together they
    weigh about as much as the trees did, so that scores do not all become 0 or 1.
    """
    head, body = text.split("\nTree=0\n", 1)
    body, tail = body.split("\nend of trees", 1)
    trees = [tree.strip("\n") for tree in re.split(r"\nTree=\d+\n", body)]
    made = []
    for copy in range(copies):
        for tree in trees:
            scale = (0.5 + (copy * 7 + len(made)) % 11 / 10) / copies
            made.append(f"Tree={len(made)}\n{scaled(tree, scale)}\n\n\n")
    sizes = " ".join(str(len(tree)) for tree in made)
    head = re.sub(r"^tree_sizes=.*$", f"tree_sizes={sizes}", head, flags=re.MULTILINE)
    return head + "\n" + "".join(made) + "end of trees" + tail


def scaled(tree, by):
    def line(found):
        values = [repr(float(value) * by) for value in found[1].split()]
        return "leaf_value=" + " ".join(values)

    return re.sub(r"^leaf_value=(.*)$", line, tree, flags=re.MULTILINE)


def snapshot(folder, seed, copies, *, outputs=None, prior="item.prior",
             with_holes=False, **sizes):
    """`snapshots.small` with TREES × `copies` trees in every model. `outputs`: name → output;
    `with_holes`: every third item has no prior.
    """
    parts = snapshots.small_parts(seed, trees=TREES, **sizes)
    text = lengthened(parts["models"]["default"], copies)
    declared = parts["manifest"]["models"][0]
    if with_holes:
        parts["items"]["prior"][::3] = np.nan
    declared.pop("prior")
    if prior:
        declared["prior"] = prior
    parts["manifest"]["models"], parts["models"] = [], {}
    for name, output in (outputs or {"default": "probability"}).items():
        parts["manifest"]["models"].append(
            {**declared, "name": name, "file": f"models/{name}.txt", "output": output})
        parts["models"][name] = text
    return assemble.Snapshot(snapshots.write(folder, **parts))
