"""`tracer export`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Final

import click

from tracer.cli import options
from tracer.cli.output import note, show_json
from tracer.cli.source import given, open_source
from tracer.errors import BadInput

FORMATS: Final = ("otlp", "jaeger", "parquet", "arrow")
BINARY: Final = ("parquet", "arrow")


@click.command("export")
@options.moments
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="File to write, replaced when complete [standard output].",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="otlp",
    show_default=True,
    help="otlp is JSON lines; jaeger leaves out what Jaeger has no place for.",
)
@options.source
@options.as_json
def command(
    output: Path | None,
    form: str,
    server: str | None,
    data: str | None,
    json_output: bool,
    **words: object,
) -> None:
    """Whole traces as a file that tracer and others read; everything that is stored unless a range
    is given.

    Parquet and Arrow hold the columns as they are stored. With --output, --json prints what was
    written as a document.

    Example: tracer export --since 1h --format parquet --output traces.parquet
    """
    if output is None and form in BINARY and _is_terminal():
        raise BadInput(f"{form} is not for a terminal; name a file with --output, or redirect")
    with open_source(server, data) as source:
        blocks = source.export(given(words) | {"format": form})
        if output is None:
            lines, size = _copy(blocks, sys.stdout.buffer)
        else:
            lines, size = _replace(output, blocks)
    counts = {"lines": lines} if form == "otlp" else {}
    if json_output and output:
        document = {"schema": "tracer.export/1", "file": str(output), "format": form}
        show_json({**document, **counts, "bytes": size})
        return
    what = f"{lines:,} {'line' if lines == 1 else 'lines'}, " if counts else ""
    note(f"exported {what}{size:,} bytes")


def _is_terminal() -> bool:
    return sys.stdout.isatty()


def _copy(blocks: Iterable[bytes], file: BinaryIO) -> tuple[int, int]:
    lines = size = 0
    for block in blocks:
        file.write(block)
        lines += block.count(b"\n")
        size += len(block)
    return lines, size


def _replace(path: Path, blocks: Iterable[bytes]) -> tuple[int, int]:
    """Writes beside `path` and renames at the end: what is there is never half an export."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        try:
            with beside.open("wb") as file:
                counted = _copy(blocks, file)
            beside.replace(path)
        except OSError as error:
            raise BadInput(
                f"--output {str(path)!r} cannot be written ({error.strerror}); name another file"
            ) from error
    finally:
        beside.unlink(missing_ok=True)
    return counted
