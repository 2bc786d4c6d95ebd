"""Calls whose answers nobody reads: what they may still send."""

import pytest
from hyperframe import frame as frames

from wire import message, request_headers

MANY = "/crescendo.v1.PromotionScoreService/ScoreMany"


def grant_nothing(connection):
    """From now on streams begin without window for answers."""
    ours = frames.SettingsFrame(0)
    ours.settings = {frames.SettingsFrame.INITIAL_WINDOW_SIZE: 0}
    connection.send(ours)
    connection.ping()


def grant(connection, stream):
    window = frames.WindowUpdateFrame(stream)
    window.window_increment = 1 << 20
    connection.send(window)


@pytest.mark.parametrize("fault", [message(b"", flag=1), message(b"", length=1 << 30)])
def test_a_failed_call_takes_no_more_than_its_window(raw, stubs, fault):
    """Its status cannot go, for it comes after answers that are not read: what the client still
    sends is dropped, and its stream gets no window for more; the connection does."""
    connection = raw.connection
    grant_nothing(connection)
    item = stubs.ScoreManyRequest(sequence=1, request=stubs.ScoreRequest(item_ids=raw.ids))
    streams = []
    # 24 windows of 256 KiB are more than the connection's.
    for _ in range(24):
        stream = connection.open(request_headers(path=MANY))
        streams.append(stream)
        connection.data(stream, message(item.SerializeToString()) + fault)
        connection.ping()
        assert connection.windows[stream] > 100_000, "nothing to send any more"
        connection.data(stream, bytes(connection.windows[stream]))
        connection.ping()
        assert connection.windows[stream] == 0, "window for what nobody takes"
    for stream in streams:
        grant(connection, stream)
        answer = connection.wait(stream)
        assert answer.code in ("INTERNAL", "RESOURCE_EXHAUSTED") and answer.body, answer
    reading = frames.SettingsFrame(0)
    reading.settings = {frames.SettingsFrame.INITIAL_WINDOW_SIZE: 1 << 20}
    connection.send(reading)
