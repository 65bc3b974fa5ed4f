"""Decode OTLP to checked columns on one core, against the usual walk over protobuf objects; and
OTLP/JSON to the same, against filling protobuf messages from parsed JSON.

Times are CPU seconds of this process with Arrow held to one thread, best of several rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import orjson
import pyarrow as pa
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from benchmarks.corpus import SPANS_PER_REQUEST, requests
from tracer.columns.records import SpanRecords
from tracer.ingest.otlp.decode import decode
from tracer.ingest.otlp.encode import to_otlp_json
from tracer.ingest.otlp.otlp_json import obvious_request, request_from_json

_REQUESTS = 64  # 65,536 spans, what one commit takes under load
_JSON_REQUESTS = 16
_ROUNDS = 7


def run() -> list[dict[str, Any]]:
    """Rows of name, value, unit, reference (the naive way, same run) and ratio."""
    bodies = requests(_REQUESTS, base_ns=time.time_ns())
    threads = pa.cpu_count()
    pa.set_cpu_count(1)
    try:
        spans = _REQUESTS * SPANS_PER_REQUEST
        fast_s = _best(lambda: decode(bodies, ingest_ns=1))
        naive_s = _best(lambda: _walk_objects(bodies), rounds=2)
        json_bodies = _as_json(bodies[:_JSON_REQUESTS])
        json_spans = _JSON_REQUESTS * SPANS_PER_REQUEST
        json_s = _best(lambda: [request_from_json(body) for body in json_bodies])
        obvious_s = _best(lambda: [obvious_request(body) for body in json_bodies], rounds=3)
    finally:
        pa.set_cpu_count(threads)
    megabytes = sum(map(len, bodies)) / 1e6
    return [
        _row("decode OTLP to columns, one core", spans / fast_s, "spans/s", spans / naive_s),
        _row("decode OTLP to columns, one core", megabytes / fast_s, "MB/s", megabytes / naive_s),
        _row(
            "OTLP/JSON to protobuf, one core",
            json_spans / json_s,
            "spans/s",
            json_spans / obvious_s,
        ),
    ]


def _row(name: str, value: float, unit: str, reference: float | None) -> dict[str, Any]:
    ratio = None if reference is None else value / reference
    return {"name": name, "value": value, "unit": unit, "reference": reference, "ratio": ratio}


def _best(work: Callable[[], object], rounds: int = _ROUNDS) -> float:
    """CPU seconds of the fastest round, after one that warms up."""
    work()
    seconds: list[float] = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def _as_json(bodies: Sequence[bytes]) -> list[bytes]:
    records = decode(bodies, ingest_ns=1).records
    return [
        orjson.dumps(to_otlp_json(SpanRecords(records.batch.slice(first, SPANS_PER_REQUEST))))
        for first in range(0, len(records), SPANS_PER_REQUEST)
    ]


def _walk_objects(bodies: Sequence[bytes]) -> list[tuple[Any, ...]]:
    """The plain receiver: one tuple a span, attributes as a dict of text. It checks nothing, keeps
    no types and makes no columns, so it does less than what it is compared with."""
    spans: list[tuple[Any, ...]] = []
    for body in bodies:
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = {pair.key: _text(pair.value) for pair in group.resource.attributes}
            service = resource.get("service.name", "")
            for scope_spans in group.scope_spans:
                for span in scope_spans.spans:
                    spans.append(
                        (
                            span.start_time_unix_nano,
                            span.end_time_unix_nano,
                            span.trace_id.hex(),
                            span.span_id.hex(),
                            span.parent_span_id.hex(),
                            span.name,
                            span.kind,
                            span.status.code,
                            service,
                            resource,
                            {pair.key: _text(pair.value) for pair in span.attributes},
                            [(event.time_unix_nano, event.name) for event in span.events],
                        )
                    )
    return spans


def _text(value: AnyValue) -> str:
    member = value.WhichOneof("value")
    return "" if member is None else str(getattr(value, member))
