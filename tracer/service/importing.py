"""Spans from files into the store, and the analysis of what is not analysed yet."""

from __future__ import annotations

from dataclasses import replace

from tracer.columns.records import SpanRecords
from tracer.service.context import Context
from tracer.service.serve import rules
from tracer.service.settle import Settler
from tracer.store.writer import write_spans


def import_records(context: Context, records: SpanRecords) -> int:
    """Stores the records with the times they have; returns how many spans."""
    write_spans(context.engine, records, imported=True)
    return len(records)


def settle_all(context: Context) -> int:
    """Analyses every trace that waits, without waiting for it to be quiet; returns how many.

    For a store that no service feeds: nothing more can be under way.
    """
    settler = Settler(
        context.engine,
        replace(rules(context.settings), settle_ns=0, root_wait_ns=0),
        now_ns=context.now_ns,
        horizon_ns=context.now_ns,
    )
    analysed = settler.step()
    settler.close()
    return analysed
