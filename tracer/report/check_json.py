"""`tracer.check/1`: whether a candidate may pass, and what is worse, worst first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, Final

import numpy as np

from tracer.analysis.gate import Gate, Rules
from tracer.analysis.gate_numbers import (
    MEASURES,
    MIN_REQUESTS,
    Paths,
    calls_per_parent,
    critical_per_request,
)
from tracer.analysis.gate_order import Worse
from tracer.analysis.gate_tests import MIN_RUNS
from tracer.analysis.limits import Limit, chain
from tracer.analysis.packing import Rows
from tracer.analysis.significance import LEVEL
from tracer.columns.flaws import together
from tracer.columns.runs import Run, Step
from tracer.columns.schema import SPAN_KINDS
from tracer.report import figures as fig
from tracer.report.check_words import ORDER, reason, summary
from tracer.report.quality import quality_shares

SCHEMA: Final = "tracer.check/1"
MOST_STEPS: Final = 30  # of a call path that is written out
MOST_ROOTS: Final = 5  # named in a sentence

Document = dict[str, Any]


def check_document(
    found: Gate,
    baseline: Sequence[Run],
    candidate: Sequence[Run],
    *,
    said: tuple[Mapping[str, Any], Mapping[str, Any]],
    rules: Rules,
    limit: int,
    notes: Sequence[str],
    reproduce: str,
) -> Document:
    """`said`: where both sides are from; `limit` bounds every list."""
    entries = [_entry(found, one) for one in found.worse[:limit]]
    unjudged = _unjudged(found, baseline, candidate)
    is_refused = any(one["code"] == "sampling" for one in unjudged)
    verdict = "pass"
    if unjudged:
        verdict = "could-not-judge"
    if entries and not is_refused:
        verdict = "regression"
    document: Document = {
        "schema": SCHEMA,
        "verdict": verdict,
        "summary": "",
        "unjudged": unjudged,
        "regressions": entries,
        "regressions_total": {"value": len(found.worse), "exact": True},
        "environment": _environment(found),
        "improvements": _improvements(found, limit),
        "new_paths": _paths(found, found.new, limit),
        "vanished_paths": _paths(found, found.vanished, limit),
        "judged_operations": _paths(found, found.judged_roots, limit),
        "baseline": {**said[0], **_side(baseline)},
        "candidate": {**said[1], **_side(candidate)},
        "blocks": "runs" if found.tested.by_runs else "requests",
        "rules": {
            "level": LEVEL,
            "correction": "Holm",
            "tests": found.tests,
            "min_ratio": rules.min_ratio,
            "min_excess_ns": rules.min_excess_ns,
            "min_calls": rules.min_calls,
            "min_error_share": rules.min_failed,
            "min_requests": MIN_REQUESTS,
            "min_runs": MIN_RUNS,
        },
        "notes": [*notes, *_notes(found, baseline, candidate)],
        "reproduce": reproduce,
    }
    document["summary"] = summary(document)
    return document


def _side(runs: Sequence[Run]) -> Document:
    return {
        "runs": len(runs),
        "traces": sum(run.traces for run in runs),
        "spans": sum(run.spans for run in runs),
        "traces_by_run": [run.traces for run in runs],
        "quality": quality_shares(reduce(together, (run.flaws for run in runs))),
    }


def _unjudged(found: Gate, baseline: Sequence[Run], candidate: Sequence[Run]) -> list[Document]:
    """Why a pass would say too much."""
    reasons: list[Document] = []
    known = [any(run.is_weighted for run in side) for side in (baseline, candidate)]
    if known[0] != known[1]:
        which = "baseline" if known[0] else "candidate"
        reasons.append(
            {
                "code": "sampling",
                "text": f"only the {which} has sampling weights: the two sides are not sampled "
                "alike; record both with the same sampler",
            }
        )
    if not len(found.judged_roots):
        reasons.append(_nothing_in_common(found))
    if found.environment is not None:
        one = found.environment
        way = "slower" if one.factor > 1 else "faster"
        reasons.append(
            {
                "code": "environment",
                "text": f"{one.paths} of {one.of} call paths are {way} alike, by a factor of "
                f"{one.factor:.2f}: that is the environment and not the change; times are not "
                "judged, run both sides on the same machine, in turns",
            }
        )
    for limit in found.unmatched:
        reasons.append(
            {
                "code": "limit",
                "text": f"the limit {limit.text!r} of {limit.pattern!r} is about nothing that "
                f"the candidate has in {MIN_REQUESTS:.0f} requests; correct the pattern, or send "
                "more requests",
            }
        )
    return reasons


def _nothing_in_common(found: Gate) -> Document:
    paths = found.subjects.paths
    has = [side.of("requests") > 0 for side in (found.baseline, found.candidate)]
    if (has[0] & has[1] & paths.is_root).any():
        return {
            "code": "requests",
            "text": f"no kind of request is there {MIN_REQUESTS:.0f} times on both sides; send "
            "more requests",
        }
    names = [_roots(paths, np.flatnonzero(side & paths.is_root)) for side in has]
    return {
        "code": "operations",
        "text": f"no kind of request is on both sides: the baseline has {names[0]}, the "
        f"candidate {names[1]}; compare runs of the same tests",
    }


def _roots(paths: Paths, rows: Rows) -> str:
    names = [f"{paths.steps[at].service} {paths.steps[at].operation}" for at in rows.tolist()]
    more = len(names) - MOST_ROOTS
    said = ", ".join(repr(name) for name in names[:MOST_ROOTS]) or "none"
    return f"{said} and {more:,} more" if more > 0 else said


def _notes(found: Gate, baseline: Sequence[Run], candidate: Sequence[Run]) -> list[str]:
    notes = []
    fewest = min(len(baseline), len(candidate))
    if fewest < MIN_RUNS:
        notes.append(
            f"{fig.counted(len(candidate), 'run')} against {len(baseline)}: how much runs differ "
            f"by themselves is not known, requests are taken as independent; give {MIN_RUNS} runs "
            "a side or more"
        )
    paths = found.subjects.paths
    both = (found.baseline.of("requests") > 0) & (found.candidate.of("requests") > 0)
    few = np.flatnonzero(paths.is_root & both)
    few = few[~np.isin(few, found.judged_roots)]
    if len(few):
        notes.append(
            f"not judged, fewer than {MIN_REQUESTS:.0f} requests on a side: {_roots(paths, few)}"
        )
    gone = found.vanished[paths.is_root[found.vanished]]
    if len(gone) and len(found.judged_roots):
        notes.append(f"no request of the candidate is {_roots(paths, gone)}")
    if found.withheld:
        notes.append(
            f"{fig.counted(found.withheld, 'number')} that took longer than before are put down "
            "to the environment"
        )
    if paths.left_out:
        notes.append(
            f"{fig.counted(paths.left_out, 'rare call path')} of both sides together were left "
            "out; give operations names without ids in them"
        )
    for name, side in (("baseline", baseline), ("candidate", candidate)):
        if left_out := max(run.left_out for run in side):
            notes.append(
                f"{fig.counted(left_out, 'rare call path')} of the {name} were left out; paths "
                "that only the other side has are not judged"
            )
    return notes


def _environment(found: Gate) -> Document | None:
    one = found.environment
    if one is None:
        return None
    return {
        "factor": round(one.factor, 4),
        "paths": one.paths,
        "of": one.of,
        "withheld": found.withheld,
    }


def _entry(found: Gate, one: Worse) -> Document:
    paths = found.subjects.paths
    is_path = one.subject < len(paths)
    row = one.subject
    step = paths.steps[row] if is_path else found.subjects.operations[row - len(paths)]
    order = {name: at for at, name in enumerate(ORDER)}
    measures = [_measure(found, at, row) for at in one.measures]
    measures.sort(key=lambda told: order[told["measure"]])
    if one.role == "cause" and not any(told["measure"] == "calls" for told in measures):
        # of a cause its own time is told, of what follows how long it takes
        measures.sort(key=lambda told: told["measure"] not in ("error_share", "critical_time"))
    entry: Document = {
        **_name(step),
        "scope": "operation" if not is_path else "root" if paths.is_root[row] else "path",
        "path": chain(paths, row)[-MOST_STEPS:] if is_path else None,
        "path_id": f"{int(paths.path_id[row]):016x}" if is_path else None,
        "role": one.role,
        "is_new": one.is_new,
        "limits": [_limit(found, limit, row) for limit in one.limits],
        "measures": measures,
        "requests": _requests(found, row) if is_path else None,
        "cost_share": round(one.cost, 4),
    }
    if one.is_new:
        entry["critical_ns"] = round(float(critical_per_request(found.candidate)[row]))
        calls = float(calls_per_parent(found.candidate)[row])
        entry.update(measure="calls", unit="calls", before=0, after=round(calls, 4))
    elif one.limits and not measures:
        told = entry["limits"][0]
        entry.update(measure=told["measure"], unit=told["unit"], before=told["before"])
        entry["after"] = told["value"]
    else:
        entry.update({name: measures[0][name] for name in ("measure", "unit", "before", "after")})
    return {**entry, "reason": reason(entry)}


def _measure(found: Gate, at: int, row: int) -> Document:
    unit = MEASURES[at].unit
    return {
        "measure": MEASURES[at].name,
        "unit": unit,
        "before": _value(unit, found.tested.before[at, row]),
        "after": _value(unit, found.tested.after[at, row]),
        "p_value": float(f"{found.p[at, row]:.3g}"),
    }


def _limit(found: Gate, limit: Limit, row: int) -> Document:
    at = next(at for at, one in enumerate(MEASURES) if one.name == limit.measure)
    unit = MEASURES[at].unit
    return {
        "pattern": limit.pattern,
        "limit": limit.text,
        "measure": limit.measure,
        "unit": unit,
        "before": _value(unit, found.tested.before[at, row]),
        "value": _value(unit, found.tested.after[at, row]),
    }


def _requests(found: Gate, row: int) -> list[float]:
    return [round(float(side.n_eff[row]), 1) for side in (found.baseline, found.candidate)]


def _improvements(found: Gate, limit: int) -> Document:
    paths = found.subjects.paths
    items = []
    for at, row in found.better[:limit]:
        is_path = row < len(paths)
        step = paths.steps[row] if is_path else found.subjects.operations[row - len(paths)]
        path = chain(paths, row)[-MOST_STEPS:] if is_path else None
        items.append({**_name(step), "path": path, **_measure(found, at, row)})
    return {"total": {"value": len(found.better), "exact": True}, "items": items}


def _paths(found: Gate, rows: Rows, limit: int) -> Document:
    paths = found.subjects.paths
    return {
        "total": {"value": len(rows), "exact": True},
        "items": [
            {
                **_name(paths.steps[row]),
                "path": chain(paths, row)[-MOST_STEPS:],
                "requests": _requests(found, row),
            }
            for row in rows[:limit].tolist()
        ],
    }


def _name(step: Step) -> Document:
    return {
        "service": step.service,
        "operation": step.operation,
        "kind": SPAN_KINDS[step.kind].lower(),
        "namespace": step.namespace,
    }


def _value(unit: str, value: float) -> float | int | None:
    if math.isnan(value):
        return None
    return round(float(value)) if unit == "ns" else round(float(value), 4)
