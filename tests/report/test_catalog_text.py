"""Services, operations and baselines as people read them."""

from __future__ import annotations

from typing import Any

from tracer.report.catalog_text import baselines_text, operations_text, services_text

MS = 1_000_000
NUMBERS = {"spans": 1204, "error_share": 0.05, "p50_ns": 3 * MS, "p95_ns": None}
IDENTITY = {"service": "shop", "namespace": "", "environment": "prod", "tenant": ""}
OPERATION = {
    **IDENTITY,
    **NUMBERS,
    "operation": "GET /\x1b[2J",
    "kind": "server",
    "p95_interval_ns": None,
    "exemplar_trace_id": None,
}


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_services() -> None:
    document = {"services": [{**IDENTITY, **NUMBERS, "operations": 2}], "waiting_traces": None}
    head, columns, row = rows(services_text(document, width=100, colour=False))
    assert head == ["1", "service"]
    assert columns[:3] == ["service", "environment", "operations"]  # no namespace anywhere
    assert row == ["shop", "prod", "2", "1,204", "5", "%", "3ms", "–"]


def test_the_quality_of_the_traces_is_told() -> None:
    flaws = {"skew_corrected_share": 0.25, "duplicates": 1, "sampling": "known"}
    document = {
        "services": [{**IDENTITY, **NUMBERS, "operations": 2}],
        "waiting_traces": None,
        "quality": flaws,
    }
    text = services_text(document, width=200, colour=False)
    assert (
        "Quality: 25 % of the traces have spans whose clock was corrected; "
        "1 copy of spans merged; sampling weights are known."
    ) in text


def test_operations() -> None:
    document = {"service": "shop", "operations": [OPERATION]}
    head, _, row = rows(operations_text(document, width=120, colour=False))
    assert head == ["shop:", "1", "operation"]
    assert row == ["GET", "/", "server", "1,204", "5", "%", "3ms", "–", "–", "–"]


def test_baselines_say_who_calls_and_what_is_cut() -> None:
    baseline = {**OPERATION, "operation": "GET", "n": 1204, "depth": "caller"}
    cart = {**baseline, "caller": {"service": "web", "operation": "GET /cart"}}
    known = {**baseline, "p95_ns": 9 * MS, "p95_interval_ns": [8 * MS, 10 * MS], "caller": None}
    document: dict[str, Any] = {
        "total": {"value": 30, "exact": True},
        "baselines": [cart, known, {**known, "depth": "operation"}],
    }
    text = baselines_text(document, width=120, colour=False)
    head, _, first, second, third, remark = rows(text)
    assert " ".join(head) == "What is normal: rows (3 of 30)"
    assert " ".join(first) == "shop GET server web GET /cart 1,204 3ms – –"
    assert " ".join(second) == "shop GET server (root) 1,204 3ms 9ms 8ms–10ms"
    assert " ".join(third) == "shop GET server anybody 1,204 3ms 9ms 8ms–10ms"
    assert " ".join(remark) == "–: not enough data for a p95 that can be trusted"


def test_with_one_caller_anybody_is_not_told_again() -> None:
    row = {**OPERATION, "n": 5, "caller": None}
    document: dict[str, Any] = {
        "total": {"value": 2, "exact": True},
        "baselines": [{**row, "depth": "caller"}, {**row, "depth": "operation"}],
    }
    text = baselines_text(document, width=120, colour=False)
    assert "What is normal: 1 row\n" in text
    assert "anybody" not in text


def test_traces_that_wait_are_told() -> None:
    document = {"services": [], "waiting_traces": 3}
    text = services_text(document, width=200, colour=False)
    assert text.startswith("3 traces are here but not analysed yet")


def test_nothing_says_what_to_do() -> None:
    empty: dict[str, Any] = {"service": "x", "services": [], "operations": [], "baselines": []} | {
        "waiting_traces": 0
    }
    for text in (services_text, operations_text, baselines_text):
        assert "widen it" in text(empty, width=100, colour=False)
