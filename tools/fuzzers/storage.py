"""`tools/fuzz storage`: power cuts under the real server and the real SQLite. Each seed is one data
folder that servers crash on, once or several times, wherever they are; what clients were told is
then all there. See power_cuts.py, and disk.py for what a cut does."""

import argparse
import collections
import pathlib
import shlex
import shutil
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "Tests/Protocol"))

import grpc  # noqa: E402

import assemble  # noqa: E402
import conftest  # noqa: E402
import disk  # noqa: E402
import power_cuts  # noqa: E402
import promoting  # noqa: E402

ITEMS, USERS = 150, 16


class Seeds:
    """What all seeds share."""

    def __init__(self, folder, generated=None):
        self.folder = pathlib.Path(folder)
        if generated is None:
            (self.folder / "stubs").mkdir()
            generated = conftest.Stubs(self.folder / "stubs")
        self.generated, self.library = generated, disk.build(self.folder)
        (self.folder / "snapshot").mkdir()
        self.snapshot = assemble.Snapshot(
            promoting.shelf(self.folder / "snapshot", 1, items=ITEMS, users=USERS))
        self.counts = collections.Counter()

    def path(self, seed):
        return self.folder / f"seed-{seed}"

    def run(self, seed, broken=None):
        """Why a seed fails; None = it does not. A failing seed's folder stays."""
        folder = self.path(seed)
        # What the same seed left when it failed, by another fault.
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir()
        world = power_cuts.World(
            self.generated, self.snapshot, self.library, folder, seed, broken)
        try:
            world.run()
        except (AssertionError, grpc.RpcError) as error:
            return f"{type(error).__name__}: {error}"
        finally:
            self.counts.update(world.counts)
        shutil.rmtree(folder)
        return None

    def summary(self):
        return ", ".join(f"{count:,} {name}" for name, count in self.counts.items())


def main():
    parser = argparse.ArgumentParser(prog="tools/fuzz storage", description=__doc__)
    parser.add_argument("seeds", type=int, nargs="?", default=1_000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--broken", choices=power_cuts.BROKEN, help="what a disk forgets, or how "
                        "SQLite syncs: has to be found within the seeds, and ends there")
    parser.add_argument("--keep", help="a folder for what a failing seed leaves")
    options = parser.parse_args()
    again = "tools/fuzz storage 1 --first {}" + (
        f" --broken {options.broken}" if options.broken else "")
    failed, began = [], time.monotonic()
    with tempfile.TemporaryDirectory(prefix="crescendo-storage-") as folder:
        seeds = Seeds(folder)
        shown = time.monotonic()
        for seed in range(options.first, options.first + options.seeds):
            reason = seeds.run(seed, options.broken)
            if reason:
                failed.append(seed)
                print(f"seed {seed} fails: {reason}\n  {again.format(seed)}", flush=True)
                if options.keep:
                    shutil.copytree(seeds.path(seed), pathlib.Path(options.keep) / f"seed-{seed}")
                if options.broken:
                    break
            if time.monotonic() - shown > 10:
                shown = time.monotonic()
                print(f"  {seed - options.first + 1:,} seeds", flush=True)
        print(f"{time.monotonic() - began:.0f} s: {seeds.summary()}")
    if options.broken:
        print(f"{options.broken}: " + (f"found by seed {failed[0]}" if failed else "NOT FOUND"))
        sys.exit(0 if failed else 1)
    print(f"{options.seeds:,} seeds, {len(failed)} failed" + (
        f": {shlex.join(map(str, failed))}" if failed else ": 0 acknowledged exposures lost"))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
