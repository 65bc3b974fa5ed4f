"""The server's certificate, as its files are at every handshake: certificates rotate in production.

Files are looked at (not read) at each handshake. New ones that cannot be used are said once in the
log, and the old ones stay: half of a rotation is not an outage.
"""

from __future__ import annotations

import logging
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tracer.errors import BadSetting

_LOG = logging.getLogger(__name__)
_Stamp = tuple[tuple[int, int, int], ...]
_UNSEEN: Final[_Stamp] = ()


@dataclass(frozen=True)
class Pems:
    """What the files held when they were read; without `client_ca` any client is served."""

    cert: bytes
    key: bytes
    client_ca: bytes | None
    context: ssl.SSLContext


class Certificates:
    """The files of the settings `tls_cert`, `tls_key` and `tls_client_ca` ('' for none).

    Raises BadSetting when they cannot be used.
    """

    def __init__(self, cert: str, key: str, client_ca: str = "") -> None:
        self._paths = {"tls_cert": cert, "tls_key": key}
        if client_ca:
            self._paths["tls_client_ca"] = client_ca
        self._lock = threading.Lock()
        self._stamp = self._look()
        self._pems = _read(self._paths)

    @property
    def asks_clients(self) -> bool:
        """Whether clients must have a certificate too."""
        return "tls_client_ca" in self._paths

    def current(self) -> Pems:
        """The newest that can be used; the same object until there is a newer one."""
        with self._lock:
            stamp = self._look()
            if stamp != self._stamp:
                self._stamp = stamp
                try:
                    self._pems = _read(self._paths)
                    _LOG.info("new certificates are in use")
                except BadSetting as error:
                    _LOG.error("new certificates cannot be used, the old ones stay: %s", error)
            return self._pems

    def server_context(self) -> ssl.SSLContext:
        """A context for a server that lives on: each handshake goes on with the current one."""

        def switch(connection: ssl.SSLObject, name: str | None, outer: ssl.SSLContext) -> None:
            connection.context = self.current().context

        context = _context(self._paths)
        context.sni_callback = switch
        return context

    def _look(self) -> _Stamp:
        try:
            stats = [Path(path).stat() for path in self._paths.values()]
        except OSError:
            return _UNSEEN
        return tuple((one.st_ino, one.st_size, one.st_mtime_ns) for one in stats)


def _read(paths: dict[str, str]) -> Pems:
    texts = {setting: _text(setting, path) for setting, path in paths.items()}
    for setting, words in (("tls_cert", b"CERTIFICATE"), ("tls_key", b"PRIVATE KEY")):
        if b"-----BEGIN" not in texts[setting] or words not in texts[setting]:
            kind = words.decode().lower()
            raise BadSetting(f"{setting} {paths[setting]!r} holds no {kind}: name a PEM file")
    if b"ENCRYPTED" in texts["tls_key"]:
        raise BadSetting(
            f"tls_key {paths['tls_key']!r} has a passphrase: store the key without one, readable "
            "by tracer alone"
        )
    context = _context(paths)
    return Pems(texts["tls_cert"], texts["tls_key"], texts.get("tls_client_ca"), context)


def _text(setting: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise BadSetting(
            f"{setting} {path!r}: {error.strerror}; name a PEM file that tracer may read"
        ) from error


def _context(paths: dict[str, str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    # No session is resumed: it would pass by the client's certificate, and by a rotation.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    try:
        context.load_cert_chain(paths["tls_cert"], paths["tls_key"])
    except (OSError, ssl.SSLError) as error:
        raise BadSetting(
            f"tls_key {paths['tls_key']!r} does not belong to tls_cert {paths['tls_cert']!r} "
            f"({error}): name the key that the certificate was made for"
        ) from error
    if client_ca := paths.get("tls_client_ca"):
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(client_ca)
        except (OSError, ssl.SSLError) as error:
            raise BadSetting(
                f"tls_client_ca {client_ca!r} cannot be used ({error}): name a PEM file with the "
                "certificates of the authorities that sign clients"
            ) from error
    return context
