"""The fast decoder: `ptars` turns many serialized requests into one nested Arrow table, numpy and
Arrow kernels turn that into span records. No Python object per span, attribute, event or link.

The table is nested as OTLP is: requests > resource_spans > scope_spans > spans > attributes.
What stands once per resource or scope is made once and spread over its spans by index.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import ptars
import pyarrow as pa

from tracer.ingest.otlp.attributes import NESTED, Doubled
from tracer.ingest.otlp.decoded import Shaped
from tracer.ingest.otlp.pb import columnar_request
from tracer.ingest.otlp.shape import Nest, shape
from tracer.ingest.otlp.verdict import canonical
from tracer.ingest.otlp.walk import decode_walk

PARSED_BYTES: Final = 2 << 20  # parsed without giving others a turn


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
    """The nested table of all requests, parsed a few at a time.

    The parser keeps the interpreter lock: in one go, a full block would hold up the receivers and
    the writer of the block before it for a tenth of a second. A few at a time also fit the cache.
    """
    parse = _handler().list_to_record_batch
    parts = [parse(some) for some in _runs(requests, PARSED_BYTES)]
    if len(parts) == 1:
        return Nest.of(parts[0])
    whole = pa.Table.from_batches(parts).combine_chunks()
    return Nest.of(whole.to_batches()[0])


def _runs(requests: Sequence[bytes], most_bytes: int) -> list[list[bytes]]:
    """The requests in order, in runs of up to `most_bytes` or one; at least one run."""
    runs: list[list[bytes]] = [[]]
    size = 0
    for request in requests:
        if runs[-1] and size + len(request) > most_bytes:
            runs.append([])
            size = 0
        runs[-1].append(request)
        size += len(request)
    return runs


def _has_nested_values(nest: Nest) -> bool:
    return any(
        values.field(member).null_count < len(values)
        for values in map(_values, nest.attribute_lists())
        for member in NESTED
    )


def _values(lists: pa.ListArray) -> pa.StructArray:
    return lists.values.field("value")
