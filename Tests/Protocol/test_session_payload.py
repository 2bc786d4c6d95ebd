"""What a CALL's payload is held to: the time that it takes, and the work that it says it is."""

import time

from session_calls import (
    CHECK, DEADLINE, INVALID, NOTHING, SCORE, collect, good_call, refused, request, spend_all)
from session_wire import CALL, END, FIN, LAST, REPLY, Session, prelude


def test_a_payload_spends_the_deadline(server, stubs, everything):
    """§10: it counts from the 16 bytes of the header, wherever the frame is cut, and a method that
    answers at once is no exception."""
    data = request(stubs, everything).SerializeToString()

    def slow(session, cut, method, message, work, before=b"", timeout=0.05, pause=0.15):
        made = session.frame(
            CALL, prelude(work, round(timeout * 1e6)) + message, flags=FIN,
            code=session.methods[method], call=session.next_call)
        session.next_call += 1
        session.send(before + made[:cut])
        time.sleep(pause)
        # A piece in between moves nothing.
        session.send(made[cut:cut + 1])
        time.sleep(pause)
        session.send(made[cut + 1:])
        return session.next_call - 1

    late = (DEADLINE, "the deadline had passed before any work was done", NOTHING)
    with Session(server) as session:
        for cut in (16, 40):
            assert refused(session, slow(session, cut, SCORE, data, 3)) == late, cut
        assert refused(session, slow(session, 16, CHECK, b"\x0a\x00", 0)) == late
        # What had come before the header was whole does not count.
        call = slow(session, 14, SCORE, data, 3, timeout=0.5, pause=0.3)
        assert session.expect(REPLY, call).flags == LAST
        first = session.next_call
        session.next_call += 1
        before = good_call(session, stubs, everything, first)
        call = slow(session, 20, SCORE, data, 3, before)
        assert session.expect(REPLY, first).flags == LAST
        assert refused(session, call) == late
        collect(stubs, everything, session, {session.call(SCORE, data, 3): request(
            stubs, everything)})
        spend_all(session)


def test_work_is_ids_plus_uris(server, stubs, everything):
    """§4.2: what is wrong with such a request is what gRPC says."""
    with Session(server) as session:
        made = request(stubs, everything, 2)
        made.item_uris.append("a")
        call = session.call(SCORE, made.SerializeToString(), 3)
        got = session.expect(END, call)
        record = got.record()
        assert (got.code, record["text"]) == (
            INVALID, "item_ids and item_uris are both set: send one of them")
        assert b"item_uris" in record["details"], record
        call = session.call(SCORE, made.SerializeToString(), 2)
        assert refused(session, call)[:2] == (
            INVALID, "work is 2, and the message has 3 candidates")
        session.finish()
        server.check()
