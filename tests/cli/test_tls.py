"""`tracer serve` and the commands that ask it, both over TLS with client certificates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from tests.cli.serving import ANY_PORTS, Server, command, serving
from tests.support.certificates import Files, issue


@pytest.fixture(scope="module")
def parties(tmp_path_factory: pytest.TempPathFactory) -> tuple[Files, Files]:
    directory = tmp_path_factory.mktemp("tls")
    return issue(directory, "server"), issue(directory, "client")


@pytest.fixture(scope="module")
def server(
    parties: tuple[Files, Files], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Reachable from other machines without --allow-unauthenticated: clients show certificates."""
    mine, theirs = parties
    flags = ("--tls-cert", mine.cert, "--tls-key", mine.key, "--tls-client-ca", theirs.ca)
    directory = tmp_path_factory.mktemp("serve")
    with serving(directory, *map(str, flags), "--host", "0.0.0.0") as running:
        yield running


def url(server: Server) -> str:
    return f"https://127.0.0.1:{server.ports['api']}"


def shown(parties: tuple[Files, Files]) -> dict[str, str]:
    mine, theirs = parties
    return {
        "TRACER_CA_FILE": str(mine.ca),
        "TRACER_CLIENT_CERT": str(theirs.cert),
        "TRACER_CLIENT_KEY": str(theirs.key),
    }


def test_every_door_speaks_tls(server: Server, parties: tuple[Files, Files]) -> None:
    assert url(server) in server.said()
    assert f"https://127.0.0.1:{server.ports['otlp_http']}/v1/traces" in server.said()
    mine, theirs = parties
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    exporter = OTLPSpanExporter(
        f"https://127.0.0.1:{server.ports['otlp_grpc']}", credentials=mine.credentials(theirs)
    )
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    provider.get_tracer("t").start_span("pay").end()
    provider.shutdown()
    with httpx.Client(verify=mine.context(theirs), trust_env=False) as client:
        assert client.get(f"{url(server)}/api/v1/health/ready").json()["ready"] is True
        assert "tracer_spans_accepted_total 1.0" in client.get(f"{url(server)}/metrics").text
        where = f"https://127.0.0.1:{server.ports['otlp_http']}/v1/traces"
        headers = {"Content-Type": "application/json"}
        assert client.post(where, content=b"{}", headers=headers).status_code == 200


def test_commands_ask_it_with_options_or_variables(
    server: Server, parties: tuple[Files, Files]
) -> None:
    flags = dict(
        zip(("--ca-file", "--client-cert", "--client-key"), shown(parties).values(), strict=True)
    )
    words = [word for pair in flags.items() for word in pair]
    by_flag = command("services", "--json", "--server", url(server), *words)
    by_lock = command("services", "--json", "--data", str(server.data), **shown(parties))
    health = command("health", "--server", url(server), **shown(parties))
    assert (health.returncode, health.stderr) == (0, "")
    for done in (by_flag, by_lock):
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["schema"] == "tracer.services/1"
    again = command("slow", "--json", "--server", url(server), *words)
    assert f"--ca-file {flags['--ca-file']}" in json.loads(again.stdout)["reproduce"]


def test_what_is_missing_is_named(server: Server, parties: tuple[Files, Files]) -> None:
    known = shown(parties)
    strange = command("services", "--server", url(server))
    assert (strange.returncode, "--ca-file" in strange.stderr) == (4, True)
    nobody = command("services", "--server", url(server), TRACER_CA_FILE=known["TRACER_CA_FILE"])
    assert (nobody.returncode, "--client-cert" in nobody.stderr) == (4, True)
    plain = command("services", "--server", url(server).replace("https", "http"))
    assert (plain.returncode, "https://" in plain.stderr) == (4, True)
    half = command("services", "--server", url(server), TRACER_CLIENT_CERT="a.pem")
    assert (half.returncode, "--client-key" in half.stderr) == (2, True)
    absent = command("services", "--server", url(server), "--ca-file", "absent.pem")
    assert (absent.returncode, "absent.pem" in absent.stderr) == (2, True)


def test_plain_text_is_refused(server: Server) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{server.ports['api']}/api/v1/health/live", trust_env=False)
    with (
        grpc.insecure_channel(f"127.0.0.1:{server.ports['otlp_grpc']}") as channel,
        pytest.raises(grpc.FutureTimeoutError),
    ):
        grpc.channel_ready_future(channel).result(0.5)


def test_a_key_of_another_keeps_it_from_starting(
    parties: tuple[Files, Files], tmp_path: Path
) -> None:
    mine, theirs = parties
    flags = ("--tls-cert", str(mine.cert), "--tls-key", str(theirs.key))
    done = command("serve", *ANY_PORTS, "--data", str(tmp_path / "data"), *flags)
    assert (done.returncode, done.stdout) == (2, "")
    assert "tls_key" in done.stderr
    assert not (tmp_path / "data").exists()
