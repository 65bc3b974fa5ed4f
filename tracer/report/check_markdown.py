"""`tracer.check/1` as Markdown, for a comment on a change; never longer than one may be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from tracer.report.check_words import TITLES, change, figure
from tracer.report.safe import safe_text

Document = Mapping[str, Any]

MOST_ROWS: Final = 20
MOST_CHARACTERS: Final = 300  # of a name or sentence from spans
MOST_NOTES: Final = 10
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>()#+!|~@$&-])")
_TITLES: Final = {
    "pass": "✅ Latency check passed",
    "regression": "❌ Latency regression",
    "could-not-judge": "⚠️ Latency could not be judged",
}


def check_markdown(document: Document) -> str:
    """At most some twenty thousand characters."""
    lines = [f"### {_TITLES[document['verdict']]}", "", _text(document["summary"]), ""]
    lines += [f"- {_text(one['text'])}" for one in document["unjudged"][:MOST_NOTES]]
    entries = document["regressions"][:MOST_ROWS]
    if entries:
        lines += ["", "| | what | before | after | change |", "|---|---|--:|--:|--:|"]
        lines += [_row(one) for one in entries]
        more = document["regressions_total"]["value"] - len(entries)
        if more:
            lines += ["", f"… and {more:,} more."]
    better = document["improvements"]["total"]["value"]
    if better:
        lines += ["", f"{better:,} better."]
    notes = document["notes"][:MOST_NOTES]
    if notes:
        lines += ["", "<details><summary>Notes</summary>", ""]
        lines += [f"- {_text(one)}" for one in notes]
        lines += ["", "</details>"]
    return "\n".join(lines) + "\n"


def _row(entry: Document) -> str:
    name = f"**{_text(entry['service'])}** {_text(entry['operation'])}"
    if entry["role"] == "symptom":
        name += " (follows)"
    unit, before, after = entry["unit"], entry["before"], entry["after"]
    what = "new call path" if entry["is_new"] else TITLES[entry["measure"]]
    if entry["limits"]:
        what += f", limit {_text(entry['limits'][0]['limit'])}"
    cells = (name, what, figure(unit, before), figure(unit, after), change(before, after))
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    """On one line, without meaning anything to Markdown or to whoever is named in it."""
    shown = safe_text(text)
    if len(shown) > MOST_CHARACTERS:
        shown = f"{shown[:MOST_CHARACTERS]}…"
    return _SPECIAL.sub(r"\\\1", shown)
