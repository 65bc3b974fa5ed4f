"""A whole service in this process, on an empty store."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from tests.support.engine import LONG, fresh_engine
from tracer.service.serve import Service, start_on
from tracer.store.store import Store

PROTOBUF = "application/x-protobuf"
JSON = "application/json"


@contextmanager
def a_service(directory: Path, **settings: Any) -> Iterator[Service]:
    """Listening on free ports; closed at the end."""
    directory.mkdir(exist_ok=True)
    ports = {"otlp_grpc_port": 0, "otlp_http_port": 0}
    chosen = replace(LONG, data=str(directory), **{**ports, **settings})
    with fresh_engine() as engine:
        service = start_on(Store(_Kept(engine), None), chosen)  # type: ignore[arg-type]
        try:
            yield service
        finally:
            service.close()


class _Kept:
    """The engine, which the fixture closes once it has dropped its database."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def close(self) -> None:
        """Later."""


def post(service: Service, body: bytes, media_type: str = PROTOBUF) -> httpx.Response:
    """Exports over HTTP."""
    url = f"http://127.0.0.1:{service.http_port}/v1/traces"
    return httpx.post(url, content=body, headers={"content-type": media_type})


def metric(service: Service, series: str) -> float | None:
    """The value of `name` or `name{label="value"}` as /metrics prints it."""
    for line in service.metrics().decode().splitlines():
        if line.startswith(f"{series} "):
            return float(line.rpartition(" ")[2])
    return None


def families(service: Service) -> dict[str, tuple[str, str]]:
    """Kind and meaning of everything that /metrics names."""
    text = service.metrics().decode()
    meanings = dict(re.findall(r"^# HELP (\S+) (.*)$", text, re.MULTILINE))
    kinds = dict(re.findall(r"^# TYPE (\S+) (.*)$", text, re.MULTILINE))
    return {name: (kind, meanings[name]) for name, kind in kinds.items()}
