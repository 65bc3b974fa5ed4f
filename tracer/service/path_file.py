"""Call paths over the traces of a file: no store, no server parts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.baseline import weights
from tracer.analysis.flaws import flaws
from tracer.analysis.merged_tree import merged_tree
from tracer.analysis.path_bands import (
    NOT_COUNTED,
    band_limits,
    band_of,
    counted,
    exemplars,
    path_bands,
)
from tracer.columns.facts import PathTable
from tracer.columns.records import SpanRecords
from tracer.errors import NotFound
from tracer.report.path_json import (
    SCHEMA,
    PathChoice,
    paths_document,
    quality_document,
    shown_paths,
)
from tracer.service.analyze import analyse_file


def critical_path_of(
    records: SpanRecords, choice: PathChoice, *, service: str | None, operation: str | None
) -> dict[str, Any]:
    """Document `tracer.critical-path/1` without a window. Raises NotFound for an unknown name."""
    facts = analyse_file(records).facts
    rows = counted(facts, _through(facts.paths, service, operation))
    limits = band_limits(facts.root_path_id[rows], facts.duration_ns[rows], weights(facts)[rows])
    band = band_of(limits, facts.root_path_id, facts.duration_ns)
    band = np.where(rows, band, NOT_COUNTED).astype(np.int8)
    sums = path_bands(facts, band)
    at = np.searchsorted(facts.paths.path_id, sums.path_id)
    tree = merged_tree(sums, facts.paths.parent_path_id[at])
    shown = shown_paths(tree, choice)
    taken = band != NOT_COUNTED if choice.band is None else band == choice.band
    told = flaws(facts, rows)
    return {
        "schema": SCHEMA,
        "window": None,
        "service": service,
        "operation": operation,
        "traces": {"value": told.traces, "exact": True},
        "fragments": {"value": told.fragments, "exact": True},
        **paths_document(
            tree,
            shown,
            facts.paths,
            exemplars(facts, taken, choice.metric, sums.path_id[shown]),
            choice=choice,
            is_exact=True,
            is_estimated=told.weighted > 0,
        ),
        "waiting_traces": None,
        "quality": quality_document(told),
    }


def _through(
    paths: PathTable, service: str | None, operation: str | None
) -> NDArray[np.uint64] | None:
    """Call paths that end in this service and operation; None: no matter which."""
    if service is None and operation is None:
        return None
    named = [
        service in (None, identity.name) and operation in (None, name)
        for identity, name in zip(paths.service, paths.operation, strict=True)
    ]
    if not any(named):
        wanted = " ".join(word for word in (service, operation) if word)
        raise NotFound(f"no span of these files is named {wanted!r}; leave the name out to see all")
    chosen: NDArray[np.uint64] = paths.path_id[np.array(named)]
    return chosen
