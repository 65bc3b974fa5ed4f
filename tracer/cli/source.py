"""Where answers come from: a running tracer over HTTP, or a data directory opened here.

--server URL                        ask it
--data DIR, a tracer runs on it     ask that one, at the address in its lock
--data DIR, nobody has it           open it
neither                             $TRACER_SERVER, else the settings' data directory
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tracer.cli.trust import trust
from tracer.errors import BadInput
from tracer.settings import Settings, load

if TYPE_CHECKING:
    from tracer.columns.records import SpanRecords

Words = Mapping[str, Any]
Document = dict[str, Any]


class Source(Protocol):
    """The questions, in words as the API takes them; answers are its documents."""

    name: str

    def slow_traces(self, words: Words) -> Document:
        """`tracer.slow-traces/1`."""
        ...

    def trace(self, trace_id: str) -> Document:
        """`tracer.trace/1`."""
        ...

    def trace_otlp(self, trace_id: str) -> Document:
        """OTLP/JSON TracesData."""
        ...

    def analysis(self, trace_id: str, words: Words) -> Document:
        """`tracer.analysis/1`."""
        ...

    def services(self, words: Words) -> Document:
        """`tracer.services/1`."""
        ...

    def operations(self, service: str, words: Words) -> Document:
        """`tracer.operations/1`."""
        ...

    def baselines(self, words: Words) -> Document:
        """`tracer.baselines/1`."""
        ...

    def critical_path(self, words: Words) -> Document:
        """`tracer.critical-path/1`."""
        ...

    def errors(self, words: Words) -> Document:
        """`tracer.errors/1`."""
        ...

    def dependencies(self, words: Words) -> Document:
        """`tracer.dependencies/1`."""
        ...

    def compare(self, words: Words) -> Document:
        """`tracer.compare/1`."""
        ...

    def storage(self) -> Document:
        """`tracer.storage/1`."""
        ...

    def export(self, words: Words) -> Iterator[bytes]:
        """Spans in the form of a file, `format` or OTLP JSON lines, in pieces of any size."""
        ...

    def store(self, records: SpanRecords) -> Document:
        """`tracer.import/1`: keeps the times the spans have."""
        ...

    def store_requests(self, requests: Sequence[bytes]) -> Document:
        """The same for spans in serialized OTLP requests."""
        ...

    def finish(self) -> None:
        """After the last `store`: what was stored can be asked for, or soon."""
        ...


@contextmanager
def open_source(
    server: str | None, data: str | None, *, may_create: bool = False
) -> Iterator[Source]:
    """The source that the two options choose; closed at the end.

    Raises BadInput when there is none, and whatever asking it raises.
    """
    if server and data:
        raise BadInput("--server and --data exclude each other; give one of them")
    url = server or ("" if data else os.environ.get("TRACER_SERVER", ""))
    if not url:
        settings = load({"data": data}, os.environ)
        if settings.store and not may_create:
            settings = replace(settings, role="query")  # asking changes nothing on a server
        url = _owner(settings, may_create=may_create)
        if not url:
            from tracer.cli.local import open_local

            with open_local(settings) as local:
                yield local
            return
    from tracer.cli.client import Remote

    with Remote(url, trust=trust()) as remote:
        yield remote


def _owner(settings: Settings, *, may_create: bool) -> str:
    """Address of the tracer on the data directory, '' when it can be opened here."""
    if settings.store:
        return ""
    directory = Path(settings.data)
    if not (directory / "store").is_dir():
        if may_create and (directory.is_dir() or not directory.exists()):
            return ""
        raise BadInput(
            f"there is no store in data directory {str(directory)!r}; name another with --data, "
            "a running tracer with --server, or start one with tracer serve"
        )
    from tracer.service.open import api_of

    return api_of(directory)


def given(words: Mapping[str, Any]) -> dict[str, Any]:
    """Only what was said."""
    return {name: value for name, value in words.items() if value not in (None, (), "")}


def again(document: Document, server: str | None, data: str | None) -> Document:
    """The document, its command to repeat it asking the same source."""
    flags = [
        *(("--server", server) if server else ()),
        *(("--data", data) if data else ()),
        *trust().flags(),
    ]
    if not flags or not document.get("reproduce"):
        return document
    return {**document, "reproduce": f"{document['reproduce']} {shlex.join(flags)}"}
