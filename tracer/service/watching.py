"""What is counted, and traced, when an export or question was answered or a piece of work ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tracer.errors import BadInput, TracerError
from tracer.ingest.commit import BlockDone
from tracer.ingest.otlp.door import Visit
from tracer.service import own_work
from tracer.service.settle import StepDone
from tracer.telemetry.meters import Meters
from tracer.telemetry.self_trace import SelfTrace, Work


@dataclass(frozen=True)
class Question:
    """A request of the API that was answered. `route` is a template, 'none' where there is none."""

    route: str
    method: str
    status: int
    began_ns: int
    took_s: float
    headers: Mapping[str, str] = field(default_factory=dict)  # those that name a parent


def failure_of(done: BlockDone) -> TracerError | None:
    """Why nothing of the block was stored although something in it should have been.

    A request that is wrong by itself (`BadInput`) says nothing about the store.
    """
    errors = [one for one in done.result.outcomes if isinstance(one, TracerError)]
    if len(errors) < len(done.result.outcomes):
        return None
    return next((error for error in errors if not isinstance(error, BadInput)), None)


@dataclass(frozen=True)
class Watchers:
    """Told by the threads that do the work: cheap, never waits, never raises."""

    meters: Meters
    self_trace: SelfTrace | None

    def visit(self, visit: Visit) -> None:
        """An export was answered. Never traced: an export of ours would make another."""
        meters, transport = self.meters, visit.transport
        meters.receiver_requests.labels(transport).inc()
        meters.receiver_bytes.labels(transport).inc(visit.request_bytes)
        meters.receiver_seconds.labels(transport).observe(visit.took_s)
        if visit.refused:
            meters.receiver_refused.labels(transport, visit.refused).inc()
        if visit.ack is not None:
            meters.receiver_accepted.labels(transport).inc(visit.ack.accepted)
            for reason, count in visit.ack.reasons:
                meters.receiver_rejected.labels(transport, reason).inc(count)

    def block(self, done: BlockDone) -> None:
        """A block ended."""
        failure = failure_of(done)
        meters = self.meters
        meters.commits.labels("failed" if failure else "stored").inc()
        meters.commit_seconds.observe(done.commit_s)
        meters.commit_stage_seconds.labels("decode").observe(done.decode_s)
        meters.commit_stage_seconds.labels("write").observe(done.write_s)
        meters.block_rows.observe(done.result.rows)
        self._trace(own_work.of_block(done, str(failure or "")))

    def step(self, done: StepDone) -> None:
        """Analysis made a step."""
        self.meters.analysis_step_seconds.observe(done.step_s)
        self._trace(own_work.of_step(done))

    def question(self, asked: Question) -> None:
        """The API answered."""
        self.meters.api_requests.labels(asked.route, asked.method, str(asked.status)).inc()
        self.meters.api_seconds.labels(asked.route).observe(asked.took_s)
        self._trace(
            own_work.of_question(
                asked.route,
                asked.method,
                status=asked.status,
                began_ns=asked.began_ns,
                took_s=asked.took_s,
                headers=asked.headers,
            )
        )

    def _trace(self, work: Work | None) -> None:
        if self.self_trace is not None and work is not None:
            self.self_trace.record(work)

    def close(self) -> None:
        """Exports what is left."""
        if self.self_trace is not None:
            self.self_trace.close()
