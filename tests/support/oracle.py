"""The slow and obvious version of every fast kernel. When they disagree, slow is right.

Recursive, one span at a time, over plain dictionaries. The input MUST hold no two spans with one
id in one trace: merging has tables of its own.
"""

from __future__ import annotations

from tracer.columns.spans import (
    KIND_CLIENT,
    KIND_CONSUMER,
    KIND_PRODUCER,
    KIND_SERVER,
    STATUS_ERROR,
    SpanColumns,
)

Key = tuple[int, int]  # (trace, span id)
Section = tuple[int, int, int, int]  # trace, span id, start_ns, end_ns


class Trees:
    """Spans by key with the parent that waits for each, or None."""

    def __init__(self, spans: SpanColumns) -> None:
        keys = list(zip(spans.trace_lo.tolist(), spans.span_id.tolist(), strict=True))
        starts, ends = spans.start_ns.tolist(), spans.end_ns.tolist()
        self.interval = {
            key: (start, max(start, end))
            for key, start, end in zip(keys, starts, ends, strict=True)
        }
        named = dict(zip(keys, spans.parent_span_id.tolist(), strict=True))
        self.caller: dict[Key, Key | None] = {}
        for trace, span_id in keys:
            parent = (trace, named[trace, span_id])
            self.caller[trace, span_id] = parent if parent[1] and parent in named else None
        self.orphans = {key for key in keys if named[key] and self.caller[key] is None}
        self.cut = self._cut_cycles()
        kind = dict(zip(keys, spans.kind.tolist(), strict=True))
        sends = dict(zip(keys, spans.sends_message.tolist(), strict=True))
        self.parent: dict[Key, Key | None] = {}
        for key, above in self.caller.items():
            apart = (
                above is not None
                and kind[key] == KIND_CONSUMER
                and (kind[above] == KIND_PRODUCER or (kind[above] == KIND_CLIENT and sends[above]))
            )
            self.parent[key] = None if apart else above
        self.children: dict[Key, list[Key]] = {key: [] for key in keys}
        for key, above in self.parent.items():
            if above is not None:
                self.children[above].append(key)
        self.roots = [key for key in keys if self.parent[key] is None]

    def _cut_cycles(self) -> set[Key]:
        cut = set()
        for key in self.caller:
            trail: list[Key] = []
            at: Key | None = key
            while at is not None and at not in trail:
                trail.append(at)
                at = self.caller[at]
            if at is not None:
                cycle = trail[trail.index(at) :]
                first = min(cycle, key=lambda member: (self.interval[member][0], member))
                self.caller[first] = None
                cut.add(first)
        return cut

    def root(self, key: Key) -> Key:
        above = self.parent[key]
        return key if above is None else self.root(above)

    def depth(self, key: Key) -> int:
        above = self.parent[key]
        return 0 if above is None else 1 + self.depth(above)


def self_time(spans: SpanColumns) -> dict[Key, int]:
    """Moments of each span in which none of its children runs, counted one by one."""
    trees = Trees(spans)
    left = {}
    for key, (start, end) in trees.interval.items():
        moments = set(range(start, end))
        for child in trees.children[key]:
            moments -= set(range(*trees.interval[child]))
        left[key] = len(moments)
    return left


