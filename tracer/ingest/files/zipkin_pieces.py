"""Zipkin spans that were reported in pieces: a late annotation, a duration that came at the end.

Pieces are records of one trace with the same id, side and service. Zipkin's own server puts them
together in the same way: what the first piece does not have, a later one gives.
Source: openzipkin/zipkin, zipkin2.Span.Builder.merge.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Piece:
    """One record of a span. `start_ns` and `duration_ns` are None where it does not say."""

    index: int  # in the trace
    span: dict[str, Any]
    key: tuple[str, str, bool, bool, str]  # trace id, id, shared, is the server's, service
    endpoint: bytes  # local, without the port, as JSON
    start_ns: int | None
    duration_ns: int | None
    tags: dict[str, str]
    events: list[tuple[int, str]]  # time in ns, text


def joined(pieces: list[Piece]) -> list[Piece]:
    """One for each span, in the order of the first pieces."""
    whole: dict[tuple[str, str, bool, bool, str], Piece] = {}
    for piece in pieces:
        first = whole.get(piece.key)
        whole[piece.key] = piece if first is None else _merged(first, piece)
    return list(whole.values())


def is_flag(span: dict[str, Any], name: str) -> bool:
    """Whether `debug` or `shared` is set."""
    return span.get(name) is True


def _merged(first: Piece, later: Piece) -> Piece:
    span = {**later.span, **{key: value for key, value in first.span.items() if value}}
    return replace(
        first,
        span=span,
        endpoint=max(first.endpoint, later.endpoint, key=len),
        start_ns=first.start_ns or later.start_ns,
        duration_ns=first.duration_ns or later.duration_ns,
        tags={**first.tags, **later.tags},
        events=sorted({*first.events, *later.events}),
    )
