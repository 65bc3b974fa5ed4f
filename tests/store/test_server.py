"""The server size: what a network does to it, and what nobody may see of it."""

from __future__ import annotations

import dataclasses
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pyarrow as pa
import pytest

from tests.support.clickhouse_http import PASSWORD
from tests.support.engine import LONG
from tests.support.records import records, span
from tests.support.server import new_database, server_url, stand_in
from tests.support.wire import Wire, wire
from tracer.errors import StoreFailure, Unavailable
from tracer.store.engine import Engine, open_server
from tracer.store.store import open_store
from tracer.store.writer import write_spans

QUICK = "?connect_timeout=2s&read_timeout=20s"


@contextmanager
def wired() -> Iterator[tuple[Engine, Wire]]:
    """A store as `tracer serve` opens it, at the other end of a wire."""
    parts = urlsplit(server_url(new_database()))
    account = parts.netloc.rpartition("@")[0]
    with wire((parts.hostname or "", parts.port or 8123)) as passing:
        netloc = f"{account}@127.0.0.1:{passing.port}"
        url = urlunsplit((parts.scheme, netloc, parts.path, "", "")) + QUICK
        settings = dataclasses.replace(LONG, store=url)
        with closing(open_store(settings)) as store:
            yield store.engine, passing
            store.engine.command(f"DROP DATABASE `{store.engine.database}`")


@pytest.fixture(scope="module")
def far() -> Iterator[tuple[Engine, Wire]]:
    with wired() as opened:
        yield opened


def _count(engine: Engine, service: str) -> int:
    rows = engine.rows(
        "SELECT count() FROM otel_traces WHERE ServiceName = {service:String}", {"service": service}
    )
    return int(rows[0][0])


@pytest.mark.parametrize("answers", [1, 2])
def test_an_insert_whose_answer_is_lost_is_stored_once(
    far: tuple[Engine, Wire], answers: int
) -> None:
    engine, passing = far
    service = f"lost-{answers}"
    before = passing.lost
    passing.lose_answers(answers)
    engine.insert("otel_traces", _spans(service))
    assert passing.lost == before + answers
    assert _count(engine, service) == 3


def test_the_same_rows_inserted_twice_are_there_twice(far: tuple[Engine, Wire]) -> None:
    engine, _ = far
    for _ in range(2):
        engine.insert("otel_traces", _spans("twice"))
    assert _count(engine, "twice") == 6


def test_a_server_that_went_away_is_waited_for(
    far: tuple[Engine, Wire], caplog: pytest.LogCaptureFixture
) -> None:
    engine, passing = far
    passing.cut()
    for ask in (
        lambda: write_spans(engine, records([span(1, 1, service="back")])),
        lambda: engine.rows("SELECT 1"),
        lambda: engine.arrow("SELECT 1"),
        lambda: engine.command("SELECT 1"),
    ):
        with pytest.raises(Unavailable, match="the store is away") as caught:
            ask()
        assert caught.value.retry_after_s > 0
        assert PASSWORD not in str(caught.value)
    assert [one.name for one in caplog.records] == [], "whoever asks tells of it, and nobody else"
    passing.mend()
    write_spans(engine, records([span(1, 1, service="back")]))
    assert _count(engine, "back") == 1


def test_an_answer_cut_in_the_middle_is_no_answer(far: tuple[Engine, Wire]) -> None:
    engine, passing = far
    passing.lose_answers(9)  # the client asks again by itself, but not for ever
    with pytest.raises(Unavailable):
        engine.rows("SELECT number FROM numbers(10)")
    passing.lose_answers(0)
    assert len(engine.rows("SELECT number FROM numbers(10)")) == 10


def test_long_and_odd_parameters_arrive(far: tuple[Engine, Wire]) -> None:
    engine, _ = far
    for odd in ("it's", "a\\b\n\tc", "☃", "%7B{x:String}", "", "x" * 100_000):
        assert engine.rows("SELECT {odd:String}", {"odd": odd}) == [(odd,)]
        assert engine.arrow("SELECT {odd:String} AS odd", {"odd": odd})["odd"].to_pylist() == [odd]


def test_a_refusal_keeps_its_code_and_no_password(far: tuple[Engine, Wire]) -> None:
    engine, _ = far
    with pytest.raises(StoreFailure, match="Code: 60") as caught:
        engine.rows("SELECT 1 FROM no_such_table")
    assert PASSWORD not in str(caught.value)


def test_a_wrong_password_is_told_and_not_shown() -> None:
    parts = urlsplit(server_url("any"))
    netloc = f"nobody:hunter2@{parts.netloc.rpartition('@')[2]}"
    with pytest.raises(Unavailable, match="account") as caught:
        open_server(urlunsplit((parts.scheme, netloc, "/any", "", "")))
    assert "hunter2" not in str(caught.value)


def test_nobody_at_home() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unavailable, match=f"clickhouse://127.0.0.1:{port}/d cannot be used") as it:
        open_server(f"clickhouse://me:hunter2@127.0.0.1:{port}/d")
    assert "refused" in str(it.value)
    assert "hunter2" not in str(it.value)


def test_a_server_that_never_answers_is_not_waited_for() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(Unavailable, match="timed out"):
            open_server(f"clickhouse://127.0.0.1:{port}/d?read_timeout=200ms")


@pytest.mark.skipif(not shutil.which("openssl"), reason="makes its certificate with openssl")
def test_tls_trusts_the_authority_it_is_given(tmp_path: Path) -> None:
    subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    key, both = tmp_path / "key.pem", tmp_path / "both.pem"
    certificate = tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", str(key), "-out", str(certificate), *subject),
        ],
        check=True,
        capture_output=True,
    )
    both.write_text(certificate.read_text() + key.read_text())
    with stand_in(tmp_path, certificate=str(both)) as server:
        url = server.url("d", scheme="clickhouses")
        with closing(open_server(f"{url}?ca={certificate}")) as engine:
            assert engine.rows("SELECT 1") == [(1,)]
        with pytest.raises(Unavailable, match=r"(?i)certificate"):
            open_server(url)


def _spans(service: str) -> pa.Table:
    rows = [span(7, number + 1, service=service) for number in range(3)]
    return pa.Table.from_batches([records(rows).batch])
