"""The command line: the same answers as grpcio, exit codes, and messages that say what to do."""

import json
import socket

import pytest

import process

KEYS = {"position", "item", "score", "boost", "fidelity", "reason", "campaign"}


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def score(server, *arguments, **options):
    if process.SANITIZER and "--timeout" not in arguments:
        arguments = (*arguments, "--timeout", f"{process.patience(1)}s")
    return process.run("score", "--target", server.target, *arguments, **options)


def parsed(done):
    assert done.returncode == 0, process.explain(done)
    return json.loads(done.stdout)


def agree(stubs, snapshot, client, request, ask):
    """grpcio before and after, since hour and weekday are the server's clock: one of them agrees.

    `ask` runs the command line; its JSON. What differs fails.
    """
    before = client.score(request)
    said = ask()
    after = client.score(request)
    assert set(said) >= {"request_id", "snapshot", "model", "results"}, said
    assert said["request_id"] and said["snapshot"] == snapshot.version
    assert said["model"] == before.provenance.model
    results = {result["position"]: result for result in said["results"]}
    count = len(request.item_ids) or len(request.item_uris)
    assert sorted(results) == list(range(count)), sorted(results)
    names = list(request.item_uris) or [str(key) for key in request.item_ids]
    for at in range(count):
        result = results[at]
        assert set(result) >= KEYS, f"keys missing: {KEYS - set(result)}"
        assert result["item"] == names[at] and result["campaign"] is None, result
        wanted = [(answer.scores[at], fidelity(stubs, answer, at)) for answer in (before, after)]
        got = (result["score"], (result["fidelity"], result["reason"]))
        assert any(close(got[0], one[0]) and got[1] == one[1] for one in wanted), (result, wanted)
    return said


def close(printed, score):
    """The same float32: JSON may print the shortest digits that give it back."""
    import numpy as np
    return np.float32(printed) == np.float32(score)


def fidelity(stubs, answer, at):
    level = answer.fidelities[at] if answer.fidelities else answer.all_fidelity
    reason = answer.reasons[at] if answer.reasons else answer.all_reason
    return (stubs.Fidelity.Name(level).removeprefix("FIDELITY_"),
            stubs.Reason.Name(reason).removeprefix("REASON_"))


def test_score_by_id(stubs, everything, server, client):
    keys = [int(key) for key in everything.items.ids[:20]] + [12345]
    request = stubs.ScoreRequest(item_ids=keys, user_id=int(everything.users.ids[2]))
    request.context.market, request.context.surface = "SE", "radio"
    agree(stubs, everything, client, request, lambda: parsed(score(
        server, "--user", request.user_id, "--market", "SE", "--surface", "radio",
        "--items", ",".join(map(str, keys)), "--output", "json")))


def test_score_by_uri(stubs, everything, server, client):
    uris = everything.items.uris[:20] + ["spotify:track:nowhere"]
    request = stubs.ScoreRequest(item_uris=uris, user_uri=everything.users.uris[4])
    agree(stubs, everything, client, request, lambda: parsed(score(
        server, "--user", request.user_uri, "--items", ",".join(uris), "--output", "json")))


def test_hexadecimal_ids(stubs, everything, server, client):
    keys = [int(key) for key in everything.items.ids[:3]]
    request = stubs.ScoreRequest(item_ids=keys, user_id=int(everything.users.ids[2]))
    agree(stubs, everything, client, request, lambda: parsed(score(
        server, "--user", hex(request.user_id), "--items", ",".join(map(hex, keys)),
        "--output", "json")))


@pytest.mark.parametrize("by", ["file", "standard input"])
def test_items_from_a_file(stubs, everything, server, client, tmp_path, by):
    keys = [int(key) for key in everything.items.ids[:3_000]]
    text = "# candidates\n\n" + "".join(f"{key}\n" for key in keys) + "# end"
    path = tmp_path / "items.txt"
    path.write_text(text)
    request = stubs.ScoreRequest(item_ids=keys)
    arguments = ("--items-file", path if by == "file" else "-", "--output", "json", "--user", "0")
    agree(stubs, everything, client, request, lambda: parsed(score(
        server, *arguments, input=text if by != "file" else None)))


def test_the_table_ranks(stubs, everything, server, client):
    uris = everything.items.uris[:12]
    done = score(server, "--user", everything.users.uris[1], "--items", ",".join(uris))
    assert done.returncode == 0, process.explain(done)
    assert not [uri for uri in uris if uri not in done.stdout], process.explain(done)
    assert "\x1b[" not in done.stdout, "colour without a terminal" + process.explain(done)
    answer = client.score(stubs.ScoreRequest(item_uris=uris, user_uri=everything.users.uris[1]))
    best = uris[max(range(12), key=lambda at: answer.scores[at])]
    lines = [line for line in done.stdout.splitlines() if any(uri in line.split() for uri in uris)]
    assert len(lines) == 12 and best in lines[0].split(), process.explain(done)
    assert everything.version in done.stdout, "not where it comes from" + process.explain(done)


