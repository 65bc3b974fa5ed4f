"""`tracer health`: what a container engine or a supervisor asks in place of curl."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click

from tracer.cli import options
from tracer.cli.output import show, show_json
from tracer.cli.trust import trust
from tracer.settings import Settings, load

NOT_READY: Final = 4
REACHABLE_AS: Final = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1", "::1": "[::1]"}


@click.command("health")
@options.source
@options.as_json
def command(server: str | None, data: str | None, json_output: bool) -> int:
    """Whether a running tracer stores exports and answers questions.

    Exit code 0 when it does, 4 when it does not or nobody answers. Without --server it asks the
    tracer that holds the data directory, else the address that the settings name.

    Example: tracer health --server http://127.0.0.1:8000
    """
    from tracer.cli.client import Remote

    with Remote(address(server, data), trust=trust()) as remote:
        health = remote.health()
    if json_output:
        show_json(health)
    else:
        parts = "".join(f"\n{name}: {state}" for name, state in health["parts"].items())
        show(f"{remote.name} is {'ready' if health['ready'] else 'not ready'}{parts}")
    return 0 if health["ready"] else NOT_READY


def address(server: str | None, data: str | None) -> str:
    """URL of the tracer to ask. A settings file that is wrong raises BadSetting."""
    url = server or ("" if data else os.environ.get("TRACER_SERVER", ""))
    if url:
        return url
    settings = load({"data": data}, os.environ)
    return _holder(settings) or _listens_at(settings)


def _holder(settings: Settings) -> str:
    if settings.store:
        return ""
    from tracer.service.open import api_of

    return api_of(Path(settings.data))


def _listens_at(settings: Settings) -> str:
    host = REACHABLE_AS.get(settings.host, settings.host)
    scheme = "https" if settings.tls_cert else "http"
    return f"{scheme}://{host}:{settings.api_port}"
