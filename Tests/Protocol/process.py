"""The built program: `crescendo serve` as a child process, other subcommands run to their end."""

import os
import pathlib
import queue
import re
import signal
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CRASH = re.compile(
    r"Fatal error|Program crashed|\*\*\* Signal|Illegal instruction|Segmentation fault|💣"
    r"|AddressSanitizer|ThreadSanitizer|LeakSanitizer|runtime error:|Assertion .* failed")
# What the program was built with, if anything: `address` or `thread`.
SANITIZER = os.environ.get("CRESCENDO_SANITIZER", "")
# An instrumented program takes longer, so what waits for it waits longer.
SLOWNESS = 6 if SANITIZER else 1


def patience(seconds):
    """How long to wait for what takes no longer than that without a sanitizer."""
    return seconds * SLOWNESS


# What is measured in time is as much work as without one: queues, what is done in place, and how
# long a call may take that does not say, or a slow client be silent. In microseconds.
TIMES = {"shardQueueNanoseconds": 500_000, "queueDelayTargetNanoseconds": 5_000,
         "queueDelayIntervalNanoseconds": 100_000, "inPlaceNanoseconds": 200,
         "inPlaceTurnNanoseconds": 2_000, "defaultTimeoutNanoseconds": 10_000_000,
         "silenceNanoseconds": 20_000_000}
ENVIRONMENT = dict(os.environ)
if SANITIZER:
    ENVIRONMENT["CRESCENDO_LIMITS"] = ",".join(
        f"{name}={patience(microseconds)}us" for name, microseconds in TIMES.items())


def binary():
    path = pathlib.Path(os.environ.get("CRESCENDO_BIN", ROOT / ".build/release/crescendo"))
    if not path.is_absolute():
        path = ROOT / path
    if not path.is_file():
        raise RuntimeError(
            f"{path} does not exist: run `swift build -c release`, or name it by CRESCENDO_BIN")
    return str(path)


def run(*arguments, input=None, timeout=patience(60)):
    """One subcommand to its end: CompletedProcess with text in stdout and stderr. A crash fails."""
    done = subprocess.run(
        [binary(), *map(str, arguments)], input=input, capture_output=True, text=True,
        timeout=timeout, cwd=ROOT, env={**os.environ, "NO_COLOR": "1"})
    assert done.returncode >= 0 and not CRASH.search(done.stderr), (
        f"crashed with {done.returncode}: crescendo {' '.join(map(str, arguments))}\n{done.stderr}")
    return done


def explain(done):
    """What a finished subcommand said, for assertion messages."""
    return (f"\n$ crescendo {' '.join(map(str, done.args[1:]))}\nexit {done.returncode}\n"
            f"--- stdout\n{done.stdout[-3000:]}\n--- stderr\n{done.stderr[-3000:]}")


class Server:
    """A running `crescendo serve` on a free port of loopback."""

    def __init__(self, snapshot, *arguments, ready_seconds=patience(90), wrapper=()):
        """`wrapper`: a command that becomes the server, which then is still our child."""
        self.command = [*map(str, wrapper), binary(), "serve", "--listen",
                        "127.0.0.1:0", "--snapshot", str(snapshot), *map(str, arguments)]
        self.errors = tempfile.NamedTemporaryFile("w+", prefix="crescendo-stderr-", suffix=".txt")
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=self.errors, text=True, cwd=ROOT,
            env=ENVIRONMENT)
        self.output = []
        lines = queue.Queue()
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()
        limit = time.monotonic() + ready_seconds
        self.admin = None
        wants_admin = "--admin" in self.command
        while True:
            try:
                line = lines.get(timeout=max(0.01, limit - time.monotonic()))
            except queue.Empty:
                self.kill()
                raise AssertionError(
                    f"no `listening on HOST:PORT` in {ready_seconds} s" + self.story()) from None
            if line is None:
                self.process.wait()
                raise AssertionError("the server ended before it listened" + self.story())
            found = re.match(r"listening on (\S+):(\d+)\s*$", line)
            if found:
                self.host, self.port = found[1], int(found[2])
                self.target = f"{self.host}:{self.port}"
            found = re.match(r"admin on (\S+:\d+)\s*$", line)
            if found:
                self.admin = found[1]
            if hasattr(self, "target") and bool(self.admin) == wants_admin:
                return

    def _read(self, lines):
        for line in self.process.stdout:
            self.output.append(line)
            lines.put(line)
        lines.put(None)

    @property
    def alive(self):
        return self.process.poll() is None

    def stderr(self):
        with open(self.errors.name, encoding="utf-8", errors="replace") as file:
            return file.read()

    def story(self):
        return (f"\n$ {' '.join(self.command)}\nexit {self.process.poll()}\n"
                f"--- stdout\n{''.join(self.output)[-2000:]}\n--- stderr\n{self.stderr()[-6000:]}")

    def check(self):
        """Fails when the process has ended or its standard error shows a crash."""
        assert self.alive, "the server has died" + self.story()
        assert not CRASH.search(self.stderr()), "the server's stderr shows a crash" + self.story()

    def rss_bytes(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS line")

    def kill(self):
        if self.alive:
            self.process.kill()
        self.process.wait()

    def stop(self):
        """SIGTERM; the server must drain and exit 0."""
        self.check()
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout=patience(30))
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(
                f"still running {patience(30)} s after SIGTERM" + self.story()) from None
        assert status == 0, f"exit {status} after SIGTERM, wanted 0" + self.story()
        assert not CRASH.search(self.stderr()), "stderr shows a crash" + self.story()
        self.errors.close()
