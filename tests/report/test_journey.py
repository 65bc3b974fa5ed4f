"""The journey of a trace, in the document and in words; links are read from records."""

from __future__ import annotations

from tests.support.records import EPOCH, records, span
from tracer.columns.links import links_from_records
from tracer.report.json import analysis_document
from tracer.report.text import analysis_text
from tracer.service.analyze import analyze

MS = 1_000_000
SENT = span(1, 1, duration=10 * MS, service="web", name="send", kind="Producer")
TAKEN = span(
    2,
    7,
    start=EPOCH + 30 * MS,
    duration=20 * MS,
    service="mail",
    name="take",
    kind="Consumer",
    Links__TraceId=[f"{1:032x}"],
    Links__SpanId=[f"{1:016x}"],
)


def test_links_of_records() -> None:
    links = links_from_records(records([SENT, TAKEN]))
    assert len(links) == 1
    assert (links.trace_lo[0], links.span_id[0]) == (2, 7)
    assert (links.to_trace_lo[0], links.to_span_id[0]) == (1, 1)
    assert len(links_from_records(records([SENT]))) == 0


def test_the_document_and_the_text() -> None:
    document = analysis_document(analyze(records([SENT, TAKEN])))
    (by_id,) = [one for one in document["traces"] if one["trace_id"] == f"{1:032x}"]
    journey = by_id["journey"]
    assert (journey["duration_ns"], journey["queue_ns"]) == (50 * MS, 20 * MS)
    assert [(one["queue"], one["duration_ns"]) for one in journey["sections"]] == [
        (False, 10 * MS),
        (True, 20 * MS),
        (False, 20 * MS),
    ]
    assert journey["last"]["trace_id"] == f"{2:032x}"
    text = analysis_text(document, width=200, colour=False)
    assert "What it caused was done after 50ms, 20ms of it in queues; mail take ended last." in text
