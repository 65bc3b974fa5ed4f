"""Which faults are on in this process; turned from outside while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tracer.demo.failure import Failure


class Switches:
    """`actions` are called with the new position; a fault without one is only looked at."""

    def __init__(
        self, known: tuple[str, ...], actions: Mapping[str, Callable[[bool], None]]
    ) -> None:
        self._known = known
        self._actions = actions
        self._on: frozenset[str] = frozenset()

    def turn(self, fault: str, on: bool) -> None:
        """Turn a fault on or off; turning it where it already is does nothing."""
        if fault not in self._known:
            raise Failure(400, f"this process has no fault {fault!r}")
        if on == self.is_on(fault):
            return
        if fault in self._actions:
            self._actions[fault](on)
        self._on = self._on | {fault} if on else self._on - {fault}

    def is_on(self, fault: str) -> bool:
        """Whether the fault is on."""
        return fault in self._on
