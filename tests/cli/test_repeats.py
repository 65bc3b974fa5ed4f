"""The same spans in any order, once or several times: the same answer, to the byte."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import run

HOUR_NS = 1_790_000_000_000_000_000
SERVICES = ("web", "shop", "stock", "pay", "mail")


def spans(seed: int, traces: int = 12) -> list[str]:
    """Traces with every flaw there is, one OTLP JSON line a span, no two spans alike."""
    dice = random.Random(seed)
    lines = []
    for trace in range(1, traces + 1):
        ids = [dice.getrandbits(64) | 1 for _ in range(dice.randint(1, 30))]
        for place, span_id in enumerate(ids):
            parent = dice.choice([*ids[:place], 0, *ids]) if dice.random() < 0.9 else 99
            start = HOUR_NS + trace * 10**9 + dice.randint(-50, 900) * 10**6
            span = {
                "name": f"op {dice.randint(0, 3)}",
                "traceId": f"{dice.choice((trace, trace + (7 << 64))):032x}",
                # Zipkin's shared ids, and what an uncertain exporter does to them
                "spanId": f"{dice.choice(ids) if dice.random() < 0.1 else span_id:016x}",
                "parentSpanId": f"{parent:016x}" if parent and place else "",
                "kind": dice.randint(0, 5),
                "startTimeUnixNano": str(start),
                "endTimeUnixNano": str(start + dice.choice((0, -(10**6), dice.randint(1, 10**9)))),
                "status": {"code": dice.choice((0, 0, 2))},
            }
            lines.append(_line(span, dice.choice(SERVICES), dice.choice(("n1", "n2", "n3"))))
    return lines


def _line(span: dict[str, Any], service: str, node: str) -> str:
    resource = {
        "attributes": [
            {"key": "service.name", "value": {"stringValue": service}},
            {"key": "k8s.node.name", "value": {"stringValue": node}},
        ]
    }
    return json.dumps(
        {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}
    )


ASKED = [
    ("analyze",),
    ("path",),
    ("path", "--metric", "self", "--band", "50-95", "--limit", "3"),
]


def analysed(file: Path, lines: list[str], *asked: str) -> str:
    file.write_text("".join(f"{line}\n" for line in lines))
    done = run(*(asked or ("analyze",)), str(file), "--json")
    assert (done.code, done.err) == (0, "")
    return done.out


@pytest.mark.parametrize("asked", ASKED, ids=" ".join)
@pytest.mark.parametrize("seed", range(3))
def test_order_of_spans_changes_no_byte(tmp_path: Path, seed: int, asked: tuple[str, ...]) -> None:
    file, lines = tmp_path / "traces.jsonl", spans(seed)
    first = analysed(file, lines, *asked)
    for again in range(3):
        shuffled = random.Random(100 * seed + again).sample(lines, len(lines))
        assert analysed(file, shuffled, *asked) == first


@pytest.mark.parametrize("seed", range(3))
def test_copies_of_spans_change_only_the_count_of_copies(tmp_path: Path, seed: int) -> None:
    file, lines = tmp_path / "traces.jsonl", spans(seed)
    once = json.loads(analysed(file, lines))
    twice = json.loads(analysed(file, lines + lines[::2] + lines[::3]))
    extra = len(lines[::2]) + len(lines[::3])
    assert _copies(twice) == _copies(once) + extra
    for document in (once, twice):
        for quality in (document["quality"], *(one["quality"] for one in document["traces"])):
            quality.pop("duplicates", None)
            quality.pop("with_duplicates", None)
    assert json.dumps(twice) == json.dumps(once)


@pytest.mark.parametrize("seed", range(3))
def test_copies_of_spans_add_nothing_to_a_path(tmp_path: Path, seed: int) -> None:
    file, lines = tmp_path / "traces.jsonl", spans(seed)
    once = json.loads(analysed(file, lines, "path"))
    twice = json.loads(analysed(file, lines + lines[::2] + lines[::3], "path"))
    extra = len(lines[::2]) + len(lines[::3])
    assert twice["quality"].pop("duplicates") == once["quality"].pop("duplicates") + extra
    assert twice == once


def _copies(document: dict[str, Any]) -> int:
    return sum(trace["quality"]["duplicates"] for trace in document["traces"])
