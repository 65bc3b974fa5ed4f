"""Traffic whose traces arrive in pieces, as real ones do: every service exports its own spans.

A trace crosses up to five services. What a service has gathered goes out as one request, some of it
seconds late, so that children come before their root, after the trace was analysed, or after a
restart. A third of the requests happened up to three minutes ago: their minutes are rolled up
again. A few traces are long jobs of the last hour whose root is exported last: it takes back what
was said of its children, in another minute, where little else happens.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tracer.units import NS_PER_S

SERVICES: Final = ("gate", "cart", "orders", "stock", "mail")
SPANS_PER_REQUEST: Final = 400
OLD_SHARE: Final = 0.3
OLDEST_NS: Final = 180 * NS_PER_S
LATE_SHARE: Final = 0.1
LATEST_NS: Final = 8 * NS_PER_S
JOB_SHARE: Final = 0.003
OLDEST_JOB_NS: Final = 3600 * NS_PER_S
LONGEST_JOB_NS: Final = 90 * NS_PER_S
JOB_ROOT_LATE_NS: Final = range(5 * NS_PER_S, 9 * NS_PER_S)
_MS: Final = 1_000_000


@dataclass(frozen=True)
class Request:
    """Serialized spans of one service; `due_ns` is when it should be sent."""

    body: bytes
    spans: tuple[str, ...]  # trace id and span id in hex, with a dash between
    due_ns: int


class Traffic:
    """Endless traces from one seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._gathered: dict[int, list[Span]] = {number: [] for number in range(len(SERVICES))}

    def trace(self, now_ns: int) -> Iterator[Request]:
        """One more trace; gives the requests that are full now."""
        rng = self._random
        is_job = rng.random() < JOB_SHARE
        bounds = self._job(now_ns) if is_job else self._call(now_ns)
        for service, span in self._spans(*bounds):
            if is_job and not span.parent_span_id:
                yield _request(service, [span], now_ns + rng.choice(JOB_ROOT_LATE_NS))
            else:
                self._gathered[service].append(span)
        for service, spans in self._gathered.items():
            if len(spans) >= SPANS_PER_REQUEST:
                late_ns = rng.randrange(LATEST_NS) if rng.random() < LATE_SHARE else 0
                self._gathered[service] = []
                yield _request(service, spans, now_ns + late_ns)

    def rest(self, now_ns: int) -> Iterator[Request]:
        """What was gathered and not sent yet."""
        for service, spans in self._gathered.items():
            if spans:
                yield _request(service, spans, now_ns)

    def _job(self, now_ns: int) -> tuple[int, int]:
        """Start and end of a long job."""
        end_ns = now_ns - self._random.randrange(OLDEST_JOB_NS)
        return end_ns - self._random.randrange(NS_PER_S, LONGEST_JOB_NS), end_ns

    def _call(self, now_ns: int) -> tuple[int, int]:
        """Start and end of an ordinary request."""
        rng = self._random
        end_ns = now_ns - (rng.randrange(OLDEST_NS) if rng.random() < OLD_SHARE else 0)
        return end_ns - rng.randrange(5 * _MS, 900 * _MS), end_ns

    def _spans(self, start_ns: int, end_ns: int) -> Iterator[tuple[int, Span]]:
        """(service, span) of one trace, the root first; children lie within their parent."""
        rng = self._random
        trace_id = rng.randbytes(16)
        tracestate = "ot=th:8" if rng.random() < 0.5 else ""
        above = [(b"", 0, start_ns, end_ns)]  # span id, service, start, end
        for number in range(rng.randrange(4, 16)):
            parent_id, service, low_ns, high_ns = rng.choice(above)
            if number == 0:
                above.clear()
            else:
                service = min(service + rng.randrange(2), len(SERVICES) - 1)
                low_ns += rng.randrange((high_ns - low_ns) // 2 + 1)
                high_ns -= rng.randrange((high_ns - low_ns) // 2 + 1)
            span = Span(
                trace_id=trace_id,
                span_id=rng.randbytes(8),
                parent_span_id=parent_id,
                trace_state=tracestate,
                name=f"{SERVICES[service]} {rng.randrange(4)}",
                kind=Span.SPAN_KIND_INTERNAL if number % 3 else Span.SPAN_KIND_SERVER,
                start_time_unix_nano=low_ns,
                end_time_unix_nano=high_ns,
            )
            span.attributes.add(key="user.id").value.string_value = str(rng.randrange(1000))
            if rng.random() < 0.05:
                span.status.code = Status.STATUS_CODE_ERROR
            above.append((span.span_id, service, low_ns, high_ns))
            yield service, span


def _request(service: int, spans: Sequence[Span], due_ns: int) -> Request:
    message = ExportTraceServiceRequest()
    group = message.resource_spans.add()
    for key, text in (
        ("service.name", SERVICES[service]),
        ("service.version", f"1.{service}"),
        ("deployment.environment.name", "soak"),
    ):
        group.resource.attributes.add(key=key).value.string_value = text
    group.scope_spans.add().spans.extend(spans)
    return Request(
        message.SerializeToString(),
        tuple(f"{span.trace_id.hex()}-{span.span_id.hex()}" for span in spans),
        due_ns,
    )
