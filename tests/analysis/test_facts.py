"""Facts: what they count, and that their parts add up to each root."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.picture import columns, read
from tests.support.strategies import batches
from tracer.analysis.analyse import analyse
from tracer.columns.buckets import ZERO_BUCKET, bucket_of
from tracer.columns.facts import PathTable, TraceFacts
from tracer.columns.spans import SpanColumns

SHOP = """
    web/page server !          |##-------#-----|
      web/call client id:70    | -             |
      web/call client id:70    | -             |
      web/query client         |  ##-##        |
        db/select server       |    #          |
      web/query client !       |       ##      |
      web/slow                 |          #####|
      web/over                 |              --|
    web/lost orphan            |   ##          |
      db/select server         |   o           |
"""


def test_facts_of_a_trace() -> None:
    facts = analyse(read(SHOP).spans, tolerance_ns=0).facts
    assert facts.is_main.tolist() == [True, False]
    assert facts.root_missing.tolist() == [False, True]
    assert facts.failed.tolist() == [True, False]
    assert facts.start_ns.tolist() == [0, 3]
    assert facts.duration_ns.tolist() == [15, 2]
    assert facts.span_count.tolist() == [7, 2]
    assert facts.service_count.tolist() == [2, 2]
    assert facts.error_count.tolist() == [2, 0]
    assert facts.orphan_count.tolist() == [1, 0]
    assert facts.duplicate_count.tolist() == [1, 0]
    assert facts.overrun_count.tolist() == [1, 0]
    assert facts.cycle_count.tolist() == [0, 0]


def test_entries_are_by_path_outcome_and_bucket() -> None:
    facts = analyse(read(SHOP).spans, tolerance_ns=0).facts
    names = dict(zip(facts.paths.path_id.tolist(), facts.paths.operation, strict=True))
    main = slice(facts.offset[0], facts.offset[1])
    entries = {
        (names[path], failed): (calls, self_ns, critical_ns)
        for path, failed, calls, self_ns, critical_ns in zip(
            facts.path_id[main].tolist(),
            facts.entry_failed[main].tolist(),
            facts.calls[main].tolist(),
            facts.self_ns[main].tolist(),
            facts.critical_ns[main].tolist(),
            strict=True,
        )
    }
    assert entries[("query", False)] == (1, 4, 4)
    assert entries[("query", True)] == (1, 2, 2)
    assert entries[("select", False)] == (1, 1, 1)


def test_an_instant_falls_into_the_zero_bucket() -> None:
    facts = analyse(read("a | o |").spans).facts
    assert facts.bucket.tolist() == [ZERO_BUCKET]
    assert facts.critical_ns.tolist() == [0]


def table_rows(paths: PathTable) -> list[tuple[object, ...]]:
    return list(zip(paths.path_id.tolist(), paths.service, paths.operation, strict=True))


@settings(max_examples=150, deadline=None)
@given(spans=batches(most=20))
def test_the_parts_add_up(spans: SpanColumns) -> None:
    analysis = analyse(spans)
    facts, forest = analysis.facts, analysis.forest
    row_of_entry = np.repeat(np.arange(len(facts)), np.diff(facts.offset))
    total = np.zeros(len(facts), np.int64)
    np.add.at(total, row_of_entry, facts.critical_ns)
    np.testing.assert_array_equal(total, facts.duration_ns)
    assert int(facts.self_ns.sum()) == int(analysis.self_ns.sum())
    calls = np.bincount(row_of_entry, facts.calls, minlength=len(facts))
    np.testing.assert_array_equal(calls, facts.span_count)
    assert int(facts.span_count.sum()) == len(forest)
    assert facts.is_main.sum() == len(forest.main_root)
    key = list(
        zip(
            row_of_entry.tolist(),
            facts.path_id.tolist(),
            facts.entry_failed.tolist(),
            facts.bucket.tolist(),
            strict=True,
        )
    )
    assert key == sorted(set(key)), "one entry per path, outcome and bucket, in that order"
    assert np.isin(facts.path_id, facts.paths.path_id).all()
    duration_ns = forest.spans.end_ns - forest.spans.start_ns
    assert set(facts.bucket.tolist()) == set(bucket_of(duration_ns).tolist())


@settings(max_examples=50, deadline=None)
@given(spans=batches(most=20), seed=st.integers(0, 2**32 - 1))
def test_order_of_spans_changes_nothing(spans: SpanColumns, seed: int) -> None:
    shuffled = spans.take(np.random.default_rng(seed).permutation(len(spans)))
    first, second = analyse(spans).facts, analyse(shuffled).facts
    for field in fields(TraceFacts):
        if field.name == "paths":
            assert table_rows(first.paths) == table_rows(second.paths)
        else:
            np.testing.assert_array_equal(getattr(first, field.name), getattr(second, field.name))


def test_no_spans_no_facts() -> None:
    facts = analyse(columns([])).facts
    assert len(facts) == 0
    assert facts.offset.tolist() == [0]
