"""Which spans failed, and what each of them says about it.

A status decides where there is one: Error is a failure, Ok is none whatever else is said. Where the
status is unset, the rules of the OpenTelemetry semantic conventions are applied to the attributes:

    HTTP   server: from 500 on; client: from 400 on; a lower status says nothing
    gRPC   server: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS;
           client: everything but OK
    else   `error.type`, `error = true`, or an exception that escaped the span

The type is that of the last exception, else `error.type`, else the protocol's status; the message
that of the exception, else of the status. Text is worked on once per distinct combination.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tracer.analysis.packing import Rows
from tracer.analysis.templates import template
from tracer.columns.schema import SPAN_KINDS
from tracer.columns.symptoms import IDS, TEXTS
from tracer.columns.texts import combinations

MOST_MESSAGE: Final = 300  # characters of a message that are kept beside its template
NOT_SAID: Final = "unknown"
_GRPC: Final = (
    *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND"),
    *("ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION"),
    *("ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"),
    "UNAUTHENTICATED",
)
_GRPC_SERVER: Final = frozenset(
    ("UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS")
)
_CALLING: Final = ("Client", "Producer")


class Reason(NamedTuple):
    """What a span says about its failure. A generic one is a bare status without a word."""

    type: str
    template: str
    message: str
    is_generic: bool


@dataclass(frozen=True)
class Failures:
    """Spans that failed; `reason` indexes `reasons`, which are sorted."""

    trace_hi: NDArray[np.uint64]
    trace_lo: NDArray[np.uint64]
    span_id: NDArray[np.uint64]
    kind: NDArray[np.int8]
    reason: Rows
    reasons: tuple[Reason, ...]

    def __len__(self) -> int:
        return len(self.span_id)


def failures(symptoms: pa.Table) -> Failures:
    """The spans among the suspects that failed, in their order."""
    said, number = combinations(symptoms, TEXTS)
    has_failed = np.array([is_failure(one) for one in said], np.bool_)
    every = [reason(one) if bad else None for one, bad in zip(said, has_failed, strict=True)]
    reasons = tuple(sorted({one for one in every if one is not None}))
    place = {one: at for at, one in enumerate(reasons)}
    codes_of = np.array([-1 if one is None else place[one] for one in every], np.intp)
    rows = np.flatnonzero(has_failed[number])
    kinds = np.array([_kind(one["SpanKind"]) for one in said], np.int8)
    hi, lo, span_id = (np.asarray(symptoms[name].to_numpy())[rows] for name in IDS)
    return Failures(hi, lo, span_id, kinds[number[rows]], codes_of[number[rows]], reasons)


def _kind(text: str) -> int:
    return SPAN_KINDS.index(text) if text in SPAN_KINDS else 0


def is_failure(said: dict[str, str]) -> bool:
    """Whether a span that says this failed; keys as in `symptoms.TEXTS`."""
    if said["StatusCode"] in ("Error", "Ok"):
        return said["StatusCode"] == "Error"
    is_calling = said["SpanKind"] in _CALLING
    http = _http(said)
    if http >= 400:
        return is_calling or http >= 500
    grpc = _grpc(said)
    if grpc not in ("", "OK"):
        return is_calling or grpc in _GRPC_SERVER
    return (
        said["ErrorType"] != ""
        or said["ErrorFlag"].lower() == "true"
        or said["ExceptionEscaped"].lower() == "true"
    )


def reason(said: dict[str, str]) -> Reason:
    """What a span that failed says about it."""
    message = said["ExceptionMessage"] or said["StatusMessage"]
    named = said["ExceptionType"] or said["ErrorType"]
    http, grpc = _http(said), _grpc(said)
    is_status = named in ("", said["HttpStatus"], said["RpcStatus"], grpc)
    if is_status and http >= 400:
        named = f"HTTP {http}"
    elif is_status and grpc not in ("", "OK"):
        named = f"gRPC {grpc}"
    kept = " ".join(message[: 2 * MOST_MESSAGE].split())[:MOST_MESSAGE]
    return Reason(named or NOT_SAID, template(message), kept, is_status and not message)


def explains(below: Reason, above: Reason) -> bool:
    """Whether what failed above repeats what failed below it."""
    same = (below.type, below.template) == (above.type, above.template)
    return same or (len(below.message) >= 8 and below.message in above.message)


def _http(said: dict[str, str]) -> int:
    text = said["HttpStatus"]
    return int(text) if text.isascii() and text.isdecimal() and len(text) == 3 else 0


def _grpc(said: dict[str, str]) -> str:
    text = said["RpcStatus"]
    if text.isascii() and text.isdecimal() and len(text) <= 2:
        return _GRPC[int(text)] if int(text) < len(_GRPC) else text
    return text.upper()
