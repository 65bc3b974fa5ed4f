"""Requests of a small shop in numbers: the same tree again and again, with one thing changed.

web  GET /basket   server    10 ms of its own
web  GET /item     client      x calls, one after the other (or all at once)
items  GET /item   server
items  SELECT      client      query_ns
"""

from __future__ import annotations

from tests.support.picture import Line

MS = 1_000_000
SERVER, CLIENT = 2, 3


def basket(
    trace: int,
    *,
    calls: int = 1,
    query_ns: int = 20 * MS,
    own_ns: int = 10 * MS,
    at_once: bool = True,
    hop_ns: int = 2 * MS,
    queries: int = 1,
) -> list[Line]:
    """One request; every value is a multiple of what one sees in a real shop, none is random."""
    lines = []
    number = 1
    start = trace * 1_000 * MS
    now = end = start + own_ns // 2
    for _ in range(calls):
        inside = now + hop_ns // 2
        client, server = number + 1, number + 2
        number += 2
        for _ in range(queries):
            number += 1
            lines.append(
                Line(trace, number, server, inside, inside + query_ns, "items", "SELECT", CLIENT)
            )
            inside += query_ns
        served = Line(
            trace, server, client, now + hop_ns // 2, inside, "items", "GET /item", SERVER
        )
        end = inside + hop_ns // 2
        lines += [served, Line(trace, client, 1, now, end, "web", "GET /item", CLIENT)]
        if not at_once:
            now = end
    end += own_ns // 2
    return [Line(trace, 1, 0, start, end, "web", "GET /basket", SERVER), *lines]


def usual(count: int, first: int = 1, calls: int = 1) -> list[Line]:
    """`count` ordinary requests that differ by a few percent."""
    lines: list[Line] = []
    for trace in range(first, first + count):
        slower = 1 + (trace % 7 - 3) / 100
        lines += basket(trace, query_ns=round(20 * MS * slower), calls=calls)
    return lines
