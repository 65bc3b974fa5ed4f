"""Recorded runs: what is written is read, and what is damaged is named."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.runs import shop_run, shop_runs
from tracer.errors import BadInput
from tracer.ingest.files.recorded import is_recorded, read_recorded, write_recorded


@pytest.fixture
def body() -> bytes:
    return write_recorded(shop_runs(1, 2, requests=30), {"load": "30", "commit": "4f2c1d0"})


def written(directory: Path, body: bytes) -> Path:
    path = directory / "baseline.json"
    path.write_bytes(body)
    return path


def test_what_is_written_is_read(tmp_path: Path, body: bytes) -> None:
    path = written(tmp_path, body)
    assert is_recorded(path)
    runs, said = read_recorded(path)
    assert said == {"commit": "4f2c1d0", "load": "30"}
    for run, original in zip(runs, shop_runs(1, 2, requests=30), strict=True):
        for field in fields(run):
            one, other = getattr(run, field.name), getattr(original, field.name)
            if isinstance(one, np.ndarray):
                assert one == pytest.approx(other, rel=1e-8)
                assert one.dtype == other.dtype
            else:
                assert one == other


def test_the_same_runs_give_the_same_bytes(tmp_path: Path, body: bytes) -> None:
    assert write_recorded(*read_recorded(written(tmp_path, body))) == body
    json.loads(body)


def test_other_files_are_not_taken_for_one(tmp_path: Path) -> None:
    assert not is_recorded(written(tmp_path, b'{"resourceSpans":[]}'))
    assert not is_recorded(written(tmp_path, b""))
    assert not is_recorded(tmp_path / "missing")


def test_an_indented_file_is_one(tmp_path: Path, body: bytes) -> None:
    path = written(tmp_path, json.dumps(json.loads(body), indent=2).encode())
    assert is_recorded(path)
    assert write_recorded(*read_recorded(path)) == body


def test_another_version_is_named(tmp_path: Path, body: bytes) -> None:
    path = written(tmp_path, body.replace(b"baseline/1", b"baseline/2"))
    assert is_recorded(path)
    with pytest.raises(BadInput, match=r"schema 'tracer.check-baseline/2', and this tracer reads"):
        read_recorded(path)


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.99])
def test_a_cut_file_is_named(tmp_path: Path, body: bytes, kept: float) -> None:
    with pytest.raises(BadInput, match=r"baseline.json is cut off or damaged"):
        read_recorded(written(tmp_path, body[: int(len(body) * kept)]))


def changed(body: bytes, *way: Any) -> bytes:
    """One value replaced: keys down to it, then what it becomes."""
    document = json.loads(body)
    at = document
    for key in way[:-2]:
        at = at[key]
    at[way[-2]] = way[-1]
    return json.dumps(document).encode()


PATH = ("runs", 0, "paths", 1)
DAMAGED = [
    (("runs", []), "holds no run"),
    (("sums", ["calls"]), "holds other sums"),
    ((*PATH, 0, 7), "call path 1 is not as written"),
    ((*PATH, 5, [1, 2]), "call path 1 is not as written"),
    ((*PATH, 6, [1]), "call path 1 is not as written"),
    ((*PATH, 6, [1, 2, 0, 3]), "do not ascend"),
    ((*PATH, 6, [1, -2]), "not a number"),
    ((*PATH, 6, [1e9, 2]), "do not ascend"),
    ((*PATH, 4, "client"), "is cut off or damaged"),
    (("runs", 0, "flaws", "traces", "many"), "is cut off or damaged"),
    (("runs", 0, "flaws", {"luck": 1}), "is damaged"),
]


@pytest.mark.parametrize(("way", "message"), DAMAGED, ids=[str(one[0]) for one in DAMAGED])
def test_damage_is_named(tmp_path: Path, body: bytes, way: tuple[Any, ...], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        read_recorded(written(tmp_path, changed(body, *way)))


def test_a_path_that_stands_there_twice_is_damage(tmp_path: Path, body: bytes) -> None:
    document = json.loads(body)
    paths = document["runs"][0]["paths"]
    paths.append(paths[1])
    with pytest.raises(BadInput, match="stands there twice"):
        read_recorded(written(tmp_path, json.dumps(document).encode()))


def test_names_of_any_kind_survive(tmp_path: Path) -> None:
    run = shop_run(1, 10)
    said = {"commit": 'a"\n\u2028'}
    runs, found = read_recorded(written(tmp_path, write_recorded([run], said)))
    assert (runs[0].steps, found) == (run.steps, said)
