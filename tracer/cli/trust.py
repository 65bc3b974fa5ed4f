"""Whom the client trusts, and as whom it shows itself, to a tracer that speaks TLS."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, fields
from typing import Any

import click

from tracer.errors import BadInput


def _key(name: str) -> str:
    return f"tracer.trust.{name}"


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


@dataclass(frozen=True)
class Trust:
    """PEM files; '' is what the system trusts, and no certificate of our own."""

    ca_file: str = ""
    client_cert: str = ""
    client_key: str = ""

    def context(self) -> ssl.SSLContext | bool:
        """For connections. Raises BadInput when a file cannot be used."""
        if self == Trust():
            return True
        if bool(self.client_cert) != bool(self.client_key):
            missing = "--client-key" if self.client_cert else "--client-cert"
            raise BadInput(f"{missing} is missing; give certificate and key together")
        try:
            context = ssl.create_default_context(cafile=self.ca_file or None)
        except (OSError, ssl.SSLError) as error:
            raise BadInput(f"--ca-file {self.ca_file!r} cannot be used: {error}") from error
        if self.client_cert:
            try:
                context.load_cert_chain(self.client_cert, self.client_key, lambda: "")
            except (OSError, ssl.SSLError) as error:
                raise BadInput(
                    f"--client-cert {self.client_cert!r} with --client-key {self.client_key!r} "
                    f"cannot be used: {error}"
                ) from error
        return context

    def flags(self) -> list[str]:
        """The options that give this."""
        given = [(row.name, getattr(self, row.name)) for row in fields(self)]
        return [word for name, path in given if path for word in (_flag(name), path)]


MEANINGS = {
    "ca_file": "PEM file with the authority that signed the server's certificate",
    "client_cert": "PEM file with a certificate to show, where the server asks for one",
    "client_key": "PEM file with the key of --client-cert",
}
OPTIONS = tuple(
    click.option(
        _flag(name),
        name,
        metavar="FILE",
        expose_value=False,
        callback=lambda context, option, value: context.meta.update({_key(option.name): value}),
        help=f"{meaning} [$TRACER_{name.upper()}].",
    )
    for name, meaning in MEANINGS.items()
)


def trust() -> Trust:
    """What the options of the running command say, else the variables."""
    context = click.get_current_context(silent=True)
    said: dict[str, Any] = context.meta if context else {}
    return Trust(
        **{
            name: said.get(_key(name)) or os.environ.get(f"TRACER_{name.upper()}", "")
            for name in MEANINGS
        }
    )
