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
    document = {"services": [{**IDENTITY, **NUMBERS, "operations": 2}]}
    head, columns, row = rows(services_text(document, width=100, colour=False))
    assert head == ["1", "services"]
    assert columns[:3] == ["service", "namespace", "environment"]
    assert row == ["shop", "prod", "2", "1,204", "5", "%", "3ms", "–"]


def test_operations() -> None:
    document = {"service": "shop", "operations": [OPERATION]}
    head, _, row = rows(operations_text(document, width=120, colour=False))
    assert head == ["shop:", "1", "operations"]
    assert row == ["GET", "/", "server", "1,204", "5", "%", "3ms", "–", "–", "–"]


def test_baselines_say_who_calls_and_what_is_cut() -> None:
    caller = {"service": "web", "operation": "GET /cart"}
    baseline = {**OPERATION, "operation": "GET", "n": 1204, "depth": "caller", "caller": caller}
    known = {**baseline, "p95_ns": 9 * MS, "p95_interval_ns": [8 * MS, 10 * MS]}
    document: dict[str, Any] = {
        "total": {"value": 30, "exact": True},
        "baselines": [baseline, {**known, "depth": "operation", "caller": None}],
    }
    text = baselines_text(document, width=120, colour=False)
    head, _, first, second, remark = rows(text)
    assert " ".join(head) == "What is normal: rows (2 of 30)"
    assert " ".join(first) == "shop GET server web GET /cart 1,204 3ms – –"
    assert " ".join(second) == "shop GET server anybody 1,204 3ms 9ms 8ms–10ms"
    assert " ".join(remark) == "–: not enough data for a p95 that can be trusted"


def test_nothing_says_what_to_do() -> None:
    empty: dict[str, Any] = {"service": "x", "services": [], "operations": [], "baselines": []}
    for text in (services_text, operations_text, baselines_text):
        assert "widen it" in text(empty, width=100, colour=False)
