"""Starting on disks that are full, read-only or damaged: one sentence, exit code 4."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.serving import ANY_PORTS, command
from tests.cli.test_data import otlp_line
from tests.support.disks import fill, make_read_only, small_disk
from tracer.store.opening import damaged_definition


def made(tmp_path: Path, data: Path) -> None:
    file = tmp_path / "traces.jsonl"
    file.write_text(otlp_line(1))
    done = command("import", str(file), "--data", str(data))
    assert done.returncode == 0, done.stderr


def test_a_full_disk_and_a_read_only_one(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "200m") as disk:
        made(tmp_path, disk / "data")
        filler = fill(disk)
        for words in (["serve", *ANY_PORTS], ["services"]):
            full = command(*words, "--data", str(disk / "data"))
            assert (full.returncode, full.stdout) == (4, "")
            assert "is full" in full.stderr
            assert "--disk-budget" in full.stderr
            assert "Traceback" not in full.stderr
        filler.unlink()
        make_read_only(disk)
        locked = command("serve", *ANY_PORTS, "--data", str(disk / "data"))
        assert locked.returncode == 4
        assert "cannot be written (Read-only file system)" in locked.stderr
        assert "Traceback" not in locked.stderr


@pytest.mark.parametrize(
    ("name", "content"),
    [("tracer.sql", ""), ("tracer/tracer_facts.sql", "ATTACH TABLE _ UUID 'x' (`A` String, `B")],
)
def test_a_damaged_definition_is_named(tmp_path: Path, name: str, content: str) -> None:
    data = tmp_path / "data"
    made(tmp_path, data)
    file = data / "store" / "metadata" / name
    assert damaged_definition(data / "store") is None
    file.write_text(content)
    done = command("serve", *ANY_PORTS, "--data", str(data))
    assert done.returncode == 4
    assert f"{file} is damaged and the engine cannot start; restore that file" in done.stderr
    assert "Traceback" not in done.stderr
