"""Faults inside a JSON document, carried up with the path to where they are.

The path is put together while the fault travels up, so a document without faults pays nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from tracer.errors import BadInput

T = TypeVar("T")
_SHOWN_CHARACTERS: Final = 40


class Fault(Exception):
    """Something at `path` (relative to who catches it) is not what it must be."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(problem)
        self.path = path
        self.problem = problem

    def under(self, parent: str) -> Fault:
        """The same fault, seen from one level further up."""
        joint = "" if not self.path or self.path.startswith("[") else "."
        return Fault(f"{parent}{joint}{self.path}", self.problem)

    def as_bad_input(self, what: str, fix: str) -> BadInput:
        """The error for whoever sent the document."""
        return BadInput(f"{what}: at {self.path or 'the top'}, {self.problem}: {fix}")


def expected(path: str, wanted: str, got: object) -> Fault:
    """The fault "expected a number, got 'abc'" at `path`."""
    shown = repr(got)
    if len(shown) > _SHOWN_CHARACTERS:
        shown = shown[:_SHOWN_CHARACTERS] + "…"
    return Fault(path, f"expected {wanted}, got {shown}")


def each(
    owner: dict[str, Any], key: str, add: Callable[[], T], fill: Callable[[T, dict[str, Any]], None]
) -> None:
    """`fill(add(), item)` for every object in the array `owner[key]`, which may be missing or null.

    Adding first and filling in place is what makes protobuf fast: a message given to another
    one's constructor is copied.
    """
    items = owner.get(key)
    if items is None:
        return
    if not isinstance(items, list):
        raise expected(key, "an array", items)
    for index, item in enumerate(items):
        try:
            fill(add(), as_object(item))
        except Fault as fault:
            raise fault.under(f"{key}[{index}]") from None


def as_object(value: object) -> dict[str, Any]:
    """A JSON object; null counts as an empty one."""
    if isinstance(value, dict):
        return value
    if value is None:
        return {}
    raise expected("", "an object", value)


def as_text(owner: dict[str, Any], key: str) -> str:
    """A JSON string; missing or null is ''."""
    value = owner.get(key)
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    raise expected(key, "a string", value)
