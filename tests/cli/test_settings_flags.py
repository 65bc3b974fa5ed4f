"""A flag for every setting, under the one naming rule."""

from __future__ import annotations

from dataclasses import fields

import pytest

from tests.cli.running import run
from tracer.cli.serve import command
from tracer.cli.settings_flags import default_text
from tracer.settings import Settings, load

ROWS = fields(Settings)


def test_every_setting_has_its_flag() -> None:
    options = {one.name: one.opts for one in command.params}
    assert all(options[row.name] == [f"--{row.name.replace('_', '-')}"] for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_default_that_is_shown_is_the_default(row: object) -> None:
    name = row.name  # type: ignore[attr-defined]
    shown = default_text(row)  # type: ignore[arg-type]
    if not shown:
        assert not getattr(Settings(), name)
        return
    assert getattr(load({name: shown}, {}), name) == getattr(Settings(), name)


BAD = [
    (["--otlp-grpc-port", "70000"], "--otlp-grpc-port = '70000'"),
    (["--api-port", "http"], "--api-port"),
    (["--settle", "10"], "--settle = '10'"),
    (["--queue-bytes", "lots"], "--queue-bytes"),
    (["--durability", "paper"], "durability 'paper'"),
    (["--host", "0.0.0.0"], "--allow-unauthenticated"),
    (["--timezone", "Mars"], "--timezone"),
    (["--config", "/does/not/exist.toml"], "exist.toml"),
    (["--ports-file", "/does/not/exist/ports"], "--ports-file"),
]


@pytest.mark.parametrize(("flags", "named"), BAD, ids=[" ".join(flags) for flags, _ in BAD])
def test_a_bad_setting_ends_before_anything_starts(flags: list[str], named: str) -> None:
    done = run("serve", *flags)
    assert (done.code, done.out) == (2, "")
    assert named in done.err
