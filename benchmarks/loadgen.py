"""Load over OTLP/gRPC, from a process of its own: how many spans a receiver acknowledges.

    python -m benchmarks.loadgen --target 127.0.0.1:4317 --streams 128 --seconds 30 [--rate 100000]

Requests are serialized before the clock starts. Before each send the trace ids of a request are
renewed in its bytes, and its times are moved to now every few seconds, so that no request is a
retry of another and no span is old. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections import Counter
from dataclasses import dataclass
from typing import Final

import grpc
import grpc.aio
import numpy as np
from numpy.typing import NDArray
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from benchmarks import corpus

EXPORT: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
STREAMS_PER_CHANNEL: Final = 8
MOVE_EVERY_NS: Final = 2_000_000_000
_EIGHT: Final = np.arange(8)


@dataclass
class Template:
    """A serialized request that is renewed in place; `take` gives its bytes as they are now."""

    raw: NDArray[np.uint8]
    spans: int
    base_ns: int
    trace_at: NDArray[np.intp]  # (spans, 8) positions of the first half of each trace id
    times_at: NDArray[np.intp]  # (times, 8) positions of start, end and event times

    def take(self, run_id: int, now_ns: int) -> bytes:
        """The request with trace ids that begin with `run_id` and times near `now_ns`."""
        if now_ns - self.base_ns > MOVE_EVERY_NS:
            times = np.ascontiguousarray(self.raw[self.times_at]).view(np.uint64)
            times += np.uint64(now_ns - self.base_ns)
            self.raw[self.times_at] = times.view(np.uint8)
            self.base_ns = now_ns
        self.raw[self.trace_at] = np.frombuffer(run_id.to_bytes(8, "big"), np.uint8)
        return self.raw.tobytes()


def template(request: bytes, base_ns: int) -> Template:
    """Where the ids and times stand in the bytes of a request of the corpus."""
    message = ExportTraceServiceRequest.FromString(request)
    trace_at: list[int] = []
    times_at: list[int] = []
    at = 0
    for group in message.resource_spans:
        for scope in group.scope_spans:
            for span in scope.spans:
                at = request.index(b"\x0a\x10" + span.trace_id, at) + 2
                trace_at.append(at)
                for tag, time_ns in (
                    (b"\x39", span.start_time_unix_nano),
                    (b"\x41", span.end_time_unix_nano),
                    *((b"\x09", event.time_unix_nano) for event in span.events),
                ):
                    at = request.index(tag + time_ns.to_bytes(8, "little"), at) + 1
                    times_at.append(at)
    raw = np.frombuffer(request, np.uint8).copy()
    return Template(raw, len(trace_at), base_ns, _positions(trace_at), _positions(times_at))


def _positions(starts: list[int]) -> NDArray[np.intp]:
    return np.asarray(starts, np.intp)[:, None] + _EIGHT


class Load:
    """Streams that send as fast as they are acknowledged, or at a rate, until the time is up."""

    def __init__(self, target: str, templates: list[Template], rate: float = 0.0) -> None:
        self._target = target
        self._templates = templates
        self._rate = rate  # spans a second in all, 0: no limit
        self._due_s = 0.0  # when the next request may go out
        self._run_id = int.from_bytes(os.urandom(6), "big") << 16
        self._sent = 0
        self.accepted = 0
        self.rejected = 0
        self.errors: Counter[str] = Counter()
        self.waits_s: list[float] = []

    async def run(self, streams: int, seconds: float) -> float:
        """Send; returns the seconds from the first request to the last answer."""
        channels = [
            grpc.aio.insecure_channel(
                self._target,
                options=[
                    ("grpc.use_local_subchannel_pool", 1),
                    ("grpc.max_send_message_length", -1),
                ],
            )
            for _ in range((streams + STREAMS_PER_CHANNEL - 1) // STREAMS_PER_CHANNEL)
        ]
        await asyncio.gather(*(channel.channel_ready() for channel in channels))
        begun = time.perf_counter()
        await asyncio.gather(
            *(
                self._stream(channels[number % len(channels)], begun + seconds)
                for number in range(streams)
            )
        )
        took = time.perf_counter() - begun
        for channel in channels:
            await channel.close()
        return took

    async def _stream(self, channel: grpc.aio.Channel, until: float) -> None:
        call = channel.unary_unary(EXPORT)
        while time.perf_counter() < until:
            one = self._templates[self._sent % len(self._templates)]
            self._sent += 1
            number = self._sent
            await self._turn(one.spans)
            body = one.take(self._run_id + number, time.time_ns())
            begun = time.perf_counter()
            try:
                answer = await call(body, timeout=60)
            except grpc.aio.AioRpcError as error:
                self.errors[error.code().name] += 1
                await asyncio.sleep(0.2)
                continue
            self.waits_s.append(time.perf_counter() - begun)
            rejected = 0
            if answer:
                response = ExportTraceServiceResponse.FromString(answer)
                rejected = response.partial_success.rejected_spans
            self.rejected += rejected
            self.accepted += one.spans - rejected

    async def _turn(self, spans: int) -> None:
        """Waits for the moment at which so many spans are due; what was missed is not made up for
        beyond a second."""
        if self._rate:
            now = time.perf_counter()
            at = self._due_s = max(self._due_s, now - 1.0)
            self._due_s += spans / self._rate
            await asyncio.sleep(max(0.0, at - now))


def main() -> None:
    """Parse the command line, load, print what was acknowledged."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--streams", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--templates", type=int, default=16)
    parser.add_argument("--rate", type=float, default=0.0, help="spans a second, 0: all it takes")
    parser.add_argument("--spans", type=int, default=corpus.SPANS_PER_REQUEST)
    args = parser.parse_args()
    base_ns = time.time_ns()
    requests = corpus.requests(args.templates, base_ns=base_ns, spans_per_request=args.spans)
    load = Load(args.target, [template(request, base_ns) for request in requests], args.rate)
    began_cpu_s = time.process_time()
    took_s = asyncio.run(load.run(args.streams, args.seconds))
    waits_s = np.array(load.waits_s or [0.0])
    print(
        json.dumps(
            {
                "accepted": load.accepted,
                "rejected": load.rejected,
                "requests": len(load.waits_s),
                "bytes_per_span": sum(map(len, requests)) / args.spans / len(requests),
                "seconds": took_s,
                "cpu_s": time.process_time() - began_cpu_s,
                "errors": dict(load.errors),
                "wait_p50_s": float(np.quantile(waits_s, 0.5)),
                "wait_p99_s": float(np.quantile(waits_s, 0.99)),
            }
        )
    )


if __name__ == "__main__":
    main()
