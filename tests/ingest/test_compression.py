"""Unpacking: whole, never more than allowed, and nothing taken for whole that is not."""

from __future__ import annotations

import random
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ingest.packing import PACK, raw_deflate, zstd
from tracer.errors import BadInput, TooLarge
from tracer.ingest.otlp.compression import CODINGS, decompress

MIB = 1 << 20
ROWS = ("gzip", "zstd", "lz4")


def test_every_coding_is_tried_here() -> None:
    assert set(CODINGS) == {"identity", "x-gzip", *PACK}


@pytest.mark.parametrize("size", [MIB, MIB + 1, 5_000_000])
@pytest.mark.parametrize("coding", PACK)
def test_large_bodies_come_out_whole(size: int, coding: str) -> None:
    for body in (bytes(size), random.Random(size).randbytes(size), b"ab" * (size // 2)):
        packed = PACK[coding](body)
        assert decompress(packed, coding, size) == body
        with pytest.raises(TooLarge):
            decompress(packed, coding, len(body) - 1)


@pytest.mark.parametrize("size", [0, 1, 99, 100])
@pytest.mark.parametrize("coding", PACK)
def test_the_limit_is_inclusive(size: int, coding: str) -> None:
    assert decompress(PACK[coding](bytes(size)), coding, 100) == bytes(size)
    with pytest.raises(TooLarge):
        decompress(PACK[coding](bytes(101 + size)), coding, 100)


@pytest.mark.parametrize("coding", PACK)
def test_a_cut_body_is_bad_input(coding: str) -> None:
    whole = PACK[coding](b"0123456789" * 10)
    for cut in range(1, len(whole)):
        with pytest.raises(BadInput):
            decompress(whole[:cut], coding, 1000)


@pytest.mark.parametrize("coding", PACK)
def test_bytes_after_the_end_are_bad_input(coding: str) -> None:
    with pytest.raises(BadInput):
        decompress(PACK[coding](b"x") + b"more", coding, 1000)


@pytest.mark.parametrize("coding", ROWS)
def test_members_one_after_the_other_are_joined(coding: str) -> None:
    pack = PACK[coding]
    assert decompress(pack(b"one ") + pack(b"") + pack(b"two"), coding, 7) == b"one two"
    with pytest.raises(TooLarge):
        decompress(pack(b"one ") + pack(b"two"), coding, 6)


@pytest.mark.parametrize("coding", ["zstd", "lz4"])
def test_frames_to_skip_are_skipped(coding: str) -> None:
    skipped = struct.pack("<II", 0x184D2A50, 4) + b"note"
    frame = PACK[coding](b"body")
    assert decompress(skipped + frame + skipped, coding, 4) == b"body"


@given(st.binary(max_size=200))
def test_deflate_comes_with_and_without_its_container(body: bytes) -> None:
    for level in (0, 1, 9):
        assert decompress(zlib.compress(body, level), "deflate", 200) == body
    assert decompress(raw_deflate(body), "deflate", 200) == body


@pytest.mark.parametrize("coding", PACK)
@given(st.binary(min_size=1, max_size=60))
def test_any_other_bytes_are_bad_input_or_unpacked(coding: str, noise: bytes) -> None:
    packed = PACK[coding](b"0123456789" * 10)
    for damaged in (noise, packed[:9] + noise, packed[: len(packed) // 2] + noise):
        try:
            assert len(decompress(damaged, coding, 1000)) <= 1000
        except BadInput:
            continue


def test_a_window_larger_than_any_request_is_refused() -> None:
    options = {
        zstd.CompressionParameter.window_log: 27,
        zstd.CompressionParameter.content_size_flag: 0,
    }
    packer = zstd.ZstdCompressor(options=options)
    packed = packer.compress(b"small") + packer.flush()
    with pytest.raises(BadInput, match="zstd"):
        decompress(packed, "zstd", 64 * MIB)
    assert decompress(packed, "zstd", 128 * MIB) == b"small"
