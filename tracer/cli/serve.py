"""`tracer serve`: the one command that knows the web door.

    bind API port -> open store, start receivers -> serve -> signal -> drain -> stop API -> close

The API's port is bound first, so that its real address can stand in the lock of the data
directory; it answers once everything else runs, and until everything accepted is stored: whoever
asks meanwhile is told that no more is taken.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import click

from tracer.cli.output import note
from tracer.cli.settings_flags import settings_flags
from tracer.errors import BadSetting, TracerError, codes
from tracer.settings import Settings, load

if TYPE_CHECKING:
    from tracer.ingest.otlp.tls import Certificates
    from tracer.service.serve import Service

log = logging.getLogger("tracer.serve")

API_GRACE_S: Final = 10
LOOK_S: Final = 0.05  # between looks for a signal
REACHABLE_AS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


@click.command("serve")
@settings_flags
@click.option("--config", metavar="FILE", help="TOML file with settings [$TRACER_CONFIG].")
@click.option(
    "--ports-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the ports to this file as JSON once ready (port 0 picks a free one).",
)
def command(config: str | None, ports_file: Path | None, **flags: str | None) -> int:
    """Receive traces, analyse them and answer questions, in one process or in one each (--role).

    Every flag is also a variable (--api-port is TRACER_API_PORT) and a key of the settings file
    (api_port). Ends on SIGTERM or Ctrl-C once everything accepted is stored.

    Example: tracer serve --data ./data --otlp-grpc-port 4317
    """
    settings = load(flags, os.environ, config)
    from tracer.telemetry.log import configure_logging

    configure_logging(settings.log_level, settings.log_format)
    try:
        if ports_file:
            _writable(ports_file)
        with _until_signal() as stop:
            _serve(settings, ports_file, stop)
    except TracerError as error:
        if settings.log_format == "text":
            raise
        log.critical("%s", error)  # whoever reads JSON reads nothing else
        return codes(error).exit
    return 0


class _Stop:
    """Whether a signal came."""

    def __init__(self) -> None:
        self.asked = False

    def ask(self, number: int, frame: FrameType | None) -> None:
        """The signal handler. A second signal changes nothing: what is accepted gets stored."""
        self.asked = True


@contextmanager
def _until_signal() -> Iterator[_Stop]:
    stop = _Stop()
    before = {one: signal.signal(one, stop.ask) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _serve(settings: Settings, ports_file: Path | None, stop: _Stop) -> None:
    from tracer.ingest.otlp.listen import address, listening_socket
    from tracer.service.from_settings import certificates_of
    from tracer.service.serve import start_service

    certificates = certificates_of(settings)
    scheme = "https" if certificates else "http"
    listener = listening_socket(settings.host, settings.api_port, "--api-port")
    with listener:
        api_port = int(listener.getsockname()[1])
        shown_host = REACHABLE_AS.get(settings.host, settings.host)
        api_url = f"{scheme}://{address(shown_host, api_port)}"
        service = start_service(settings, api_url=api_url, certificates=certificates)
        try:

            def ready() -> None:
                otlp = ""
                if service.grpc_port and service.http_port:
                    otlp = (
                        f", OTLP/gRPC {address(shown_host, service.grpc_port)}, "
                        f"OTLP/HTTP {scheme}://{address(shown_host, service.http_port)}/v1/traces"
                    )
                role = "" if settings.role == "all" else f" to {settings.role}"
                say = note if settings.log_format == "text" else log.info
                say(f"tracer is ready{role}: API {api_url}{otlp}")
                if ports_file:
                    _write_ports(ports_file, service, api_port)

            _answer(service, settings, listener, stop, ready=ready, certificates=certificates)
        finally:
            service.close()
            if ports_file:
                ports_file.unlink(missing_ok=True)


def _answer(
    service: Service,
    settings: Settings,
    listener: socket.socket,
    stop: _Stop,
    *,
    ready: Callable[[], None],
    certificates: Certificates | None,
) -> None:
    """The API in this thread, until a stop is asked for and the service has drained."""
    import uvicorn

    from api.app import create_app
    from tracer.ingest.otlp.http_connection import http_config
    from tracer.service.from_settings import limits_of

    class Announcing(uvicorn.Server):
        """Tells when it is up; a signal ends it once the receivers have answered what they took.

        Until then it answers, above all that it is not ready.
        """

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                ready()

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            stop.ask(sig, frame)

        async def main_loop(self) -> None:
            ticking = asyncio.create_task(super().main_loop())
            while not stop.asked:
                await asyncio.sleep(LOOK_S)
            await asyncio.to_thread(service.drain)
            self.should_exit = True
            await ticking

    config = http_config(
        create_app(service, settings=settings),
        limits_of(settings),
        certificates,
        timeout_graceful_shutdown=API_GRACE_S,
    )
    if not stop.asked:
        Announcing(config).run([listener])


def _writable(path: Path) -> None:
    """Takes away what an earlier run left. Raises BadSetting when the directory cannot be used."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise BadSetting(f"--ports-file {str(path)!r}: {error.strerror}") from error
    if not path.parent.is_dir():
        raise BadSetting(f"--ports-file {str(path)!r}: its directory does not exist; make it")


def _write_ports(path: Path, service: Service, api_port: int) -> None:
    ports: dict[str, Any] = {
        "otlp_grpc": service.grpc_port,
        "otlp_http": service.http_port,
        "api": api_port,
    }
    ports = {name: port for name, port in ports.items() if port is not None}
    beside = path.with_name(f"{path.name}.part")
    beside.write_text(json.dumps(ports) + "\n", encoding="utf-8")
    beside.replace(path)  # whoever waits for the file finds it whole
