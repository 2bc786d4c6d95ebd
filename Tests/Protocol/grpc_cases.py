"""What a gRPC client has to make of each thing that a server may do: tables, from the documents.

`http-grpc-status-mapping.md`, `statuscodes.md` and `PROTOCOL-HTTP2.md` ("Errors") of gRPC, the
names of RFC 9113 §7. Nothing here is copied from what our client says.
"""

import base64
import dataclasses

import protobytes
from grpc_double import (
    GRPC, block, data, frame, good, half, head, only, reset, trailers)
from wire import STATUS, message

OK = ("grpc-status", "0")
HTML = "text/html"
PAGE = b"<html><body>an error page</body></html>"


@dataclasses.dataclass
class Case:
    """`code`: the call's status. `text`: the server's own words, shown whole; None: ours, which
    hold `hints` and name the server."""
    name: str
    steps: tuple
    code: str
    text: str = None
    hints: tuple = ()


# MARK: HTTP instead of gRPC

MAPPED = {400: "INTERNAL", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "UNIMPLEMENTED",
          429: "UNAVAILABLE", 431: "INTERNAL", 502: "UNAVAILABLE", 503: "UNAVAILABLE",
          504: "UNAVAILABLE"}
OTHERS = (200, 201, 204, 302, 402, 405, 408, 415, 421, 500, 501, 505, 511, 600, 999)


def http(status):
    return MAPPED.get(status, "UNKNOWN")


def http_cases():
    for status in (*MAPPED, *OTHERS):
        text, hint = str(status), (f"HTTP status {status}",)
        yield Case(f"{status} alone", (head(status=text, content=None, end=True),), http(status),
                   hints=hint)
        if status == 204:
            continue             # has no body (RFC 9110 §15.3.5)
        yield Case(f"{status} page", (head(status=text, content=HTML), data(PAGE, end=True)),
                   http(status), hints=hint)
        if status not in MAPPED and status not in (200, 500):
            continue
        yield Case(f"{status} page and trailers",
                   (head(status=text, content=HTML), data(PAGE), trailers(("x", "y"))),
                   http(status), hints=hint)
        if status != 200:
            yield Case(f"{status} gRPC", (head(status=text), data(message(b""), end=True)),
                       http(status), hints=hint)
        # A status of gRPC goes before HTTP's, whatever comes with it.
        yield Case(f"{status} with a status", (
            only(("grpc-status", "7"), ("grpc-message", "no"), status=text, content=HTML),),
            "PERMISSION_DENIED", "no")
    for content in (None, "", HTML, "application/json", "application/grpcx",
                    "application/grpc-web+proto", "application/grpc+json"):
        yield Case(f"200 and OK with {content}", (head(content=content), good, trailers(OK)),
                   "UNKNOWN", hints=("content-type",))
    for content in (GRPC, "application/grpc+proto", "application/grpc;charset=utf-8"):
        yield Case(f"{content}", (head(content=content), good, trailers(OK)), "OK")
        yield Case(f"{content} without a status", (head(content=content), good, trailers()),
                   "UNKNOWN", hints=("without grpc-status",))
    yield Case("no trailers", (head(), good, data(b"", end=True)), "UNKNOWN",
               hints=("without grpc-status",))
    yield Case("nothing but headers", (head(end=True),), "UNKNOWN",
               hints=("without grpc-status",))
    # Only trailers, or a block that is everything, carry a status.
    yield Case("a status before the message", (head(OK), good, data(b"", end=True)), "UNKNOWN",
               hints=("without grpc-status",))
    yield Case("a status of 103", (block((":status", "103"), ("grpc-status", "5")), head(), good,
                                   data(b"", end=True)), "UNKNOWN")
    for blocks in (("100",), ("103",), ("100", "102", "103", "199")):
        informed = tuple(block((":status", one), ("link", "</x>")) for one in blocks)
        yield Case(f"{blocks} before OK", (*informed, head(), good, trailers(OK)), "OK")
        yield Case(f"{blocks} before 503", (*informed, head(status="503", content=HTML, end=True)),
                   "UNAVAILABLE", hints=("HTTP status 503",))
        yield Case(f"{blocks} before trailers only",
                   (*informed, only(("grpc-status", "9"), ("grpc-message", "no"))),
                   "FAILED_PRECONDITION", "no")


