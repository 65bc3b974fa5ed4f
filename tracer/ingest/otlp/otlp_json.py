"""OTLP/JSON to a serialized protobuf request, so that everything behind it knows one form only.

What differs from plain proto3 JSON (opentelemetry-proto, docs/specification.md): ids are hex in any
case, enums are integers, keys are lowerCamelCase only, unknown keys are ignored.

Two ways lead there and give the same bytes. `json_fast` is for what exporters really send;
`json_messages` is obvious, says what is wrong with a document, and takes all that the fast way
leaves: names of enums, keys that are not OTLP's, faults.
"""

from __future__ import annotations

from typing import Final

import orjson

from tracer.errors import BadInput
from tracer.ingest.otlp.json_fast import usual_request
from tracer.ingest.otlp.json_fault import Fault
from tracer.ingest.otlp.json_messages import request_from_document

__all__ = ["obvious_request", "request_from_document", "request_from_json", "usual_request"]

_FIX: Final = "send OTLP/JSON (lowerCamelCase keys, hex ids, 64-bit integers as strings)"


def request_from_json(body: bytes) -> bytes:
    """The protobuf form of a JSON ExportTraceServiceRequest or TracesData.

    Raises `BadInput` that names the place in the document.
    """
    request = usual_request(body)
    return obvious_request(body) if request is None else request


def obvious_request(body: bytes) -> bytes:
    """`request_from_json` without the fast way: what that is held to."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadInput(f"the request body is not JSON ({error}): {_FIX}") from None
    try:
        return request_from_document(document)
    except Fault as fault:
        raise fault.as_bad_input("the OTLP/JSON request is malformed", _FIX) from None
