"""Answers about traces of a back end, from a store that is gone afterwards."""

from __future__ import annotations

import os
import shlex
import tempfile
import time
from typing import Any

from tracer.cli.back_end import back_end, flags, kind_and_url
from tracer.cli.source import Document
from tracer.errors import BadInput, Unavailable
from tracer.telemetry.escape import escaped

MOST_TRACES = 5_000


def slow_of(where: str, said: dict[str, Any]) -> Document:
    """`tracer.slow-traces/1` of a back end, `jaeger:URL`, with what was read of it as `source`."""
    from tracer.cli.local import open_local
    from tracer.ingest.pull.spans import batches
    from tracer.ingest.pull.window import Taken
    from tracer.service import words
    from tracer.service.borrow import borrow
    from tracer.settings import load
    from tracer.units import rfc3339

    kind, url = kind_and_url(where)
    query = words.slow_query(time.time_ns(), default_user_attributes="", **said)
    windows = [query.window, *([query.baseline] if query.baseline else ())]
    taken = Taken()
    moments = ("since", "start", "end", "baseline_start", "baseline_end")
    asked = {name: value for name, value in said.items() if name not in moments}
    asked |= {"start": rfc3339(query.window.start_ns), "end": rfc3339(query.window.end_ns)}
    if query.baseline:
        asked["baseline_start"] = rfc3339(query.baseline.start_ns)
        asked["baseline_end"] = rfc3339(query.baseline.end_ns)
    with (
        back_end(kind, url) as source,
        tempfile.TemporaryDirectory(prefix="tracer-") as directory,
        open_local(load({"data": directory, "store": "", "role": "all"}, os.environ)) as local,
    ):
        spans = borrow(
            source,
            windows,
            taken,
            service=query.service,
            operation=query.operation,
            min_duration_ns=query.min_duration_ns,
            most_traces=MOST_TRACES,
        )
        for records in batches(spans):
            local.store(records)
        if not taken.spans and taken.missing:
            raise Unavailable(f"{'; '.join(taken.missing)}, and gave nothing; look at its log")
        if not taken.spans:
            _require_service(source.services(), query.service, source.name)
        local.finish()
        document = local.slow_traces(asked)
    return _told(document, f"{kind}:{source.name}", taken)


def _require_service(known: list[str], service: str | None, name: str) -> None:
    if service and service not in known:
        some = (
            f" ({', '.join(map(escaped, known[:8]))}{', …' if len(known) > 8 else ''})"
            if known
            else ""
        )
        raise BadInput(f"{name} knows no service {service!r}; it knows {len(known)}{some}")


def _told(document: Document, source: str, taken: Any) -> Document:
    is_whole = not taken.missing
    affected = dict(document["affected"])
    if not is_whole:
        affected["of"] = {**affected["of"], "exact": False}
        affected["requests"] = {**affected["requests"], "exact": False}
    return {
        **document,
        "affected": affected,
        "quality": {**document["quality"], "source_complete": is_whole},
        "source": {
            "name": source,
            "traces": taken.traces,
            "spans": taken.spans,
            "requests": taken.requests,
            "complete": is_whole,
            "missing": taken.missing,
            "rejected": taken.rejected.total(),
        },
        "reproduce": shlex.join(
            [*shlex.split(document["reproduce"]), "--source", source, *flags()]
        ),
    }
