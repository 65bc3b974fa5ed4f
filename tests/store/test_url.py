"""A store URL, taken apart; what it must never give away."""

from __future__ import annotations

import pytest

from tracer.errors import BadSetting
from tracer.store.url import parse_store_url


def test_a_url_says_everything() -> None:
    url = parse_store_url(
        "clickhouses://me:p%2Fw%3A@db.example/traces"
        "?connect_timeout=250ms&read_timeout=2m&cluster=main&async_insert=1"
    )
    assert (url.interface, url.host, url.port, url.database) == (
        "https",
        "db.example",
        8443,
        "traces",
    )
    assert (url.username, url.password) == ("me", "p/w:")
    assert (url.connect_timeout, url.read_timeout) == (0.25, 120.0)
    assert (url.cluster, url.async_insert) == ("main", True)


def test_a_short_url_has_defaults() -> None:
    url = parse_store_url("clickhouse://db")
    assert (url.interface, url.port, url.username, url.password) == ("http", 8123, "default", "")
    assert (url.database, url.cluster) == ("", "")


def test_no_one_sees_the_password() -> None:
    url = parse_store_url("clickhouse://me:hunter2@[::1]:9/d?cluster=c")
    assert url.shown == "clickhouse://[::1]:9/d"
    assert "hunter2" not in repr(url)
    for broken in ("ftp://me:hunter2@h", "clickhouse://me:hunter2@h:x/", "//me:hunter2@h"):
        with pytest.raises(BadSetting) as caught:
            parse_store_url(broken)
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("timeout=3s", "unknown; it takes connect_timeout"),
        ("read_timeout=0s", "more than 0s"),
        ("read_timeout=soon", "soon"),
        ("ca=/no/such/file.pem", "no such file"),
        ("async_insert=maybe", "1 or 0"),
        ("cluster=a`b", "cluster has letters"),
    ],
)
def test_an_option_that_cannot_be_is_refused(options: str, said: str) -> None:
    with pytest.raises(BadSetting, match=said):
        parse_store_url(f"clickhouse://h/d?{options}")
