"""Trace files of any format we know, read into span records."""

from tracer.ingest.files.read import FileFormat, FileSpans, read_files

__all__ = ["FileFormat", "FileSpans", "read_files"]
