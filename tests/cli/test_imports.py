"""Imports of every format, whole, in part and again; exports of them. In this process: the store is
the tests' engine, all else is what the command runs."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import Done, run
from tests.cli.test_data import MOMENTS, START_NS, otlp_line
from tests.ingest.test_files_zipkin import RECORDED
from tests.support.engine import LONG, fresh_engine
from tracer.cli.local import Local
from tracer.cli.source import Source
from tracer.ingest.files import read_files
from tracer.service.context import Context

TRACES = 20
US = START_NS // 1000
LINES = "".join(otlp_line(number) for number in range(1, TRACES + 1))
JAEGER = {
    "data": [
        {
            "traceID": f"{number:032x}",
            "spans": [
                {"spanID": "1", "operationName": "GET /", "startTime": US, "processID": "p1"}
            ],
            "processes": {"p1": {"serviceName": "old"}},
        }
        for number in range(101, 111)
    ]
}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Source]]:
    """What the commands open: the last one of the list."""
    with fresh_engine() as engine:
        opened: list[Source] = [Local(Context(engine, LONG, time.time_ns))]

        @contextmanager
        def open_last(*_: Any, **__: Any) -> Iterator[Source]:
            yield opened[-1]

        for name in ("imports", "export", "services"):
            monkeypatch.setattr(f"tracer.cli.{name}.open_source", open_last)
        yield opened


def done(*arguments: str) -> Done:
    outcome = run(*arguments)
    assert outcome.code == 0, outcome.err
    return outcome


def imported(*arguments: str) -> Any:
    return json.loads(done("import", *arguments, "--json").out)


def spans_of(service: str) -> int:
    document = json.loads(done("services", service, *MOMENTS, "--json").out)
    return sum(one["spans"] for one in document["operations"])


def files(folder: Path) -> Path:
    """Two formats, one of them packed."""
    (folder / "in").mkdir()
    (folder / "in" / "a").write_bytes(gzip.compress(LINES.encode()))
    (folder / "in" / "b").write_text(json.dumps(JAEGER))
    return folder / "in"


def test_directories_and_names_are_imported_and_again_counted_once(
    store: list[Source], tmp_path: Path
) -> None:
    arguments = (str(files(tmp_path)), str(RECORDED))
    document = imported(*arguments)
    assert (document["files"], document["spans"]) == (3, 2 * TRACES + 10 + 24)
    assert document["complete"]
    before = [spans_of(name) for name in ("shop", "old")]
    assert before == [2 * TRACES, 10]
    assert imported(*arguments) == document
    assert [spans_of(name) for name in ("shop", "old")] == before


def test_every_export_is_read_again(store: list[Source], tmp_path: Path) -> None:
    imported(str(files(tmp_path)))
    for form in ("otlp", "jaeger", "arrow", "parquet"):
        file = tmp_path / form
        document = json.loads(
            done("export", *MOMENTS, "--format", form, "--output", str(file), "--json").out
        )
        assert (document["format"], document["bytes"]) == (form, file.stat().st_size)
        assert len(read_files([file], ingest_ns=1).records) == 2 * TRACES + 10
    with fresh_engine() as engine:
        store.append(Local(Context(engine, LONG, time.time_ns)))
        assert imported(str(tmp_path / "parquet"))["spans"] == 2 * TRACES + 10
        assert spans_of("shop") == 2 * TRACES


def test_a_cut_off_file_is_not_passed_off_as_whole(store: list[Source], tmp_path: Path) -> None:
    file = tmp_path / "cut.jsonl"
    file.write_text(LINES[:-20])
    outcome = done("import", str(file))
    assert outcome.out.startswith("imported 38 spans of 1 file (1 cut off) into ")
    assert outcome.err == f"{file}: the last line ({TRACES}) is cut off and was left out\n"


def test_what_was_stored_before_a_fault_is_said(store: list[Source], tmp_path: Path) -> None:
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.json"
    good.write_text(LINES)
    bad.write_text(json.dumps(JAEGER)[:-1] + ', "x": }')
    outcome = run("import", str(good), str(bad), "--json")
    assert outcome.code == 2
    document = json.loads(outcome.out)
    assert (document["files"], document["spans"], document["complete"]) == (1, 50, False)
    said, error = outcome.err.splitlines()
    assert said == (
        "stored before it failed: 50 spans, 1 of 2 files whole; "
        "importing them again counts nothing twice"
    )
    assert error.startswith(f"tracer: {bad} is not JSON")
    assert spans_of("old") == 10


def test_spans_that_were_not_taken_are_said(store: list[Source], tmp_path: Path) -> None:
    file = tmp_path / "some.jsonl"
    file.write_text(otlp_line(1) + otlp_line(2).replace(f"{1:016x}", "0" * 16))
    outcome = done("import", str(file))
    assert outcome.out.endswith(", 1 rejected\n")
    assert outcome.err == f"{file}: 1 span rejected: span_id is all zero\n"
    file.write_text(otlp_line(2).replace(f"{2:032x}", "0" * 32))
    outcome = run("import", str(file))
    assert (outcome.code, outcome.out) == (2, "")
    assert "has no valid span (2 rejected: trace_id is all zero)" in outcome.err


def test_secrets_are_taken_out_as_of_exports(store: list[Source], tmp_path: Path) -> None:
    secret = {"key": "http.request.header.authorization", "value": {"stringValue": "Basic eA=="}}
    line = otlp_line(1).replace('"name"', f'"attributes": [{json.dumps(secret)}], "name"', 1)
    (tmp_path / "file").write_text(line)
    imported(str(tmp_path / "file"))
    exported = b"".join(store[0].export({}))
    assert b"http.request.header.authorization" in exported
    assert b"Basic eA==" not in exported


def test_columns_are_not_for_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracer.cli.export._is_terminal", lambda: True)
    outcome = run("export", "--format", "parquet", "--data", "/nowhere")
    assert (outcome.code, outcome.out) == (2, "")
    assert "parquet is not for a terminal" in outcome.err
