"""Spans from files into the store, and the analysis of what is not analysed yet."""

from __future__ import annotations

from dataclasses import replace

from tracer.columns.records import SpanRecords
from tracer.errors import BadInput
from tracer.service.context import Context
from tracer.service.from_settings import rules
from tracer.service.settle import Settler
from tracer.store.members import ANALYSE, read_first
from tracer.store.writer import write_spans


def import_records(context: Context, records: SpanRecords) -> int:
    """Stores the records with the times they have; returns how many spans.

    Raises BadInput when running processes share the store: analysis could pass the spans by.
    """
    _alone(context)
    write_spans(context.engine, records, imported=True)
    return len(records)


def _alone(context: Context) -> None:
    expiry_ns = context.settings.member_expiry
    if context.settings.store and read_first(context.engine, ANALYSE, expiry_ns=expiry_ns):
        raise BadInput(
            f"a running tracer analyses {context.name}: import through the API of one that "
            "receives, with --server"
        )


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
