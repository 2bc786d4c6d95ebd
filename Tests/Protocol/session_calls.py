"""What the tests of sessions share: methods, statuses, requests."""

from session_wire import CALL, FIN, prelude

SCORE = "/crescendo.v1.PromotionScoreService/Score"
STREAM = "/crescendo.v1.PromotionScoreService/StreamScores"
MANY = "/crescendo.v1.PromotionScoreService/ScoreMany"
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
