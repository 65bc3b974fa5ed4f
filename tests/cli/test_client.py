"""What the client makes of answers, good and bad."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from api.errors import problem
from tests.support.records import records, span
from tracer import errors
from tracer.cli.client import Remote

Answer = Callable[[httpx.Request], httpx.Response]


def remote(answer: Answer) -> Remote:
    return Remote("http://tracer.example:8000/", httpx.MockTransport(answer))


@pytest.mark.parametrize("kind", errors.CODES, ids=lambda kind: kind.__name__)
def test_a_problem_comes_back_as_the_error_it_was(kind: type[errors.TracerError]) -> None:
    sent = problem(errors.CODES[kind].http, kind.__name__, "the thing; the fix", instance="/x")

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(sent.status_code, content=bytes(sent.body))

    with pytest.raises(errors.TracerError, match="the thing; the fix") as caught:
        remote(answer).services({})
    assert type(caught.value) is kind


STRANGERS = [
    (httpx.Response(200, text="<html>"), errors.Unavailable, "is it a tracer"),
    (httpx.Response(200, text="[]"), errors.Unavailable, "is it a tracer"),
    (httpx.Response(502, text="Bad Gateway"), errors.Unavailable, "HTTP 502"),
    (httpx.Response(404, json={"detail": "Not Found"}), errors.BadInput, "Not Found"),
    (httpx.Response(500, json={}), errors.Unavailable, "HTTP 500"),
]


@pytest.mark.parametrize(("response", "kind", "message"), STRANGERS)
def test_what_is_no_tracer_is_told(
    response: httpx.Response, kind: type[errors.TracerError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        remote(lambda request: response).services({})


@pytest.mark.parametrize("failure", [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow")])
def test_a_server_that_is_down_names_the_fix(failure: httpx.HTTPError) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise failure

    with pytest.raises(
        errors.Unavailable, match=r"no tracer answers at http://tracer\.example:8000"
    ):
        remote(answer).services({})


def test_an_answer_that_breaks_off_is_unavailable() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.RemoteProtocolError("peer closed connection")

    with pytest.raises(errors.Unavailable, match="peer closed"):
        list(remote(answer).export({}))


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x", "http://", ""])
def test_a_server_is_a_url(url: str) -> None:
    with pytest.raises(errors.BadInput, match="is not a URL"):
        Remote(url)


def test_names_in_paths_are_quoted_and_words_are_the_apis() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={})

    remote(answer).operations("team/cart?", {"since": "1h"})
    remote(answer).analysis("AB", {"overlap_tolerance": "0"})
    assert [request.url.raw_path for request in seen] == [
        b"/api/v1/services/team%2Fcart%3F/operations?since=1h",
        b"/api/v1/traces/AB/analysis?overlap_tolerance=0",
    ]


def test_what_is_too_large_is_sent_in_halves() -> None:
    taken: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        size = len(request.read())
        if size > 300:
            body = problem(413, "TooLarge", "too large", instance="/").body
            return httpx.Response(413, content=bytes(body))
        taken.append(size)
        return httpx.Response(
            200, json={"schema": "tracer.import/1", "spans": 1, "rejected": 0, "reasons": []}
        )

    total = remote(answer).store(records(span(1, number) for number in range(1, 17)))
    assert (total["spans"], total["rejected"]) == (len(taken), 0)
    assert len(taken) > 2


def test_one_span_that_is_too_large_is_an_error() -> None:
    body = bytes(problem(413, "TooLarge", "too large", instance="/").body)
    with pytest.raises(errors.TooLarge):
        remote(lambda request: httpx.Response(413, content=body)).store(records([span(1, 1)]))


def test_an_export_that_is_refused_is_a_problem() -> None:
    body = bytes(problem(400, "BadQuery", "start: time 'x'", instance="/").body)
    with pytest.raises(errors.BadQuery, match="time 'x'"):
        list(remote(lambda request: httpx.Response(400, content=body)).export({"start": "x"}))
