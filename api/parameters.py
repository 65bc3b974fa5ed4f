"""Parameters that several endpoints take, each described once."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

MOMENT = "RFC 3339, unix seconds, or relative such as -15m"

Since = Annotated[str | None, Query(description="range until now: 15m, 2h, 7d", examples=["15m"])]
Start = Annotated[str | None, Query(description=f"start of the range, included: {MOMENT}")]
End = Annotated[str | None, Query(description=f"end of the range, excluded: {MOMENT}")]
BaselineStart = Annotated[
    str | None, Query(description=f"start of what is compared against: {MOMENT}")
]
BaselineEnd = Annotated[str | None, Query(description=f"end of what is compared against: {MOMENT}")]
ServiceName = Annotated[str | None, Query(description="only this service")]
OperationName = Annotated[str | None, Query(description="only this operation (span name)")]
MinDuration = Annotated[
    str | None, Query(description="only traces at least this long: 1s, 250ms", examples=["250ms"])
]
MaxDuration = Annotated[str | None, Query(description="only traces at most this long")]
TraceId = Annotated[str, Path(description="16 or 32 hex digits, in any case")]
