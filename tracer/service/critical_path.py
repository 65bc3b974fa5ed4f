"""Where the time of many traces goes: their call paths as one tree, by how long the roots lasted.

    roots of the window → quantiles of their durations → sums by band and call path → tree

Any window takes the same memory: the engine sums, and of very many roots a share is taken.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

from tracer.analysis.merged_tree import merged_tree
from tracer.analysis.path_bands import band_limits
from tracer.report.path_json import (
    SCHEMA,
    PathChoice,
    paths_document,
    quality_document,
    shown_paths,
)
from tracer.service.context import Context, Window
from tracer.service.normal import operation_paths
from tracer.store.activity import count_waiting
from tracer.store.facts import read_paths
from tracer.store.path_bands import (
    count_flaws,
    read_durations,
    read_exemplars,
    read_parents,
    read_path_bands,
    roots_of,
    thin,
)
from tracer.units import rfc3339


@dataclass(frozen=True)
class PathQuery:
    """`service` and `operation`: whole traces that pass through it, wherever they start."""

    window: Window
    service: str | None
    operation: str | None
    choice: PathChoice


def critical_path(context: Context, query: PathQuery) -> dict[str, Any]:
    """Document `tracer.critical-path/1`."""
    engine, choice = context.engine, query.choice
    through = operation_paths(context, query.service, query.operation)
    every = roots_of((query.window.start_ns, query.window.end_ns), through)
    told, entries = count_flaws(engine, every)
    roots = thin(every, told.roots, entries)
    durations = read_durations(engine, roots)
    limits = band_limits(durations.root_path_id, durations.duration_ns, durations.weight)
    sums = read_path_bands(engine, roots, limits)
    tree = merged_tree(sums, read_parents(engine, sums.path_id))
    shown = shown_paths(tree, choice)
    path_ids = sums.path_id[shown]
    found = read_exemplars(
        engine,
        roots,
        limits,
        metric=choice.metric,
        band=choice.band,
        path_ids=path_ids.tolist(),
    )
    return {
        "schema": SCHEMA,
        "as_of": rfc3339(context.now_ns()),
        "window": query.window.document(),
        "service": query.service,
        "operation": query.operation,
        "traces": {"value": told.traces, "exact": True},
        "fragments": {"value": told.fragments, "exact": True},
        **paths_document(
            tree,
            shown,
            read_paths(engine, path_ids),
            found,
            choice=choice,
            is_exact=roots.one_in == 1 and not durations.roots_left_out,
            is_estimated=told.weighted > 0 or roots.one_in > 1,
        ),
        "waiting_traces": None if told.roots else count_waiting(engine),
        "quality": quality_document(
            told, one_in=roots.one_in, roots_left_out=durations.roots_left_out
        ),
        "reproduce": _reproduce(query),
    }


def _reproduce(query: PathQuery) -> str:
    words = ["tracer", "path"]
    words += ["--start", rfc3339(query.window.start_ns), "--end", rfc3339(query.window.end_ns)]
    for flag, value in (("--service", query.service), ("--operation", query.operation)):
        words += [flag, value] if value else []
    choice = query.choice
    words += ["--metric", choice.metric, "--band", choice.band_name, "--limit", str(choice.limit)]
    return shlex.join(words)
