"""What an OTLP/JSON trace request looks like to a typed parser.

Anything else in a document, an unknown key included, makes the parser refuse it, so that the
obvious way decides. `Raw` is text that was only skipped: whoever uses it MUST parse it before
believing it. Fields stand in the order of their numbers in OTLP. No record takes part in garbage
collection: they hold no cycles, and a request has thousands.
"""

from __future__ import annotations

from typing import Final

from msgspec import Raw, Struct
from msgspec.json import Decoder

Number = int | str  # 64 bits: text, as OTLP/JSON wants it, or a number


class StatusRecord(Struct, gc=False, forbid_unknown_fields=True):
    message: str | None = None
    code: int | None = None


class EventRecord(Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    time_unix_nano: Number | None = None
    name: str | None = None
    attributes: Raw = Raw()
    dropped_attributes_count: int | None = None


class SpanRecord(Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    trace_id: str | None = None
    span_id: str | None = None
    trace_state: str | None = None
    parent_span_id: str | None = None
    name: str | None = None
    kind: int | None = None
    start_time_unix_nano: Number | None = None
    end_time_unix_nano: Number | None = None
    attributes: Raw = Raw()
    dropped_attributes_count: int | None = None
    events: list[EventRecord] | None = None
    dropped_events_count: int | None = None
    links: list[Raw] | None = None
    dropped_links_count: int | None = None
    status: StatusRecord | None = None
    flags: int | None = None


class ScopeSpansRecord(Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    scope: Raw = Raw()
    spans: list[SpanRecord] | None = None
    schema_url: str | None = None


class ResourceSpansRecord(Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    resource: Raw = Raw()
    scope_spans: list[ScopeSpansRecord] | None = None
    schema_url: str | None = None


class RequestRecord(Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    resource_spans: list[ResourceSpansRecord]  # not to be missing: other documents lack it


parse_request: Final = Decoder(RequestRecord).decode
