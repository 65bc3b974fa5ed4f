"""Jaeger: API v3, whose answers are OTLP JSON, else the older JSON of its web page.

Which of the two a server has is tried once. Servers up to 2.20 have both, 1.x mostly the older one,
later ones v3 only. Names of parameters are written the way that all versions of v3 understand.
Traces are asked for raw: corrections of clocks and the like are tracer's own, and are told.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from typing import Any, Final, Literal
from urllib.parse import quote

from tracer.columns.records import SpanRecords
from tracer.errors import BadInput, Unavailable, Unsupported
from tracer.ingest.files.account import Account
from tracer.ingest.pull.connection import Answer, Connection, json_of
from tracer.ingest.pull.contract import Page, Search
from tracer.ingest.pull.spans import spans_by_trace, spans_of
from tracer.telemetry.escape import escaped
from tracer.units import rfc3339

PAGE_TRACES: Final = 200
Api = Literal["auto", "v3", "legacy"]
_ERROR: Final = re.compile(rb'\s*\{\s*"error"\s*:')
_NO_TRACES: Final = re.compile(rb'\s*\{\s*"error"\s*:\s*\{[^}]*"httpCode"\s*:\s*404')
_ERRORS: Final = re.compile(rb'"errors"\s*:\s*\[\s*\{(.*)', re.DOTALL)
_MESSAGE: Final = re.compile(rb'"(?:msg|message)"\s*:\s*"((?:[^"\\]|\\.){0,200})')
_NO_DATA: Final = re.compile(rb'\s*\{[^\[]*"data"\s*:\s*(?:null|\[\s*\])')
_NO_RESULT: Final = re.compile(rb'\s*\{\s*(?:"result"\s*:\s*(?:null|\{\s*\})\s*)?\}\s*$')


@dataclass(frozen=True)
class Dialect:
    """Where things are in one of the two APIs, and what an answer is."""

    name: str
    prefix: str
    format: Literal["otlp", "jaeger"]
    list_key: str


V3: Final = Dialect("v3", "/api/v3", "otlp", "services")
LEGACY: Final = Dialect("legacy", "/api", "jaeger", "data")


class Jaeger:
    """A Jaeger query service, version 1 or 2, or what speaks like one. Borrows the connection."""

    def __init__(
        self,
        connection: Connection,
        *,
        api: Api = "auto",
        page_traces: int = PAGE_TRACES,
        tenant: str = "",
    ) -> None:
        self.name = connection.name
        self._connection = connection
        self._page_traces = page_traces
        self._tenant = tenant
        self._may_choose = api == "auto"
        self._dialect = {"v3": V3, "legacy": LEGACY}.get(api)

    @property
    def dialect(self) -> Dialect:
        """What the server speaks; asked for once."""
        if self._dialect is None:
            self._dialect = self._probe()
        return self._dialect

    def services(self) -> list[str]:
        """Names, sorted."""
        dialect = self.dialect
        found = self._list(dialect, "/services", {})
        if found is None:
            raise self._no_api()
        return sorted({str(name) for name in found if name})

    def operations(self, service: str) -> list[str]:
        """Names of spans, sorted."""
        key = "operations" if self.dialect is V3 else "data"
        found = self._list(self.dialect, "/operations", {"service": service}, key) or []
        names = (one.get("name") if isinstance(one, dict) else one for one in found)
        return sorted({str(name) for name in names if name})

    def search(self, search: Search) -> Page:
        """Some of the traces, all when not `is_full`."""
        limit = str(self._page_traces)
        words = {V3.name: _v3_words(search, limit), LEGACY.name: _legacy_words(search, limit)}
        page = self._ask("/traces", words)
        if page.rejected and not page.traces and self._falls_back():
            return self.search(search)
        return replace(page, is_full=page.traces >= self._page_traces)

    def trace(self, trace_id: str) -> Page:
        """One trace, no spans when it is not known."""
        words = {V3.name: {"raw_traces": "true"}, LEGACY.name: {"raw": "true"}}
        return self._ask(f"/traces/{quote(trace_id, safe='')}", words)

    def _ask(self, path: str, words: dict[str, dict[str, str]]) -> Page:
        """Once more in the other API when this one is gone: servers are upgraded under us."""
        dialect = self.dialect
        try:
            with self._connection.get(dialect.prefix + path, words[dialect.name]) as answer:
                return self._page(dialect, answer)
        except Unsupported:
            if not self._may_choose:
                raise
            self._dialect = None
            if self.dialect is dialect:
                raise
        with self._connection.get(self.dialect.prefix + path, words[self.dialect.name]) as answer:
            return self._page(self.dialect, answer)

    def _page(self, dialect: Dialect, answer: Answer) -> Page:
        head = answer.head()
        if answer.status != 200:
            if _is_empty(head):
                return Page(SpanRecords.empty(), 0)
            raise self._no_api()
        if dialect is V3 and _ERROR.match(head):
            raise Unavailable(f"{self.name} could not answer ({_message(head)}); look at its log")
        missing = ""
        if dialect is LEGACY and (errors := _ERRORS.search(answer.tail())):
            missing = f"{self.name} left something out ({_message(errors[1])})"
        if (_NO_DATA if dialect is LEGACY else _NO_RESULT).match(head):
            return Page(SpanRecords.empty(), 0, missing=missing)
        account = Account(self.name)
        records = spans_of(
            self.name,
            answer,
            account,
            format=dialect.format,
            ingest_ns=time.time_ns(),
            tenant=self._tenant,
        )
        traces = len(spans_by_trace(records))
        return Page(records, traces, missing=missing, rejected=account.rejected)

    def _falls_back(self) -> bool:
        """Versions of v3 from before it was stable wrote ids in base64; they have the other."""
        if not self._may_choose or self.dialect is LEGACY:
            return False
        if self._list(LEGACY, "/services", {}) is None:
            return False
        self._dialect = LEGACY
        return True

    def _probe(self) -> Dialect:
        for dialect in (V3, LEGACY):
            if self._list(dialect, "/services", {}) is not None:
                return dialect
        raise self._no_api()

    def _list(
        self, dialect: Dialect, path: str, words: dict[str, str], key: str = ""
    ) -> list[Any] | None:
        """None when the server has no such API."""
        with self._connection.get(dialect.prefix + path, words) as answer:
            if answer.status != 200 or answer.is_page():
                return None
            document = json_of(self.name, answer)
        key = key or dialect.list_key
        if not isinstance(document, dict) or (document and key not in document):
            return None
        found = document.get(key) or []
        if not isinstance(found, list):
            raise BadInput(f"{self.name} answered {key} that are no list; is it a Jaeger?")
        return found

    def _no_api(self) -> Unsupported:
        return Unsupported(
            f"{self.name} has neither /api/v3/services nor /api/services of Jaeger; give the URL "
            "of jaeger-query (port 16686) with its base path, http://host:16686/jaeger"
        )


def _v3_words(search: Search, limit: str) -> dict[str, str]:
    words = {
        "query.service_name": search.service,
        "query.start_time_min": rfc3339(search.start_ns),
        "query.start_time_max": rfc3339(search.end_ns),
        "query.raw_traces": "true",
        "query.search_depth": limit,
        "query.num_traces": limit,  # what 1.x calls it; each ignores the other
    }
    if search.operation:
        words["query.operation_name"] = search.operation
    if search.min_duration_ns is not None:
        words["query.duration_min"] = f"{search.min_duration_ns}ns"
    return words


def _legacy_words(search: Search, limit: str) -> dict[str, str]:
    words = {
        "service": search.service,
        "start": str(search.start_ns // 1000),
        "end": str(-(-search.end_ns // 1000)),
        "raw": "true",
        "limit": limit,
    }
    if search.operation:
        words["operation"] = search.operation
    if search.min_duration_ns is not None:
        words["minDuration"] = f"{search.min_duration_ns}ns"
    return words


def _is_empty(head: bytes) -> bool:
    """Whether a 404 says that there are no traces, and not that there is no such page."""
    return bool(_NO_TRACES.match(head)) or bool(_ERRORS.search(head))


def _message(text: bytes) -> str:
    found = _MESSAGE.search(text)
    return escaped(found[1].decode("utf-8", "replace")) if found else "without a reason"
