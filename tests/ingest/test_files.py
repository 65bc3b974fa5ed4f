"""Files of every kind we read, and of kinds we do not: spans, or an error that says what to do."""

from __future__ import annotations

import gzip
import io
import json
import re
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.otlp import TRACE_ID, plain, request, span, varint
from tracer.columns.records import SpanRecords
from tracer.errors import BadInput
from tracer.ingest.files import read_files
from tracer.ingest.files.source import CHUNK_BYTES, open_source
from tracer.ingest.files.splitting import elements
from tracer.ingest.otlp.decode import decode
from tracer.ingest.otlp.decoded import REASONS, Rejected
from tracer.ingest.otlp.encode import to_otlp_json

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

NOW_NS = 1_700_000_000_000_000_000
REQUESTS = [
    request(span(span_id=bytes([7] * 7 + [number])), resource={"service.name": "shop"})
    for number in range(1, 4)
]
WANTED: SpanRecords = decode(REQUESTS, ingest_ns=NOW_NS).records
DOCUMENTS = [to_otlp_json(decode([one], ingest_ns=1).records) for one in REQUESTS]
LINES = b"".join(orjson.dumps(document) + b"\n" for document in DOCUMENTS)
WHOLE = to_otlp_json(WANTED)
MERGED = b"".join(REQUESTS)  # concatenated messages are one message

FORMS = {
    "one object": orjson.dumps(WHOLE),
    "one object, indented": json.dumps(WHOLE, indent=2).encode(),
    "one object after a byte order mark": b"\xef\xbb\xbf" + orjson.dumps(WHOLE),
    "one object after blank lines": b"\n \n" + json.dumps(WHOLE, indent=1).encode(),
    "an array": orjson.dumps(DOCUMENTS),
    "an array, indented": json.dumps(DOCUMENTS, indent=2).encode(),
    "lines": LINES,
    "lines with blank ones": LINES.replace(b"\n", b"\n\n  \r\n"),
    "lines with CRLF": LINES.replace(b"\n", b"\r\n"),
    "lines without a last newline": LINES.rstrip(),
    "protobuf": MERGED,
    "protobuf with varint lengths": b"".join(varint(len(one)) + one for one in REQUESTS),
    "protobuf with four-byte lengths": b"".join(
        len(one).to_bytes(4, "big") + one for one in REQUESTS
    ),
    "unwrapped from Jaeger's API v3": orjson.dumps({"result": WHOLE}),
}


def write(folder: Path, content: bytes, name: str = "trace") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "gzip members": lambda content: gzip.compress(content[:9]) + gzip.compress(content[9:]),
    "zstd": zstd.compress,
    "zstd frames": lambda content: zstd.compress(content[:9]) + zstd.compress(content[9:]),
}


@pytest.mark.parametrize("pack", PACKINGS.values(), ids=PACKINGS.keys())
@pytest.mark.parametrize("content", FORMS.values(), ids=FORMS.keys())
def test_otlp_in_every_form(tmp_path: Path, content: bytes, pack: Callable[[bytes], bytes]) -> None:
    path = write(tmp_path, pack(content))
    for format in ("auto", "otlp"):
        got = read_files([path], format=format, ingest_ns=NOW_NS)  # type: ignore[arg-type]
        assert plain(got.records).equals(plain(WANTED))
        assert (got.rejected, got.warnings, got.sources) == ((), (), (str(path),))


def test_a_cut_off_last_line_is_left_out_with_a_warning(tmp_path: Path) -> None:
    path = write(tmp_path, LINES[:-20])
    got = read_files([path], format="auto", ingest_ns=NOW_NS)
    assert len(got.records) == 2
    assert got.warnings == (f"{path}: the last line (3) is cut off and was left out",)


CUT_OFF = {
    "one object": (FORMS["one object, indented"][:-3], 3, "line 43, behind a whole element"),
    "an array": (orjson.dumps(DOCUMENTS)[:-9], 2, r"line 1: \[2\]"),
    "an indented array": (json.dumps(DOCUMENTS, indent=2).encode()[:-30], 2, r"line 87: \[2\]"),
    "protobuf": (MERGED[:-3], 2, f"byte {2 * len(REQUESTS[0]):,} was"),
    "protobuf with lengths": (FORMS["protobuf with varint lengths"][:-3], 2, "byte 174 was"),
    "a length": (FORMS["protobuf with varint lengths"] + b"\xff", 3, "byte 261 was"),
}


