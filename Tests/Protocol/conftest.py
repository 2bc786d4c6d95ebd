"""What the protocol tests share: generated stubs, snapshots, servers. process.py: the program."""

import os
import pathlib
import subprocess
import sys

import grpc
import pytest

import assemble
import process
import promoting
import snapshots
import wire

ROOT = process.ROOT
SEED = int(os.environ.get("CRESCENDO_TEST_SEED", "20261123"))


def pytest_configure(config):
    config.addinivalue_line("markers", "soak: long runs of mixed traffic")


def pytest_report_header():
    return f"CRESCENDO_TEST_SEED={SEED}"


@pytest.fixture(scope="session")
def seed():
    return SEED


class Stubs:
    """score_pb2 and health_pb2 with their service stubs, made from proto/ as it stands."""

    def __init__(self, folder):
        from grpc_tools import protoc
        files = sorted(str(path.relative_to(ROOT / "proto"))
                       for path in (ROOT / "proto").rglob("*.proto"))
        code = protoc.main(["protoc", f"-I{ROOT / 'proto'}", f"--python_out={folder}",
                            f"--grpc_python_out={folder}", *files])
        assert code == 0, f"protoc failed on {files}"
        # `grpc` is also grpcio's own package: the generated grpc/health/v1 joins it.
        sys.path.insert(0, str(folder))
        grpc.__path__.append(str(folder / "grpc"))
        from crescendo.v1 import allocation_pb2, allocation_pb2_grpc, campaign_pb2
        from crescendo.v1 import campaign_pb2_grpc, delivery_pb2, delivery_pb2_grpc
        from crescendo.v1 import score_pb2, score_pb2_grpc
        from grpc.health.v1 import health_pb2, health_pb2_grpc
        self.score, self.score_rpc = score_pb2, score_pb2_grpc
        self.campaign, self.campaign_rpc = campaign_pb2, campaign_pb2_grpc
        self.allocation, self.allocation_rpc = allocation_pb2, allocation_pb2_grpc
        self.delivery, self.delivery_rpc = delivery_pb2, delivery_pb2_grpc
        self.health, self.health_rpc = health_pb2, health_pb2_grpc


@pytest.fixture(scope="session")
def generated(tmp_path_factory):
    return Stubs(tmp_path_factory.mktemp("stubs"))


@pytest.fixture(scope="session")
def stubs(generated):
    """The messages of score.proto."""
    return generated.score


def pipeline(script, *arguments):
    """Runs one script of tools/pipeline in its own venv."""
    python = ROOT / ".venv-pipeline/bin/python"
    assert python.exists(), f"{python} does not exist: run `tools/setup pipeline`"
    done = subprocess.run([python, ROOT / "tools/pipeline" / script, *map(str, arguments)],
                          capture_output=True, text=True, timeout=600, cwd=ROOT)
    assert done.returncode == 0, (
        f"tools/pipeline/{script} {arguments}: exit {done.returncode}\n"
        f"{done.stdout}\n{done.stderr}")


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory):
    """The pipeline's catalogue, cut down."""
    folder = tmp_path_factory.mktemp("synthetic") / "snapshot"
    pipeline("synthetic.py", folder, "--items", 8_000, "--users", 2_000, "--trees", 60, "--seed",
             SEED % 1_000)
    return assemble.Snapshot(folder)


@pytest.fixture(scope="session")
def everything(tmp_path_factory):
    """Every dtype, source, missing kind; written by the tests' own Python."""
    return assemble.Snapshot(snapshots.everything(tmp_path_factory.mktemp("everything"), SEED))


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    return assemble.Snapshot(snapshots.small(tmp_path_factory.mktemp("small"), SEED))


@pytest.fixture(scope="session")
def shelf(tmp_path_factory):
    """Items with artists and releases, for campaigns; models of both outputs."""
    return assemble.Snapshot(promoting.shelf(tmp_path_factory.mktemp("shelf"), SEED))


@pytest.fixture(scope="session")
def lastfm(tmp_path_factory):
    data = pathlib.Path(os.environ.get("CRESCENDO_TEST_DATA", ROOT.parent / "shared/data"))
    if not (data / "lastfm2k").is_dir():
        pytest.skip(f"no lastfm2k in {data}: set CRESCENDO_TEST_DATA to the folder that has it")
    folder = tmp_path_factory.mktemp("lastfm") / "snapshot"
    pipeline("lastfm.py", folder)
    return assemble.Snapshot(folder)


class Servers:
    """Keeps one running server for each snapshot and arguments; a dead one is replaced."""

    def __init__(self):
        self.running = {}

    def get(self, snapshot, *arguments):
        key = (str(snapshot.folder), *map(str, arguments))
        if key not in self.running or not self.running[key].alive:
            self.running[key] = process.Server(snapshot.folder, *arguments)
        return self.running[key]


