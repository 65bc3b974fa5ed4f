"""interim"""
from __future__ import annotations
from typing import Any
from tracer.columns.baselines import Baselines
from tracer.columns.facts import TraceFacts
from tracer.service.context import Context
from tracer.service.rows import fact_document

def trace_answers(context: Context, worst: TraceFacts, baselines: Baselines, *, leave_one_out: bool) -> list[dict[str, Any]]:
    return [fact_document(worst, row) for row in range(len(worst))]
