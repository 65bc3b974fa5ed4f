"""tracer's own work as spans: commits, steps of analysis, questions.

None for work on nothing but spans of tracers: tracing that would feed itself.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from tracer.ingest.commit import BlockDone
from tracer.service.settle import StepDone
from tracer.telemetry.self_trace import Work

# Asked every few seconds by machines: nothing to learn, much to store.
UNTRACED_ROUTES: Final = ("/metrics", "/api/v1/health/live", "/api/v1/health/ready")


def of_block(done: BlockDone, failure: str) -> Work | None:
    """A commit that has just ended; `failure` is why nothing was stored."""
    if done.foreign == 0:
        return None
    ended_ns = time.time_ns()
    began_ns = ended_ns - _ns(done.commit_s)
    rows = {"tracer.spans": done.result.rows, "tracer.bytes": done.request_bytes}
    return Work(
        "commit",
        began_ns,
        ended_ns,
        {
            **rows,
            "tracer.requests": done.requests,
            "tracer.spans_rejected": done.result.rejected.total(),
        },
        failure=failure,
        stages=(
            Work("decode", began_ns, began_ns + _ns(done.decode_s), rows),
            Work("write", ended_ns - _ns(done.write_s), ended_ns, rows, failure=failure),
        ),
    )


def of_step(done: StepDone) -> Work | None:
    """A step of analysis that has just ended."""
    if done.foreign == 0:
        return None
    ended_ns = time.time_ns()
    attributes = {"tracer.traces": done.traces, "tracer.spans": done.spans}
    return Work("analyse", ended_ns - _ns(done.step_s), ended_ns, attributes)


def of_question(
    route: str,
    method: str,
    *,
    status: int,
    began_ns: int,
    took_s: float,
    headers: Mapping[str, str],
) -> Work | None:
    """A request of the API that has just been answered."""
    if route in UNTRACED_ROUTES:
        return None
    return Work(
        f"{method} {route}" if route.startswith("/") else method,
        began_ns,
        began_ns + _ns(took_s),
        {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": status,
        },
        failure=f"status {status}" if status >= 500 else "",
        answers=True,
        headers=headers,
    )


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
