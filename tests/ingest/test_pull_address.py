"""Which URLs a source may have, and which addresses those of somebody else may lead to."""

from __future__ import annotations

import httpx
import pytest

from tracer.errors import BadInput
from tracer.ingest.pull.address import PublicOnly, base_url, is_public


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://jaeger:16686/", "http://jaeger:16686"),
        ("https://x/jaeger/search", "https://x/jaeger"),
        ("http://x/api/v3", "http://x"),
        ("http://x/select/jaeger", "http://x/select/jaeger"),
    ],
)
def test_urls_are_taken_as_they_are_pasted(text: str, url: str) -> None:
    assert base_url(text) == url


@pytest.mark.parametrize(
    "text", ["jaeger", "ftp://x", "http://", "http://x:99999", "http://u:pw@x"]
)
def test_what_is_no_url_or_holds_a_password_is_refused(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        base_url(text)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("192.168.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("2002:7f00:1::", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_a_url_of_somebody_else_leads_to_no_private_address() -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={"services": ["a"]})

    hosts = {"good": ["8.8.8.8"], "mixed": ["8.8.8.8", "10.0.0.1"], "own": ["127.0.0.1"]}

    def client(host: str) -> httpx.Client:
        resolve = lambda name, port: hosts[name]  # noqa: E731
        return httpx.Client(transport=PublicOnly(httpx.MockTransport(answer), resolve))

    with client("good") as good:
        assert good.get("http://good/x").status_code == 200
    assert (sent[0].url.host, sent[0].headers["Host"]) == ("8.8.8.8", "good")
    for host in ("mixed", "own"):
        with client(host) as bad, pytest.raises(BadInput, match="not a public address"):
            bad.get(f"http://{host}/x")
    assert len(sent) == 1
