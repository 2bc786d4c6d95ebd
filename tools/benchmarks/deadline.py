"""Calls with little time: answers that are coarser, never late.

usage: tools/bench deadline [--calls N] [--candidates N] [--timeout-ms N] [--quick]

A stock client (grpcio) makes one call at a time with a deadline of 5 ms. The model is made for
this machine: so many trees that scoring a batch with all of them takes 6 times, and then 50
times, what the deadline leaves for it. What a call left the server for scoring is the timeout less
the engine's margin (DESIGN 7) and less what a call costs besides scoring, which is measured first.
(grpcio counts in whole milliseconds and rounds up: most calls have one more, which is printed.)

The CPU that the server uses after a deadline, as it was sent to it, is read from outside, from the
CPU clocks of its threads: everything that runs there is counted, not only what the engine knows of.
"""
import collections
import contextlib
import random
import socket
import statistics
import threading
import time

import grpc
import hpack
from hyperframe import frame as frames

from measuring import (
    FIDELITY, Catalogue, Neighbours, Report, ThreadClocks, access_lines, arguments,
    generated_stubs, metrics, percent, quantile, say, serving, work_folder)

import wire  # Tests/Protocol, which `measuring` has made known

FIRST_TREES = 200
SIZE_TOLERANCE = 0.05
SIZE_TRIES = 5
SETTLING_NANOSECONDS = 4_000_000
PAUSE_SECONDS = 0.005
# A machine that others share is not as fast all the time: one whole batch in so many calls tells.
CALLS_A_PROBE, PROBE = 50, "probe"


class Client:
    """One call at a time, batches and users at random."""

    def __init__(self, stubs, server, catalogue, candidates, seed):
        self.stubs, self.candidates = stubs.score, candidates
        self.random = random.Random(seed)
        self.catalogue = catalogue
        self.channel = grpc.insecure_channel(
            server.target, options=[("grpc.use_local_subchannel_pool", 1)])
        self.score = stubs.score_rpc.PromotionScoreServiceStub(self.channel).Score
        grpc.channel_ready_future(self.channel).result(30)

    def request(self, **more):
        return self.stubs.ScoreRequest(
            item_ids=self.random.sample(self.catalogue.item_ids, self.candidates),
            user_id=self.random.choice(self.catalogue.user_ids), **more)


class DeadlineWatch:
    """Reads the server's CPU clock at a call's deadline, and again when it must be idle. In a
    thread of its own: the call that is late is the one that counts."""

    def __init__(self, pid):
        self.clocks, self.late, self.deadline = ThreadClocks(pid), [], None
        self.slipped = 0
        self.isRunning = True
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while self.isRunning:
            deadline = self.deadline
            if deadline is None:
                time.sleep(0.0005)
                continue
            time.sleep(max(0, deadline - time.monotonic_ns() - 150_000) / 1e9)
            while time.monotonic_ns() < deadline:
                pass
            at_deadline = self.clocks.nanoseconds()
            if time.monotonic_ns() - deadline > 500_000:
                self.slipped += 1
            time.sleep(SETTLING_NANOSECONDS / 1e9)
            self.late.append(self.clocks.nanoseconds() - at_deadline)
            self.deadline = None

    def wait(self):
        while self.deadline is not None:
            time.sleep(0.0005)

    def stop(self):
        self.isRunning = False
        self.thread.join()
        self.clocks.close()


def timeouts_sent(milliseconds, count=40):
    """What grpcio makes of a timeout: grpc-timeout in milliseconds, as often as it was sent."""
    seen = collections.Counter()

    def listen(listener):
        connection, _ = listener.accept()
        decoder, held = hpack.Decoder(), b""
        connection.sendall(frames.SettingsFrame(0).serialize())
        while data := connection.recv(1 << 16):
            held += data
            held = held.removeprefix(wire.PREFACE)
            while len(held) >= 9:
                made, length = frames.Frame.parse_frame_header(memoryview(held[:9]))
                if len(held) < 9 + length:
                    break
                made.parse_body(memoryview(held[9:9 + length]))
                held = held[9 + length:]
                if isinstance(made, frames.HeadersFrame):
                    seen[dict(decoder.decode(made.data))["grpc-timeout"]] += 1

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=listen, args=(listener,), daemon=True).start()
        with grpc.insecure_channel(f"127.0.0.1:{listener.getsockname()[1]}") as channel:
            method = channel.unary_unary("/nobody/Answers")
            for _ in range(count):
                with contextlib.suppress(grpc.RpcError):
                    method(b"", timeout=milliseconds / 1e3)
    # grpcio sends 1n for a call whose time is over before it is sent.
    units = {"n": 1e-6, "u": 1e-3, "m": 1, "S": 1_000}
    return {float(text[:-1]) * units[text[-1]]: times for text, times in sorted(seen.items())}


