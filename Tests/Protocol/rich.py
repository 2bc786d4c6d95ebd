"""`grpc-status-details-bin`, read with google.rpc's own messages as its files declare them.

google/rpc/status.proto and google/rpc/error_details.proto are not among the installed packages:
their messages are declared here once more, field by field.
"""

import base64

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, duration_pb2, message_factory

TYPES = descriptor_pb2.FieldDescriptorProto


def declared():
    file = descriptor_pb2.FileDescriptorProto(
        name="tests/google_rpc.proto", package="google.rpc", syntax="proto3",
        dependency=["google/protobuf/any.proto", "google/protobuf/duration.proto"])

    def message(owner, name, **fields):
        made = owner.add(name=name)
        for field, (number, kind, label, type_name) in fields.items():
            made.field.add(name=field, number=number, type=kind, label=label,
                           type_name=type_name)
        return made

    one, many = TYPES.LABEL_OPTIONAL, TYPES.LABEL_REPEATED
    text, submessage = TYPES.TYPE_STRING, TYPES.TYPE_MESSAGE
    message(file.message_type, "Status", code=(1, TYPES.TYPE_INT32, one, None),
            message=(2, text, one, None), details=(3, submessage, many, ".google.protobuf.Any"))
    bad = message(file.message_type, "BadRequest", field_violations=(
        1, submessage, many, ".google.rpc.BadRequest.FieldViolation"))
    message(bad.nested_type, "FieldViolation", field=(1, text, one, None),
            description=(2, text, one, None))
    message(file.message_type, "RetryInfo", retry_delay=(
        1, submessage, one, ".google.protobuf.Duration"))
    pool = descriptor_pool.DescriptorPool()
    for known in (any_pb2, duration_pb2):
        pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"google.rpc.{name}"))
            for name in ("Status", "BadRequest", "RetryInfo")}


MESSAGES = declared()


class Details:
    """What the trailers of a refusal say beyond its code and its sentence."""

    def __init__(self, answer):
        self.pushback = answer.trailers.get("grpc-retry-pushback-ms")
        text = answer.trailers.get("grpc-status-details-bin")
        self.status, self.fields, self.retry_milliseconds = None, [], None
        if text is None:
            return
        assert "=" not in text, f"padded base64: {text}"
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        self.status = MESSAGES["Status"].FromString(data)
        assert str(self.status.code) == answer.trailers["grpc-status"], (self.status, answer)
        assert self.status.message == answer.text, (self.status, answer)
        for any_ in self.status.details:
            self._read(any_)

    def _read(self, any_):
        prefix, name = any_.type_url.rsplit(".", 1)
        assert prefix == "type.googleapis.com/google.rpc", any_.type_url
        detail = MESSAGES[name].FromString(any_.value)
        if name == "BadRequest":
            self.fields += [(one.field, one.description) for one in detail.field_violations]
        else:
            delay = detail.retry_delay
            self.retry_milliseconds = delay.seconds * 1_000 + delay.nanos / 1e6
