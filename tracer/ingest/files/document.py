"""Which kind of JSON a document (or a part of one) is, and the OTLP request that says the same.

What exporters and back ends really write becomes a request without being parsed into objects first
(`usual_…`); all else is parsed and looked at, and its faults are named.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from tracer.errors import BadInput
from tracer.ingest.files.account import Account
from tracer.ingest.files.jaeger import request_from_jaeger
from tracer.ingest.files.jaeger_fast import usual_jaeger
from tracer.ingest.files.source import Source
from tracer.ingest.files.span_bytes import Groups
from tracer.ingest.files.zipkin import request_from_zipkin
from tracer.ingest.files.zipkin_fast import usual_zipkin
from tracer.ingest.otlp.json_fault import Fault
from tracer.ingest.otlp.otlp_json import request_from_document, usual_request

FileFormat = Literal["auto", "otlp", "jaeger", "zipkin", "parquet", "arrow"]

NAMES: Final = {
    "otlp": "OTLP",
    "jaeger": "Jaeger JSON",
    "zipkin": "Zipkin JSON",
    "parquet": "Parquet",
    "arrow": "Arrow",
}
GIVE: Final = (
    "give OTLP (JSON, JSON lines, protobuf), Jaeger JSON, Zipkin JSON, or a Parquet or Arrow file "
    "that tracer wrote"
)
_OTHER_SIGNALS: Final = {"resourceMetrics": "metrics", "resourceLogs": "logs"}
_REQUEST_BYTES: Final = 2 << 20  # of spans of many traces, taken together
_NO_SPANS: Final = "has no spans in it: export a trace that has some"


@dataclass(frozen=True)
class Place:
    """Where a text stands in the file: what is said before a path in it, and the path so far."""

    where: str = ""  # "line 3, "
    path: str = ""  # data[3]
    first: int = 0  # index of the first element of a list that is part of a longer one


class Documents:
    """Turns the documents of one file into requests. It remembers the kind of the last one.

    Spans of many traces become one request: what `requests` does not give, `rest` does.
    """

    def __init__(self, source: Source, format: FileFormat, account: Account) -> None:
        self._source = source
        self._format = format
        self._account = account
        self._kind = "otlp" if format == "auto" else str(format)
        self._groups = Groups()

    def requests(self, text: bytes, place: Place) -> Iterator[bytes]:
        """One document, or one element of a Jaeger or Zipkin document.

        Raises `orjson.JSONDecodeError` when it is no JSON, and `BadInput` for any other fault; by
        then nothing of it was taken.
        """
        request = self._usual(self._kind, text)
        if request is None:
            document = orjson.loads(text)
            kind = self._kind_of(document)
            if kind != self._kind and self._format == "auto":
                self._kind = kind
                request = self._usual(kind, text)
            if request is None:
                request = self._obvious(document, kind, place)
        if request:
            yield request
        full = self._groups.request(_REQUEST_BYTES)
        if full:
            yield full

    def group(self, text: bytes, place: Place) -> bytes:
        """One element of `resourceSpans`. Raises as `requests` does."""
        whole = b'{"resourceSpans":[' + text + b"]}"
        if self._format in ("auto", "otlp"):
            request = usual_request(whole)
            if request is not None:
                return request
        return self._obvious(orjson.loads(whole), "otlp", place)

    def rest(self) -> Iterator[bytes]:
        """What is left at the end of the file, or before a fault."""
        rest = self._groups.request()
        if rest:
            yield rest

    def _usual(self, kind: str, text: bytes) -> bytes | None:
        """The request, b"" when the spans wait for more, None for what is not usual."""
        match kind:
            case "jaeger":
                return b"" if usual_jaeger(text, self._groups) else None
            case "zipkin":
                return b"" if usual_zipkin(text, self._groups, self._account.changed) else None
            case _:
                return usual_request(text)

    def _obvious(self, document: Any, kind: str, place: Place) -> bytes:
        if self._format not in (kind, "auto"):
            raise self._source.error(
                f"is {_json_name(kind)}, not {_json_name(self._format)}: "
                f"use --format {kind} or auto"
            )
        where = place.where
        if isinstance(document, dict) and isinstance(document.get("result"), dict):
            document, where = document["result"], f"{where}result, "  # an answer of Jaeger's API v3
        try:
            match kind:
                case "jaeger":
                    return request_from_jaeger(document)
                case "zipkin":
                    return request_from_zipkin(
                        document, self._account.changed, self._account.rejected, place.first
                    )
                case _:
                    parts = document if isinstance(document, list) else [document]
                    return b"".join(map(request_from_document, parts))
        except Fault as fault:
            raise self._malformed(fault, where, place.path, kind) from None

    def _malformed(self, fault: Fault, where: str, path: str, kind: str) -> BadInput:
        if path.startswith("resourceSpans"):
            fault = Fault(fault.path.replace("resourceSpans[0]", path, 1), fault.problem)
        elif path:
            fault = fault.under(path)
        name = _json_name(kind)
        return fault.as_bad_input(f"{self._source.name} ({where}{name})", "export the trace again")

    def _kind_of(self, document: Any) -> str:
        """otlp, jaeger or zipkin, told by the keys; of an array, by its first element."""
        sample = document
        while isinstance(sample, list) and sample:
            sample = sample[0]
        if isinstance(sample, dict):
            if isinstance(sample.get("result"), dict):
                sample = sample["result"]
            if "resourceSpans" in sample or sample == {}:
                return "otlp"
            if isinstance(sample.get("data"), list) or _is_jaeger_trace(sample):
                return "jaeger"
            if "traceId" in sample and "id" in sample:
                self._refuse_version_1(sample)
                return "zipkin"
            for key, signal in _OTHER_SIGNALS.items():
                if key in sample:
                    raise self._source.error(
                        f"holds OTLP {signal}, not traces: give the file of the traces"
                    )
            if sample.get("data", "") is None:
                raise self._source.error(_NO_SPANS)
        if document == []:
            return self._kind
        raise self._source.error(
            "is JSON, but neither OTLP (key resourceSpans), Jaeger (keys data, or traceID and "
            "spans) nor Zipkin (keys traceId and id): give a trace export"
        )

    def _refuse_version_1(self, span: dict[str, Any]) -> None:
        if "binaryAnnotations" in span:
            raise self._source.error(
                "is Zipkin JSON of version 1 (binaryAnnotations): export it from /api/v2"
            )


def _is_jaeger_trace(sample: dict[str, Any]) -> bool:
    return "spans" in sample and ("traceID" in sample or "processes" in sample)


def _json_name(kind: str) -> str:
    return "OTLP JSON" if kind == "otlp" else NAMES[kind]
