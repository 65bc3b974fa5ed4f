"""Every error as problem details (RFC 9457), with the status of the one table in tracer.errors."""

from __future__ import annotations

import logging
import math
import re
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tracer.errors import BadQuery, TracerError, Unavailable, codes, shortened

MEDIA_TYPE = "application/problem+json"
SCHEMA = "tracer.problem/1"

log = logging.getLogger("tracer.api")


def problem(
    status: int,
    kind: str,
    detail: str,
    *,
    instance: str,
    headers: dict[str, str] | None = None,
    **members: Any,
) -> Response:
    """One problem. `kind` is the name of an error class, or of what the protocol calls it."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind)
    body = {
        "schema": SCHEMA,
        "type": f"urn:tracer:{words.lower().replace(' ', '-')}",
        "title": words.capitalize(),
        "status": status,
        "detail": shortened(detail),
        "instance": shortened(instance),
        **members,
    }
    return Response(orjson.dumps(body), status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Every way in which a request can fail ends in one of these."""
    app.add_exception_handler(TracerError, _tracer_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _uncaught)


def _tracer_error(request: Request, error: Exception) -> Response:
    headers = {}
    if isinstance(error, Unavailable):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    status = codes(error).http
    if status >= 500:
        log.warning("%s %s: %s", request.method, request.url.path, error)
    return problem(
        status, type(error).__name__, str(error), instance=request.url.path, headers=headers
    )


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = [
        {
            "parameter": ".".join(str(part) for part in one["loc"][1:]),
            "value": shortened(str(one.get("input"))),
            "fix": one["msg"],
        }
        for one in error.errors()
    ]
    detail = "; ".join(f"{one['parameter']} = {one['value']!r}: {one['fix']}" for one in found)
    return problem(400, BadQuery.__name__, detail, instance=request.url.path, errors=found)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = error.detail
    if error.status_code == 404:
        detail = f"there is nothing at {request.url.path}; /docs lists what there is"
    elif error.status_code == 405:
        detail = f"{request.url.path} does not take {request.method}; /docs lists what it takes"
    kind = {404: "NotFound", 405: "MethodNotAllowed"}.get(error.status_code, "BadInput")
    return problem(
        error.status_code,
        kind,
        detail,
        instance=request.url.path,
        headers=dict(error.headers or {}),
    )


def _uncaught(request: Request, error: Exception) -> Response:
    log.error("%s %s: %r", request.method, request.url.path, error)
    detail = f"internal error: {type(error).__name__}; the server's log says more"
    return problem(500, TracerError.__name__, detail, instance=request.url.path)
