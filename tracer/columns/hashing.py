"""Stable 64-bit hashes of text and numbers: the same in every process, version and batch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

_MASK: Final = (1 << 64) - 1
_GOLDEN: Final = 0x9E3779B97F4A7C15
_FIRST: Final = 0xBF58476D1CE4E5B9  # the finalizer of SplitMix64 (Steele, Lea, Flood 2014)
_SECOND: Final = 0x94D049BB133111EB


def hash_text(parts: Iterable[str]) -> int:
    """blake2b of the parts, each closed by its length, so that no two lists run together."""
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(encoded)
        digest.update(len(encoded).to_bytes(8, "little"))
    return int.from_bytes(digest.digest(), "little")


def mix(left: Hashes, right: Hashes) -> Hashes:
    """One hash of an ordered pair of hashes; `mix(a, b) != mix(b, a)`."""
    mixed = left * np.uint64(_GOLDEN) + right
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(_FIRST)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(_SECOND)
    return mixed ^ (mixed >> np.uint64(31))


def mix_one(left: int, right: int) -> int:
    """`mix` of two plain integers, for places too narrow for numpy."""
    mixed = (left * _GOLDEN + right) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * _FIRST) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * _SECOND) & _MASK
    return mixed ^ (mixed >> 31)


def operation_key(service: Sequence[str], operation: str, kind: int) -> int:
    """Key of (service identity, operation, span kind): one step of a call path."""
    return hash_text((*service, operation, str(kind)))


def caller_key(key: int, caller_service: str, caller_operation: str) -> int:
    """Key of an operation as called from one place; both names are '' for a root."""
    return mix_one(hash_text((caller_service, caller_operation)), key)
