"""A part that is damaged while we run: named, set aside, and all others answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.damage import Spoil, cut, flip, remove
from tests.support.records import EPOCH, SECOND, records, span
from tracer.errors import StoreFailure, codes
from tracer.store.damage import DamagedError, as_damage
from tracer.store.engine import Engine, translate
from tracer.store.inventory import read_set_aside
from tracer.store.writer import write_spans

HOUR = 3600 * SECOND


def parts(engine: Engine) -> dict[str, Path]:
    """Three parts of ten spans, by name, oldest first."""
    engine.command("SYSTEM STOP MERGES otel_traces")
    for ago in (2, 1, 0):
        write_spans(
            engine, records(span(ago + 1, n + 1, start=EPOCH - ago * HOUR) for n in range(10))
        )
    rows = engine.rows(
        "SELECT name, path FROM system.parts WHERE database = currentDatabase() "
        "AND table = 'otel_traces' AND active ORDER BY name"
    )
    return {str(row[0]): Path(str(row[1])) for row in rows}


@pytest.mark.parametrize("spoil", [flip, cut, remove])
@pytest.mark.parametrize("file", ["data.bin", "data.cmrk4"])
def test_a_damaged_part_is_set_aside_and_the_rest_answers(
    engine: Engine, spoil: Spoil, file: str, caplog: pytest.LogCaptureFixture
) -> None:
    found = parts(engine)
    spoiled = next(iter(found))
    spoil(found[spoiled] / file)
    rows = engine.rows("SELECT count(), sum(cityHash64(*)) > 0 FROM otel_traces WHERE TraceId > ''")
    assert (int(rows[0][0]), bool(rows[0][1])) == (20, True)
    (aside,) = read_set_aside(engine)
    assert (aside.table, aside.part) == ("otel_traces", spoiled)
    assert Path(aside.path).is_dir()
    assert f"part {spoiled} of table otel_traces is damaged and was set aside" in caplog.text
    assert engine.arrow("SELECT count() AS n FROM otel_traces")["n"].to_pylist() == [20]


def test_all_parts_damaged_leave_an_empty_table(engine: Engine) -> None:
    for path in parts(engine).values():
        flip(path / "data.bin")
    assert engine.rows("SELECT sum(cityHash64(*)) FROM otel_traces")[0][0] == 0
    assert len(read_set_aside(engine)) == 3


def test_a_part_that_was_only_misread_is_kept(engine: Engine) -> None:
    """The memory or the cable was bad for a moment, not the disk."""
    part = next(iter(parts(engine)))
    uuid = engine.rows(
        "SELECT uuid FROM system.tables WHERE database = currentDatabase() AND name = 'otel_traces'"
    )
    misread = [DamagedError("", str(uuid[0][0]), part)]

    def ask(reader: object) -> str:
        if misread:
            raise misread.pop()
        return "answer"

    assert engine._read(ask) == "answer"
    assert read_set_aside(engine) == []


def test_damage_without_a_name_is_an_error_that_says_what_to_do() -> None:
    error = translate(RuntimeError("Code: 40. DB::Exception: Checksum doesn't match"))
    assert isinstance(error, DamagedError)
    assert "tracer storage" in str(error)
    assert codes(error) == codes(StoreFailure(""))
    assert as_damage(53, "Code: 53. Type mismatch", "") is None


PART = "/d/store/e3f/e3f26725-7386-49f4-af2c-640a646e0003/498773_6_6_0/"


@pytest.mark.parametrize(
    "text",
    [
        f"Code: 33. DB::Exception: Cannot read all data: (while reading from part {PART} in table",
        f"Code: 1001. DB::Exception: filesystem error: in file_size: ... [{PART}data.cmrk4]",
    ],
)
def test_damage_names_the_part(text: str) -> None:
    error = translate(RuntimeError(text))
    assert isinstance(error, DamagedError)
    assert error.part == "498773_6_6_0"
    assert "part 498773_6_6_0 is damaged" in str(error)
