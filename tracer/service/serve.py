"""A running tracer: receivers, committer and analysis around one store.

Started in the order store, sink, settler, receivers and stopped in the reverse, so that whatever
was accepted is stored and acknowledged before anything it needs goes away.
"""

from __future__ import annotations

import functools
import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracer.errors import BadInput
from tracer.ingest.clock import IngestClock
from tracer.ingest.commit import BlockDone, Watch
from tracer.ingest.otlp.cors import Cors
from tracer.ingest.otlp.decode import decode
from tracer.ingest.otlp.limits import Limits
from tracer.ingest.otlp.receivers import Receivers, start_receivers
from tracer.ingest.otlp.tls import Certificates
from tracer.ingest.redact import SECRET_KEYS
from tracer.ingest.sink import Sink, SinkSettings
from tracer.ingest.steps import IMPORT_STEPS, Arrivals, StepSettings, apply
from tracer.service.burst import MergePause
from tracer.service.context import Context
from tracer.service.health import Health, HealthCheck
from tracer.service.keeper import Keeper, limits
from tracer.service.memory import give_back_memory
from tracer.service.metrics import add_figures
from tracer.service.monitor import Monitor
from tracer.service.settle import SETTLED_UNTIL, Rules, Settler
from tracer.service.watching import Question, Watchers
from tracer.service.writes import Writes
from tracer.settings import Settings
from tracer.store.ballast import Ballast
from tracer.store.engine import Engine, free_bytes
from tracer.store.facts import read_state, write_state
from tracer.store.priority import hold_merges
from tracer.store.store import Store, open_store
from tracer.store.writer import write_spans
from tracer.telemetry.meters import exposition, new_meters
from tracer.telemetry.self_trace import open_self_trace

DRAIN_S = 15.0
TRIED = "tried_ns"  # a row written only to see whether rows can be written
BUSY_BYTES = 16 * 2**20  # more than a block waits: analysis and merges give way to receivers


@dataclass(frozen=True)
class Service:
    """Everything that runs; `close` ends it without losing an accepted span."""

    context: Context
    store: Store
    sink: Sink
    settler: Settler
    keeper: Keeper
    receivers: Receivers
    watchers: Watchers
    health: HealthCheck
    monitor: Monitor
    merge_pause: MergePause | None = None  # None where the store is shared

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

    def ready(self) -> Health:
        """Whether exports are stored and questions answered now; within two seconds."""
        return self.health.ready()

    def live(self) -> Health:
        """Whether it works at all; if not, only a restart helps."""
        return self.health.live()

    def metrics(self) -> bytes:
        """Own telemetry in the Prometheus text format."""
        return exposition(self.watchers.meters)

    def asked(self, question: Question) -> None:
        """A question was answered by the web door."""
        self.watchers.question(question)

    def drain(self) -> None:
        """Not ready from now on; takes no new exports and answers those it took."""
        self.monitor.end()
        self.watchers.close()
        self.health.draining = True
        self.receivers.stop(DRAIN_S)

    def close(self) -> None:
        """Stops taking, finishes what was taken, then lets go of the store."""
        self.drain()
        self.monitor.close()
        self.sink.close(DRAIN_S)
        if self.merge_pause is not None:
            self.merge_pause.close()
        self.keeper.close()
        self.settler.close()
        self.store.close()


def step_settings(settings: Settings, own_instance: str = "") -> StepSettings:
    """The ingest steps as the settings want them."""
    return StepSettings(
        retention_ns=settings.retention_raw,
        secret_keys=SECRET_KEYS + settings.redact_keys,
        own_instance=own_instance,
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


def _write_row(engine: Engine) -> None:
    now_ns = time.time_ns()
    write_state(engine, TRIED, now_ns, version_ns=now_ns)


def _all(*watches: Watch) -> Watch:
    def watch(done: BlockDone) -> None:
        for one in watches:
            one(done)

    return watch


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
    return start_on(open_store(settings, api_url=api_url), settings, certificates)


def start_on(store: Store, settings: Settings, certificates: Certificates | None = None) -> Service:
    """Everything around an open store, which it owns from here on, also when it raises."""
    give_back_memory()
    instance = uuid.uuid4().hex
    with ExitStack() as undo:
        undo.callback(store.close)
        self_trace = open_self_trace(settings.self_trace, instance) if settings.self_trace else None
        watchers = Watchers(new_meters(), self_trace)
        undo.callback(watchers.close)
        writes = Writes(lambda: _write_row(store.engine))
        now_ns = IngestClock(read_state(store.engine, SETTLED_UNTIL) + 1)
        sink = Sink(
            decode=functools.partial(decode, tenant=settings.tenant),
            write=writes.around(functools.partial(write_spans, store.engine)),
            step_settings=step_settings(settings, instance),
            settings=SinkSettings(
                queue_bytes=settings.queue_bytes, block_rows=settings.max_block_rows
            ),
            now_ns=now_ns,
            wall_ns=time.time_ns,
            watch=_all(writes.watch, watchers.block),
        )
        undo.callback(sink.close, 0)

        def is_busy() -> bool:
            return sink.stats().queue_bytes > BUSY_BYTES

        settler = Settler(
            store.engine,
            rules(settings),
            now_ns=now_ns,
            horizon_ns=sink.horizon_ns,
            is_busy=is_busy,
            wall_ns=time.time_ns,
            watch=watchers.step,
        )
        keeper = Keeper(
            store.engine,
            limits(settings),
            free_bytes=lambda: free_bytes(Path(settings.data)),
            now_ns=time.time_ns,
            ballast=Ballast(Path(settings.data)),
        )
        health = HealthCheck(
            sink=sink,
            settler=settler,
            keeper=keeper,
            engine=store.engine,
            writes=writes,
            settings=settings,
        )
        receivers = start_receivers(
            sink,
            host=settings.host,
            grpc_port=settings.otlp_grpc_port,
            http_port=settings.otlp_http_port,
            limits=limits_of(settings),
            certificates=certificates,
            cors=Cors(settings.cors_allowed_origins, settings.cors_allowed_headers),
            watch=watchers.visit,
        )
        undo.pop_all()
    settler.start()
    keeper.start()
    merge_pause = None
    if store.lock is not None:
        merge_pause = MergePause(functools.partial(hold_merges, store.engine), is_busy)
        merge_pause.start()
    context = Context(store.engine, settings, time.time_ns)
    monitor = Monitor(health.ready, receivers.tell_ready)
    monitor.start()
    add_figures(
        watchers.meters,
        sink=sink,
        settler=settler,
        keeper=keeper,
        engine=store.engine,
        health=lambda: health.ready() if health.draining else monitor.last,
        settings=settings,
    )
    return Service(
        context,
        store,
        sink,
        settler,
        keeper,
        receivers,
        watchers,
        health,
        monitor,
        merge_pause,
    )
