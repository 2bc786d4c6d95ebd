"""A server that runs out of descriptors, or of connections that it may have."""

import resource
import socket

from scrape import Metrics, eventually
from wire import PREFACE, Connection


def turned_away(dialed):
    """Of these sockets, those that the server closes: a preface's answer comes from all others."""
    away = []
    for one in dialed:
        one.settimeout(20)
        try:
            if one.recv(1) == b"":
                away.append(one)
        except ConnectionError:
            away.append(one)
    return away


def dial(server, count):
    settings = b"\0\0\0\4\0\0\0\0\0"
    made = []
    for _ in range(count):
        one = socket.create_connection((server.host, server.port), timeout=20)
        one.sendall(PREFACE + settings)
        made.append(one)
    return made


def test_no_descriptors(stubs, small, start, connect):
    server = start(small, "--loops", 2, "--admin", "127.0.0.1:0")
    request = stubs.ScoreRequest(item_ids=[1])
    client = connect(server)
    client.score(request)
    _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (64, hard))
    dialed = dial(server, 100)
    away = turned_away(dialed)
    assert 100 - 64 <= len(away) < 100, len(away)
    # Who is in goes on, and nobody turns the loops for nothing: connections that wait in vain
    # would wake their loop each time it looks.
    client.score(request)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (hard, hard))
    before = Metrics(server).sum("crescendo_loop_turns_total")
    for _ in range(10):
        client.score(request)
    assert Metrics(server).sum("crescendo_loop_turns_total") - before < 500
    for one in dialed:
        one.close()
    connect(server).score(request)


def test_no_more_connections(stubs, small, start, connect):
    server = start(small, "--loops", 2, "--limit", "connections=8", "--admin", "127.0.0.1:0")
    with Connection(server.port) as first:
        first.ping()
        dialed = dial(server, 20)
        away = turned_away(dialed)
        assert len(away) == 20 - 7, len(away)
        first.ping()
        for one in dialed:
            one.close()
    eventually(server, lambda metrics: metrics.sum("crescendo_connections") == 0)
    connect(server).score(stubs.ScoreRequest(item_ids=[1]))


def test_the_soft_limit_is_raised(small, start):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
    try:
        server = start(small)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE) == (hard, hard)
