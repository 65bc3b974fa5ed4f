"""A running tracer: receivers, committer and analysis around one store.

Started in the order store, sink, settler, receivers and stopped in the reverse, so that whatever
was accepted is stored and acknowledged before anything it needs goes away.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tracer.errors import BadInput, TracerError
from tracer.ingest.clock import IngestClock
from tracer.ingest.otlp.cors import Cors
from tracer.ingest.otlp.decode import decode
from tracer.ingest.otlp.limits import Limits
from tracer.ingest.otlp.receivers import Receivers, start_receivers
from tracer.ingest.otlp.tls import Certificates
from tracer.ingest.redact import SECRET_KEYS
from tracer.ingest.sink import Sink, SinkSettings
from tracer.ingest.steps import IMPORT_STEPS, Arrivals, StepSettings, apply
from tracer.service.context import Context
from tracer.service.settle import SETTLED_UNTIL, Rules, Settler
from tracer.settings import Settings
from tracer.store.engine import free_bytes
from tracer.store.facts import read_state
from tracer.store.store import Store, open_store
from tracer.store.writer import write_spans
from tracer.telemetry import Sample, exposition

DRAIN_S = 15.0
BUSY_BYTES = 16 * 2**20  # more than a block waits: analysis gives way to receivers
ROOM_BYTES = 64 * 2**20  # less free disk takes no block (min_free_disk_bytes_to_perform_insert)


@dataclass(frozen=True)
class Service:
    """Everything that runs; `close` ends it without losing an accepted span."""

    context: Context
    store: Store
    sink: Sink
    settler: Settler
    receivers: Receivers

    @property
    def grpc_port(self) -> int:
        """The port OTLP/gRPC really listens on."""
        return self.receivers.grpc_port

    @property
    def http_port(self) -> int:
        """The port OTLP/HTTP really listens on."""
        return self.receivers.http_port

    def import_request(self, body: bytes) -> dict[str, Any]:
        """Stores one serialized OTLP request as an import: its times are kept, whatever they are.

        Raises BadInput when it does not decode.
        """
        with self.sink.holding() as ingest_ns:
            decoded = decode([body], ingest_ns=ingest_ns, tenant=self.context.settings.tenant)
            if decoded.refused:
                raise BadInput(str(next(iter(decoded.refused.values()))))
            arrivals = apply(
                Arrivals(decoded.records, decoded.request_of, decoded.rejected),
                IMPORT_STEPS,
                step_settings(self.context.settings),
                ingest_ns,
            )
            write_spans(self.store.engine, arrivals.records, imported=True)
        return {
            "schema": "tracer.import/1",
            "spans": len(arrivals.records),
            "rejected": sum(some.count for some in arrivals.rejected),
            "reasons": sorted({some.reason for some in arrivals.rejected}),
        }

    def ready(self) -> tuple[bool, dict[str, str]]:
        """Whether exports are stored and questions answered now, and the truth about each part."""
        try:
            self.store.engine.rows("SELECT 1")
            store = "ok"
        except TracerError as error:
            store = str(error)
        if not self.context.settings.store:
            free = free_bytes(Path(self.context.settings.data))
            if free < ROOM_BYTES:
                store = (
                    f"the disk is full: {free} bytes free; exports are refused until there is room"
                )
        stats = self.sink.stats()
        receivers = "ok"
        if self.receivers.stopping:
            receivers = "stopping: no more exports are taken"
        elif stats.queue_bytes > self.context.settings.queue_bytes * 0.95:
            receivers = "full: exports are refused until the store catches up"
        parts = {
            "store": store,
            "receivers": receivers,
            "analysis": "ok" if self.settler.alive() else "stopped",
        }
        return all(state == "ok" for state in parts.values()), parts

    def metrics(self) -> bytes:
        """Own telemetry in the Prometheus text format."""
        return exposition(self._samples())

    def _samples(self) -> Iterator[Sample]:
        stats, progress = self.sink.stats(), self.settler.progress
        yield Sample(
            "tracer_spans_accepted",
            "counter",
            "Spans stored and acknowledged",
            stats.accepted_spans,
        )
        for reason, count in sorted(stats.rejected_spans.items()):
            yield Sample(
                "tracer_spans_rejected",
                "counter",
                "Invalid spans, told to the sender by partial_success",
                count,
                {"reason": reason},
            )
        for reason, count in sorted(stats.refused_requests.items()):
            yield Sample(
                "tracer_requests_refused",
                "counter",
                "Exports answered with an error",
                count,
                {"reason": reason},
            )
        for name, meaning, value in (
            (
                "tracer_requests_committed",
                "Exports stored and acknowledged",
                stats.committed_requests,
            ),
            ("tracer_requests_repeated", "Retried exports answered once", stats.repeated_requests),
            ("tracer_commits", "Blocks written", stats.commits),
            ("tracer_traces_analysed", "Traces turned into facts", progress.traces),
            ("tracer_spans_analysed", "Spans read by analysis", progress.spans),
            ("tracer_minutes_rolled_up", "Minutes rolled up", progress.minutes),
            ("tracer_analysis_failures", "Analysis steps that must repeat", progress.failures),
        ):
            yield Sample(name, "counter", meaning, value)
        for name, meaning, number in (
            ("tracer_queue_bytes", "Bytes accepted and not stored yet", float(stats.queue_bytes)),
            ("tracer_commit_seconds", "Duration of the last commit", stats.commit_s),
            ("tracer_block_rows", "Spans in the last commit", float(stats.block_rows)),
            (
                "tracer_analysis_lag_seconds",
                "Age of the oldest trace waiting",
                progress.lag_ns / 1e9,
            ),
            ("tracer_resident_bytes", "Resident memory", float(psutil.Process().memory_info().rss)),
        ):
            yield Sample(name, "gauge", meaning, number)

    def drain(self) -> None:
        """Takes no more; stores and acknowledges what was taken. Questions are still answered."""
        self.receivers.stop(DRAIN_S)
        self.sink.close(DRAIN_S)

    def close(self) -> None:
        """Drains, then lets go of the store."""
        self.drain()
        self.settler.close()
        self.store.close()


def step_settings(settings: Settings) -> StepSettings:
    """The ingest steps as the settings want them."""
    return StepSettings(
        retention_ns=settings.retention_raw, secret_keys=SECRET_KEYS + settings.redact_keys
    )


def limits_of(settings: Settings) -> Limits:
    """What clients may take of the process, as the settings want it."""
    return Limits(
        request_bytes=settings.max_request_bytes,
        read_timeout_s=settings.read_timeout / 1e9,
        connections=settings.max_connections,
        streams=settings.max_streams,
    )


def rules(settings: Settings) -> Rules:
    """When a trace is ready and what is counted apart, as the settings want it."""
    return Rules(
        settings.settle,
        settings.root_wait,
        settings.max_trace_age,
        settings.max_services,
        settings.max_operations,
    )


def certificates_of(settings: Settings) -> Certificates | None:
    """For all listeners, None without TLS. Raises BadSetting when the files cannot be used."""
    if not settings.tls_cert:
        return None
    return Certificates(settings.tls_cert, settings.tls_key, settings.tls_client_ca)


def start_service(
    settings: Settings, *, api_url: str, certificates: Certificates | None = None
) -> Service:
    """Opens the store and starts everything; `api_url` is written into the lock for others.

    Raises PathInUse, Unavailable (a port is taken) or BadSetting; nothing keeps running then.
    """
    store = open_store(settings, api_url=api_url)
    try:
        now_ns = IngestClock(read_state(store.engine, SETTLED_UNTIL) + 1)
        sink = Sink(
            decode=functools.partial(decode, tenant=settings.tenant),
            write=functools.partial(write_spans, store.engine),
            step_settings=step_settings(settings),
            settings=SinkSettings(
                queue_bytes=settings.queue_bytes, block_rows=settings.max_block_rows
            ),
            now_ns=now_ns,
            wall_ns=time.time_ns,
        )
    except BaseException:
        store.close()
        raise
    try:
        settler = Settler(
            store.engine,
            rules(settings),
            now_ns=now_ns,
            horizon_ns=sink.horizon_ns,
            is_busy=lambda: sink.stats().queue_bytes > BUSY_BYTES,
            wall_ns=time.time_ns,
        )
        receivers = start_receivers(
            sink,
            host=settings.host,
            grpc_port=settings.otlp_grpc_port,
            http_port=settings.otlp_http_port,
            limits=limits_of(settings),
            certificates=certificates,
            cors=Cors(settings.cors_allowed_origins, settings.cors_allowed_headers),
        )
    except BaseException:
        sink.close(0)
        store.close()
        raise
    settler.start()
    return Service(Context(store.engine, settings, time.time_ns), store, sink, settler, receivers)
