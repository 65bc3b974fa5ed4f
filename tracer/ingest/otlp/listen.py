"""Ports to listen on, with one clear error when that is not possible."""

from __future__ import annotations

import errno
import socket

from tracer.errors import Unavailable


def listening_socket(host: str, port: int, flag: str) -> socket.socket:
    """A socket bound to `host:port`, 0 for any free port; the caller closes it.

    Raises Unavailable naming the address and the `flag` that changes it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted connections inherit it: no answer may wait 40 ms for a delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        taken = error.errno == errno.EADDRINUSE
        why = "is taken" if taken else f"cannot be listened on ({error.strerror or error})"
        raise Unavailable(
            f"{address(host, port)} {why}: choose another port with {flag}"
        ) from error
    return listener


def address(host: str, port: int) -> str:
    """`host:port`, with the brackets that IPv6 needs."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
