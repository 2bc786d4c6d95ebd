"""The admin port: what /metrics says is what happened, to the call; health pages; bad clients."""

import random
import select
import signal
import socket
import struct
import threading
import time

import grpc
import pytest

import process
import wire
from scrape import Metrics, check_histogram, eventually, get, handled

SERVICE = "crescendo.v1.PromotionScoreService"
TYPES = {"counter", "gauge", "histogram"}
# Limits.adminConnections
ADMIN_CONNECTIONS = 64


@pytest.fixture
def admin(start, small):
    return start(small, "--loops", 2, "--admin", "127.0.0.1:0")


def failing(call, code):
    with pytest.raises(grpc.RpcError) as caught:
        call()
    assert caught.value.code() == code, caught.value


def test_counts_are_those_of_the_calls(stubs, generated, small, admin, connect):
    good, unknown_model, broken, other, checks = 25, 7, 5, 3, 4
    ids = [int(key) for key in small.items.ids[:3]]
    client = connect(admin)
    request = stubs.ScoreRequest(item_ids=[*ids, 0])  # one is unknown
    asked, told = 0, 0
    for _ in range(good):
        answer = client.score(request)
        asked += request.ByteSize()
        told += answer.ByteSize()
    for _ in range(unknown_model):
        failing(lambda: client.score(stubs.ScoreRequest(model="no such")),
                grpc.StatusCode.INVALID_ARGUMENT)
    for _ in range(broken):
        failing(lambda: client.call(wire.SCORE, b"\xff\xff\xff"), grpc.StatusCode.INTERNAL)
    for at in range(other):
        failing(lambda: client.call(f"/made.up{at}/Method{at}", b""),
                grpc.StatusCode.UNIMPLEMENTED)
    for _ in range(checks):
        client.health.Check(generated.health.HealthCheckRequest())

    total = good + unknown_model + broken + other + checks
    metrics = eventually(admin, lambda one: handled(one) >= total)
    score = {"grpc_type": "unary", "grpc_service": SERVICE, "grpc_method": "Score"}
    unknown = {"grpc_type": "bidi_stream", "grpc_service": "other", "grpc_method": "other"}
    wanted = {"OK": good, "InvalidArgument": unknown_model, "Internal": broken}
    for code in wanted:
        assert metrics.value("grpc_server_handled_total", **score, grpc_code=code) == wanted[code]
    assert metrics.value("grpc_server_handled_total", **unknown,
                         grpc_code="Unimplemented") == other
    assert handled(metrics, grpc_method="Check", grpc_code="OK") == checks
    assert handled(metrics) == total
    calls = good + unknown_model + broken
    assert metrics.value("grpc_server_started_total", **score) == calls
    assert metrics.sum("grpc_server_started_total") == total
    assert metrics.value("grpc_server_msg_received_total", **score) == calls
    assert metrics.value("grpc_server_msg_sent_total", **score) == good
    assert metrics.value("grpc_server_handling_seconds_count", **score) == calls
    assert metrics.sum("grpc_server_handling_seconds_count") == total

    method = {"grpc_method": f"{SERVICE}/Score"}
    assert metrics.value("grpc_server_call_started_total", **method) == calls
    assert metrics.value("grpc_server_call_started_total", grpc_method="other") == other
    status = {**method, "grpc_status": "OK"}
    assert metrics.value("grpc_server_call_duration_seconds_count", **status) == good
    size = "total_compressed_message_size_bytes"
    assert metrics.value(f"grpc_server_call_rcvd_{size}_count", **status) == good
    assert metrics.value(f"grpc_server_call_rcvd_{size}_sum", **status) == asked
    assert metrics.value(f"grpc_server_call_sent_{size}_sum", **status) == told
    assert metrics.value("crescendo_candidates_total", fidelity="full", reason="ok") == 3 * good
    assert metrics.value(
        "crescendo_candidates_total", fidelity="none", reason="unknown_item") == good
    assert metrics.sum("crescendo_candidates_total") == 4 * good
    assert "made.up" not in metrics.text


def test_the_text_is_whole(small, admin, stubs, connect):
    connect(admin).score(stubs.ScoreRequest(item_ids=[1]))
    metrics = eventually(admin, lambda one: handled(one) >= 1)
    kinds = {}
    for family in metrics.families:
        assert family.documentation, family.name
        assert family.type in TYPES, family
        kinds[family.name] = family.type
        for sample in family.samples:
            if family.type == "counter":
                assert sample.name.endswith("_total") and sample.value >= 0, sample
        if family.type == "histogram":
            check_histogram(family)
    lines = metrics.text.splitlines()
    assert sum(line.startswith("# TYPE ") for line in lines) == len(metrics.families)
    assert kinds["grpc_server_handling_seconds"] == "histogram"
    # Every method and code is there from the start.
    assert len([1 for name, _ in metrics.values if name == "grpc_server_handled_total"]) == 14 * 17
    assert metrics.value("crescendo_build_info", version=version()) == 1
    assert metrics.sum("crescendo_snapshot_info", version=small.version) >= 1
    assert metrics.value("crescendo_snapshot_info", version=small.version,
                         model=small.manifest["default_model"]) == 1
    assert metrics.value("crescendo_limit", name="messageBytes") == 4 << 20
    assert metrics.value("process_resident_memory_bytes") > 1 << 20
    assert metrics.value("process_cpu_seconds_total") > 0
    for name in ("crescendo_snapshot_age_seconds", "crescendo_queue_delay_seconds",
                 "crescendo_score_seconds", "crescendo_encode_seconds", "crescendo_work_seconds",
                 "crescendo_refusals", "crescendo_cancellations", "crescendo_connections",
                 "crescendo_streams", "crescendo_held_bytes", "crescendo_loop_turns",
                 "crescendo_writes", "crescendo_learned_cost_seconds"):
        assert name in kinds, f"{name} is missing"


