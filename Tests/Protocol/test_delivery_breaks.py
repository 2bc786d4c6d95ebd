"""ReportExposures over connections that break, to clients that do not read, from many at a time."""

import threading

import process
import wire
from delivering import REPORT, Talk, heard, outcomes  # noqa: F401: heard is a fixture
from promoting import at_once
from streams import Narrow


def test_again_after_a_break(heard):
    """The connection ends somewhere between batches and acknowledgements; sent again from the last
    acknowledged one, everything is settled exactly once. Ten times."""
    for turn in range(10):
        tokens = heard.tokens(60)
        client = heard.another()
        talk, acked, settled, reported = Talk(client), -1, 0, 0
        for at, token in enumerate(tokens):
            talk.send(at, [token])
        for _ in range(turn):
            if acked < 59:
                answer = next(talk.call)
                acked, settled = answer.acked_through, settled + answer.settled
        client.channel.close()
        talk.end()
        rest = range(acked + 1, 60)
        answers = list(heard.deliveries.ReportExposures(
            iter([heard.batch(at, [tokens[at]]) for at in rest])))
        if len(rest):
            assert answers[-1].acked_through == 59
        settled += sum(one.settled for one in answers)
        repeated = set(outcomes(answers).values())
        assert repeated <= {heard.delivery.EXPOSURE_OUTCOME_DUPLICATE}, repeated
        reported = settled + len(outcomes(answers))
        assert reported == 60 and heard.state("one").exposures == 60 * (turn + 1)


def test_a_client_that_does_not_read(heard):
    """Without window for acknowledgements the server soon takes no more batches, however long they
    wait; with it everything comes, in order."""
    payload = wire.message(heard.batch(0, [b"x"] * 200).SerializeToString())

    def numbered(sequence):
        return wire.message(heard.batch(sequence, [b"x"] * 200).SerializeToString())

    with Narrow(heard.server.port, window=0) as connection:
        stream = connection.open(wire.request_headers(REPORT))
        sent = 0
        while connection.windows[stream] >= len(payload) + 16_000 or sent < 10:
            connection.data(stream, numbered(sent))
            sent += 1
            if sent % 32 == 0:
                connection.ping()
            assert sent < 20_000, "it takes batches without end"
        connection.ping()
        assert connection.windows[stream] < len(payload) + 16_000
        assert not connection.answers[stream].body
        connection.grant(stream, 1 << 30)
        connection.data(stream, numbered(sent), end=True)
        answer = connection.wait(stream)
    assert answer.code == "OK", answer
    acked, told, at = [], 0, 0
    while at < len(answer.body):
        length = int.from_bytes(answer.body[at + 1:at + 5], "big")
        one = heard.delivery.ReportExposuresResponse.FromString(answer.body[at + 5:at + 5 + length])
        acked.append(one.acked_through)
        told += len(one.exceptions) + one.exceptions_left_out
        at += 5 + length
    assert acked == sorted(set(acked)) and acked[-1] == sent and told == 200 * (sent + 1)
    print(f"{sent} batches taken before a reader came")


def test_many_clients(heard):
    """Sixteen streams of a thousand exposures each: all settled, all acknowledged."""
    tokens = heard.tokens(16_000)
    lock = threading.Lock()

    def work(number):
        with lock:
            client = heard.another()
        mine = tokens[number::16]
        answers = list(client.deliveries.ReportExposures(
            (client.batch(at, mine[20 * at:20 * at + 20]) for at in range(50)),
            timeout=process.patience(120)))
        client.channel.close()
        assert answers[-1].acked_through == 49
        return sum(one.settled for one in answers)

    assert at_once(16, work) == [1_000] * 16
    state = heard.state("one")
    assert (state.exposures, state.settled_micros) == (16_000, 160_000_000)
