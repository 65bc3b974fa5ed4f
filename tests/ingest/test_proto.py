"""The columnar view is OTLP: field by field, but for two declared exceptions."""

from __future__ import annotations

import re
from pathlib import Path

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tracer.ingest.otlp.pb import columnar_request

UNPARSED = {("AnyValue", "array_value"), ("AnyValue", "kvlist_value")}
OTLP = ExportTraceServiceRequest.DESCRIPTOR


def messages(top: Descriptor) -> dict[str, Descriptor]:
    """Every message reachable from `top`, by name without package."""
    found: dict[str, Descriptor] = {}
    waiting = [top]
    while waiting:
        message = waiting.pop()
        name = message.full_name.removeprefix(message.file.package + ".")
        if name not in found:
            found[name] = message
            waiting += [field.message_type for field in message.fields if field.message_type]
    return found


def signature(field: FieldDescriptor) -> tuple[object, ...]:
    inner = field.message_type.name if field.message_type else None
    oneof = field.containing_oneof.name if field.containing_oneof else None
    return field.number, field.name, field.type, field.is_repeated, field.has_presence, inner, oneof


def test_every_reachable_message_is_there_and_no_other() -> None:
    unparsed_only = {"ArrayValue", "KeyValueList"}
    assert set(messages(OTLP)) - set(messages(columnar_request())) == unparsed_only
    assert set(messages(columnar_request())) - set(messages(OTLP)) == set()


def test_every_field_is_the_same_on_the_wire() -> None:
    ours, theirs = messages(columnar_request()), messages(OTLP)
    compared = 0
    for name, message in ours.items():
        assert [field.number for field in message.fields] == [
            field.number for field in theirs[name].fields
        ]
        for field in message.fields:
            other = theirs[name].fields_by_number[field.number]
            if (name, field.name) in UNPARSED:
                assert field.type == FieldDescriptor.TYPE_BYTES
                assert other.type == FieldDescriptor.TYPE_MESSAGE
                assert signature(field)[:2] == signature(other)[:2]
                assert signature(field)[3:5] == signature(other)[3:5]
                assert field.containing_oneof.name == other.containing_oneof.name
            else:
                assert signature(field) == signature(other)
            compared += 1
    assert compared > 50


def test_enums_have_the_same_numbers() -> None:
    ours, theirs = messages(columnar_request()), messages(OTLP)
    for message, field in (("Span", "kind"), ("Status", "code")):
        enum = ours[message].fields_by_name[field].enum_type
        other = theirs[message].fields_by_name[field].enum_type
        assert enum.values_by_name.keys() == other.values_by_name.keys()
        assert all(value.number == other.values_by_name[value.name].number for value in enum.values)


def test_the_view_has_no_recursion() -> None:
    def check(message: Descriptor, above: tuple[str, ...]) -> None:
        assert message.full_name not in above
        for field in message.fields:
            if field.message_type:
                check(field.message_type, (*above, message.full_name))

    check(columnar_request(), ())


def test_descriptor_was_made_from_the_source_in_proto() -> None:
    source = (Path(__file__).parents[2] / "proto" / "otlp_columnar.proto").read_text()
    code = re.sub(r"//.*", "", source)
    written = re.findall(r"^\s*(?:repeated\s+)?[\w.]+ (\w+) = (\d+);", code, re.MULTILINE)
    parsed = [
        (field.name, str(field.number))
        for message in messages(columnar_request()).values()
        for field in message.fields
    ]
    assert sorted(written) == sorted(parsed)
