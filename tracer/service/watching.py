"""What is counted when an export was answered, a block ended, a step of analysis was made."""

from __future__ import annotations

from tracer.errors import BadInput, TracerError
from tracer.ingest.commit import BlockDone
from tracer.ingest.otlp.door import Visit
from tracer.service.settle import StepDone
from tracer.telemetry.meters import Meters


def failure_of(done: BlockDone) -> TracerError | None:
    """Why nothing of the block was stored although something in it should have been.

    A request that is wrong by itself (`BadInput`) says nothing about the store.
    """
    errors = [one for one in done.result.outcomes if isinstance(one, TracerError)]
    if len(errors) < len(done.result.outcomes):
        return None
    return next((error for error in errors if not isinstance(error, BadInput)), None)


def count_visit(meters: Meters, visit: Visit) -> None:
    """An export was answered."""
    transport = visit.transport
    meters.receiver_requests.labels(transport).inc()
    meters.receiver_bytes.labels(transport).inc(visit.request_bytes)
    meters.receiver_seconds.labels(transport).observe(visit.took_s)
    if visit.refused:
        meters.receiver_refused.labels(transport, visit.refused).inc()
    if visit.ack is not None:
        meters.receiver_accepted.labels(transport).inc(visit.ack.accepted)
        for reason, count in visit.ack.reasons:
            meters.receiver_rejected.labels(transport, reason).inc(count)


def count_block(meters: Meters, done: BlockDone) -> None:
    """A block ended."""
    meters.commits.labels("failed" if failure_of(done) else "stored").inc()
    meters.commit_seconds.observe(done.commit_s)
    meters.commit_stage_seconds.labels("decode").observe(done.decode_s)
    meters.commit_stage_seconds.labels("write").observe(done.write_s)
    meters.block_rows.observe(done.result.rows)


def count_step(meters: Meters, done: StepDone) -> None:
    """Analysis made a step."""
    meters.analysis_step_seconds.observe(done.step_s)