def critical_path(spans: SpanColumns, tolerance_ns: int | None = None) -> set[Section]:
    """The sections of every root, by the recursive walk back from its end."""
    trees = Trees(spans)
    sections: set[Section] = set()

    def walk(key: Key, start: int, end: int) -> None:
        own_start, own_end = trees.interval[key]
        tolerance = min((own_end - own_start) // 100, 1_000_000)
        if tolerance_ns is not None:
            tolerance = tolerance_ns
        effective = []
        for child in trees.children[key]:
            child_start, child_end = trees.interval[child]
            begin, stop = max(child_start, start), min(child_end, end)
            if begin < stop:
                effective.append((-stop, begin, child))
        cursor = end
        while ready := [c for c in effective if c[1] < cursor and -c[0] <= cursor + tolerance]:
            minus_stop, begin, child = min(ready)
            stop = min(-minus_stop, cursor)
            if stop < cursor:
                sections.add((*key, stop, cursor))
            walk(child, begin, stop)
            cursor = begin
        if start < cursor:
            sections.add((*key, start, cursor))

    for root in trees.roots:
        walk(root, *trees.interval[root])
    return sections


def inclusive_walk(spans: SpanColumns) -> set[Section]:
    """The walk that other tools describe: first cut children to their parents, then go back.

    From the end of a span the child that ends last at or before the cursor takes over, whole.
    """
    trees = Trees(spans)
    cut: dict[Key, tuple[int, int]] = {}
    waiting = list(trees.roots)
    for key in waiting:
        start, end = trees.interval[key]
        above = trees.parent[key]
        if above is not None:
            start, end = max(start, cut[above][0]), min(end, cut[above][1])
        if above is None or start < end:  # what is cut to nothing takes its children along
            cut[key] = start, end
            waiting += trees.children[key]
    sections: set[Section] = set()
    open_spans = [root for root in trees.roots]
    while open_spans:
        key = open_spans.pop()
        start, cursor = cut[key]
        there = [child for child in trees.children[key] if child in cut]
        while before := [c for c in there if cut[c][1] <= cursor and cut[c][0] < cursor]:
            last = min(before, key=lambda c: (-cut[c][1], cut[c][0], c))
            if cut[last][1] < cursor:
                sections.add((*key, cut[last][1], cursor))
            open_spans.append(last)
            cursor = cut[last][0]
        if start < cursor:
            sections.add((*key, start, cursor))
    return sections


def skew(spans: SpanColumns, max_skew_ns: int) -> dict[Key, int]:
    """What is added to the times of each span, one host of one trace after the other."""
    trees = Trees(spans)
    keys = list(zip(spans.trace_lo.tolist(), spans.span_id.tolist(), strict=True))
    name = dict(zip(keys, (spans.hosts[code] for code in spans.host.tolist()), strict=True))
    kind = dict(zip(keys, spans.kind.tolist(), strict=True))
    failed = dict(zip(keys, (spans.status == STATUS_ERROR).tolist(), strict=True))
    added = dict.fromkeys(keys, 0)

    def host(key: Key) -> str:
        above = trees.parent[key]
        return name[key] or (host(above) if above else "")

    def bounds(client: Key, server: Key) -> tuple[int, int] | None:
        if trees.parent[server] != client or (kind[client], kind[server]) != (
            KIND_CLIENT,
            KIND_SERVER,
        ):
            return None
        (begin, end), (start, stop) = trees.interval[client], trees.interval[server]
        gave_up = failed[client] or stop - start > end - begin
        return begin - start, 10**12 if gave_up else end - stop

    for trace in {trace for trace, _ in keys} - {trace for trace, _ in trees.cut}:
        here = [key for key in keys if key[0] == trace]
        size = {root: sum(trees.root(key) == root for key in here) for root in here}
        entry = sorted(here, key=lambda k: (-size[trees.root(k)], trees.root(k), trees.depth(k), k))
        shift: dict[str, int] = {}
        for key in entry:
            own, above = host(key), trees.parent[key]
            if own in shift:
                continue
            if above is None:
                shift[own] = 0
                continue
            caller = host(above)
            lows, highs = [], []
            for child in here:
                parent = trees.parent[child]
                if parent is None or not name[child] or not name[parent]:
                    continue
                bound = bounds(parent, child)
                if bound and (name[parent], name[child]) == (caller, own):
                    lows.append(bound[0])
                    highs.append(bound[1])
                if bound and (name[parent], name[child]) == (own, caller):
                    lows.append(-bound[1])
                    highs.append(-bound[0])
            low, high = max(lows, default=-(10**12)), min(highs, default=10**12)
            if low <= 0 <= high:
                wanted = shift[caller]
            elif shift[caller] + low <= 0 <= shift[caller] + high:
                wanted = 0
            elif high == 10**12:
                wanted = shift[caller] + low
            elif low == -(10**12):
                wanted = shift[caller] + high
            else:
                wanted = shift[caller] + (low + high) // 2
            shift[own] = wanted if abs(wanted) <= max_skew_ns else 0
        for key in here:
            added[key] = shift[host(key)]
    return added
