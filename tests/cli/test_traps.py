"""What made other tools fall over, from a file to the answer: shapes, names, traces of one span."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import run

HOUR_NS = 1_790_000_000_000_000_000
DEEP = 12_000
WIDE = 10_000
Span = tuple[int, int, int, int]  # id, parent, start and end from the hour


def write(file: Path, spans: Iterator[Span] | list[Span], name: str = "op") -> str:
    """The spans of one trace, in an order of chance."""
    drawn = [
        {
            "traceId": f"{7:032x}",
            "spanId": f"{span_id:016x}",
            "parentSpanId": f"{parent:016x}" if parent else "",
            "name": name,
            "startTimeUnixNano": str(HOUR_NS + start),
            "endTimeUnixNano": str(HOUR_NS + end),
        }
        for span_id, parent, start, end in spans
    ]
    random.Random(0).shuffle(drawn)
    service = {"key": "service.name", "value": {"stringValue": name}}
    resource = {"attributes": [service]}
    file.write_text(
        json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": drawn}]}]})
    )
    return str(file)


def deep() -> Iterator[Span]:
    """Each calls the next, a chain to the bottom."""
    return ((at, at - 1, at, 4 * DEEP - at) for at in range(1, DEEP + 1))


def wide() -> Iterator[Span]:
    """One calls all others, which touch each other."""
    yield 1, 0, 0, 5 * WIDE
    yield from ((at, 1, 5 * (at - 2), 5 * (at - 1)) for at in range(2, WIDE + 2))


def lost() -> Iterator[Span]:
    """A root, and so many that name a parent nobody has seen."""
    yield 1, 0, 0, 5 * WIDE
    yield from ((at, WIDE + 2 * at, 5 * at, 5 * at + 5) for at in range(2, WIDE + 2))


@pytest.mark.parametrize("shape", [deep, wide, lost], ids=lambda shape: shape.__name__)
def test_traces_of_any_shape_are_answered_in_bounds(
    tmp_path: Path, shape: Callable[[], Iterator[Span]]
) -> None:
    file = write(tmp_path / "trace.json", shape())
    done = run("analyze", file, "--json")
    assert (done.code, done.err) == (0, "")
    (trace,) = json.loads(done.out)["traces"]
    assert trace["span_count"] == sum(1 for _ in shape())
    listed = sum(one["duration_ns"] for one in trace["critical_path"])
    assert listed + trace["critical_path_hidden"]["duration_ns"] == trace["duration_ns"]
    assert len(done.out) < 8_000_000
    text = run("analyze", file)
    assert (text.code, len(text.out.splitlines()) < 200) == (0, True)
    tree = run("path", file)
    assert (tree.code, len(tree.out.splitlines()) < 100) == (0, True)


ALONE: dict[str, tuple[list[Span], int]] = {
    "one span": ([(1, 0, 0, 9)], 9),
    "a root of zero duration": ([(1, 0, 5, 5)], 0),
    "a root of zero duration that calls": ([(1, 0, 5, 5), (2, 1, 5, 9)], 0),
    "a span that ends before it starts": ([(1, 0, 9, 5)], 0),
    "its own parent": ([(1, 1, 0, 9)], 9),
    "its parent is nowhere": ([(1, 99, 0, 9)], 9),
    "two roots": ([(1, 0, 0, 9), (2, 0, 10, 20)], 9),
    "each is the parent of the other": ([(1, 2, 0, 9), (2, 1, 0, 9)], 9),
}


@pytest.mark.parametrize(("spans", "took_ns"), ALONE.values(), ids=ALONE.keys())
def test_the_least_of_traces_has_an_answer(tmp_path: Path, spans: list[Span], took_ns: int) -> None:
    file = write(tmp_path / "trace.json", spans)
    (trace,) = json.loads(run("analyze", file, "--json").out)["traces"]
    assert (trace["duration_ns"], trace["span_count"]) == (took_ns, len(spans))
    assert sum(one["duration_ns"] for one in trace["critical_path"]) == took_ns
    path = json.loads(run("path", file, "--json").out)
    assert path["traces"] == {"value": 1, "exact": True}
    for command in (("analyze",), ("path",), ("path", "--format", "folded")):
        done = run(*command, file)
        assert (done.code, done.err) == (0, "")


NAMES = {
    "line": "new\nline",
    "escape": "\x1b[31mred\x1b]0;title\x07",
    "right to left": "rtl\u202egnp.exe",
    "zero": "\x00nul",
    "none": "",
    "endless": "L" * 20_000,
    "markup": "[bold]<script>%s{x}'\"`$(x)",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_names_of_any_kind_stay_in_their_place(tmp_path: Path, name: str) -> None:
    spans: list[Span] = [(1, 0, 0, 9_000_000), (2, 1, 1_000_000, 8_000_000)]
    file = write(tmp_path / "trace.json", spans, name)
    (trace,) = json.loads(run("analyze", file, "--json").out)["traces"]
    assert trace["root"]["operation"] == name
    for command in ("analyze", "path"):
        shown: Any = run(command, file)
        assert shown.code == 0
        assert not set(shown.out) & set("\x1b\x07\x00\u202e")
        assert len(shown.out) < 6_000
