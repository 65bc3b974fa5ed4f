"""`tracer.check/1` as workflow commands of GitHub Actions: annotations on the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tracer.report.safe import safe_text

Document = Mapping[str, Any]

MOST: Final = 10  # of a kind in a step; GitHub shows no more


def check_github(document: Document) -> Iterator[str]:
    """A line each. Causes are errors, what could not be judged are warnings."""
    causes = [one for one in document["regressions"] if one["role"] == "cause"]
    for one in causes[:MOST]:
        yield _line("error", f"{one['service']} {one['operation']}", one["reason"])
    for one in document["unjudged"][:MOST]:
        yield _line("warning", "tracer check could not judge", one["text"])
    if document["verdict"] == "pass":
        yield _line("notice", "tracer check", document["summary"])


def _line(level: str, title: str, text: str) -> str:
    name = _escaped(title).replace(":", "%3A").replace(",", "%2C")
    return f"::{level} title={name}::{_escaped(text)}"


def _escaped(text: str) -> str:
    return safe_text(text).replace("%", "%25")
