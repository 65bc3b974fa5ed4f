"""The merged tree of many traces as JSON: call paths, parents first, the wider child first.

A list, not a nest: a chain of calls may be deeper than any JSON parser takes. `parent` is the place
of the parent in the list. What is not listed is counted where it belongs (`paths_hidden`), so that
whoever draws the tree can draw the rest as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tracer.analysis.merged_tree import NO_PARENT, MergedTree, widest
from tracer.columns.facts import PathTable
from tracer.columns.flaws import Flaws
from tracer.columns.ids import span_id_text
from tracer.columns.path_bands import ALL, BANDS, Exemplar, Exemplars, Floats, Metric
from tracer.columns.schema import SPAN_KINDS
from tracer.errors import BadQuery
from tracer.report.quality import quality_shares

SCHEMA: Final = "tracer.critical-path/1"
METRICS: Final[tuple[Metric, ...]] = ("critical", "self")
NAMES: Final = (ALL, *BANDS)
ALIASES: Final = {"99+": BANDS[-1], "99": BANDS[-1]}  # '+' is a blank in a URL
FORMATS: Final = ("json", "folded", "speedscope")
MOST_PATHS: Final = 1_000  # listed; more are counted
DEFAULT_PATHS: Final = 100
Document = dict[str, Any]


@dataclass(frozen=True)
class PathChoice:
    """Which time, of which band (None: all), and how many paths."""

    metric: Metric
    band: int | None
    limit: int

    @property
    def band_name(self) -> str:
        """As documents have it."""
        return ALL if self.band is None else BANDS[self.band]


def path_choice(metric: str | None, band: str | None, limit: int | None) -> PathChoice:
    """From words; None is the default of each. Raises BadQuery naming the word."""
    chosen = ALL if band is None else ALIASES.get(band.strip(), band.strip())
    if chosen not in NAMES:
        raise BadQuery(f"band {band!r} is none; use one of {', '.join(NAMES)} (or 99+)")
    time = next((one for one in METRICS if metric in (None, one)), None)
    if time is None:
        raise BadQuery(f"metric {metric!r} is none; use one of {', '.join(METRICS)}")
    count = DEFAULT_PATHS if limit is None else limit
    if not 1 <= count <= MOST_PATHS:
        raise BadQuery(f"limit {count} is out of range; use 1 to {MOST_PATHS}")
    return PathChoice(time, None if chosen == ALL else BANDS.index(chosen), count)


def shown_paths(tree: MergedTree, choice: PathChoice) -> list[int]:
    """Rows of the tree that are listed, in the order of the list."""
    inclusive = tree.inclusive_ns(choice.metric)
    width = inclusive.sum(axis=0) if choice.band is None else inclusive[choice.band]
    return widest(tree, width, choice.limit)


def paths_document(
    tree: MergedTree,
    shown: list[int],
    names: PathTable,
    exemplars: Mapping[int, Exemplars],
    *,
    choice: PathChoice,
    is_exact: bool,
    is_estimated: bool,
) -> Document:
    """The members about bands and paths. `names` MUST hold every shown path.

    `is_exact`: every root was summed; `is_estimated`: some roots stand for more than themselves.
    """
    tops = tree.parent == NO_PARENT
    roots = _and_all(tree.sums.roots)[:, tops].sum(axis=1)
    weight = _and_all(tree.sums.weight)[:, tops].sum(axis=1)
    total = {metric: _and_all(tree.inclusive_ns(metric))[:, tops].sum(axis=1) for metric in METRICS}
    place = {row: at for at, row in enumerate(shown)}
    numbers = _numbers(tree, shown, total[choice.metric], choice.metric)
    hidden = _hidden(tree, place)
    return {
        "metric": choice.metric,
        "band": choice.band_name,
        "bands": [
            {
                "name": name,
                "roots": {"value": int(roots[row]), "exact": is_exact},
                "estimated_roots": (
                    {"value": round(float(weight[row])), "exact": False} if is_estimated else None
                ),
                "critical_ns": round(float(total["critical"][row])),
                "self_ns": round(float(total["self"][row])),
                "mean_duration_ns": (
                    round(float(total["critical"][row] / weight[row])) if weight[row] else None
                ),
            }
            for row, name in enumerate(NAMES)
        ],
        "total": {"value": len(tree.sums), "exact": is_exact},
        "paths_hidden": hidden.get(NO_PARENT, 0),
        "paths": [
            {
                **_named(names, int(tree.sums.path_id[row])),
                "parent": place.get(int(tree.parent[row])),
                "depth": int(tree.depth[row]),
                "paths_below": int(tree.size[row]) - 1,
                "paths_hidden": hidden.get(row, 0),
                "bands": numbers[at],
                "exemplars": _exemplars(exemplars.get(int(tree.sums.path_id[row]))),
            }
            for at, row in enumerate(shown)
        ],
    }


def quality_document(told: Flaws, *, one_in: int = 1, roots_left_out: int = 0) -> Document:
    """How good the numbers are. `one_in`: of so many roots one was taken."""
    return {
        "roots": told.roots,
        "one_in": one_in,
        "roots_left_out": roots_left_out,
        **quality_shares(told),
    }


def _numbers(
    tree: MergedTree, shown: list[int], total: Floats, metric: Metric
) -> list[dict[str, Document]]:
    """By place in the list, then by band."""
    sums = tree.sums
    kinds = {
        "roots": sums.roots,
        "weight": sums.weight,
        "critical_weight": sums.critical_weight,
        "calls": sums.calls,
        "failed": sums.failed,
        "self_ns": sums.self_ns,
        "critical_ns": sums.critical_ns,
        "inclusive_self_ns": tree.inclusive_self_ns,
        "inclusive_critical_ns": tree.inclusive_critical_ns,
    }
    cells = {name: _and_all(values[:, shown]).tolist() for name, values in kinds.items()}

    def one(band: int, at: int) -> Document:
        of = {name: values[band][at] for name, values in cells.items()}
        return {
            "roots": int(of["roots"]),
            "critical_share": _ratio(of["critical_weight"], of["weight"]),
            "calls": round(of["calls"]),
            "calls_per_root": _ratio(of["calls"], of["weight"], digits=3),
            "error_share": _ratio(of["failed"], of["calls"]),
            **{name: round(of[name]) for name in kinds if name.endswith("_ns")},
            "share": _ratio(of[f"inclusive_{metric}_ns"], total[band]),
            "own_share": _ratio(of[f"{metric}_ns"], total[band]),
        }

    return [{name: one(band, at) for band, name in enumerate(NAMES)} for at in range(len(shown))]


def _hidden(tree: MergedTree, place: Mapping[int, int]) -> dict[int, int]:
    """How many paths are not listed below each listed path but below no listed child of it."""
    hidden = {row: int(tree.size[row]) - 1 for row in place}
    hidden[NO_PARENT] = len(tree.sums)
    for row in place:
        hidden[int(tree.parent[row])] -= int(tree.size[row])
    return hidden


def _named(names: PathTable, path_id: int) -> Document:
    row = int(np.searchsorted(names.path_id, np.uint64(path_id)))
    service = names.service[row]
    return {
        "path_id": span_id_text(path_id),
        "service": service.name,
        "namespace": service.namespace,
        "environment": service.environment,
        "operation": names.operation[row],
        "kind": SPAN_KINDS[int(names.kind[row])].lower(),
    }


def _exemplars(found: Exemplars | None) -> Document | None:
    if found is None:
        return None
    return {"typical": _exemplar(found.typical), "worst": _exemplar(found.worst)}


def _exemplar(one: Exemplar) -> Document:
    return one._asdict()


def _and_all(values: NDArray[Any]) -> NDArray[Any]:
    """All bands together before each of them."""
    summed: NDArray[Any] = np.concatenate((values.sum(axis=0, keepdims=True), values))
    return summed


def _ratio(part: float, whole: float, *, digits: int = 6) -> float | None:
    return round(float(part) / float(whole), digits) if whole else None
