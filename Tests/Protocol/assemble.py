"""A snapshot read by the test alone, and the float64 rows its models see: formats.md 1, again."""

import datetime
import hashlib
import json
import pathlib
import re

import numpy as np
import safetensors.numpy

INTEGERS = (np.int64, np.int32, np.int16, np.int8, np.uint8, np.bool_)


def dot(user, items):
    """The documented float32 dot product of one vector [d] with rows [n, d]; float32 [n].

    Lane j of 16 sums the products of elements j, j+16, … in order, multiply then add; then the
    lanes fold 8, 4, 2, 1.
    """
    count, dimension = items.shape
    padded = -(-dimension // 16) * 16
    left = np.zeros(padded, np.float32)
    left[:dimension] = user.astype(np.float32)
    right = np.zeros((count, padded), np.float32)
    right[:, :dimension] = items.astype(np.float32)
    lanes = np.zeros((count, 16), np.float32)
    for start in range(0, padded, 16):
        products = left[start:start + 16] * right[:, start:start + 16]
        lanes = lanes + products
    for half in (8, 4, 2, 1):
        lanes = lanes[:, :half] + lanes[:, half:2 * half]
    return lanes[:, 0]


def scaled_dot(user, user_scale, items, item_scales):
    """The I8 form: an integer sum, then Float(sum) * userScale * itemScale in float32."""
    sums = items.astype(np.int64) @ user.astype(np.int64)
    return sums.astype(np.float32) * np.float32(user_scale) * item_scales.astype(np.float32)


class Table:
    """`items.safetensors` or `users.safetensors`."""

    def __init__(self, path):
        self.columns = safetensors.numpy.load_file(path)
        self.ids = self.columns["id"]
        self.row_of = {int(key): row for row, key in enumerate(self.ids)}
        self.uris, self.row_of_uri = [], {}
        if "uri" in self.columns:
            text, offsets = self.columns["uri"].tobytes(), self.columns["uri.offsets"]
            self.uris = [text[int(offsets[row]):int(offsets[row + 1])].decode()
                         for row in range(len(self.ids))]
            self.row_of_uri = {uri: row for row, uri in enumerate(self.uris)}

    def values(self, name, rows):
        """A scalar column at rows, widened to double."""
        return self.columns[name][rows].astype(np.float64)

    def is_vector(self, name):
        return self.columns[name].ndim == 2

    def signals(self):
        """Names that a request may override: columns and vectors."""
        return [name for name in self.columns
                if name not in ("id", "uri", "uri.offsets")
                and not (name.endswith(".scale") and name[:-6] in self.columns)]


class Snapshot:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.manifest = json.loads((self.folder / "manifest.json").read_text())
        self.items = Table(self.folder / "items.safetensors")
        users = self.folder / "users.safetensors"
        self.users = Table(users) if users.exists() else None
        self.models = {model["name"]: model for model in self.manifest["models"]}
        self.categories = self.manifest.get("categories", {})
        self.request_columns = self.manifest.get("request_columns", [])

    @property
    def version(self):
        return self.manifest["version"]

    def model_name(self, request):
        return request.model or self.manifest["default_model"]

    def model_path(self, name):
        return self.folder / self.models[name]["file"]

    def model_sha256(self, name):
        return hashlib.sha256(self.model_path(name).read_bytes()).hexdigest()

    def item_rows(self, request):
        """Row of each candidate, −1 for an unknown one."""
        if len(request.item_uris):
            found = [self.items.row_of_uri.get(uri, -1) for uri in request.item_uris]
        else:
            found = [self.items.row_of.get(key, -1) for key in request.item_ids]
        return np.array(found, np.int64)

    def user_row(self, request):
        if self.users is None:
            return None
        if request.user_id:
            return self.users.row_of.get(request.user_id)
        return self.users.row_of_uri.get(request.user_uri) if request.user_uri else None


class Assembly:
    """One request against one snapshot. `now` is the time that counts, in ms since 1970."""

    def __init__(self, snapshot, request, now):
        self.snapshot, self.request = snapshot, request
        self.rows = snapshot.item_rows(request)
        self.known = self.rows >= 0
        self.count = len(self.rows)
        self.user = snapshot.user_row(request)
        self.overrides = {column.name: np.array(column.values, np.float32)
                          for column in request.user_columns}
        self.sent = {column.name: np.array(column.values, np.float32)
                     for column in request.candidate_columns}
        local = int(now) + request.context.utc_offset_minutes * 60_000
        days, rest = divmod(local, 86_400_000)
        self.hour = rest // 3_600_000
        self.weekday = (days + datetime.date(1970, 1, 1).weekday()) % 7

    def matrix(self, names):
        """float64 [known candidates, features] in the order of `names`."""
        bindings = {feature["name"]: feature["from"] for feature in
                    self.snapshot.models[self.snapshot.model_name(self.request)]["features"]}
        assert sorted(bindings) == sorted(names), "the manifest does not bind the model's features"
        made = np.empty((int(self.known.sum()), len(names)), np.float64)
        for column, name in enumerate(names):
            made[:, column] = self.source(bindings[name])
        return made

    def source(self, text):
        text = text.strip()
        call = re.fullmatch(r"(\w+)\((.*)\)", text)
        if not call:
            return self.plain(text)
        arguments = [part.strip() for part in call[2].split(",")]
        if call[1] == "constant":
            return float(arguments[0])
        if call[1] == "dot":
            return self.pair_dot(*arguments)
        assert call[1] == "equal", f"unknown source {text}"
        left, right = (np.asarray(self.plain(part), np.float64) for part in arguments)
        missing = np.isnan(left) | np.isnan(right)
        return np.where(missing, np.nan, (left == right).astype(np.float64))

    def plain(self, text):
        owner, name = text.split(".", 1)
        if owner == "item":
            return self.snapshot.items.values(name, self.rows[self.known])
        if owner == "user":
            return self.user_value(name)
        if owner == "request":
            assert name in self.snapshot.request_columns, f"{text} is not declared"
            values = self.sent.get(name)
            return np.nan if values is None else values[self.known].astype(np.float64)
        assert owner == "context", f"unknown source {text}"
        if name == "hour":
            return float(self.hour)
        if name == "weekday":
            return float(self.weekday)
        levels = self.snapshot.categories.get(name, [])
        value = getattr(self.request.context, name)
        return float(levels.index(value)) if value in levels else np.nan

    def user_value(self, name):
        if name in self.overrides:
            return float(self.overrides[name][0])
        if self.user is None:
            return np.nan
        return float(self.snapshot.users.values(name, self.user))

    def pair_dot(self, user_side, item_side):
        user_name, item_name = user_side.split(".", 1)[1], item_side.split(".", 1)[1]
        items = self.snapshot.items.columns
        vectors = items[item_name][self.rows[self.known]]
        if user_name in self.overrides:
            return dot(self.overrides[user_name], vectors).astype(np.float64)
        if self.user is None:
            return 0.0
        users = self.snapshot.users.columns
        vector = users[user_name][self.user]
        if vectors.dtype == np.int8:
            return scaled_dot(vector, users[user_name + ".scale"][self.user], vectors,
                              items[item_name + ".scale"][self.rows[self.known]]).astype(np.float64)
        return dot(vector, vectors).astype(np.float64)
