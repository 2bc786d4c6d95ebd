"""Headers of calls, good and bad: rpc.md 1.1. Each ends with a good call on the same connection."""

import pytest

import protobytes as pb
from wire import Connection, message, request_headers


def call(raw, headers):
    return raw.connection.call(raw.payload, headers)


def replaced(**fields):
    return request_headers(
        replace={name.replace("_", "-"): value for name, value in fields.items()})


@pytest.mark.parametrize("value", [
    "application/grpc", "application/grpc+proto", "application/grpc;x",
    "application/grpc; charset=utf-8", "application/grpc+proto;x=1"])
def test_content_types_that_are_grpc(raw, value):
    raw.accepted(call(raw, replaced(content_type=value)))


@pytest.mark.parametrize("value", [
    "application/grpcx", "application/json", "text/plain", "", None, "application/grp",
    "application/grpc-web", "application/grpc-web+proto", "application/grpc/x"])
def test_content_types_that_are_not(raw, value):
    got = call(raw, replaced(content_type=value))
    assert got.http_status == "415", got


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods(raw, method):
    got = call(raw, request_headers(replace={":method": method}))
    assert got.http_status == "405" and got.headers[0].get("allow") == "POST", got


def test_get_and_head_without_a_body(raw):
    for method in ("GET", "HEAD"):
        headers = request_headers(replace={":method": method, "content-type": None, "te": None})
        stream = raw.connection.open(headers, end=True)
        assert raw.connection.wait(stream).http_status == "405"


@pytest.mark.parametrize("path", ["/crescendo.v1.PromotionScoreService/Nope", "/nope", "/"])
def test_unknown_paths(raw, path):
    raw.refused(raw.connection.call(raw.payload, request_headers(path)), "UNIMPLEMENTED")


@pytest.mark.parametrize("value", [
    "1", "123456789S", "-1S", "1X", "", "S", "1 S", "1.5S", "0x1S", "1s", "+1S", "1SS", "S1",
    "１S"])
def test_malformed_timeouts(raw, value):
    got = call(raw, replaced(grpc_timeout=value))
    raw.refused(got, "INTERNAL")
    assert "grpc-timeout" in got.text, got


@pytest.mark.parametrize("value", ["1n", "0n", "0m", "0S", "00000000H", "1u"])
def test_timeouts_that_are_over_at_once(raw, value):
    raw.refused(call(raw, replaced(grpc_timeout=value)), "DEADLINE_EXCEEDED")


@pytest.mark.parametrize("value", [
    "99999999H", "99999999M", "99999999S", "20S", "20000m", "20000000u", "00000020S", "1H"])
def test_timeouts_that_leave_time(raw, value):
    raw.accepted(call(raw, replaced(grpc_timeout=value)))


def test_a_deadline_is_kept_while_the_message_does_not_come(raw):
    connection = raw.connection
    stream = connection.open(replaced(grpc_timeout="200m"))
    connection.data(stream, message(raw.payload)[:9])
    raw.refused(connection.wait(stream), "DEADLINE_EXCEEDED")
    connection.reset(stream)


def test_without_te(raw):
    raw.accepted(call(raw, replaced(te=None)))


def test_bad_te_breaks_its_stream_only(raw):
    got = call(raw, replaced(te="gzip"))
    assert got.reset is not None or got.http_status != "200" or got.code != "OK", got


def test_compressed_flag_without_encoding(raw):
    for encoding in (None, "identity"):
        stream = raw.connection.open(replaced(grpc_encoding=encoding))
        raw.connection.data(stream, message(raw.payload, flag=1), end=True)
        raw.refused(raw.connection.wait(stream), "INTERNAL")


@pytest.mark.parametrize("encoding", ["snappy", "br", "x", ""])
def test_unknown_encodings(raw, encoding):
    got = raw.refused(call(raw, replaced(grpc_encoding=encoding)), "UNIMPLEMENTED")
    assert "identity" in got.headers[0].get("grpc-accept-encoding", ""), got


