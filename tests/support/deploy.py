"""The files under deploy/, read for the tests that hold them true."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

from tracer.cli.serve import API_GRACE_S
from tracer.service.serve import DRAIN_S
from tracer.settings import Settings

ROOT: Final = Path(__file__).resolve().parents[2]
DEPLOY: Final = ROOT / "deploy"
# The API ends its answers, the receivers theirs, and then what was accepted is stored.
STOP_S: Final = API_GRACE_S + 2 * DRAIN_S
PORTS: Final = {
    "otlp-grpc": Settings.otlp_grpc_port,
    "otlp-http": Settings.otlp_http_port,
    "api": Settings.api_port,
}
UID: Final = 10001


def documents(path: Path) -> list[dict[str, Any]]:
    """Every document of a YAML file."""
    return [one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one is not None]


def merged(below: Any, above: Any) -> Any:
    """`above` laid over `below` as a strategic merge does: maps by key, lists of named things by
    name, all else replaced."""
    if isinstance(below, dict) and isinstance(above, dict):
        return {
            key: merged(below.get(key), above[key]) if key in above else below[key]
            for key in {**below, **above}
        }
    lists = isinstance(below, list) and isinstance(above, list)
    if lists and all(isinstance(one, dict) and "name" in one for one in (*below, *above)):
        by_name = {one["name"]: one for one in below}
        for one in above:
            by_name[one["name"]] = merged(by_name.get(one["name"]), one)
        return list(by_name.values())
    return above
