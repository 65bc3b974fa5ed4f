"""Values that must not be stored: secrets which instrumentation copies into attributes.

The value is replaced, the key stays: that a header was sent is evidence, what it said is not. When
no key of the batch is on the list, the cost is one pass of a hash set over the keys.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tracer.columns.records import SpanRecords

REPLACEMENT: Final = "[redacted]"

# Keys of the semantic conventions whose value is, or may carry, a credential.
SECRET_KEYS: Final[tuple[str, ...]] = (
    "http.request.header.authorization",
    "http.request.header.proxy-authorization",
    "http.request.header.cookie",
    "http.request.header.x-api-key",
    "http.request.header.x-auth-token",
    "http.response.header.set-cookie",
    "rpc.grpc.request.metadata.authorization",
    "rpc.request.metadata.authorization",
    "db.password",
    "password",
    "authorization",
    "cookie",
    "set-cookie",
    "api_key",
    "access_token",
    "refresh_token",
    "client_secret",
)

# Where attributes stand, each with the map that holds the types of its values.
_PLACES: Final = (
    ("SpanAttributes", "SpanAttributeTypes"),
    ("ResourceAttributes", "ResourceAttributeTypes"),
    ("ScopeAttributes", "ScopeAttributeTypes"),
    ("Events.Attributes", "Events.AttributeTypes"),
    ("Links.Attributes", "Links.AttributeTypes"),
)


def redacted(records: SpanRecords, keys: tuple[str, ...]) -> SpanRecords:
    """The same spans with the value of every attribute named in `keys` replaced.

    A redacted value is text whatever it was before, so its entry among the types goes. Returns
    `records` itself when no key occurs.
    """
    secret = pa.array(keys, pa.string())
    columns = {name: records.batch.column(name) for name in records.batch.schema.names}
    changed = False
    for values, types in _PLACES:
        hidden = pc.is_in(_map_of(columns[values]).keys, value_set=secret)
        if pc.any(hidden).as_py():
            columns[values] = _on_map(columns[values], partial(_hide, hidden=hidden))
            columns[types] = _on_map(columns[types], partial(_without, secret=secret))
            changed = True
    if not changed:
        return records
    return SpanRecords(pa.RecordBatch.from_arrays(list(columns.values()), list(columns)))


def _map_of(column: pa.Array) -> pa.MapArray:
    return column if pa.types.is_map(column.type) else column.values


def _on_map(column: pa.Array, change: Callable[[pa.MapArray], pa.MapArray]) -> pa.Array:
    """`column` with its map changed, whether it is a map or a list of maps."""
    if pa.types.is_map(column.type):
        return change(column)
    return pa.ListArray.from_arrays(column.offsets, change(column.values))


def _hide(attributes: pa.MapArray, hidden: pa.BooleanArray) -> pa.MapArray:
    text = pc.if_else(hidden, pa.scalar(REPLACEMENT), attributes.items)
    return pa.MapArray.from_arrays(attributes.offsets, attributes.keys, text)


def _without(types: pa.MapArray, secret: pa.StringArray) -> pa.MapArray:
    kept = pc.invert(pc.is_in(types.keys, value_set=secret))
    before = np.concatenate([[0], np.cumsum(kept.to_numpy(zero_copy_only=False))])
    offsets = before[types.offsets.to_numpy()].astype(np.int32)
    return pa.MapArray.from_arrays(
        pa.array(offsets), types.keys.filter(kept), types.items.filter(kept)
    )
