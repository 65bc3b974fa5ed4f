"""Spans as the analysis sees them: integers only, names as codes.

A frozen struct of equal-length arrays. One batch may hold many traces, in any order of rows.
Times are UTC nanoseconds; intervals are half-open, `[start_ns, end_ns)`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

KIND_UNSPECIFIED, KIND_INTERNAL, KIND_SERVER, KIND_CLIENT, KIND_PRODUCER, KIND_CONSUMER = range(6)
STATUS_UNSET, STATUS_OK, STATUS_ERROR = range(3)


class ServiceIdentity(NamedTuple):
    """What a derived key starts with: staging and production never share a number."""

    tenant: str
    environment: str
    namespace: str
    name: str


@dataclass(frozen=True)
class SpanColumns:
    """Equal-length arrays, one row a span. Read-only.

    `service` indexes `services`, `operation` indexes `operations`, `version` indexes `versions`,
    `host` indexes `hosts`.
    `parent_span_id` 0 means no parent. `end_ns` may lie before `start_ns` (as received).
    """

    trace_hi: NDArray[np.uint64]  # first 8 bytes of the trace id, big-endian
    trace_lo: NDArray[np.uint64]  # last 8 bytes
    span_id: NDArray[np.uint64]
    parent_span_id: NDArray[np.uint64]
    start_ns: NDArray[np.int64]
    end_ns: NDArray[np.int64]
    kind: NDArray[np.int8]  # OTLP numbers, KIND_*
    status: NDArray[np.int8]  # OTLP numbers, STATUS_*
    sends_message: NDArray[np.bool_]  # messaging operation is send, publish or create
    dropped: NDArray[np.bool_]  # attributes, events or links were dropped by the SDK
    weight: NDArray[np.float64]  # adjusted count from sampling, 0 = unknown
    service: NDArray[np.int32]
    operation: NDArray[np.int32]
    version: NDArray[np.int32]
    host: NDArray[np.int32]
    services: tuple[ServiceIdentity, ...]
    operations: tuple[str, ...]
    versions: tuple[str, ...]
    hosts: tuple[str, ...]  # whose clock: '' is not known, and never counts as the same as another

    def __len__(self) -> int:
        return len(self.span_id)

    def take(self, rows: NDArray[np.intp]) -> SpanColumns:
        """The given rows, in that order; the name tables are shared."""
        picked = {
            field.name: getattr(self, field.name)[rows]
            for field in fields(self)
            if field.name not in NAME_TABLES
        }
        return SpanColumns(**picked, **{name: getattr(self, name) for name in NAME_TABLES})


NAME_TABLES = ("services", "operations", "versions", "hosts")
SEND_OPERATIONS = ("send", "publish", "create")  # of messaging.operation.type / .operation
