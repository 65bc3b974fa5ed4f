"""What spans say about having failed, as text: what `analysis.failures` judges by.

Only suspects have a row: spans whose status is an error, or whose attributes or events might mean
one. Old and new names of the semantic conventions are one column, the stable name first.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tracer.columns.convert import hex_words
from tracer.columns.records import SpanRecords

# Columns that come from span attributes; of several keys the first that is there counts.
KEYS: Final[dict[str, tuple[str, ...]]] = {
    "HttpStatus": ("http.response.status_code", "http.status_code"),
    "RpcStatus": ("rpc.response.status_code", "rpc.status_code", "rpc.grpc.status_code"),
    "ErrorType": ("error.type",),
    "ErrorFlag": ("error",),
}
EXCEPTION: Final = "exception"  # name of the event
# Columns that come from the last exception of a span: what made it fail is recorded last.
EXCEPTION_KEYS: Final = {
    "ExceptionType": "exception.type",
    "ExceptionMessage": "exception.message",
    "ExceptionEscaped": "exception.escaped",
}
IDS: Final = ("trace_hi", "trace_lo", "span_id")
TEXTS: Final = ("SpanKind", "StatusCode", "StatusMessage", *KEYS, *EXCEPTION_KEYS)
SYMPTOMS: Final = pa.schema(
    [(name, pa.uint64()) for name in IDS] + [(name, pa.string()) for name in TEXTS]
)


def symptoms_from_records(records: SpanRecords) -> pa.Table:
    """The suspects among whole spans, in their order. No Python object per span."""
    batch = records.batch
    attributes = {name: _first(batch.column("SpanAttributes"), keys) for name, keys in KEYS.items()}
    rows = pa.array(np.flatnonzero(_suspects(batch, attributes)))
    batch = batch.take(rows)
    trace = hex_words(batch.column("TraceId"), 2)
    plain = {name: batch.column(name).cast(pa.string()) for name in TEXTS[:3]}
    return pa.table(
        {
            **dict(zip(IDS, (*trace, *hex_words(batch.column("SpanId"), 1)), strict=True)),
            **plain,
            **{name: values.take(rows) for name, values in attributes.items()},
            **_exceptions(batch),
        },
        schema=SYMPTOMS,
    )


def _suspects(batch: pa.RecordBatch, attributes: dict[str, pa.Array]) -> NDArray[np.bool_]:
    is_error = pc.equal(batch.column("StatusCode").cast(pa.string()), "Error")
    said = [pc.not_equal(values, "") for values in attributes.values()]
    events = batch.column("Events.Name")
    named = np.zeros(len(batch), np.bool_)
    named[_places(events)[_is(events.flatten(), EXCEPTION)]] = True
    masks = [np.asarray(mask) for mask in (is_error, *said)]
    suspect: NDArray[np.bool_] = np.any([*masks, named], axis=0)
    return suspect


def _exceptions(batch: pa.RecordBatch) -> dict[str, pa.Array]:
    """By column: of the last exception event of each row, '' where there is none."""
    names = batch.column("Events.Name")
    event = np.flatnonzero(_is(names.flatten(), EXCEPTION))
    last = np.full(len(batch), -1)
    last[_places(names)[event]] = event  # the last write of a row stays
    attributes = batch.column("Events.Attributes").flatten()
    at = pa.array(np.where(last < 0, 0, last), mask=last < 0)
    return {
        name: pc.fill_null(_first(attributes, (key,)).take(at), "")
        for name, key in EXCEPTION_KEYS.items()
    }


def _first(attributes: pa.MapArray, keys: tuple[str, ...]) -> pa.Array:
    """The value of the first of `keys` that each map has, '' where it has none of them."""
    place, offsets = _places(attributes), attributes.offsets
    begin = offsets[0].as_py()
    names = attributes.keys.slice(begin, offsets[-1].as_py() - begin)
    values = attributes.items.slice(begin, offsets[-1].as_py() - begin)
    chosen = np.full(len(attributes), -1)
    for key in reversed(keys):
        entry = np.flatnonzero(_is(names, key) & ~_is(values, ""))
        chosen[place[entry]] = entry
    at = pa.array(np.where(chosen < 0, 0, chosen), mask=chosen < 0)
    return pc.fill_null(values.cast(pa.string()).take(at), "")


def _is(texts: pa.Array, word: str) -> NDArray[np.bool_]:
    return np.asarray(pc.equal(texts, word).to_numpy(zero_copy_only=False)).astype(np.bool_)


def _places(lists: pa.Array) -> NDArray[np.intp]:
    """The row of each flattened item."""
    lengths = np.diff(np.asarray(lists.offsets))
    return np.repeat(np.arange(len(lists)), lengths)
