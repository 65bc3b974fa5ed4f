"""Call paths over many traces, the slow and obvious way: one root and one entry at a time."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from fractions import Fraction

from hypothesis import strategies as st

from tests.support.picture import Line, columns
from tracer.columns.facts import TraceFacts
from tracer.columns.spans import SpanColumns

Sums = Counter[str]
SHARES = (Fraction(50, 100), Fraction(95, 100), Fraction(99, 100))


@dataclass
class Root:
    """One row of the facts."""

    order: tuple[int, int, int]
    kind: int
    duration_ns: int
    weight: int
    band: int = 0
    paths: dict[int, Sums] = field(default_factory=lambda: defaultdict(Counter))


def roots_of(facts: TraceFacts) -> list[Root]:
    """The roots that count, each with its band and what it spent on each path."""
    roots = []
    for row in range(len(facts)):
        if facts.root_missing[row] and not facts.is_main[row]:
            continue
        ids = (facts.trace_hi[row], facts.trace_lo[row], facts.root_span_id[row])
        root = Root(
            order=(int(ids[0]), int(ids[1]), int(ids[2])),
            kind=int(facts.root_path_id[row]),
            duration_ns=int(facts.duration_ns[row]),
            weight=int(facts.weight[row]) or 1,
        )
        for entry in range(int(facts.offset[row]), int(facts.offset[row + 1])):
            sums = root.paths[int(facts.path_id[entry])]
            sums["calls"] += int(facts.calls[entry])
            sums["failed"] += int(facts.calls[entry]) if facts.entry_failed[entry] else 0
            sums["self"] += int(facts.self_ns[entry])
            sums["critical"] += int(facts.critical_ns[entry])
        roots.append(root)
    for root in roots:
        root.band = sum(root.duration_ns > limit for limit in _limits(roots, root.kind))
    return roots


def _limits(roots: list[Root], kind: int) -> list[int]:
    """The least duration at or below which that share of the kind's weight lies."""
    same = [root for root in roots if root.kind == kind]
    total = sum(root.weight for root in same)
    return [
        min(
            limit.duration_ns
            for limit in same
            if sum(one.weight for one in same if one.duration_ns <= limit.duration_ns)
            >= share * total
        )
        for share in SHARES
    ]


def band_sums(roots: list[Root], band: int) -> dict[int, Sums]:
    """Exclusive, by path."""
    found: dict[int, Sums] = defaultdict(Counter)
    for root in roots:
        if root.band == band:
            for path, sums in root.paths.items():
                found[path]["roots"] += 1
                found[path]["weight"] += root.weight
                found[path]["critical_weight"] += root.weight if sums["critical"] else 0
                for name, value in sums.items():
                    found[path][name] += root.weight * value
    return found


def inclusive(sums: dict[int, Sums], parents: dict[int, int], path: int, name: str) -> int:
    """A path's own and that of all below it."""
    below = [child for child, parent in parents.items() if parent == path]
    return sums[path][name] + sum(inclusive(sums, parents, child, name) for child in below)


def exemplars(roots: list[Root], path: int, name: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(spent, ids) of the typical and the worst root."""
    spent = sorted((root.paths[path][name], *root.order) for root in roots if path in root.paths)
    middle, worst = spent[(len(spent) - 1) // 2][0], spent[-1][0]
    return tuple(min(one for one in spent if one[0] == value) for value in (middle, worst))


@st.composite
def traffic(draw: st.DrawFn) -> SpanColumns:
    """Small traces of few kinds: trees, fragments, orphans; with and without a weight."""
    lines: list[Line] = []
    for trace in range(1, draw(st.integers(1, 24)) + 1):
        weight = float(draw(st.sampled_from((0, 1, 1, 2, 5))))
        for span_id in range(1, draw(st.integers(1, 6)) + 1):
            start_ns = draw(st.integers(0, 20))
            lines.append(
                Line(
                    trace=trace,
                    span_id=span_id,
                    parent_id=draw(st.sampled_from((span_id - 1, span_id // 2, 99))),
                    start_ns=start_ns,
                    end_ns=start_ns + draw(st.integers(0, 12)),
                    service=draw(st.sampled_from(("a", "b"))),
                    operation=draw(st.sampled_from(("x", "y"))),
                    kind=draw(st.sampled_from((0, 4, 5))),
                    failed=draw(st.booleans()),
                    weight=weight,
                )
            )
    return columns(lines)
