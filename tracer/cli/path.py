"""`tracer path`."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Any, Final

import click

from tracer.cli import files as reading
from tracer.cli import options
from tracer.cli.output import has_colour, note, show, show_json, width
from tracer.cli.source import again, given, open_source
from tracer.errors import BadInput

MOST: Final = 1_000
LIMITS: Final = {"text": 40, "json": 100, "folded": MOST, "speedscope": MOST}
STORED: Final = ("since", "start", "end", "server", "data")  # about what is stored, not about files


@click.command("path")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@options.names
@options.moments
@click.option(
    "--band",
    metavar="BAND",
    help="Rank by roots whose duration is in this range of percentiles among their kind, and show "
    "their traces: all, 0-50, 50-95, 95-99 or 99+ [all].",
)
@click.option(
    "--metric",
    metavar="METRIC",
    help="critical: time on the critical path; self: time in which no child runs [critical].",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(tuple(LIMITS)),
    default="text",
    show_default=True,
    help="folded: stacks for flamegraph.pl; speedscope: a file for https://www.speedscope.app.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, MOST),
    help=f"Most call paths, the widest, up to {MOST} "
    f"[{LIMITS['text']}; json {LIMITS['json']}; else {MOST}].",
)
@click.option(
    "--file-format",
    type=click.Choice(reading.FORMATS),
    default="auto",
    show_default=True,
    help="Of FILES.",
)
@options.source
@options.as_json
def command(
    *,
    files: tuple[Path, ...],
    form: str,
    limit: int | None,
    file_format: str,
    server: str | None,
    data: str | None,
    json_output: bool,
    **words: object,
) -> None:
    """Where the time of many traces goes: their call paths as one tree.

    Looks at the last hour unless a range is given, or at the traces in FILES: that needs no server
    and no data directory. With --service or --operation only traces that pass through it.

    Example: tracer path --since 1h --service checkout --band 99+
    """
    form = "json" if json_output else form
    asked = {**given(words), "limit": LIMITS[form] if limit is None else limit}
    if files:
        both = [name for name in STORED if {**words, "server": server, "data": data}.get(name)]
        if both:
            raise BadInput(f"FILES are read here; leave out --{both[0]}, or the files")
        document = _of_files(files, file_format, asked)
    else:
        with open_source(server, data) as source:
            document = again(source.critical_path(asked), server, data)
    _show(document, form)


def _of_files(files: tuple[Path, ...], form: str, asked: dict[str, Any]) -> dict[str, Any]:
    from tracer.ingest.files.read import read_files
    from tracer.report.path_json import path_choice
    from tracer.service.path_file import critical_path_of

    choice = path_choice(asked.get("metric"), asked.get("band"), asked["limit"])
    found = read_files(files, format=reading.file_format(form), ingest_ns=time.time_ns())
    said = reading.remarks(found)
    for remark in said:
        note(remark)
    names = {name: asked.get(name) for name in ("service", "operation")}
    document = critical_path_of(found.records, choice, **names)
    words = ["tracer", "path", *map(str, files)]
    words += ["--file-format", form] if form != "auto" else []
    for name in ("service", "operation", "metric", "band", "limit"):
        words += [f"--{name}", str(asked[name])] if name in asked else []
    return {**document, "notes": said, "reproduce": shlex.join(words)}


def _show(document: dict[str, Any], form: str) -> None:
    if form == "json":
        show_json(document)
    elif form == "text":
        from tracer.report.path_text import path_text

        show(path_text(document, width=width(), colour=has_colour()))
    else:
        from tracer.report.flame import folded, speedscope

        if form == "folded":
            click.echo(folded(document), nl=False)
        else:
            show_json(speedscope(document))
