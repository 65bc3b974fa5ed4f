"""Calls from one service to another: HTTP with the trace context in the headers."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

from opentelemetry.trace import Status, StatusCode

from tracer.demo import instrument
from tracer.demo.failure import Failure
from tracer.demo.loopback import Json, send


def call(
    ports: Mapping[str, int],
    service: str,
    method: str,
    template: str,
    *,
    body: Json | None = None,
    resend_count: int = 0,
    timeout_s: float = 30.0,
    query: Mapping[str, str | int] | None = None,
    **parameters: str | int,
) -> Json:
    """Ask another service, in a span of its own. Raises Failure for every answer but 200.

    `parameters` fill the template. A silent or dead peer becomes 504 or 502.
    """
    path = template.format(**parameters) + (f"?{urlencode(query)}" if query else "")
    port = ports[service]
    with instrument.client_span(
        method, template, path, peer=service, port=port, resend_count=resend_count
    ) as span:
        try:
            status, answer = send(
                port, method, path, body, headers=instrument.headers(), timeout_s=timeout_s
            )
        except TimeoutError as error:
            instrument.fail(span, error, "timeout")
            raise Failure(504, f"{service} did not answer in {timeout_s:g} s") from error
        except OSError as error:
            instrument.fail(span, error, type(error).__name__)
            raise Failure(502, f"{service} cannot be reached") from error
        span.set_attribute("http.response.status_code", status)
        if status >= 400:
            span.set_attribute("error.type", str(status))
            span.set_status(Status(StatusCode.ERROR))
            raise Failure(502 if status >= 500 else status, f"{service} answered {status}")
        return answer


def together(*calls: Callable[[], Json]) -> list[Json]:
    """Run calls at the same time, all below the current span; answers in their order."""
    with ThreadPoolExecutor(len(calls)) as pool:
        running = [pool.submit(contextvars.copy_context().run, one) for one in calls]
        return [one.result() for one in running]
