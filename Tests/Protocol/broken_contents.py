"""More broken folders: the manifest's fields, the safetensors layout, the models. See broken.py."""

import json
import struct

import numpy as np

import snapshots
from broken import MODEL, kind, manifest_kind, tensor_kind

# The manifest's fields.


def model(manifest):
    return manifest["models"][0]


def rebind(feature, source):
    """The feature of this name, bound to another source."""
    def change(manifest):
        for one in model(manifest)["features"]:
            if one["name"] == feature:
                one["from"] = source
    return change


for key in ("format", "version", "models", "default_model"):
    manifest_kind(f"no {key}", lambda manifest, key=key: manifest.pop(key), key)
for key in ("name", "kind", "file", "output", "features"):
    manifest_kind(f"model without {key}", lambda manifest, key=key: model(manifest).pop(key), key)

manifest_kind("another format", lambda m: m.update(format="crescendo-snapshot/2"), "format")
manifest_kind("version with a slash", lambda m: m.update(version="a/b"), "version")
manifest_kind("version of 65 letters", lambda m: m.update(version="v" * 65), "version")
manifest_kind("empty version", lambda m: m.update(version=""), "version")
manifest_kind("version is a number", lambda m: m.update(version=7), "version")
manifest_kind("unknown default model", lambda m: m.update(default_model="gone"), "gone")
manifest_kind("no models", lambda m: m.update(models=[]), "models?|default")
manifest_kind("two models of one name", lambda m: m["models"].append(model(m)), "default")
manifest_kind("unknown kind", lambda m: model(m).update(kind="catboost"), "catboost")
manifest_kind("unknown output", lambda m: model(m).update(output="logit"), "logit")
manifest_kind("path upwards", lambda m: model(m).update(file="../default.txt"), r"\.\.")
manifest_kind("absolute path", lambda m: model(m).update(file="/etc/passwd"),
              r"models\[0\]\.file|/etc/passwd", "relative|absolute")
manifest_kind("unknown prior", lambda m: model(m).update(prior="item.gone"), "gone")
kind("feature not bound", "manifest", "age")(
    lambda parts: model(parts["manifest"])["features"].pop(1))
kind("feature too many", f"manifest|{MODEL}", "extra")(
    lambda parts: model(parts["manifest"])["features"].append(
        {"name": "extra", "from": "item.plays_log"}))
manifest_kind("feature bound twice", lambda m: model(m)["features"].append(
    {"name": "age", "from": "user.age"}), "age")
manifest_kind("column that is not there", rebind("age", "user.shoe_size"), "shoe_size")
manifest_kind("item column that is not there", rebind("plays_log", "item.gone"), "gone")
manifest_kind("undeclared request column", rebind("recent", "request.gone"), "gone")
manifest_kind("unknown context", rebind("market", "context.planet"), "planet")
manifest_kind("unknown owner", rebind("market", "world.market"), "world")
manifest_kind("unknown function", rebind("taste", "cosine(user.taste, item.taste)"), "cosine")
manifest_kind("half a function", rebind("taste", "dot(user.taste"), r"dot\(user\.taste")
manifest_kind("dot of one", rebind("taste", "dot(user.taste)"), "dot")
manifest_kind("dot of values", rebind("taste", "dot(user.age, item.plays_log)"),
              "age|plays_log")
manifest_kind("dot of two items", rebind("taste", "dot(item.taste, item.taste)"), "dot")
manifest_kind("dot of two lengths", rebind("taste", "dot(user.taste, item.style)"), "taste|style")
manifest_kind("constant of a word", rebind("age", "constant(old)"), "old")
manifest_kind("equal of three", rebind("age", "equal(user.age, user.age, user.age)"), "equal")
manifest_kind("empty source", rebind("age", ""), r"age|features\[1\]")
manifest_kind("category twice", lambda m: m["categories"].update(market=["SE", "SE"]), "market")
manifest_kind("categories are a text", lambda m: m["categories"].update(market="SE"), "market")
manifest_kind("request column twice", lambda m: m.update(request_columns=["recent", "recent"]),
              "recent")


# The safetensors layout.

def first(header):
    return header["plays_log"]


def moved(start, end):
    def change(header):
        offsets = first(header)["data_offsets"]
        first(header)["data_offsets"] = [offsets[0] + start, offsets[1] + end]
    return change


def length(value):
    return lambda data: struct.pack("<Q", value) + data[8:]


tensor_kind("header longer than the file", change_bytes=length(1 << 40), words=("header",))
tensor_kind("header of 2^64 - 1", change_bytes=length((1 << 64) - 1), words=("header",))
tensor_kind("header of length 0", change_bytes=length(0), words=("header",))
tensor_kind("header is not JSON", lambda header: b"{nonsense", words=("header|JSON",))
tensor_kind("header is a list", lambda header: b"[]", words=("header|JSON|object",))
tensor_kind("seven bytes", change_bytes=lambda data: data[:7], words=("header|short|bytes",))
tensor_kind("empty file", change_bytes=lambda data: b"", words=("header|empty|short|bytes",))
tensor_kind("unknown dtype", lambda h: first(h).update(dtype="F8_E4M3"), words=("plays_log",))
tensor_kind("no dtype", lambda h: first(h).pop("dtype") and None, words=("plays_log",))
tensor_kind("no offsets", lambda h: first(h).pop("data_offsets") and None, words=("plays_log",))
tensor_kind("offsets turned round", lambda h: first(h)["data_offsets"].reverse(),
            words=("plays_log",))
