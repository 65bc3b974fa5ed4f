"""Tables and lines for terminals: text in, one string out, as wide as asked, coloured or not.

Whatever comes from spans passes through `plain`: a name must not be able to move the cursor, and
its brackets are no markup.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from tracer.report.safe import safe_text

BAD = "bold red"
DIM = "dim"
STRONG = "bold"
GAP = 2  # columns between two cells


class Column(NamedTuple):
    """One column: its head, and how its cells stand."""

    title: str
    is_number: bool = False
    keep_whole: bool = False  # never broken over lines
    is_spare: bool = False  # left out where the terminal is too narrow for all, the last one first


def plain(text: object, style: str = "") -> Text:
    """Text as it is, without escapes and without markup."""
    return Text(safe_text(str(text)), style=style, overflow="fold")


@dataclass(frozen=True)
class Rows:
    """Columns and their cells; how many columns there are is known when the width is."""

    columns: Sequence[Column]
    cells: Sequence[Sequence[Text]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        shown = self._shown(options.max_width)
        drawn = Table(box=None, pad_edge=False, header_style=DIM, padding=(0, GAP, 0, 0))
        for at in shown:
            column = self.columns[at]
            drawn.add_column(
                Text(column.title),
                justify="right" if column.is_number else "left",
                no_wrap=column.is_number or column.keep_whole,
                overflow="fold",
            )
        for row in self.cells:
            drawn.add_row(*(row[at] for at in shown))
        yield drawn
        hidden = [one.title for at, one in enumerate(self.columns) if at not in shown]
        if hidden:
            yield plain(f"too narrow for: {', '.join(hidden)} (see --json)", DIM)

    def _shown(self, width: int) -> list[int]:
        """Columns that stay when spare ones go until the rest fits."""
        widths = [
            max([len(column.title), *(row[at].cell_len for row in self.cells)]) + GAP
            for at, column in enumerate(self.columns)
        ]
        shown = list(range(len(self.columns)))
        for at in reversed(range(len(self.columns))):
            if sum(widths[one] for one in shown) - GAP <= width:
                break
            if self.columns[at].is_spare:
                shown.remove(at)
        return shown


def table(columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> Rows:
    """Rows below their heads; cells that are not Text yet become `plain`."""
    cells = [[cell if isinstance(cell, Text) else plain(cell) for cell in row] for row in rows]
    return Rows(columns, cells)


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
        console.print(part)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"
