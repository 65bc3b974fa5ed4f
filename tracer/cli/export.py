"""`tracer export`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import click

from tracer.cli import options
from tracer.cli.output import note, show_json
from tracer.cli.source import given, open_source
from tracer.errors import BadInput


@click.command("export")
@options.moments
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="File to write, replaced when complete [standard output].",
)
@options.source
@options.as_json
def command(
    output: Path | None, server: str | None, data: str | None, json_output: bool, **words: object
) -> None:
    """Whole traces as OTLP JSON lines; everything that is stored unless a range is given.

    With --output, --json prints what was written as a document.

    Example: tracer export --since 1h --output traces.jsonl
    """
    with open_source(server, data) as source:
        blocks = source.export(given(words))
        if output is None:
            lines, size = _copy(blocks, sys.stdout.buffer)
        else:
            lines, size = _replace(output, blocks)
    if json_output and output:
        show_json({"schema": "tracer.export/1", "file": str(output), "lines": lines, "bytes": size})
    else:
        note(f"exported {lines:,} {'line' if lines == 1 else 'lines'}, {size:,} bytes")


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
