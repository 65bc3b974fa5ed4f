"""Every test here gets an empty database of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.engine import fresh_engine
from tracer.store.engine import Engine


@pytest.fixture
def engine() -> Iterator[Engine]:
    with fresh_engine() as opened:
        yield opened