def score_times(server, client, count):
    """Medians in microseconds of whole answers: scoring, and all else of a call at the server."""
    before = len(server.stderr().splitlines())
    for _ in range(count):
        client.score(client.request(min_fidelity=4), timeout=60)
        # As between the calls that are measured: caches and cores have time to forget.
        time.sleep(PAUSE_SECONDS)
    lines = access_lines(server, before)
    assert len(lines) == count and all(line["status"] == "OK" for line in lines), lines[-3:]
    scoring = [int(line["score_us"]) for line in lines]
    besides = [int(line["duration_us"]) - int(line["score_us"]) for line in lines]
    return statistics.median(scoring), statistics.median(besides)


def sized(folder, catalogue, stubs, options, times):
    """A snapshot whose batches cost `times` what the deadline leaves: (folder, trees, microseconds
    available, microseconds of a whole batch)."""
    margin = min(1.0, 0.2 * options.timeout_ms)
    trees, tries = FIRST_TREES, []
    for turn in range(SIZE_TRIES):
        made = catalogue.write(folder / f"{times}-{turn}", trees)
        with serving(made, "--log-level", "debug") as server:
            client = Client(stubs, server, catalogue, options.candidates, options.seed)
            score_times(server, client, 10)
            whole, besides = score_times(server, client, 40)
            client.channel.close()
        available = 1_000 * (options.timeout_ms - margin) - besides
        say(f"{trees} trees: {whole:.0f} us a batch, {besides:.0f} us besides; "
            f"{whole / available:.2f} x the time available")
        missed = abs(whole / available / times - 1)
        tries.append((missed, made, trees, available, whole))
        if missed <= SIZE_TOLERANCE:
            break
        trees = max(8, round(trees * times * available / whole))
    return min(tries)[1:]


def run(server, client, options):
    """Answers by fidelity and errors by status; trees used, wall times and CPU after deadlines."""
    watch = DeadlineWatch(server.process.pid)
    outcomes, used, took = collections.Counter(), [], []
    try:
        for number in range(options.calls):
            if number % CALLS_A_PROBE == 0:
                client.score(client.request(min_fidelity=4, request_id=PROBE), timeout=60)
                time.sleep(PAUSE_SECONDS)
            request = client.request()
            began = time.monotonic_ns()
            watch.deadline = began + int(options.sent_ms * 1e6)
            try:
                answer = client.score(request, timeout=options.timeout_ms / 1e3)
                took.append(time.monotonic_ns() - began)
                outcomes[FIDELITY[answer.all_fidelity]] += 1
                used.append((answer.provenance.trees_used, answer.provenance.trees_total))
            except grpc.RpcError as error:
                outcomes[error.code().name] += 1
            watch.wait()
    finally:
        watch.stop()
    return outcomes, used, took, watch


