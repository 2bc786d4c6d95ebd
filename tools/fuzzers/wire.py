"""`tools/fuzz wire`: mutated requests on good connections, and connections of mutated frames."""

import argparse
import collections
import pathlib
import random
import socket
import struct
import sys
import tempfile
import time
import types
import zlib

import hpack

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "Tests/Protocol"))

import assemble  # noqa: E402
import conftest  # noqa: E402
import mutations  # noqa: E402
import process  # noqa: E402
import scrape  # noqa: E402
import snapshots  # noqa: E402
import wire  # noqa: E402

SERVICE = "/crescendo.v1.PromotionScoreService/"
TIMEOUTS = ["1u", "1m", "1S", "99999999H", "0n", "", "x", "-1S", "1SS"]
AT_ONCE = 64


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(
        ">I", stream) + payload


def headers(path, extra=()):
    encoder = hpack.Encoder()
    encoder.header_table_size = 0
    return encoder.encode(wire.request_headers(path, extra=extra), huffman=False)


def deflated(payload):
    made = zlib.compressobj(6, zlib.DEFLATED, 31)
    return made.compress(payload) + made.flush()


class Corpus:
    """Good requests, and their mutations."""

    def __init__(self, stubs, snapshot, seed):
        self.random = random.Random(seed)
        self.stubs = stubs.score
        self.ids = [int(key) for key in snapshot.items.ids]
        self.plain = [self.request() for _ in range(400)]
        self.many = [self.stubs.ScoreManyRequest(
            sequence=at, timeout_us=at % 3 * 1_000, request=request).SerializeToString()
            for at, request in enumerate(self.plain[:100])]
        self.plain = [request.SerializeToString() for request in self.plain]
        self.check = stubs.health.HealthCheckRequest(
            service="crescendo.v1.PromotionScoreService").SerializeToString()
        self.blocks = [headers(SERVICE + method) for method in ("Score", "StreamScores")]
        self.many_block = headers(SERVICE + "ScoreMany")
        self.check_block = headers("/grpc.health.v1.Health/Check")
        self.zipped = [headers(SERVICE + "Score", [("grpc-encoding", "gzip"),
                                                   ("grpc-accept-encoding", "gzip")])]
        self.odd = [headers(SERVICE + "Score", [("grpc-timeout", value)]) for value in TIMEOUTS]

    def request(self):
        """One of every shape that the contract has."""
        rnd, stubs = self.random, self.stubs
        request = stubs.ScoreRequest(
            request_id="r" * rnd.choice([0, 5, 64]), user_id=rnd.choice([0, 5, 1 << 63]),
            min_fidelity=rnd.randrange(5), want_raw=rnd.random() < 0.5)
        count = rnd.choice([0, 1, 3, 20, 200])
        if rnd.random() < 0.8:
            request.item_ids.extend(rnd.choices(self.ids + [0, 7], k=count))
        else:
            request.item_uris.extend(f"item:{at:x}" for at in range(count))
        request.context.time_unix_ms = 1_700_000_000_000
        request.context.market = rnd.choice(["SE", "", "US"])
        request.context.surface = "radio"
        if rnd.random() < 0.5:
            request.candidate_columns.add(name=rnd.choice(["skips", "recent_plays_7d"]), values=[1.5] * count)
        if rnd.random() < 0.3:
            request.user_columns.add(name="plays_log", values=[3])
        return request

    def message(self, good):
        """A mutated message in its frame of five bytes, which may be wrong too."""
        rnd = self.random
        shape = rnd.randrange(20)
        if shape == 0:
            return wire.message(mutations.nested(rnd))
        if shape == 1:
            return mutations.blind(rnd, wire.message(good))
        payload = mutations.blind(rnd, good)
        if shape == 2:
            return wire.message(payload, length=rnd.choice([0, 1, len(payload) + 1, 1 << 31]))
        return wire.message(payload)

    def call(self, stream):
        """The frames of one call."""
        rnd = self.random
        kind = rnd.randrange(20)
        if kind < 13:
            block, body = rnd.choice(self.blocks), self.message(rnd.choice(self.plain))
        elif kind < 15:
            block = rnd.choice(self.zipped)
            packed = deflated(rnd.choice(self.plain))
            body = wire.message(
                mutations.blind(rnd, packed) if rnd.random() < 0.8 else packed, flag=1)
        elif kind < 18:
            block = self.many_block
            body = b"".join(self.message(rnd.choice(self.many)) for _ in range(rnd.randrange(1, 5)))
        elif kind < 19:
            block, body = self.check_block, self.message(self.check)
        else:
            block, body = rnd.choice(self.odd), self.message(rnd.choice(self.plain))
        body = body[:16_000]
        made = frame(1, 4, stream, block)
        if rnd.random() < 0.1 and body:
            cut = rnd.randrange(len(body))
            return made + frame(0, 0, stream, body[:cut]) + frame(0, 1, stream, body[cut:])
        return made + frame(0, 1, stream, body)


