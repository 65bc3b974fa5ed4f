"""Small documents that several answers share."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracer.columns.facts import TraceFacts
from tracer.columns.ids import span_id_text, trace_id_text
from tracer.columns.schema import SPAN_KINDS
from tracer.units import rfc3339


def fact_document(facts: TraceFacts, row: int) -> dict[str, Any]:
    """One (trace, root) as lists of traces show it."""
    path = int(np.searchsorted(facts.paths.path_id, facts.root_path_id[row]))
    start_ns = int(facts.start_ns[row])
    return {
        "trace_id": trace_id_text(int(facts.trace_hi[row]), int(facts.trace_lo[row])),
        "root": {
            "service": facts.paths.service[path].name,
            "operation": facts.paths.operation[path],
            "kind": SPAN_KINDS[int(facts.paths.kind[path])].lower(),
            "span_id": span_id_text(int(facts.root_span_id[row])),
            "missing": bool(facts.root_missing[row]),
        },
        "start_ns": start_ns,
        "start": rfc3339(start_ns),
        "duration_ns": int(facts.duration_ns[row]),
        "span_count": int(facts.span_count[row]),
        "service_count": int(facts.service_count[row]),
        "error_count": int(facts.error_count[row]),
        "outcome": "error" if facts.failed[row] else "ok",
        "version": facts.version[row],
    }
