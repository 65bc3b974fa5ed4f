"""Serialized OTLP trace requests to span records: the one door into decoding.

Two decoders stand behind it and give the same records: `columnar` is fast, `walk` is obvious and
needs nothing but protobuf. Which requests decode at all is judged once, before either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Literal

import numpy as np
import pyarrow as pa

from tracer.columns.records import SpanRecords
from tracer.errors import BadInput, TooLarge
from tracer.ingest.otlp.decoded import Decoded, Rejected, Shaped
from tracer.ingest.otlp.verdict import refusal
from tracer.ingest.otlp.walk import decode_walk

__all__ = ["Decoded", "Rejected", "decode"]

_OVERFLOW: Final = "overflow"  # in Arrow's message when 32-bit offsets do not reach
Decoder = Callable[[Sequence[bytes], int, str], Shaped]


def decode(
    requests: Sequence[bytes],
    *,
    ingest_ns: int,
    tenant: str = "",
    decoder: Literal["columnar", "walk"] = "columnar",
) -> Decoded:
    """All valid spans of all requests that decode, in order; bad requests fail alone.

    Bad requests are returned, not raised. Raises `TooLarge` when all of them together do not fit
    into one batch of columns (2 GiB of text in a column): decode half of them at a time; one alone
    always fits. `columnar` falls back to `walk` where its parser is not installed.
    """
    refused: dict[int, BadInput] = {}
    taken: list[int] = []
    for index, request in enumerate(requests):
        error = refusal(request)
        if error is None:
            taken.append(index)
        else:
            refused[index] = error
    run = decode_walk if decoder == "walk" else _columnar()
    try:
        shaped = run([requests[index] for index in taken], ingest_ns, tenant)
    except (pa.ArrowInvalid, pa.ArrowCapacityError) as error:
        if _OVERFLOW not in str(error):
            raise
        raise TooLarge(
            f"{len(taken)} requests take more than 2 GiB as columns: decode fewer at a time"
        ) from None
    original = np.array(taken, np.int32)
    return Decoded(
        SpanRecords(shaped.batch),
        original[shaped.request_of],
        tuple(replace(row, request=taken[row.request]) for row in shaped.rejected),
        refused,
    )


def _columnar() -> Decoder:
    try:
        from tracer.ingest.otlp.columnar import decode_columnar
    except ModuleNotFoundError as error:
        if error.name != "ptars":
            raise
        return decode_walk  # no ptars for this platform
    return decode_columnar
