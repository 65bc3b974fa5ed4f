"""What another role answers: said with the way to it, where a plain 404 would puzzle."""

from __future__ import annotations

from typing import Final, NoReturn

from fastapi import APIRouter, Request

from tracer.errors import Unsupported

METHODS: Final = ["GET", "POST"]


def router_of(role: str) -> APIRouter:
    """Every path that a process of `role` does not have itself; include it last."""
    router = APIRouter()

    @router.api_route("/{path:path}", methods=METHODS, response_model=None, include_in_schema=False)
    async def elsewhere(request: Request) -> NoReturn:
        raise Unsupported(
            f"this tracer runs with --role {role} and has no {request.url.path}; "
            "questions are answered by one with --role query"
        )

    return router
