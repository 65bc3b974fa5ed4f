"""`tracer import`."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from tracer.cli import options
from tracer.cli.files import FORMATS, file_format, remarks
from tracer.cli.output import note, show, show_json
from tracer.cli.source import Source, open_source

if TYPE_CHECKING:
    from rich.progress import Progress

CHUNK_SPANS: Final = 10_000


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(FORMATS), default="auto", show_default=True)
@options.source
@options.as_json
def command(
    files: tuple[Path, ...], form: str, server: str | None, data: str | None, json_output: bool
) -> None:
    """Store the traces in FILES with the times they have.

    A data directory that does not exist yet is made.

    Example: tracer import traces.jsonl --data ./data
    """
    totals: Counter[str] = Counter()
    with open_source(server, data, may_create=True) as source:
        with _progress() as progress:
            for path in files:
                totals += _import(source, path, form, progress)
        source.finish()
        into = source.name
    if json_output:
        show_json(
            {
                "schema": "tracer.import/1",
                "files": len(files),
                "spans": totals["spans"],
                "rejected": totals["rejected"],
                "into": into,
            }
        )
        return
    rejected = f", {totals['rejected']:,} rejected" if totals["rejected"] else ""
    what = "1 file" if len(files) == 1 else f"{len(files):,} files"
    spans = "1 span" if totals["spans"] == 1 else f"{totals['spans']:,} spans"
    show(f"imported {spans} of {what} into {into}{rejected}")


def _import(source: Source, path: Path, form: str, progress: Progress) -> Counter[str]:
    """One file at a time, so that memory follows the largest."""
    from tracer.columns.records import SpanRecords
    from tracer.ingest.files.read import read_files

    found = read_files([path], format=file_format(form), ingest_ns=time.time_ns())
    for remark in remarks(found):
        note(remark)
    totals = Counter(rejected=sum(one.count for one in found.rejected))
    batch = found.records.batch
    starts: Sequence[int] = range(0, len(found.records), CHUNK_SPANS)
    task = progress.add_task(path.name, total=len(found.records))
    for start in starts:
        part = SpanRecords(batch.slice(start, CHUNK_SPANS))
        answer = source.store(part)
        totals.update(spans=answer["spans"], rejected=answer["rejected"])
        progress.advance(task, len(part))
    return totals


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar on standard error when that is a terminal, else silence."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True, markup=False)
    with Progress(console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        yield progress
