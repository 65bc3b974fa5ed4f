"""Two sets of trace files compared: no store, no engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.compare import compare
from tracer.analysis.flaws import of_traces
from tracer.analysis.population import Population, population
from tracer.analysis.skew import MAX_CLOCK_SKEW_NS
from tracer.columns.facts import TraceFacts
from tracer.columns.records import SpanRecords
from tracer.errors import BadInput, BadQuery
from tracer.report.compare_json import compare_document
from tracer.report.quality import quality_shares
from tracer.service.analyze import analyse_file

Document = dict[str, Any]


def compare_records(
    baseline: SpanRecords,
    candidate: SpanRecords,
    *,
    said: tuple[Mapping[str, Any], Mapping[str, Any]],
    service: str | None = None,
    operation: str | None = None,
    tolerance_ns: int | None = None,
    max_skew_ns: int | None = MAX_CLOCK_SKEW_NS,
    limit: int,
    reproduce: str | None = None,
) -> Document:
    """Document `tracer.compare/1`. `said`: where the two sets are from, as the document tells it.

    Raises BadQuery on a negative tolerance, BadInput where a set has no trace (of the service and
    operation asked for, wherever in it). `max_skew_ns`: clocks further off stay, None: all do.
    """
    if tolerance_ns is not None and tolerance_ns < 0:
        raise BadQuery(f"overlap tolerance {tolerance_ns} ns is negative; use 0 or more")
    facts = [
        analyse_file(records, tolerance_ns=tolerance_ns, max_skew_ns=max_skew_ns).facts
        for records in (baseline, candidate)
    ]
    sets = [
        _chosen(one, name, service, operation)
        for name, one in zip(("baseline", "candidate"), facts, strict=True)
    ]
    told = [
        {**one, "quality": quality_shares(of_traces(of))}
        for one, of in zip(said, facts, strict=True)
    ]
    return compare_document(
        compare(*sets), baseline=told[0], candidate=told[1], limit=limit, reproduce=reproduce
    )


def _chosen(facts: TraceFacts, name: str, service: str | None, operation: str | None) -> Population:
    found = population(facts, passing(facts, service, operation))
    if not len(found):
        wanted = " ".join(word for word in (service, operation) if word)
        raise BadInput(
            f"no trace of the {name} passes through {wanted!r}; "
            "tracer analyze FILE shows the names in it"
        )
    return found


def clocks(*, is_corrected: bool) -> int | None:
    """The `max_skew_ns` that corrects clocks as always, or none."""
    return MAX_CLOCK_SKEW_NS if is_corrected else None


def passing(
    facts: TraceFacts, service: str | None, operation: str | None
) -> NDArray[np.bool_] | None:
    """Roots with a span of this service and operation under them; None when neither is named."""
    if service is None and operation is None:
        return None
    wanted = np.array(
        [
            (service is None or identity.name == service)
            and (operation is None or name == operation)
            for identity, name in zip(facts.paths.service, facts.paths.operation, strict=True)
        ],
        np.bool_,
    )
    hit = wanted[np.searchsorted(facts.paths.path_id, facts.path_id)]
    row = np.repeat(np.arange(len(facts)), np.diff(facts.offset))
    return np.bincount(row[hit], minlength=len(facts)) > 0
