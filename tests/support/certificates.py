"""Certificates made on the spot: an authority, a server of 127.0.0.1 and localhost, a client."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc
import trustme


@dataclass(frozen=True)
class Files:
    """The files of one party; `ca` is what the others need to trust it."""

    ca: Path
    cert: Path
    key: Path

    def context(self, trusted: Files | None = None) -> ssl.SSLContext:
        """What a client needs to trust this server, and to show itself as `trusted`."""
        context = ssl.create_default_context(cafile=str(self.ca))
        if trusted:
            context.load_cert_chain(trusted.cert, trusted.key)
        return context

    def credentials(self, trusted: Files | None = None) -> grpc.ChannelCredentials:
        """The same for gRPC."""
        key, cert = (trusted.key, trusted.cert) if trusted else (None, None)
        return grpc.ssl_channel_credentials(
            self.ca.read_bytes(), key and key.read_bytes(), cert and cert.read_bytes()
        )


def issue(directory: Path, name: str, authority: trustme.CA | None = None) -> Files:
    """New files `name-*.pem` in the directory, by a new authority unless one is given."""
    authority = authority or trustme.CA()
    made = authority.issue_cert("127.0.0.1", "localhost")
    files = Files(*(directory / f"{name}-{part}.pem" for part in ("ca", "cert", "key")))
    authority.cert_pem.write_to_path(files.ca)
    files.cert.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
    made.private_key_pem.write_to_path(files.key)
    return files
