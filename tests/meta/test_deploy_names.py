"""Every command, flag, variable, setting, endpoint, metric and file that deploy/ names exists."""

from __future__ import annotations

import re
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest

from api.app import ROUTERS
from tests.support.deploy import DEPLOY, ROOT
from tracer.cli.main import COMMANDS
from tracer.settings import Settings

FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())
TEXTS = {str(path.relative_to(DEPLOY)): path.read_text(encoding="utf-8") for path in FILES}
README = TEXTS["README.md"]
SETTINGS = {row.name for row in fields(Settings)}
ROUTES = {getattr(route, "path", "") for router in ROUTERS for route in router.routes}
everywhere = pytest.mark.parametrize("name", TEXTS)


def flags_of(command: str) -> set[str]:
    """The flags that a command takes."""
    options = import_module(COMMANDS[command]).command.params
    return {flag for option in options for flag in option.opts}


@everywhere
def test_commands_and_their_flags(name: str) -> None:
    text = TEXTS[name]
    for command in re.findall(r"(?:bin/|`|tracer )tracer ([a-z]+)", text):
        assert command in COMMANDS
    lines = re.findall(r"tracer ([a-z]+)((?: --[a-z][^\n`&|]*)+)", text)
    lists = re.findall(r"\[\"?(serve)\"?,([^\]]*)\]", text)
    for command, rest in (*lines, *lists):
        flags = set(re.findall(r"--[a-z][a-z-]+", rest))
        assert flags - flags_of(command) == set()


@everywhere
def test_variables_are_settings(name: str) -> None:
    for variable in re.findall(r"(?<![A-Z_])TRACER_([A-Z_]*[A-Z])", TEXTS[name]):
        setting = variable.removesuffix("_FILE").lower()
        assert setting in SETTINGS or variable in ("CONFIG", "SERVER", "DEBUG")


@everywhere
def test_endpoints_are_routes(name: str) -> None:
    assert set(re.findall(r"/api/v1/[\w/-]*\w", TEXTS[name])) <= ROUTES
    assert "/metrics" in ROUTES


def test_what_the_page_calls_a_setting_or_a_metric_is_one() -> None:
    metrics = (ROOT / "tracer" / "OPERATIONS.md").read_text(encoding="utf-8")
    for word in re.findall(r"`([a-z]+(?:_[a-z]+)+)`", README):
        metric = word.startswith("tracer_") and f"| `{word}` |" in metrics
        assert metric or word in SETTINGS | {"no_new_privs"}, word


def test_the_page_names_every_file_and_no_other() -> None:
    rows = re.findall(r"^\| (`[^|]+) \|", README, re.MULTILINE)
    named = [DEPLOY / word for row in rows for word in re.findall(r"`([^`]+)`", row)]
    named = [path for path in named if path.name != "engine_memory"]
    assert [str(path) for path in named if not path.exists()] == []
    above = {DEPLOY / "README.md", *named}
    assert [str(path) for path in FILES if not above & {path, *path.parents}] == []


def test_links_and_paths_in_commands_lead_somewhere() -> None:
    for name, text in TEXTS.items():
        for path in re.findall(r"(?<![\w./…])deploy/[\w./-]*\w", text):
            assert (ROOT / path).exists(), (name, path)
        for path in re.findall(r"(?<![\w.])(?:\.\./)+[\w./-]*\w", text):
            assert (DEPLOY / Path(name).parent / path).exists(), (name, path)
