"""proto/SESSION.md: every example decodes to what it says, every number follows from its rules,
and its tables name each other's rows rightly."""

import collections
import re
import struct

import pytest
from google.protobuf import text_format

import protobytes
import session_document as document

EXAMPLES = document.examples()
BY_NAME = {one.name: one for one in EXAMPLES}
FLAGS = {"CALL": {"FIN": 1}, "MESSAGE": {"FIN": 1}, "REPLY": {"LAST": 1, "KEEP": 2},
         "END": {"KEEP": 2}, "PING": {"ANSWER": 1}}
STATUS = ["OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
          "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
          "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
          "UNAUTHENTICATED"]


@pytest.fixture(scope="module")
def messages(generated, tmp_path_factory):
    """Full name → class, of all messages that examples hold; HELLO's from the document itself."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    from grpc_tools import protoc
    (block,) = document.blocks("proto")
    folder = tmp_path_factory.mktemp("session")
    (folder / "session_hello.proto").write_text(block)
    code = protoc.main(["protoc", f"-I{folder}", f"--descriptor_set_out={folder / 'set'}",
                        "session_hello.proto"])
    assert code == 0, "protoc refuses the block of SessionHello"
    pool = descriptor_pool.DescriptorPool()
    files = descriptor_pb2.FileDescriptorSet.FromString((folder / "set").read_bytes())
    for file in files.file:
        pool.Add(file)
    hello = pool.FindMessageTypeByName("crescendo.v1.SessionHello")
    found = {hello.full_name: message_factory.GetMessageClass(hello)}
    for module in generated.score, generated.health:
        for descriptor in module.DESCRIPTOR.message_types_by_name.values():
            found[descriptor.full_name] = message_factory.GetMessageClass(descriptor)
    return found


def message_of(example, data, messages):
    """`data` is the message that the example names, and encodes to the same bytes again."""
    name, _, text = example["message"].partition(" ")
    assert text[0] + text[-1] == "{}", example.name
    said = text_format.Parse(text[1:-1], messages[name]())
    got = messages[name].FromString(data)
    assert got == said, f"{example.name}: {got} is not {said}"
    assert got.SerializeToString(deterministic=True) == data, example.name
    return got


def record_of(example, data):
    """An END record: all its fields are as the example says."""
    said = example.said
    queue, score, encode, pushback, text_length, details_length = struct.unpack_from(
        "<IIIiHH", data)
    names = ("queue_us", "score_us", "encode_us", "text_length", "details_length")
    assert [queue, score, encode, text_length, details_length] == [
        int(said[name]) for name in names]
    assert said["pushback_ms"] == ("none" if pushback == -(1 << 31) else str(pushback))
    assert len(data) == 20 + text_length + details_length
    assert data[20:20 + text_length].decode() == said.get("text", "")
    return data[20 + text_length:]


def metadata_of(data):
    found, at = [], 0
    while at < len(data):
        name = data[at + 1:at + 1 + data[at]].decode()
        at += 1 + data[at]
        (length,) = struct.unpack_from("<H", data, at)
        value = data[at + 2:at + 2 + length]
        at += 2 + length
        found.append(f"{name}: {value.hex() if name.endswith('-bin') else value.decode()}")
    assert at == len(data)
    return found


def test_checksum_vectors():
    (block,) = document.blocks("session-crc32c")
    vectors = [line.split(" = ") for line in block.splitlines()]
    assert len(vectors) >= 6
    for data, crc in vectors:
        assert document.crc32c(bytes.fromhex(data.strip("-"))) == int(crc, 16), data


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one.name)
def test_header(example):
    length, kind, flags, code, call, crc = struct.unpack_from("<IBBHII", example.data)
    assert length == len(example.payload) == int(example["length"])
    assert kind == example.type == document.TYPES.get(example.type_name, 0x80)
    assert flags == sum(FLAGS[example.type_name][name] for name in example.flags)
    assert (code, call) == (int(example["code"]), int(example["call"]))
    if example["crc"] == "none":
        assert crc == 0
    else:
        assert crc == int(example["crc"], 16)
        assert crc == document.crc32c(example.data[:12] + example.payload)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one.name)
def test_payload(example, messages):
    payload, kind = example.payload, example.type_name
    if kind == "HELLO":
        message_of(example, payload, messages)
    elif kind == "CALL":
        check_call(example, payload, messages)
    elif kind == "MESSAGE" and payload:
        work, zero = struct.unpack_from("<II", payload)
        assert (work, zero) == (int(example["work"]), 0)
        assert work == candidates(message_of(example, payload[8:], messages))
    elif kind == "REPLY":
        record = int(example["code"])
        assert (record >= 20) == ("LAST" in example.flags)
        message_of(example, payload[:len(payload) - record], messages)
        assert not record or record_of(example, payload[len(payload) - record:]) == b""
    elif kind == "END":
        check_details(example, record_of(example, payload))
    elif kind == "CREDIT":
        assert struct.unpack("<I", payload) == (int(example["credit"]),)
    elif kind == "ERROR":
        assert payload.decode() == example["text"]
    else:
        assert payload.hex() == example.said.get("data", "")
        assert kind in {"MESSAGE", "CANCEL", "DRAIN", "PING", "EXTENSION"}


def check_call(example, payload, messages):
    timeout, work, priority, attempt, length, zero = struct.unpack_from("<IIBBHI", payload)
    names = ("timeout_us", "work", "priority", "attempt", "metadata_length")
    assert [timeout, work, priority, attempt, length] == [int(example[name]) for name in names]
    assert zero == 0
    assert metadata_of(payload[16:16 + length]) == example.all("metadata")
    assert work == candidates(message_of(example, payload[16 + length:], messages))


def candidates(message):
    request = getattr(message, "request", message)
    return len(getattr(request, "item_ids", [])) + len(getattr(request, "item_uris", []))


def check_details(example, data):
    """A google.rpc.Status, read by hand: code and text are END's own."""
    assert bool(data) == ("details" in example.said)
    if not data:
        return
    fields = protobytes.fields(data)
    code, text = (dict(fields)[number] for number in (1, 2))
    assert (code, text.decode()) == (int(example["code"]), example["text"])
    assert example["details"].startswith("google.rpc.Status {")
    for number, any_message in fields[2:]:
        assert number == 3
        url = dict(protobytes.fields(any_message))[1].decode()
        assert f"[{url}]" in example["details"]


