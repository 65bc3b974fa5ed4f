"""Numbers of now: families are declared once, their values read at every scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_KINDS: Final = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}


@dataclass(frozen=True)
class Family:
    """Figures of one name. Counters carry no `_total` in it; the exposition adds that."""

    name: str
    kind: str  # 'counter' | 'gauge'
    meaning: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Figure:
    """One value; `labels` in the order of its family's."""

    family: str
    value: float
    labels: tuple[str, ...] = ()


class Figures(Collector):
    """Families whose figures `read` gives. A family without figures is named all the same."""

    def __init__(self, families: Iterable[Family], read: Callable[[], Iterable[Figure]]) -> None:
        self._families = tuple(families)
        self._read = read

    def describe(self) -> Iterator[Metric]:
        """The families, without asking anything."""
        yield from self._empty().values()

    def collect(self) -> Iterator[Metric]:
        """The families with the figures of now."""
        families = self._empty()
        for figure in self._read():
            families[figure.family].add_metric(figure.labels, figure.value)
        yield from families.values()

    def _empty(self) -> dict[str, CounterMetricFamily | GaugeMetricFamily]:
        return {
            one.name: _KINDS[one.kind](one.name, one.meaning, labels=one.labels)
            for one in self._families
        }
