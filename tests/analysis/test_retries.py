"""Calls made again because they failed, as drawn: '!' failed."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.picture import read
from tracer.analysis.forest import SpanFlag
from tracer.analysis.tree import build

PICTURES = {
    "each attempt after a failure": (
        """
        shop/order server     |----------|
          shop/pay client !   | --       |
          shop/pay client !   |   --     |
          shop/pay client     |      --- |
        """,
        {3, 4},
    ),
    "what succeeded is not tried again": (
        """
        shop/order server     |----------|
          shop/pay client     | --       |
          shop/pay client     |   --     |
        """,
        set(),
    ),
    "at the same time is no retry": (
        """
        shop/order server     |----------|
          shop/pay client !   | ----     |
          shop/pay client !   |  ----    |
        """,
        set(),
    ),
    "another operation is no retry": (
        """
        shop/order server     |----------|
          shop/pay client !   | --       |
          shop/log client     |     --   |
        """,
        set(),
    ),
    "another parent is no retry": (
        """
        shop/order server     |----------|
          shop/pay client !   | --       |
          shop/again          |     ---  |
            shop/pay client   |     --   |
        """,
        set(),
    ),
    "an instant is no attempt after itself": (
        """
        shop/order server     |----------|
          shop/pay client !   | o        |
          shop/pay client     |   --     |
        """,
        {3},
    ),
    "roots are no siblings": (
        """
        shop/pay client !   | --       |
        shop/pay client     |     ---  |
        """,
        set(),
    ),
}


@pytest.mark.parametrize(("picture", "expected"), PICTURES.values(), ids=PICTURES.keys())
def test_retries(picture: str, expected: set[int]) -> None:
    forest = build(read(picture).spans)
    again = np.flatnonzero(forest.has(SpanFlag.RETRY))
    assert set(forest.spans.span_id[again].tolist()) == expected
