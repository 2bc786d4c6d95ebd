"""Metadata at its limits, and text that is hard to put into a header: rpc.md (b) 16.

Each is followed by a good call on the same connection.
"""

import pytest

import protobytes as pb
import wire


def test_header_list_at_its_limit(raw):
    """8 KiB to the byte, names, values and 32 for each; one more is too many."""
    base = sum(len(name) + len(value) + 32 for name, value in wire.request_headers())
    room = (8 << 10) - base - 32 - len("x-long")
    raw.accepted(raw.connection.call(
        raw.payload, wire.request_headers(extra=[("x-long", "v" * room)])))
    answer = raw.connection.call(
        raw.payload, wire.request_headers(extra=[("x-long", "v" * (room + 1))]))
    raw.refused(answer, "RESOURCE_EXHAUSTED")
    assert "8192" in answer.text, answer


@pytest.mark.parametrize("extra", [
    [("crescendo-priority", "urgent")], [("crescendo-priority", "")],
    [("crescendo-priority", "batch"), ("crescendo-priority", "interactive")],
    [("grpc-message", "%")], [("grpc-message", "%G1%ff")], [("grpc-status", "0")],
    [("grpc-retry-pushback-ms", "nonsense")], [("grpc-previous-rpc-attempts", "many")],
    [("x-bin", "AAEC,,AAE=")], [("x-bin", "")], [("x-bin", "+/09azAZ")],
    [("grpc-timeout-", "1S")], [("traceparent", "00-" + "f" * 600)]])
def test_strange_metadata_is_tolerated(raw, extra):
    raw.accepted(raw.connection.call(raw.payload, wire.request_headers(extra=extra)))


@pytest.mark.parametrize("value", ["A", "====", "!!not base64!!", "AAEC,A", "AA=A", "AAE=="])
def test_binary_metadata_is_base64(raw, value):
    """rpc.md §1.1: the call's error, not its connection's."""
    answer = raw.connection.call(raw.payload, wire.request_headers(extra=[("x-bin", value)]))
    raw.refused(answer, "INTERNAL")
    assert "base64" in answer.text, answer


@pytest.mark.parametrize("model", [
    "%", "%%", "%G1", "%4", "%C3%28", "a\nb", "\r\n\r\n", "\x01\x7f", " lead and trail ", "日本語",
    "\U0001f3b6", "x" * 5_000, "é" * 5_000])
def test_percent_encoding_torture(raw, model):
    """What a refusal quotes comes back as it was, or cut; its bytes are always printable ASCII."""
    answer = raw.connection.call(pb.block(10, model.encode()))
    raw.refused(answer, "INVALID_ARGUMENT")
    encoded = answer.trailers["grpc-message"]
    assert all(" " <= letter <= "~" for letter in encoded), encoded
    assert not encoded.startswith(" ") and not encoded.endswith(" "), encoded
    assert "\ufffd" not in answer.text, f"a letter was cut in two: {answer.text!r}"
    assert sum(len(name) + len(value) + 32 for name, value in answer.trailers.items()) <= 8 << 10
    if len(model) < 100:
        assert model in answer.text, (model, answer.text)
    else:
        assert model[:50] in answer.text, answer
