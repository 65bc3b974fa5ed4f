"""Asks something that may hang without hanging with it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from tracer.errors import Unavailable

T = TypeVar("T")


class Bounded(Generic[T]):
    """One question on a thread of its own, at most one at a time; its answer is kept a while.

    While a question hangs no second one is begun, so a dead engine costs one thread, not one a
    scrape.
    """

    def __init__(self, question: Callable[[], T], *, name: str, keep_s: float) -> None:
        self._question = question
        self._name = name
        self._keep_s = keep_s
        self._lock = threading.Lock()
        self._asked: Future[T] | None = None
        self._answered_s = float("-inf")
        self._last: T | None = None

    def ask(self, wait_s: float) -> T:
        """An answer no older than `keep_s`; raises what the question raises.

        Raises Unavailable when there is none within `wait_s`.
        """
        with self._lock:
            asked = self._asked
            if asked is None or (
                asked.done() and time.monotonic() - self._answered_s > self._keep_s
            ):
                asked = self._asked = Future()
                threading.Thread(
                    target=self._answer, args=(asked,), name=self._name, daemon=True
                ).start()
        try:
            return asked.result(wait_s)
        except TimeoutError as error:
            raise Unavailable(f"no answer within {wait_s:g} s") from error

    @property
    def last(self) -> T | None:
        """The last answer that was one, however old."""
        return self._last

    def _answer(self, asked: Future[T]) -> None:
        try:
            answer = self._question()
        except BaseException as error:  # noqa: BLE001 - raised again where it is asked
            self._answered_s = time.monotonic()
            asked.set_exception(error)
        else:
            self._last = answer
            self._answered_s = time.monotonic()
            asked.set_result(answer)
