"""Folded stacks and speedscope files, read back by rules of their own."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings

from tests.report.test_path_json import SHOP, document_of
from tests.support.path_oracle import traffic
from tests.support.picture import read
from tests.support.records import EPOCH, records, span
from tracer.analysis.analyse import analyse
from tracer.columns.spans import SpanColumns
from tracer.report.flame import folded, speedscope
from tracer.report.path_json import path_choice
from tracer.report.path_text import path_text
from tracer.service.path_file import critical_path_of

UNITS = {"none", "nanoseconds", "microseconds", "milliseconds", "seconds", "bytes"}


def stacks(text: str) -> Counter[tuple[str, ...]]:
    """As a reader of folded stacks takes them: the last word of a line is its value."""
    found: Counter[tuple[str, ...]] = Counter()
    for line in text.split("\n")[:-1]:
        names, _, value = line.rpartition(" ")
        found[tuple(names.split(";"))] += int(value)
    return found


def stacks_of(file: dict[str, Any], number: int) -> Counter[tuple[str, ...]]:
    """Time by stack of one profile, by the rules of the published format: written down here."""
    assert file["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    assert 0 <= file["activeProfileIndex"] < len(file["profiles"])
    assert all(isinstance(one["name"], str) for one in file["shared"]["frames"])
    profile = file["profiles"][number]
    assert set(profile) == {"type", "name", "unit", "startValue", "endValue", "events"}
    assert profile["type"] == "evented"
    assert profile["unit"] in UNITS
    assert 0 == profile["startValue"] <= profile["endValue"] < 2**53
    found: Counter[tuple[str, ...]] = Counter()
    open_frames: list[int] = []
    last = 0
    for event in profile["events"]:
        assert set(event) == {"type", "frame", "at"}
        assert last <= event["at"] <= profile["endValue"], "times never go back"
        names = tuple(file["shared"]["frames"][frame]["name"] for frame in open_frames)
        if event["at"] > last:
            found[names] += event["at"] - last
        last = event["at"]
        if event["type"] == "O":
            open_frames.append(event["frame"])
        else:
            assert event["type"] == "C"
            assert open_frames.pop() == event["frame"], "what closes was opened last"
    assert not open_frames, "everything is closed"
    return found


@settings(max_examples=15, deadline=None)
@given(spans=traffic())
def test_both_say_what_the_document_says(spans: SpanColumns) -> None:
    facts = analyse(spans).facts
    for metric in ("critical", "self"):
        for limit in (2, 1000):
            document = document_of(facts, path_choice(metric, None, limit))
            file = json.loads(json.dumps(speedscope(document)))
            flat = stacks(folded(document))
            assert sum(flat.values()) == document["bands"][0][f"{metric}_ns"]
            assert stacks_of(file, file["activeProfileIndex"]) == flat
            for number in range(len(file["profiles"])):
                stacks_of(file, number)


def test_stacks_of_a_shop() -> None:
    document = document_of(analyse(read(SHOP).spans).facts, path_choice(None, None, None))
    assert folded(document) == (
        "web·web 3\nweb·web;db·db 4\nweb·web;db·db;disk·disk 1\nweb·web;cache·cache 2\n"
    )


def test_what_is_not_listed_is_one_frame() -> None:
    document = document_of(analyse(read(SHOP).spans).facts, path_choice(None, None, 2))
    assert folded(document) == (
        "web·web 3\nweb·web;db·db 4\nweb·web;db·db;(1 more) 1\nweb·web;(1 more) 2\n"
    )


def test_there_is_a_profile_for_each_band_with_time() -> None:
    drawn = "".join(f"web |{'-' * length}|\n\n" for length in range(1, 101))
    document = document_of(analyse(read(drawn).spans).facts, path_choice(None, "95-99", None))
    file = speedscope(document)
    assert [one["name"] for one in file["profiles"]] == [
        "critical time, all roots",
        "critical time, roots between their p0 and p50",
        "critical time, roots between their p50 and p95",
        "critical time, roots between their p95 and p99",
        "critical time, roots between their p99 and p100",
    ]
    assert file["activeProfileIndex"] == 3
    assert file["profiles"][3]["endValue"] == 96 + 97 + 98 + 99
    assert folded(document) == "web·web 390\n"


NAMES = ["a;b", "a\nb 7", "", "x" * 10_000, "tab\there", "\x1b[31mred", "ends in 12"]


@pytest.mark.parametrize("name", NAMES)
def test_no_name_breaks_a_line(name: str) -> None:
    spans = [
        span(1, 1, start=EPOCH, duration=10, name=name),
        span(1, 2, 1, start=EPOCH, duration=4, name="inner"),
    ]
    document = critical_path_of(
        records(spans), path_choice(None, None, None), service=None, operation=None
    )
    flat = stacks(folded(document))
    assert sorted(flat.values()) == [4, 6]
    assert {len(stack) for stack in flat} == {1, 2}
    assert all(len(frame) <= 200 for stack in flat for frame in stack)
    assert stacks_of(speedscope(document), 0) == flat


def test_two_names_that_differ_in_a_separator_stay_apart() -> None:
    spans = [
        span(trace, 1, start=EPOCH, duration=10, name=name)
        for trace, name in enumerate(("a;b", "a,b", "a b"), 1)
    ]
    document = critical_path_of(
        records(spans), path_choice(None, None, None), service=None, operation=None
    )
    assert len(stacks(folded(document))) == 3


def test_more_time_than_a_browser_counts_is_told_in_milliseconds() -> None:
    spans = [span(trace, 1, start=EPOCH, duration=2**52) for trace in range(1, 5)]
    document = critical_path_of(
        records(spans), path_choice(None, None, None), service=None, operation=None
    )
    profile = speedscope(document)["profiles"][0]
    assert (profile["unit"], profile["endValue"]) == ("milliseconds", 2**54 // 10**6)


def test_a_deep_chain_is_no_trouble() -> None:
    chain = [
        span(1, depth, depth - 1, start=EPOCH + depth, duration=10_000 - 2 * depth)
        for depth in range(1, 2001)
    ]
    document = critical_path_of(
        records(chain), path_choice(None, None, 1000), service=None, operation=None
    )
    file = speedscope(document)
    assert sum(stacks_of(file, 0).values()) == 9_998
    assert stacks(folded(document)) == stacks_of(file, 0)


def test_environments_do_not_look_the_same() -> None:
    spans = [
        one
        for trace, name in ((1, "production"), (2, "staging"))
        for one in (
            span(trace, 1, start=EPOCH, duration=10, Environment=name),
            span(trace, 2, 1, start=EPOCH, duration=4, service="db", name="get", Environment=name),
        )
    ]
    document = critical_path_of(
        records(spans), path_choice(None, None, None), service=None, operation=None
    )
    assert set(stacks(folded(document))) == {
        (f"shop·GET / ({name})", *below)
        for name in ("production", "staging")
        for below in ((), ("db·get",))
    }
    text = path_text({**document, "reproduce": ""}, width=100, colour=False)
    assert "\nshop GET / (staging) " in text
    assert "\n  db get  " in text
