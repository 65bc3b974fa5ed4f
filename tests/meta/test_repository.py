"""What the repository promises about itself."""

from __future__ import annotations

import re
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from tracer import errors
from tracer.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


def _tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    if not listed:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed if (ROOT / name).is_file()]


def test_every_error_has_a_row_in_the_table_and_stands_in_the_drawing() -> None:
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.TracerError)
    ]
    assert set(kinds) == set(errors.CODES)
    for kind in kinds:
        assert kind.__name__ in (errors.__doc__ or "")


def test_the_nearest_row_of_the_table_counts() -> None:
    class Special(errors.BadQuery):
        pass

    assert errors.codes(Special("x")) == errors.CODES[errors.BadQuery]
    assert errors.codes(ValueError("x")).http == 500


def test_the_constraints_pin_everything_and_name_no_index() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[^\s]+", line) for line in lines), lines
    assert not any("://" in line for line in lines)


def test_the_readme_names_every_make_word() -> None:
    words = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    readme = (ROOT / "README.md").read_text()
    assert [word for word in words if f"make {word}" not in readme and word != "clean"] == []


def test_the_example_settings_file_has_every_setting_and_its_default() -> None:
    from tracer.settings import load

    example = ROOT / "deploy" / "config.example.toml"
    text = example.read_text()
    for row in fields(Settings):
        assert re.search(rf"^#? ?{row.name} = ", text, re.MULTILINE), row.name
    assert load({}, {}, str(example)) == Settings()


def test_no_file_carries_a_path_of_a_machine_or_a_package_host() -> None:
    host = re.compile(r"/(?:root|home)/\w|\"resolved\": *\"http|index-url", re.IGNORECASE)
    guilty = [
        str(path.relative_to(ROOT))
        for path in _tracked()
        if path.name != Path(__file__).name and _matches(host, path)
    ]
    assert guilty == []


def _matches(pattern: re.Pattern[str], path: Path) -> bool:
    try:
        return pattern.search(path.read_text(encoding="utf-8")) is not None
    except UnicodeDecodeError:
        return False
