"""What is normal: which window to compare with, and the baselines of that window.

Without a window of the user's choice the same hours of the week over the last weeks answer, else
the last day before, else all there is before; never the window that is being judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tracer.analysis.quantiles import merge
from tracer.columns.baselines import Baselines, Histograms, OperationBaselines, PathBaselines
from tracer.columns.facts import PathTable
from tracer.columns.hashing import caller_key, operation_key
from tracer.columns.schema import SPAN_KINDS
from tracer.columns.spans import ServiceIdentity
from tracer.errors import NotFound
from tracer.service.context import Context, Window
from tracer.store import rollups
from tracer.store.histograms import histograms
from tracer.store.slow import paths_named
from tracer.units import HOUR_NS, NS_PER_S

DAY_NS: Final = 86_400 * NS_PER_S
WEEKS: Final = 4
ENOUGH_TRACES: Final = 72  # below this a p95 has no upper bound
Keyed = tuple[NDArray[np.uint64], Histograms]


@dataclass(frozen=True)
class Normal:
    """The windows that stand for normal, and why these."""

    windows: tuple[Window, ...]
    chosen: str  # 'given' | 'same hour of week' | 'last 24 h' | 'all before' | 'none'

    def document(self) -> dict[str, Any]:
        """As answers show it; times of the whole range."""
        if not self.windows:
            return {"chosen": self.chosen, "start": None, "end": None, "windows": []}
        start_ns = min(window.start_ns for window in self.windows)
        end_ns = max(window.end_ns for window in self.windows)
        return {
            "chosen": self.chosen,
            **Window(start_ns, end_ns).document(),
            "windows": [window.document() for window in self.windows],
        }


def choose(context: Context, window: Window, given: Window | None) -> Normal:
    """The windows that say what is normal for `window`; see the module's text."""
    if given is not None:
        return Normal((given,), "given")
    candidates = (
        Normal(_same_hours(window, context.settings.timezone), "same hour of week"),
        Normal(_before(window, DAY_NS), "last 24 h"),
        Normal(_before(window, window.start_ns), "all before"),
    )
    for candidate in candidates:
        traces = sum(rollups.count_traces(context.engine, _plain(one)) for one in candidate.windows)
        if traces >= ENOUGH_TRACES:
            return candidate
    return Normal((), "none")


def read_baselines(context: Context, normal: Normal, paths: PathTable) -> Baselines:
    """Baselines of the windows for these call paths, at all three depths."""
    durations: list[Keyed] = []
    sums: list[tuple[Keyed, Keyed, Keyed]] = []
    for window in normal.windows:
        operations = rollups.read_operations(
            context.engine,
            _plain(window),
            "ServiceName IN {services:Array(String)} AND Operation IN {operations:Array(String)}",
            {
                "services": sorted({service.name for service in paths.service}),
                "operations": sorted(set(paths.operation)),
            },
        )
        by_caller, by_operation = operation_keys(operations)
        spans = histograms(operations["Buckets"], _numbers(operations, "Weight2"))
        table = rollups.read_path_sums(context.engine, _plain(window), paths.path_id.tolist())
        path_id = table["PathId"].to_numpy().astype(np.uint64)
        weight2 = _numbers(table, "Weight2")
        by_path = histograms(table["DurationBuckets"], _numbers(table, "SpanWeight2"))
        durations += [(by_caller, spans), (by_operation, spans), (path_id, by_path)]
        sums.append(
            (
                (path_id, histograms(table["CriticalBuckets"], weight2)),
                (path_id, histograms(table["SelfBuckets"], weight2)),
                (path_id, histograms(table["Calls"], weight2)),
            )
        )
    key, merged = merge(durations)
    path_id, critical = merge([one[0] for one in sums])
    _, self_time = merge([one[1] for one in sums])
    _, calls = merge([one[2] for one in sums])
    return Baselines(
        OperationBaselines(key, merged), PathBaselines(path_id, critical, self_time, calls)
    )


def operation_paths(
    context: Context, service: str | None, operation: str | None
) -> list[int] | None:
    """Call paths through a service and operation, None when neither is asked for.

    Raises NotFound when nothing of that name was ever analysed.
    """
    if service is None and operation is None:
        return None
    found = paths_named(context.engine, service, operation)
    if not found:
        wanted = " ".join(word for word in (service, operation) if word)
        raise NotFound(f"no analysed span is named {wanted!r}; tracer services lists the names")
    return found


def operation_keys(table: pa.Table) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """(key by caller, key by operation) of every row of `rollups.read_operations`."""
    names = ("TenantId", "Environment", "ServiceNamespace", "ServiceName")
    columns = [table[name].cast(pa.string()).to_pylist() for name in names]
    rest = [
        table[name].cast(pa.string()).to_pylist()
        for name in ("Operation", "SpanKind", "CallerServiceName", "CallerOperation")
    ]
    by_operation = [
        operation_key(ServiceIdentity(*identity), operation, SPAN_KINDS.index(kind))
        for *identity, operation, kind in zip(*columns, rest[0], rest[1], strict=True)
    ]
    by_caller = [
        caller_key(key, service, operation)
        for key, service, operation in zip(by_operation, rest[2], rest[3], strict=True)
    ]
    return np.array(by_caller, np.uint64), np.array(by_operation, np.uint64)


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    return np.asarray(table[name].to_numpy(), np.float64)


def _plain(window: Window) -> rollups.Window:
    return rollups.Window(window.start_ns, window.end_ns)


def _before(window: Window, length_ns: int) -> tuple[Window, ...]:
    """What lies just before the window; nothing lies before 1970."""
    if window.start_ns <= 0:
        return ()
    return (Window(max(0, window.start_ns - length_ns), window.start_ns),)


def _same_hours(window: Window, zone_name: str) -> tuple[Window, ...]:
    """The window's whole hours, one to four weeks earlier on the wall clock of the zone."""
    hour = HOUR_NS
    start_ns = window.start_ns // hour * hour
    end_ns = -(-window.end_ns // hour) * hour
    found = []
    for weeks in range(1, WEEKS + 1):
        earlier_ns = _weeks_before(start_ns, weeks, zone_name)
        if earlier_ns >= 0:
            shifted = Window(earlier_ns, min(earlier_ns + end_ns - start_ns, window.start_ns))
            found.append(shifted)
    return tuple(found)


def _weeks_before(time_ns: int, weeks: int, zone_name: str) -> int:
    zone = ZoneInfo(zone_name)
    local = datetime.fromtimestamp(time_ns // NS_PER_S, UTC).astimezone(zone)
    earlier = local.replace(tzinfo=None) - timedelta(weeks=weeks)
    return int(earlier.replace(tzinfo=zone).timestamp()) * NS_PER_S
