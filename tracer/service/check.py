"""Files → runs → is the candidate worse? Neither store nor engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tracer.analysis.gate import Rules, gate
from tracer.analysis.limits import Limit
from tracer.analysis.run_sums import MOST_PATHS, most_frequent, run_sums
from tracer.columns.runs import Run
from tracer.errors import BadInput
from tracer.ingest.files.document import FileFormat
from tracer.ingest.files.naming import expand
from tracer.ingest.files.read import read_files
from tracer.ingest.files.recorded import is_recorded, read_recorded, write_recorded
from tracer.report.check_json import check_document
from tracer.service.analyze import analyse_file
from tracer.service.compare_files import clocks
from tracer.units import rfc3339

MOST_RUNS: Final = 100  # a side
MOST_RECORDED: Final = 1_000_000  # bytes of a recorded baseline; rarer call paths go first

Document = dict[str, Any]


@dataclass(frozen=True)
class Side:
    """The runs of one side, where they are from, and what reading them had to say."""

    runs: tuple[Run, ...]
    said: Mapping[str, Any]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """How files of traces are read."""

    format: FileFormat = "auto"
    tolerance_ns: int | None = None
    is_corrected: bool = True  # clocks
    ingest_ns: int = 0


def read_side(files: Sequence[Path], how: Reading) -> Side:
    """Each file is a run, a recorded baseline all that it holds.

    Raises BadInput naming the file.
    """
    runs: list[Run] = []
    notes: list[str] = []
    recorded: dict[str, str] = {}
    names = [str(one) for one in expand(files)]
    for name in names:
        if is_recorded(name):
            found, said = read_recorded(name)
            runs += found
            recorded.update(said)
        else:
            run, warnings = _read_run(name, how)
            runs.append(run)
            notes += warnings
        if len(runs) > MOST_RUNS:
            raise BadInput(f"{name} makes more than {MOST_RUNS} runs; give fewer files")
    return Side(tuple(runs), {"files": names, "recorded": recorded}, tuple(notes))


def _read_run(name: str, how: Reading) -> tuple[Run, list[str]]:
    found = read_files([name], format=how.format, ingest_ns=how.ingest_ns)
    analysis = analyse_file(
        found.records,
        tolerance_ns=how.tolerance_ns,
        max_skew_ns=clocks(is_corrected=how.is_corrected),
    )
    facts = analysis.facts
    said = {"file": Path(name).name}
    if len(facts):
        said["first_request"] = rfc3339(int(facts.start_ns.min()))
        said["last_request"] = rfc3339(int(facts.start_ns.max()))
    rejected = [f"{name}: {one.count:,} spans rejected: {one.reason}" for one in found.rejected]
    return run_sums(facts, said), [*found.warnings, *rejected]


def check(
    baseline: Side,
    candidate: Side,
    *,
    rules: Rules,
    limits: tuple[Limit, ...] = (),
    limit: int,
    reproduce: str,
) -> Document:
    """Document `tracer.check/1`."""
    found = gate(list(baseline.runs), list(candidate.runs), rules, limits)
    return check_document(
        found,
        baseline.runs,
        candidate.runs,
        said=(baseline.said, candidate.said),
        rules=rules,
        limit=limit,
        notes=[*baseline.notes, *candidate.notes],
        reproduce=reproduce,
    )


def record(side: Side, said: Mapping[str, str]) -> tuple[bytes, int]:
    """The file that holds the runs, at most a megabyte, and how many rare call paths that cost.

    What the files say of themselves is kept, `said` is added to it.
    """
    provenance = {**side.said["recorded"], **said}
    runs, most = list(side.runs), MOST_PATHS
    while True:
        body = write_recorded(runs, provenance)
        left_out = max(run.left_out for run in runs)
        if len(body) <= MOST_RECORDED or most < 2:
            return body, left_out
        most = max(len(run) for run in runs) * 3 // 4
        runs = [most_frequent(run, most) for run in runs]
