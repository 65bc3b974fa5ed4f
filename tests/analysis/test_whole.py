"""Whole numbers that keep their sum."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tracer.analysis.whole import whole_parts


@given(parts=st.lists(st.floats(-1e12, 1e12), max_size=30))
def test_parts_sum_to_the_total_and_none_moves_by_one(parts: list[float]) -> None:
    total = round(sum(parts))
    rounded = whole_parts(np.array(parts), total)
    assert not parts or rounded.sum() == total
    assert (np.abs(rounded - np.array(parts)) <= 1).all()


def test_what_is_whole_stays() -> None:
    assert whole_parts(np.array([3.0, -2.0, 0.0]), 1).tolist() == [3, -2, 0]
