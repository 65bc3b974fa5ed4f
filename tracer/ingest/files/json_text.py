"""JSON trace files: one document, or one document a line.

The first line tells: if it is a complete document and more follows, the file is JSON lines.
"""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from tracer.ingest.files.document import FileFormat, requests_of
from tracer.ingest.files.source import Source


def json_requests(source: Source, format: FileFormat, warnings: list[str]) -> Iterator[bytes]:
    """Serialized OTLP requests of every document in the file; `warnings` is added to."""
    lines = _numbered_lines(source)
    first = next(lines, None)
    if first is None:
        raise source.error("has only blank lines: export the trace again")
    try:
        requests = requests_of(source, first[1], format)
    except orjson.JSONDecodeError:
        requests = _whole(source, first[1], format)
    del first  # a line may be large
    yield from requests
    yield from _further_lines(source, lines, format, warnings)


def _numbered_lines(source: Source) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, counted from 1."""
    for number, line in enumerate(source.stream, start=1):
        if not line.isspace():
            yield number, line


def _whole(source: Source, begun: bytes, format: FileFormat) -> Iterator[bytes]:
    """The rest of the file is part of the document that the first line begins."""
    try:
        return requests_of(source, begun + source.stream.read(), format)
    except orjson.JSONDecodeError as error:
        raise source.error(
            f"is not JSON ({error}): give OTLP (JSON, JSON lines, protobuf) or Jaeger JSON"
        ) from None


def _further_lines(
    source: Source, lines: Iterator[tuple[int, bytes]], format: FileFormat, warnings: list[str]
) -> Iterator[bytes]:
    for number, line in lines:
        try:
            requests = requests_of(source, line, format, f"line {number}, ")
        except orjson.JSONDecodeError as error:
            following = next(lines, None)
            if following is not None:
                raise source.error(
                    f"is not JSON in line {number} ({error}): remove the line or export again"
                ) from None
            warnings.append(f"{source.path}: the last line ({number}) is cut off and was left out")
            return
        yield from requests
