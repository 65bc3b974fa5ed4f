"""Analyse traces that are in memory, from a file or just read from the store."""

from __future__ import annotations

from tracer.analysis.analyse import Analysis, analyse
from tracer.analysis.judgement import AnalysisReport, judge
from tracer.analysis.skew import MAX_CLOCK_SKEW_NS
from tracer.columns.baselines import Baselines
from tracer.columns.convert import columns_from_records
from tracer.columns.links import links_from_records
from tracer.columns.records import SpanRecords
from tracer.columns.spans import SpanColumns
from tracer.errors import BadQuery


def analyse_file(
    records: SpanRecords,
    *,
    tolerance_ns: int | None = None,
    max_skew_ns: int | None = MAX_CLOCK_SKEW_NS,
) -> Analysis:
    """What follows from the spans of files alone, as `analyze` has it with `is_file`."""
    return analyse(
        columns_from_records(records),
        tolerance_ns=tolerance_ns,
        short_ids=True,
        max_skew_ns=max_skew_ns,
        learn_clocks=True,
    )


def analyze(
    spans: SpanRecords | SpanColumns,
    *,
    baselines: Baselines | None = None,
    tolerance_ns: int | None = None,
    is_file: bool = False,
    max_skew_ns: int | None = MAX_CLOCK_SKEW_NS,
) -> AnalysisReport:
    """Critical paths, and what stands out against `baselines` (without: against each other).

    Order of spans changes nothing. `tolerance_ns` None: 1 % of the parent, at most 1 ms.
    `is_file`: the spans are a batch that always comes whole, so one trace may tell of another:
    what came under half a trace id joins the whole one, clocks are learned over all traces.
    `max_skew_ns`: clocks further off than that stay, None: all do.
    Raises BadQuery on a negative tolerance and BadInput on ids that are not hex.
    """
    if tolerance_ns is not None and tolerance_ns < 0:
        raise BadQuery(f"overlap tolerance {tolerance_ns} ns is negative; use 0 or more")
    columns = columns_from_records(spans) if isinstance(spans, SpanRecords) else spans
    return judge(
        columns,
        baselines=baselines,
        tolerance_ns=tolerance_ns,
        short_ids=is_file,
        max_skew_ns=max_skew_ns,
        learn_clocks=is_file,
        links=links_from_records(spans) if isinstance(spans, SpanRecords) else None,
    )