def version():
    done = process.run("version")
    return done.stdout.split()[1]


def test_nothing_is_lost_while_scraping(stubs, small, admin, connect, seed):
    clients, each, scrapes = 4, 250, 200
    ids = [int(key) for key in small.items.ids]
    dice, failures, sent = random.Random(seed), [], [0] * clients
    batches = [[dice.choice(ids) for _ in range(dice.randrange(1, 400))] for _ in range(40)]

    def talk(number, client):
        try:
            for at in range(each):
                batch = batches[(number * each + at) % len(batches)]
                client.score(stubs.ScoreRequest(item_ids=batch))
                sent[number] += len(batch)
        except Exception as error:  # told by the test's own thread
            failures.append(repr(error))

    threads = [threading.Thread(target=talk, args=(number, connect(admin)))
               for number in range(clients)]
    for thread in threads:
        thread.start()
    before = (0, 0)
    for _ in range(scrapes):
        metrics = Metrics(admin)
        for family in metrics.families:
            if family.type == "histogram":
                check_histogram(family)
        now = (handled(metrics), metrics.sum("crescendo_candidates_total"))
        assert now[0] >= before[0] and now[1] >= before[1], f"seed {seed}: {before}, then {now}"
        before = now
    for thread in threads:
        thread.join()
    assert not failures, f"seed {seed}: {failures}"
    metrics = eventually(admin, lambda one: handled(one) >= clients * each)
    assert handled(metrics) == handled(metrics, grpc_code="OK") == clients * each
    assert metrics.sum("grpc_server_handling_seconds_count") == clients * each
    assert metrics.sum("crescendo_candidates_total") == sum(sent)


def test_pages(admin):
    assert get(admin, "/healthz")[::2] == (200, "alive\n")
    assert get(admin, "/readyz")[::2] == (200, "SERVING\n")
    for path in ("/", "/metrics/x", "/metricsx", "/METRICS", "/favicon.ico"):
        assert get(admin, path)[0] == 404, path
    status, headers, _ = get(admin, "/metrics", method="POST", body=b"x" * 3_000)
    assert status == 405 and headers["Allow"] == "GET"


def test_ready_until_told_to_stop(small):
    server = process.Server(small.folder, "--admin", "127.0.0.1:0")
    try:
        with wire.Connection(server.port) as connection:
            # A call whose message never ends keeps the drain waiting.
            connection.data(connection.open(), wire.message(b"\x00", length=100))
            connection.ping()
            assert get(server, "/readyz")[0] == 200
            server.process.send_signal(signal.SIGTERM)
            limit = time.monotonic() + 4
            while get(server, "/readyz")[0] == 200:
                assert time.monotonic() < limit, "ready after SIGTERM" + server.story()
            assert get(server, "/readyz")[::2] == (503, "NOT_SERVING\n")
            assert get(server, "/healthz")[0] == 200
        assert server.process.wait(timeout=process.patience(30)) == 0, server.story()
        with pytest.raises(OSError):
            get(server, "/healthz")
        assert not process.CRASH.search(server.stderr()), server.story()
    finally:
        server.kill()


def test_bad_clients_hurt_nobody(stubs, admin, connect):
    host, port = admin.admin.rsplit(":", 1)

    def dial():
        return socket.create_connection((host, int(port)), timeout=20)

    # More idle ones than may wait: the oldest are closed.
    idle = [dial() for _ in range(100)]
    for one in idle[::2]:
        one.sendall(b"GET /metr")
    # Ones that leave before their answer, by FIN and by RST: a write to them must not be a signal.
    for at in range(40):
        with dial() as one:
            one.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            if at % 2:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    for junk in (b"\r\n\r\n", b"\x00" * 9_000 + b"\r\n\r\n", wire.PREFACE,
                 b"GET /metrics HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                 b"POST /metrics HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
                 b"GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"):
        with dial() as one:
            one.sendall(junk)
            one.shutdown(socket.SHUT_WR)
            # It is answered, closed, or left to wait for its turn to be closed: never a crash.
            one.settimeout(1)
            try:
                while one.recv(1 << 16):
                    pass
            except (ConnectionError, TimeoutError):
                pass
    assert get(admin, "/healthz")[0] == 200
    # Which ones were closed depends on when their bytes came in; that as many were as had to be
    # does not.
    waiting = set(idle)
    bound = time.monotonic() + 20
    while len(waiting) > ADMIN_CONNECTIONS and time.monotonic() < bound:
        for one in select.select(list(waiting), [], [], 1)[0]:
            try:
                assert one.recv(1) == b""
            except ConnectionError:
                pass
            waiting.discard(one)
    assert len(waiting) <= ADMIN_CONNECTIONS, len(waiting)
    for one in idle:
        one.close()
    connect(admin).score(stubs.ScoreRequest(item_ids=[1]))
    assert handled(eventually(admin, lambda one: handled(one) >= 1)) == 1
    admin.check()


def test_refused_addresses(small):
    def serve(*arguments):
        return process.run("serve", "--listen", "127.0.0.1:0", "--snapshot", small.folder,
                           *arguments)

    for bad, words in (("nonsense", "HOST:PORT"), ("0.0.0.0:0", "--plaintext")):
        done = serve("--admin", bad)
        assert done.returncode == 2 and words in done.stderr, process.explain(done)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = serve("--admin", f"127.0.0.1:{port}")
        assert done.returncode == 1 and f"--admin 127.0.0.1:{port}" in done.stderr, (
            process.explain(done))
        assert "in use" in done.stderr, process.explain(done)
