"""Listening: the port asked for or a free one, or one clear error."""

from __future__ import annotations

import socket

import pytest

from tracer.errors import Unavailable
from tracer.ingest.otlp.listen import listening_socket


def test_a_taken_port_names_the_address_and_the_flag() -> None:
    with listening_socket("127.0.0.1", 0, "--api-port") as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=rf"127.0.0.1:{port} is taken.*--api-port"):
            listening_socket("127.0.0.1", port, "--api-port")


def test_accepted_connections_answer_at_once() -> None:
    """Without it every answer on a kept connection waits for a delayed acknowledgement."""
    with (
        listening_socket("127.0.0.1", 0, "--api-port") as listener,
        socket.create_connection(listener.getsockname()),
    ):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
