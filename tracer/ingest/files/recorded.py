"""Runs as a file: `tracer check record` writes it, `tracer check` compares with it.

    {"schema": "tracer.check-baseline/1", "sums": [...], "said": {...}, "runs": [
      {"flaws": {...}, "spans", "left_out", "said",
       "paths": [[caller, namespace, service, operation, kind, [sums...], [bucket, count, ...]]]}]}

JSON on one line a path, so that what changed shows in a diff. `caller` is the number of a path that
stands before; -1 for roots. Buckets are told as distances from the one before. The same runs give
the same bytes: no clock, no host name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import orjson

from tracer.columns.flaws import Flaws
from tracer.columns.hashing import mix_one, operation_key
from tracer.columns.runs import SUMS, Run, Step
from tracer.errors import BadInput

SCHEMA: Final = "tracer.check-baseline/1"
MOST_BYTES: Final = 256 << 20  # of a file that is read
MOST_STEPS: Final = 100_000  # call paths of a run that is read
_KIND: Final = "tracer.check-baseline/"
_HEAD: Final = 64  # bytes in which the schema stands
_DIGITS: Final = 9  # of a sum; variances are differences of sums

Entry = tuple[int, str, str, str, int, list[float], list[float]]


class _RunForm(msgspec.Struct):
    flaws: dict[str, int]
    spans: int
    left_out: int
    said: dict[str, str]
    paths: list[Entry]


class _Form(msgspec.Struct):
    schema: str
    sums: list[str]
    said: dict[str, str]
    runs: list[_RunForm]


class _Head(msgspec.Struct):
    schema: str


def is_recorded(path: str | Path) -> bool:
    """Whether the file begins like a recorded baseline, of whatever version."""
    try:
        with Path(path).open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return False
    return b"".join(head.split()).startswith(b'{"schema":"' + _KIND.encode())


def write_recorded(runs: Sequence[Run], said: Mapping[str, str]) -> bytes:
    """The file; `said` is provenance of all runs."""
    head = orjson.dumps({"schema": SCHEMA, "sums": SUMS, "said": dict(sorted(said.items()))})
    bodies = [_run_bytes(run) for run in runs]
    return head[:-1] + b',"runs":[\n' + b",\n".join(bodies) + b"\n]}\n"


def _run_bytes(run: Run) -> bytes:
    head = orjson.dumps(
        {
            "flaws": run.flaws._asdict(),
            "spans": run.spans,
            "left_out": run.left_out,
            "said": dict(sorted(run.said.items())),
        }
    )
    row_of = {one: row for row, one in enumerate(run.path_id.tolist())}
    parents = run.parent_path_id.tolist()
    order: list[int] = []
    place: dict[int, int] = {}
    for row in range(len(run)):
        above = []
        at = row
        while at not in place:
            above.append(at)
            if parents[at] == 0:
                break
            at = row_of[parents[at]]
        for one in reversed(above):
            place[one] = len(order)
            order.append(one)
    entries = []
    for row in order:
        step, inside = run.steps[row], slice(int(run.offset[row]), int(run.offset[row + 1]))
        steps = np.diff(run.bucket[inside], prepend=0).tolist()
        counts = [_short(one) for one in run.count[inside].tolist()]
        entries.append(
            orjson.dumps(
                [
                    -1 if parents[row] == 0 else place[row_of[parents[row]]],
                    step.namespace,
                    step.service,
                    step.operation,
                    step.kind,
                    [_short(one) for one in run.sums[row].tolist()],
                    [part for pair in zip(steps, counts, strict=True) for part in pair],
                ]
            )
        )
    return head[:-1] + b',"paths":[\n' + b",\n".join(entries) + b"\n]}"


def _short(value: float) -> float | int:
    rounded = float(f"{value:.{_DIGITS}g}")
    return int(rounded) if rounded == int(rounded) else rounded


def read_recorded(path: str | Path) -> tuple[list[Run], dict[str, str]]:
    """Its runs, and what it says of where they are from.

    Raises BadInput naming the file: too large, of another version, cut off, not consistent.
    """
    if Path(path).stat().st_size > MOST_BYTES:
        raise BadInput(f"{path} is larger than {MOST_BYTES >> 20} MiB; record fewer runs")
    body = Path(path).read_bytes()
    again = "record it again with tracer check record"
    try:
        schema = msgspec.json.decode(body, type=_Head).schema
        if schema != SCHEMA:
            raise BadInput(
                f"{path} is of schema {schema!r}, and this tracer reads {SCHEMA!r}; {again}"
            )
        form = msgspec.json.decode(body, type=_Form)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is cut off or damaged ({error}); {again}") from None
    if tuple(form.sums) != SUMS:
        raise BadInput(f"{path} holds other sums than this tracer knows; {again}")
    try:
        runs = [_run(one) for one in form.runs]
    except (ValueError, TypeError, OverflowError) as error:
        raise BadInput(f"{path} is damaged ({error}); {again}") from None
    if not runs:
        raise BadInput(f"{path} holds no run; {again}")
    return runs, form.said


def _run(form: _RunForm) -> Run:
    if len(form.paths) > MOST_STEPS:
        raise ValueError(f"{len(form.paths)} call paths, at most {MOST_STEPS:,} are read")
    ids: list[int] = []
    parents: list[int] = []
    steps: list[Step] = []
    for number, (caller, namespace, service, operation, kind, sums, spans) in enumerate(form.paths):
        if not -1 <= caller < number or len(sums) != len(SUMS) or len(spans) % 2:
            raise ValueError(f"call path {number} is not as written")
        above = ids[caller] if caller >= 0 else 0
        parents.append(above)
        ids.append(mix_one(above, operation_key(("", "", namespace, service), operation, kind)))
        steps.append(Step(namespace, service, operation, kind))
    if len(set(ids)) != len(ids):
        raise ValueError("a call path stands there twice")
    path_id = np.array(ids, np.uint64)
    order = np.argsort(path_id)
    spans_of = [np.array(form.paths[row][6], np.float64).reshape(-1, 2) for row in order.tolist()]
    every = np.concatenate(spans_of) if spans_of else np.zeros((0, 2))
    table = np.array([form.paths[row][5] for row in order.tolist()], np.float64)
    table = table.reshape(-1, len(SUMS))
    if not (np.isfinite(table).all() and np.isfinite(every).all() and (every[:, 1] >= 0).all()):
        raise ValueError("a sum is not a number")
    buckets = [np.cumsum(one[:, 0]) for one in spans_of]
    bucket = np.concatenate(buckets) if buckets else np.zeros(0)
    if (np.abs(bucket) > 1 << 15).any() or any((np.diff(one) <= 0).any() for one in buckets):
        raise ValueError("the buckets of a histogram do not ascend")
    return Run(
        path_id=path_id[order],
        parent_path_id=np.array(parents, np.uint64)[order],
        steps=tuple(steps[row] for row in order.tolist()),
        sums=table,
        offset=np.concatenate(([0], np.cumsum([len(one) for one in spans_of]))).astype(np.int64),
        bucket=bucket.astype(np.int32),
        count=every[:, 1],
        flaws=Flaws(**form.flaws),
        spans=form.spans,
        left_out=form.left_out,
        said=form.said,
    )
