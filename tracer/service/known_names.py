"""Operation names that statistics are kept of: so many for a service, and no more.

Spans are stored under whatever name they have. But a service that puts ids into its span names has
a million of them, and a histogram, a call path and a baseline of each would be a store of its own
that says nothing. The names seen first are kept; what comes after them counts as one operation,
under a name that says so. What was kept is known from the call paths in the store, so a restart
changes nothing, and a name is forgotten with its last call path.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracer.columns.spans import ServiceIdentity, SpanColumns

OTHER_OPERATIONS: Final = "(other operations)"
OTHER_SERVICES: Final = "(other services)"
_LOG = logging.getLogger("tracer.settle")


class KnownNames:
    """The names that are kept; grows with what `bounded` is given. For one thread."""

    def __init__(
        self,
        known: Iterable[tuple[ServiceIdentity, str]] = (),
        *,
        max_services: int,
        max_operations: int,
    ) -> None:
        self._max_services = max_services
        self._max_operations = max_operations
        self._names: dict[ServiceIdentity, set[str]] = {}
        self._full: set[ServiceIdentity] = set()  # said once
        self.overflowed = 0  # spans that were counted under another name
        for service, operation in known:
            if service.name != OTHER_SERVICES and operation != OTHER_OPERATIONS:
                self._names.setdefault(service, set()).add(operation)

    def bounded(self, spans: SpanColumns) -> SpanColumns:
        """The spans, with names beyond the limits replaced; the same object when there are none.

        Names of one batch are let in by alphabet: the order of its spans changes nothing.
        """
        width = max(1, len(spans.operations))
        pair = spans.service.astype(np.int64) * width + spans.operation
        distinct = np.unique(pair)
        service, operation = np.divmod(distinct, width)
        no_service = np.zeros(len(distinct), np.bool_)
        no_operation = np.zeros(len(distinct), np.bool_)
        by_name = sorted(
            range(len(distinct)),
            key=lambda row: (spans.services[service[row]], spans.operations[operation[row]]),
        )
        for row in by_name:
            no_service[row], no_operation[row] = self._refuses(
                spans.services[service[row]], spans.operations[operation[row]]
            )
        if not no_operation.any():
            return spans
        place = np.searchsorted(distinct, pair)
        self.overflowed += int(no_operation[place].sum())
        return _renamed(spans, no_service[place], no_operation[place])

    def _refuses(self, service: ServiceIdentity, operation: str) -> tuple[bool, bool]:
        """(not this service, not this operation); what is not refused is known from now on."""
        names = self._names.get(service)
        if names is None:
            if len(self._names) >= self._max_services:
                self._say(service, f"no statistics of it: {self._max_services} services are known")
                return True, True
            names = self._names[service] = set()
        if operation in names:
            return False, False
        if len(names) >= self._max_operations:
            self._say(
                service,
                f"it has more than {self._max_operations} operation names; further ones count as "
                f"{OTHER_OPERATIONS!r}. Keep ids out of span names, or raise "
                "max_operations",
            )
            return False, True
        names.add(operation)
        return False, False

    def _say(self, service: ServiceIdentity, what: str) -> None:
        if service not in self._full and len(self._full) < self._max_services:
            self._full.add(service)
            _LOG.warning("service %r: %s", service.name, what)

    def full_services(self) -> int:
        """Services some of whose spans were counted under another name, since the start."""
        return len(self._full)


def _renamed(
    spans: SpanColumns, other_service: NDArray[np.bool_], other_operation: NDArray[np.bool_]
) -> SpanColumns:
    """Services keep their tenant and environment: those are never mixed, whatever the limit."""
    services = list(spans.services)
    code_of = {service: code for code, service in enumerate(services)}
    stands_for = np.arange(len(services), dtype=np.int32)
    for code in np.unique(spans.service[other_service]).tolist():
        other = services[code]._replace(namespace="", name=OTHER_SERVICES)
        if other not in code_of:
            code_of[other] = len(services)
            services.append(other)
        stands_for[code] = code_of[other]
    return replace(
        spans,
        service=np.where(other_service, stands_for[spans.service], spans.service),
        operation=np.where(other_operation, np.int32(len(spans.operations)), spans.operation),
        services=tuple(services),
        operations=(*spans.operations, OTHER_OPERATIONS),
    )
