"""What routes are given: the running service, who asks, and parameters that exist."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request

from tracer.errors import BadQuery
from tracer.service.context import Context
from tracer.service.serve import Service

T = TypeVar("T")


@dataclass(frozen=True)
class Principal:
    """Who asks. There is no authentication yet: everybody who reaches the port is `anonymous`."""

    name: str


def principal() -> Principal:
    """The one place where credentials will be checked."""
    return Principal("anonymous")


def running(request: Request) -> Service:
    """The service this application answers for."""
    service: Service = request.app.state.service
    return service


def context(request: Request) -> Context:
    """Its store, settings and clock."""
    return running(request).context


def known_parameters(request: Request) -> None:
    """Raises BadQuery for a parameter that the endpoint does not have: a mistyped filter must not

    be answered as if it had not been there, nor one of two equal ones.
    """
    operation = _operation(request)
    known = {one["name"]: one for one in operation.get("parameters", ()) if one["in"] == "query"}
    for name in request.query_params:
        if name not in known:
            words = ", ".join(sorted(known)) or "none"
            raise BadQuery(f"parameter {name!r} is unknown; {request.url.path} takes {words}")
        given = request.query_params.getlist(name)
        if len(given) > 1 and not _is_list(known[name]["schema"]):
            raise BadQuery(f"parameter {name!r} is given {len(given)} times; give it once")


def _operation(request: Request) -> dict[str, Any]:
    paths = request.app.openapi()["paths"]
    found: dict[str, Any] = paths.get(request.scope["route"].path_format, {})
    answer: dict[str, Any] = found.get(request.method.lower().replace("head", "get"), {})
    return answer


def _is_list(schema: dict[str, Any]) -> bool:
    return any(one.get("type") == "array" for one in (schema, *schema.get("anyOf", ())))


class OnTheSide:
    """Runs what must be answered while questions occupy every other thread."""

    def __init__(self, request: Request) -> None:
        self._limiter: CapacityLimiter = request.app.state.aside

    async def __call__(self, ask: Callable[[], T]) -> T:
        """The answer of `ask`, from a thread kept for such."""
        return await to_thread.run_sync(ask, limiter=self._limiter)


Aside = Annotated[OnTheSide, Depends(OnTheSide)]
Running = Annotated[Service, Depends(running)]
Asking = Annotated[Context, Depends(context)]
GUARDED = [Depends(principal), Depends(known_parameters)]
