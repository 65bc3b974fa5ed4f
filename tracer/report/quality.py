"""How good an answer is: part of every document.

Of single traces what is wrong with their spans, counted; of many, `quality_shares`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.critical_path import Sections
from tracer.analysis.forest import Forest, SpanFlag
from tracer.analysis.orphans import OrphanReason, orphan_reasons
from tracer.columns.flaws import Flaws
from tracer.columns.spans import STATUS_ERROR

FLAGS: Final = {
    "orphans": SpanFlag.ORPHAN,
    "overruns": SpanFlag.OVERRUNS_PARENT,
    "starts_before_parent": SpanFlag.STARTS_BEFORE_PARENT,
    "off_path": SpanFlag.OFF_PATH,
    "ends_before_start": SpanFlag.ENDS_BEFORE_START,
    "cycles": SpanFlag.CYCLE,
    "self_parents": SpanFlag.SELF_PARENT,
    "shared_ids": SpanFlag.SHARED_ID,
    "short_trace_ids": SpanFlag.SHORT_TRACE_ID,
    "skew_corrected": SpanFlag.SKEW_CORRECTED,
    "asynchronous": SpanFlag.ASYNC_ROOT,
    "retries": SpanFlag.RETRY,
    "instants": SpanFlag.INSTANT,
}
ORPHAN_REASONS: Final = tuple(
    reason.name.lower() if reason else None for reason in OrphanReason
)  # by number


def quality_shares(told: Flaws) -> dict[str, Any]:
    """What every answer says of the roots it is about; an answer about nothing has shares of 0."""
    count = max(1, told.roots)
    return {
        "orphaned_share": told.with_orphans / count,
        "late_share": told.with_late / count,
        "root_missing_share": told.root_missing / count,
        "skew_corrected_share": told.skewed / count,
        "ambiguous_share": told.ambiguous / count,
        "overrun_share": told.overruns / count,
        "dropped_share": told.dropped / count,
        "duplicates": told.duplicates,
        "sampling": _sampling(told),
    }


def window_quality(told: Flaws) -> dict[str, Any]:
    """The same for numbers over all traces of a range."""
    return {"roots": told.roots, **quality_shares(told)}


def _sampling(told: Flaws) -> str:
    """What the numbers are about: all requests where every weight is known."""
    if not told.weighted:
        return "stored spans"
    return "known" if told.weighted == told.roots else "partly known"


@dataclass(frozen=True)
class TraceCounts:
    """Lists by trace, in the order of traces; `orphan_reason` by span row."""

    services: list[int]
    errors: list[int]
    fragments: list[int]
    flaws: Mapping[str, list[int]]
    orphans: Mapping[str, list[int]]  # by why the parent is missing
    orphan_reason: NDArray[np.int8]


def count_by_trace(forest: Forest, sections: Sections) -> TraceCounts:
    """Everything countable of whole traces."""
    traces = len(forest.main_root)
    reason = orphan_reasons(forest)

    def count(mask: NDArray[np.bool_]) -> list[int]:
        return [*np.bincount(forest.trace_row[mask], minlength=traces).tolist()]

    services = max(1, len(forest.spans.services))
    pair = np.unique(forest.trace_row * services + forest.spans.service)
    return TraceCounts(
        services=np.bincount(pair // services, minlength=traces).tolist(),
        errors=count(forest.spans.status == STATUS_ERROR),
        fragments=np.bincount(forest.trace_row[forest.roots], minlength=traces).tolist(),
        flaws={
            "duplicates": forest.duplicate_count.tolist(),
            "dropped": count(forest.spans.dropped),
            "ambiguous": np.bincount(
                forest.trace_row[sections.passed_by], minlength=traces
            ).tolist(),
            **{name: count(forest.has(flag)) for name, flag in FLAGS.items()},
        },
        orphans={
            name: count(reason == number) for number, name in enumerate(ORPHAN_REASONS) if name
        },
        orphan_reason=reason,
    )


def trace_quality(counts: TraceCounts, trace: int) -> dict[str, Any]:
    """The flaws of one trace."""
    return {
        **{name: count[trace] for name, count in counts.flaws.items()},
        "parents_missing": {name: count[trace] for name, count in counts.orphans.items()},
    }


def total_quality(traces: Sequence[Mapping[str, Any]], told: Flaws) -> dict[str, Any]:
    """How many trace documents have each flaw; `told` is of their main roots."""
    flaws = ("root_missing", "duplicates", "dropped", "ambiguous", *FLAGS)
    return {
        "traces": len(traces),
        **quality_shares(told),
        **{f"with_{name}": sum(bool(one["quality"][name]) for one in traces) for name in flaws},
        "parents_missing": {
            name: sum(one["quality"]["parents_missing"][name] for one in traces)
            for name in ORPHAN_REASONS
            if name
        },
    }
