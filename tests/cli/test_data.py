"""Commands on a data directory that no tracer runs on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import run
from tests.cli.serving import command
from tracer.store.lock import LOCK_NAME
from tracer.units import NS_PER_S, rfc3339

START_NS = 1_700_000_000 * NS_PER_S
TRACES = 120
NORMAL = 100  # the rest waits for stock


def otlp_line(number: int) -> str:
    """A trace of two spans as an OTLP JSON line, one a second."""
    start = START_NS + number * NS_PER_S
    wait = 200_000_000 if number > NORMAL else 5_000_000
    root = {"name": "GET /", "spanId": f"{1:016x}", "kind": 2}
    call = {"name": "SELECT stock", "spanId": f"{2:016x}", "parentSpanId": f"{1:016x}", "kind": 3}
    spans = [
        {
            **span,
            "traceId": f"{number:032x}",
            "startTimeUnixNano": str(start),
            "endTimeUnixNano": str(start + duration),
        }
        for span, duration in ((root, wait + 1_000_000), (call, wait))
    ]
    service = {"key": "service.name", "value": {"stringValue": "shop"}}
    resource = {"attributes": [service]}
    document = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}
    return json.dumps(document) + "\n"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "traces.jsonl"
    path.write_text("".join(otlp_line(number) for number in range(1, TRACES + 1)))
    return path


@pytest.fixture(scope="module")
def data(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory that an import made."""
    directory = tmp_path_factory.mktemp("made") / "data"
    done = command("import", str(file), "--data", str(directory), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "schema": "tracer.import/1",
        "files": 1,
        "spans": 2 * TRACES,
        "rejected": 0,
        "complete": True,
        "into": str(directory),
    }
    assert not (directory / LOCK_NAME).exists()
    yield directory


MOMENTS = ("--start", rfc3339(START_NS), "--end", rfc3339(START_NS + 3600 * NS_PER_S))


def test_what_was_imported_is_analysed_at_once(data: Path) -> None:
    done = command("services", "shop", *MOMENTS, "--data", str(data), "--json")
    operations = json.loads(done.stdout)["operations"]
    assert {(one["operation"], one["spans"]) for one in operations} == {
        ("GET /", TRACES),
        ("SELECT stock", TRACES),
    }


def test_the_slow_part_is_named(data: Path) -> None:
    change = rfc3339(START_NS + NORMAL * NS_PER_S + 1)
    range_ = ("--start", change, *MOMENTS[2:])
    baseline = ("--baseline-start", MOMENTS[1], "--baseline-end", change)
    arguments = ("slow", *range_, *baseline, "--data", str(data))
    found = json.loads(command(*arguments, "--json").stdout)
    assert found["affected"]["requests"]["value"] == TRACES - NORMAL
    assert found["bottlenecks"][0]["operation"] == "SELECT stock"
    text = command(*arguments, COLUMNS="80")
    assert text.returncode == 0, text.stderr
    assert "SELECT stock" in text.stdout
    lines = [line for line in text.stdout.splitlines() if "tracer " not in line]
    assert max(map(len, lines)) <= 80
    assert f"--baseline-end {change} --data {data}" in text.stdout  # of the trace to see


def test_dependencies_are_drawn(data: Path) -> None:
    picture = command("dependencies", *MOMENTS, "--data", str(data), "--format", "dot")
    assert (picture.returncode, picture.stdout.splitlines()[0]) == (0, "digraph dependencies {")
    both = run("dependencies", "--format", "dot", "--json")
    assert (both.code, "exclude each other" in both.err) == (2, True)


def test_one_trace_is_shown(data: Path) -> None:
    done = command("trace", "a", "--data", str(data))
    assert (done.returncode, "not 16 or 32 hex digits" in done.stderr) == (2, True)
    asked = ("trace", f"{TRACES:016x}", "--data", str(data))
    raw = json.loads(command(*asked, "--no-skew-correction", "--json").stdout)["analysis"]
    assert raw["clock_skew"]["corrected"] is False
    assert "--no-skew-correction" in raw["reproduce"]
    done = command(*asked)
    assert done.returncode == 0, done.stderr
    assert "SELECT stock" in done.stdout
    assert "200ms" in done.stdout


def test_an_export_gives_back_what_was_imported(data: Path) -> None:
    done = command("export", *MOMENTS, "--data", str(data))
    ids = {
        span["traceId"]
        for line in done.stdout.splitlines()
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    }
    assert ids == {f"{number:032x}" for number in range(1, TRACES + 1)}
    assert done.stderr.startswith("exported ")


def test_an_import_of_nothing_makes_nothing(tmp_path: Path) -> None:
    missing, bad = tmp_path / "missing.json", tmp_path / "bad.json"
    bad.write_text("no json")
    for path in (missing, bad):
        done = command("import", str(path), "--data", str(tmp_path / "data"))
        assert (done.returncode, done.stdout) == (2, "")
        assert str(path) in done.stderr
