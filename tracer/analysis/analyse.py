"""The whole of the per-batch analysis in one call."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.call_paths import CallPaths, call_paths
from tracer.analysis.critical_path import Sections, critical_path
from tracer.analysis.facts import facts
from tracer.analysis.forest import Forest
from tracer.analysis.parents import join
from tracer.analysis.self_time import self_time
from tracer.analysis.skew import MAX_CLOCK_SKEW_NS, Skew, correct, no_skew
from tracer.analysis.tree import grow
from tracer.columns.facts import TraceFacts
from tracer.columns.spans import SpanColumns


@dataclass(frozen=True)
class Analysis:
    """Everything that follows from a batch of spans alone; rows are rows of `forest.spans`."""

    forest: Forest
    self_ns: NDArray[np.int64]
    sections: Sections
    paths: CallPaths
    facts: TraceFacts
    skew: Skew


def analyse(
    spans: SpanColumns,
    *,
    tolerance_ns: int | None = None,
    short_ids: bool = False,
    max_skew_ns: int | None = MAX_CLOCK_SKEW_NS,
    learn_clocks: bool = False,
) -> Analysis:
    """Tree, clocks, self time, critical path, call paths, facts. Order of `spans` changes nothing.

    `short_ids`: see `parents.join`; only for batches that hold whole traces under any id.
    `max_skew_ns`: clocks that are further off are left as they are; None corrects none.
    `learn_clocks`: see `skew.correct`; only where a batch is always read whole.
    """
    parents, skew = join(spans, short_ids=short_ids), no_skew()
    if max_skew_ns is not None:
        parents, skew = correct(parents, max_skew_ns=max_skew_ns, learning=learn_clocks)
    forest = grow(parents)
    self_ns = self_time(forest)
    sections = critical_path(forest, tolerance_ns=tolerance_ns)
    paths = call_paths(forest)
    found = facts(forest, self_ns, sections, paths)
    return Analysis(forest, self_ns, sections, paths, found, skew)
