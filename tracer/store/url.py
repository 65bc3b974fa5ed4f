"""Where a ClickHouse server is, as one URL, and how to speak to it.

    clickhouse://user:password@host:8123/database?option=value

`clickhouses://` speaks TLS. User and password are percent-encoded where they hold `/:@%`; neither
is ever shown: not in errors, not in logs, not by `repr`. Everything that belongs to the connection
is an option of the URL, so that a store is one setting.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from tracer.errors import BadQuery, BadSetting
from tracer.units import NS_PER_S, duration_ns

SCHEMES: Final = {
    "clickhouse": "http",
    "http": "http",
    "clickhouses": "https",
    "https": "https",
}
EXAMPLE: Final = "clickhouse://user:password@host:8123/database"


@dataclass(frozen=True)
class StoreUrl:
    """A store URL, taken apart. Times are seconds."""

    interface: str  # http | https
    host: str
    port: int
    username: str = field(repr=False)
    password: str = field(repr=False)
    database: str  # '' when the URL names none
    connect_timeout: float = 5.0
    read_timeout: float = 90.0  # longer than any query may run
    ca: str = ""  # PEM file with the authorities to trust in place of the system's
    client_cert: str = ""  # PEM file that says who we are, key and all
    cluster: str = ""  # tables are replicated and sharded over this cluster
    async_insert: bool = False  # let the server gather the blocks of many receivers

    @property
    def shown(self) -> str:
        """The URL without credentials and options."""
        scheme = "clickhouses" if self.interface == "https" else "clickhouse"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}/{self.database}".rstrip("/")


def parse_store_url(url: str) -> StoreUrl:
    """Raises BadSetting, which never quotes the URL: it holds a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadSetting(
            f"the store URL is broken, its port must be 1..65535; write {EXAMPLE}"
        ) from error
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise BadSetting(f"--store {_shown(parts.scheme)} is not a ClickHouse URL; write {EXAMPLE}")
    interface = SCHEMES[parts.scheme]
    return StoreUrl(
        interface=interface,
        host=parts.hostname,
        port=port or (8443 if interface == "https" else 8123),
        username=unquote(parts.username or "default"),
        password=unquote(parts.password or ""),
        database=unquote(parts.path.strip("/")),
        **_options(parts.query),
    )


def _shown(scheme: str) -> str:
    return f"{scheme}://…" if scheme else "without a scheme"


def _options(query: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name not in _PARSERS:
            raise BadSetting(
                f"option {name!r} of the store URL is unknown; it takes {', '.join(_PARSERS)}"
            )
        try:
            found[name] = _PARSERS[name](text)
        except (ValueError, BadQuery) as error:
            raise BadSetting(f"option {name} = {text!r} of the store URL: {error}") from error
    return found


def _flag(text: str) -> bool:
    if text not in ("0", "1", "true", "false"):
        raise ValueError("must be 1 or 0")
    return text in ("1", "true")


def _seconds(text: str) -> float:
    seconds = duration_ns(text) / NS_PER_S
    if not 0 < seconds <= 3600:
        raise ValueError("must be more than 0s and at most 1h")
    return seconds


def _readable(text: str) -> str:
    if not Path(text).is_file():
        raise ValueError("there is no such file")
    return text


def _name(text: str) -> str:
    if not text.replace("_", "").replace("-", "").replace(".", "").isalnum():
        raise ValueError("a cluster has letters, digits, '_', '-' and '.' in its name")
    return text


_PARSERS: Final[dict[str, Callable[[str], Any]]] = {
    "connect_timeout": _seconds,
    "read_timeout": _seconds,
    "ca": _readable,
    "client_cert": _readable,
    "cluster": _name,
    "async_insert": _flag,
}
