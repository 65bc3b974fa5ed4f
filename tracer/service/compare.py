"""Two sets of stored traces compared: two ranges of time, or two versions of a service."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any, Final, Literal

from tracer.analysis.compare import compare
from tracer.analysis.flaws import of_traces
from tracer.analysis.population import Population, population
from tracer.columns.facts import TraceFacts
from tracer.errors import BadQuery, NotFound
from tracer.report.compare_json import compare_document
from tracer.report.quality import quality_shares
from tracer.service import words
from tracer.service.context import Context, Window
from tracer.service.normal import operation_paths
from tracer.store.facts import read_facts
from tracer.store.slow import count_slow
from tracer.store.versions import count_mixed, known_versions, of_version
from tracer.units import rfc3339

COMPARED: Final = 200_000  # traces of a set that are read; more are sampled by id
RANGE_SINCE: Final = "15m"
VERSIONS_SINCE: Final = "24h"
Name = Literal["baseline", "candidate"]
Document = dict[str, Any]


@dataclass(frozen=True)
class Side:
    """One of the two sets; `version` None: any, '' : spans that name none."""

    name: Name
    window: Window
    version: str | None


@dataclass(frozen=True)
class CompareQuery:
    """`service` and `operation`: traces that pass through it, wherever they start.

    `chosen` says where the range of the baseline came from.
    """

    baseline: Side
    candidate: Side
    chosen: str
    service: str | None
    operation: str | None
    limit: int


def compare_query(
    now_ns: int,
    *,
    since: str | None = None,
    start: str | None = None,
    end: str | None = None,
    baseline_start: str | None = None,
    baseline_end: str | None = None,
    service: str | None = None,
    operation: str | None = None,
    baseline_version: str | None = None,
    candidate_version: str | None = None,
    limit: int = 20,
) -> CompareQuery:
    """The question in words. Raises BadQuery naming the word and the fix.

    Without a range for the baseline it is the one just before, as long as the candidate's; of
    versions the same range.
    """
    versions = (baseline_version, candidate_version)
    if versions != (None, None) and None in versions:
        raise BadQuery("two versions are compared; give baseline_version and candidate_version")
    is_versions = baseline_version is not None
    if is_versions and service is None:
        raise BadQuery("versions are those of a service; give service too")
    if is_versions and baseline_version == candidate_version:
        raise BadQuery(f"both versions are {baseline_version!r}; give two different ones")
    window = words.window(
        now_ns,
        since=since,
        start=start,
        end=end,
        default_since=VERSIONS_SINCE if is_versions else RANGE_SINCE,
    )
    given = words.baseline(now_ns, baseline_start, baseline_end)
    if given is not None:
        before, chosen = given, "given"
    elif is_versions:
        before, chosen = window, "same range"
    else:
        before, chosen = _just_before(window), "just before"
    return CompareQuery(
        baseline=Side("baseline", before, baseline_version),
        candidate=Side("candidate", window, candidate_version),
        chosen=chosen,
        service=service,
        operation=operation,
        limit=limit,
    )


def _just_before(window: Window) -> Window:
    start_ns = max(0, 2 * window.start_ns - window.end_ns)
    if start_ns >= window.start_ns:
        raise BadQuery("nothing lies before the range; give baseline_start and baseline_end")
    return Window(start_ns, window.start_ns)


def compare_stored(context: Context, query: CompareQuery) -> Document:
    """Document `tracer.compare/1`.

    Raises NotFound where a set has no trace, or a name was never seen.
    """
    through = operation_paths(context, query.service, query.operation)
    sets, said = [], []
    for side in (query.baseline, query.candidate):
        facts, total = _facts(context, query, side, through)
        requests = population(facts)
        if not len(requests):
            raise NotFound(_nothing(context, query, side))
        sets.append(requests)
        said.append(_said(context, query, side, facts, total))
    document = compare_document(
        compare(*sets),
        baseline={**said[0], "chosen": query.chosen},
        candidate=said[1],
        limit=query.limit,
        reproduce=_reproduce(query),
    )
    return {**document, "as_of": rfc3339(context.now_ns()), "notes": _notes(sets, said)}


def _facts(
    context: Context, query: CompareQuery, side: Side, through: list[int] | None
) -> tuple[TraceFacts, int]:
    """The traces of a set, and how many there are."""
    bounds = (side.window.start_ns, side.window.end_ns)
    every = "IsMain = 1 AND StartNs >= {start:Int64} AND StartNs < {end:Int64}"
    where = every
    parameters: dict[str, Any] = {"start": bounds[0], "end": bounds[1]}
    if through is not None:
        where += " AND hasAny(`Paths.PathId`, {through:Array(UInt64)})"
        parameters["through"] = through
    if side.version is not None and query.service is not None:
        condition, more = of_version(query.service, side.version, bounds)
        where, parameters = f"{where} AND {condition}", {**parameters, **more}
    total = count_slow(context.engine, where, parameters)
    facts = read_facts(
        context.engine,
        where,
        parameters,
        order="cityHash64(TraceId), RootSpanId",
        limit=COMPARED,
    )
    return facts, total


def _said(
    context: Context, query: CompareQuery, side: Side, facts: TraceFacts, total: int
) -> Document:
    """Where a set is from, and what is wrong with it."""
    bounds = (side.window.start_ns, side.window.end_ns)
    mixed = (
        count_mixed(context.engine, query.service, side.version, bounds)
        if query.service is not None and side.version is not None
        else 0
    )
    return {
        "window": side.window.document(),
        "version": side.version,
        "mixed_versions": mixed,
        "total": {"value": total, "exact": True},
        "quality": {"sampled": total > len(facts), **quality_shares(of_traces(facts))},
    }


def _notes(sets: list[Population], said: list[Document]) -> list[str]:
    notes = []
    for name, requests, side in zip(("baseline", "candidate"), sets, said, strict=True):
        if side["quality"]["sampled"]:
            notes.append(
                f"of the {name}'s {side['total']['value']:,} traces {len(requests):,} are "
                "compared, taken by their id"
            )
        if side["mixed_versions"]:
            notes.append(
                f"{side['mixed_versions']:,} traces of the {name} ran several versions of the "
                "service and are left out"
            )
    return notes


def _nothing(context: Context, query: CompareQuery, side: Side) -> str:
    window = side.window
    when = f"{rfc3339(window.start_ns)} … {rfc3339(window.end_ns)}"
    if side.version is not None and query.service is not None:
        found = known_versions(context.engine, query.service, (window.start_ns, window.end_ns))
        there = ", ".join(repr(version) for version in found) or "no span of it at all"
        return (
            f"the {side.name} is empty: no analysed trace ran only version {side.version!r} of "
            f"{query.service!r} in {when}; there is {there}"
        )
    return (
        f"the {side.name} is empty: no analysed trace in {when}; choose another range "
        "(tracer storage shows which there are)"
    )


def _reproduce(query: CompareQuery) -> str:
    window, before = query.candidate.window, query.baseline.window
    flags: list[tuple[str, str | None]] = [
        ("--start", rfc3339(window.start_ns)),
        ("--end", rfc3339(window.end_ns)),
        ("--baseline-start", rfc3339(before.start_ns)),
        ("--baseline-end", rfc3339(before.end_ns)),
        ("--service", query.service),
        ("--operation", query.operation),
        ("--baseline-version", query.baseline.version),
        ("--candidate-version", query.candidate.version),
        ("--limit", str(query.limit)),
    ]
    said = [word for flag, value in flags if value is not None for word in (flag, value)]
    return shlex.join(["tracer", "compare", *said])
