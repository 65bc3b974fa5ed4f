"""Every error that may cross a package border, and the one table that turns it into codes.

    TracerError
    ├── BadInput            do not retry: the request, file or flag is wrong
    │   ├── BadQuery        a parameter of a question
    │   ├── BadSetting      a flag, TRACER_* variable or line of the settings file
    │   └── TooLarge        over a size limit
    ├── NotFound            the thing named does not exist (or has been dropped by retention)
    ├── Unsupported         valid, but not something this endpoint does
    ├── Unavailable         retry: a full queue, a store that cannot write, a server that is down
    │   └── PathInUse       another process owns the data directory
    └── StoreFailure        the engine refused something it should have taken

A message names the thing and the fix, in that order, in one sentence.
"""

from __future__ import annotations

from typing import Final, NamedTuple

MOST_CHARACTERS: Final = 1_000  # of a message as a door shows it


class TracerError(Exception):
    """Base of the drawn tree."""


class BadInput(TracerError):
    """The caller sent something wrong; sending it again cannot help."""


class BadQuery(BadInput):
    """A parameter of a question is wrong."""


class BadSetting(BadInput):
    """A setting is wrong; the message names the setting, the value and the fix."""


class TooLarge(BadInput):
    """Over a size limit; the message names the limit and the setting that holds it."""


class NotFound(TracerError):
    """The thing named does not exist here."""


class Unsupported(TracerError):
    """Understood, but not something this endpoint does."""


class Unavailable(TracerError):
    """Cannot be done right now; retry after `retry_after_s` seconds.

    `reason` is a word for counting, where one class has several causes.
    """

    def __init__(
        self, message: str, retry_after_s: float = 1.0, *, reason: str = "unavailable"
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.reason = reason


class PathInUse(Unavailable):
    """Another process owns the data directory."""


class StoreFailure(TracerError):
    """The storage engine refused something it should have taken."""


class Codes(NamedTuple):
    """What one kind of error is called at each door."""

    grpc: str  # name of a grpc.StatusCode
    http: int
    exit: int


CODES: dict[type[TracerError], Codes] = {
    BadQuery: Codes("INVALID_ARGUMENT", 400, 2),
    BadSetting: Codes("INVALID_ARGUMENT", 400, 2),
    TooLarge: Codes("RESOURCE_EXHAUSTED", 413, 2),
    BadInput: Codes("INVALID_ARGUMENT", 400, 2),
    NotFound: Codes("NOT_FOUND", 404, 2),
    Unsupported: Codes("UNIMPLEMENTED", 404, 2),
    PathInUse: Codes("UNAVAILABLE", 503, 4),
    Unavailable: Codes("UNAVAILABLE", 503, 4),
    StoreFailure: Codes("INTERNAL", 500, 4),
    TracerError: Codes("INTERNAL", 500, 4),
}


def codes(error: BaseException) -> Codes:
    """The codes of the nearest class in the table; anything unknown is an internal failure."""
    for kind in type(error).__mro__:
        if kind in CODES:
            return CODES[kind]
    return Codes("INTERNAL", 500, 4)


def shortened(message: str) -> str:
    """A message as a door shows it: where it repeats a page of input, that page's middle is cut.

    The thing stands at the beginning and the fix at the end.
    """
    half = MOST_CHARACTERS // 2
    return message if len(message) <= 2 * half else f"{message[:half]} … {message[-half:]}"
