"""What ingest tests need: short requests, an obvious decode, a list as the store."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tracer.columns.records import SpanRecords
from tracer.columns.schema import arrow_schema
from tracer.errors import BadInput
from tracer.ingest.otlp.decoded import Decoded, Rejected

NOW_NS = 1_700_000_000_000_000_000


def request(*names: str, service: str = "shop", start_ns: int = NOW_NS) -> bytes:
    """A request with one span per name; a span without a name is one the decode rejects."""
    message = ExportTraceServiceRequest()
    group = message.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = service
    for number, name in enumerate(names):
        group.scope_spans.add().spans.add(
            trace_id=bytes(15) + b"\1",
            span_id=number.to_bytes(8, "big"),
            name=name,
            start_time_unix_nano=start_ns,
            end_time_unix_nano=start_ns + 1_000,
        )
    return message.SerializeToString()


def decode(requests: Sequence[bytes], *, ingest_ns: int) -> Decoded:
    """One row per span, by walking the objects; b'poison' breaks the whole batch."""
    rows: list[dict[str, Any]] = []
    request_of: list[int] = []
    rejected: list[Rejected] = []
    refused: dict[int, BadInput] = {}
    for number, one in enumerate(requests):
        if one == b"poison":
            raise RuntimeError("poison")
        try:
            message = ExportTraceServiceRequest.FromString(one)
        except DecodeError as error:
            refused[number] = BadInput(f"not an OTLP trace request: {error}")
            continue
        for group in message.resource_spans:
            service = group.resource.attributes[0].value.string_value if group.resource else ""
            for scope in group.scope_spans:
                for span in scope.spans:
                    if not span.name:
                        rejected.append(Rejected(number, 1, "the span has no name"))
                        continue
                    attributes = [(a.key, a.value.string_value) for a in span.attributes]
                    rows.append(
                        row(
                            Timestamp=span.start_time_unix_nano,
                            Duration=span.end_time_unix_nano - span.start_time_unix_nano,
                            TraceId=span.trace_id.hex(),
                            SpanName=span.name,
                            ServiceName=service,
                            SpanAttributes=attributes,
                            IngestTime=ingest_ns,
                        )
                    )
                    request_of.append(number)
    return Decoded(records(*rows), np.array(request_of, np.int32), tuple(rejected), refused)


def row(**values: Any) -> dict[str, Any]:
    """A row of the span schema; what is not named is empty."""
    return {field.name: values.get(field.name, _empty(field.type)) for field in arrow_schema()}


def records(*rows: dict[str, Any]) -> SpanRecords:
    """The rows as span records."""
    return SpanRecords(pa.RecordBatch.from_pylist(list(rows), schema=arrow_schema()))


def _empty(kind: pa.DataType) -> Any:
    if pa.types.is_list(kind) or pa.types.is_map(kind):
        return []
    return "" if pa.types.is_string(kind) or pa.types.is_dictionary(kind) else 0


class Store:
    """A list as the store. `before` runs inside each write and may block or raise."""

    def __init__(self, before: Any = None) -> None:
        self.blocks: list[SpanRecords] = []
        self._before = before

    def write(self, block: SpanRecords) -> None:
        """Keep a block."""
        if self._before:
            self._before(block)
        self.blocks.append(block)

    def names(self) -> list[str]:
        """The names of all spans stored, in order."""
        return [name for block in self.blocks for name in span_names(block)]


class Gate:
    """Stops writes until it is opened; `reached` is set when the first one waits."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._opened = threading.Event()

    def __call__(self, block: SpanRecords) -> None:
        """Wait for `open`."""
        self.reached.set()
        assert self._opened.wait(20)

    def open(self) -> None:
        """Let every write pass from now on."""
        self._opened.set()


def span_names(block: SpanRecords) -> list[str]:
    """The names of a block's spans."""
    return list(block.batch.column("SpanName").to_pylist())
