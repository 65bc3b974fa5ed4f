"""What is told about every question."""

from __future__ import annotations

from tests.api.running import FakeService, client_of


def test_a_question_is_told_by_its_route_and_not_by_its_path() -> None:
    service = FakeService(None)
    client = client_of(service)
    client.get("/api/v1/health/ready")
    client.get("/api/v1/traces/zz")
    client.get("/nothing/here")
    client.get("/metrics", headers={"Host": "evil.example"})
    client.request("BREW", "/metrics")
    service.failure = RuntimeError("boom")
    client.get("/metrics")
    told = [(one.route, one.method, one.status) for one in service.questions]
    assert told == [
        ("/api/v1/health/ready", "GET", 200),
        ("/api/v1/traces/{trace_id}", "GET", 400),
        ("none", "GET", 404),
        ("none", "GET", 421),
        ("/metrics", "other", 405),
        ("/metrics", "GET", 500),
    ]
    assert all(one.took_s > 0 for one in service.questions)


def test_the_trace_context_of_a_question_is_told() -> None:
    service = FakeService(None)
    context = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01", "tracestate": "a=b"}
    client_of(service).get("/metrics", headers={**context, "authorization": "Bearer x"})
    assert service.questions[0].headers == context
