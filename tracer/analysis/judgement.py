"""A batch of traces, analysed and held against what is normal: what every report is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.aggregate import CommonBottlenecks, aggregate
from tracer.analysis.analyse import Analysis, analyse
from tracer.analysis.baseline import baselines_from_facts, path_sums
from tracer.analysis.bounds import Bounds, bounds
from tracer.analysis.critical_path import critical_ns
from tracer.analysis.journeys import causes
from tracer.analysis.packing import Rows
from tracer.analysis.rank import Bottlenecks, rank
from tracer.analysis.skew import MAX_CLOCK_SKEW_NS
from tracer.columns.baselines import Baselines
from tracer.columns.links import SpanLinks
from tracer.columns.spans import SpanColumns


@dataclass(frozen=True)
class AnalysisReport:
    """Facts about every trace and what stands out in each; `tolerance_ns` None: the default rule,
    `max_skew_ns` None: clocks were taken as they are.

    `leave_one_out`: no other baseline was given, each trace was judged by the others.
    """

    analysis: Analysis
    critical_ns: NDArray[np.int64]  # by span row
    bottlenecks: Bottlenecks
    representative: Rows  # by row of `bottlenecks`: the span that stands for the path
    common: CommonBottlenecks
    tolerance_ns: int | None
    max_skew_ns: int | None
    cause: Rows  # by span row: see `journeys.causes`
    leave_one_out: bool
    bounds: Bounds  # owners are rows of `analysis.facts.paths`


def judge(
    spans: SpanColumns,
    *,
    baselines: Baselines | None = None,
    tolerance_ns: int | None = None,
    short_ids: bool = False,
    max_skew_ns: int | None = MAX_CLOCK_SKEW_NS,
    learn_clocks: bool = False,
    links: SpanLinks | None = None,
) -> AnalysisReport:
    """Analyse and rank. Without `baselines` every trace is judged by the others of the batch."""
    analysis = analyse(
        spans,
        tolerance_ns=tolerance_ns,
        short_ids=short_ids,
        max_skew_ns=max_skew_ns,
        learn_clocks=learn_clocks,
    )
    forest, facts = analysis.forest, analysis.facts
    critical = critical_ns(analysis.sections, len(forest))
    standing = _representatives(analysis, critical)
    duration_ns = forest.spans.end_ns - forest.spans.start_ns
    found = rank(
        facts,
        baselines_from_facts(facts) if baselines is None else baselines,
        leave_one_out=baselines is None,
        duration_ns=duration_ns[standing],
    )
    return AnalysisReport(
        analysis=analysis,
        critical_ns=critical,
        bottlenecks=found,
        representative=standing[found.sum_row],
        common=aggregate(found),
        tolerance_ns=tolerance_ns,
        max_skew_ns=max_skew_ns,
        cause=causes(forest, links),
        leave_one_out=baselines is None,
        bounds=bounds(forest, analysis.sections, analysis.paths.path, tolerance_ns=tolerance_ns),
    )


def _representatives(analysis: Analysis, critical: NDArray[np.int64]) -> Rows:
    """By row of `path_sums`: the span with the most critical time, then the longest, the first."""
    forest = analysis.forest
    sums = path_sums(analysis.facts)
    paths = len(analysis.facts.paths)
    group = np.searchsorted(
        sums.root * paths + sums.path, forest.root_rank * paths + analysis.paths.path
    )
    length = forest.spans.end_ns - forest.spans.start_ns
    order = np.lexsort((-np.arange(len(forest)), length, critical, group))
    standing = np.empty(len(sums.root), np.intp)
    standing[group[order]] = order  # the last of each group wins
    return standing
