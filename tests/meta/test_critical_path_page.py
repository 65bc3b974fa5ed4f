"""What `tracer/CRITICAL_PATH.md` draws is what tracer computes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.analysis.test_critical_path import claims
from tests.analysis.test_journeys import journey_of
from tests.support.picture import read
from tracer.analysis.critical_path import critical_path
from tracer.analysis.orphans import OrphanReason
from tracer.analysis.self_time import self_time
from tracer.analysis.tree import build
from tracer.columns.schema import HOST_KEYS
from tracer.report.quality import FLAGS

PAGE = (Path(__file__).resolve().parents[2] / "tracer" / "CRITICAL_PATH.md").read_text()
DRAWN = re.findall(r"^```\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
PATHS = [drawing for drawing in DRAWN if "#" in drawing and "queue" not in drawing]


@pytest.mark.parametrize("drawing", PATHS, ids=[one.split()[0] for one in PATHS])
def test_paths_are_as_drawn(drawing: str) -> None:
    picture = read(drawing)
    forest = build(picture.spans)
    assert claims(forest, critical_path(forest, tolerance_ns=1)) == picture.claimed
    assert picture.claimed


def test_the_journey_is_as_drawn() -> None:
    (drawing,) = (one for one in DRAWN if "queue" in one)
    picture = read(drawing)
    forest = build(picture.spans)
    legs = journey_of(forest, int(forest.main_root[0]))
    ids = forest.spans.span_id
    assert {
        (int(ids[one.span_row]), one.start_ns, one.end_ns) for one in legs if not one.is_wait
    } == {(one.span_id, one.start_ns, one.end_ns) for one in picture.claimed}
    assert sum(one.end_ns - one.start_ns for one in legs if one.is_wait) == 2


def test_self_time_is_as_drawn() -> None:
    (drawing,) = (one for one in DRAWN if "self time" in one)
    assert self_time(build(read(drawing).spans))[0] == 4


def test_every_word_of_the_documents_is_explained() -> None:
    words = {name for name in FLAGS if name not in ("overruns", "starts_before_parent", "off_path")}
    words -= {"asynchronous", "skew_corrected"}
    reasons = {reason.name.lower() for reason in OrphanReason if reason}
    for word in words | reasons | {"overruns", *HOST_KEYS} - {"ip"}:
        assert f"`{word}`" in PAGE, word
