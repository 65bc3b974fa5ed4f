"""Sums in the engine are those of facts in memory, number for number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import numpy as np
import pytest

from tests.support.engine import fresh_engine
from tests.support.picture import Line, columns
from tracer.analysis import path_bands as memory
from tracer.analysis.analyse import analyse
from tracer.analysis.baseline import weights
from tracer.analysis.flaws import flaws
from tracer.columns.facts import TraceFacts
from tracer.columns.flaws import NOBODY
from tracer.columns.path_bands import BANDS, BandLimits, Metric, PathBands
from tracer.store import path_bands as stored
from tracer.store.engine import Engine
from tracer.store.facts import write_facts
from tracer.store.path_bands import roots_of

HOUR = 3_600_000_000_000
START = 497_223 * HOUR
WINDOW = (START, START + 4 * HOUR)


def _traffic(traces: int = 150, seed: int = 4) -> TraceFacts:
    """Trees of one to nine spans over three hours, three kinds, some asynchronous, some lost."""
    random = np.random.default_rng(seed)
    lines = []
    for trace in range(1, traces + 1):
        start_ns = START + int(random.integers(0, 3 * HOUR))
        weight = float(random.choice([0.0, 1.0, 4.0]))
        for span_id in range(1, int(random.integers(1, 10)) + 1):
            begin = start_ns + int(random.integers(0, 1000)) * (span_id > 1)
            lines.append(
                Line(
                    trace=trace,
                    span_id=span_id,
                    parent_id=int(
                        random.choice([span_id // 2, span_id - 1, 99], p=[0.5, 0.4, 0.1])
                    ),
                    start_ns=begin,
                    end_ns=begin + int(random.integers(1, 900)),
                    service=str(random.choice(["web", "db"])) if span_id > 1 else "web",
                    operation=str(random.choice(["GET", "PUT"])),
                    kind=int(random.choice([0, 4, 5])),
                    failed=bool(random.random() < 0.3),
                    weight=weight,
                )
            )
    return analyse(columns(lines)).facts


FACTS = _traffic()


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with fresh_engine() as opened:
        write_facts(opened, FACTS, version_ns=START)
        yield opened


def _in_memory(
    through: list[int] | None,
) -> tuple[np.ndarray, BandLimits, np.ndarray]:
    asked = None if through is None else np.array(through, np.uint64)
    rows = memory.counted(FACTS, asked)
    limits = memory.band_limits(
        FACTS.root_path_id[rows], FACTS.duration_ns[rows], weights(FACTS)[rows]
    )
    band = memory.band_of(limits, FACTS.root_path_id, FACTS.duration_ns)
    return rows, limits, np.where(rows, band, memory.NOT_COUNTED).astype(np.int8)


def _same(left: object, right: object) -> None:
    assert type(left) is type(right)
    assert isinstance(left, PathBands | BandLimits)
    for field in fields(left):
        np.testing.assert_array_equal(
            getattr(left, field.name), getattr(right, field.name), err_msg=field.name
        )


@pytest.mark.parametrize("is_filtered", [False, True])
def test_the_two_ways_give_the_same_numbers(engine: Engine, is_filtered: bool) -> None:
    named = [one.name == "db" for one in FACTS.paths.service]
    through = FACTS.paths.path_id[named].tolist() if is_filtered else None
    rows, limits, band = _in_memory(through)
    roots = roots_of(WINDOW, through)
    assert stored.count_flaws(engine, roots)[0] == flaws(FACTS, rows)
    told = stored.read_durations(engine, roots)
    found = memory.band_limits(told.root_path_id, told.duration_ns, told.weight)
    _same(found, limits)
    sums = stored.read_path_bands(engine, roots, found)
    _same(sums, memory.path_bands(FACTS, band))
    parents = FACTS.paths.parent_path_id[np.searchsorted(FACTS.paths.path_id, sums.path_id)]
    np.testing.assert_array_equal(stored.read_parents(engine, sums.path_id), parents)
    metrics: tuple[Metric, ...] = ("critical", "self")
    for metric in metrics:
        for chosen in (None, *range(len(BANDS))):
            here = band >= 0 if chosen is None else band == chosen
            expected = memory.exemplars(FACTS, here, metric, sums.path_id)
            assert expected or chosen is not None
            answer = stored.read_exemplars(
                engine,
                roots,
                found,
                metric=metric,
                band=chosen,
                path_ids=sums.path_id.tolist(),
            )
            assert answer == expected


def test_too_many_roots_are_thinned_and_count_for_more(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = roots_of(WINDOW, None)
    told, entries = stored.count_flaws(engine, roots)
    assert stored.thin(roots, told.roots, entries) == roots
    monkeypatch.setattr(stored, "MOST_ENTRIES", entries // 3)
    thinned = stored.thin(roots, told.roots, entries)
    assert thinned.one_in in (3, 4)
    fewer = stored.count_flaws(engine, thinned)[0].roots
    assert 0 < fewer < told.roots / 2
    told = stored.read_durations(engine, thinned)
    alone = roots_of(WINDOW, None)
    whole = stored.read_durations(engine, alone).weight.sum()
    assert told.weight.sum() == pytest.approx(whole, rel=0.5)


def test_rare_kinds_of_roots_are_left_out_and_counted(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = roots_of(WINDOW, None)
    monkeypatch.setattr(stored, "KINDS", 2)
    told = stored.read_durations(engine, roots)
    limits = memory.band_limits(told.root_path_id, told.duration_ns, told.weight)
    sums = stored.read_path_bands(engine, roots, limits)
    tops = np.isin(sums.path_id, limits.root_path_id)
    whole, _ = stored.count_flaws(engine, roots)
    assert len(limits) == 2
    assert sums.roots[:, tops].sum() == whole.roots - told.roots_left_out
    assert told.roots_left_out > 0


def test_an_empty_window(engine: Engine) -> None:
    roots = roots_of((0, 1), None)
    told = stored.read_durations(engine, roots)
    limits = memory.band_limits(told.root_path_id, told.duration_ns, told.weight)
    assert (len(limits), len(stored.read_path_bands(engine, roots, limits))) == (0, 0)
    assert stored.count_flaws(engine, roots) == (NOBODY, 0)