@pytest.fixture(scope="session")
def servers():
    made = Servers()
    yield made
    failures = []
    for server in made.running.values():
        try:
            if server.alive:
                server.stop()
        except AssertionError as error:
            failures.append(str(error))
    assert not failures, "\n".join(failures)


@pytest.fixture
def server(servers, everything):
    """A server on `everything`, shared; who kills it fails, and the next test gets a new one."""
    running = servers.get(everything, "--loops", 2)
    yield running
    running.check()


@pytest.fixture
def start():
    """Starts servers of one test's own, stopped with SIGTERM at its end."""
    made = []

    def begin(snapshot, *arguments):
        made.append(process.Server(getattr(snapshot, "folder", snapshot), *arguments))
        return made[-1]

    yield begin
    failures = []
    for running in made:
        try:
            running.stop()
        except AssertionError as error:
            failures.append(str(error))
            running.kill()
    assert not failures, "\n".join(failures)


class Client:
    """Stock grpcio on one channel."""

    def __init__(self, generated, target, options=()):
        self.channel = grpc.insecure_channel(target, options=[
            ("grpc.max_receive_message_length", 64 << 20), ("grpc.use_local_subchannel_pool", 1),
            *options])
        self.scores = generated.score_rpc.PromotionScoreServiceStub(self.channel)
        self.health = generated.health_rpc.HealthStub(self.channel)

    def score(self, request, timeout=process.patience(60), **options):
        return self.scores.Score(request, timeout=timeout, **options)

    def call(self, method, payload, timeout=process.patience(60)):
        """Any method, bytes in and bytes out."""
        return self.channel.unary_unary(method)(payload, timeout=timeout)


@pytest.fixture
def connect(generated):
    made = []

    def begin(server, options=()):
        made.append(Client(generated, server.target, options))
        return made[-1]

    yield begin
    for client in made:
        client.channel.close()


@pytest.fixture
def client(connect, server):
    return connect(server)


@pytest.fixture
def promote(generated, tmp_path, shelf):
    """Starts a server with campaigns, on the test's own folder, and a client of it; those that the
    test has not ended itself are stopped."""
    made = []

    def begin(*arguments, data=tmp_path / "data", snapshot=shelf):
        server = process.Server(snapshot.folder, "--data", data, "--loops", 2, *arguments)
        made.append(promoting.Promoter(generated, server, snapshot))
        return made[-1]

    yield begin
    failures = []
    for one in made:
        try:
            one.stop()
        except AssertionError as error:
            failures.append(str(error))
    assert not failures, "\n".join(failures)


class Raw:
    """A hand-made connection, with a good call to prove that it still works."""

    def __init__(self, stubs, snapshot, server):
        self.connection = wire.Connection(server.port)
        self.ids = [int(key) for key in snapshot.items.ids[:3]]
        request = stubs.ScoreRequest(item_ids=self.ids, want_raw=True, user_id=5)
        request.context.time_unix_ms = 1
        request.context.market = "SE"
        self.payload = request.SerializeToString()
        self.parse = stubs.ScoreResponse.FromString
        self.wanted = list(self.answer(self.connection.call(self.payload)).raw_scores)

    def answer(self, got):
        """The message of an OK answer."""
        assert (got.http_status, got.code) == ("200", "OK"), got
        assert got.headers[0]["content-type"].startswith("application/grpc"), got
        return self.parse(got.message)

    def accepted(self, got):
        """An OK answer that is the good request's own."""
        assert list(self.answer(got).raw_scores) == self.wanted, got

    def refused(self, got, code):
        """A Trailers-Only error: HTTP 200, one HEADERS frame, no body."""
        assert got.code == code, f"wanted {code}: {got}"
        assert got.http_status == "200" and len(got.headers) == 1 and not got.body, (
            f"not Trailers-Only: {got}")
        assert got.headers[0].get("content-type", "").startswith("application/grpc"), got
        assert got.text, f"no grpc-message: {got}"
        return got

    def still_good(self):
        self.accepted(self.connection.call(self.payload))


@pytest.fixture
def raw(stubs, everything, server):
    """Ends with a good call on the same connection."""
    made = Raw(stubs, everything, server)
    with made.connection:
        yield made
        server.check()
        made.still_good()


@pytest.fixture
def doomed(stubs, everything, server):
    """The same for tests that may end the connection: a good call on another one follows."""
    made = Raw(stubs, everything, server)
    with made.connection:
        yield made
    server.check()
    other = Raw(stubs, everything, server)
    with other.connection:
        other.still_good()
