"""What is worse, in one sentence: for the table, the summary, the annotation alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tracer.report import figures as fig
from tracer.report.compare_verdict import times

Document = Mapping[str, Any]

TITLES: Final = {
    "calls": "calls",
    "error_share": "failures",
    "critical_time": "critical time a request",
    "self_time": "self time a call",
    "p50": "p50",
    "p95": "p95",
    "p99": "p99",
}
# The first of these that is worse is told first: what explains comes before what it does.
ORDER: Final = ("calls", "error_share", "p95", "p50", "p99", "critical_time", "self_time")


def figure(unit: str, value: float | None) -> str:
    """A value in its unit."""
    if value is None:
        return fig.NONE
    if unit == "ns":
        return fig.duration(value)
    return fig.percent(value) if unit == "share" else times(value)


def change(before: float | None, after: float | None) -> str:
    """`+120 %`; a dash where it was nothing."""
    if not before or after is None:
        return fig.NONE
    return fig.deviation((after / before - 1) * 100)


def reason(entry: Document) -> str:
    """Of an entry without its reason."""
    said = []
    for limit in entry["limits"]:
        value = figure(limit["unit"], limit["value"])
        said.append(f"{TITLES[limit['measure']]} is {value}, the limit is {limit['limit']!r}")
    if entry["is_new"]:
        said.append(
            f"new call path, called {times(entry['after'])} per call of {_caller(entry)}, "
            f"{fig.duration(entry['critical_ns'])} of a request's critical time"
        )
    elif entry["measures"]:
        said.append(_worse(entry, entry["measures"][0]))
    return "; ".join(said)


def _worse(entry: Document, measure: Document) -> str:
    before, after = (figure(measure["unit"], measure[side]) for side in ("before", "after"))
    if measure["measure"] == "calls":
        return f"called {after} instead of {before} per call of {_caller(entry)}"
    if measure["measure"] == "error_share":
        return f"{after} of its calls fail, it was {before}"
    return f"{TITLES[measure['measure']]} rose from {before} to {after}"


def _caller(entry: Document) -> str:
    path = entry["path"] or []
    return path[-2] if len(path) > 1 else "the request"


def summary(document: Document) -> str:
    """The verdict in a sentence."""
    verdict, entries = document["verdict"], document["regressions"]
    sizes = (
        f"{fig.counted(document['candidate']['runs'], 'run')} against "
        f"{fig.count(document['baseline']['runs'])}, "
        f"{fig.count(document['candidate']['traces'])} against "
        f"{fig.counted(document['baseline']['traces'], 'trace')}"
    )
    if verdict == "regression":
        first = entries[0]
        more = document["regressions_total"]["value"] - 1
        rest = f" (and {fig.count(more)} more)" if more else ""
        text = f"{first['service']} {first['operation']}: {first['reason']}{rest}"
        return f"regression: {text} ({sizes})"
    if verdict == "could-not-judge":
        return f"could not judge: {document['unjudged'][0]['text']} ({sizes})"
    return f"pass: nothing is worse by more than chance and by enough ({sizes})"
