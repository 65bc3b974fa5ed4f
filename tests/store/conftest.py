"""Every test here gets an empty database of its own, on every size of the store.

A size says what it cannot do in `CANNOT`, by test and with the reason; what it then can do after
all is a failure too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Final

import pytest

from tests.support.engine import fresh_engine
from tests.support.server import fresh_server_engine
from tracer.store.engine import Engine

SIZES: Final[dict[str, Callable[[], AbstractContextManager[Engine]]]] = {
    "embedded": fresh_engine,
    "server": fresh_server_engine,
}
CANNOT: Final[dict[tuple[str, str], str]] = {}
# Long, and about SQL only, which both sizes run on the same engine; a real server runs them too.
COSTLY: Final = {"test_caches_answer_like_facts"}


@pytest.fixture(params=list(SIZES))
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    reason = CANNOT.get((request.param, request.node.originalname))
    if reason:
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    is_stand_in = request.param == "server" and not os.environ.get("TRACER_TEST_STORE")
    if is_stand_in and request.node.originalname in COSTLY:
        pytest.skip("the stand-in's engine is the embedded one; TRACER_TEST_STORE names a server")
    with SIZES[request.param]() as opened:
        yield opened
