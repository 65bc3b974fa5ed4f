"""The kernel as one would first write it: dictionaries, recursion, one span at a time.

It gives the same self times and critical sections as the fast kernel (the benchmark checks that),
but cannot take chains deeper than Python's stack and merges no copies.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tracer.columns.spans import SpanColumns

Section = tuple[int, int, int]  # row, start_ns, end_ns


@dataclass
class _Span:
    row: int
    span_id: int
    start_ns: int
    end_ns: int
    children: list[_Span] = field(default_factory=list)


def analyse_naively(spans: SpanColumns) -> tuple[list[int], list[Section]]:
    """Self time by row, and the sections of every root."""
    key = list(zip(spans.trace_lo.tolist(), spans.span_id.tolist(), strict=True))
    parent = list(zip(spans.trace_lo.tolist(), spans.parent_span_id.tolist(), strict=True))
    told = zip(spans.span_id.tolist(), spans.start_ns.tolist(), spans.end_ns.tolist(), strict=True)
    nodes = [_Span(row, *span) for row, span in enumerate(told)]
    known = dict(zip(key, nodes, strict=True))
    roots = []
    for node, above in zip(nodes, parent, strict=True):
        if above in known:
            known[above].children.append(node)
        else:
            roots.append(node)
    self_ns = [_self_time(node) for node in nodes]
    sections: list[Section] = []
    for root in roots:
        _walk(root, root.start_ns, root.end_ns, sections)
    return self_ns, sections


def _self_time(node: _Span) -> int:
    covered, reached = 0, node.start_ns
    for child in sorted(node.children, key=lambda child: child.start_ns):
        start, end = max(child.start_ns, reached), min(child.end_ns, node.end_ns)
        if start < end:
            covered += end - start
            reached = end
    return node.end_ns - node.start_ns - covered


def _walk(node: _Span, start_ns: int, end_ns: int, sections: list[Section]) -> None:
    tolerance_ns = min((node.end_ns - node.start_ns) // 100, 1_000_000)
    cut = [
        (-min(child.end_ns, end_ns), max(child.start_ns, start_ns), child.span_id, child)
        for child in node.children
    ]
    cursor = end_ns
    for minus_end, begin, _, child in sorted(cut):
        if begin < -minus_end and -minus_end <= cursor + tolerance_ns and begin < cursor:
            stop = min(-minus_end, cursor)
            if stop < cursor:
                sections.append((node.row, stop, cursor))
            _walk(child, begin, stop, sections)
            cursor = begin
    if start_ns < cursor:
        sections.append((node.row, start_ns, cursor))
