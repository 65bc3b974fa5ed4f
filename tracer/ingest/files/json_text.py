"""JSON trace files: one document, or one document a line.

The first line tells: if it is a complete document, the file is JSON lines. Else it begins one over
many lines. What is larger than a few megabytes is cut into the elements of its array, so that
memory follows the largest trace and not the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import orjson

from tracer.errors import BadInput
from tracer.ingest.files.account import Account
from tracer.ingest.files.document import GIVE, Documents, FileFormat, Place
from tracer.ingest.files.source import Source
from tracer.ingest.files.splitting import Element, elements

LONGEST_LINE: Final = 4 << 20  # bytes; longer documents are cut up
_SPANS_BYTES: Final = 1 << 20  # of a flat list of spans taken together
_BLANKS: Final = b" \t\r\n"
_ZIPKIN_SPAN: Final = re.compile(rb'\{\s*"traceId"\s*:\s*"([0-9A-Fa-f]*)"')
_OF_OTHERS: Final = (b'"resourceSpans"', b'"spans"')


def json_requests(source: Source, format: FileFormat, account: Account) -> Iterator[bytes]:
    """Serialized OTLP requests that say what the documents of the file say.

    Of a file with a fault, what comes before it is given first.
    """
    documents = Documents(source, format, account)
    try:
        yield from _requests(source, documents, account)
    except BadInput:
        yield from documents.rest()
        raise
    yield from documents.rest()


def _requests(source: Source, documents: Documents, account: Account) -> Iterator[bytes]:
    found = False
    as_lines = False
    while line := source.line(LONGEST_LINE):
        if line.isspace():
            continue
        number = source.lines if line.endswith(b"\n") else source.lines + 1
        place = Place(f"line {number}, ") if found else Place()
        if len(line) <= LONGEST_LINE and (as_lines or not found):
            try:
                yield from documents.requests(line, place)
            except orjson.JSONDecodeError as error:
                if found:
                    _end_of_lines(source, number, error, account)
                    return
            else:
                found = as_lines = True
                continue
        source.unread(line)
        source.lines = number - 1
        yield from _cut_up(source, documents, place, account)
        found = True
    if not found:
        raise source.error("has only blank lines: export the trace again")


def _end_of_lines(
    source: Source, number: int, error: orjson.JSONDecodeError, account: Account
) -> None:
    """A line that is no JSON is the last one, cut off; anywhere else it is a fault."""
    while line := source.line(LONGEST_LINE):
        if not line.isspace():
            raise source.error(
                f"is not JSON in line {number} ({error}): remove the line or export again"
            ) from None
    account.cut_off = f"the last line ({number}) is cut off and was left out"


def _cut_up(
    source: Source, documents: Documents, place: Place, account: Account
) -> Iterator[bytes]:
    """The requests of the document that begins here, element by element."""
    spans = _Spans(documents, place)
    whole = 0
    for element in elements(source):
        try:
            if element.index < 0 or element.cut:
                yield from spans.requests()
            if element.cut:
                account.cut_off = _cut_off(source, element, whole)
                return
            if element.index < 0:
                if element.key or not whole:
                    yield from _around(documents, element, place, whole)
                return
            whole += 1
            if spans.takes(element):
                yield from spans.add(element)
                continue
            yield from _element(documents, element, place)
        except orjson.JSONDecodeError as error:
            raise _not_json(source, element, error) from None


def _element(documents: Documents, element: Element, place: Place) -> Iterator[bytes]:
    at = Place(place.where, f"{element.key}[{element.index}]")
    if element.key == "resourceSpans":
        yield documents.group(element.text, at)
    else:
        yield from documents.requests(element.text, at)


def _around(documents: Documents, element: Element, place: Place, whole: int) -> Iterator[bytes]:
    """What stands around the elements holds no spans of its own, but it has to be JSON."""
    if whole:
        orjson.loads(element.text)
    else:
        yield from documents.requests(element.text, place)


def _cut_off(source: Source, element: Element, whole: int) -> str:
    text = element.text.strip(_BLANKS + b",")
    if not whole:
        try:
            orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise source.error(f"is not JSON ({error}): {GIVE}") from None
    if not text:
        return f"it is cut off in line {element.line}, behind a whole element"
    name = f"{element.key}[{element.index}]"
    return f"it is cut off in line {element.line}: {name} and what follows was left out"


def _not_json(source: Source, element: Element, error: orjson.JSONDecodeError) -> BadInput:
    if element.index < 0:
        return source.error(f"is not JSON ({error}): {GIVE}")
    return source.error(
        f"is not JSON in {element.key}[{element.index}], which ends in line {element.line} "
        f"({error}): remove it or export again"
    )


class _Spans:
    """Elements that are Zipkin spans, taken together as long as they are of one trace."""

    def __init__(self, documents: Documents, place: Place) -> None:
        self._documents = documents
        self._place = place
        self._texts: list[bytes] = []
        self._size = 0
        self._trace: Any = ""
        self._first = 0

    def takes(self, element: Element) -> bool:
        """Whether this is a span and no trace."""
        return element.key == "" and _trace_id(element.text) is not None

    def add(self, element: Element) -> Iterator[bytes]:
        """The request of what came before, if this begins another trace and there is enough."""
        trace = _trace_id(element.text)
        if trace != self._trace and self._size >= _SPANS_BYTES:
            yield from self.requests()
        if not self._texts:
            self._first = element.index
        self._trace = trace
        self._texts.append(element.text)
        self._size += len(element.text)

    def requests(self) -> Iterator[bytes]:
        """The request of what was added, if anything was."""
        if self._texts:
            whole = b"[" + b",".join(self._texts) + b"]"
            self._texts, self._size = [], 0
            yield from self._documents.requests(whole, Place(self._place.where, first=self._first))


def _trace_id(text: bytes) -> Any:
    """Of a Zipkin span, None for anything else."""
    found = _ZIPKIN_SPAN.match(text)
    if found:
        return found[1]
    if not text.startswith(b"{") or any(key in text for key in _OF_OTHERS):
        return None
    return orjson.loads(text).get("traceId")
