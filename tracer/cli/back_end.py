"""Options about a back end that traces are read from, and the connection they describe."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import click

from tracer.cli.trust import Trust
from tracer.errors import BadInput, BadQuery
from tracer.settings import load
from tracer.units import duration_ns, size_bytes

if TYPE_CHECKING:
    from tracer.ingest.pull.connection import Access, Patience
    from tracer.ingest.pull.contract import Source
    from tracer.ingest.pull.jaeger import Api

Command = TypeVar("Command", bound=Callable[..., Any])
KINDS: Final = ("jaeger",)
_KEY: Final = "tracer.back-end"


def _keep(context: click.Context, option: click.Parameter, value: Any) -> None:
    context.meta.setdefault(_KEY, {})[option.name] = value


def _option(flag: str, **more: Any) -> Callable[[Any], Any]:
    return click.option(flag, expose_value=False, callback=_keep, **more)


_OPTIONS: Final = (
    _option(
        "--api",
        type=click.Choice(("auto", "v3", "legacy")),
        default="auto",
        help="API of Jaeger: v3, or the older one of its web page [auto: v3 where it is].",
    ),
    _option("--source-tenant", metavar="NAME", help="Sent as x-tenant, or see --source-header."),
    _option("--source-header", metavar="NAME:VALUE", multiple=True, help="A header to send."),
    _option(
        "--source-user",
        metavar="NAME",
        help="Basic authentication, with $TRACER_SOURCE_PASSWORD; a bearer token is "
        "$TRACER_SOURCE_TOKEN. Both also from the file that …_FILE names.",
    ),
    _option("--source-ca-file", metavar="FILE", help="PEM file with its certificate's authority."),
    _option("--source-client-cert", metavar="FILE", help="PEM file with a certificate to show."),
    _option("--source-client-key", metavar="FILE", help="PEM file with its key."),
    _option(
        "--timeout",
        metavar="DURATION",
        default="2m",
        show_default=True,
        help="Longest wait for one answer; a quarter of it for its next bytes.",
    ),
    _option(
        "--attempts",
        type=click.IntRange(1, 20),
        default=4,
        show_default=True,
        help="How often one question is asked before it is given up.",
    ),
    _option(
        "--page-traces",
        type=click.IntRange(2, 10_000),
        default=200,
        show_default=True,
        help="Traces asked for at a time; where there are as many, half the time is asked for.",
    ),
    _option(
        "--max-answer",
        metavar="SIZE",
        default="512MiB",
        show_default=True,
        help="Largest answer, unpacked.",
    ),
)


def options(command: Command) -> Command:
    """All of the above."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def kind_and_url(text: str) -> tuple[str, str]:
    """`jaeger:http://host:16686` in two. Raises BadInput."""
    kind, _, url = text.partition(":")
    if kind not in KINDS or not url:
        shown = text.rpartition("@")[2]
        raise BadInput(f"source {shown!r} is not understood; write jaeger:http://host:16686")
    return kind, url


@contextmanager
def back_end(kind: str, url: str) -> Iterator[Source]:
    """The source that the running command's options describe; closed at the end."""
    from tracer.ingest.pull.connection import Connection
    from tracer.ingest.pull.jaeger import Jaeger

    said: dict[str, Any] = click.get_current_context().meta[_KEY]
    with Connection(url, _access(said), _patience(said)) as connection:
        yield Jaeger(
            connection,
            api=cast("Api", said["api"]),
            page_traces=said["page_traces"],
            tenant=load({}, os.environ).tenant,
        )


def flags() -> list[str]:
    """The options that were given, for repeating the command; none of them is a secret but the
    values of headers, which are left out."""
    context = click.get_current_context()
    words: list[str] = []
    for name, value in context.meta[_KEY].items():
        source = context.get_parameter_source(name)
        if name != "source_header" and source is click.core.ParameterSource.COMMANDLINE:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return words


def _access(said: dict[str, Any]) -> Access:
    from tracer.ingest.pull.connection import Access

    headers = [_header(text) for text in said["source_header"]]
    if said["source_tenant"]:
        headers.append(("x-tenant", said["source_tenant"]))
    trust = Trust(
        said["source_ca_file"] or "",
        said["source_client_cert"] or "",
        said["source_client_key"] or "",
    )
    token, user = _secret("TOKEN"), said["source_user"] or ""
    if token and user:
        raise BadInput("$TRACER_SOURCE_TOKEN and --source-user exclude each other; give one")
    return Access(
        tuple(headers),
        token=token,
        user=user,
        password=_secret("PASSWORD") if user else "",
        verify=_verify(trust),
    )


def _verify(trust: Trust) -> ssl.SSLContext | bool:
    try:
        return trust.context()
    except BadInput as error:  # it knows its files by the flags that a tracer's have
        raise BadInput(str(error).replace("--c", "--source-c")) from error


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise BadInput("--source-header is a name and a value with a colon between: X-Org: one")
    return name.strip(), value.strip()


def _secret(name: str) -> str:
    variable = f"TRACER_SOURCE_{name}"
    if os.environ.get(variable):
        return os.environ[variable]
    path = os.environ.get(f"{variable}_FILE")
    if not path:
        return ""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"${variable}_FILE = {path!r} cannot be read; name another file") from error


def _patience(said: dict[str, Any]) -> Patience:
    from tracer.ingest.pull.connection import Patience

    try:
        answer_s = duration_ns(said["timeout"]) / 1e9
        answer_bytes = size_bytes(said["max_answer"])
    except BadQuery as error:
        raise BadQuery(f"--timeout or --max-answer: {error}") from error
    if answer_s <= 0 or answer_bytes < 1:
        raise BadQuery("--timeout and --max-answer must be more than nothing")
    return Patience(
        connect_s=min(5.0, answer_s),
        silence_s=answer_s / 4,
        answer_s=answer_s,
        attempts=said["attempts"],
        answer_bytes=answer_bytes,
    )