tensor_kind("offsets do not fit the shape", moved(0, -8), words=("plays_log",))
tensor_kind("tensor over its neighbour", moved(8, 8), words=("overlap|plays_log",))
tensor_kind("tensor beyond the file", moved(1 << 40, 1 << 40), words=("plays_log",))
tensor_kind("negative offset", moved(-(1 << 40), -(1 << 40)), words=("plays_log",))
tensor_kind("negative shape", lambda h: first(h).update(shape=[-64]), words=("plays_log",))
tensor_kind("shape that overflows", lambda h: first(h).update(shape=[1 << 62, 1 << 62]),
            words=("plays_log",))
tensor_kind("shape of fractions", lambda h: first(h).update(shape=[64.5]), words=("plays_log",))
tensor_kind("two tensors at one place", lambda h: h.update(heat_again=dict(h["heat"])),
            words=("overlap|inside another", "heat"))
tensor_kind("a hole", lambda h: h.pop("heat") and None, words=("hole|heat|gap",))


# The models.

def text_kind(name, old, new, *words):
    def spoil(parts):
        text = parts["models"]["default"]
        assert old in text, f"{old!r} is not in the model"
        parts["models"]["default"] = text.replace(old, new, 1)
    kind(name, MODEL, *words)(spoil)


def line_kind(name, key, change, *words):
    """A change of the first tree's line `key=…`, given as a list of its values."""
    def spoil(parts):
        head, tree, rest = parts["models"]["default"].partition("Tree=0\n")
        lines = rest.split("\n")
        at = next(row for row, line in enumerate(lines) if line.startswith(key + "="))
        lines[at] = key + "=" + " ".join(change(lines[at].partition("=")[2].split()))
        parts["models"]["default"] = head + tree + "\n".join(lines)
    kind(name, MODEL, *words)(spoil)


text_kind("not a model", "tree\n", "bush\n")
text_kind("another objective", "objective=binary sigmoid:1", "objective=sorcery", "sorcery")
text_kind("multiclass", "num_tree_per_iteration=1", "num_tree_per_iteration=3",
          "num_tree_per_iteration|class")
text_kind("averaging", "objective=binary", "average_output\nobjective=binary", "average")
text_kind("linear leaves", "is_linear=0", "is_linear=1", "linear", r"tree.{0,3}0")
line_kind("child that is not there", "left_child", lambda v: ["9999", *v[1:]], "left_child|child")
line_kind("leaf that is not there", "right_child", lambda v: ["-9999", *v[1:]],
          "right_child|child|leaf")
line_kind("a node that is its own child", "left_child", lambda v: ["0", *v[1:]],
          "child|cycle|second time")
line_kind("too few thresholds", "threshold", lambda v: v[:-1], "threshold")
line_kind("too many leaves", "leaf_value", lambda v: [*v, "1"], "leaf_value")
line_kind("threshold of a word", "threshold", lambda v: ["high", *v[1:]], "threshold")
line_kind("feature that is not there", "split_feature", lambda v: ["77", *v[1:]], "split_feature")
line_kind("negative number of leaves", "num_leaves", lambda v: ["-3"], "num_leaves")
line_kind("a billion leaves", "num_leaves", lambda v: ["1000000000"], "num_leaves|leaf")


@kind("model cut off", MODEL)
def _(parts):
    text = parts["models"]["default"]
    parts["models"]["default"] = text[:len(text) // 2]


@kind("empty model", MODEL)
def _(parts):
    parts["models"]["default"] = ""


@kind("model of zeros", MODEL)
def _(parts):
    parts["models"]["default"] = bytes(10_000)


@kind("a tree is missing", MODEL)
def _(parts):
    head, _, rest = parts["models"]["default"].partition("Tree=3\n")
    parts["models"]["default"] = head + "Tree=4\n" + rest.partition("Tree=4\n")[2]


@kind("real linear leaves", MODEL, "linear")
def _(parts):
    parts["models"]["default"] = other({"objective": "regression", "linear_tree": True})


@kind("real multiclass", MODEL, "class")
def _(parts):
    parts["models"]["default"] = other({"objective": "multiclass", "num_class": 3})


@kind("real random forest", MODEL, "average")
def _(parts):
    parts["models"]["default"] = other(
        {"objective": "binary", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5})


def other(parameters):
    """A real model of the same features, of a sort that is not supported yet."""
    random = np.random.default_rng(11)
    matrix = random.normal(size=(500, len(snapshots.SMALL_SOURCES)))
    label = np.digitize(matrix[:, 0], [-0.5, 0.5]).astype(np.float64)
    if parameters["objective"] == "binary":
        label = (label > 0).astype(np.float64)
    return snapshots.train(matrix, label, parameters, 3, snapshots.SMALL_SOURCES)


@kind("levels unlike the categories", f"manifest|{MODEL}", "pandas_categorical|categor")
def _(parts):
    text = parts["models"]["default"]
    head = text.partition("pandas_categorical:")[0]
    parts["models"]["default"] = head + "pandas_categorical:" + json.dumps([list("ABCDEF")]) + "\n"
