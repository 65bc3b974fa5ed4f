"""Message templates: what changes from one message to the next is a placeholder."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracer.analysis.templates import CUT, MOST_KEPT, template

MESSAGES = [
    ("user 4711 not found at 10.0.0.7:5432", "user <n> not found at <address>"),
    ("no free connection to the ledger", "no free connection to the ledger"),
    ("timed out after 400ms", "timed out after <n>ms"),
    ("can't find user 'bob' in \"a b\"", "can't find user <text> in <text>"),
    ("object at 0x7f3a2b", "object at <hex>"),
    ("cart 550e8400-e29b-41d4-a716-446655440000 is gone", "cart <id> is gone"),
    ("trace 4bf92f3577b34da6a3ce929d0e0e4736", "trace <id>"),
    ("connect postgres.prod.svc:5432 refused", "connect <address> refused"),
    ("dial tcp [::1]:5432: refused", "dial tcp <address>: refused"),
    ("failed at 2026-01-31T12:00:00.5Z: HTTP 503", "failed at <time>: HTTP <n>"),
    ("deadbeef01 is not 1f2e3d4c5b6a7988", "<hex> is not <hex>"),
    ("GET https://shop.test/cart?id=7 failed", "GET <url> failed"),
    ("key (email)=(bob@example.com) exists", "key (email)=(<address>) exists"),
    ("code -5, 1,204 rows, 3.5e-5", "code <n>, <n> rows, <n>"),
    ("order_12, order-99, order12345", "order_<n>, order-<n>, order<n>"),
    ("http2 and utf8 stay", "http2 and utf8 stay"),
    ("SomeVeryLongCamelCaseException raised", "SomeVeryLongCamelCaseException raised"),
    ("  two\n lines ", "two lines"),
    ("", ""),
]


@pytest.mark.parametrize(("message", "expected"), MESSAGES, ids=[one for one, _ in MESSAGES])
def test_what_changes_is_a_placeholder(message: str, expected: str) -> None:
    assert template(message) == expected
    assert template(expected) == expected


@settings(max_examples=300, deadline=None)
@given(message=st.text(max_size=1200) | st.text("ab0-_.:@/'\"[]<x ", max_size=1200))
def test_it_is_bounded_and_repeats(message: str) -> None:
    found = template(message)
    assert len(found) <= MOST_KEPT
    assert template(message) == found
    assert found == template(message[:1000])


def test_what_is_too_long_is_cut_visibly() -> None:
    assert template("word " * 300).endswith(CUT)


@given(first=st.integers(0, 10**12), second=st.integers(0, 10**12))
def test_numbers_make_no_difference(first: int, second: int) -> None:
    assert template(f"row {first} of item_{first}") == template(f"row {second} of item_{second}")
