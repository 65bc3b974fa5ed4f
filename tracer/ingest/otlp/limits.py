"""What the receivers let a client take of the process, each with a setting of nearly its name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The defaults are those of the settings."""

    request_bytes: int = 64 << 20  # largest request, also after decompression; what OTLP recommends
    read_timeout_s: float = 30.0  # longest wait for the next bytes of a request
    connections: int = 1024  # open at once to one HTTP port
    streams: int = 256  # calls at once on one gRPC connection


DEFAULT_LIMITS = Limits()
