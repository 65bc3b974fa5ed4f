"""Spans from files into the store, and the analysis of what is not analysed yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from tracer.columns.records import SpanRecords
from tracer.errors import BadInput
from tracer.ingest.otlp.decode import decode
from tracer.ingest.steps import IMPORT_STEPS, Arrivals, apply
from tracer.service.context import Context
from tracer.service.from_settings import rules, step_settings
from tracer.service.settle import Settler
from tracer.store.members import ANALYSE, read_first
from tracer.store.writer import write_spans


class Imported(NamedTuple):
    """How many spans were stored, and how many were not, by reason."""

    spans: int
    rejected: Counter[str]


def import_requests(context: Context, requests: Sequence[bytes]) -> Imported:
    """Stores the spans of OTLP requests with the times they have.

    Raises BadInput when one does not decode, and when running processes share the store: analysis
    could pass the spans by.
    """
    decoded = decode(requests, ingest_ns=context.now_ns(), tenant=context.settings.tenant)
    for error in decoded.refused.values():
        raise error
    rejected = Counter[str]()
    for row in decoded.rejected:
        rejected[row.reason] += row.count
    return Imported(import_records(context, decoded.records), rejected)


def import_records(context: Context, records: SpanRecords) -> int:
    """Stores the records with the times they have; returns how many spans.

    What is secret is taken out as it is from exports. Raises BadInput as `import_requests` does.
    """
    _alone(context)
    arrivals = apply(
        Arrivals(records, np.zeros(len(records), np.int32)),
        IMPORT_STEPS,
        step_settings(context.settings),
        context.now_ns(),
    )
    write_spans(context.engine, arrivals.records, imported=True)
    return len(arrivals.records)


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
