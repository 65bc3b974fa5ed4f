"""How failures spread, one span at a time: the slow version of `analysis.errors`."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tests.support.oracle import Key, Trees
from tracer.columns.spans import KIND_INTERNAL, KIND_UNSPECIFIED, STATUS_UNSET, SpanColumns


class Spread(NamedTuple):
    """What became of one failing span."""

    up: Key | None
    top: Key
    fate: str
    is_origin: bool


def spread(
    spans: SpanColumns, reasons: dict[Key, int], explains: Callable[[int, int], bool]
) -> dict[Key, Spread]:
    """Of every failing span; `reasons` has them all, -1 for those that say nothing."""
    trees = Trees(spans)
    keys = list(trees.interval)
    call = dict(
        zip(
            keys,
            zip(spans.service.tolist(), spans.operation.tolist(), spans.kind.tolist(), strict=True),
            strict=True,
        )
    )
    status = dict(zip(keys, spans.status.tolist(), strict=True))

    def looked_through(key: Key) -> bool:
        is_internal = call[key][2] in (KIND_INTERNAL, KIND_UNSPECIFIED)
        return is_internal and status[key] == STATUS_UNSET and key not in reasons

    def carrier(key: Key) -> Key:
        above = trees.parent[key]
        while above is not None and looked_through(above):
            key, above = above, trees.parent[above]
        return key

    bad = set(reasons) | {carrier(key) for key in reasons}

    def waited(key: Key) -> bool:
        above = trees.parent[key]
        if above is None:
            return True
        (start, end), (caller_start, caller_end) = trees.interval[key], trees.interval[above]
        tolerance = min((caller_end - caller_start) // 100, 1_000_000)
        fits = end - start <= caller_end - caller_start + tolerance
        return end <= caller_end + tolerance or (call[key][0] != call[above][0] and fits)

    def later(key: Key) -> list[Key]:
        above = trees.parent[key]
        siblings = trees.children[above] if above is not None else []
        return [s for s in siblings if s != key and trees.interval[s][0] >= trees.interval[key][1]]

    def climb(key: Key) -> tuple[Key | None, str]:
        """The span that failed because of this one, or why there is none."""
        if trees.parent[key] is None:
            return None, "unhandled"
        through = carrier(key)
        above = trees.parent[through]
        levels = {key, through}
        if not all(waited(level) for level in levels):
            return None, "outlived"
        again = [s for level in levels for s in later(level) if call[s] == call[level]]
        stays = "retried" if again else "handled"
        if above is None or above not in reasons:
            return None, stays
        mine, other = reasons[key], reasons[above]
        same = mine >= 0 and other >= 0 and (mine == other or explains(mine, other))
        stays = "retried" if again else "superseded"
        if any(s in bad for level in levels for s in later(level)):
            return None, stays
        if not same and any(s not in bad for s in again):
            return None, stays
        if not same and other >= 0 and later(through):
            return None, stays
        return above, ""

    step = {key: climb(key) for key in reasons}
    caused = {above for above, _ in step.values() if above is not None}

    def top(key: Key) -> Key:
        above = step[key][0]
        return key if above is None else top(above)

    return {
        key: Spread(step[key][0], top(key), step[top(key)][1], key not in caused) for key in reasons
    }
