"""The spans in an answer: read as a trace file of that text would be, whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Final, Literal, cast

import pyarrow.compute as pc

from tracer.columns.records import SpanRecords, concat
from tracer.errors import BadInput, Unavailable
from tracer.ingest.files.account import Account
from tracer.ingest.files.read import read_pieces
from tracer.ingest.files.source import Source as TextSource
from tracer.ingest.otlp.decode import decode
from tracer.ingest.pull.connection import Answer
from tracer.telemetry.escape import escaped

BATCH_SPANS: Final = 20_000


def spans_of(
    name: str,
    answer: Answer,
    account: Account,
    *,
    format: Literal["otlp", "jaeger"],
    ingest_ns: int,
    tenant: str = "",
) -> SpanRecords:
    """Every valid span; none is an answer as well.

    Raises BadInput for a text that is no such document, and Unavailable for one that ends early.
    """
    if answer.is_page():
        raise BadInput(
            f"{name} answered with a web page where traces were asked for; check the base path of "
            "the URL, and whether a login is in between"
        )
    text = TextSource(name, None, cast("io.BufferedIOBase", answer.file))
    parts: list[SpanRecords] = []
    try:
        for piece in read_pieces(text, account, format=format, ingest_ns=ingest_ns):
            if isinstance(piece, SpanRecords):
                parts.append(piece)
                continue
            decoded = decode(piece, ingest_ns=ingest_ns, tenant=tenant)
            for error in decoded.refused.values():
                raise error
            for row in decoded.rejected:
                account.rejected[row.reason] += row.count
            parts.append(decoded.records)
    except BadInput as error:
        said = str(error).removeprefix(f"{name} ").removeprefix(f"{name}: ")
        why = escaped(said.partition(": ")[0])
        raise BadInput(
            f"{name} answered what cannot be read: {why}; nothing of it was taken, check "
            "that this is the API of the back end, and its version"
        ) from error
    if account.cut_off:
        raise Unavailable(f"{name} sent half an answer ({account.cut_off}); nothing was taken")
    return concat([part for part in parts if len(part)])


def batches(parts: Iterable[SpanRecords]) -> Iterator[SpanRecords]:
    """The same spans in fewer pieces: a store wants large blocks. An error of `parts` comes before
    what was not given yet."""
    waiting: list[SpanRecords] = []
    for part in parts:
        waiting.append(part)
        if sum(map(len, waiting)) >= BATCH_SPANS:
            yield concat(waiting)
            waiting = []
    if waiting:
        yield concat(waiting)


def spans_by_trace(records: SpanRecords) -> dict[str, int]:
    """How many spans there are of each trace."""
    counted = pc.value_counts(records.batch["TraceId"])
    return {row["values"]: row["counts"] for row in counted.to_pylist()}


def only_traces(records: SpanRecords, trace_ids: list[str]) -> SpanRecords:
    """The spans of these traces."""
    import pyarrow as pa

    chosen = pc.is_in(records.batch["TraceId"], value_set=pa.array(trace_ids, pa.string()))
    return SpanRecords(records.batch.filter(chosen))


def incomplete_traces(records: SpanRecords) -> set[str]:
    """Traces in which a span names a parent that is not there: more may still come."""
    batch = records.batch
    ids = pc.binary_join_element_wise(batch["TraceId"], batch["SpanId"], "")
    parents = pc.binary_join_element_wise(batch["TraceId"], batch["ParentSpanId"], "")
    lost = pc.and_(pc.not_equal(batch["ParentSpanId"], ""), pc.invert(pc.is_in(parents, ids)))
    return set(pc.unique(batch["TraceId"].filter(lost)).to_pylist())
