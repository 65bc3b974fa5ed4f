"""The report as people read it: what the lines say, that they fit, that names are harmless."""

from __future__ import annotations

import re

import pytest

from tests.support.picture import Line, columns, read
from tests.support.requests import MS, basket, usual
from tracer.report.json import analysis_document
from tracer.report.safe import safe_text
from tracer.report.text import analysis_text
from tracer.service.analyze import analyze

PICTURE = """
    web/page server !          |##-------#-----|
      web/query client         |  ##-##        |
        db/select server       |    #          |
      web/over                 |              --|
    web/lost orphan            |   ##          |
      db/select server         |   o           |
"""


def text_of(lines: list[Line], width: int = 120, colour: bool = False) -> str:
    return analysis_text(analysis_document(analyze(columns(lines))), width=width, colour=colour)


def drawn(width: int = 100, colour: bool = False) -> str:
    spans = read(PICTURE, unit_ns=MS).spans
    return analysis_text(analysis_document(analyze(spans)), width=width, colour=colour)


GOLDEN = """\
Trace 00000000000000000000000000000001
web page failed after 15ms: 6 spans of 2 services,
1970-01-01T00:00:00.000Z

web page         ! ██████░░░░░░░░░░░░░████████████████████░░░       15ms
web   query             ██████░░███████                              5ms
db      select                ███                                    1ms
web   over       >                                       ████░░      2ms
web lost         O         ██████                                    2ms
db    select               ·                                         0ns
█ critical path  ░ running
! failed
> ends after its parent; clipped on the path
O its parent is not in the trace

Where the time went (too few traces to say what is not normal)
#  service operation  on path  calls  longest call  span
1  web page               9ms      1          15ms  0000000000000001
2  web query              4ms      1           5ms  0000000000000002
3  db select              1ms      1           1ms  0000000000000003
4  web over               1ms      1           2ms  0000000000000004
together 15ms = the root
Quality: 1 span whose parent is missing; 1 span that outlives its
parent.

Neighbours may overlap by 1 % of their parent, at most 1ms.
Normal means: the other traces of the file; an excess needs 10 of them
with the same root, a normal p95 needs 72 spans.
"""


def test_a_trace_as_drawn() -> None:
    assert drawn(width=72) == GOLDEN


def test_marks_are_explained_and_only_those_in_use() -> None:
    shown = drawn()
    assert "> ends after its parent" in shown
    assert "O its parent is not in the trace" in shown
    assert "shares its span id" not in shown


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    lines = usual(80) + basket(900, calls=6, query_ns=90 * MS, at_once=False)
    for line in [*text_of(lines, width).splitlines(), *drawn(width).splitlines()]:
        assert len(line) <= width


def test_colour_only_when_told() -> None:
    assert "\x1b[" not in drawn(colour=False)
    assert "\x1b[" in drawn(colour=True)


def test_names_cannot_move_the_cursor() -> None:
    evil = "\x1b[2J\x1b]0;title\x07GET\n/\u202e[red]x"
    lines = [Line(1, 1, 0, 0, 9 * MS, service=evil, operation=evil)]
    shown = text_of(lines)
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "GET·/·[red]x" in shown


def test_many_traces_begin_with_what_they_have_in_common() -> None:
    shown = text_of(usual(80) + basket(900, query_ns=200 * MS))
    head = shown[: shown.index("Trace 0")]
    assert "81 traces" in head
    assert "SELECT" in head
    assert f"{900:032x}" in head
    assert shown.count("\nTrace 0") == 3


def test_without_a_baseline_it_says_so() -> None:
    assert "too few traces to say what is not normal" in text_of(basket(1))


def test_when_nothing_stands_out_it_says_so() -> None:
    shown = text_of(usual(30))
    assert "Nothing stands out against the baseline" in shown


def test_a_symptom_is_told_from_a_cause() -> None:
    shown = text_of(usual(80) + basket(900, query_ns=200 * MS))
    assert "symptom" in shown
    assert "follows" not in shown


def test_traces_without_an_outline_are_still_told() -> None:
    document = analysis_document(analyze(columns(basket(1))), most_outlines=0)
    shown = analysis_text(document, width=100, colour=False)
    assert "GET /basket took" in shown
    assert "█" not in shown


def test_no_traces() -> None:
    assert text_of([]) == "No traces.\n"


def test_hidden_spans_are_counted() -> None:
    lines = [Line(1, 1, 0, 0, 10_000 * MS)]
    lines += [
        Line(1, number, 1, number * MS, (number + 1) * MS, operation=f"step {number}")
        for number in range(2, 1_000)
    ]
    assert "959 more spans are not shown" in text_of(lines)


def repeated(times: int, failed: int = 0) -> str:
    lines = [Line(1, 1, 0, 0, 200 * MS, operation="page")]
    lines += [
        Line(1, 2 + at, 1, at * 2 * MS, (at * 2 + 1) * MS, operation="SELECT", failed=at < failed)
        for at in range(times)
    ]
    return text_of(lines, width=120)


def test_repeated_leaves_are_one_line() -> None:
    shown = repeated(80)
    (line,) = [one for one in shown.splitlines() if "SELECT ×80" in one]
    assert line.endswith("80ms in all")
    assert "not shown" not in shown


def test_few_leaves_and_those_that_differ_keep_their_lines() -> None:
    assert "×" not in repeated(3)
    assert "SELECT ×78" in repeated(80, failed=2)
    assert repeated(80, failed=2).count("!") == 3  # two lines and the legend


def test_the_worst_bottleneck_is_marked() -> None:
    slow = text_of(usual(80) + basket(900, query_ns=200 * MS))
    drawn_first = slow[slow.index("\nTrace 0") :].splitlines()
    (marked,) = [line for line in drawn_first[:12] if " * " in line or "* █" in line][:1]
    assert "SELECT" in marked
    assert "* the worst bottleneck" in slow
    assert "worst bottleneck" not in text_of(basket(1))


def test_the_table_adds_up_to_the_root() -> None:
    shown = drawn()
    assert "together 15ms = the root" in shown
    assert "other spans on the path" not in shown
    slow = text_of(usual(80) + basket(900, query_ns=200 * MS))
    table = slow[slow.index("\nBottlenecks\n") :]
    assert re.search(r"^(other spans on the path [^;]+; )?together \S+ = the root$", table, re.M)


SAFE = {
    "plain": ("GET /a?b=ü", "GET /a?b=ü"),
    "colours": ("\x1b[1;31mred\x1b[0m", "red"),
    "title": ("\x1b]0;owned\x07x", "x"),
    "hyperlink": ("\x1b]8;;http://x\x1b\\label\x1b]8;;\x1b\\", "label"),
    "one-byte escapes": ("\x9b2Jx", "x"),
    "newlines and tabs": ("a\r\n\tb", "a···b"),
    "a lone escape": ("a\x1b", "a·"),
    "direction marks": ("a\u202eb\u200bc", "a·b·c"),
    "surrogates": ("a\ud800", "a·"),
}


@pytest.mark.parametrize(("text", "expected"), SAFE.values(), ids=SAFE.keys())
def test_safe_text(text: str, expected: str) -> None:
    assert safe_text(text) == expected
