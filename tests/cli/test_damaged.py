"""A data directory that was damaged while no tracer ran on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.serving import command, serving
from tests.cli.test_data import START_NS, otlp_line
from tests.support.damage import Spoil, cut, empty, flip
from tracer.units import HOUR_NS, rfc3339

HOURS = 4
RANGE = ("--start", rfc3339(START_NS - HOUR_NS), "--end", rfc3339(START_NS + 12 * HOUR_NS))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """One trace an hour."""
    file = tmp_path / "traces.jsonl"
    file.write_text("".join(otlp_line(1 + 3600 * number) for number in range(HOURS)))
    done = command("import", str(file), "--data", str(tmp_path / "data"))
    assert done.returncode == 0, done.stderr
    return tmp_path / "data"


def spans_parts(data: Path) -> list[Path]:
    """Directories of the parts of spans, oldest hour first."""
    found = [
        file.parent
        for file in data.glob("store/store/*/*/*/columns.txt")
        if "SpanKind" in file.read_text() and "Events.Name" in file.read_text()
    ]
    return sorted(found)


def test_damaged_parts_are_named_and_all_others_served(data: Path) -> None:
    files = ["checksums.txt", "data.bin", "columns.txt"]
    how: list[Spoil] = [cut, cut, empty]
    parts = spans_parts(data)
    assert len(parts) == HOURS
    for part, file, spoil in zip(parts, files, how, strict=False):
        spoil(part / file)
    flip(parts[-1] / "checksums.txt")
    with serving(data.parent) as running:
        assert running.said().count("is set aside (broken-on-start)") == HOURS
        for part in parts:
            assert f"part broken-on-start_{part.name} of table otel_traces" in running.said()
        document = json.loads(command("storage", "--json", "--server", running.url).stdout)
        assert document["set_aside"]["total"] == {"value": HOURS, "exact": True}
        text = command("storage", "--server", running.url)
        assert (text.returncode, text.stderr) == (0, "")
        assert "Set aside and not served: 4 damaged parts" in text.stdout
        found = command("services", *RANGE, "--server", running.url, "--json")
        assert json.loads(found.stdout)["services"][0]["spans"] == 2 * HOURS
