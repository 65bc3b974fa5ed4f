"""A running tracer: one store, and around it what the role of this process has.

    receive   receivers -> sink -> store     OTLP/gRPC, OTLP/HTTP, imports
    analyse   settler                        facts and rollups of what was received
    query     nothing more                   questions only read
    all       all of it

and `keeper` where the store is embedded, `presence` where other processes share it, health and
metrics everywhere. The web door is not here: it is given a `Service`, so that a test or another
program can run the rest without it.
"""

from __future__ import annotations

import functools
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from tracer.columns.records import SpanRecords
from tracer.errors import BadInput, Unsupported
from tracer.ingest.clock import IngestClock
from tracer.ingest.commit import BlockDone, Watch
from tracer.ingest.otlp.cors import Cors
from tracer.ingest.otlp.decode import decode
from tracer.ingest.otlp.receivers import Receivers, start_receivers
from tracer.ingest.otlp.tls import Certificates
from tracer.ingest.sink import Sink, SinkSettings
from tracer.ingest.steps import IMPORT_STEPS, Arrivals, apply
from tracer.service.burst import MergePause
from tracer.service.context import Context
from tracer.service.from_settings import limits_of, rules, step_settings
from tracer.service.health import Health, HealthCheck
from tracer.service.keeper import Keeper, limits
from tracer.service.memory import give_back_memory
from tracer.service.metrics import add_figures
from tracer.service.monitor import Monitor
from tracer.service.presence import Presence
from tracer.service.settle import SETTLED_UNTIL, Settler
from tracer.service.watching import Question, Watchers
from tracer.service.writes import Writes
from tracer.settings import Settings
from tracer.store.ballast import Ballast
from tracer.store.engine import Engine, free_bytes, open_server
from tracer.store.facts import read_state, write_state
from tracer.store.members import ANALYSE, RECEIVE
from tracer.store.priority import hold_merges
from tracer.store.store import Store, open_store
from tracer.store.writer import write_spans
from tracer.telemetry.meters import exposition, new_meters
from tracer.telemetry.self_trace import open_self_trace

DRAIN_S = 15.0
TRIED = "tried_ns"  # a row written only to see whether rows can be written
BUSY_BYTES = 16 * 2**20  # more than a block waits: analysis and merges give way to receivers

DUTIES: Final = {"all": (RECEIVE, ANALYSE), "receive": (RECEIVE,), "analyse": (ANALYSE,)}


class WriteSpans(Protocol):
    """Returns when the spans are committed and analysis cannot have passed them by."""

    def __call__(self, records: SpanRecords, *, imported: bool = False) -> None: ...


@dataclass(frozen=True)
class Service:
    """Everything that runs; `close` ends it without losing an accepted span.

    What the role leaves out is None, `keeper` and `merge_pause` are where the store is on a server,
    and `presence` where no other process can be.
    """

    context: Context
    store: Store
    watchers: Watchers
    health: HealthCheck
    monitor: Monitor
    presence: Presence | None = None
    sink: Sink | None = None
    receivers: Receivers | None = None
    settler: Settler | None = None
    keeper: Keeper | None = None
    merge_pause: MergePause | None = None

    @property
    def grpc_port(self) -> int | None:
        """The port OTLP/gRPC really listens on."""
        return self.receivers.grpc_port if self.receivers else None

    @property
    def http_port(self) -> int | None:
        """The port OTLP/HTTP really listens on."""
        return self.receivers.http_port if self.receivers else None

    def import_request(self, body: bytes) -> dict[str, Any]:
        """Stores one serialized OTLP request as an import: its times are kept, whatever they are.

        Raises BadInput when it does not decode, Unsupported where nothing is received.
        """
        if self.sink is None:
            raise Unsupported("spans are imported where they are received: ask a --role receive")
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
            _writer(self.store.engine, self.presence)(arrivals.records, imported=True)
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
        if self.receivers is not None:
            self.receivers.stop(DRAIN_S)

    def close(self) -> None:
        """Stops taking, finishes what was taken, takes leave, then lets go of the store."""
        self.drain()
        self.monitor.close()
        if self.sink is not None:
            self.sink.close(DRAIN_S)
        if self.merge_pause is not None:
            self.merge_pause.close()
        if self.keeper is not None:
            self.keeper.close()
        if self.settler is not None:
            self.settler.close()
        if self.presence is not None:
            self.presence.close()
        self.store.close()


def start_service(
    settings: Settings, *, api_url: str, certificates: Certificates | None = None
) -> Service:
    """Opens the store and starts everything; `api_url` is written into the lock for others.

    Raises PathInUse, Unavailable (a port is taken, the store is away) or BadSetting; nothing keeps
    running then.
    """
    return start_on(open_store(settings, api_url=api_url), settings, certificates)


