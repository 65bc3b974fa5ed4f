"""Own telemetry: numbers for Prometheus, lines for people. Never exported to ourselves."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


@dataclass(frozen=True)
class Sample:
    """One number as it is now. Counters carry no `_total` in `name`; the exposition adds it."""

    name: str
    kind: str  # 'counter' | 'gauge'
    meaning: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


class _Snapshot(Collector):
    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples = list(samples)

    def collect(self) -> Iterator[Metric]:
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for sample in self._samples:
            if sample.name not in families:
                kind = CounterMetricFamily if sample.kind == "counter" else GaugeMetricFamily
                families[sample.name] = kind(
                    sample.name, sample.meaning, labels=sorted(sample.labels)
                )
            families[sample.name].add_metric(
                [sample.labels[name] for name in sorted(sample.labels)], sample.value
            )
        yield from families.values()


def exposition(samples: Iterable[Sample]) -> bytes:
    """The samples in the Prometheus text format."""
    registry = CollectorRegistry()
    registry.register(_Snapshot(samples))
    return generate_latest(registry)


class _KeyValueFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = (
            f"{self.formatTime(record, '%Y-%m-%dT%H:%M:%S')} "
            f"{record.levelname.lower()} {record.name} {record.getMessage()}"
        )
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def configure_logging(level: str) -> None:
    """Log lines to standard error: time, level, logger, message."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_KeyValueFormatter())
    root = logging.getLogger("tracer")
    root.handlers = [handler]
    root.setLevel(level.upper())
    root.propagate = False
