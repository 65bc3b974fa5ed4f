"""Rows of operation histograms, summed by whatever an answer groups by, with their quantiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from tracer.analysis.quantiles import NO_BUCKET, Estimates, estimate, from_samples
from tracer.columns.baselines import Histograms
from tracer.columns.buckets import middle_ns
from tracer.service.context import Context, Window
from tracer.store import rollups
from tracer.store.histograms import histograms
from tracer.store.slow import named


@dataclass(frozen=True)
class Grouped:
    """One row per distinct `keys` (in order): sums and quantiles."""

    keys: list[tuple[str, ...]]
    spans: list[float]
    failed: list[float]
    callers: list[int]  # distinct rows that were summed
    exemplar: list[str]
    p50: Estimates
    p95: Estimates

    def numbers(self, row: int) -> dict[str, Any]:
        """Counts and quantiles of a row as answers show them; null where data is too little."""
        return {
            "spans": round(self.spans[row]),
            "error_share": self.failed[row] / self.spans[row] if self.spans[row] else 0.0,
            "n_eff": float(self.p95.n_eff[row]),
            "p50_ns": _ns(self.p50.value[row]),
            "p95_ns": _ns(self.p95.value[row]) if _bounded(self.p95, row) else None,
            "p95_interval_ns": (
                [_ns(self.p95.low[row]), _ns(self.p95.high[row])]
                if _bounded(self.p95, row)
                else None
            ),
        }


def read_grouped(
    context: Context,
    window: Window,
    group_by: Sequence[str],
    *,
    service: str | None = None,
    operation: str | None = None,
) -> Grouped:
    """Histograms of span durations in the window, summed by the named columns."""
    where, parameters = named(service, operation)
    table = rollups.read_operations(
        context.engine,
        rollups.Window(window.start_ns, window.end_ns),
        where,
        parameters,
    )
    return _grouped(table, group_by)


def _grouped(table: pa.Table, group_by: Sequence[str]) -> Grouped:
    columns = [table[name].cast(pa.string()).to_pylist() for name in group_by]
    rows = list(zip(*columns, strict=True))
    keys = sorted(set(rows))
    place = {key: number for number, key in enumerate(keys)}
    group = np.array([place[row] for row in rows], np.intp)
    whole = histograms(table["Buckets"], np.asarray(table["Weight2"].to_numpy(), np.float64))
    summed = from_samples(
        np.repeat(group, np.diff(whole.offset)), len(keys), whole.bucket, whole.count
    )
    weight2 = np.bincount(group, whole.weight2, minlength=len(keys)).astype(np.float64)
    merged = Histograms(summed.offset, summed.bucket, summed.count, weight2)
    spans = np.asarray(table["Spans"].to_numpy(), np.float64)
    failed = spans * np.array([one == "error" for one in table["Outcome"].to_pylist()], np.float64)
    exemplar = dict(zip(rows, table["Exemplar"].to_pylist(), strict=True))
    return Grouped(
        keys,
        np.bincount(group, spans, minlength=len(keys)).tolist(),
        np.bincount(group, failed, minlength=len(keys)).tolist(),
        np.bincount(group, minlength=len(keys)).tolist(),
        [str(exemplar[key]) for key in keys],
        estimate(merged, 0.5),
        estimate(merged, 0.95),
    )


def _bounded(estimates: Estimates, row: int) -> bool:
    """Whether the quantile has an upper bound: else there is not enough data to state it."""
    return bool(estimates.high[row] != NO_BUCKET)


def _ns(bucket: int) -> int | None:
    if bucket == NO_BUCKET:
        return None
    return round(float(middle_ns(np.array([bucket], np.int16))[0]))
