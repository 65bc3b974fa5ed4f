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
LEFT_ALONE: Final = "damaged parts of a server are left to whoever runs it"
CANNOT: Final[dict[tuple[str, str], str]] = {
    ("server", "test_a_damaged_part_is_set_aside_and_the_rest_answers"): LEFT_ALONE,
    ("server", "test_all_parts_damaged_leave_an_empty_table"): LEFT_ALONE,
    ("server", "test_a_part_that_was_only_misread_is_kept"): LEFT_ALONE,
}
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
