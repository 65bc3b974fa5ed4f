"""Sums by call path and band, and exemplars, against the obvious way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from tests.support.path_oracle import band_sums, exemplars, roots_of, traffic
from tests.support.picture import Line, columns, read
from tracer.analysis import path_bands as fast
from tracer.analysis.analyse import analyse
from tracer.analysis.baseline import weights
from tracer.analysis.flaws import flaws
from tracer.columns.facts import TraceFacts
from tracer.columns.path_bands import BANDS, Metric, PathBands
from tracer.columns.spans import SpanColumns

FIELDS = {
    "weight": "weight",
    "critical_weight": "critical_weight",
    "calls": "calls",
    "failed": "failed",
    "self": "self_ns",
    "critical": "critical_ns",
    "roots": "roots",
}


def bands_of(facts: TraceFacts) -> np.ndarray:
    rows = fast.counted(facts)
    limits = fast.band_limits(
        facts.root_path_id[rows], facts.duration_ns[rows], weights(facts)[rows]
    )
    band = fast.band_of(limits, facts.root_path_id, facts.duration_ns)
    return np.where(rows, band, fast.NOT_COUNTED).astype(np.int8)


def sums_of(facts: TraceFacts) -> PathBands:
    return fast.path_bands(facts, bands_of(facts))


@settings(max_examples=40, deadline=None)
@given(spans=traffic())
def test_sums_are_those_of_the_oracle(spans: SpanColumns) -> None:
    facts = analyse(spans).facts
    roots, sums = roots_of(facts), sums_of(facts)
    assert sorted(bands_of(facts)[fast.counted(facts)]) == sorted(root.band for root in roots)
    for band in range(len(BANDS)):
        expected = band_sums(roots, band)
        for name, field in FIELDS.items():
            row = getattr(sums, field)[band]
            found = dict(zip(sums.path_id.tolist(), row.tolist(), strict=True))
            assert {path: value for path, value in found.items() if value} == {
                path: one[name] for path, one in expected.items() if one[name]
            }, (BANDS[band], name)


@pytest.mark.parametrize("metric", ["critical", "self"])
@settings(max_examples=20, deadline=None)
@given(spans=traffic())
def test_exemplars_are_those_of_the_oracle(metric: Metric, spans: SpanColumns) -> None:
    facts = analyse(spans).facts
    roots, band = roots_of(facts), bands_of(facts)
    for rows, some in (
        (band >= 0, roots),
        (band == 1, [root for root in roots if root.band == 1]),
    ):
        found = fast.exemplars(facts, rows, metric, facts.paths.path_id)
        assert set(found) == {path for root in some for path in root.paths}
        for path, pair in found.items():
            told = [
                (one.spent_ns, int(one.trace_id[:16], 16), int(one.trace_id[16:], 16),
                 int(one.root_span_id, 16))
                for one in pair
            ]  # fmt: skip
            assert tuple(told) == exemplars(some, path, metric)


def test_work_in_parts_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = analyse(_shop(50)).facts
    whole = sums_of(facts)
    monkeypatch.setattr(fast, "_ENTRIES", 3)
    parts = sums_of(facts)
    for field in ("path_id", *FIELDS.values()):
        np.testing.assert_array_equal(getattr(whole, field), getattr(parts, field))


def _shop(traces: int) -> SpanColumns:
    """Roots of 1, 2, 3 … ns with a call that takes all but one of them."""
    drawn = "".join(
        f"web |{'-' * length}|\n  db |{'-' * (length - 1)} |\n\n" for length in range(2, traces + 2)
    )
    return read(drawn).spans


BAND_SIZES = [
    (1, [1, 0, 0, 0]),
    (2, [1, 1, 0, 0]),
    (20, [10, 9, 1, 0]),
    (100, [50, 45, 4, 1]),
    (200, [100, 90, 8, 2]),
]


@pytest.mark.parametrize(("traces", "sizes"), BAND_SIZES)
def test_how_many_roots_are_in_each_band(traces: int, sizes: list[int]) -> None:
    facts = analyse(_shop(traces)).facts
    kind = facts.paths.path_id == facts.root_path_id[0]
    assert sums_of(facts).roots[:, kind].ravel().tolist() == sizes


def test_a_filter_takes_whole_roots_that_pass_through() -> None:
    facts = analyse(read("web |--|\n  db | -|\n\nweb |--|\n\nbatch |--|\n").spans).facts
    database = facts.paths.path_id[[name == "db" for name in facts.paths.operation]]
    assert fast.counted(facts, database).tolist() == [True, False, False]
    assert flaws(facts, fast.counted(facts)).traces == 3


def test_orphan_fragments_do_not_count_and_asynchronous_ones_do() -> None:
    facts = analyse(
        read(
            "web |----|\n  send producer | -|\n    work consumer |  --|\n  lost orphan |-|\n"
        ).spans
    ).facts
    told = flaws(facts, fast.counted(facts))
    assert (len(facts), told.traces, told.fragments, told.roots) == (3, 1, 1, 2)
    assert told.with_orphans == 1


def test_a_trace_that_lost_its_root_counts_by_what_is_left() -> None:
    facts = analyse(read("web orphan |----|\n  db | -- |\n").spans).facts
    told = flaws(facts, fast.counted(facts))
    assert (told.traces, told.roots, told.root_missing) == (1, 1, 1)
    assert sums_of(facts).critical_ns.sum() == 4


def test_long_polls_do_not_fill_the_slowest_band() -> None:
    """Bands are of each kind of root: what is always slow is not the slow part of the rest."""
    polls = [Line(1_000 + at, 1, 0, 0, 30_000 + at, "poll", "GET /wait") for at in (1, 2)]
    pages = [Line(at, 1, 0, 0, at, "web", "GET /") for at in range(1, 201)]
    facts = analyse(columns([*pages, *polls])).facts
    by_kind = {
        facts.paths.service[at].name: sums_of(facts).roots[:, at].tolist() for at in range(2)
    }
    assert by_kind == {"web": [100, 90, 8, 2], "poll": [1, 1, 0, 0]}


def test_nothing_gives_nothing() -> None:
    facts = analyse(columns([])).facts
    assert len(sums_of(facts)) == 0
    assert fast.exemplars(facts, fast.counted(facts), "self", facts.paths.path_id) == {}
