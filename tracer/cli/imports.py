"""`tracer import`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from tracer.cli import options
from tracer.cli.files import FORMATS, file_format
from tracer.cli.output import note, show, show_json
from tracer.cli.source import Document, Source, open_source
from tracer.errors import TracerError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from tracer.ingest.files.account import Account


@dataclass
class Totals:
    """What came of the files so far; `files` counts those that were read to their end."""

    files: int = 0
    spans: int = 0
    rejected: int = 0
    cut_off: list[str] = field(default_factory=list)

    def document(self, into: str) -> Document:
        """`tracer.import/1`."""
        return {
            "schema": "tracer.import/1",
            "files": self.files,
            "spans": self.spans,
            "rejected": self.rejected,
            "complete": not self.cut_off,
            "into": into,
        }


@click.command("import")
@click.argument("files", nargs=-1, required=True)
@click.option("--format", "form", type=click.Choice(FORMATS), default="auto", show_default=True)
@options.source
@options.as_json
def command(
    files: tuple[str, ...], form: str, server: str | None, data: str | None, json_output: bool
) -> None:
    """Store the traces in FILES with the times they have.

    FILES are OTLP (JSON, JSON lines, protobuf), Jaeger JSON, Zipkin JSON, or Parquet or Arrow as
    tracer export writes them; plain, gzip or zstd; directories, patterns, or - for standard input.
    A data directory that does not exist yet is made. A file that is imported again counts once.

    Example: tracer import traces.jsonl --data ./data
    """
    from tracer.ingest.files.naming import expand

    names = expand(files)
    totals = Totals()
    with open_source(server, data, may_create=True) as source:
        try:
            with _progress() as progress:
                for name in names:
                    _import(source, name, form, progress, totals)
        except (TracerError, KeyboardInterrupt):
            _partly(source, totals, names, json_output)
            raise
        source.finish()
        into = source.name
    if json_output:
        show_json(totals.document(into))
    else:
        show(_summary(totals, into))


def _import(source: Source, name: str, form: str, progress: Progress, totals: Totals) -> None:
    """One file in pieces, so that memory follows the piece."""
    from tracer.columns.records import SpanRecords
    from tracer.ingest.files.account import Account
    from tracer.ingest.files.read import read_pieces, require_spans
    from tracer.ingest.files.source import open_source as open_file

    with open_file(name) as file:
        account = Account(file.name)
        task = progress.add_task(file.name, total=file.packed_size(), spans=0)
        pieces = read_pieces(file, account, format=file_format(form), ingest_ns=time.time_ns())
        for piece in pieces:
            if isinstance(piece, SpanRecords):
                answer = source.store(piece)
            else:
                answer = source.store_requests(piece)
            account.spans += answer["spans"]
            totals.spans += answer["spans"]
            _count_rejected(answer, account)
            _advance(progress, task, file.packed_position(), account)
        require_spans(file, account)
    totals.files += 1
    totals.rejected += account.rejected.total()
    totals.cut_off += [account.name] if account.cut_off else []
    rejected = "; ".join(account.rejected)
    for remark in account.warnings():
        note(remark)
    if rejected:
        count = account.rejected.total()
        spans = "1 span" if count == 1 else f"{count:,} spans"
        note(f"{account.name}: {spans} rejected: {rejected}")


def _count_rejected(answer: Document, account: Account) -> None:
    """A server tells how many, and which reasons there were."""
    if answer["rejected"]:
        account.rejected["; ".join(answer.get("reasons", ()))] += answer["rejected"]


def _advance(progress: Progress, task: TaskID, position: int, account: Account) -> None:
    progress.update(task, completed=position or None, spans=account.spans)


def _partly(source: Source, totals: Totals, names: list[str], json_output: bool) -> None:
    """What is in the store although the command fails, and that to go on is safe."""
    if not totals.spans:
        return
    source.finish()
    if json_output:
        show_json({**totals.document(source.name), "complete": False})
    note(
        f"stored before it failed: {_spans(totals.spans)}, {totals.files} of {len(names)} files "
        "whole; importing them again counts nothing twice"
    )


def _summary(totals: Totals, into: str) -> str:
    what = "1 file" if totals.files == 1 else f"{totals.files:,} files"
    cut = f" ({len(totals.cut_off)} cut off)" if totals.cut_off else ""
    rejected = f", {totals.rejected:,} rejected" if totals.rejected else ""
    return f"imported {_spans(totals.spans)} of {what}{cut} into {into}{rejected}"


def _spans(count: int) -> str:
    return "1 span" if count == 1 else f"{count:,} spans"


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar on standard error when that is a terminal, else silence."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

    columns: list[Any] = [
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[spans]:,} spans", markup=False),
        TimeElapsedColumn(),
    ]
    console = Console(stderr=True, markup=False)
    with Progress(
        *columns, console=console, transient=True, disable=not sys.stderr.isatty()
    ) as progress:
        yield progress
