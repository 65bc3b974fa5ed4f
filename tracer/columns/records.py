"""Whole spans as Arrow columns: what ingest makes, the store keeps and exports give back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from tracer.columns.schema import arrow_schema


@dataclass(frozen=True)
class SpanRecords:
    """A batch of whole spans; `batch` has exactly the columns of `schema.SPANS`, in that order.

    Order of rows carries no meaning. Read-only: steps return a new one.
    """

    batch: pa.RecordBatch

    def __post_init__(self) -> None:
        if not self.batch.schema.equals(arrow_schema()):
            raise ValueError(f"not the span schema: {self.batch.schema}")

    def __len__(self) -> int:
        return int(self.batch.num_rows)

    @cached_property
    def nbytes(self) -> int:
        """Bytes held by the Arrow buffers."""
        return int(self.batch.nbytes)

    @classmethod
    def empty(cls) -> SpanRecords:
        """No spans."""
        return cls(pa.RecordBatch.from_pylist([], schema=arrow_schema()))


def concat(parts: list[SpanRecords]) -> SpanRecords:
    """All spans of `parts`, in their order; dictionaries are unified."""
    if not parts:
        return SpanRecords.empty()
    if len(parts) == 1:
        return parts[0]
    table = pa.Table.from_batches([part.batch for part in parts]).unify_dictionaries()
    return SpanRecords(table.combine_chunks().to_batches()[0] if table.num_rows else parts[0].batch)
