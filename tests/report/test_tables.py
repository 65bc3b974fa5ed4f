"""Tables fit, and nothing in them can do anything to a terminal."""

from __future__ import annotations

import pytest

from tracer.report import figures as fig
from tracer.report.tables import BAD, Column, draw, plain, table, unfolded

COLUMNS = (
    Column("service"),
    Column("took", is_number=True),
    Column("kind", is_spare=True),
    Column("example", keep_whole=True, is_spare=True),
)
ROWS = [("shop", "1.2s", "server", "a" * 32), ("a very long name of a service", "7ms", "", "")]


def drawn(width: int) -> list[str]:
    return draw([table(COLUMNS, ROWS)], width=width, colour=False).splitlines()


def test_all_columns_where_there_is_room() -> None:
    assert drawn(80) == [
        "service                        took  kind    example",
        f"shop                           1.2s  server  {'a' * 32}",
        "a very long name of a service   7ms",
    ]


def test_spare_columns_go_first_and_are_named() -> None:
    head, *_, last = drawn(46)
    assert head == "service                        took  kind"
    assert last == "too narrow for: example (see --json)"
    assert drawn(36)[0] == "service                        took"


@pytest.mark.parametrize("width", range(20, 90, 7))
def test_no_line_is_wider_than_asked_and_no_number_is_cut(width: int) -> None:
    lines = drawn(width)
    assert max(map(len, lines)) <= width
    assert any("1.2s" in line for line in lines)
    letters = "".join("".join(lines).split())
    assert "averylongnameofaservice" in letters or width < 36


NAMES = (Column("#", is_number=True), Column("name"), Column("why"), Column("n", is_number=True))
NAMED = [("1", "frontend GET /recommendations/of/the/day", "80 calls, usually 1", "12")]


def test_words_are_broken_only_when_numbers_would_go() -> None:
    wide = draw([table(NAMES, NAMED)], width=60, colour=False)
    assert "/recommendations/of/the/day" in wide
    narrow = draw([table(NAMES, NAMED)], width=38, colour=False)
    assert "12" in narrow
    assert "too narrow" not in narrow
    tiny = draw([table(NAMES, NAMED)], width=24, colour=False)
    assert "too narrow for: n" in tiny


def test_an_unfolded_line_stays_one_line() -> None:
    line = "tracer slow " + "--service x " * 20
    assert draw([unfolded(line)], width=40, colour=False) == line.rstrip() + "\n"


def test_names_cannot_move_the_cursor_and_brackets_are_no_markup() -> None:
    text = draw([plain("\x1b[2J[red]x[/red]\n:smile:\x9b1m")], width=80, colour=False)
    assert text == "[red]x[/red]·:smile:\n"


def test_names_without_end_are_cut() -> None:
    endless = "x" * 20_000
    text = draw([plain(f"{endless} took 1s")], width=100, colour=False)
    assert text.replace("\n", "").endswith("x… took 1s")
    rows = [(endless, "1"), (plain("many words " * 2_000), "2")]
    text += draw(
        [table([Column("name"), Column("n", is_number=True)], rows)], width=80, colour=False
    )
    text += draw([plain("many words " * 2_000)], width=100, colour=False)
    assert len(text.splitlines()) < 60


def test_colour_only_when_asked() -> None:
    assert "\x1b[" in draw([plain("x", BAD)], width=80, colour=True)
    assert draw([plain("x", BAD)], width=80, colour=False) == "x\n"


FIGURES = [
    (fig.duration(None), "–"),
    (fig.duration(1_240_000_000), "1.24s"),
    (fig.interval(None), "–"),
    (fig.interval([1_000_000, 2_000_000]), "1ms–2ms"),
    (fig.percent(0.098), "9.8 %"),
    (fig.percent(None), "–"),
    (fig.percent(0.000615), "<0.1 %"),
    (fig.percent(0), "0 %"),
    (fig.percent(0.1234), "12 %"),
    (fig.percent(0.02), "2 %"),
    (fig.percent(0.0996), "10 %"),
    (fig.percent(0.9961), ">99 %"),
    (fig.percent(1), "100 %"),
    (fig.counted(1, "user"), "1 user"),
    (fig.counted(1204, "user"), "1,204 users"),
    (fig.total_of({"value": 1, "exact": False}, "user"), "≥ 1 user"),
    (fig.deviation(577.4), "+577 %"),
    (fig.deviation(-3), "-3 %"),
    (fig.deviation(None), "–"),
    (fig.count(1204), "1,204"),
    (fig.total({"value": 5, "exact": True}), "5"),
    (fig.total({"value": 5000, "exact": False}), "≥ 5,000"),
    (fig.cut(20, 31, "service"), "services (20 of 31)"),
    (fig.cut(31, 31, "service"), "31 services"),
    (fig.clock("2026-01-31T12:00:00.123456789Z"), "2026-01-31T12:00:00.123Z"),
    (fig.clock("2026-01-31T12:00:00Z"), "2026-01-31T12:00:00Z"),
]


@pytest.mark.parametrize(("shown", "expected"), FIGURES)
def test_figures(shown: str, expected: str) -> None:
    assert shown == expected


@pytest.mark.parametrize(
    ("hours", "length"),
    [(0.25, "15m"), (1, "1h"), (3, "3h"), (36, "36h"), (60, "2d 12h")],
)
def test_a_window_says_how_long_it_is(hours: float, length: str) -> None:
    ends = {"start": "a", "end": "b", "start_ns": 5, "end_ns": 5 + round(hours * 3.6e12)}
    assert fig.moments(ends) == f"a … b ({length})"
