"""Asks a running tracer over HTTP; its problems come back as the errors they were."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import httpx

from tracer import errors
from tracer.cli.trust import Trust
from tracer.errors import BadInput, TooLarge, TracerError, Unavailable
from tracer.settings import LOOPBACK

if TYPE_CHECKING:
    from tracer.columns.records import SpanRecords

API: Final = "/api/v1"
NONE: Final = Trust()
CONNECT_S: Final = 5.0
ANSWER_S: Final = 120.0
HEALTH_S: Final = 4.0  # supervisors give a health check five seconds
Document = dict[str, Any]
_KINDS: Final = {
    "urn:tracer:" + re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.__name__).lower(): kind
    for kind in errors.CODES
}


class Remote:
    """A tracer at a URL. Raises Unavailable when it cannot be reached, BadInput for no URL."""

    def __init__(
        self, url: str, transport: httpx.BaseTransport | None = None, trust: Trust = NONE
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadInput(f"server {url!r} is not a URL; write it like http://127.0.0.1:8000")
        self.name = url.rstrip("/")
        self._shown = trust.client_cert
        self._client = httpx.Client(
            base_url=self.name,
            timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S),
            transport=transport,
            verify=trust.context(),
            trust_env=parts.hostname not in LOOPBACK,  # no proxy to this machine
        )

    def __enter__(self) -> Remote:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def health(self) -> Document:
        """`tracer.health/1`, whether ready or not."""
        response = self._answer("GET", "/health/ready", timeout=HEALTH_S)
        document = _document(self.name, response)
        if "ready" not in document:
            raise _error_of(self.name, response)
        return document

    def slow_traces(self, words: Mapping[str, Any]) -> Document:
        """`tracer.slow-traces/1`."""
        return self._ask("/slow-traces", words)

    def trace(self, trace_id: str) -> Document:
        """`tracer.trace/1`."""
        return self._ask(f"/traces/{_part(trace_id)}", {})

    def trace_otlp(self, trace_id: str) -> Document:
        """OTLP/JSON TracesData."""
        return self._ask(f"/traces/{_part(trace_id)}", {"format": "otlp"})

    def analysis(self, trace_id: str, words: Mapping[str, Any]) -> Document:
        """`tracer.analysis/1`."""
        return self._ask(f"/traces/{_part(trace_id)}/analysis", words)

    def services(self, words: Mapping[str, Any]) -> Document:
        """`tracer.services/1`."""
        return self._ask("/services", words)

    def operations(self, service: str, words: Mapping[str, Any]) -> Document:
        """`tracer.operations/1`."""
        return self._ask(f"/services/{_part(service)}/operations", words)

    def baselines(self, words: Mapping[str, Any]) -> Document:
        """`tracer.baselines/1`."""
        return self._ask("/baselines", words)

    def critical_path(self, words: Mapping[str, Any]) -> Document:
        """`tracer.critical-path/1`."""
        return self._ask("/critical-path", words)

    def errors(self, words: Mapping[str, Any]) -> Document:
        """`tracer.errors/1`."""
        return self._ask("/errors", words)

    def dependencies(self, words: Mapping[str, Any]) -> Document:
        """`tracer.dependencies/1`."""
        return self._ask("/dependencies", words)

    def compare(self, words: Mapping[str, Any]) -> Document:
        """`tracer.compare/1`."""
        return self._ask("/compare", words)

    def storage(self) -> Document:
        """`tracer.storage/1`."""
        return self._ask("/storage", {})

    def export(self, words: Mapping[str, Any]) -> Iterator[bytes]:
        """Spans in the form of a file, `format` or OTLP JSON lines, in pieces of any size."""
        try:
            with self._client.stream("GET", f"{API}/export", params=dict(words)) as response:
                if response.is_error:
                    response.read()
                    raise _error_of(self.name, response)
                yield from response.iter_bytes()
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def store(self, records: SpanRecords) -> Document:
        """`tracer.import/1`. What is too large for one request is sent in halves."""
        from tracer.ingest.otlp.encode import to_otlp_json
        from tracer.ingest.otlp.otlp_json import request_from_document

        return self.store_requests([request_from_document(to_otlp_json(records))])

    def store_requests(self, requests: Sequence[bytes]) -> Document:
        """`tracer.import/1`. Requests laid end to end are one; what is too large for the server is
        sent in halves."""
        from tracer.ingest.otlp.split import split

        body = b"".join(requests)
        try:
            return self._send("POST", "/imports", content=body)
        except TooLarge:
            halves = [*split(body, len(body) // 2 + 1)]
            if len(halves) < 2:
                raise
        parts = [self.store_requests([half]) for half in halves]
        return {
            **parts[0],
            "spans": sum(part["spans"] for part in parts),
            "rejected": sum(part["rejected"] for part in parts),
            "reasons": sorted({reason for part in parts for reason in part.get("reasons", ())}),
        }

    def finish(self) -> None:
        """The server analyses by itself."""

    def _ask(self, path: str, words: Mapping[str, Any]) -> Document:
        return self._send("GET", path, params=dict(words))

    def _send(self, method: str, path: str, **request: Any) -> Document:
        headers = {"Content-Type": "application/x-protobuf"} if "content" in request else {}
        response = self._answer(method, path, headers=headers, **request)
        if response.is_error:
            raise _error_of(self.name, response)
        return _document(self.name, response)

    def _answer(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            return self._client.request(method, API + path, **request)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: httpx.HTTPError) -> Unavailable:
        if "certificate verify failed" in str(error):
            return Unavailable(
                f"the certificate of {self.name} is not trusted ({error}); name its authority "
                "with --ca-file, and the server as the certificate does"
            )
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return Unavailable(
                f"no tracer answers at {self.name} ({error}); "
                "start one with tracer serve, or name another with --server"
            )
        hint = ""
        if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError) and not self._shown:
            hint = (
                "; if it asks for certificates, give --client-cert and --client-key"
                if self.name.startswith("https:")
                else "; if it speaks TLS, its URL begins with https://"
            )
        return Unavailable(f"{self.name} did not answer: {error or type(error).__name__}{hint}")


def _part(text: str) -> str:
    return quote(text, safe="")


def _error_of(name: str, response: httpx.Response) -> TracerError:
    """The error that a problem document stands for."""
    problem = _document(name, response)
    kind = _KINDS.get(str(problem.get("type")))
    detail = str(problem.get("detail", f"HTTP {response.status_code}"))
    if kind is None:
        kind = BadInput if response.is_client_error else Unavailable
    return kind(detail)


def _document(name: str, response: httpx.Response) -> Document:
    try:
        document = response.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise Unavailable(
            f"{name} answered HTTP {response.status_code} without a document; is it a tracer?"
        )
    return document
