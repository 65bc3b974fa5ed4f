"""The Compose files and the collector's configuration fit tracer and each other."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.deploy import DEPLOY, PORTS, STOP_S, documents
from tracer import __version__
from tracer.settings import Settings
from tracer.units import size_bytes

(ALONE,) = documents(DEPLOY / "compose.yaml")
(WITH_SERVER,) = documents(DEPLOY / "compose.clickhouse.yaml")
(COLLECTOR,) = documents(DEPLOY / "otel-collector.yaml")
(PERSISTENT,) = documents(DEPLOY / "otel-collector.persistent.yaml")
SERVICES = {**WITH_SERVER["services"], **ALONE["services"]}
TRACER = ALONE["services"]["tracer"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_bounded_and_comes_back(name: str) -> None:
    service = SERVICES[name]
    tag = service["image"].rpartition(":")[2]
    assert re.fullmatch(r"\d+(\.\d+)+", tag)
    assert service["restart"] == "unless-stopped"
    assert "mem_limit" in service
    assert service["logging"]["options"]["max-size"]


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_loopback_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", ()))


def test_tracer_is_reached_where_it_listens_and_keeps_its_data() -> None:
    assert TRACER["image"] == f"tracer:{__version__}"
    assert {int(port.rpartition(":")[2]) for port in TRACER["ports"]} == set(PORTS.values())
    assert TRACER["volumes"] == ["tracer-data:/var/lib/tracer"]
    assert "tracer-data" in ALONE["volumes"]
    assert TRACER["environment"]["TRACER_ALLOWED_HOSTS"] == "tracer"
    dockerfile = TRACER["build"]["dockerfile"]
    assert (DEPLOY / TRACER["build"]["context"] / dockerfile).is_file()


def test_tracer_has_no_more_rights_than_it_needs_and_time_to_store() -> None:
    assert TRACER["read_only"] is True
    assert TRACER["cap_drop"] == ["ALL"]
    assert TRACER["healthcheck"]["test"] == ["CMD", "tracer", "health"]
    assert int(TRACER["stop_grace_period"].removesuffix("s")) > STOP_S
    assert size_bytes(TRACER["mem_limit"].upper() + "iB") >= 2 * Settings.engine_memory


def test_the_server_variant_has_one_password_and_waits_for_the_server() -> None:
    tracer, server = WITH_SERVER["services"]["tracer"], WITH_SERVER["services"]["clickhouse"]
    password = server["environment"]["CLICKHOUSE_PASSWORD"]
    user, database = (server["environment"][f"CLICKHOUSE_{name}"] for name in ("USER", "DB"))
    assert password.startswith("${CLICKHOUSE_PASSWORD:?")
    store = tracer["environment"]["TRACER_STORE"]
    assert store == f"clickhouse://{user}:{password}@clickhouse:8123/{database}"
    assert tracer["depends_on"]["clickhouse"]["condition"] == "service_healthy"
    assert "ports" not in server


def test_mounted_files_exist() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert not source.startswith(".") or (DEPLOY / source).is_file()


def test_the_collector_refuses_before_it_is_killed_and_names_only_what_it_has() -> None:
    for pipeline in COLLECTOR["service"]["pipelines"].values():
        assert pipeline["processors"][0] == "memory_limiter"
        for kind in ("receivers", "processors", "exporters"):
            assert set(pipeline[kind]) <= set(COLLECTOR[kind])
    for layer in (COLLECTOR, PERSISTENT):
        known = {**COLLECTOR["extensions"], **layer["extensions"]}
        assert set(layer["service"]["extensions"]) <= set(known)
    assert set(PERSISTENT["exporters"]) == set(COLLECTOR["exporters"])


@pytest.mark.parametrize("name", COLLECTOR["exporters"])
def test_an_exporter_sends_to_tracer_retries_and_is_bounded(name: str) -> None:
    exporter: dict[str, Any] = COLLECTOR["exporters"][name]
    port = PORTS["otlp-grpc" if name.startswith("otlp_grpc") else "otlp-http"]
    assert exporter["endpoint"].endswith(f":{port}")
    assert exporter["retry_on_failure"]["enabled"] is True
    queue = exporter["sending_queue"]
    assert queue["sizer"] == "bytes"
    assert queue["queue_size"] >= 2 * Settings.max_request_bytes
    assert queue["batch"]["max_size"] <= Settings.max_block_rows
