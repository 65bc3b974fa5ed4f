"""Text columns as distinct combinations, so that rules run once for each and not once a row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def combinations(
    table: pa.Table, names: Sequence[str]
) -> tuple[list[dict[str, str]], NDArray[np.intp]]:
    """The distinct combinations of the named columns, and which of them each row has."""
    if len(table) == 0:
        return [], np.zeros(0, np.intp)
    words: list[list[str]] = []
    codes = np.zeros((len(table), len(names)), np.int32)
    for at, name in enumerate(names):
        coded = table[name].combine_chunks().dictionary_encode()
        coded = coded.chunk(0) if isinstance(coded, pa.ChunkedArray) else coded
        words.append(coded.dictionary.to_pylist())
        codes[:, at] = coded.indices.to_numpy()
    distinct, number = np.unique(codes, axis=0, return_inverse=True)
    said = [
        dict(zip(names, (texts[code] for texts, code in zip(words, row, strict=True)), strict=True))
        for row in distinct.tolist()
    ]
    return said, number.reshape(-1)
