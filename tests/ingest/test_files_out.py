"""What is exported is what is imported again: all of it where the format has room for it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings

from tests.support.otlp import BASE_NS, difference, request, requests, rows, span
from tracer.columns.records import SpanRecords
from tracer.errors import BadInput
from tracer.ingest.files import read_files
from tracer.ingest.files.columns_out import to_arrow, to_parquet
from tracer.ingest.files.jaeger_out import to_jaeger
from tracer.ingest.otlp.decode import decode
from tracer.ingest.otlp.decoded import REASONS
from tracer.ingest.otlp.encode import to_otlp_lines

Writer = Callable[[Iterable[SpanRecords]], Iterator[bytes]]


def to_lines(parts: Iterable[SpanRecords]) -> Iterator[bytes]:
    for part in parts:
        yield from to_otlp_lines(part)


WHOLE: dict[str, Writer] = {"otlp": to_lines, "parquet": to_parquet, "arrow": to_arrow}
SHARED_FOLDER = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def again(folder: Path, write: Writer, *parts: SpanRecords) -> SpanRecords:
    path = folder / "exported"
    path.write_bytes(b"".join(write(parts)))
    return read_files([path], ingest_ns=1).records


@pytest.mark.parametrize("write", WHOLE.values(), ids=WHOLE.keys())
@SHARED_FOLDER
@given(requests())
def test_nothing_is_lost(tmp_path: Path, write: Writer, body: bytes) -> None:
    records = decode([body], ingest_ns=1).records
    if len(records):
        got = again(tmp_path, write, records)
        if write is to_lines:  # groups what shares a resource
            assert sorted(map(repr, rows(got))) == sorted(map(repr, rows(records)))
        else:
            assert difference(got, records) == []


def spans(number: int, **fields: Any) -> SpanRecords:
    """A trace of its own."""
    return decode(
        [request(span(trace_id=bytes([number] * 16), **fields), resource={"service.name": "shop"})],
        ingest_ns=1,
    ).records


@pytest.mark.parametrize("write", [*WHOLE.values(), to_jaeger], ids=[*WHOLE.keys(), "jaeger"])
def test_parts_follow_each_other(tmp_path: Path, write: Writer) -> None:
    parts = [spans(number, name=f"operation {number}") for number in range(1, 4)]
    got = again(tmp_path, write, *parts)
    assert {row["SpanName"] for row in rows(got)} == {f"operation {n}" for n in range(1, 4)}


def test_no_spans_are_still_a_document() -> None:
    assert orjson.loads(b"".join(to_jaeger([])))["data"] == []
    assert pq.read_table(io.BytesIO(b"".join(to_parquet([])))).num_rows == 0
    assert pa.ipc.open_stream(b"".join(to_arrow([]))).read_all().num_rows == 0


FULL = {
    "name": "GET /",
    "parent_span_id": bytes([9] * 8),
    "kind": 3,
    "flags": 1,
    "trace_state": "ot=th:8",
    "start_time_unix_nano": BASE_NS + 1_000,
    "end_time_unix_nano": BASE_NS + 1_234_000,
    "attributes": {
        "text": "x",
        "yes": True,
        "count": (1 << 63) - 1,
        "ratio": 0.5,
        "raw": b"\xff\0",
        "nothing": "",
    },
    "events": [{"time_unix_nano": BASE_NS + 5_000, "name": "retry"}],
    "status": {"code": 2, "message": "late"},
}


def test_jaeger_keeps_what_it_has_a_place_for(tmp_path: Path) -> None:
    records = spans(1, **FULL)
    assert difference(again(tmp_path, to_jaeger, records), records) == []


def test_what_jaeger_has_no_place_for(tmp_path: Path) -> None:
    links = [{"trace_id": bytes([7] * 16), "span_id": bytes([8] * 8)}]
    given_ = {"list": ["a", 1], "odd": float("nan"), "none": None}
    records = spans(
        1, attributes=given_, links=links, start_time_unix_nano=BASE_NS + 7, dropped_links_count=3
    )
    (row,) = rows(again(tmp_path, to_jaeger, records))
    assert row["Timestamp"] == BASE_NS
    assert row["SpanAttributes"] == [
        ("list", '{"values":[{"stringValue":"a"},{"intValue":"1"}]}'),
        ("odd", "NaN"),
        ("none", ""),
    ]
    assert row["SpanAttributeTypes"] == []
    assert row["Links.TraceId"] == ["07" * 16]
    assert row["Links.Attributes"] == [[("opentracing.ref_type", "follows_from")]]
    assert row["DroppedLinksCount"] == 0


@SHARED_FOLDER
@given(requests())
def test_jaeger_documents_are_read_again_whatever_is_in_them(tmp_path: Path, body: bytes) -> None:
    records = decode([body], ingest_ns=1).records
    kept = ("TraceId", "SpanId", "SpanName", "Flags")
    if len(records):
        got = rows(again(tmp_path, to_jaeger, records))
        wanted = [{**row, "Flags": row["Flags"] & 1} for row in rows(records)]
        pick = lambda row: [row[name] for name in kept]  # noqa: E731
        assert sorted(map(pick, got)) == sorted(map(pick, wanted))
        assert sorted(row["Timestamp"] // 1000 for row in got) == sorted(
            row["Timestamp"] // 1000 for row in wanted
        )


def test_jaeger_warnings_and_the_kind_of_a_parent_come_back(tmp_path: Path) -> None:
    lone = {"spanID": "1", "startTime": 5, "duration": 1, "processID": "p1", "warnings": ["late"]}
    follows = {"refType": "FOLLOWS_FROM", "traceID": "1", "spanID": "1"}
    second = {**lone, "spanID": "2", "warnings": None, "references": [follows]}
    trace = {"traceID": "1", "spans": [lone, second], "processes": {"p1": {"serviceName": "a"}}}
    path = tmp_path / "jaeger"
    path.write_bytes(orjson.dumps(trace))
    records = read_files([path], ingest_ns=1).records
    written = orjson.loads(b"".join(to_jaeger([records])))["data"][0]["spans"]
    assert [one["warnings"] for one in written] == [["late"], None]
    assert [[two["refType"] for two in one["references"]] for one in written] == [
        [],
        ["FOLLOWS_FROM"],
    ]
    assert difference(again(tmp_path, to_jaeger, records), records) == []


def damaged(table: pa.Table, name: str, value: Any) -> pa.Table:
    at = table.schema.get_field_index(name)
    kind = table.schema.field(at).type
    return table.set_column(at, name, pa.array([value] * table.num_rows, kind))


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("TraceId", "AB", 0),
        ("TraceId", "0" * 32, 1),
        ("SpanId", "xyz", 2),
        ("SpanId", "0" * 16, 3),
        ("ParentSpanId", "1", 4),
        ("Timestamp", -1, 5),
        ("Duration", 1 << 63, 6),
        ("Events.Timestamp", [-1], 7),
    ],
)
def test_rows_that_are_no_spans_are_rejected(
    tmp_path: Path, name: str, value: Any, reason: int
) -> None:
    good = pa.Table.from_batches([spans(1).batch])
    path = tmp_path / "spans.parquet"
    pq.write_table(pa.concat_tables([good, damaged(good, name, value)]), path)
    got = read_files([path], ingest_ns=1)
    assert len(got.records) == 1
    assert [(one.count, one.reason) for one in got.rejected] == [(1, REASONS[reason])]


def test_tables_that_are_not_ours(tmp_path: Path) -> None:
    table = pa.Table.from_batches([spans(1).batch])
    path = tmp_path / "spans.parquet"
    for wrong, message in (
        (table.drop_columns(["SpanName"]), "has no column SpanName"),
        (damaged(table, "SpanName", None), "has rows without SpanName"),
        (table.drop_columns(["Duration"]).append_column("Duration", [["x"]]), "a column Duration"),
    ):
        pq.write_table(wrong, path)
        with pytest.raises(BadInput, match=message):
            read_files([path], ingest_ns=1)
    pq.write_table(table, path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(BadInput, match="is damaged"):
        read_files([path], ingest_ns=1)
    with pytest.raises(BadInput, match="use --format parquet or auto"):
        read_files([path], format="jaeger", ingest_ns=1)


@pytest.mark.parametrize("write", [to_parquet, to_arrow], ids=["parquet", "arrow"])
def test_damaged_columns_are_refused_or_read(tmp_path: Path, write: Writer) -> None:
    content = b"".join(write([spans(1)]))
    random = Random(0)
    refused = 0
    for _ in range(150):
        damaged_content = bytearray(content)
        for _ in range(3):
            damaged_content[random.randrange(8, len(content))] ^= 1 << random.randrange(8)
        path = tmp_path / "damaged"
        path.write_bytes(damaged_content)
        try:
            read_files([path], ingest_ns=1)
        except BadInput as error:
            refused += 1
            assert str(path) in str(error)
    assert refused > 50


def test_columns_of_ours_may_be_missing_or_of_plain_types(tmp_path: Path) -> None:
    table = pa.Table.from_batches([spans(1).batch])
    table = table.drop_columns(["Links.Flags", "SamplingWeight", "ScopeSchemaUrl"])
    at = table.schema.get_field_index("SpanName")
    table = table.set_column(at, "SpanName", table["SpanName"].cast(pa.large_string()))
    path = tmp_path / "spans.parquet"
    pq.write_table(table, path)
    assert difference(read_files([path], ingest_ns=1).records, spans(1)) == []
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    assert difference(read_files([path], format="arrow", ingest_ns=1).records, spans(1)) == []
