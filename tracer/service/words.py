"""Questions as people ask them: words from a URL or a command line → what the use cases take.

Both doors come through here, so a moment range means the same everywhere: `since` or
`start`…`end`, and the set compared against is always `baseline_start`…`baseline_end`.
Everything raises BadQuery naming the word, its value and the fix.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal

from tracer.errors import BadQuery
from tracer.report.path_json import path_choice
from tracer.service.context import Window
from tracer.service.critical_path import PathQuery
from tracer.service.dependencies import DependencyQuery
from tracer.service.errors import ErrorQuery
from tracer.service.search import TraceQuery
from tracer.service.slow import SlowQuery
from tracer.units import duration_ns, moment_ns

SLOW_SINCE: Final = "15m"
SEARCH_SINCE: Final = "1h"


def window(
    now_ns: int,
    *,
    since: str | None = None,
    start: str | None = None,
    end: str | None = None,
    default_since: str = SEARCH_SINCE,
) -> Window:
    """`since` until now, or from `start` to `end` (now, when not given)."""
    if since is not None and (start is not None or end is not None):
        raise BadQuery("since and start/end exclude each other; give one of them")
    if start is not None:
        return Window(
            _named("start", start, lambda text: moment_ns(text, now_ns)),
            now_ns if end is None else _named("end", end, lambda text: moment_ns(text, now_ns)),
        )
    if end is not None:
        raise BadQuery("end needs a start; give both, or since")
    text = default_since if since is None else since
    return Window(max(0, now_ns - _named("since", text, duration_ns)), now_ns)


def optional_window(
    now_ns: int, *, since: str | None = None, start: str | None = None, end: str | None = None
) -> Window | None:
    """As `window`, but None when no word is given."""
    if since is None and start is None and end is None:
        return None
    return window(now_ns, since=since, start=start, end=end)


def export_window(
    now_ns: int, *, since: str | None = None, start: str | None = None, end: str | None = None
) -> Window:
    """As `window`, but everything that is stored when no word is given."""
    chosen = optional_window(now_ns, since=since, start=start, end=end)
    return chosen or Window(0, 2**63 - 1)


def baseline(now_ns: int, start: str | None, end: str | None) -> Window | None:
    """The set compared against, None when it is left to us."""
    if start is None and end is None:
        return None
    if start is None or end is None:
        raise BadQuery("a baseline has two ends; give baseline_start and baseline_end")
    return Window(
        _named("baseline_start", start, lambda text: moment_ns(text, now_ns)),
        _named("baseline_end", end, lambda text: moment_ns(text, now_ns)),
    )


def trace_query(
    now_ns: int,
    *,
    service: str | None = None,
    operation: str | None = None,
    min_duration: str | None = None,
    max_duration: str | None = None,
    since: str | None = None,
    start: str | None = None,
    end: str | None = None,
    status: Literal["ok", "error"] | None = None,
    attribute: Sequence[str] = (),
    limit: int = 20,
    cursor: str | None = None,
) -> TraceQuery:
    """A search for traces."""
    return TraceQuery(
        window=window(now_ns, since=since, start=start, end=end),
        service=service,
        operation=operation,
        min_duration_ns=_duration("min_duration", min_duration),
        max_duration_ns=_duration("max_duration", max_duration),
        status=status,
        attributes=tuple(_pair(text) for text in attribute),
        limit=limit,
        cursor=cursor,
    )


def slow_query(
    now_ns: int,
    *,
    default_user_attributes: str,
    service: str | None = None,
    operation: str | None = None,
    since: str | None = None,
    start: str | None = None,
    end: str | None = None,
    baseline_start: str | None = None,
    baseline_end: str | None = None,
    min_duration: str | None = None,
    limit: int = 10,
    user_attribute: str | None = None,
) -> SlowQuery:
    """The question 'what is slow'; `user_attribute` names one or more, comma separated."""
    users = user_attribute or default_user_attributes
    return SlowQuery(
        window=window(now_ns, since=since, start=start, end=end, default_since=SLOW_SINCE),
        baseline=baseline(now_ns, baseline_start, baseline_end),
        service=service,
        operation=operation,
        min_duration_ns=_duration("min_duration", min_duration),
        limit=limit,
        user_attributes=tuple(name.strip() for name in users.split(",") if name.strip()),
    )


def path_query(
    now_ns: int,
    *,
    service: str | None = None,
    operation: str | None = None,
    since: str | None = None,
    start: str | None = None,
    end: str | None = None,
    band: str | None = None,
    metric: str | None = None,
    limit: int | None = None,
) -> PathQuery:
    """The question 'where does the time go'."""
    return PathQuery(
        window=window(now_ns, since=since, start=start, end=end),
        service=service,
        operation=operation,
        choice=path_choice(metric, band, limit),
    )


def error_query(
    now_ns: int,
    *,
    service: str | None = None,
    since: str | None = None,
    start: str | None = None,
    end: str | None = None,
    limit: int = 20,
) -> ErrorQuery:
    """The question 'what fails'."""
    return ErrorQuery(window(now_ns, since=since, start=start, end=end), service, limit)


def dependency_query(
    now_ns: int,
    *,
    service: str | None = None,
    since: str | None = None,
    start: str | None = None,
    end: str | None = None,
    limit: int = 100,
) -> DependencyQuery:
    """The question 'who depends on whom'."""
    return DependencyQuery(window(now_ns, since=since, start=start, end=end), service, limit)


def tolerance_ns(overlap_tolerance: str | None) -> int | None:
    """`1ms`, or `0` for none; None leaves the default."""
    if overlap_tolerance is None or overlap_tolerance.strip() == "0":
        return None if overlap_tolerance is None else 0
    return _duration("overlap_tolerance", overlap_tolerance)


def _duration(name: str, text: str | None) -> int | None:
    return None if text is None else _named(name, text, duration_ns)


def _pair(text: str) -> tuple[str, str]:
    key, found, value = text.partition("=")
    if not key or not found:
        raise BadQuery(f"attribute {text!r} is not understood; write it like http.route=/cart")
    return key, value


def _named(name: str, text: str, parse: Callable[[str], int]) -> int:
    """What `parse` says, with the name of the word in front of what it complains about."""
    try:
        return parse(text)
    except BadQuery as error:
        raise BadQuery(f"{name}: {error}") from error
