"""Answers from a data directory opened by this process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tracer.columns.records import SpanRecords
from tracer.service import (
    baselines,
    catalog,
    compare,
    critical_path,
    dependencies,
    errors,
    export,
    importing,
    slow,
    storage,
    trace,
    words,
)
from tracer.service.context import Context
from tracer.service.open import open_context
from tracer.settings import Settings

Document = dict[str, Any]


class Local:
    """The use cases on a context that somebody else closes."""

    def __init__(self, context: Context) -> None:
        self.name = context.name
        self._context = context
        self._now_ns = context.now_ns()

    def slow_traces(self, said: Mapping[str, Any]) -> Document:
        """`tracer.slow-traces/1`."""
        users = self._context.settings.user_attribute
        query = words.slow_query(self._now_ns, default_user_attributes=users, **said)
        return slow.slow_traces(self._context, query)

    def trace(self, trace_id: str) -> Document:
        """`tracer.trace/1`."""
        return trace.trace(self._context, trace_id)

    def trace_otlp(self, trace_id: str) -> Document:
        """OTLP/JSON TracesData."""
        return trace.trace_otlp(self._context, trace_id)

    def analysis(self, trace_id: str, said: Mapping[str, Any]) -> Document:
        """`tracer.analysis/1`."""
        return trace.trace_analysis(
            self._context,
            trace_id,
            baseline=words.baseline(
                self._now_ns, said.get("baseline_start"), said.get("baseline_end")
            ),
            tolerance_ns=words.tolerance_ns(said.get("overlap_tolerance")),
            skew_correction=said.get("skew_correction") != "false",
        )

    def services(self, said: Mapping[str, Any]) -> Document:
        """`tracer.services/1`."""
        return catalog.services(self._context, words.window(self._now_ns, **said))

    def operations(self, service: str, said: Mapping[str, Any]) -> Document:
        """`tracer.operations/1`."""
        return catalog.operations(self._context, service, words.window(self._now_ns, **said))

    def baselines(self, said: Mapping[str, Any]) -> Document:
        """`tracer.baselines/1`."""
        moments = {name: said.get(name) for name in ("since", "start", "end")}
        return baselines.baselines(
            self._context,
            service=said.get("service"),
            operation=said.get("operation"),
            window=words.optional_window(self._now_ns, **moments),
            limit=said["limit"],
        )

    def critical_path(self, said: Mapping[str, Any]) -> Document:
        """`tracer.critical-path/1`."""
        query = words.path_query(self._now_ns, **said)
        return critical_path.critical_path(self._context, query)

    def errors(self, said: Mapping[str, Any]) -> Document:
        """`tracer.errors/1`."""
        return errors.error_groups(self._context, words.error_query(self._now_ns, **said))

    def dependencies(self, said: Mapping[str, Any]) -> Document:
        """`tracer.dependencies/1`."""
        query = words.dependency_query(self._now_ns, **said)
        return dependencies.dependencies(self._context, query)

    def compare(self, said: Mapping[str, Any]) -> Document:
        """`tracer.compare/1`."""
        query = compare.compare_query(self._now_ns, **said)
        return compare.compare_stored(self._context, query)

    def storage(self) -> Document:
        """`tracer.storage/1`."""
        return storage.storage(self._context)

    def export(self, said: Mapping[str, Any]) -> Iterator[bytes]:
        """Spans in the form of a file."""
        moments = {name: text for name, text in said.items() if name != "format"}
        window = words.export_window(self._now_ns, **moments)
        return export.export(self._context, window, export.form(said.get("format")))

    def store(self, records: SpanRecords) -> Document:
        """`tracer.import/1`."""
        stored = importing.import_records(self._context, records)
        return {"schema": "tracer.import/1", "spans": stored, "rejected": 0, "reasons": []}

    def store_requests(self, requests: Sequence[bytes]) -> Document:
        """`tracer.import/1`."""
        done = importing.import_requests(self._context, requests)
        return {
            "schema": "tracer.import/1",
            "spans": done.spans,
            "rejected": done.rejected.total(),
            "reasons": sorted(done.rejected),
        }

    def finish(self) -> None:
        """No service will come and analyse: do it now."""
        importing.settle_all(self._context)


@contextmanager
def open_local(settings: Settings) -> Iterator[Local]:
    """The store of `settings`. Raises PathInUse naming who holds it."""
    with open_context(settings) as context:
        yield Local(context)
