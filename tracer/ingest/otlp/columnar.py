"""The fast decoder: `ptars` turns many serialized requests into one nested Arrow table, numpy and
Arrow kernels turn that into span records. No Python object per span, attribute, event or link.

The table is nested as OTLP is: requests > resource_spans > scope_spans > spans > attributes.
What stands once per resource or scope is made once and spread over its spans by index.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import ptars
import pyarrow as pa

from tracer.ingest.otlp.attributes import NESTED, Doubled
from tracer.ingest.otlp.decoded import Shaped
from tracer.ingest.otlp.pb import columnar_request
from tracer.ingest.otlp.shape import Nest, shape
from tracer.ingest.otlp.verdict import canonical
from tracer.ingest.otlp.walk import decode_walk


def decode_columnar(requests: Sequence[bytes], ingest_ns: int, tenant: str) -> Shaped:
    """Requests that the judge has passed, to span records."""
    try:
        nest = _parse(requests)
    except ValueError:  # no such message is known; the parser is young, and protobuf has the say
        return decode_walk(requests, ingest_ns, tenant)
    try:
        if _has_nested_values(nest):
            # an array named twice in one value is two halves of one array, but only to protobuf
            unfolded = [canonical(request) for request in requests]
            if any(len(a) != len(b) for a, b in zip(requests, unfolded, strict=True)):
                nest = _parse(unfolded)
        return shape(nest, ingest_ns, tenant)
    except Doubled:
        return shape(_parse([canonical(request) for request in requests]), ingest_ns, tenant)


@cache
def _handler() -> Any:
    descriptor = columnar_request()
    return ptars.HandlerPool([descriptor.file]).get_for_message(descriptor)


def _parse(requests: Sequence[bytes]) -> Nest:
    return Nest.of(_handler().list_to_record_batch(list(requests)))


def _has_nested_values(nest: Nest) -> bool:
    return any(
        values.field(member).null_count < len(values)
        for values in map(_values, nest.attribute_lists())
        for member in NESTED
    )


def _values(lists: pa.ListArray) -> pa.StructArray:
    return lists.values.field("value")