def test_what_the_examples_tell_fits_together():
    """Ids rise, each call has one end, and its answers' method is the one that was called."""
    types = collections.Counter(one.type_name for one in EXAMPLES)
    assert set(types) == {*document.TYPES, "EXTENSION"}
    calls = [int(one["call"]) for one in EXAMPLES if one.type_name == "CALL"]
    assert calls == sorted(set(calls)) and calls[0] >= 1
    ends = [int(one["call"]) for one in EXAMPLES
            if one.type_name == "END" or "LAST" in one.flags]
    assert sorted(ends) == calls
    assert int(BY_NAME["drain-server"]["call"]) == max(calls)
    methods = {int(number): path for number, path in re.findall(
        r'methods \{ id: (\d+) path: "([^"]+)" \}', BY_NAME["hello-server"]["message"])}
    assert set(methods) == {1, 2, 3, 4, 5}
    wanted = {"Score": "ScoreRequest", "StreamScores": "ScoreRequest",
              "ScoreMany": "ScoreManyRequest", "Check": "HealthCheckRequest"}
    for one in EXAMPLES:
        if one.type_name == "CALL":
            method = methods[int(one["code"])].rpartition("/")[2]
            assert one["message"].split()[0].endswith(f".{wanted[method]}"), one.name
    returned = [one for one in EXAMPLES if one.type_name == "MESSAGE" and one.payload]
    assert int(BY_NAME["many-credit"]["credit"]) == sum(
        max(1, int(one["work"])) for one in returned)


class Credit:
    """§9's rules."""

    def __init__(self, initial):
        self.balance, self.calls, self.messages = initial, {}, 0

    def spend(self, work):
        if self.balance <= 0:
            return "ERROR RESOURCE_EXHAUSTED"
        self.balance -= max(1, work)
        return None

    def step(self, event):
        """What the line of an event says behind its colon."""
        kind, number, *rest = event.split()
        number, failure = int(number), None
        if kind in ("CALL", "MESSAGE"):
            work = int(rest[1])
            failure = self.spend(work)
            if kind == "CALL":
                self.calls[number] = max(1, work)
            else:
                assert number in self.calls
                self.messages += max(1, work)
        elif kind in ("END", "LAST"):
            back = self.calls.pop(number)
            self.balance += 0 if "KEEP" in rest else back
        elif kind == "CREDIT":
            self.balance += number
            self.messages -= int(rest[1])
        else:
            assert kind in ("HELLO", "FIN"), event
        held = sum(self.calls.values())
        return failure or (f"balance {self.balance} calls {held} messages {self.messages} "
                           f"window {self.balance + held + self.messages}")


@pytest.mark.parametrize("block", document.blocks("session-credit"))
def test_credit(block):
    lines = [[part.strip() for part in line.split(":")] for line in block.splitlines()]
    credit = Credit(int(lines[0][0].split()[1]))
    assert lines[0][0].startswith("HELLO ")
    for event, said in lines:
        assert credit.step(event) == said, event


def test_credit_examples_show_every_event():
    text = "".join(document.blocks("session-credit"))
    for word in ("CALL", "MESSAGE", "END", "LAST", "KEEP", "CREDIT", "FIN", "ERROR", "balance -"):
        assert word in text, word


@pytest.mark.parametrize("letter", "FSTCDXYL")
def test_rows(letter):
    """Rows are numbered without gaps, whole, and every name that is mentioned is a row's."""
    rows = document.rows(letter)
    names = [row[0] for row in rows]
    assert names == [f"{letter}{number}" for number in range(1, len(names) + 1)]
    assert len({len(row) for row in rows}) == 1 and len(rows) > 5
    mentioned = set(re.findall(rf"(?<![\w-]){letter}\d+\b", document.TEXT))
    assert mentioned == set(names)


def test_every_session_error_names_its_cause():
    """An X row's causes are rows that lead to it; a code is a gRPC status."""
    leads = collections.defaultdict(set)
    for letter in "FSTC":
        for row in document.rows(letter):
            for name in re.findall(r"\bX\d+\b", " ".join(row[1:])):
                leads[name].add(row[0])
    for name, sender, code, _, cause in document.rows("X"):
        assert sender in ("both", "server", "client") and code in STATUS, name
        causes = set(re.findall(r"\b[FSTC]\d+\b", cause.partition("(")[0]))
        assert causes and causes <= leads[name], f"{name}: {causes} but {leads[name]}"
    for name, code, *_ in document.rows("Y"):
        assert code in STATUS or code == "as in gRPC", name
