"""TLS with real certificates: who is let in, what happens when the files change."""

from __future__ import annotations

import logging
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest

from tests.ingest.test_grpc_server import EXPORT, PATIENCE_S, Answers, receivers
from tests.ingest.test_http_server import PROTOBUF
from tests.support.certificates import Files, issue
from tracer.errors import BadSetting
from tracer.ingest.commit import Ack
from tracer.ingest.otlp.receivers import Receivers
from tracer.ingest.otlp.tls import Certificates

FINE = Answers(Ack(0, 0, ""))


@pytest.fixture
def server(tmp_path: Path) -> Files:
    return issue(tmp_path, "server")


@pytest.fixture
def client(tmp_path: Path) -> Files:
    return issue(tmp_path, "client")


@pytest.fixture
def running(server: Files) -> Iterator[Receivers]:
    running = receivers(FINE, certificates=Certificates(str(server.cert), str(server.key)))
    yield running
    running.stop(0)


@pytest.fixture
def mutual(server: Files, client: Files) -> Iterator[Receivers]:
    certificates = Certificates(str(server.cert), str(server.key), str(client.ca))
    running = receivers(FINE, certificates=certificates)
    yield running
    running.stop(0)


def over_http(running: Receivers, server: Files, client: Files | None = None) -> int:
    url = f"https://127.0.0.1:{running.http_port}/v1/traces"
    with httpx.Client(verify=server.context(client), trust_env=False) as asking:
        return asking.post(url, content=b"", headers={"Content-Type": PROTOBUF}).status_code


def over_grpc(running: Receivers, server: Files, client: Files | None = None) -> bytes:
    options = [("grpc.use_local_subchannel_pool", 1)]
    where = f"127.0.0.1:{running.grpc_port}"
    with grpc.secure_channel(where, server.credentials(client), options) as channel:
        answer: bytes = channel.unary_unary(EXPORT)(b"", timeout=PATIENCE_S)
        return answer


def is_let_in(running: Receivers, server: Files, client: Files | None = None) -> None:
    assert over_http(running, server, client) == 200
    assert over_grpc(running, server, client) == b""


def is_kept_out(running: Receivers, server: Files, client: Files | None = None) -> None:
    with pytest.raises(httpx.TransportError):
        over_http(running, server, client)
    with pytest.raises(grpc.RpcError) as refused:
        over_grpc(running, server, client)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


def rename(new: Files, old: Files) -> None:
    """Put new files in the place of old ones, as certificate managers do."""
    for one, other in ((new.cert, old.cert), (new.key, old.key), (new.ca, old.ca)):
        shutil.copy(one, one.with_suffix(".next")).replace(other)


def test_who_trusts_the_authority_is_served(running: Receivers, server: Files) -> None:
    is_let_in(running, server)


def test_who_trusts_another_authority_leaves(running: Receivers, client: Files) -> None:
    is_kept_out(running, client)


def test_plain_text_is_an_error_not_a_wait(running: Receivers) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.post(f"http://127.0.0.1:{running.http_port}/v1/traces", timeout=PATIENCE_S)
    with (
        grpc.insecure_channel(f"127.0.0.1:{running.grpc_port}") as channel,
        pytest.raises(grpc.RpcError) as refused,
    ):
        channel.unary_unary(EXPORT)(b"", timeout=PATIENCE_S)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


def test_old_versions_are_refused(running: Receivers, server: Files) -> None:
    for port in (running.http_port, running.grpc_port):
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as plain:
            # A hello of TLS 1.0, by hand: today's libraries do not write one.
            ciphers = b"\x00\x04\x00\x2f\x00\x35"
            hello = b"\x03\x01" + bytes(32) + b"\x00" + ciphers + b"\x01\x00"
            message = b"\x01" + len(hello).to_bytes(3, "big") + hello
            plain.sendall(b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message)
            answer = plain.recv(100)
        assert answer[:1] in (b"", b"\x15")  # closed, or an alert
        assert answer[5:7] in (b"", b"\x02\x46")  # fatal: protocol version


def test_a_client_needs_a_certificate_of_the_authority(
    mutual: Receivers, server: Files, client: Files, tmp_path: Path
) -> None:
    is_let_in(mutual, server, client)
    is_kept_out(mutual, server)
    is_kept_out(mutual, server, issue(tmp_path, "stranger"))


def test_new_files_are_used_for_new_connections(
    mutual: Receivers, server: Files, client: Files, tmp_path: Path
) -> None:
    is_let_in(mutual, server, client)
    before = [issue(tmp_path, name) for name in ("server-before", "client-before")]
    new_server, new_client = issue(tmp_path, "new-server"), issue(tmp_path, "new-client")
    for old, kept in zip((server, client), before, strict=True):
        rename(old, kept)
    rename(new_server, server)
    shutil.copy(new_client.ca, tmp_path / "next").replace(client.ca)
    is_let_in(mutual, new_server, new_client)
    is_kept_out(mutual, before[0], new_client)
    is_kept_out(mutual, new_server, before[1])


def test_half_of_a_rotation_changes_nothing(
    server: Files, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    certificates = Certificates(str(server.cert), str(server.key))
    before = certificates.current()
    new = issue(tmp_path, "new")
    new.cert.replace(server.cert)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert certificates.current() is before
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "tls_key" in caplog.text
    server.key.unlink()
    assert certificates.current() is before
    new.key.replace(server.key)
    assert certificates.current().key == server.key.read_bytes() != before.key
    assert certificates.current() is certificates.current()


@pytest.mark.parametrize(
    ("setting", "content", "words"),
    [
        ("tls_cert", None, "No such file"),
        ("tls_key", None, "No such file"),
        ("tls_client_ca", None, "No such file"),
        ("tls_cert", b"hello", "holds no certificate"),
        ("tls_key", b"hello", "holds no private key"),
        ("tls_key", b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n", "passphrase"),
        ("tls_client_ca", b"hello", "cannot be used"),
        ("tls_key", "other", "does not belong to tls_cert"),
    ],
)
def test_files_that_cannot_be_used_are_named(
    server: Files, client: Files, setting: str, content: bytes | str | None, words: str
) -> None:
    files = {"tls_cert": server.cert, "tls_key": server.key, "tls_client_ca": server.ca}
    if content == "other":
        files[setting] = client.key
    elif content is None:
        files[setting].unlink()
    else:
        assert isinstance(content, bytes)
        files[setting].write_bytes(content)
    with pytest.raises(BadSetting, match=words) as caught:
        Certificates(*map(str, files.values()))
    assert f"{setting} {str(files[setting])!r}" in str(caught.value)


def test_a_directory_is_no_file(server: Files, tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match=r"tls_key .*directory"):
        Certificates(str(server.cert), str(tmp_path))
