"""A threshold in tracestate weighs from the wire to the answer: `th:8` stands for two requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.engine import LONG, fresh_engine
from tests.support.otlp import request, span
from tests.support.records import EPOCH, SECOND
from tracer.ingest.otlp.decode import decode
from tracer.service.catalog import services
from tracer.service.context import Context, Window
from tracer.service.importing import import_records, settle_all
from tracer.service.slow import slow_traces
from tracer.service.words import slow_query
from tracer.store.engine import Engine
from tracer.units import HOUR_NS

MS = 1_000_000
START = EPOCH // HOUR_NS * HOUR_NS
EACH = 60  # stored traces that take 10 ms, and as many that take 100 ms


@pytest.fixture
def engine() -> Iterator[Engine]:
    with fresh_engine() as opened:
        yield opened


def arrived(engine: Engine, fast: str, slow: str, *, later_s: int) -> Context:
    """Spans as they come in, analysed `later_s` seconds after the first."""
    spans = [
        span(
            trace_id=(number + 1).to_bytes(16),
            kind=2,
            trace_state=fast if number < EACH else slow,
            start_time_unix_nano=START + number * 100 * MS,
            end_time_unix_nano=START + number * 100 * MS + (10 if number < EACH else 100) * MS,
        )
        for number in range(2 * EACH)
    ]
    now = START + later_s * SECOND
    context = Context(engine, LONG, lambda: now)
    body = request(*spans, resource={"service.name": "shop"})
    import_records(context, decode([body], ingest_ns=START + 15 * SECOND).records)
    settle_all(context)
    return context


def shop(context: Context) -> dict[str, Any]:
    window = Window(START, START + HOUR_NS)
    (found,) = services(context, window)["services"]
    return dict(found)


@pytest.mark.parametrize("later_s", [20, 300, 3 * 3600], ids=["facts", "minutes", "hours"])
@pytest.mark.parametrize(
    ("fast", "slow", "p50_ms"),
    [
        ("ot=th:8", "ot=th:0", 10),
        ("ot=th:0", "vendor=x,ot=rv:0123456789abcd;th:8", 100),
        ("ot=th:8", "", 10),  # without a threshold a span counts once
        ("ot=th:8", "ot=th:nonsense", 10),
    ],
)
def test_quantiles_are_of_the_requests_that_were_made(
    engine: Engine, later_s: int, fast: str, slow: str, p50_ms: int
) -> None:
    found = shop(arrived(engine, fast, slow, later_s=later_s))
    assert found["spans"] == 2 * EACH
    assert found["p50_ns"] == pytest.approx(p50_ms * MS, rel=0.02)
    assert found["n_eff"] == pytest.approx((3 * EACH) ** 2 / (4 * EACH + EACH))


@pytest.mark.parametrize(
    ("fast", "slow", "estimated"),
    [("ot=th:8", "ot=th:c", (240, 360)), ("", "ot=th:8", (120, 180)), ("", "x=y", None)],
)
def test_affected_requests_are_counted_as_stored_and_estimated_as_made(
    engine: Engine, fast: str, slow: str, estimated: tuple[int, int] | None
) -> None:
    context = arrived(engine, fast, slow, later_s=300)
    query = slow_query(
        context.now_ns(), default_user_attributes="", since="1h", min_duration="50ms"
    )
    affected = slow_traces(context, query)["affected"]
    assert affected["requests"] == {"value": EACH, "exact": True}
    if estimated is None:
        assert affected["estimated"] is None
    else:
        assert affected["estimated"] == {
            "requests": {"value": estimated[0], "exact": False},
            "of": {"value": estimated[1], "exact": False},
        }