def start_on(store: Store, settings: Settings, certificates: Certificates | None = None) -> Service:
    """Everything around an open store, which it owns from here on, also when it raises.

    Others hear of this process before it takes its first span, and analysis begins last.
    """
    give_back_memory()
    engine = store.engine
    duties = DUTIES.get(settings.role, ())
    instance = uuid.uuid4().hex
    with ExitStack() as undo:
        undo.callback(store.close)
        self_trace = open_self_trace(settings.self_trace, instance) if settings.self_trace else None
        watchers = Watchers(new_meters(), self_trace)
        undo.callback(watchers.close)
        presence = _presence(settings, duties)
        if presence:
            undo.callback(presence.close)
        clock_ns = presence.now_ns if presence else time.time_ns
        now_ns = IngestClock(read_state(engine, SETTLED_UNTIL) + 1, wall_ns=clock_ns)
        writes = Writes(lambda: _write_row(engine)) if RECEIVE in duties else None
        sink = None
        if writes:
            sink = Sink(
                decode=functools.partial(decode, tenant=settings.tenant),
                write=writes.around(_writer(engine, presence)),
                step_settings=step_settings(settings, instance),
                settings=SinkSettings(
                    queue_bytes=settings.queue_bytes, block_rows=settings.max_block_rows
                ),
                now_ns=now_ns,
                wall_ns=time.time_ns,
                watch=_all(writes.watch, watchers.block),
            )
            undo.callback(sink.close, 0)
        if presence:
            presence.start(sink.horizon_ns if sink else None)
        settler = None
        if ANALYSE in duties:
            settler = _settler(
                engine, settings, sink=sink, presence=presence, watchers=watchers, now_ns=now_ns
            )
        keeper = None if settings.store else _keeper(engine, settings)
        health = HealthCheck(
            sink=sink,
            settler=settler,
            keeper=keeper,
            presence=presence,
            engine=engine,
            writes=writes,
            settings=settings,
        )
        receivers = _receivers(sink, settings, certificates, watchers) if sink else None
        undo.pop_all()
    if settler:
        settler.start()
    if keeper:
        keeper.start()
    merge_pause = None
    if sink and store.lock is not None:
        merge_pause = MergePause(functools.partial(hold_merges, engine), _busy(sink))
        merge_pause.start()
    monitor = Monitor(health.ready, receivers.tell_ready if receivers else _nobody)
    monitor.start()
    add_figures(
        watchers.meters,
        sink=sink,
        settler=settler,
        keeper=keeper,
        engine=engine,
        health=lambda: health.ready() if health.draining else monitor.last,
        settings=settings,
    )
    return Service(
        Context(engine, settings, time.time_ns),
        store,
        watchers,
        health,
        monitor,
        presence=presence,
        sink=sink,
        receivers=receivers,
        settler=settler,
        keeper=keeper,
        merge_pause=merge_pause,
    )


def _presence(settings: Settings, duties: tuple[str, ...]) -> Presence | None:
    """This process among those that share the server, None on a store of its own."""
    if not settings.store or not duties:
        return None
    engine = open_server(settings.store, create=False)
    try:
        return Presence(
            engine,
            duties,
            expiry_ns=settings.member_expiry,
            allowance_ns=settings.clock_allowance,
        )
    except BaseException:
        engine.close()
        raise


def _writer(engine: Engine, presence: Presence | None) -> WriteSpans:
    def write(records: SpanRecords, *, imported: bool = False) -> None:
        write_spans(engine, records, imported=imported)
        if presence is not None:
            presence.assure()

    return write


def _write_row(engine: Engine) -> None:
    now_ns = time.time_ns()
    write_state(engine, TRIED, now_ns, version_ns=now_ns)


def _all(*watches: Watch) -> Watch:
    def watch(done: BlockDone) -> None:
        for one in watches:
            one(done)

    return watch


def _settler(
    engine: Engine,
    settings: Settings,
    *,
    sink: Sink | None,
    presence: Presence | None,
    watchers: Watchers,
    now_ns: Callable[[], int],
) -> Settler:
    """Of receivers elsewhere `presence` knows the horizon, and which analyser is to work."""
    horizon_ns = presence.read_horizon if presence else sink.horizon_ns if sink else now_ns
    return Settler(
        engine,
        rules(settings),
        now_ns=now_ns,
        horizon_ns=horizon_ns,
        is_busy=_busy(sink),
        wall_ns=time.time_ns,
        is_first=presence.is_first_analyser if presence else lambda: True,
        watch=watchers.step,
    )


def _busy(sink: Sink | None) -> Callable[[], bool]:
    return lambda: sink is not None and sink.stats().queue_bytes > BUSY_BYTES


def _keeper(engine: Engine, settings: Settings) -> Keeper:
    return Keeper(
        engine,
        limits(settings),
        free_bytes=lambda: free_bytes(Path(settings.data)),
        now_ns=time.time_ns,
        ballast=Ballast(Path(settings.data)),
    )


def _receivers(
    sink: Sink, settings: Settings, certificates: Certificates | None, watchers: Watchers
) -> Receivers:
    return start_receivers(
        sink,
        host=settings.host,
        grpc_port=settings.otlp_grpc_port,
        http_port=settings.otlp_http_port,
        limits=limits_of(settings),
        certificates=certificates,
        cors=Cors(settings.cors_allowed_origins, settings.cors_allowed_headers),
        watch=watchers.visit,
    )


def _nobody(ready: bool) -> None:
    """Without receivers there is no gRPC health service to tell."""
