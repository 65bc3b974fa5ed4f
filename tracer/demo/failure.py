"""The one error that crosses from service to service: an answer that is not 200."""

from __future__ import annotations


class Failure(Exception):
    """`status` is the HTTP status that the caller gets."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
