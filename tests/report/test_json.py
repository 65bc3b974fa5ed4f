"""The document `tracer.analysis/1`: its shape to the letter, its numbers against the picture."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from tests.support.picture import Line, columns, read
from tests.support.records import records, span
from tests.support.requests import MS, basket, usual
from tracer.errors import BadQuery
from tracer.report.json import MOST_FRAGMENTS, MOST_OUTLINES, MOST_SECTIONS, analysis_document
from tracer.service.analyze import analyze

PICTURE = """
    web/page server !          |##-------#-----|
      web/call client id:70    | -             |
      web/call client id:70    | -             |
      web/query client         |  ##-##        |
        db/select server       |    #          |
      web/slow                 |          #####|
    web/lost orphan            |   ##          |
      db/select server         |   o           |
"""


def document_of(lines: list[Line], **how: Any) -> dict[str, Any]:
    return analysis_document(analyze(columns(lines), **how))


def drawn(picture: str = PICTURE) -> dict[str, Any]:
    return analysis_document(analyze(read(picture, unit_ns=MS).spans, tolerance_ns=0))


def test_the_contract() -> None:
    document = drawn()
    assert document["schema"] == "tracer.analysis/1"
    trace = document["traces"][0]
    assert trace["trace_id"] == "0" * 31 + "1"
    assert trace["root"] == {
        "span_id": "0000000000000001",
        "service": "web",
        "operation": "page",
    }
    assert (trace["start_ns"], trace["start"]) == (0, "1970-01-01T00:00:00.000000000Z")
    assert trace["duration_ns"] == 15 * MS
    assert trace["span_count"] == 7
    assert trace["service_count"] == 2
    assert trace["error_count"] == 1
    assert trace["quality"] == {
        "root_missing": False,
        "orphans": 1,
        "duplicates": 1,
        "overruns": 0,
        "starts_before_parent": 0,
        "off_path": 0,
        "ends_before_start": 0,
        "cycles": 0,
        "self_parents": 0,
        "shared_ids": 0,
        "short_trace_ids": 0,
        "skew_corrected": 0,
        "asynchronous": 0,
        "retries": 0,
        "instants": 1,
        "dropped": 0,
        "ambiguous": 0,
        "parents_missing": {
            "truncated_id": 0,
            "late": 0,
            "sampled_out": 0,
            "not_instrumented": 0,
            "unknown": 1,
        },
    }


def test_the_critical_path_tiles_the_root() -> None:
    trace = drawn()["traces"][0]
    path = trace["critical_path"]
    assert path[0]["start_ns"] == trace["start_ns"]
    assert path[-1]["end_ns"] == trace["end_ns"]
    for before, after in pairwise(path):
        assert before["end_ns"] == after["start_ns"]
    (select,) = (section for section in path if section["operation"] == "select")
    assert select == {
        "span_id": "0000000000000005",
        "service": "db",
        "operation": "select",
        "start_ns": 4 * MS,
        "start": "1970-01-01T00:00:00.004000000Z",
        "end_ns": 5 * MS,
        "end": "1970-01-01T00:00:00.005000000Z",
        "offset_ns": 4 * MS,
        "duration_ns": MS,
    }


@pytest.mark.parametrize("more", [0, 1])
def test_of_a_path_without_end_the_longest_sections_are_listed(more: int) -> None:
    """Calls of 2 ns with 2 ns of the root behind each, and at the end `more` of 1 ns."""
    calls = MOST_SECTIONS // 2
    end = 4 * calls
    lines = [Line(1, 1, 0, 0, end + more)]
    lines += [Line(1, 2 + at, 1, 4 * at, 4 * at + 2) for at in range(calls)]
    lines += [Line(1, 2 + calls, 1, end, end + 1)] * more
    (trace,) = document_of(lines, tolerance_ns=0)["traces"]
    path = trace["critical_path"]
    assert trace["critical_path_hidden"] == {"sections": more, "duration_ns": more}
    assert len(path) == MOST_SECTIONS
    assert [one["start_ns"] for one in path] == list(range(0, end, 2))
    assert {one["duration_ns"] for one in path} == {2}


def test_fragments_have_paths_of_their_own() -> None:
    fragments = drawn()["traces"][0]["fragments"]
    assert fragments["total"] == {"value": 1, "exact": True}
    (lost,) = fragments["items"]
    assert (lost["why"], lost["offset_ns"], lost["span_count"]) == ("orphan", 3 * MS, 2)
    assert lost["parent_missing"] == "unknown"
    assert [section["duration_ns"] for section in lost["critical_path"]] == [2 * MS]


def test_many_fragments_are_counted_and_some_listed() -> None:
    lines = [Line(1, 1, 0, 0, 9 * MS)]
    lines += [Line(1, number, 5_000 + number, 0, MS) for number in range(2, 60)]
    fragments = document_of(lines)["traces"][0]["fragments"]
    assert fragments["total"]["value"] == 58
    assert len(fragments["items"]) == MOST_FRAGMENTS


def test_a_bottleneck_to_the_letter() -> None:
    document = document_of(usual(80) + basket(900, query_ns=200 * MS))
    slowest = document["traces"][0]
    first = slowest["bottlenecks"][0]
    assert (first["service"], first["operation"]) == ("items", "SELECT")
    assert (first["reason"], first["role"]) == ("slower", "cause")
    assert first["span_id"] == "0000000000000004"
    assert first["duration_ns"] == first["critical_ns"] == 200 * MS
    assert first["excess_ns"] == pytest.approx(180 * MS, rel=0.02)
    assert first["expected_p95_ns"] == pytest.approx(20.6 * MS, rel=0.02)
    assert first["deviation_percent"] == pytest.approx(871, abs=25)
    assert first["baseline"] == {"depth": "path", "n": 80, "traces": 80}
    low, high = first["expected_p95_interval_ns"]
    assert low <= first["expected_p95_ns"] <= high


def test_one_trace_alone_is_judged_by_nothing() -> None:
    document = document_of(basket(1))
    for found in document["traces"][0]["bottlenecks"]:
        for name in ("expected_p95_ns", "deviation_percent", "excess_ns", "reason"):
            assert found[name] is None
        assert found["baseline"]["depth"] is None
    assert document["bottlenecks"] == {"total": {"value": 0, "exact": True}, "items": []}


def test_findings_over_all_traces_name_their_examples() -> None:
    lines = usual(80) + basket(900, query_ns=200 * MS) + basket(901, query_ns=150 * MS)
    first = document_of(lines)["bottlenecks"]["items"][0]
    assert (first["service"], first["operation"], first["trace_count"]) == ("items", "SELECT", 2)
    assert first["excess_ns"] == pytest.approx(310 * MS, rel=0.02)
    assert first["trace_ids"] == [f"{trace:032x}" for trace in (900, 901)]


def test_the_slowest_trace_comes_first_and_only_the_slowest_are_outlined() -> None:
    document = document_of(usual(30))
    lengths = [trace["duration_ns"] for trace in document["traces"]]
    assert lengths == sorted(lengths, reverse=True)
    outlined = [trace["outline"] is not None for trace in document["traces"]]
    assert outlined == [True] * MOST_OUTLINES + [False] * (30 - MOST_OUTLINES)


def test_the_tolerance_is_printed() -> None:
    lines = basket(1)
    assert document_of(lines, tolerance_ns=0)["tolerance"] == {"rule": "fixed", "ns": 0}
    assert document_of(lines)["tolerance"]["ns"] == MS


def test_a_negative_tolerance_is_refused() -> None:
    with pytest.raises(BadQuery, match="negative"):
        document_of(basket(1), tolerance_ns=-1)


def test_it_is_json() -> None:
    document = document_of(usual(12) + basket(900, query_ns=200 * MS))
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_ids_of_records_come_back_as_they_were() -> None:
    batch = records(
        [span(0xABC << 100, 0xFEDCBA9876543210), span(0xABC << 100, 7, 0xFEDCBA9876543210)]
    )
    trace = analysis_document(analyze(batch))["traces"][0]
    assert trace["trace_id"] == f"{0xABC << 100:032x}"
    assert trace["root"]["span_id"] == "fedcba9876543210"


def test_no_spans() -> None:
    document = document_of([])
    assert document["traces"] == []
    assert document["quality"]["traces"] == 0


def test_a_big_trace_is_outlined_by_its_path_and_its_longest_spans() -> None:
    lines = [Line(1, 1, 0, 0, 10_000 * MS)]
    for number in range(2, 500):
        begin = number * 10 * MS
        name = f"step {number}"
        lines.append(Line(1, number, 1, begin, begin + number * MS // 100, operation=name))
    outline = document_of(lines)["traces"][0]["outline"]
    shown = {int(row["span_id"], 16) for row in outline["rows"]}
    assert len(outline["rows"]) == 40
    assert outline["hidden"] == 459
    assert {1, 499, 498} <= shown


def test_callers_left_out_are_said() -> None:
    chain = [Line(1, number, number - 1, 0, 1_000_000 - number) for number in range(1, 300)]
    rows = document_of(chain)["traces"][0]["outline"]["rows"]
    assert rows[0]["indent"] == 0
    hidden = sum(row["levels_hidden"] for row in rows)
    assert len(rows) == 40
    assert rows[-1]["span_id"] == f"{299:016x}", "the last one owns the time"
    assert hidden == 299 - 40
