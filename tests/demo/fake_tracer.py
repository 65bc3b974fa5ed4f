"""The analyzer's command line, played by the test's own collector and its slow arithmetic.

`serve` takes spans and ranks operations by how much their own time grew; `export` writes what
`serve` was asked for; `slow` prints where it asks.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from argparse import ArgumentParser, Namespace
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.demo.collector import Collector, Seen, collecting, growth_ms


def _between(spans: list[Seen], start: str, end: str) -> list[Seen]:
    """The traces that begin in a period."""
    begins: dict[str, int] = {}
    for span in spans:
        begins[span.trace_id] = min(span.start_ns, begins.get(span.trace_id, span.start_ns))
    low, high = (datetime.fromisoformat(moment).timestamp() * 1e9 for moment in (start, end))
    return [span for span in spans if low <= begins[span.trace_id] < high]


def _report(collector: Collector, query: dict[str, list[str]]) -> dict[str, object]:
    spans = collector.spans()
    start, end = query["start"][0], query["end"][0]
    before = _between(spans, query["baseline_start"][0], query["baseline_end"][0])
    ranked = growth_ms(before, _between(spans, start, end))[: int(query["limit"][0])]
    return {
        "bottlenecks": [
            {"service": service, "operation": operation, "grew_ms": grew_ms, "role": "cause"}
            for (service, operation), grew_ms in ranked
        ]
    }


def _serve(options: Namespace) -> None:
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    options.data.mkdir(parents=True)
    with collecting(options.otlp_grpc_port, options.otlp_http_port) as collector:

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                url = urlsplit(self.path)
                asked = url.path == "/api/v1/slow-traces"
                answer = _report(collector, parse_qs(url.query)) if asked else {}
                body = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        api = ThreadingHTTPServer(("127.0.0.1", options.api_port), Handler)
        threading.Thread(target=api.serve_forever, args=(0.05,), daemon=True).start()
        over.wait()


def main() -> None:
    parser = ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve")
    serve.add_argument("--data", type=Path, required=True)
    serve.add_argument("--host", choices=["127.0.0.1"])
    serve.add_argument("--settle")
    for port in ("--otlp-grpc-port", "--otlp-http-port", "--api-port"):
        serve.add_argument(port, type=int, required=True)
    for name in ("slow", "export"):
        asking = commands.add_parser(name)
        source = asking.add_mutually_exclusive_group(required=True)
        for flag in ("--server", "--data"):
            source.add_argument(flag)
        for flag in ("--start", "--end"):
            asking.add_argument(flag, required=True)
        asking.add_argument("--no-commands", action="store_true")
        asking.add_argument("--baseline-start")
        asking.add_argument("--baseline-end")
        asking.add_argument("--output", type=Path)
        asking.add_argument("--limit", type=int)
    options = parser.parse_args()
    if options.command == "serve":
        _serve(options)
    else:
        commands = "without" if options.no_commands else "with"
        source = options.server or options.data
        sys.stdout.write(f"{options.command} asks {source} {commands} commands\n")
        if options.output:
            options.output.write_text(json.dumps([options.start, options.end]) + "\n")


if __name__ == "__main__":
    main()
