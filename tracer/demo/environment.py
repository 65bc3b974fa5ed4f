"""What a process of the shop is told at its birth: one frozen struct, carried by the environment.

Who it is and where its spans go stands in the standard `OTEL_*` variables, which the SDK reads.
"""

from __future__ import annotations

import json
import os
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tracer.demo.topology import ENVIRONMENT, NAMESPACE, Service

_VARIABLE: Final = "SHOP_PROCESS"


@dataclass(frozen=True)
class Birth:
    """`listen_fd` is an inherited listening socket, -1 for none; `ports` are all peers' by name."""

    service: str
    version: str
    protocol: str
    listen_fd: int
    ports: Mapping[str, int]
    data: Path


def read() -> Birth:
    """This process's own birth note."""
    note = json.loads(os.environ[_VARIABLE])
    return Birth(**{**note, "data": Path(note["data"])})


def clean() -> dict[str, str]:
    """Our environment without what would make a child talk to somebody else's collector or store.

    Loopback calls never go through a proxy.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OTEL_", "TRACER_", "SHOP_"))
    }
    return {**kept, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "PYTHONUNBUFFERED": "1"}


def write(
    service: Service, birth: Birth, otlp_ports: Mapping[str, int], flush_ms: int
) -> dict[str, str]:
    """The environment of a new process; `otlp_ports` are the collector's, by protocol."""
    note = {**vars(birth), "ports": dict(birth.ports), "data": str(birth.data)}
    environment = {**clean(), _VARIABLE: json.dumps(note)}
    if not service.protocol:
        return environment
    resource = {
        "service.namespace": NAMESPACE,
        "service.version": birth.version,
        "service.instance.id": str(uuid.uuid4()),
        "deployment.environment.name": ENVIRONMENT,
        "host.name": socket.gethostname(),
    }
    return {
        **environment,
        "OTEL_SERVICE_NAME": service.name,
        "OTEL_RESOURCE_ATTRIBUTES": ",".join(f"{key}={value}" for key, value in resource.items()),
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{otlp_ports[service.protocol]}",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "3",
        "OTEL_BSP_SCHEDULE_DELAY": str(flush_ms),
        "OTEL_PROPAGATORS": "tracecontext,baggage",
    }
