"""The slowest traces of an answer, each with its critical path and its own bottlenecks."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracer.analysis.baseline import path_sums
from tracer.analysis.deviation import deviation_percent, expectations
from tracer.columns.baselines import Baselines
from tracer.columns.facts import TraceFacts
from tracer.columns.ids import trace_id_text
from tracer.report.json import analysis_document
from tracer.service.analyze import analyze
from tracer.service.context import Context
from tracer.service.rows import fact_document
from tracer.store.activity import read_bounds, read_spans


def trace_answers(
    context: Context, worst: TraceFacts, baselines: Baselines, *, leave_one_out: bool
) -> list[dict[str, Any]]:
    """One document a row of `worst`, in its order; the path is read from the spans again."""
    if len(worst) == 0:
        return []
    ids = [
        trace_id_text(high, low)
        for high, low in zip(worst.trace_hi.tolist(), worst.trace_lo.tolist(), strict=True)
    ]
    start_ns, end_ns = read_bounds(context.engine, ids)
    spans = read_spans(context.engine, ids, start_ns=start_ns, end_ns=end_ns, after_ns=None)
    report = analyze(spans, baselines=baselines, max_skew_ns=context.max_skew_ns)
    analysed = {trace["trace_id"]: trace for trace in analysis_document(report)["traces"]}
    expected = _expected(worst, baselines, leave_one_out=leave_one_out)
    return [
        {
            **fact_document(worst, row),
            **expected[row],
            "critical_path": analysed[trace_id]["critical_path"],
            "critical_path_hidden": analysed[trace_id]["critical_path_hidden"],
            "bottlenecks": analysed[trace_id]["bottlenecks"],
            "clock_shifts": analysed[trace_id]["clock_shifts"],
            "quality": analysed[trace_id]["quality"],
        }
        for row, trace_id in enumerate(ids)
        if trace_id in analysed
    ]


def _expected(
    facts: TraceFacts, baselines: Baselines, *, leave_one_out: bool
) -> list[dict[str, float | int | None]]:
    """What each root was expected to last at most, and by how much it deviates."""
    sums = path_sums(facts)
    normal = expectations(facts, sums, baselines.operations, leave_one_out=leave_one_out)
    own = np.flatnonzero(facts.paths.path_id[sums.path] == facts.root_path_id[sums.root])
    p95_ns = np.full(len(facts), np.nan)
    p95_ns[sums.root[own]] = normal.p95_ns[own]
    deviation = deviation_percent(facts.duration_ns, p95_ns)
    return [
        {
            "expected_p95_ns": None if np.isnan(p95) else round(float(p95)),
            "deviation_percent": None if np.isnan(by) else round(float(by), 1),
        }
        for p95, by in zip(p95_ns, deviation, strict=True)
    ]