def test_identity_encoding(raw):
    raw.accepted(call(raw, replaced(grpc_encoding="identity", grpc_accept_encoding="gzip")))


@pytest.mark.parametrize("extra", [
    [("x-spaces", " lead and trail ")], [("x-inner", "a b  c")], [("x-empty", "")],
    [("trace-bin", "AAEC")], [("trace-bin", "AAE=")], [("trace-bin", "AAE")],
    [("trace-bin", "AAEC,AAE=")], [("x-high", b"\xe9\xff")],
    [("x-twice", "1"), ("x-twice", "2")], [("grpc-reserved", "x")], [("traceparent", "00-zz")],
    [("x_under.score-1", "v")], [("grpc-previous-rpc-attempts", "3")]])
def test_metadata_is_tolerated(raw, extra):
    raw.accepted(call(raw, request_headers(extra=extra)))


def test_hostile_metadata_breaks_its_stream_only(raw):
    for extra in ([("X-Upper", "1")], [("connection", "close")], [("x-nul", b"a\x00b")],
                  [(":path", "/again")]):
        got = call(raw, request_headers(extra=extra))
        assert got.reset is not None or got.code != "OK", (extra, got)


@pytest.mark.parametrize("missing", [":method", ":path", ":scheme", ":authority"])
def test_missing_pseudo_headers_break_their_stream_only(raw, missing):
    got = call(raw, request_headers(replace={missing: None}))
    assert got.reset is not None or got.code != "OK", got


def too_large(got):
    return got.http_status == "431" or got.code == "RESOURCE_EXHAUSTED"


@pytest.mark.parametrize("extra", [
    [("x-long", "v" * 9_000)], [(f"x-{at}", "v" * 100) for at in range(80)],
    [("x-huge", "v" * 60_000)], [("x" * 8_300, "")]])
def test_header_lists_over_8_kib(raw, extra):
    got = call(raw, request_headers(extra=extra))
    assert too_large(got), f"wanted HTTP 431 or RESOURCE_EXHAUSTED: {got}"


def test_header_list_just_below_8_kib(raw):
    base = sum(len(name) + len(value) + 32 for name, value in request_headers())
    value = "v" * (8_192 - base - 32 - len("x-long") - 8)
    raw.accepted(call(raw, request_headers(extra=[("x-long", value)])))


def test_many_small_headers(raw):
    got = call(raw, request_headers(extra=[(f"x{at}", "") for at in range(1_000)]))
    assert too_large(got), got


def test_the_header_table_is_kept_through_refusals(raw):
    """HPACK's dynamic table counts refused blocks too, else the next call is garbled."""
    for at in range(30):
        got = call(raw, request_headers(extra=[(f"x-{at}", "v" * 9_000)]))
        assert too_large(got), got
        raw.accepted(call(raw, request_headers(extra=[("x-kept", f"value {at}")])))


def test_headers_advertise_their_limit(server):
    with Connection(server.port) as connection:
        connection.ping()
        assert connection.settings.get(3) == 100, f"MAX_CONCURRENT_STREAMS: {connection.settings}"
        assert connection.settings.get(6, 8_192) == 8_192, f"header list: {connection.settings}"


def test_refusals_before_the_message_do_not_wait_for_it(raw):
    """A status that the headers alone decide comes without the body; RST(NO_ERROR) may follow."""
    connection = raw.connection
    stream = connection.open(request_headers("/nope"))
    got = connection.wait(stream)
    assert got.code == "UNIMPLEMENTED", got
    connection.ping()
    connection.data(stream, message(b"late"), end=True, obey_windows=False)
    connection.ping()


def test_messages_survive_percent_encoding(raw):
    """The text of a refusal that quotes non-ASCII input decodes to it."""
    model = "größe %41\n"
    got = raw.refused(raw.connection.call(pb.block(10, model.encode())), "INVALID_ARGUMENT")
    wire_text = got.headers[0]["grpc-message"]
    assert all(" " <= letter <= "~" for letter in wire_text), wire_text
    assert "größe %41" in got.text, got