# MARK: The server's own status

# grpc-message on the wire, and as it is read: no bytes of a peer make this fail.
MESSAGES = [("plain words", "plain words"), ("100%25", "100%"), ("pr%C3%B6va", "pröva"),
            ("%e2%82%ac", "€"), ("%G1", "%G1"), ("%1", "%1"), ("%", "%"), ("%%41", "%A"),
            ("%C3%28", "\ufffd("), ("%FF", "\ufffd"), (b"raw \xc3\xb6", "raw ö"),
            (b"raw \xff", "raw \ufffd"), ("%0Aline", "\ufffdline"), ("%1B[31m", "\ufffd[31m"),
            ("%00", "\ufffd"), ("", "")]
STRANGE = ("abc", "17", "-1", "", "+1", "1.0", "000", "0x5", "99999999999999999999")
PUSHBACKS = ("0", "250", "-1", "soon", "", "4294967296", "1.5", "99999999999999999999")


def details(code):
    return base64.b64encode(protobytes.number(1, code) + protobytes.block(2, b"x")).rstrip(b"=")


def status_cases():
    for number, code in enumerate(STATUS[1:], 1):
        fields = ("grpc-status", str(number)), ("grpc-message", f"words of {number}")
        yield Case(f"{code} only", (only(*fields),), code, f"words of {number}")
        yield Case(f"{code} after headers", (head(), trailers(*fields)), code,
                   f"words of {number}")
        yield Case(f"{code} after the message", (head(), good, trailers(*fields)), code,
                   f"words of {number}")
    full = ("grpc-status", "8")
    for wire, shown in MESSAGES:
        yield Case(f"message {wire!r}", (only(full, ("grpc-message", wire)),),
                   "RESOURCE_EXHAUSTED", shown)
    yield Case("no message", (only(full),), "RESOURCE_EXHAUSTED", "")
    yield Case("blanks", (only(("grpc-status", " 8\t"), ("grpc-message", " no ")),),
               "RESOURCE_EXHAUSTED", "no")
    for value in STRANGE:
        bad = ("grpc-status", value), ("grpc-message", "words")
        yield Case(f"status {value!r}", (head(), good, trailers(*bad)), "UNKNOWN",
                   hints=("grpc-status", "words"))
        yield Case(f"status {value!r} only", (only(*bad),), "UNKNOWN",
                   hints=("grpc-status", "words"))
    for value in PUSHBACKS:
        yield Case(f"pushback {value!r}",
                   (only(full, ("grpc-message", "no"), ("grpc-retry-pushback-ms", value)),),
                   "RESOURCE_EXHAUSTED", "no")
    for value in (details(8), details(8) + b"==", details(3), b"!!!", b"", b"AA, AA"):
        yield Case(f"details {value!r}", (only(
            full, ("grpc-message", "no"), ("grpc-status-details-bin", value)),),
            "RESOURCE_EXHAUSTED", "no")


# MARK: Bodies

LIMIT = 4 << 20      # the default bound of a message


