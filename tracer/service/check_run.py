"""A command's traces in a file: receivers that live as long as the command, and no store."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Literal

from tracer.columns.records import SpanRecords
from tracer.errors import BadInput, StoreFailure
from tracer.ingest.otlp.decode import decode
from tracer.ingest.otlp.encode import to_otlp_lines
from tracer.ingest.otlp.receivers import Receivers, start_receivers
from tracer.ingest.sink import Sink

Protocol = Literal["grpc", "http/protobuf", "http/json"]

_LOOK_S: Final = 0.05
_ENDING_S: Final = 10.0  # for the command, once it was told to end
# What SDKs are told unless the environment says otherwise: only traces are taken, and the last
# batch need not wait five seconds.
_UNLESS_SET: Final = {
    "OTEL_TRACES_EXPORTER": "otlp",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
    "OTEL_BSP_SCHEDULE_DELAY": "1000",
}


@dataclass(frozen=True)
class Recorded:
    """How the command ended, and how many spans came."""

    code: int
    spans: int


class _File:
    """Spans as OTLP JSON lines, and when the last ones came."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._lock = threading.Lock()
        self.spans = 0
        self.last_s = time.monotonic()

    def write(self, records: SpanRecords) -> None:
        """What `Sink` calls for every block; returns once the lines are in the file."""
        with self._lock:
            try:
                for line in to_otlp_lines(records):
                    self._file.write(line)
                self._file.flush()
            except OSError as error:
                raise StoreFailure(
                    f"the traces cannot be written ({error.strerror}); make room"
                ) from error
            self.spans += len(records)
            self.last_s = time.monotonic()


def run_recorded(
    words: Sequence[str],
    out: Path,
    environment: Mapping[str, str],
    *,
    protocol: Protocol,
    quiet_s: float,
    longest_s: float,
) -> Recorded:
    """Runs the command with receivers on free ports of this machine, told to it in `OTEL_*`.

    After it ended exports are taken until none came for `quiet_s`, at most for `longest_s`. Raises
    BadInput when the file cannot be written or the command not be found.
    """
    with ExitStack() as undo:
        try:
            file = _File(undo.enter_context(out.open("wb")))
        except OSError as error:
            raise BadInput(f"{out} cannot be written: {error.strerror}; name another") from None
        sink = Sink(decode=decode, write=file.write)
        undo.callback(sink.close)
        receivers = start_receivers(sink, grpc_port=0, http_port=0)
        undo.callback(receivers.stop)
        receivers.tell_ready(True)
        code = _run(words, {**environment, **_told(receivers, environment, protocol)})
        ended_s = time.monotonic()
        while time.monotonic() < min(max(file.last_s, ended_s) + quiet_s, ended_s + longest_s):
            time.sleep(_LOOK_S)
        undo.pop_all().close()
        return Recorded(code, file.spans)


def _told(
    receivers: Receivers, environment: Mapping[str, str], protocol: Protocol
) -> dict[str, str]:
    port = receivers.grpc_port if protocol == "grpc" else receivers.http_port
    unset = {name: word for name, word in _UNLESS_SET.items() if name not in environment}
    url = f"http://127.0.0.1:{port}"
    path = "" if protocol == "grpc" else "/v1/traces"
    return {
        **unset,
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": protocol,
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": url + path,
    }


def _run(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Its exit code; a command that is interrupted is told to end."""
    try:
        running = subprocess.Popen(words, env=dict(environment))
    except OSError as error:
        raise BadInput(f"{words[0]!r} cannot be run: {error.strerror}; name a command") from None
    try:
        return running.wait()
    finally:
        if running.poll() is None:
            running.terminate()
            try:
                running.wait(_ENDING_S)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()
