"""The tree of call paths as people read it, whole."""

from __future__ import annotations

import re
from typing import Any

from tests.report.test_path_json import document_of
from tests.support.picture import read
from tracer.analysis.analyse import analyse
from tracer.columns.flaws import Flaws
from tracer.report.path_json import path_choice, quality_document
from tracer.report.path_text import path_text

MS = 1_000_000
WINDOW = {
    "start": "2026-01-31T12:00:00.000000000Z",
    "end": "2026-01-31T13:00:00.000000000Z",
    "start_ns": 0,
    "end_ns": 3_600_000 * MS,
}
FAST = (
    "web/page |----------|\n  db/select ! |  -----|\n"
    "    disk/read |   -|\n  cache/get |       -|\n\n"
)
SLOW = FAST.replace("|\n  db", "-" * 30 + "|\n  db", 1)
REPRODUCE = (
    "tracer path --start 2026-01-31T12:00:00.000000000Z --end 2026-01-31T13:00:00.000000000Z "
    "--metric critical --band all --limit 40 --server http://here:8000"
)


def _document(drawn: str, limit: int = 40, band: str | None = None, **members: Any) -> Any:
    told = document_of(analyse(read(drawn, unit_ns=MS).spans).facts, path_choice(None, band, limit))
    for one in told["paths"]:
        exemplar = {"trace_id": "ab" * 16, "root_span_id": "cd" * 8, "spent_ns": 3 * MS}
        one["exemplars"] = {"typical": exemplar, "worst": {**exemplar, "spent_ns": 9 * MS}}
    return {
        "schema": "tracer.critical-path/1",
        "window": WINDOW,
        "service": None,
        "operation": None,
        "traces": {"value": 20, "exact": True},
        "fragments": {"value": 0, "exact": True},
        **told,
        "waiting_traces": None,
        "quality": quality_document(Flaws(20, 0, 1, 0, 0, 0, 0, 0)),
        "reproduce": REPRODUCE,
        **members,
    }


EXPECTED = """\
Critical path of 20 traces, 2026-01-31T12:00:00.000Z … 2026-01-31T13:00:00.000Z (1h)
Time on the critical path by call path, widest first in all roots: 4 paths

service operation     all   0–50  50–95  95–99  99+    own  calls  errors
roots                  20     19      0      1    0
mean duration      11.5ms   10ms      –   40ms    –
web page            100 %  100 %      –  100 %    –   48 %      1     0 %
  db select          43 %   50 %      –   12 %    –   35 %      1   100 %
    disk read       8.7 %   10 %      –  2.5 %    –  8.7 %      1     0 %
  cache get         8.7 %   10 %      –  2.5 %    –  8.7 %      1     0 %
shares of the time of a band, with all below; own: without, of all roots; calls: of a root that has
the path; bands: how long a root lasted among its kind, in percentiles

Where it is spent itself, all roots
1. web page: 48 %
   typical 3ms: tracer trace abababababababababababababababab --server http://here:8000
   worst 9ms: tracer trace abababababababababababababababab --server http://here:8000
2. web page › db select: 35 %
   typical 3ms: tracer trace abababababababababababababababab --server http://here:8000
   worst 9ms: tracer trace abababababababababababababababab --server http://here:8000
3. web page › db select › disk read: 8.7 %
   typical 3ms: tracer trace abababababababababababababababab --server http://here:8000
   worst 9ms: tracer trace abababababababababababababababab --server http://here:8000

Quality: 5 % of the roots have spans whose parent is missing
Again: tracer path --start 2026-01-31T12:00:00Z --end 2026-01-31T13:00:00Z --metric critical \
--band all --limit 40 --server http://here:8000
"""


def test_the_whole_report() -> None:
    assert path_text(_document(FAST * 19 + SLOW), width=100, colour=False) == EXPECTED


def test_what_is_left_out_is_one_line_where_it_belongs() -> None:
    text = path_text(_document(FAST, limit=2), width=100, colour=False)
    assert "4 paths, of these the widest 2" in text
    lines = [line.rstrip() for line in text.splitlines()]
    at = lines.index(next(line for line in lines if line.startswith("  db select")))
    assert lines[at + 1].startswith("    … 1 more")
    assert "10 %" in lines[at + 1]
    assert lines[at + 2].startswith("  … 1 more")


def test_what_takes_next_to_nothing_is_left_out_too() -> None:
    small = f"web |{'-' * 1000}|\n  db |{'-' * 900}|\n  log |{' ' * 950}-|\n"
    text = path_text(_document(small), width=100, colour=False)
    assert "log" not in text
    assert re.search(r"^  … 1 more +0\.1 %", text, re.MULTILINE)


def test_it_fits_a_narrow_terminal_however_deep_and_long() -> None:
    chain = "".join(
        f"{'  ' * depth}service-with-a-long-name/operation-{depth} |{'-' * 60}|\n"
        for depth in range(30)
    )
    text = path_text(_document(chain, reproduce=None), width=80, colour=False)
    assert max(map(len, text.splitlines())) <= 80


def test_names_cannot_move_the_cursor() -> None:
    document = _document(FAST)
    document["paths"][0]["operation"] = "page\x1b[31m\nred"
    text = path_text(document, width=100, colour=False)
    assert "\x1b" not in text
    assert "web page·red" in text


def test_traces_of_a_file_are_named_without_a_command() -> None:
    text = path_text(
        _document(FAST, window=None, reproduce="tracer path x"), width=100, colour=False
    )
    assert "   typical 3ms: trace abab" in text
    assert text.startswith("Critical path of 20 traces\n")


def test_one_band_is_named() -> None:
    told = _document(FAST * 19 + SLOW, band="95-99", fragments={"value": 3, "exact": True})
    text = path_text({**told, "service": "db"}, width=100, colour=False)
    assert "Critical path of 20 traces and 3 asynchronous parts through db" in text
    assert "Where it is spent itself, roots from p95 to p99" in text


def test_nothing_seen() -> None:
    empty = _document("", traces={"value": 0, "exact": True})
    assert "No traces were seen in this range" in path_text(empty, width=100, colour=False)
    text = path_text({**empty, "waiting_traces": 2}, width=200, colour=False)
    assert "2 traces are here but not analysed yet" in text


def test_quality_says_what_was_summed() -> None:
    thinned = quality_document(Flaws(9, 0, 0, 0, 0, 0, 2, 9), one_in=3, roots_left_out=1)
    text = path_text(_document(FAST, quality=thinned), width=200, colour=False)
    assert (
        "Quality: one root in 3 was summed, taken by trace id; 1 root of rare kinds left out; "
        in text
    )
    assert "2 copies of spans merged; sampling weights are known" in text
