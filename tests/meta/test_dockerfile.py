"""The image keeps the rules of good images; read as text, for no Docker is needed to check them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from tracer import __version__
from tracer.cli.main import COMMANDS
from tracer.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


class Step(NamedTuple):
    """One instruction, its lines joined."""

    word: str
    rest: str


def read(text: str) -> list[Step]:
    """The instructions, without comments."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [Step(*line.split(maxsplit=1)) for line in joined.splitlines()]


STEPS = read((ROOT / "deploy" / "Dockerfile").read_text())
LAST_FROM = max(number for number, step in enumerate(STEPS) if step.word == "FROM")
FINAL = STEPS[LAST_FROM:]


def said(word: str, steps: list[Step] = FINAL) -> list[str]:
    """What the instructions of this kind say."""
    return [step.rest for step in steps if step.word == word]


def test_every_base_is_a_release_and_not_whatever_is_newest() -> None:
    (base,) = [rest.removeprefix("BASE=") for rest in said("ARG", STEPS) if "BASE=" in rest]
    assert re.fullmatch(r"python:3\.\d+-slim-[a-z]+(@sha256:[0-9a-f]{64})?", base)
    assert all(rest.split()[0] == "${BASE}" for rest in said("FROM", STEPS))
    assert len(said("FROM", STEPS)) == 2  # what builds is not what ships


def test_nothing_comes_from_elsewhere_than_the_checkout_and_the_pinned_packages() -> None:
    assert said("ADD", STEPS) == []
    runs = " && ".join(said("RUN", STEPS))
    assert not re.search(r"curl|wget|https?://|git clone|sudo", runs)
    pips = [part for part in runs.split("&&") if re.match(r"\s*pip ", part)]
    assert len(pips) == 3
    for part in pips:
        assert "--no-cache-dir" in part
        assert any(
            pin in part for pin in ("--constraint constraints.txt", "--no-deps", "--no-index")
        )


def test_package_lists_of_the_base_do_not_stay() -> None:
    for run in said("RUN", STEPS):
        if "apt-get" in run:
            assert "--no-install-recommends" in run
            assert "rm -rf /var/lib/apt/lists" in run


def test_it_runs_as_a_user_by_number_who_owns_the_data_and_not_the_code() -> None:
    (user,) = said("USER")
    uid, gid = map(int, user.split(":"))
    assert min(uid, gid) >= 10_000
    runs = " ".join(said("RUN"))
    assert f"--uid {uid} --gid {gid}" in runs
    assert f"--owner={uid} --group={gid}" in runs
    assert all("--chown" not in rest for rest in said("COPY"))
    (volume,) = said("VOLUME")
    assert json.loads(volume) == said("WORKDIR") == ["/var/lib/tracer"]
    for name in ("TRACER_DATA", "TMPDIR"):  # so that the rest of the root may be read-only
        assert f"{name}=/var/lib/tracer" in said("ENV")[0]


@pytest.mark.parametrize("word", ["ENTRYPOINT", "CMD"])
def test_no_shell_stands_between_signals_and_tracer(word: str) -> None:
    (form,) = said(word)
    assert all(isinstance(argument, str) for argument in json.loads(form))


def test_it_serves_on_the_ports_it_names_and_says_that_everyone_may_come() -> None:
    assert json.loads(said("ENTRYPOINT")[0]) == ["tracer"]
    command, *flags = json.loads(said("CMD")[0])
    assert command in COMMANDS
    assert flags == ["--host", "0.0.0.0", "--allow-unauthenticated"]
    ports = (Settings.otlp_grpc_port, Settings.otlp_http_port, Settings.api_port)
    assert tuple(map(int, said("EXPOSE")[0].split())) == ports
    assert said("STOPSIGNAL") == ["SIGTERM"]


def test_its_health_is_asked_by_a_command_that_exists() -> None:
    (check,) = said("HEALTHCHECK")
    program, command = json.loads(check.partition("CMD ")[2])
    assert (program, command in COMMANDS) == ("tracer", True)
    assert all(f"--{word}=" in check for word in ("interval", "timeout", "start-period", "retries"))


def test_its_labels_are_true() -> None:
    (labels,) = said("LABEL")
    assert set(re.findall(r"org\.opencontainers\.image\.(\w+)=", labels)) == {
        "title",
        "description",
        "licenses",
        "version",
        "revision",
        "created",
    }
    assert f"VERSION={__version__}" in said("ARG")


def test_the_build_sees_what_it_copies_and_nothing_else() -> None:
    ignore = (ROOT / ".dockerignore").read_text().split("\n")
    shown = {line[1:] for line in ignore if line.startswith("!")}
    copied = {
        name
        for rest in said("COPY", STEPS)
        if not rest.startswith("--from")
        for name in rest.split()[:-1]
    }
    assert "*" in ignore
    assert shown == copied
    assert all((ROOT / name).exists() for name in shown)
