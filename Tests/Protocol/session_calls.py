"""What the tests of sessions share: methods, statuses, requests."""

import oracle
from flow import MANY, STREAM  # noqa: F401: for those who import them from here
from session_wire import CALL, END, FIN, LAST, REPLY, prelude
from wire import SCORE

CHECK, WATCH = "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"
OK, CANCELLED, INVALID, DEADLINE, EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, LOSS = (
    0, 1, 3, 4, 8, 12, 13, 14, 15)
NOTHING = -2**31


def ids(snapshot, count):
    known = [int(key) for key in snapshot.items.ids]
    return [known[at % len(known)] for at in range(count)]


def request(stubs, everything, count=3):
    made = stubs.ScoreRequest(item_ids=ids(everything, count), want_raw=True)
    made.context.time_unix_ms = 1
    return made


def many(stubs, everything, sequence, count=3):
    return stubs.ScoreManyRequest(
        sequence=sequence, request=request(stubs, everything, count)).SerializeToString()


def good_call(session, stubs, everything, call=None):
    return session.frame(CALL, prelude(3) + request(stubs, everything).SerializeToString(),
                         flags=FIN, code=session.methods[SCORE],
                         call=call or session.next_call)


def collect(stubs, everything, session, asked):
    while asked:
        got = session.expect(REPLY)
        assert got.flags == LAST and got.code == 20, got
        record = got.record()
        assert record["pushback_ms"] == NOTHING and not record["text"] and not record["details"]
        oracle.check(stubs, everything, asked.pop(got.call),
                     stubs.ScoreResponse.FromString(got.message()))


def refused(session, call):
    got = session.expect(END, call)
    return got.code, got.record()["text"], got.record()["pushback_ms"]


def spend_all(session):
    """Ends the session with a proof that the server's balance is all of the credit: a call of all
    of it is taken, and not a candidate more. Both are read in one turn."""
    code = session.methods[SCORE]
    first = session.next_call
    session.send(*(session.frame(CALL, prelude(work), flags=FIN, code=code, call=call)
                   for call, work in ((first, session.credit), (first + 1, 1))))
    session.expect_error(EXHAUSTED, "credit is overdrawn: the balance is 0")
