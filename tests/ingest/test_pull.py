"""Reading a Jaeger over real HTTP: both of its APIs, all pages, and every way it can fail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import issue
from tests.support.jaeger_server import (
    FakeJaeger,
    Fault,
    Handler,
    Span,
    asks_to_wait,
    drops,
    jaeger,
    redirects,
    says,
)
from tracer.errors import BadInput, TooLarge, TracerError, Unavailable, Unsupported
from tracer.ingest.pull.connection import Access, Connection, Patience
from tracer.ingest.pull.contract import Search
from tracer.ingest.pull.jaeger import LEGACY, V3, Jaeger
from tracer.ingest.pull.spans import incomplete_traces, spans_by_trace
from tracer.ingest.pull.window import Seen, Taken, stream

START_US = 1_700_000_000_000_000
START_NS = START_US * 1000
HOUR_NS = 3_600_000_000_000
WHOLE = Search("shop", START_NS, START_NS + HOUR_NS)
NOBODY = Access()
QUICK = Patience(connect_s=1, silence_s=0.2, answer_s=0.4, attempts=3)


def two(trace: int, start_us: int) -> list[Span]:
    """A request and the call in it."""
    return [
        Span(trace, 1, start_us, 2_000),
        Span(trace, 2, start_us + 500, 1_000, parent=1, service="bank", name="pay"),
    ]


def spans(traces: int, every_us: int = 1_000_000) -> list[Span]:
    return [one for n in range(traces) for one in two(n + 1, START_US + n * every_us)]


@contextmanager
def asking(
    fake: FakeJaeger, access: Access = NOBODY, patience: Patience = QUICK, **more: Any
) -> Iterator[tuple[Jaeger, list[float]]]:
    """A source, and how long it waited."""
    waits: list[float] = []
    with Connection(
        fake.url, access, patience, sleep=waits.append, chance=lambda: 1.0
    ) as connection:
        yield Jaeger(connection, **more), waits


def read(source: Jaeger, search: Search = WHOLE, **more: Any) -> tuple[dict[str, int], Taken]:
    """Spans by trace of a range, and what was counted."""
    taken, found = Taken(), dict[str, int]()
    for records in stream(source, search, Seen(), taken, **more):
        for trace_id, count in spans_by_trace(records).items():
            assert trace_id not in found, "given twice"
            found[trace_id] = count
    return found, taken


APIS = pytest.mark.parametrize("api", [V3, LEGACY], ids=lambda api: api.name)


@APIS
def test_both_apis_answer_alike(api: Any) -> None:
    with jaeger(spans=spans(3), has_v3=api is V3) as fake, asking(fake) as (source, _):
        assert source.services() == ["bank", "shop"]
        assert source.dialect is api
        assert source.operations("bank") == ["pay"]
        assert source.operations("none") == []
        page = source.search(WHOLE)
        assert (page.traces, len(page.records), page.is_full, page.missing) == (3, 6, False, "")
        assert sorted(set(page.records.batch["ServiceName"].to_pylist())) == ["bank", "shop"]
        one = source.trace(f"{2:032x}")
        assert spans_by_trace(one.records) == {f"{2:032x}": 2}
        assert len(source.trace(f"{9:032x}").records) == 0
        nothing = Search("shop", START_NS - HOUR_NS, START_NS - 1000)
        assert (source.search(nothing).traces, source.search(nothing).missing) == (0, "")


@APIS
def test_filters_and_times_are_in_the_units_of_the_api(api: Any) -> None:
    with jaeger(spans=spans(3), has_v3=api is V3) as fake, asking(fake) as (source, _):
        narrow = Search("shop", START_NS, START_NS + 1_000_000_000, "GET /", 2_000_000)
        assert source.search(narrow).traces == 2  # the end is asked for too: no gap at borders
        assert (
            source.search(Search("shop", START_NS, START_NS + HOUR_NS, "", 2_000_001)).traces == 0
        )
        assert source.search(Search("shop", START_NS, START_NS + HOUR_NS, "no")).traces == 0
        words = fake.searches()[0]
    if api is V3:
        assert words["query.start_time_min"] == "2023-11-14T22:13:20.000000000Z"
        assert words["query.raw_traces"] == "true"
        assert words["query.search_depth"] == words["query.num_traces"] == "200"
    else:
        assert (words["start"], words["end"]) == (str(START_US), str(START_US + 1_000_000))
        assert (words["minDuration"], words["limit"]) == ("2000000ns", "200")


@APIS
@pytest.mark.parametrize("every_us", [1, 1_000_000])
def test_a_full_answer_is_asked_for_in_halves_until_nothing_is_cut(api: Any, every_us: int) -> None:
    with (
        jaeger(spans=spans(24, every_us), has_v3=api is V3) as fake,
        asking(fake, page_traces=4) as (source, _),
    ):
        found, taken = read(source)
    assert found == {f"{n + 1:032x}": 2 for n in range(24)}
    assert (taken.traces, taken.spans, taken.missing) == (24, 48, [])
    assert taken.requests < 90  # some 30 halvings down, and up again


def test_what_no_halving_can_reach_is_said() -> None:
    with jaeger(spans=spans(9, 0)) as fake, asking(fake, page_traces=4) as (source, _):
        found, taken = read(source)
    assert len(found) == 4
    (missing,) = taken.missing
    assert missing.startswith(f"{fake.url} has more than 4 traces of 'shop' that start in the same")
    assert "--page-traces" in missing


def test_a_limit_of_traces_is_said() -> None:
    with jaeger(spans=spans(20)) as fake, asking(fake, page_traces=4) as (source, _):
        found, taken = read(source, most_traces=5)
    assert 5 <= len(found) < 12
    assert taken.missing == [f"{fake.url} has more than 5 traces of 'shop'"]


def test_a_trace_is_given_again_only_when_it_grew() -> None:
    seen = Seen()
    with jaeger(spans=spans(2)) as fake, asking(fake) as (source, _):
        first = seen.fresh(source.search(WHOLE).records)
        assert not len(seen.fresh(source.search(WHOLE).records))
        fake.spans.append(Span(1, 3, START_US + 700, 10, parent=2))
        grown = seen.fresh(source.search(WHOLE).records)
    assert spans_by_trace(first) == {f"{1:032x}": 2, f"{2:032x}": 2}
    assert spans_by_trace(grown) == {f"{1:032x}": 3}


def test_half_a_trace_is_known_by_its_missing_parent() -> None:
    torn = [*two(1, START_US), two(2, START_US)[1]]
    with jaeger(spans=torn) as fake, asking(fake) as (source, _):
        records = source.search(Search("bank", START_NS, START_NS + HOUR_NS)).records
    assert incomplete_traces(records) == {f"{2:032x}"}


def test_a_base_path_may_be_there_and_a_web_page_at_the_wrong_one_is_no_api() -> None:
    with jaeger(spans=spans(1), base="/jaeger", page=True) as fake:
        with asking(fake) as (source, _):
            assert source.search(WHOLE).traces == 1
        fake.url = fake.url.removesuffix("/jaeger")
        with asking(fake) as (source, _), pytest.raises(Unsupported, match="base path"):
            source.services()


def test_who_we_are_is_sent() -> None:
    with jaeger(spans=spans(1)) as fake:
        with asking(fake, Access((("x-tenant", "acme"),), token="secret")) as (source, _):
            source.services()
        with asking(fake, Access(user="me", password="pw")) as (source, _):
            source.services()
    (_, _, bearer), *_, (_, _, basic) = fake.asked
    assert (bearer["x-tenant"], bearer["Authorization"]) == ("acme", "Bearer secret")
    assert basic["Authorization"] == "Basic bWU6cHc="


def test_a_secret_is_in_no_message() -> None:
    with jaeger() as fake:
        for access in (Access(token="geheim\n"), Access((("x", "geheim\r"),))):
            with pytest.raises(BadInput, match="control character") as caught:
                Connection(fake.url, access)
            assert "geheim" not in f"{caught.value} {access!r}"


def test_a_server_that_loses_an_api_is_asked_in_the_other() -> None:
    with jaeger(spans=spans(2), has_v3=False) as fake, asking(fake) as (source, _):
        assert source.search(WHOLE).traces == 2
        fake.has_v3, fake.has_legacy = True, False
        assert source.search(WHOLE).traces == 2
        assert source.dialect is V3
        fake.has_v3 = False
        with pytest.raises(Unsupported, match="neither"):
            source.search(WHOLE)


def test_a_certificate_is_trusted_by_its_authority_only(tmp_path: Path) -> None:
    files = issue(tmp_path, "jaeger")
    with jaeger(tls=files, spans=spans(1)) as fake:
        with asking(fake, Access(verify=files.context())) as (source, _):
            assert source.services() == ["bank", "shop"]
        with asking(fake) as (source, waits), pytest.raises(BadInput, match="--source-ca-file"):
            source.services()
        assert waits == []


def test_the_tenant_of_a_store_is_written_on_spans() -> None:
    with jaeger(spans=spans(1)) as fake, asking(fake, tenant="acme") as (source, _):
        assert set(source.search(WHOLE).records.batch["TenantId"].to_pylist()) == {"acme"}


HTML = b"<!DOCTYPE html><html><body>Sign in</body></html>"
TORN = b'{"result":{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0'
ERROR = b'{"error":{"grpcCode":13,"httpCode":500,"message":"storage is down"}}'
FOR_GOOD: dict[str, tuple[Fault, type[TracerError], str]] = {
    "an escape": (says(b"\x1b[2Jgone", 403), BadInput, r"HTTP 403 \(\\x1b\[2Jgone\)"),
    "401": (says(b"no", 401), BadInput, r"HTTP 401 \(no\).*TRACER_SOURCE_TOKEN"),
    "403": (says(b"", 403), BadInput, r"HTTP 403.*--source-tenant"),
    "a redirect": (redirects("http://login/?secret=1"), BadInput, r"'http://login/'.*login"),
    "another 404": (says(b"404 page not found", 404), Unsupported, r"/api/v3/services"),
    "a 404 of a proxy": (says(b'{"error":"Not found"}', 404), Unsupported, r"base path"),
    "400": (says(ERROR, 400), BadInput, r"HTTP 400.*storage is down"),
    "a login page": (says(HTML, 200, "text/html"), BadInput, r"web page.*login"),
    "a page that says it is JSON": (says(HTML), BadInput, r"web page"),
    "invalid JSON": (says(b'{"result": nonsense}'), BadInput, r"cannot be read"),
    "JSON of something else": (says(b'{"status":"ok"}'), BadInput, r"cannot be read"),
}


@pytest.mark.parametrize("name", FOR_GOOD)
def test_a_fault_that_stays_is_said_once_and_at_once(name: str) -> None:
    fault, kind, said = FOR_GOOD[name]
    with jaeger(spans=spans(1), faults=[fault]) as fake, asking(fake, api="v3") as (source, waits):
        with pytest.raises(kind, match=said) as caught:
            source.search(WHOLE)
        assert str(caught.value).startswith(fake.url)
        assert (len(fake.asked), waits) == (1, [])
        assert source.search(WHOLE).traces == 1  # it is usable again


PASSING: dict[str, tuple[Fault, str]] = {
    "a dropped connection": (drops, "broke before the answer was complete"),
    "500": (says(ERROR, 500), r"HTTP 500.*storage is down"),
    "a torn document": (says(TORN), "half an answer as if it were whole"),
    "an empty answer": (says(b""), "empty answer"),
    "503 until a moment": (asks_to_wait(503, "Wed, 21 Oct 2015 07:28:00 GMT"), "again in 0 s"),
    "503": (says(b"", 503), "HTTP 503"),
    "429": (asks_to_wait(429, "7"), r"HTTP 429 and wants to be asked again in 7 s"),
}


@pytest.mark.parametrize("name", PASSING)
def test_a_fault_that_may_pass_is_tried_again_and_then_said(name: str) -> None:
    fault, said = PASSING[name]
    with (
        jaeger(spans=spans(1), faults=[fault, fault]) as fake,
        asking(fake, api="v3") as (s, waits),
    ):
        assert s.search(WHOLE).traces == 1
        assert waits == {"429": [7, 7], "503 until a moment": [0, 0]}.get(name, [0.5, 1])
        fake.faults = [fault] * 3
        with pytest.raises(Unavailable, match=rf"{said}.*tried 3 times") as caught:
            s.search(WHOLE)
        assert str(caught.value).startswith((fake.url, f"the connection to {fake.url}"))


def test_a_wait_that_is_too_long_is_not_waited() -> None:
    with (
        jaeger(faults=[asks_to_wait(429, "3600")]) as fake,
        asking(fake, api="v3") as (source, waits),
    ):
        with pytest.raises(Unavailable, match="in 3600 s"):
            source.search(WHOLE)
        assert (waits, len(fake.asked)) == ([], 1)


def test_nobody_is_there() -> None:
    with jaeger() as fake:
        pass
    with asking(fake) as (source, _), pytest.raises(Unavailable, match="nobody answers at http"):
        source.services()


def test_one_that_is_silent_and_one_that_trickles_end() -> None:
    import threading

    stop = threading.Event()

    def silent(handler: Handler) -> None:
        stop.wait(5)
        handler.close_connection = True

    def trickles(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _ in range(1000):
            if stop.wait(0.05):
                break
            try:
                handler.wfile.write(b" ")
                handler.wfile.flush()
            except OSError:
                break
        handler.close_connection = True

    once = Patience(connect_s=1, silence_s=0.2, answer_s=0.4, attempts=1)
    with jaeger(faults=[silent, trickles]) as fake, asking(fake, patience=once) as (source, _):
        with pytest.raises(Unavailable, match=r"said nothing for .*--timeout"):
            source.services()
        with pytest.raises(Unavailable, match=r"still sending after .*--page-traces"):
            source.services()
        stop.set()


def test_a_large_answer_is_asked_for_in_parts_and_a_large_trace_is_refused_by_name() -> None:
    small = Patience(answer_bytes=6_000)
    with jaeger(spans=spans(40)) as fake, asking(fake, patience=small) as (source, _):
        found, taken = read(source)
        assert (len(found), taken.missing) == (40, [])
        fake.spans += [Span(99, n, START_US, 1, parent=1) for n in range(2, 100)]
        with pytest.raises(TooLarge, match=r"--max-answer"):
            read(source)


def test_a_very_large_trace_is_read() -> None:
    wide = [Span(1, 1, START_US, 9), *(Span(1, n, START_US, 1, parent=1) for n in range(2, 5_000))]
    with jaeger(spans=wide) as fake, asking(fake, patience=Patience()) as (source, _):
        assert read(source)[0] == {f"{1:032x}": 4_999}


def test_an_answer_that_says_it_is_partial_is_not_whole() -> None:
    errors = [{"code": 500, "msg": "shard 3 timed out", "traceID": "1"}]
    with (
        jaeger(spans=spans(2), has_v3=False, errors=errors) as fake,
        asking(fake) as (source, _),
    ):
        found, taken = read(source)
        assert len(found) == 2
        assert taken.missing == [f"{fake.url} left something out (shard 3 timed out)"]
        fake.spans.clear()
        page = source.search(WHOLE)
        assert (page.traces, page.missing) == (0, taken.missing[0])


def test_spans_that_are_no_spans_are_counted() -> None:
    body = json.dumps(
        {"result": {"resourceSpans": [{"scopeSpans": [{"spans": [{"spanId": "00" * 8}]}]}]}}
    )
    with jaeger(faults=[says(body.encode())]) as fake, asking(fake, api="v3") as (source, _):
        page = source.search(WHOLE)
    assert (page.traces, page.rejected.total()) == (0, 1)


def test_ids_that_only_the_older_api_writes_well_lead_to_it() -> None:
    span = {"traceId": "AAAAAAAAAAAAAAAAAAAAAQ==", "spanId": "AAAAAAAAAAE="}
    body = json.dumps({"result": {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}}).encode()
    with jaeger(spans=spans(1)) as fake, asking(fake) as (source, _):
        source.services()
        fake.faults = [says(body)]
        assert source.search(WHOLE).traces == 1
        assert source.dialect is LEGACY


def test_the_rule_holds_for_a_source() -> None:
    with jaeger(spans=spans(1)) as fake, asking(fake, Access(public_only=True)) as (source, _):
        with pytest.raises(BadInput, match=r"127\.0\.0\.1.*tracer pull"):
            source.services()
        assert fake.asked == []
