"""Memory that was needed once is given back."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

GROW_AND_FREE = """
import psutil, numpy as np, pyarrow as pa
from tracer.service.memory import give_back_memory
assert give_back_memory()
rss = psutil.Process().memory_info
for _ in range(4):  # each freed block would move the border up
    np.ones(2**20)
before = rss().rss
blocks = [np.ones(2**19) for _ in range(64)]  # 256 MiB
keep = [bytes(600_000) for _ in range(64)]
arrow = pa.array(np.ones(2**24)).cast(pa.int64())  # 128 MiB, by Arrow
del blocks, arrow
print(pa.default_memory_pool().backend_name, (rss().rss - before) >> 20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no border")
def test_what_blocks_needed_goes_back_to_the_machine() -> None:
    said = subprocess.run(
        [sys.executable, "-c", GROW_AND_FREE], capture_output=True, text=True, check=True
    ).stdout.split()
    assert said[0] == "system"
    assert int(said[1]) < 100
