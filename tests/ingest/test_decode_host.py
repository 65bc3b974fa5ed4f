"""Whose clock timed a span: the best name of the machine that the resource has."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from tests.support.otlp import BASE_NS, request, rows, span
from tracer.ingest.otlp.decode import decode

HOSTS: list[tuple[dict[str, Any], str]] = [
    ({}, ""),
    ({"service.instance.id": "i-1"}, "i-1"),
    ({"service.instance.id": "i-1", "ip": "10.0.0.1"}, "10.0.0.1"),
    ({"ip": "10.0.0.1", "host.ip": "10.0.0.2"}, "10.0.0.2"),
    ({"host.ip": "10.0.0.2", "host.name": "box"}, "box"),
    ({"host.name": "box", "host.id": "abc"}, "abc"),
    ({"host.id": "abc", "k8s.node.name": "node-1"}, "node-1"),
    ({"k8s.node.name": "", "host.name": "box"}, "box"),
    ({"telemetry.sdk.language": "webjs"}, "browser"),
    ({"telemetry.sdk.language": "webjs", "service.instance.id": "tab-1"}, "tab-1"),
    ({"telemetry.sdk.language": "nodejs"}, ""),
]


@pytest.mark.parametrize("decoder", ["columnar", "walk"])
@pytest.mark.parametrize(("resource", "host"), HOSTS)
def test_host(resource: dict[str, Any], host: str, decoder: Literal["columnar", "walk"]) -> None:
    decoded = decode(
        [request(span(), resource=resource)], ingest_ns=BASE_NS + 5, tenant="", decoder=decoder
    )
    (row,) = rows(decoded.records)
    assert row["Host"] == host
