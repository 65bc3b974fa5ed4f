"""Every setting of the service, once: name, type, default, meaning.

One naming rule: the field `otlp_grpc_port` is the flag `--otlp-grpc-port`, the variable
`TRACER_OTLP_GRPC_PORT` and the key `otlp_grpc_port` in the TOML file named by `--config` or
`TRACER_CONFIG`. `TRACER_<NAME>_FILE` reads the value from a file (for secrets). Flags win over
variables, variables over the file, the file over defaults. Everything is validated at start.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tracer.errors import BadQuery, BadSetting
from tracer.units import NS_PER_S, duration_ns, size_bytes

PREFIX = "TRACER_"
ROLES = ("all", "receive", "analyse", "query")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise ValueError("must be a whole number") from error


def _port(text: str) -> int:
    value = _integer(text)
    if not 0 <= value <= 65535:
        raise ValueError("a port is 0..65535 (0 picks a free one)")
    return value


def _positive(text: str) -> int:
    value = _integer(text)
    if value < 1:
        raise ValueError("must be at least 1")
    return value


def _flag(text: str) -> bool:
    folded = text.strip().lower()
    if folded not in ("true", "false", "1", "0", "yes", "no"):
        raise ValueError("must be true or false")
    return folded in ("true", "1", "yes")


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _log_level(text: str) -> str:
    folded = text.strip().lower()
    if folded not in ("debug", "info", "warning", "error"):
        raise ValueError("must be debug, info, warning or error")
    return folded


def _endpoint(text: str) -> str:
    parts = urlsplit(text.strip())
    if text and (parts.scheme not in ("http", "https") or not parts.hostname or parts.username):
        raise ValueError(
            "must be an OTLP endpoint such as http://127.0.0.1:4317 (gRPC) or "
            "http://127.0.0.1:4318/v1/traces (HTTP); credentials go into OTEL_EXPORTER_OTLP_HEADERS"
        )
    return text.strip()


def _log_format(text: str) -> str:
    folded = text.strip().lower()
    if folded not in ("text", "json"):
        raise ValueError("must be text or json")
    return folded


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError("must be an IANA zone such as UTC or Europe/Berlin") from error
    return text


def setting(default: Any, parse: Callable[[str], Any], meaning: str) -> Any:
    """One row of the table below."""
    return field(default=default, metadata={"parse": parse, "meaning": meaning})


DAY_NS = duration_ns("1d")


@dataclass(frozen=True)
class Settings:
    """The table. Durations are ns, sizes are bytes."""

    data: str = setting("./data", str, "directory of the embedded store")
    store: str = setting("", str, "ClickHouse URL in place of the embedded store")
    role: str = setting(
        "all",
        str,
        "'all', or one part of it on a shared --store: 'receive', 'analyse' or 'query'",
    )
    member_expiry: int = setting(
        duration_ns("30s"),
        duration_ns,
        "on a shared --store, a process not heard of for so long is not waited for",
    )
    clock_allowance: int = setting(
        duration_ns("5s"),
        duration_ns,
        "on a shared --store, how far clocks and replicas of its servers may be apart",
    )
    host: str = setting("127.0.0.1", str, "address all listeners bind to")
    otlp_grpc_port: int = setting(4317, _port, "OTLP/gRPC port")
    otlp_http_port: int = setting(4318, _port, "OTLP/HTTP port")
    api_port: int = setting(8000, _port, "query API and web page port")
    allow_unauthenticated: bool = setting(
        False, _flag, "accept a --host that other machines can reach, without authentication"
    )
    tls_cert: str = setting(
        "", str, "PEM file with the server's certificate chain; all listeners speak TLS then"
    )
    tls_key: str = setting("", str, "PEM file with the key of tls_cert, without passphrase")
    tls_client_ca: str = setting(
        "", str, "PEM file with authorities; clients need a certificate of theirs then"
    )
    allowed_hosts: tuple[str, ...] = setting(
        (), _words, "further Host header names the API answers to, comma separated"
    )
    cors_allowed_origins: tuple[str, ...] = setting(
        (), _words, "web pages that may export over HTTP, https://*.example.com, comma separated"
    )
    cors_allowed_headers: tuple[str, ...] = setting(
        (), _words, "further request headers such pages may send, comma separated"
    )
    tenant: str = setting("", str, "tenant written on every span received")
    queue_bytes: int = setting(256 * 2**20, size_bytes, "bytes of exports waiting for commit")
    max_request_bytes: int = setting(
        64 * 2**20, size_bytes, "largest export, also after decompression"
    )
    read_timeout: int = setting(
        duration_ns("30s"), duration_ns, "longest wait for the next bytes of a request"
    )
    max_connections: int = setting(1024, _positive, "open connections to each HTTP port")
    max_streams: int = setting(256, _positive, "gRPC calls at once on one connection")
    max_block_rows: int = setting(98_304, _positive, "most spans in one commit")
    engine_memory: int = setting(2 * 2**30, size_bytes, "memory limit of the embedded engine")
    durability: str = setting(
        "process", str, "'process': survives kill -9; 'disk': survives power loss too"
    )
    settle: int = setting(duration_ns("10s"), duration_ns, "quiet time before analysis")
    root_wait: int = setting(duration_ns("60s"), duration_ns, "longest wait for a root span")
    max_trace_age: int = setting(
        duration_ns("5m"), duration_ns, "analyse a trace that is never quiet after this"
    )
    max_clock_skew: int = setting(
        duration_ns("5m"), duration_ns, "clocks off by up to this are corrected; 0s: none is"
    )
    max_services: int = setting(
        1_000, _positive, "services that statistics are kept of; further ones count as one"
    )
    max_operations: int = setting(
        2_000, _positive, "operation names of a service likewise; raw spans keep their names"
    )
    redact_keys: tuple[str, ...] = setting(
        (), _words, "further attribute keys whose values are redacted, comma separated"
    )
    user_attribute: str = setting(
        "user.id,enduser.id", str, "span attributes that name a user, first present wins"
    )
    retention_raw: int = setting(7 * DAY_NS, duration_ns, "how long spans are kept")
    retention_facts: int = setting(14 * DAY_NS, duration_ns, "how long trace facts are kept")
    retention_minutes: int = setting(35 * DAY_NS, duration_ns, "how long minute histograms live")
    retention_hours: int = setting(400 * DAY_NS, duration_ns, "how long hourly histograms live")
    disk_budget: int = setting(
        0, size_bytes, "most bytes the embedded store takes, oldest hours go first; 0: no limit"
    )
    disk_reserve: int = setting(
        0, size_bytes, "bytes of the disk kept free, whoever fills it, at our cost; 0: none"
    )
    timezone: str = setting("UTC", _zone, "zone in which hours of the week are compared")
    log_level: str = setting("info", _log_level, "debug, info, warning or error")
    log_format: str = setting("text", _log_format, "text for people, json for machines")
    self_trace: str = setting(
        "", _endpoint, "OTLP endpoint that is sent spans of tracer's own work"
    )

    def __post_init__(self) -> None:
        if self.durability not in ("process", "disk"):
            raise BadSetting(f"durability {self.durability!r} is unknown; use 'process' or 'disk'")
        if self.role not in ROLES:
            raise BadSetting(f"role {self.role!r} is unknown; use {', '.join(map(repr, ROLES))}")
        if self.role != "all" and not self.store:
            raise BadSetting(
                f"role {self.role!r} needs a ClickHouse server that other processes can reach: "
                "the embedded store belongs to one process; give --store, or --role all"
            )
        if self.member_expiry < NS_PER_S:
            raise BadSetting("member_expiry must be at least 1s: processes beat ten times in it")
        if self.store and (self.disk_budget or self.disk_reserve):
            raise BadSetting(
                "disk_budget and disk_reserve bound the embedded store; "
                "leave them out with a ClickHouse URL as store"
            )
        if bool(self.tls_cert) != bool(self.tls_key):
            missing = "tls_key" if self.tls_cert else "tls_cert"
            raise BadSetting(f"{missing} is missing; tls_cert and tls_key are given together")
        if self.tls_client_ca and not self.tls_cert:
            raise BadSetting(
                f"tls_client_ca {self.tls_client_ca!r} needs a certificate of the server too; "
                "add tls_cert and tls_key"
            )
        is_authenticated = self.tls_client_ca or self.allow_unauthenticated
        if self.host not in LOOPBACK and not is_authenticated:
            raise BadSetting(
                f"host {self.host!r} can be reached from other machines without authentication; "
                "keep 127.0.0.1, ask clients for certificates with --tls-client-ca, or add "
                "--allow-unauthenticated"
            )


def load(
    flags: Mapping[str, str | None], environment: Mapping[str, str], config: str | None = None
) -> Settings:
    """Settings from flags, `TRACER_*` variables and the TOML file; raises BadSetting."""
    config_path = config or environment.get(f"{PREFIX}CONFIG")
    stored = _read_toml(Path(config_path)) if config_path else {}
    values: dict[str, Any] = {}
    for row in fields(Settings):
        source, text = _find(row.name, flags, environment, stored)
        if text is None:
            continue
        try:
            values[row.name] = row.metadata["parse"](text)
        except (ValueError, BadQuery) as error:
            raise BadSetting(f"{source} = {text!r}: {error}") from error
    return Settings(**values)


def _find(
    name: str,
    flags: Mapping[str, str | None],
    environment: Mapping[str, str],
    stored: Mapping[str, str],
) -> tuple[str, str | None]:
    variable = f"{PREFIX}{name.upper()}"
    if flags.get(name) is not None:
        return f"--{name.replace('_', '-')}", flags[name]
    if environment.get(variable):
        return variable, environment[variable]
    if environment.get(f"{variable}_FILE"):
        path = Path(environment[f"{variable}_FILE"])
        try:
            return f"{variable}_FILE", path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise BadSetting(f"{variable}_FILE = {str(path)!r}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise BadSetting(f"{variable}_FILE = {str(path)!r} is not UTF-8 text") from error
    return f"{name} in the settings file", stored.get(name)


def _read_toml(path: Path) -> dict[str, str]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadSetting(f"settings file {str(path)!r}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadSetting(f"settings file {str(path)!r} is not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise BadSetting(f"settings file {str(path)!r} is not TOML: {error}") from error
    known = {row.name for row in fields(Settings)}
    for name in document:
        if name not in known:
            raise BadSetting(f"settings file {str(path)!r}: unknown setting {name!r}")
    return {name: _as_text(value) for name, value in document.items()}


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