class Link:
    """A connection that only looks for the ends of streams, and reads some of their statuses."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # No dynamic table: each block can be read by itself. All the window there is.
        settings = struct.pack(">HIHI", 1, 0, 4, (1 << 31) - 1)
        self.socket.sendall(wire.PREFACE + frame(4, 0, 0, settings) + frame(4, 1, 0) + frame(
            8, 0, 0, struct.pack(">I", (1 << 31) - 1 - 65_535)))
        self.input, self.stream, self.statuses = b"", 1, collections.Counter()
        self.reads = 0

    def run(self, calls):
        """Sends the calls and reads until each has ended."""
        first = self.stream
        waiting = {first + 2 * at for at in range(len(calls))}
        self.stream += 2 * len(calls)
        self.socket.sendall(b"".join(call(first + 2 * at) for at, call in enumerate(calls)))
        while waiting:
            data = self.socket.recv(1 << 18)
            assert data, f"the connection was closed with {len(waiting)} calls open"
            self.input += data
            at = 0
            while len(self.input) - at >= 9:
                length = int.from_bytes(self.input[at:at + 3], "big")
                if len(self.input) - at < 9 + length:
                    break
                kind, flags = self.input[at + 3], self.input[at + 4]
                stream = int.from_bytes(self.input[at + 5:at + 9], "big")
                if kind == 7:
                    raise AssertionError(f"GOAWAY {self.input[at:at + 9 + length]}")
                if kind == 3 or (kind in (0, 1) and flags & 1):
                    waiting.discard(stream)
                    self.note(kind, self.input[at + 9:at + 9 + length])
                at += 9 + length
            self.input = self.input[at:]

    def note(self, kind, payload):
        self.reads += 1
        if kind != 1:
            self.statuses["RST_STREAM" if kind == 3 else "no trailers"] += 1
        elif self.reads % 16 == 0:
            self.statuses[dict(hpack.Decoder().decode(payload)).get("grpc-status", "none")] += 1


def requests(server, corpus, count, prove):
    """Mutated requests; the statuses that a sixteenth of them got."""
    statuses, link, done, shown = collections.Counter(), None, 0, time.monotonic()
    while done < count:
        if link is None or link.stream > 1 << 20:
            if link:
                statuses += link.statuses
                link.socket.close()
            link = Link(server.port)
        link.run([corpus.call] * AT_ONCE)
        done += AT_ONCE
        if done % (AT_ONCE * 100) == 0:
            prove()
            if time.monotonic() - shown > 10:
                shown = time.monotonic()
                print(f"  {done:,} requests", flush=True)
    statuses += link.statuses
    link.socket.close()
    return done, statuses


def connections(server, corpus, count, prove):
    """Connections of mutated frames; how many frames that were."""
    rnd, sent, shown = corpus.random, 0, time.monotonic()
    for done in range(1, count + 1):
        chain = [wire.PREFACE, frame(4, 0, 0, struct.pack(">HI", 4, 1 << 20)), frame(4, 1, 0),
                 frame(8, 0, 0, struct.pack(">I", 1 << 20))]
        for at in range(rnd.randrange(1, 6)):
            stream = 2 * at + 1
            block, body = rnd.choice(corpus.blocks), wire.message(rnd.choice(corpus.plain))[:9_000]
            if rnd.random() < 0.2:
                cut = rnd.randrange(len(block))
                chain += [frame(1, 0, stream, block[:cut]), frame(9, 4, stream, block[cut:])]
            else:
                chain.append(frame(1, 4, stream, block))
            chain.append(frame(0, 1, stream, body))
            if rnd.random() < 0.2:
                chain.append(frame(3, 0, stream, struct.pack(">I", 8)))
        chain.append(frame(6, 0, 0, b"12345678"))
        chain = mutations.frames(rnd, chain)
        sent += len(chain)
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as one:
            try:
                one.sendall(b"".join(chain))
                if done % 4:
                    one.shutdown(socket.SHUT_WR)
                    while one.recv(1 << 18):
                        pass
                elif done % 8 == 0:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            except ConnectionError:
                pass
        if done % 2_000 == 0:
            prove()
            if time.monotonic() - shown > 10:
                shown = time.monotonic()
                print(f"  {done:,} connections, {sent:,} frames", flush=True)
    return sent


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=900_000)
    parser.add_argument("--connections", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "stubs").mkdir()
        stubs = conftest.Stubs(folder / "stubs")
        snapshot = assemble.Snapshot(snapshots.everything(folder, options.seed % 1_000))
        server = process.Server(snapshot.folder, "--loops", 2, "--shards", 2, "--admin",
                                "127.0.0.1:0")
        good = conftest.Raw(stubs.score, snapshot, server)

        def prove():
            server.check()
            good.still_good()

        corpus = Corpus(stubs, snapshot, options.seed)
        began = time.monotonic()
        done, statuses = requests(server, corpus, options.requests, prove)
        sent = connections(server, corpus, options.connections, prove)
        prove()
        good.connection.socket.close()
        idle = types.SimpleNamespace(admin=server.admin)
        scrape.eventually(idle, lambda one: one.sum("crescendo_connections") == 0
                          and one.sum("crescendo_streams") == 0)
        resident = server.rss_bytes()
        server.stop()
    total = done + sent
    print(f"{done:,} mutated requests and {sent:,} frames ({options.connections:,} connections) in "
          f"{time.monotonic() - began:.0f} s: {total:,} in all, 0 crashes, 0 leaks")
    print("statuses of a sixteenth: " + ", ".join(
        f"{name}: {count:,}" for name, count in statuses.most_common()))
    print(f"resident at the end: {resident >> 20} MiB")
    # A fuzzer whose every request fails, or succeeds, looks at nothing.
    assert statuses["0"] > 0 and statuses["3"] > 0 and statuses["13"] > 0, statuses


if __name__ == "__main__":
    main()
