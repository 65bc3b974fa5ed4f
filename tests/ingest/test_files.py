"""Files of every kind we read, and of kinds we do not: spans, or an error that says what to do."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.otlp import TRACE_ID, plain, request, span, varint
from tracer.columns.records import SpanRecords
from tracer.errors import BadInput
from tracer.ingest.files import read_files
from tracer.ingest.otlp.decode import decode
from tracer.ingest.otlp.decoded import REASONS, Rejected
from tracer.ingest.otlp.encode import to_otlp_json

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


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("content", FORMS.values(), ids=FORMS.keys())
def test_otlp_in_every_form(tmp_path: Path, content: bytes, zipped: bool) -> None:
    path = write(tmp_path, gzip.compress(content) if zipped else content)
    for format in ("auto", "otlp"):
        got = read_files([path], format=format, ingest_ns=NOW_NS)  # type: ignore[arg-type]
        assert plain(got.records).equals(plain(WANTED))
        assert (got.rejected, got.warnings, got.sources) == ((), (), (str(path),))


def test_a_cut_off_last_line_is_left_out_with_a_warning(tmp_path: Path) -> None:
    path = write(tmp_path, LINES[:-20])
    got = read_files([path], format="auto", ingest_ns=NOW_NS)
    assert len(got.records) == 2
    assert got.warnings == (f"{path}: the last line (3) is cut off and was left out",)


def test_a_broken_line_in_the_middle_is_an_error(tmp_path: Path) -> None:
    first, second, third = LINES.splitlines()
    path = write(tmp_path, b"\n".join([first, second[:-9], third]))
    with pytest.raises(BadInput, match="line 2"):
        read_files([path], format="auto", ingest_ns=NOW_NS)


def test_files_follow_each_other_and_rejected_spans_name_theirs(tmp_path: Path) -> None:
    bad = request(span(), span(trace_id=bytes(16)), span(trace_id=bytes(16)))
    paths = [write(tmp_path, LINES, "one"), write(tmp_path, bad, "two")]
    got = read_files(paths, format="auto", ingest_ns=NOW_NS)
    assert len(got.records) == 4
    assert got.rejected == (Rejected(1, 2, REASONS[1]),)
    assert got.sources == tuple(map(str, paths))


def test_many_lines_are_decoded_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracer.ingest.files.read._PIECE_BYTES", 10)
    path = write(tmp_path, LINES)
    got = read_files([path], format="auto", ingest_ns=NOW_NS)
    assert plain(got.records).equals(plain(WANTED))


ZIPKIN = [[{"traceId": "01", "id": "02", "name": "x"}]]
WRONG: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "zipped and empty": (gzip.compress(b""), "is empty"),
    "only blank lines": (b"\n \n", "blank|neither"),
    "text": (b"hello there", "neither JSON nor OTLP protobuf"),
    "cut-off object": (orjson.dumps(WHOLE)[:-5], "is not JSON"),
    "cut-off gzip": (gzip.compress(LINES)[:-12], "damaged gzip"),
    "damaged gzip": (gzip.compress(LINES)[:30] + b"\0" * 90, "damaged gzip"),
    "zstd": (b"\x28\xb5\x2f\xfd1234", "zstd"),
    "cut-off protobuf": (MERGED[:-3], "neither JSON nor OTLP protobuf"),
    "number": (b"42", "neither"),
    "other JSON": (b'{"name": "left-pad", "version": "1"}', "neither OTLP .* nor Jaeger"),
    "list of other JSON": (b"[1, 2]", "neither OTLP .* nor Jaeger"),
    "zipkin": (orjson.dumps(ZIPKIN), "Zipkin JSON, which is not supported yet"),
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
    with pytest.raises(BadInput, match="is a directory"):
        read_files([tmp_path], format="auto", ingest_ns=NOW_NS)


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
