"""Makes spans with the Python SDK at a steady rate, whatever becomes of who receives them.

    python -m tests.interop.steady_python grpc|http/protobuf http://127.0.0.1:4317 DIRECTORY RATE

Ends when its standard input is closed and prints how many spans it made. What the exporter said of
every batch is written down: `DIRECTORY/acknowledged` and `DIRECTORY/failed` are ledgers.
"""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as over_grpc
from opentelemetry.exporter.otlp.proto.http import trace_exporter as over_http
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, Tracer

from tests.soak.ledger import Entry, write

TICK_S: Final = 0.02
CHILDREN: Final = 4
# Longer than any restart, so that the SDK need not give up or leave spans out by itself.
PATIENCE_S: Final = 90
QUEUED: Final = 200_000


class Written(SpanExporter):
    """An exporter that writes down what became of each batch."""

    def __init__(self, exporter: SpanExporter, acknowledged: IO[bytes], failed: IO[bytes]) -> None:
        self._exporter = exporter
        self._ledgers = {SpanExportResult.SUCCESS: acknowledged, SpanExportResult.FAILURE: failed}

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Hands the batch on, and writes once that is done."""
        result = self._exporter.export(spans)
        contexts = [span.get_span_context() for span in spans]
        names = tuple(f"{one.trace_id:032x}-{one.span_id:016x}" for one in contexts if one)
        write(self._ledgers[result], Entry(time.time_ns(), 1, names))
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def exporter(protocol: str, target: str) -> SpanExporter:
    """The SDK's exporter for that protocol."""
    if protocol == "grpc":
        return over_grpc.OTLPSpanExporter(target, insecure=True, timeout=PATIENCE_S)
    return over_http.OTLPSpanExporter(f"{target}/v1/traces", timeout=PATIENCE_S)


def trace(tracer: Tracer, number: int) -> int:
    """One small trace; how many spans it has."""
    with tracer.start_as_current_span(f"GET /{number % 7}", kind=SpanKind.SERVER):
        for child in range(CHILDREN):
            with tracer.start_as_current_span(f"step {child}", attributes={"number": number}):
                pass
    return 1 + CHILDREN


def main(protocol: str, target: str, directory: str, rate: str) -> None:
    """Makes spans until standard input is closed, then waits for all that is left."""
    into = Path(directory)
    with (into / "acknowledged").open("ab") as acknowledged, (into / "failed").open("ab") as failed:
        provider = TracerProvider(resource=Resource.create({"service.name": f"python {protocol}"}))
        written = Written(exporter(protocol, target), acknowledged, failed)
        provider.add_span_processor(
            BatchSpanProcessor(
                written,
                max_queue_size=QUEUED,
                schedule_delay_millis=500,
                export_timeout_millis=PATIENCE_S * 1_000,
            )
        )
        tracer = provider.get_tracer("steady")
        made = number = 0
        began_s = time.monotonic()
        while not select.select([sys.stdin], [], [], TICK_S)[0]:
            while made < (time.monotonic() - began_s) * float(rate):
                made += trace(tracer, number)
                number += 1
        provider.force_flush(PATIENCE_S * 1_000)
        provider.shutdown()
    sys.stdout.write(str(made))


if __name__ == "__main__":
    main(*sys.argv[1:])
