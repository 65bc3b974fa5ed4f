"""Which kind of JSON document this is, and the OTLP requests in it.

OTLP as exporters write it becomes a request without being parsed into objects first; all else is
parsed and looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

import orjson

from tracer.errors import BadInput
from tracer.ingest.files.jaeger import request_from_jaeger
from tracer.ingest.files.source import Source
from tracer.ingest.otlp.json_fault import Fault
from tracer.ingest.otlp.otlp_json import request_from_document, usual_request

FileFormat = Literal["auto", "otlp", "jaeger"]

_NAMES: Final = {"otlp": "OTLP JSON", "jaeger": "Jaeger JSON", "zipkin": "Zipkin JSON"}
_OTHER_SIGNALS: Final = {"resourceMetrics": "metrics", "resourceLogs": "logs"}


def requests_of(
    source: Source, text: bytes, format: FileFormat, where: str = ""
) -> Iterator[bytes]:
    """The requests in the text of one JSON document.

    Raises `orjson.JSONDecodeError` at once when it is none, and `BadInput` that names the place
    when asked for a request that is malformed.
    """
    request = None if format == "jaeger" else usual_request(text)
    if request is None:
        return _requests_of_parsed(source, orjson.loads(text), format, where)
    return iter([request])


def _requests_of_parsed(
    source: Source, document: Any, format: FileFormat, where: str
) -> Iterator[bytes]:
    if isinstance(document, dict) and isinstance(document.get("result"), dict):
        document, where = document["result"], f"{where}result, "  # an answer of Jaeger's API v3
    kind = _kind(source, document)
    if kind == "zipkin":
        raise source.error(
            "is Zipkin JSON, which is not supported yet: export it as Jaeger JSON or OTLP JSON"
        )
    if format not in (kind, "auto"):
        raise source.error(f"is {_NAMES[kind]}, not {_NAMES[format]}: use --format {kind} or auto")
    try:
        if kind == "jaeger":
            yield request_from_jaeger(document)
        else:
            for part in document if isinstance(document, list) else [document]:
                yield request_from_document(part)
    except Fault as fault:
        raise _malformed(source, fault, where, _NAMES[kind]) from None


def _malformed(source: Source, fault: Fault, where: str, name: str) -> BadInput:
    return fault.as_bad_input(f"{source.path} ({where}{name})", "export the trace again")


def _kind(source: Source, document: Any) -> str:
    """otlp, jaeger or zipkin, told by the keys; of an array, by its first element."""
    sample = document
    while isinstance(sample, list) and sample:
        sample = sample[0]
    if isinstance(sample, dict):
        if "resourceSpans" in sample or sample == {}:
            return "otlp"
        if isinstance(sample.get("data"), list) or _is_jaeger_trace(sample):
            return "jaeger"
        if "traceId" in sample and "id" in sample:
            return "zipkin"
        for key, signal in _OTHER_SIGNALS.items():
            if key in sample:
                raise source.error(f"holds OTLP {signal}, not traces: give the file of the traces")
        if sample.get("data", "") is None:
            raise source.error("has no spans in it: export a trace that has some")
    if isinstance(document, list) and not document:
        raise source.error("has no spans in it: export a trace that has some")
    raise source.error(
        "is JSON, but neither OTLP (key resourceSpans) nor Jaeger (keys data, or traceID and "
        "spans): give a trace export"
    )


def _is_jaeger_trace(sample: dict[str, Any]) -> bool:
    return "spans" in sample and ("traceID" in sample or "processes" in sample)
