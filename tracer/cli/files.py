"""Trace files as commands take them: their formats, and what is to be said about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from tracer.ingest.files.read import FileFormat, FileSpans

FORMATS: Final = ("auto", "otlp", "jaeger", "zipkin", "parquet", "arrow")


def file_format(word: str) -> FileFormat:
    """One of FORMATS, as the reader types it."""
    return cast("FileFormat", word)


def remarks(found: FileSpans) -> list[str]:
    """What the reader warned of, and what it could not take."""
    rejected = [
        f"{found.sources[one.request]}: {one.count:,} "
        f"{'span' if one.count == 1 else 'spans'} rejected: {one.reason}"
        for one in found.rejected
    ]
    return [*found.warnings, *rejected]