@pytest.mark.parametrize(("content", "spans", "place"), CUT_OFF.values(), ids=CUT_OFF.keys())
def test_what_is_whole_of_a_cut_off_file_is_read_and_the_rest_said(
    tmp_path: Path, content: bytes, spans: int, place: str
) -> None:
    path = write(tmp_path, content)
    got = read_files([path], format="auto", ingest_ns=NOW_NS)
    assert len(got.records) == spans
    (warning,) = got.warnings
    assert re.search(f"^{path}: it is cut off.*{place}", warning), warning


def test_a_broken_line_in_the_middle_is_an_error(tmp_path: Path) -> None:
    first, second, third = LINES.splitlines()
    path = write(tmp_path, b"\n".join([first, second[:-9], third]))
    with pytest.raises(BadInput, match="line 2"):
        read_files([path], format="auto", ingest_ns=NOW_NS)


def test_documents_are_cut_up_the_same_wherever_a_chunk_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracer.ingest.files.json_text.LONGEST_LINE", 1)
    for size in (1, 7, 64, 1000):
        monkeypatch.setattr("tracer.ingest.files.source.CHUNK_BYTES", size)
        for name, content in FORMS.items():
            if "protobuf" not in name:
                path = write(tmp_path, content)
                got = read_files([path], format="auto", ingest_ns=NOW_NS)
                assert plain(got.records).equals(plain(WANTED)), name
                assert got.warnings == ()


def test_memory_follows_the_largest_trace_and_not_the_file(tmp_path: Path) -> None:
    tags = [{"key": f"key{number}", "type": "string", "value": "x" * 50} for number in range(20)]
    lone = {"spanID": "1", "startTime": 1, "tags": tags, "processID": "p"}
    text = orjson.dumps({"traceID": "1", "spans": [lone] * 50})
    path = write(tmp_path, b'{"data":[' + b",".join([text] * 100) + b"]}")
    tracemalloc.start()
    try:
        with open_source(path) as source:
            sizes = [len(one.text) for one in elements(source)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sizes == [len(text)] * 100 + [len(b'{"data":[]}')]
    assert path.stat().st_size > 8 * peak
    # the element, the chunks it is put together from, and numpy's work on one chunk
    assert peak < 3 * len(text) + 16 * CHUNK_BYTES


def test_a_file_over_the_limit_of_one_value_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracer.ingest.files.json_text.LONGEST_LINE", 1)
    monkeypatch.setattr("tracer.ingest.files.splitting.LARGEST_ELEMENT", 100)
    monkeypatch.setattr("tracer.ingest.files.source.CHUNK_BYTES", 50)
    with pytest.raises(BadInput, match="holds one value of more than"):
        read_files([write(tmp_path, b"{" + b" " * 100_000 + b'"resourceSpans": []}')], ingest_ns=1)


def test_directories_patterns_and_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    paths = [
        write(tmp_path, content, f"in/{name}") for name, content in (("b", LINES), ("a", MERGED))
    ]
    write(tmp_path, b"", "in/.hidden")
    for named in (tmp_path, tmp_path / "*" / "?", tmp_path / "**"):
        got = read_files([named, paths[0]], ingest_ns=NOW_NS)
        assert got.sources == tuple(sorted(map(str, paths)))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(LINES))))
    got = read_files(["-"], ingest_ns=NOW_NS)
    assert (len(got.records), got.sources) == (3, ("standard input",))


def test_files_follow_each_other_and_rejected_spans_name_theirs(tmp_path: Path) -> None:
    bad = request(span(), span(trace_id=bytes(16)), span(trace_id=bytes(16)))
    paths = [write(tmp_path, LINES, "one"), write(tmp_path, bad, "two")]
    got = read_files(paths, format="auto", ingest_ns=NOW_NS)
    assert len(got.records) == 4
    assert got.rejected == (Rejected(1, 2, REASONS[1]),)
    assert got.sources == tuple(map(str, paths))


def test_many_lines_are_decoded_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracer.ingest.files.read._BLOCK_BYTES", 10)
    path = write(tmp_path, LINES)
    got = read_files([path], format="auto", ingest_ns=NOW_NS)
    assert plain(got.records).equals(plain(WANTED))


