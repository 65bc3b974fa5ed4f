"""The document of the merged tree: its numbers, its order, and what it does not list."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from tests.support.path_oracle import traffic
from tests.support.picture import read
from tests.support.records import EPOCH, records, span
from tracer.analysis.analyse import analyse
from tracer.analysis.merged_tree import merged_tree
from tracer.analysis.path_bands import band_limits, band_of, counted, path_bands
from tracer.columns.facts import TraceFacts
from tracer.columns.path_bands import BANDS, PathBands
from tracer.columns.spans import SpanColumns
from tracer.errors import BadQuery, NotFound
from tracer.report.path_json import NAMES, PathChoice, path_choice, paths_document, shown_paths
from tracer.service.path_file import critical_path_of

MS = 1_000_000


def document_of(facts: TraceFacts, choice: PathChoice) -> dict[str, Any]:
    """As the use cases make it, without exemplars."""
    sums = _sums(facts)
    at = np.searchsorted(facts.paths.path_id, sums.path_id)
    tree = merged_tree(sums, facts.paths.parent_path_id[at])
    shown = shown_paths(tree, choice)
    return paths_document(
        tree, shown, facts.paths, {}, choice=choice, is_exact=True, is_estimated=False
    )


def _sums(facts: TraceFacts) -> PathBands:
    rows = counted(facts)
    ones = facts.weight * 0 + 1
    limits = band_limits(facts.root_path_id[rows], facts.duration_ns[rows], ones[rows])
    return path_bands(facts, band_of(limits, facts.root_path_id, facts.duration_ns))


SHOP = "web |--#####---|\n  db |  -----|\n    disk |   -|\n  cache |       --|\n\n"


def test_a_tree_as_a_list() -> None:
    document = document_of(analyse(read(SHOP * 2).spans).facts, path_choice(None, None, None))
    told = [
        (one["service"], one["parent"], one["depth"], one["paths_below"])
        for one in document["paths"]
    ]
    assert told == [("web", None, 0, 3), ("db", 0, 1, 1), ("disk", 1, 2, 0), ("cache", 0, 1, 0)]
    web, database = (one["bands"]["all"] for one in document["paths"][:2])
    assert (web["inclusive_critical_ns"], web["critical_ns"]) == (20, 6)
    assert (database["share"], database["own_share"]) == (0.5, 0.4)
    assert (database["roots"], database["calls_per_root"], database["critical_share"]) == (2, 1, 1)
    assert document["bands"][0]["mean_duration_ns"] == 10
    empty = document["bands"][3]
    assert (empty["roots"]["value"], empty["mean_duration_ns"]) == (0, None)
    assert document["paths"][0]["bands"]["95-99"]["share"] is None


def test_what_is_not_listed_is_counted_where_it_belongs() -> None:
    facts = analyse(read(SHOP).spans).facts
    two = document_of(facts, path_choice(None, None, 2))
    assert [one["paths_hidden"] for one in two["paths"]] == [1, 1]
    assert (two["paths_hidden"], two["total"]["value"]) == (0, 4)
    other = document_of(analyse(read(SHOP + "job |-|").spans).facts, path_choice(None, None, 1))
    assert (other["paths_hidden"], other["paths"][0]["paths_hidden"]) == (1, 3)


@settings(max_examples=15, deadline=None)
@given(spans=traffic())
def test_the_parts_add_up_in_every_band(spans: SpanColumns) -> None:
    facts = analyse(spans).facts
    for limit in (1, 4, 1000):
        document = document_of(facts, path_choice("self", None, limit))
        paths = document["paths"]
        hidden = document["paths_hidden"] + sum(one["paths_hidden"] for one in paths)
        assert hidden + len(paths) == document["total"]["value"]
        if hidden:
            continue
        for band in document["bands"]:
            for metric in ("critical", "self"):
                own = sum(one["bands"][band["name"]][f"{metric}_ns"] for one in paths)
                assert own == band[f"{metric}_ns"]
        everything, *bands = (band["roots"]["value"] for band in document["bands"])
        assert sum(bands) == everything


def test_names_of_bands() -> None:
    assert path_choice(None, None, None) == PathChoice("critical", None, 100)
    assert path_choice("self", "99+", 3) == PathChoice("self", len(BANDS) - 1, 3)
    assert path_choice(None, "99 ", 3).band_name == "99-100"  # as a URL has an unquoted 99+
    assert {path_choice(None, name, 1).band_name for name in NAMES} == set(NAMES)


WRONG = [("x", None, 1, "metric 'x'"), (None, "p95", 1, "band 'p95'"), (None, None, 0, "limit 0")]


@pytest.mark.parametrize(("metric", "band", "limit", "named"), WRONG)
def test_wrong_words_are_named(metric: str, band: str, limit: int, named: str) -> None:
    with pytest.raises(BadQuery, match=named):
        path_choice(metric, band, limit)


def test_of_a_file() -> None:
    spans = [
        one
        for trace in range(1, 11)
        for one in (
            span(trace, 1, start=EPOCH, duration=trace * MS),
            span(trace, 2, 1, start=EPOCH, duration=trace * MS // 2, service="db", name="SELECT"),
        )
    ]
    choice = path_choice(None, "0-50", None)
    document = critical_path_of(records(spans), choice, service="db", operation=None)
    assert (document["traces"]["value"], document["window"]) == (10, None)
    database = document["paths"][1]
    assert database["service"] == "db"
    assert database["exemplars"]["typical"] == {
        "trace_id": f"{3:032x}",
        "root_span_id": f"{1:016x}",
        "spent_ns": 3 * MS // 2,
    }
    assert database["exemplars"]["worst"]["trace_id"] == f"{5:032x}"
    with pytest.raises(NotFound, match="'nobody'"):
        critical_path_of(records(spans), choice, service="nobody", operation=None)