def measure(times, folder, catalogue, stubs, options):
    made, trees, available, whole = sized(folder, catalogue, stubs, options, times)
    report = Report(f"{options.timeout_ms:g} ms, the whole model takes {whole / available:.1f} x "
                    f"the {available:.0f} us available ({trees} trees, {options.candidates} "
                    f"candidates, {options.calls} calls)")
    with serving(made, "--log-level", "debug") as server:
        client = Client(stubs, server, catalogue, options.candidates, options.seed + 1)
        # Costs are learned from calls that have time; that is no part of what is measured.
        score_times(server, client, 30)
        lines = len(server.stderr().splitlines())
        neighbours = Neighbours(server)
        outcomes, used, took, watch = run(server, client, options)
        neighbours.show(report)
        client.channel.close()
        costs = [metrics(server).sum("crescendo_learned_cost_seconds", level=level)
                 for level in ("eighth", "quarter", "half", "full")]
        seen = [(line.get("request_id"), int(line["score_us"]))
                for line in access_lines(server, lines)]
    spent = [score for name, score in seen if name != PROBE]
    probes = [score / available for name, score in seen if name == PROBE]
    if probes:
        report.figure("whole batches meanwhile: least, median, most", ", ".join(
            f"{value:.1f} x" for value in (min(probes), statistics.median(probes), max(probes))))
    answered = len(used)
    report.figure("outcomes", ", ".join(f"{name} {count}" for name, count in outcomes.items()))
    report.bar("OK at the client", f"{percent(answered, options.calls):.1f} %", ">= 99 %",
               percent(answered, options.calls) >= 99)
    if took:
        report.figure("latency at the client, ms: p50, p99, largest", ", ".join(
            f"{value / 1e6:.2f}" for value in (quantile(took, .5), quantile(took, .99), max(took))))
    report_levels(report, times, outcomes, used, spent, costs, (available, whole), options)
    report.bar("CPU after the deadline, p99.9", f"{quantile(watch.late, .999) / 1e3:.0f} us",
               "<= 1,000 us", quantile(watch.late, .999) <= 1_000_000)
    report.figure("CPU after the deadline, largest", f"{max(watch.late) / 1e3:.0f} us")
    report.figure("deadlines that the watch overslept by 0.5 ms", f"{watch.slipped}")
    return report.show()


def learned_share(part, shares):
    """Cost of a prefix of the trees, of the whole: by what the server has learned."""
    return shares[min(range(4), key=lambda level: abs(part - 2.0 ** (level - 3)))] if part else 0


def report_levels(report, times, outcomes, used, spent, costs, sizes, options):
    available, whole = sizes
    scoring = statistics.median(spent) if spent else 0
    report.figure("scoring, median by the access line",
                  f"{scoring:.0f} us = {percent(scoring, available):.0f} %")
    if times > 8:
        prior = percent(outcomes["PRIOR"], options.calls)
        report.bar("PRIOR", f"{prior:.1f} %", ">= 99 %", prior >= 99)
        touched = sum(trees > 0 for trees, _ in used)
        report.bar("answers with trees", f"{touched}", "0", touched == 0)
        # A cost that keeps calls from trees is doubted: now and then one call tries them.
        tried = sum(value > available / 4 for value in spent)
        report.figure("calls that tried trees in vain", f"{tried}")
        return
    partial = percent(outcomes["PARTIAL"], options.calls)
    report.bar("PARTIAL", f"{partial:.1f} %", ">= 95 %", partial >= 95)
    shares = [cost / costs[-1] for cost in costs]
    report.figure("learned cost of 1/8, 1/4, 1/2 of the trees, of the whole",
                  ", ".join(f"{share:.3f}" for share in shares[:3]))
    kept = [percent(learned_share(trees / total, shares) * whole, available)
            for trees, total in used] or [0]
    report.bar("time in trees that the answer has, median", f"{statistics.median(kept):.0f} %",
               ">= 60 %", statistics.median(kept) >= 60)


def main():
    options = arguments(__doc__, calls=1_000, candidates=2_000, timeout_ms=5.0)
    if options.quick:
        options.calls //= 5
    with work_folder() as folder:
        stubs = generated_stubs(folder / "stubs")
        sent = timeouts_sent(options.timeout_ms)
        options.sent_ms = max(sent, key=sent.get)
        say(f"a timeout of {options.timeout_ms:g} ms is sent as " + ", ".join(
            f"{timeout}m ({count} of {sum(sent.values())})" for timeout, count in sent.items()))
        catalogue = Catalogue(options.seed)
        return max([measure(times, folder, catalogue, stubs, options) for times in (6, 50)])


if __name__ == "__main__":
    raise SystemExit(main())
