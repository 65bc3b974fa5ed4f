"""Log lines on standard error, as text for people or JSON for machines.

Everything in the process logs through one handler, libraries included. A warning that comes again
and again is written once and then counted: an overloaded server must not fill the disk with a line
for each request it refuses.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from tracer.telemetry.escape import escaped, without_secrets

REPEAT_S: Final = 30.0
TICK_S: Final = 5.0
KINDS_LIMIT: Final = 1_000  # kinds of warnings counted apart; beyond, those of a logger are one
MESSAGE_LIMIT: Final = 8_192  # characters

Key = tuple[str, int, str]


def rfc3339(moment_s: float) -> str:
    """UTC, to the millisecond."""
    moment = datetime.fromtimestamp(moment_s, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class TextFormatter(logging.Formatter):
    """`time level logger message`; a stack follows, indented, on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """One record."""
        level = record.levelname.lower()
        head = f"{rfc3339(record.created)} {level} {record.name} {_message(record)}"
        if not (record.exc_info and record.exc_info[1]):
            return head
        stack = without_secrets(_stack(record.exc_info)).splitlines()
        return "\n".join([head, *(f"  {escaped(line)}" for line in stack)])


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """One record."""
        line: dict[str, Any] = {
            "time": rfc3339(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        if (repeated := getattr(record, "repeated", 0)) > 0:
            line["repeated"] = repeated
        if record.exc_info and (error := record.exc_info[1]) is not None:
            line["error"] = {
                "type": type(error).__qualname__,
                "message": without_secrets(str(error)),
                "stack": without_secrets(_stack(record.exc_info)),
            }
        return json.dumps(line)  # ASCII: escapes whatever a terminal could take for a command


FORMATTERS: Final = {"text": TextFormatter, "json": JsonFormatter}


def _message(record: logging.LogRecord) -> str:
    try:
        text = record.getMessage()
    except (TypeError, ValueError, KeyError):  # a library's mistake must not lose its message
        text = f"{record.msg} {record.args}"
    return escaped(without_secrets(text)[:MESSAGE_LIMIT])


def _stack(exc_info: Any) -> str:
    return "".join(traceback.format_exception(*exc_info))


@dataclass
class _Seen:
    """A kind of warning: since when its repetitions are counted, how many, and the last of them."""

    since_s: float
    count: int = 0
    last: logging.LogRecord | None = None


class Handler(logging.StreamHandler[TextIO]):
    """Writes records; of equal warnings the first, then every `repeat_s` how many there were.

    Equal are those of one logger, level and template: numbers in them may differ.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        repeat_s: float = REPEAT_S,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(stream)
        self._repeat_s = repeat_s
        self._clock_s = clock_s
        self._seen: dict[Key, _Seen] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Writes the record, or counts it. The caller holds the handler's lock."""
        self.tell_repeated()
        if record.levelno < logging.WARNING:
            super().emit(record)
            return
        key = (record.name, record.levelno, str(record.msg))
        if key not in self._seen and len(self._seen) >= KINDS_LIMIT:
            key = (record.name, record.levelno, "")
        seen = self._seen.get(key)
        if seen is not None:
            seen.count += 1
            seen.last = record
            return
        self._seen[key] = _Seen(self._clock_s())
        super().emit(record)

    def tell_repeated(self, *, all_of_them: bool = False) -> None:
        """Writes the counts that are due. A kind that did not come again starts anew."""
        now_s = self._clock_s()
        for key, seen in list(self._seen.items()):
            if now_s - seen.since_s < self._repeat_s and not all_of_them:
                continue
            if seen.last is None:
                del self._seen[key]
                continue
            super().emit(_repeated(seen.last, seen.count, now_s - seen.since_s))
            self._seen[key] = _Seen(now_s)

    def tick(self) -> None:
        """Tells what is due although nothing else is logged."""
        self.acquire()
        try:
            self.tell_repeated()
        finally:
            self.release()

    def close(self) -> None:
        """Tells what is left."""
        self.acquire()
        try:
            self.tell_repeated(all_of_them=True)
            self._seen.clear()
        finally:
            self.release()
        super().close()


def _repeated(last: logging.LogRecord, count: int, seconds: float) -> logging.LogRecord:
    times = "once" if count == 1 else f"{count} times"
    summary = logging.makeLogRecord(last.__dict__)
    summary.msg = "%s (again %s in %.0f s)"
    summary.args = (_message(last), times, seconds)
    summary.__dict__["repeated"] = count
    return summary


def configure_logging(level: str, log_format: str = "text") -> None:
    """Everything that is logged goes to standard error; libraries from warnings on."""
    handler = Handler(sys.stderr)
    handler.setFormatter(FORMATTERS[log_format]())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("tracer").setLevel(level.upper())
    logging.captureWarnings(True)
    threading.excepthook = _lost_thread
    threading.Thread(target=_ticking, args=(handler,), name="tracer-log", daemon=True).start()


def _ticking(handler: Handler) -> None:
    while True:
        time.sleep(TICK_S)
        handler.tick()


def _lost_thread(lost: threading.ExceptHookArgs) -> None:
    name = lost.thread.name if lost.thread else "unknown"
    logging.getLogger("tracer").error(
        "thread %s ended by an error",
        name,
        exc_info=(lost.exc_type, lost.exc_value or lost.exc_type(), lost.exc_traceback),
    )
