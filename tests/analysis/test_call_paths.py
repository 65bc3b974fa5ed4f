"""Call paths: equal chains share an id, in any batch; different chains do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings

from tests.support.picture import Line, columns, read
from tests.support.strategies import batches
from tracer.analysis.call_paths import CallPaths, call_paths
from tracer.analysis.forest import Forest
from tracer.analysis.tree import build
from tracer.columns.spans import ServiceIdentity, SpanColumns


def paths_of(spans: SpanColumns) -> tuple[Forest, CallPaths]:
    forest = build(spans)
    return forest, call_paths(forest)


def chain(forest: Forest, row: int) -> tuple[tuple[ServiceIdentity, str, int], ...]:
    spans = forest.spans
    links = []
    while row >= 0:
        service, operation = spans.services[spans.service[row]], spans.operation[row]
        links.append((service, spans.operations[operation], int(spans.kind[row])))
        row = int(forest.parent_row[row])
    return tuple(links[::-1])


@settings(max_examples=150, deadline=None)
@given(spans=batches(most=14))
def test_ids_are_equal_exactly_when_chains_are(spans: SpanColumns) -> None:
    forest, paths = paths_of(spans)
    pairs = {(chain(forest, row), path_id) for row, path_id in enumerate(paths.path_id.tolist())}
    assert len(pairs) == len({c for c, _ in pairs}) == len({i for _, i in pairs})
    assert len(paths.table) == len(pairs)


@settings(max_examples=50, deadline=None)
@given(spans=batches(most=14))
def test_the_table_names_every_path_and_its_parent(spans: SpanColumns) -> None:
    forest, paths = paths_of(spans)
    table = paths.table
    assert (table.path_id[1:] > table.path_id[:-1]).all()
    np.testing.assert_array_equal(table.path_id[paths.path], paths.path_id)
    for row, path in enumerate(paths.path.tolist()):
        own = (table.service[path], table.operation[path], int(table.kind[path]))
        assert own == chain(forest, row)[-1]
        parent = int(forest.parent_row[row])
        expected = paths.path_id[parent] if parent >= 0 else 0
        assert table.parent_path_id[path] == expected


def test_the_hash_is_stable() -> None:
    """A stored path id must mean the same chain for ever: this number may never change."""
    _, paths = paths_of(
        read("""
            shop/checkout server  |----|
              shop/pay client     | -- |
        """).spans
    )
    assert paths.path_id.tolist() == [5_518_298_488_195_623_335, 6_644_443_881_243_328_008]


def test_environments_are_apart() -> None:
    spans = columns([Line(1, 1, 0, 0, 5)])
    staging = replace(spans, services=(ServiceIdentity("", "staging", "", "svc"),))
    assert paths_of(spans)[1].path_id[0] != paths_of(staging)[1].path_id[0]


def test_names_do_not_run_together() -> None:
    one = columns([Line(1, 1, 0, 0, 5, service="ab", operation="c")])
    two = columns([Line(1, 1, 0, 0, 5, service="a", operation="bc")])
    assert paths_of(one)[1].path_id[0] != paths_of(two)[1].path_id[0]


def test_narrow_and_wide_levels_agree() -> None:
    wide = [Line(trace, 1, 0, 0, 9) for trace in range(1, 40)]
    wide += [Line(trace, 2, 1, 0, 9, operation="below") for trace in range(1, 40)]
    narrow = [line for line in wide if line.trace == 1]
    assert set(paths_of(columns(wide))[1].path_id.tolist()) == set(
        paths_of(columns(narrow))[1].path_id.tolist()
    )


def test_no_spans() -> None:
    _, paths = paths_of(columns([]))
    assert len(paths.path_id) == len(paths.table) == 0
