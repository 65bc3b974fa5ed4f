"""Merges wait for a burst, not for ever."""

from __future__ import annotations

from tracer.errors import Unavailable
from tracer.service.burst import CALM_S, LONGEST_S, MergePause


class Receivers:
    """Busy or not, and what merges were told."""

    def __init__(self) -> None:
        self.busy = False
        self.told: list[bool] = []
        self.store_is_away = False

    def hold(self, holding: bool) -> None:
        if self.store_is_away:
            raise Unavailable("the store is away")
        self.told.append(holding)

    def pause(self) -> MergePause:
        return MergePause(self.hold, lambda: self.busy)


def test_merges_are_held_while_it_is_busy_and_let_go_after_it() -> None:
    receivers = Receivers()
    pause = receivers.pause()
    pause.step(100.0)
    assert receivers.told == []
    receivers.busy = True
    pause.step(101.0)
    pause.step(102.0)
    receivers.busy = False
    pause.step(102.0 + CALM_S / 2)
    assert receivers.told == [True], "a short lull is no end"
    pause.step(102.0 + CALM_S)
    assert receivers.told == [True, False]


def test_a_burst_without_end_lets_merges_go_for_as_long_as_it_held_them() -> None:
    receivers = Receivers()
    receivers.busy = True
    pause = receivers.pause()
    held = []
    for second in range(int(4 * LONGEST_S)):
        pause.step(1000.0 + second)
        held.append(pause.holding)
    assert sum(held) == 2 * LONGEST_S


def test_a_store_that_is_away_is_told_again() -> None:
    receivers = Receivers()
    receivers.busy = receivers.store_is_away = True
    pause = receivers.pause()
    pause.step(1.0)
    assert not pause.holding
    receivers.store_is_away = False
    pause.step(2.0)
    assert pause.holding


def test_closing_lets_merges_go() -> None:
    receivers = Receivers()
    receivers.busy = True
    pause = receivers.pause()
    pause.start()
    pause.step(1.0)
    pause.close()
    assert receivers.told[-1] is False
