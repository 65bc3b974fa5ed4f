"""Tables and lines for terminals: text in, one string out, as wide as asked, coloured or not.

Whatever comes from spans passes through `plain`: a name must not be able to move the cursor, and
its brackets are no markup.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from tracer.report.safe import safe_text

BAD = "bold red"
DIM = "dim"
STRONG = "bold"
GAP = 2  # columns between two cells
_WORD = 14  # a longer word may be broken to save a number
MOST_CELL = 200  # characters of one cell: a name of a whole page must not push the others away
MOST_TEXT = 4_000  # characters of a line of its own
_ENDLESS: Final = re.compile(rf"(\S{{{MOST_CELL}}})\S+")  # a word that only a name can be


class Column(NamedTuple):
    """One column: its head, and how its cells stand. Numbers are kept whole."""

    title: str
    is_number: bool = False
    keep_whole: bool = False  # never broken over lines
    is_spare: bool = False  # left out where the terminal is too narrow for all, the last one first


def plain(text: object, style: str = "") -> Text:
    """Text as it is, without escapes and without markup; words and lines without end are cut."""
    shown = _ENDLESS.sub(r"\1…", safe_text(str(text)))
    shown = shown if len(shown) <= MOST_TEXT else f"{shown[:MOST_TEXT]}…"
    return Text(shown, style=style, overflow="fold")


def unfolded(text: str, style: str = "") -> Text:
    """A line of its own, as long as it is; `text` must be safe."""
    return Text(text, style=style, no_wrap=True, overflow="ignore")


@dataclass(frozen=True)
class Rows:
    """Columns and their cells; how many columns there are is known when the width is."""

    columns: Sequence[Column]
    cells: Sequence[Sequence[Text]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        shown = self._shown(options.max_width)
        widths = self._widths(shown, options.max_width)
        drawn = Table(box=None, pad_edge=False, header_style=DIM, padding=(0, GAP, 0, 0))
        for at in shown:
            column = self.columns[at]
            drawn.add_column(
                Text(column.title),
                justify="right" if column.is_number else "left",
                no_wrap=_is_whole(column),
                overflow="fold",
                width=widths.get(at),
            )
        for row in self.cells:
            drawn.add_row(*(row[at] for at in shown))
        yield drawn
        hidden = [one.title for at, one in enumerate(self.columns) if at not in shown]
        if hidden:
            yield plain(f"too narrow for: {', '.join(hidden)} (see --json)", DIM)

    def _shown(self, width: int) -> list[int]:
        """Columns that stay: spare ones go until nothing is folded, then numbers until it fits."""
        natural = [self._natural(at) for at in range(len(self.columns))]
        least = [self._least(at) for at in range(len(self.columns))]
        shown = list(range(len(self.columns)))
        for at in reversed(range(len(self.columns))):
            if _sum(natural, shown) <= width:
                return shown
            if self.columns[at].is_spare:
                shown.remove(at)
        numbers = [at for at in shown if self.columns[at].is_number]
        for at in reversed(numbers[1:]):
            if _sum(least, shown) <= width:
                break
            shown.remove(at)
        return shown

    def _widths(self, shown: Sequence[int], width: int) -> dict[int, int]:
        """Of the columns that fold: room for their longest words comes before the rest."""
        folding = [at for at in shown if not _is_whole(self.columns[at])]
        widths = {at: self._least(at) for at in folding}
        rest = width - _sum([self._least(at) for at in range(len(self.columns))], shown)
        if rest < 0:
            return {}
        for wanted in (self._longest_word, self._natural):
            lacks = {at: wanted(at) - widths[at] for at in folding}
            for nth, at in enumerate(sorted(folding, key=lacks.__getitem__)):
                more = min(lacks[at], rest // (len(folding) - nth))
                widths[at] += more
                rest -= more
        return widths

    def _natural(self, at: int) -> int:
        return max([len(self.columns[at].title), *(row[at].cell_len for row in self.cells)])

    def _least(self, at: int) -> int:
        """Without breaking a word, unless it is a very long one."""
        is_whole = _is_whole(self.columns[at])
        return self._natural(at) if is_whole else min(self._longest_word(at), _WORD)

    def _longest_word(self, at: int) -> int:
        words = [word for row in self.cells for word in row[at].plain.split()]
        return max(cell_len(word) for word in (*words, *self.columns[at].title.split()))


def _is_whole(column: Column) -> bool:
    return column.is_number or column.keep_whole


def _sum(widths: Sequence[int], shown: Sequence[int]) -> int:
    return sum(widths[at] + GAP for at in shown) - GAP


def table(columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> Rows:
    """Rows below their heads; cells that are not Text yet become `plain`, and none is a page."""
    cells = [[_cell(cell) for cell in row] for row in rows]
    return Rows(columns, cells)


def _cell(cell: object) -> Text:
    text = cell if isinstance(cell, Text) else plain(cell)
    if len(text) <= MOST_CELL:
        return text
    short = text[: MOST_CELL - 1]
    short.append("…")
    return short


def draw(parts: Iterable[RenderableType], *, width: int, colour: bool) -> str:
    """The parts below each other, ending in a newline; trailing blanks are cut."""
    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        no_color=not colour,
        highlight=False,
        markup=False,
        emoji=False,
    )
    for part in parts:
        whole = isinstance(part, Text) and part.overflow == "ignore"
        console.print(part, soft_wrap=whole)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"