def body_cases():
    end = trailers(OK)
    yield Case("OK", (head(), good, end), "OK")
    yield Case("OK byte by byte", (
        head(), *(lambda call, at=at: call.peer.data(call.stream, call.good[at:at + 1], False)
                  for at in range(7)),
        lambda call: call.peer.data(call.stream, call.good[7:], False), end), "OK")
    yield Case("OK with padding", (
        head(), lambda call: frame(0, b"\x03" + call.good + b"\0\0\0", 8)(call), end), "OK")
    yield Case("OK between other frames", (
        frame(6, b"whatever", stream=0), frame(0x77, b"?"), head(), frame(0x77, b"?", 0xFF), good,
        frame(2, b"\0\0\0\0\x10"), frame(8, b"\0\0\0\x01"), end), "OK")
    for name, body, code in (
            ("no message", b"", "UNIMPLEMENTED"),
            ("two messages", message(b"") * 2, "UNIMPLEMENTED"),
            ("a message and a byte", message(b"") + b"\0", "UNIMPLEMENTED"),
            ("a prefix cut short", b"\0\0\0", "INTERNAL"),
            ("a length beyond the data", message(b"x", length=2), "INTERNAL"),
            ("a length below the data", message(b"xy", length=1), "UNIMPLEMENTED"),
            ("compressed without encoding", message(b"", flag=1), "INTERNAL"),
            ("a flag of 2", message(b"", flag=2), "INTERNAL"),
            ("a flag of 255", message(b"", flag=255), "INTERNAL"),
            ("bytes that are no answer", message(b"\xff\xff"), "INTERNAL"),
            ("one byte too long", message(b"x" * 100, length=LIMIT + 1), "RESOURCE_EXHAUSTED"),
            ("4 GiB", message(b"x" * 100, length=(1 << 32) - 1), "RESOURCE_EXHAUSTED")):
        yield Case(name, (head(), data(body), end), code)
    yield Case("no message, trailers only", (only(OK),), "UNIMPLEMENTED")
    # What is wrong already needs no end of the stream.
    for name, body, code in (
            ("two messages, no end", message(b"") * 2, "UNIMPLEMENTED"),
            ("compressed, no end", message(b"", flag=1), "INTERNAL"),
            ("too long, no end", message(b"", length=LIMIT + 1), "RESOURCE_EXHAUSTED")):
        yield Case(name, (head(), data(body)), code)
    for name, code in (("compressed", "INTERNAL"), ("two", "UNIMPLEMENTED")):
        body = message(b"", flag=1) if code == "INTERNAL" else message(b"") * 2
        yield Case(f"{name}, then another status",
                   (head(), data(body), trailers(("grpc-status", "14"))), code)


def header_list_cases():
    """More than the 8 KiB that the client says it takes."""
    lists = {"one long": [("x", "a" * 9_000)], "many": [(f"x-{at}", "a" * 50) for at in range(120)],
             "many small": [("x", "")] * 300, "huge": [(f"x-{at}", "a" * 500) for at in range(300)]}
    for name, more in lists.items():
        yield Case(f"{name} headers", (head(*more), good, trailers(OK)), "RESOURCE_EXHAUSTED")
        yield Case(f"{name} trailers", (head(), good, trailers(OK, *more)), "RESOURCE_EXHAUSTED")
        yield Case(f"{name} trailers only", (only(OK, *more),), "RESOURCE_EXHAUSTED")


# MARK: RST_STREAM

RESETS = ["NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
          "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR",
          "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"]
# The rest, codes without a name too (RFC 9113 §7: as INTERNAL_ERROR), is INTERNAL.
RESET_CODES = {"REFUSED_STREAM": "UNAVAILABLE", "CANCEL": "CANCELLED",
               "ENHANCE_YOUR_CALM": "RESOURCE_EXHAUSTED",
               "INADEQUATE_SECURITY": "PERMISSION_DENIED"}
POINTS = {"before headers": (), "after headers": (head(),), "within the message": (head(), half),
          "before trailers": (head(), good), "within a page": (
              head(status="503", content=HTML), data(PAGE))}


def reset_cases():
    for number in (*range(14), 14, (1 << 32) - 1):
        name = RESETS[number] if number < 14 else str(number)
        for point, steps in POINTS.items():
            yield Case(f"{name} {point}", (*steps, reset(number)),
                       RESET_CODES.get(name, "INTERNAL"), hints=(name,))
        yield Case(f"{name} after the end", (head(), good, trailers(OK), reset(number)), "OK")


# MARK: Answers that are no HTTP

def malformed_cases():
    """RFC 9113 §8.1.1: a stream error, which the client says too; PROTOCOL_ERROR is INTERNAL."""
    for name, steps in {
            "no :status": (head(status=None), good, trailers(OK)),
            "a second answer": (head(), good, head(OK, end=True)),
            "trailers without an end": (head(), good, trailers(OK, end=False)),
            "trailers without an end, then more": (
                head(), good, trailers(OK, end=False), data(b"", end=True)),
            "an upper-case name": (head(("X-Upper", "1")), good, trailers(OK)),
            "connection": (head(("connection", "close")), good, trailers(OK)),
            "a wrong content-length": (head(("content-length", "3")), good, trailers(OK)),
            "an end with 103": (block((":status", "103"), end=True),),
            "101": (block((":status", "101")),),
            "a status that is no number": (head(status="abc"), good, trailers(OK)),
            "a NUL": (head(("x", "a\0b")), good, trailers(OK)),
    }.items():
        yield Case(name, steps, "INTERNAL")