def test_top(everything, server):
    uris = everything.items.uris[:12]
    done = score(server, "--user", "1", "--top", "3", "--items", ",".join(uris), "--output", "json")
    results = parsed(done)["results"]
    assert len(results) == 3
    scores = [result["score"] for result in results]
    whole = parsed(score(server, "--user", "1", "--items", ",".join(uris), "--output", "json"))
    best = sorted((result["score"] for result in whole["results"]), reverse=True)[:3]
    assert scores == best, (scores, best)


def test_an_empty_list(server):
    """Nobody asks about nothing on purpose: the usual cause is a wrong file."""
    done = score(server, "--user", "1", "--items-file", "-", "--output", "json", input="# none\n")
    assert done.returncode == 2 and "no item" in done.stderr, process.explain(done)


@pytest.mark.parametrize("command", [["score", "--user", "1", "--items", "1,2"], ["health"]])
def test_unreachable(command):
    port = free_port()
    done = process.run(command[0], "--target", f"127.0.0.1:{port}", *command[1:])
    assert done.returncode == 3, process.explain(done)
    wanted = (f"cannot reach 127.0.0.1:{port}: connection refused; is crescendo serve running?")
    assert wanted in done.stderr.replace("Connection refused", "connection refused"), (
        process.explain(done))


def test_not_a_grpc_server():
    """Something listens and says nothing of use: an error within the timeout, not a hang."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        target = f"127.0.0.1:{other.getsockname()[1]}"
        done = process.run("score", "--target", target, "--user", "1", "--timeout", "500ms",
                           "--items", "1", timeout=20)
        assert done.returncode in (3, 4) and done.stderr, process.explain(done)


def test_deadline(everything, server):
    keys = ",".join(str(int(key)) for key in everything.items.ids[:3_000])
    done = score(server, "--user", "1", "--timeout", "1us", "--items", keys)
    assert done.returncode == 4 and "DEADLINE_EXCEEDED" in done.stderr, process.explain(done)


def test_refusal(server, tmp_path):
    path = tmp_path / "many.txt"
    path.write_text("\n".join(str(at + 1) for at in range(10_001)))
    done = score(server, "--user", "1", "--items-file", path)
    assert done.returncode == 4 and "RESOURCE_EXHAUSTED" in done.stderr, process.explain(done)
    assert not done.stdout, process.explain(done)


@pytest.mark.parametrize("arguments", [
    ["nonesuch"], ["score"], ["score", "--target", "127.0.0.1:1"], ["serve"],
    ["score", "--target", "127.0.0.1:1", "--user", "1", "--items", "1", "--timeout", "soon"],
    ["score", "--target", "127.0.0.1:1", "--user", "1", "--items", "1", "--output", "xml"],
    ["score", "--target", "127.0.0.1", "--user", "1", "--items", "1"],
    ["score", "--target", "127.0.0.1:99999", "--user", "1", "--items", "1"],
    ["score", "--target", "127.0.0.1:1", "--user", "1", "--items", "1", "--items-file", "-"],
    ["serve", "--listen", "127.0.0.1:0", "--snapshot", "x", "--fanout", "perhaps"],
    ["serve", "--listen", "127.0.0.1:0", "--snapshot", "x", "--loops", "0"],
    ["snapshot", "verify"], ["health", "--bogus"]])
def test_usage(arguments):
    done = process.run(*arguments, input="")
    assert done.returncode == 2 and done.stderr and not done.stdout, process.explain(done)


def test_health(server):
    done = process.run("health", "--target", server.target)
    assert done.returncode == 0 and "SERVING" in done.stdout, process.explain(done)


def test_version_and_help():
    done = process.run("version")
    assert done.returncode == 0 and done.stdout.strip(), process.explain(done)
    done = process.run("--help")
    assert done.returncode == 0, process.explain(done)
    for name in ("serve", "score", "health", "snapshot", "version"):
        assert name in done.stdout, process.explain(done)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell):
    done = process.run("--generate-completion-script", shell)
    assert done.returncode == 0 and "crescendo" in done.stdout, process.explain(done)
    assert "snapshot" in done.stdout, process.explain(done)


def test_a_started_server_says_what_it_serves(everything, start):
    server = start(everything, "--loops", 2, "--shards", 3)
    line = next((line for line in server.stderr().splitlines() if everything.version in line), None)
    assert line, "no line names the snapshot" + server.story()
    wanted = ["default", str(len(everything.items.ids)), "2", "3"]
    assert not [word for word in wanted if word not in line], line


def test_a_port_that_is_taken(everything, server):
    done = process.run("serve", "--listen", server.target, "--snapshot", everything.folder)
    assert done.returncode not in (0, 2), process.explain(done)
    assert server.target in done.stderr and "in use" in done.stderr.lower(), process.explain(done)


def test_plaintext_beyond_loopback_is_asked_for(everything):
    """DESIGN 12: h2c by default only on loopback."""
    done = process.run("serve", "--listen", "0.0.0.0:0", "--snapshot", everything.folder)
    assert done.returncode == 2 and "--plaintext" in done.stderr, process.explain(done)
