"""The whole shop: starts its processes, turns its faults, ends it."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tracer.demo import children, environment, topology
from tracer.demo.children import Child, DemoFailure
from tracer.demo.environment import Birth
from tracer.demo.faults import Fault
from tracer.demo.loopback import HOST, Json, send
from tracer.demo.topology import Service

CONTROL_S: Final = 10.0
FLUSH_MS: Final = 1000  # how long the SDKs gather spans before they send them
_BACKLOG: Final = 128


class Shop:
    """Owns the listening sockets; the processes inherit them.

    So a port never changes hands, and a new version takes over from the old one without a refused
    connection. `scratch` takes databases and logs; `otlp_ports` are by protocol; spans are
    sent after `flush_ms` at most.
    """

    def __init__(
        self,
        scratch: Path,
        otlp_ports: Mapping[str, int],
        flush_ms: int = FLUSH_MS,
    ) -> None:
        self._scratch = scratch
        self._otlp_ports = dict(otlp_ports)
        self._flush_ms = flush_ms
        self._listeners: dict[str, socket.socket] = {}
        self._running: dict[str, Child] = {}
        self._load: Child | None = None

    @property
    def processes(self) -> tuple[Child, ...]:
        """Everything that should be running."""
        return (*self._running.values(), *((self._load,) if self._load else ()))

    def port(self, service: str) -> int:
        """Where a service listens."""
        return int(self._listeners[service].getsockname()[1])

    def start(self) -> None:
        """Start all services; back when all of them answer."""
        for service in topology.SERVICES:
            if service.listens:
                self._listeners[service.name] = socket.create_server((HOST, 0), backlog=_BACKLOG)
        for service in topology.SERVICES:
            self._running[service.name] = self._start(service, service.version)
        for child in self._running.values():
            children.await_ready(child)

    def _start(self, service: Service, version: str) -> Child:
        descriptor = self._listeners[service.name].fileno() if service.listens else -1
        ports = {name: self.port(name) for name in self._listeners}
        birth = Birth(service.name, version, service.protocol, descriptor, ports, self._scratch)
        return children.start(
            service.name,
            f"tracer.demo.services.{service.name}",
            (),
            environment=environment.write(service, birth, self._otlp_ports, self._flush_ms),
            log=self._scratch / f"{service.name}.log",
            inherited_fds=(descriptor,) if service.listens else (),
        )

    def start_load(self, per_s: float, seed: int) -> None:
        """Send customers, `per_s` requests a second, until the end."""
        self._load = children.start(
            "load",
            "tracer.demo.load",
            (str(self.port("frontend")), str(per_s), str(seed)),
            environment=environment.clean(),
            log=self._scratch / "load.log",
        )
        children.await_ready(self._load)

    def load_tally(self) -> Json:
        """How the customers fared up to now: `answered`, `failed`, `p95_ms`; {} before any."""
        line = self._load.last_line if self._load else ""
        return dict(json.loads(line)) if line.startswith("{") else {}

    def turn(self, fault: Fault, on: bool) -> None:
        """Turn a fault on or off; back when it is."""
        if fault.new_version:
            old = topology.BY_NAME[fault.switched_in].version
            self._replace(fault.switched_in, fault.new_version if on else old)
            return
        order = {"fault": fault.name, "on": on}
        port = self.port(fault.switched_in)
        try:
            status, answer = send(port, "POST", "/_control", order, timeout_s=CONTROL_S)
        except OSError as error:
            raise DemoFailure(f"{fault.switched_in} does not take {order}: {error!r}") from error
        if status != 200:
            raise DemoFailure(f"{fault.switched_in} refused {order}: {answer}")

    def _replace(self, name: str, version: str) -> None:
        new = self._start(topology.BY_NAME[name], version)
        old, self._running[name] = self._running[name], new
        try:
            children.await_ready(new)
        finally:
            children.end((old,))

    def end(self) -> None:
        """End everything: those who only ask first, so that nobody finds a closed door."""
        asking = [child for name, child in self._running.items() if name not in self._listeners]
        children.end((*asking, *((self._load,) if self._load else ())))
        self._load = None
        children.end(self._running.values())
        self._running.clear()
        for listener in self._listeners.values():
            listener.close()
        self._listeners.clear()
