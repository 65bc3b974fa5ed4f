"""`tracer.compare/1`: two sets of requests, by how much they differ and where, as one document.

Times are integer ns. The parts of every change sum to it exactly: mix, named paths (each by factor)
and selection.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.compare import MIN_EXCESS_NS, MIN_EXCESS_RATIO, Change, Comparison
from tracer.analysis.mix import MIN_REQUESTS
from tracer.analysis.population import Population, effective_count
from tracer.analysis.quantiles import CONFIDENCE
from tracer.analysis.significance import CALLS, LEVEL, SELF_TIME, SHARE
from tracer.analysis.whole import whole_parts
from tracer.columns.facts import PathTable
from tracer.columns.schema import SPAN_KINDS
from tracer.report.compare_verdict import verdict

SCHEMA: Final = "tracer.compare/1"
MOST_STRATA: Final = 20
MOST_STEPS: Final = 30  # of a call path that is written out
FACTORS: Final = ("calls_ns", "self_ns", "share_ns", "presence_ns")

Document = dict[str, Any]


def compare_document(
    found: Comparison,
    *,
    baseline: Mapping[str, Any],
    candidate: Mapping[str, Any],
    limit: int,
    reproduce: str | None,
) -> Document:
    """`baseline` and `candidate` say where the two sets are from; `limit` bounds lists of paths."""
    statistics = [_statistic(found, change, limit) for change in found.changes]
    sides = {
        "baseline": {**baseline, **_set(found.baseline)},
        "candidate": {**candidate, **_set(found.candidate)},
    }
    document: Document = {
        "schema": SCHEMA,
        "status": "ok",
        "refusal": None,
        **sides,
        "subject": _subject(found),
        "statistics": statistics,
        "changed_paths": _changed_paths(found, limit),
        "strata": _strata(found),
        "rules": {
            "confidence": CONFIDENCE,
            "level": LEVEL,
            "correction": "Holm",
            "min_excess_ns": MIN_EXCESS_NS,
            "min_excess_ratio": MIN_EXCESS_RATIO,
            "min_requests_of_a_stratum": MIN_REQUESTS,
        },
        "reproduce": reproduce,
    }
    refusal = _refusal(found)
    if refusal is not None:
        document.update(status="refused", refusal=refusal)
    document["verdict"] = verdict(document)
    return document


def _refusal(found: Comparison) -> Document | None:
    """Why nothing should be inferred although every number stands there."""
    known = [bool(one.is_weighted.any()) for one in (found.baseline, found.candidate)]
    if known[0] != known[1]:
        which = "baseline" if known[0] else "candidate"
        return {
            "reason": f"only the {which} has sampling weights: the two sets are not sampled alike",
            "fix": "compare sets that carry the sampling threshold in tracestate, or sets without",
        }
    if not found.mix.is_comparable.any():
        return {
            "reason": f"no kind of request has {MIN_REQUESTS:.0f} traces in both sets",
            "fix": "choose longer ranges or more traces, or ranges that have requests in common",
        }
    return None


def _set(requests: Population) -> Document:
    is_known = requests.is_weighted
    sampling = "known" if is_known.all() else "partly known" if is_known.any() else "stored spans"
    return {
        "traces": len(requests),
        "traces_n_eff": round(effective_count(requests.weight), 1),
        "sampling": sampling,
    }


def _subject(found: Comparison) -> Document | None:
    """The root operation, where there is only one."""
    rows = np.unique(found.baseline.strata.path)
    return _name(found.baseline.paths, int(rows[0])) if len(rows) == 1 else None


def _statistic(found: Comparison, change: Change, limit: int) -> Document:
    total_ns = round(change.after.value_ns) - round(change.before.value_ns)
    named = change.named()
    listed, rest = named[:limit], named[limit:]
    columns = [getattr(change.factors, name) for name in FACTORS]
    parts = [
        change.mix_ns.sum(),
        change.selection_ns,
        change.factors.total()[rest].sum(),
        *np.stack(columns)[:, listed].T.ravel(),
    ]
    mix_ns, selection_ns, rest_ns, *flat = whole_parts(np.array(parts), total_ns).tolist()
    rows = [flat[at : at + len(FACTORS)] for at in range(0, len(flat), len(FACTORS))]
    return {
        "statistic": change.statistic.name,
        "before_ns": round(change.before.value_ns),
        "before_interval_ns": _bounds(change.before.low_ns, change.before.high_ns),
        "after_ns": round(change.after.value_ns),
        "after_interval_ns": _bounds(change.after.low_ns, change.after.high_ns),
        "change_ns": total_ns,
        "change_interval_ns": _bounds(*change.interval),
        "mix_ns": mix_ns,
        "mix": _mix(found, change, mix_ns),
        "paths": [
            _path(found, change, int(row), part) for row, part in zip(listed, rows, strict=True)
        ],
        "paths_total": {"value": len(named), "exact": True},
        "other_paths_ns": rest_ns,
        "selection_ns": selection_ns,
    }


def _path(found: Comparison, change: Change, row: int, parts: list[int]) -> Document:
    reach_ns = float(change.reach_ns[row])
    total_ns = sum(parts)
    whole_ns = change.change_ns
    return {
        **_name(found.baseline.paths, row),
        "path": _chain(found.baseline.paths, row),
        "path_id": f"{int(found.baseline.paths.path_id[row]):016x}",
        "change_ns": total_ns,
        "change_interval_ns": None
        if math.isnan(reach_ns)
        else [round(total_ns - reach_ns), round(total_ns + reach_ns)],
        "share_of_change": round(total_ns / whole_ns, 4) if whole_ns else None,
        **dict(zip(FACTORS, parts, strict=True)),
        "before": _contribution(change.between, row),
        "after": _contribution(change.after, row),
    }


def _contribution(budget: Any, row: int) -> Document:
    """Factors under the weights of the statistic: they multiply to the contribution."""
    calls, self_ns = float(budget.calls[row]), float(budget.self_ns[row])
    critical_ns = float(budget.critical_ns[row])
    return {
        "critical_ns": round(critical_ns),
        "calls": round(calls, 3),
        "self_ns_per_call": round(self_ns / calls) if calls > 0 else None,
        "critical_share": round(critical_ns / self_ns, 4) if self_ns > 0 else None,
    }


def _mix(found: Comparison, change: Change, total_ns: int) -> list[Document]:
    """Strata by what their change of share did, largest first; those worth 0 ns are left out.

    All of them sum to `total_ns`.
    """
    shifted = whole_parts(change.mix_ns, total_ns)
    order = np.argsort(-np.abs(change.mix_ns), kind="stable")[:MOST_STRATA]
    return [
        {
            **_stratum(found, int(row)),
            "change_ns": int(shifted[row]),
            "is_named": bool(change.is_stratum_named[row]),
        }
        for row in order
        if shifted[row]
    ]


def _strata(found: Comparison) -> Document:
    """All kinds of requests, most frequent first."""
    weight = found.mix.before + found.mix.after
    order = np.argsort(-weight, kind="stable")
    return {
        "total": {"value": len(order), "exact": True},
        "items": [
            {
                **_stratum(found, int(row)),
                "traces_n_eff": [
                    round(float(found.mix.count_before[row]), 1),
                    round(float(found.mix.count_after[row]), 1),
                ],
                "is_comparable": bool(found.mix.is_comparable[row]),
                "p_value": _p(found.marginals.stratum_p[row]),
            }
            for row in order[:MOST_STRATA]
        ],
    }


def _stratum(found: Comparison, row: int) -> Document:
    strata = found.baseline.strata
    return {
        **_name(found.baseline.paths, int(strata.path[row])),
        "outcome": "error" if strata.failed[row] else "ok",
        "share_before": round(float(found.mix.before[row]), 6),
        "share_after": round(float(found.mix.after[row]), 6),
    }


def _changed_paths(found: Comparison, limit: int) -> Document:
    """Paths with a factor that changed, whatever number it shows in; largest shift first."""
    tested = found.marginals
    rows = np.flatnonzero(found.has_changed.any(axis=0))
    largest = np.max([np.abs(one.factors.total()[rows]) for one in found.changes], axis=0)
    rows = rows[np.argsort(-largest, kind="stable")]
    return {
        "total": {"value": len(rows), "exact": True},
        "items": [
            {
                **_name(found.baseline.paths, row),
                "path": _chain(found.baseline.paths, row),
                "path_id": f"{int(found.baseline.paths.path_id[row]):016x}",
                "factors": [
                    {
                        "factor": name,
                        "before": _number(tested.before[factor, row], digits),
                        "after": _number(tested.after[factor, row], digits),
                        "p_value": _p(tested.p[factor, row]),
                    }
                    for factor, name, digits in (
                        (CALLS, "calls", 4),
                        (SELF_TIME, "self_ns_per_call", None),
                        (SHARE, "critical_share", 4),
                    )
                    if found.has_changed[factor, row]
                ],
            }
            for row in rows[:limit].tolist()
        ],
    }


def _name(paths: PathTable, row: int) -> Document:
    return {
        "service": paths.service[row].name,
        "operation": paths.operation[row],
        "kind": SPAN_KINDS[int(paths.kind[row])].lower(),
    }


def _chain(paths: PathTable, row: int) -> list[str]:
    """The way from the root, `service operation` a step; of a very long one its end."""
    steps: list[str] = []
    while len(steps) < MOST_STEPS:
        steps.append(f"{paths.service[row].name} {paths.operation[row]}")
        above = paths.parent_path_id[row]
        at = int(np.searchsorted(paths.path_id, above))
        if above == 0 or at == len(paths) or paths.path_id[at] != above:
            break
        row = at
    return steps[::-1]


def _bounds(low: float | None, high: float | None) -> list[int] | None:
    return None if low is None or high is None else [round(low), round(high)]


def _number(value: float, digits: int | None) -> float | int | None:
    return None if math.isnan(value) else round(float(value), digits)


def _p(value: NDArray[np.float64] | float) -> float:
    return float(f"{float(value):.3g}")
