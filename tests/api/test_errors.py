"""Every way in which a request fails is a problem document."""

from __future__ import annotations

import pytest

from tests.api.running import FakeService, client_of, failing
from tests.support.engine import LONG
from tracer import errors
from tracer.service.context import Context


@pytest.mark.parametrize("kind", errors.CODES, ids=lambda kind: kind.__name__)
def test_each_error_has_its_status_and_name(kind: type[errors.TracerError]) -> None:
    answer = failing(kind("the thing; the fix")).get("/metrics")
    problem = answer.json()
    assert answer.status_code == problem["status"] == errors.CODES[kind].http
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["detail"] == "the thing; the fix"
    assert problem["instance"] == "/metrics"
    assert problem["type"].replace("-", "") == f"urn:tracer:{kind.__name__.lower()}"


def test_what_can_be_tried_again_says_when() -> None:
    answer = failing(errors.Unavailable("full; wait", retry_after_s=2.2)).get("/metrics")
    assert answer.headers["retry-after"] == "3"


def test_an_uncaught_error_tells_nothing_but_its_kind() -> None:
    answer = failing(RuntimeError("secret /etc/path")).get("/metrics")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "RuntimeError" in answer.json()["detail"]
    assert "secret" not in answer.text


WRONG = [
    ("/api/v1/traces?limit=0", "limit"),
    ("/api/v1/traces?limit=1001", "limit"),
    ("/api/v1/traces?limit=many", "limit"),
    ("/api/v1/traces?status=bad", "status"),
    ("/api/v1/traces?min_duration=3", "min_duration"),
    ("/api/v1/traces?since=1h&start=-2h", "since"),
    ("/api/v1/traces?start=soon", "start"),
    ("/api/v1/traces?attribute=x", "attribute"),
    ("/api/v1/traces?min-duration=1s", "'min-duration' is unknown"),
    ("/api/v1/traces?limit=1&limit=2", "given 2 times"),
    ("/api/v1/slow-traces?limit=101", "limit"),
    ("/api/v1/slow-traces?baseline_start=-1h", "baseline_end"),
    ("/api/v1/baselines?limit=0", "limit"),
    ("/api/v1/services?until=now", "'until' is unknown"),
    ("/api/v1/services/shop/operations?end=now", "end needs a start"),
    ("/api/v1/export?start=-1h&end=-2h", "range is empty"),
    ("/api/v1/traces/xyz", "xyz"),
    ("/api/v1/traces/" + "a" * 31, "hex"),
    ("/api/v1/traces/" + "a" * 32 + "?format=xml", "format"),
    ("/api/v1/traces/" + "a" * 32 + "/analysis?overlap_tolerance=x", "overlap_tolerance"),
]


@pytest.mark.parametrize(("path", "named"), WRONG, ids=[path for path, _ in WRONG])
def test_a_wrong_parameter_is_named(path: str, named: str) -> None:
    context = Context(None, LONG, lambda: 10**18)  # type: ignore[arg-type]
    answer = client_of(FakeService(context)).get(path)
    assert answer.status_code == 400, answer.text
    assert named in answer.json()["detail"]


def test_a_value_outside_its_bounds_comes_with_the_fix() -> None:
    problem = client_of(FakeService(None)).get("/api/v1/traces?limit=0").json()
    assert problem["errors"] == [
        {
            "parameter": "limit",
            "value": "0",
            "fix": "Input should be greater than or equal to 1",
        }
    ]


@pytest.mark.parametrize(
    "path", ["/traces?limit=LONG", "/traces?LONG=1", "/traces/LONG", "/LONG", "/traces?since=LONG"]
)
def test_a_page_of_input_is_not_repeated(path: str) -> None:
    context = Context(None, LONG, lambda: 10**18)  # type: ignore[arg-type]
    client = client_of(FakeService(context))
    answer = client.get(f"/api/v1{path.replace('LONG', '9' * 30_000)}")
    assert answer.status_code in (400, 404)
    assert len(answer.text) < 5_000


def test_what_is_not_there_says_where_to_look() -> None:
    answer = client_of(FakeService(None)).get("/api/v2/traces")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:tracer:not-found")
    assert "/docs" in answer.json()["detail"]


def test_a_method_that_is_not_taken() -> None:
    answer = client_of(FakeService(None)).request("DELETE", "/api/v1/traces")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert "DELETE" in answer.json()["detail"]
