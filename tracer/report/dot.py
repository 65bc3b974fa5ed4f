"""`tracer.dependencies/1` in the language of Graphviz."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tracer.report import figures as fig
from tracer.report.safe import safe_text

SHAPES: Final = {"service": "box", "database": "cylinder", "queue": "cds", "peer": "ellipse"}
BROKEN_SHARE: Final = 0.01  # of calls that fail: drawn red


def dependencies_dot(document: Mapping[str, Any]) -> str:
    """A digraph; `dot -Tsvg` draws it."""
    return "\n".join(_lines(document)) + "\n"


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    yield "digraph dependencies {"
    yield "  rankdir=LR; node [fontname=sans]; edge [fontname=sans, fontsize=10];"
    for node in document["nodes"]:
        label = f"label={_text(node['name'])}, shape={SHAPES[node['kind']]}"
        yield f"  {_text(node['id'])} [{label}];"
    for edge in document["edges"]:
        end = edge["client"] or edge["server"]
        parts = [f"{edge['rate_per_s']:.3g}/s"]
        if edge["error_share"]:
            parts.append(f"{fig.percent(edge['error_share'])} errors")
        if end and end["p95_ns"] is not None:
            parts.append(f"p95 {fig.duration(end['p95_ns'])}")
        colour = ", color=red" if (edge["error_share"] or 0) >= BROKEN_SHARE else ""
        ends = f"{_text(edge['from'])} -> {_text(edge['to'])}"
        yield f"  {ends} [label={_text(', '.join(parts))}{colour}];"
    yield "}"


def _text(text: str) -> str:
    """A quoted string of the language."""
    escaped = safe_text(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
