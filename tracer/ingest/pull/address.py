"""Where a source is, and which addresses a URL from somebody else may lead to.

A person at a command line may name any host. A URL that came over HTTP makes this process ask on
behalf of whoever sent it: then only addresses of the public internet are asked, each request asks
the very address that was looked at, and redirects are never followed.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

import httpx

from tracer.errors import BadInput, Unavailable

Resolve = Callable[[str, int], Sequence[str]]
# IPv6 ranges in which IPv4 addresses are wrapped: what is inside counts.
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_PASTED: Final = ("/search", "/api/v3", "/api")  # ends of URLs as people copy them


def base_url(text: str) -> str:
    """The URL without what people paste at its end. Raises BadInput for none."""
    parts = urlsplit(text.strip())
    shown = text.rpartition("@")[2]  # never a password
    try:
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise BadInput(f"source {shown!r} is not a URL; write it like http://jaeger:16686")
    if parts.username is not None or parts.password is not None:
        raise BadInput(
            f"source {shown!r} has credentials in its URL; give --source-user and "
            "$TRACER_SOURCE_PASSWORD, or $TRACER_SOURCE_TOKEN"
        )
    path = parts.path.rstrip("/")
    for end in _PASTED:
        path = path.removesuffix(end)
    return f"{parts.scheme}://{parts.netloc}{path}"


def is_public(address: str) -> bool:
    """Whether this IP address is on the public internet, whatever it is wrapped in."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inside = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inside is None and ip in _NAT64:
            inside = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inside is not None:
            return is_public(str(inside))
    return ip.is_global and not ip.is_multicast


def resolve(host: str, port: int) -> Sequence[str]:
    """IP addresses of a host. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(row[4][0]) for row in found]


class PublicOnly(httpx.BaseTransport):
    """Sends requests to public addresses only; the address that was judged is the one asked."""

    def __init__(self, inner: httpx.BaseTransport, resolve: Resolve = resolve) -> None:
        self._inner = inner
        self._resolve = resolve

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Raises BadInput for an address that is not public."""
        host = request.url.host
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        try:
            addresses = self._resolve(host, port)
        except OSError as error:
            raise Unavailable(f"source {host} has no address ({error}); check its name") from error
        for address in addresses:
            if not is_public(address):
                raise BadInput(
                    f"source {host} is at {address}, which is not a public address; pull from it "
                    "on the command line, with tracer pull"
                )
        if not addresses:
            raise Unavailable(f"source {host} has no address; check its name")
        extensions = {**request.extensions, "sni_hostname": host}
        asked = httpx.Request(
            request.method,
            request.url.copy_with(host=addresses[0]),
            headers=request.headers,  # Host stays what was asked for
            stream=request.stream,
            extensions=extensions,
        )
        return self._inner.handle_request(asked)

    def close(self) -> None:
        """Closes what it sends with."""
        self._inner.close()
