"""Facts read back with the call paths that they name."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.support.engine import fresh_engine
from tests.support.records import EPOCH, records, span
from tracer.analysis.analyse import analyse
from tracer.columns.convert import columns_from_records
from tracer.columns.facts import TraceFacts
from tracer.store.engine import Engine
from tracer.store.facts import read_facts, read_paths, write_facts

DEPTH = 3_000


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with fresh_engine() as opened:
        write_facts(opened, _chain(), version_ns=EPOCH)
        yield opened


def _chain() -> TraceFacts:
    """Calls within calls, each a call path of its own."""
    spans = [
        span(1, depth, depth - 1, start=EPOCH + depth, duration=10 * DEPTH - 2 * depth)
        for depth in range(1, DEPTH + 1)
    ]
    return analyse(columns_from_records(records(spans))).facts


def test_a_path_comes_with_all_paths_above_it_however_deep(engine: Engine) -> None:
    every = _chain().paths
    (deepest,) = set(every.path_id.tolist()) - set(every.parent_path_id.tolist())
    read = read_paths(engine, np.array([deepest], np.uint64))
    assert read.path_id.tolist() == every.path_id.tolist()
    assert read.parent_path_id.tolist() == every.parent_path_id.tolist()


def test_only_paths_above_come_with_it(engine: Engine) -> None:
    every = _chain().paths
    root = every.path_id[every.parent_path_id == 0]
    (second,) = every.path_id[every.parent_path_id == root].tolist()
    assert read_paths(engine, np.array([second], np.uint64)).path_id.tolist() == sorted(
        [second, int(root[0])]
    )
    assert len(read_paths(engine, np.array([12345], np.uint64))) == 0


def test_facts_of_a_deep_trace_read_back(engine: Engine) -> None:
    facts = read_facts(engine, "1", {}, order="TraceId", limit=10)
    assert (len(facts), facts.span_count.tolist(), len(facts.paths)) == (1, [DEPTH], DEPTH)
