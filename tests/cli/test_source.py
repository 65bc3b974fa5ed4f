"""Where answers come from: server, data directory, or what the environment says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.clickhouse_http import PASSWORD
from tests.support.server import new_database, server_url
from tracer.cli.source import given, open_source
from tracer.errors import BadInput, Unavailable
from tracer.store.lock import DirectoryLock

ELSEWHERE = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("TRACER_SERVER", "TRACER_DATA", "TRACER_STORE", "TRACER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_a_server_is_asked() -> None:
    with open_source(ELSEWHERE, None) as source:
        assert source.name == ELSEWHERE


def test_the_variable_names_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACER_SERVER", ELSEWHERE)
    with open_source(None, None) as source:
        assert source.name == ELSEWHERE


def test_a_directory_that_was_named_beats_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACER_SERVER", ELSEWHERE)
    with (
        pytest.raises(BadInput, match="no store in data directory 'here'"),
        open_source(None, "here"),
    ):
        pass


def test_both_are_too_many() -> None:
    with pytest.raises(BadInput, match="exclude each other"), open_source(ELSEWHERE, "here"):
        pass


@pytest.mark.parametrize("data", [None, "here"])
def test_a_directory_without_a_store_is_not_made_one(data: str | None, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    with pytest.raises(BadInput, match=r"--data.*--server.*tracer serve"), open_source(None, data):
        pass
    assert list(tmp_path.rglob("*")) == [tmp_path / "here"]


def test_the_process_that_owns_the_directory_is_asked(tmp_path: Path) -> None:
    (tmp_path / "here" / "store").mkdir(parents=True)
    lock = DirectoryLock(tmp_path / "here", ELSEWHERE)
    try:
        with open_source(None, "here") as source:
            assert source.name == ELSEWHERE
    finally:
        lock.release()


def test_only_what_was_said_is_asked() -> None:
    words = {"service": "shop", "since": None, "limit": 10, "attribute": ()}
    assert given(words) == {"service": "shop", "limit": 10}


def test_asking_a_server_makes_no_schema_and_importing_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRACER_STORE", server_url(new_database()))
    with pytest.raises(Unavailable, match="no schema yet"), open_source(None, None):
        pass
    with open_source(None, None, may_create=True):
        pass
    with open_source(None, None) as source:
        assert PASSWORD not in source.name
        assert source.storage()["schema"] == "tracer.storage/1"
