"""Score requests drawn from a seed: what real callers send, and what careless ones do."""

import numpy as np

SIZES = (0, 1, 2, 7, 13, 63, 64, 65, 100, 300, 500, 1_000)
# 2001 to 2040, and a little before 1970.
TIMES = (1_000_000_000_000, 2_220_000_000_000)
STRANGE = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-36, 1e-35, -1e-35, 1.1e-35, 3e38, 1e-45, -0.5)


class Batches:
    """Draws requests. `stubs` is the generated module of score.proto."""

    def __init__(self, stubs, snapshot, seed, sizes=SIZES, fixed_time=False):
        self.stubs, self.snapshot, self.sizes = stubs, snapshot, sizes
        self.random = np.random.default_rng(seed)
        self.fixed_time = fixed_time

    def draw(self, size=None, model=None):
        random = self.random
        request = self.stubs.ScoreRequest(want_raw=True, request_id=f"r{random.integers(1 << 40)}")
        self._user(request)
        self._context(request)
        size = int(random.choice(self.sizes)) if size is None else size
        self._items(request, size)
        for name in self.snapshot.request_columns:
            if random.random() < 0.7:
                request.candidate_columns.add(name=name, values=self._floats(size))
        if self.snapshot.users is not None and random.random() < 0.3:
            self._overrides(request)
        if model is None and random.random() < 0.6:
            model = str(random.choice(list(self.snapshot.models)))
        request.model = model or ""
        return request

    def pairs(self, count, **options):
        """Requests that hold at least `count` candidates together."""
        made, total = [], 0
        while total < count:
            made.append(self.draw(**options))
            total += len(made[-1].item_ids) + len(made[-1].item_uris)
        return made

    def _user(self, request):
        random, users = self.random, self.snapshot.users
        choice = random.random()
        if users is None or choice < 0.1:
            return
        row = int(random.integers(len(users.ids)))
        if choice < 0.2:
            request.user_id = self._absent(users.row_of)
        elif choice < 0.25:
            request.user_uri = "spotify:user:nobody"
        elif choice < 0.4 and users.uris:
            request.user_uri = users.uris[row]
        else:
            request.user_id = int(users.ids[row])
            if choice < 0.5 and users.uris:
                request.user_uri = users.uris[row]

    def _absent(self, known):
        while True:
            key = int(self.random.integers(1, 1 << 64, dtype=np.uint64))
            if key not in known:
                return key

    def _context(self, request):
        random = self.random
        if random.random() < 0.1 and not self.fixed_time:
            return
        for name, strange in (("market", "ZZ"), ("surface", "lift"), ("tier", "Premium")):
            choice, levels = random.random(), self.snapshot.categories.get(name, [])
            if choice < 0.75 and levels:
                setattr(request.context, name, str(random.choice(levels)))
            elif choice < 0.85:
                setattr(request.context, name, strange)
        if self.fixed_time or random.random() < 0.9:
            request.context.time_unix_ms = int(
                random.integers(*TIMES) if random.random() < 0.95 else -random.integers(1, 1 << 40))
        if random.random() < 0.6:
            request.context.utc_offset_minutes = int(random.integers(-12 * 60, 14 * 60 + 1))
        if random.random() < 0.2:
            request.context.segments.extend(["gym-goers", "früh"])

    def _items(self, request, size):
        random, items = self.random, self.snapshot.items
        rows = random.integers(0, len(items.ids), size)
        if random.random() < 0.3 and size:
            rows = random.choice(rows[: max(1, size // 3)], size)
        unknown = random.random(size) < (0.05 if random.random() < 0.7 else 0.0)
        if items.uris and random.random() < 0.25:
            request.item_uris.extend(
                f"spotify:track:none{at}" if unknown[at] else items.uris[row]
                for at, row in enumerate(rows))
        else:
            request.item_ids.extend(
                (0 if random.random() < 0.1 else self._absent(items.row_of)) if unknown[at]
                else int(items.ids[row]) for at, row in enumerate(rows))

    def _floats(self, size):
        random = self.random
        values = (random.normal(size=size) * 2).astype(np.float32)
        strange = random.random(size) < 0.2
        values[strange] = random.choice(np.array(STRANGE, np.float32), int(strange.sum()))
        if random.random() < 0.3:
            values = np.round(values)
        return values

    def _overrides(self, request):
        random, users = self.random, self.snapshot.users
        for name in users.signals():
            column = users.columns[name]
            if random.random() < 0.6 or (column.ndim == 2 and column.dtype == np.int8):
                continue
            if column.ndim == 1:
                request.user_columns.add(name=name, values=self._floats(1))
            else:
                # What the column's own dtype can hold: a vector of the snapshot, sent again.
                vector = random.normal(size=column.shape[1]).astype(column.dtype)
                request.user_columns.add(name=name, values=vector.astype(np.float32))
