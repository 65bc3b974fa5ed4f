"""Colour and width."""

from __future__ import annotations

import io

import pytest

from tracer.cli import output


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


COLOURS = [
    (Terminal(), {}, True),
    (Terminal(), {"NO_COLOR": "1"}, False),
    (Terminal(), {"NO_COLOR": ""}, True),
    (Terminal(), {"TERM": "dumb"}, False),
    (io.StringIO(), {}, False),
]


@pytest.mark.parametrize(("stream", "variables", "expected"), COLOURS)
def test_colour_is_for_terminals(
    stream: io.StringIO,
    variables: dict[str, str],
    expected: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert output.has_colour(stream) is expected


def test_the_width_is_what_the_terminal_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "77")
    assert output.width(Terminal()) == output.width(io.StringIO()) == 77
    monkeypatch.setenv("COLUMNS", "3")
    assert output.width(Terminal()) == 40
    monkeypatch.delenv("COLUMNS")
    assert output.width(io.StringIO()) == output.PIPED_WIDTH
