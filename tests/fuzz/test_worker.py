"""Wrong answers are noticed, named and made small."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.fuzz.calling import Got
from tests.fuzz.expected import REFUSED, Answer
from tests.fuzz.sample import GRPC, Sample
from tests.fuzz.worker import Disagreement, differs, smaller
from tests.support.otlp import BASE_NS, request, span

SAMPLE = Sample(0, GRPC, is_json=False, is_gzip=False, body=request(span(name="x" * 300 + "\0")))


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (REFUSED, Got()),
        (Answer(), Got(refused=True)),
        (Answer(rejected=1), Got(rejected=2)),
        (Answer(), Got(problem="no answer")),
    ],
)
def test_a_wrong_answer_differs(expected: Answer, got: Got) -> None:
    assert differs(expected, got)
    assert not differs(REFUSED, Got(refused=True, message="why"))
    assert not differs(Answer(rejected=2), Got(rejected=2))


def test_a_disagreement_is_made_small() -> None:
    class Afraid:
        """Refuses everything with a zero byte in it."""

        async def call(self, sample: Sample) -> Got:
            return Got(refused=b"\0" in sample.body)

    wrong = Disagreement(SAMPLE, SAMPLE.expected(BASE_NS), Got(refused=True))
    assert "refused" in wrong.sort
    small = asyncio.run(smaller(Afraid(), wrong))
    assert b"\0" in small.sample.body
    assert len(small.sample.body) < len(SAMPLE.body) // 3
    assert small.got.refused and not small.expected.refused


def test_the_same_answer_is_of_the_same_sort() -> None:
    sorts = {
        Disagreement(one, REFUSED, Got(rejected=count)).sort
        for one, count in ((SAMPLE, 1), (replace(SAMPLE, number=5), 2))
    }
    assert len(sorts) == 1
