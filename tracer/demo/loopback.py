"""One plain HTTP exchange between processes of this machine: no proxy, no pool, no tracing."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any, Final

HOST: Final = "127.0.0.1"

Json = dict[str, Any]


def send(
    port: int,
    method: str,
    path: str,
    body: Json | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    timeout_s: float,
) -> tuple[int, Json]:
    """Status and JSON body ({} for none). Raises OSError: TimeoutError, ConnectionError and so on.

    An answer that is no HTTP or no JSON is a ConnectionError too.
    """
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout_s)
    try:
        payload = None if body is None else json.dumps(body).encode()
        connection.request(method, path, payload, {**(headers or {}), "Connection": "close"})
        response = connection.getresponse()
        return response.status, json.loads(response.read() or b"{}")
    except (http.client.HTTPException, ValueError) as error:
        raise ConnectionError(f"{method} {path}: {error!r}") from error
    finally:
        connection.close()
