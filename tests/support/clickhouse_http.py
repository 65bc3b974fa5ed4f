"""ClickHouse's HTTP interface in front of an embedded engine, in a process of its own.

A stand-in, for tests only, at an edge that is not ours: where no ClickHouse server can be run, it
lets the real HTTP client, our URLs, settings, quoting, types, errors and time-outs be exercised.
What answers behind it is ClickHouse's own engine; what it cannot stand in for is a server's own
part (asynchronous inserts, replication, clusters, users and grants). `TRACER_TEST_STORE` names a
real server to run the same tests on.

    python -m tests.support.clickhouse_http DIRECTORY [PORT [CERTIFICATE]]

prints the port it listens on, on 127.0.0.1, and ends with its standard input.
"""

from __future__ import annotations

import base64
import contextlib
import email.parser
import email.policy
import gzip
import json
import os
import re
import ssl
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import chdb

USER, PASSWORD = "tracer", "s3cret/:@"
# What the interface takes for itself; every other parameter is a setting of the query.
RESERVED = frozenset(
    [
        *("buffer_size", "client_protocol_version", "compress", "database", "decompress"),
        *("default_format", "password", "query", "query_id", "quota_key", "role", "session_check"),
        *("session_id", "session_timeout", "stacktrace", "user", "wait_end_of_query"),
    ]
)
INSERT_WITH_DATA = re.compile(rb"^\s*(INSERT\s+INTO\s+.*?)\s*FORMAT\s+(\w+)\s*;?\s*$", re.S | re.I)
FORMAT = re.compile(rb"\bFORMAT\s+(\w+)\s*;?\s*$", re.I)
CODE = re.compile(r"Code:\s*(\d+)")
STATUS = {62: 400, 60: 404, 81: 404, 516: 403, 159: 408}  # others are 500
TYPES = {"TabSeparated": "text/tab-separated-values; charset=UTF-8", "JSON": "application/json"}
AUTHENTICATION_FAILED = (
    f"Code: 516. DB::Exception: {USER}: Authentication failed: password is incorrect, or there is "
    "no user with such name. (AUTHENTICATION_FAILED)"
)


@dataclass(frozen=True)
class Request:
    """A statement, the data behind it, and the parameters beside it."""

    statement: bytes
    payload: bytes
    parameters: Mapping[str, str]

    @property
    def settings(self) -> dict[str, str]:
        """Settings of this query only."""
        return {
            name: value
            for name, value in self.parameters.items()
            if name not in RESERVED and not name.startswith("param_")
        }

    @property
    def bound(self) -> dict[str, str]:
        """Values for `{name:Type}` in the statement, as text."""
        return {
            name.removeprefix("param_"): value
            for name, value in self.parameters.items()
            if name.startswith("param_")
        }


@dataclass
class Answers:
    """The engine, kept open; every request has a handle of its own, as it has no session."""

    path: str
    keep: Any = field(init=False)

    def __post_init__(self) -> None:
        self.keep = chdb.connect(self.path)

    def answer(self, request: Request) -> tuple[bytes, str]:
        """Body and format. Raises what the engine raises."""
        with contextlib.closing(chdb.connect(self.path)) as handle:
            if request.parameters.get("database"):
                handle.query(f"USE `{request.parameters['database']}`")
            for name, value in request.settings.items():
                escaped = value.replace("\\", "\\\\").replace("'", "\\'")
                handle.query(f"SET {name} = '{escaped}'")
            insert = INSERT_WITH_DATA.match(request.statement)
            if insert and request.payload:
                with _file(request.payload) as path:
                    into = f"{insert[1].decode()} FROM INFILE '{path}' FORMAT {insert[2].decode()}"
                    handle.query(into)
                return b"", "Null"
            whole = request.statement
            if request.payload:
                whole = whole + b"\n" + request.payload if whole else request.payload
            found = FORMAT.search(whole)
            shape = found[1].decode() if found else "TabSeparated"
            result = handle.query(
                whole.decode("utf-8", "surrogateescape"), shape, params=request.bound
            )
            return result.bytes() or b"", shape


@contextlib.contextmanager
def _file(payload: bytes) -> Iterator[str]:
    with tempfile.NamedTemporaryFile(suffix=".block") as file:
        file.write(payload)
        file.flush()
        yield file.name


def _form(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of a multipart form."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    fields = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        fields[str(name)] = payload.decode() if isinstance(payload, bytes) else ""
    return fields


class Handler(BaseHTTPRequestHandler):
    """One request after the other on a connection that stays open."""

    protocol_version = "HTTP/1.1"
    answers: Answers

    def do_GET(self) -> None:
        """`/ping`, or a query in the URL."""
        if urlsplit(self.path).path == "/ping":
            return self._send(200, b"Ok.\n", {})
        return self._query(b"")

    def do_POST(self) -> None:
        """A query in the body, or in the URL with its data in the body."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b"".join(self._chunks())
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self._query(body)

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _query(self, body: bytes) -> None:
        parameters = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        content_type = self.headers.get("Content-Type", "")
        if content_type.startswith("multipart/form-data"):
            parameters.update(_form(content_type, body))
            body = b""
        request = Request(parameters.get("query", "").encode(), body, parameters)
        known = {"X-ClickHouse-Query-Id": parameters.get("query_id") or str(uuid.uuid4())}
        if not self._is_known_user():
            return self._refuse(AUTHENTICATION_FAILED, known)
        begun_ns = time.perf_counter_ns()
        try:
            answer, shape = self.answers.answer(request)
        except (chdb.ChdbError, RuntimeError) as error:
            return self._refuse(str(error), known)
        summary = {"elapsed_ns": str(time.perf_counter_ns() - begun_ns), "read_rows": "0"}
        return self._send(
            200,
            answer,
            {
                **known,
                "Content-Type": TYPES.get(shape, "application/octet-stream"),
                "X-ClickHouse-Timezone": "UTC",
                "X-ClickHouse-Summary": json.dumps(summary),
                **({} if shape == "Null" else {"X-ClickHouse-Format": shape}),
            },
            compress=parameters.get("enable_http_compression") == "1",
        )

    def _is_known_user(self) -> bool:
        wanted = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return self.headers.get("Authorization") == f"Basic {wanted}"

    def _refuse(self, text: str, known: Mapping[str, str]) -> None:
        found = CODE.search(text)
        code = int(found[1]) if found else 1001
        headers = {**known, "X-ClickHouse-Exception-Code": str(code)}
        self._send(STATUS.get(code, 500), f"{text}\n".encode(), headers)

    def _send(
        self, status: int, body: bytes, headers: Mapping[str, str], *, compress: bool = False
    ) -> None:
        packed = compress and "gzip" in self.headers.get("Accept-Encoding", "")
        if packed:
            body = gzip.compress(body, 1)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if packed:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: what went wrong is in the answer."""


class Server(ThreadingHTTPServer):
    """A thread for every connection."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is none."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def main(directory: str, port: str = "0", certificate: str = "") -> None:
    """Serves until standard input ends."""
    Handler.answers = Answers(str(Path(directory) / "engine"))
    server = Server(("127.0.0.1", int(port)), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)  # noqa: T201 - how the port is told
    sys.stdin.read()
    os._exit(0)  # open handles of running requests would hold an orderly end back


if __name__ == "__main__":
    main(*sys.argv[1:])
