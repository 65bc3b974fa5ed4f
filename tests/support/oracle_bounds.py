"""The least and the most critical time, moment by moment: the slow and obvious version."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from tests.support import oracle
from tests.support.oracle import Key, Trees
from tracer.columns.spans import SpanColumns


def forgiven_end(trees: Trees, key: Key, tolerance_ns: int | None) -> int:
    """The end of a span, cut where a sibling began within its last `tolerance`."""
    start, end = trees.interval[key]
    above = trees.parent[key]
    if above is None:
        return end
    begin, stop = trees.interval[above]
    tolerance = min((stop - begin) // 100, 1_000_000) if tolerance_ns is None else tolerance_ns
    siblings = [one for one in trees.children[above] if trees.interval[one][0] > start]
    alive = [one for one in siblings if trees.interval[one][0] < trees.interval[one][1]]
    cuts = [trees.interval[one][0] for one in alive if trees.interval[one][0] >= end - tolerance]
    return min([end, *cuts])


def bounds(
    spans: SpanColumns, owner: Mapping[Key, int], tolerance_ns: int | None = None
) -> dict[tuple[Key, int], tuple[int, int]]:
    """(least, most) by root and owner, of every root."""
    trees = Trees(spans)
    until = {key: forgiven_end(trees, key, tolerance_ns) for key in trees.interval}

    def ends(key: Key, moment: int) -> set[Key]:
        """Where the choices that came to a span may end."""
        start_end = trees.interval
        running = [c for c in trees.children[key] if start_end[c][0] <= moment < start_end[c][1]]
        if not running:
            return {key}
        return set().union(*(ends(c, moment) for c in running if moment < until[c]))

    chosen: dict[tuple[Key, int], Key] = {}
    for trace, span_id, start, stop in oracle.critical_path(spans, tolerance_ns):
        for moment in range(start, stop):
            chosen[trees.root((trace, span_id)), moment] = trace, span_id
    least: dict[tuple[Key, int], int] = defaultdict(int)
    most: dict[tuple[Key, int], int] = defaultdict(int)
    for root in trees.roots:
        for moment in range(*trees.interval[root]):
            found = {owner[key] for key in ends(root, moment) | {chosen[root, moment]}}
            for one in found:
                most[root, one] += 1
                least[root, one] += len(found) == 1
    return {key: (least[key], most[key]) for key in most}


def passed_by(spans: SpanColumns, tolerance_ns: int | None = None) -> set[Key]:
    """Children of spans on the path that took time within them and are not on it.

    Judged by the sections: a span is on the path if it or anything below it owns one.
    """
    trees = Trees(spans)
    sections = oracle.critical_path(spans, tolerance_ns)
    owners = {section[:2] for section in sections}
    on_path = set(owners)
    for key in owners:
        above = trees.parent[key]
        while above is not None:
            on_path.add(above)
            above = trees.parent[above]
    span = {key: (10**9, 0) for key in on_path}  # from where to where each is on the path
    for trace, span_id, start, end in sections:
        at: Key | None = (trace, span_id)
        while at is not None:
            span[at] = min(span[at][0], start), max(span[at][1], end)
            at = trees.parent[at]
    found = set()
    for key in on_path:
        for child in trees.children[key]:
            start, end = trees.interval[child]
            if child not in on_path and max(start, span[key][0]) < min(end, span[key][1]):
                found.add(child)
    return found
