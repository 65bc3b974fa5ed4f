"""Log lines: what they look like, and that they neither flood nor lie."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from typing import Any

import pytest

from tracer.telemetry import log
from tracer.telemetry.log import FORMATTERS, Handler


class Logs:
    """A logger of its own that writes into memory, and a clock."""

    def __init__(self, log_format: str, name: str = "tracer.test") -> None:
        self.now_s = 0.0
        self.stream = io.StringIO()
        self.handler = Handler(self.stream, repeat_s=30, clock_s=lambda: self.now_s)
        self.handler.setFormatter(FORMATTERS[log_format]())
        self.logger = logging.Logger(name)
        self.logger.addHandler(self.handler)

    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()

    def texts(self) -> list[str]:
        return [line.split(" ", 3)[3] for line in self.lines()]


def fail(logger: logging.Logger) -> None:
    try:
        raise ValueError("bad \x1b[31m bytes\nof http://me:secret@host/")
    except ValueError:
        logger.exception("it %s", "failed")


def test_text_says_when_how_bad_who_and_what() -> None:
    logs = Logs("text")
    logs.logger.info("%d blocks", 3)
    (line,) = logs.lines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info tracer\.test 3 blocks", line)


def test_json_lines_are_objects_with_the_error_as_fields() -> None:
    logs = Logs("json")
    logs.logger.warning("queue \x1b[2J full\nforged line")
    fail(logs.logger)
    first, second = map(json.loads, logs.lines())
    assert set(first) == {"time", "level", "logger", "message"}
    assert first["time"].endswith("Z")
    assert (first["level"], first["logger"]) == ("warning", "tracer.test")
    assert first["message"] == "queue \\x1b[2J full\\nforged line"
    assert second["error"]["type"] == "ValueError"
    assert "raise ValueError" in second["error"]["stack"]
    assert "secret" not in logs.stream.getvalue()
    assert logs.stream.getvalue().isascii()


def test_text_cannot_move_the_cursor_forge_a_line_or_tell_a_password() -> None:
    logs = Logs("text")
    logs.logger.error("no \x1b]0;title\x07 \u202e %s", "http://me:secret@host\n2026 info forged")
    fail(logs.logger)
    text = logs.stream.getvalue()
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\\x1b]0;title\\x07 \\u202e http://…@host\\n2026 info forged" in text
    assert "secret" not in text
    stack = text.splitlines()[2:]
    assert stack
    assert all(line.startswith("  ") for line in stack)


def test_a_warning_that_repeats_is_written_once_and_then_counted() -> None:
    logs = Logs("text")
    for number in range(1000):
        logs.logger.warning("the queue is full (%d bytes)", number)
    logs.logger.warning("something else")
    assert logs.texts() == ["the queue is full (0 bytes)", "something else"]
    logs.now_s = 31
    logs.logger.info("unrelated")
    assert logs.texts()[2:] == [
        "the queue is full (999 bytes) (again 999 times in 31 s)",
        "unrelated",
    ]
    logs.logger.warning("the queue is full (%d bytes)", 5)
    assert len(logs.lines()) == 4
    logs.now_s = 62
    logs.handler.tick()
    assert logs.texts()[4:] == ["the queue is full (5 bytes) (again once in 31 s)"]
    logs.now_s = 200
    logs.handler.tick()
    logs.logger.warning("the queue is full (%d bytes)", 6)
    assert logs.texts()[5:] == ["the queue is full (6 bytes)"]


def test_what_was_held_back_is_told_at_the_end_and_counted_in_json() -> None:
    logs = Logs("json")
    for _ in range(3):
        logs.logger.warning("full")
    logs.handler.close()
    told = [json.loads(line) for line in logs.lines()]
    assert [one.get("repeated") for one in told] == [None, 2]
    assert told[1]["message"] == "full (again 2 times in 0 s)"


def test_information_is_never_held_back() -> None:
    logs = Logs("text")
    for _ in range(3):
        logs.logger.info("a step")
    assert len(logs.lines()) == 3


def test_kinds_beyond_the_limit_share_a_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "KINDS_LIMIT", 5)
    logs = Logs("text")
    for number in range(100):
        logs.logger.warning(f"kind {number}")
    assert len(logs.lines()) == 6


def test_a_message_that_does_not_fit_its_arguments_is_not_lost() -> None:
    logs = Logs("text")
    logs.logger.warning("100% of %s and %s", "one")  # noqa: PLE1206
    assert "100% of" in logs.texts()[0]


@pytest.mark.parametrize("name", ["uvicorn.error", "grpc", "opentelemetry.sdk", "py.warnings"])
def test_libraries_log_through_the_same_handler(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream: Any = io.StringIO()
    root = logging.getLogger()
    before = (root.handlers, root.level, logging.getLogger("tracer").level)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr("threading.Thread.start", lambda thread: None)
    monkeypatch.setattr("threading.excepthook", None)
    try:
        log.configure_logging("info", "json")
        logging.getLogger(name).warning("from a library")
        logging.getLogger(name).info("not asked for")
        logging.getLogger("tracer.x").info("asked for")
    finally:
        logging.captureWarnings(False)
        root.handlers, root.level = before[0], before[1]
        logging.getLogger("tracer").setLevel(before[2])
    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [one["message"] for one in told] == ["from a library", "asked for"]