WRONG: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "zipped and empty": (gzip.compress(b""), "is empty"),
    "only blank lines": (b"\n \n", "blank|neither"),
    "text": (b"hello there", "neither JSON nor OTLP protobuf"),
    "cut-off object": (orjson.dumps(WHOLE)[:-5], "is not JSON"),
    "cut-off gzip": (gzip.compress(LINES)[:-12], "damaged gzip"),
    "damaged gzip": (gzip.compress(LINES)[:30] + b"\0" * 90, "damaged gzip"),
    "damaged zstd": (b"\x28\xb5\x2f\xfd1234", "damaged zstd"),
    "cut-off zstd": (zstd.compress(LINES)[:-9], "damaged zstd"),
    "zip": (b"PK\x03\x04....", "is a zip archive"),
    "UTF-16": (LINES.decode().encode("utf-16"), "UTF-16"),
    "cut-off protobuf": (REQUESTS[0][:-3], "neither JSON nor OTLP protobuf"),
    "damaged protobuf": (MERGED + b"\x0b\x0b", "damaged OTLP protobuf from byte"),
    "damaged lengths": (
        b"".join(varint(len(one)) + one for one in REQUESTS) + b"\x02\x0a\x7f",
        "damaged OTLP protobuf from byte",
    ),
    "number": (b"42", "neither"),
    "other JSON": (b'{"name": "left-pad", "version": "1"}', "neither OTLP .* Jaeger .* nor Zipkin"),
    "list of other JSON": (b"[1, 2]", "neither OTLP .* Jaeger .* nor Zipkin"),
    "metrics": (b'{"resourceMetrics": []}', "metrics, not traces"),
    "logs": (b'{"resourceLogs": []}', "logs, not traces"),
    "no OTLP spans": (b'{"resourceSpans": []}', "no spans in it"),
    "no Jaeger spans": (b'{"data": []}', "no spans in it"),
    "Jaeger found nothing": (b'{"data": null, "errors": [{"code": 404}]}', "no spans in it"),
    "empty array": (b"[]", "no spans in it"),
    "only invalid spans": (request(span(span_id=bytes(8))), "1 rejected: span_id is all zero"),
    "a wrong type": (b'{"resourceSpans": [{"scopeSpans": 5}]}', r"resourceSpans\[0\]\.scopeSpans"),
    "a wrong type in line 2": (LINES + b'{"resourceSpans": 5}', "line 4, .*resourceSpans"),
}


@pytest.mark.parametrize(("content", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_is_not_a_trace_file_is_named_with_the_fix(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = write(tmp_path, content)
    with pytest.raises(BadInput, match=message) as caught:
        read_files([path], format="auto", ingest_ns=NOW_NS)
    assert str(path) in str(caught.value)
    assert ": " in str(caught.value)


def test_what_is_not_there_or_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not exist"):
        read_files([tmp_path / "gone"], format="auto", ingest_ns=NOW_NS)
    with pytest.raises(BadInput, match="has no files in it"):
        read_files([tmp_path], format="auto", ingest_ns=NOW_NS)
    with pytest.raises(BadInput, match="matches no file"):
        read_files([tmp_path / "*.json"], format="auto", ingest_ns=NOW_NS)


def test_what_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # the tests may run as root, who may read all
    with pytest.raises(BadInput, match="permission"):
        read_files([tmp_path / "secret"], format="auto", ingest_ns=NOW_NS)


@pytest.mark.parametrize(
    ("format", "content"), [("jaeger", orjson.dumps(WHOLE)), ("otlp", b'{"data": [{"spans": []}]}')]
)
def test_a_format_that_was_asked_for_is_kept_to(
    tmp_path: Path, format: Any, content: bytes
) -> None:
    with pytest.raises(BadInput, match="use --format"):
        read_files([write(tmp_path, content)], format=format, ingest_ns=NOW_NS)


def test_protobuf_that_begins_like_json_is_protobuf(tmp_path: Path) -> None:
    # field 1 with a length of 123 begins with a newline and an opening brace
    for padding in range(200):
        content = request(span(name="x" * padding, trace_id=TRACE_ID))
        if content[:2] == b"\n{":
            got = read_files([write(tmp_path, content)], format="auto", ingest_ns=NOW_NS)
            assert len(got.records) == 1
            return
    pytest.fail("no padding gives a message of 123 bytes")
