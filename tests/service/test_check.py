"""Recorded baselines stay small: rare call paths go first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.runs import shop_run
from tracer.analysis.run_sums import MOST_PATHS
from tracer.columns.runs import COLUMN, Run, Step
from tracer.errors import BadInput
from tracer.ingest.files.recorded import read_recorded
from tracer.service.check import MOST_RECORDED, MOST_RUNS, Reading, Side, read_side, record


def wide(paths: int) -> Run:
    """One root and so many paths below it, each in one request more than the one before."""
    run = shop_run(1, 40)
    root = int(np.flatnonzero(run.parent_path_id == 0)[0])
    inside = slice(int(run.offset[root]), int(run.offset[root + 1]))
    sums = np.repeat(run.sums[[root]], paths, axis=0)
    sums[:, COLUMN["requests"]] = [1e9, *range(1, paths)]
    return replace(
        run,
        path_id=np.arange(1, paths + 1, dtype=np.uint64),
        parent_path_id=np.array([0] + [1] * (paths - 1), np.uint64),
        steps=tuple(Step("", "shop", f"operation {number}", 2) for number in range(paths)),
        sums=sums,
        offset=np.arange(paths + 1) * (inside.stop - inside.start),
        bucket=np.tile(run.bucket[inside], paths),
        count=np.tile(run.count[inside], paths),
    )


def test_a_recorded_baseline_is_at_most_a_megabyte(tmp_path: Path) -> None:
    side = Side((wide(MOST_PATHS),) * 3, {"files": [], "recorded": {}}, ())
    body, left_out = record(side, {})
    assert MOST_RECORDED / 2 < len(body) <= MOST_RECORDED
    path = tmp_path / "baseline.json"
    path.write_bytes(body)
    runs, _ = read_recorded(path)
    assert [(len(run) + run.left_out, run.left_out) for run in runs] == [(MOST_PATHS, left_out)] * 3
    kept = {step.operation for step in runs[0].steps}
    assert {"operation 0", f"operation {MOST_PATHS - 1}"} <= kept
    assert "operation 1" not in kept


def test_runs_are_limited(tmp_path: Path) -> None:
    side = Side((shop_run(1, 5),) * (MOST_RUNS + 1), {"files": [], "recorded": {}}, ())
    path = tmp_path / "baseline.json"
    path.write_bytes(record(side, {})[0])
    with pytest.raises(BadInput, match="makes more than 100 runs"):
        read_side([path], Reading())
