"""Traces out of a Jaeger over real HTTP into a store, once each, and answers that keep nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import run
from tests.support.engine import LONG, fresh_engine
from tests.support.jaeger_server import FakeJaeger, Span, drops, jaeger, says
from tracer.cli.local import Local
from tracer.errors import Unavailable
from tracer.ingest.pull.connection import Connection, Patience
from tracer.ingest.pull.cursor import Cursor, read_cursor, write_cursor
from tracer.ingest.pull.jaeger import Jaeger
from tracer.service.context import Context
from tracer.service.pull import Plan, Pulled, begin, pull

NOW_US = time.time_ns() // 1000
MINUTE_US = 60_000_000
MINUTE_NS = MINUTE_US * 1000
SHOP = Plan(("shop",))


def request(trace: int, ago_min: float, duration_us: int = 20_000) -> list[Span]:
    """A request that spends all but a millisecond in its database."""
    return request_at(trace, NOW_US - int(ago_min * MINUTE_US), duration_us)


def just_now(trace: int) -> list[Span]:
    """One that began five seconds ago, however long the tests take."""
    return request_at(trace, time.time_ns() // 1000 - 5_000_000, 20_000)


def request_at(trace: int, start: int, duration_us: int) -> list[Span]:
    """The same at a moment."""
    return [
        Span(trace, 1, start, duration_us, name="GET /buy"),
        Span(trace, 2, start + 500, duration_us - 1000, parent=1, service="db", name="SELECT"),
    ]


@pytest.fixture
def shop() -> Iterator[FakeJaeger]:
    """Requests of half an hour, most of them lately, one of which is slow."""
    minutes = [1.5 + 0.1 * n for n in range(24)] + [5.0 * n for n in range(1, 7)]
    spans = [one for n, ago in enumerate(minutes) for one in request(n + 1, ago)]
    spans += request(99, 5, 2_000_000)
    with jaeger(spans=spans) as fake:
        yield fake


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Local]:
    """What the commands open."""
    monkeypatch.setenv("TRACER_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("TRACER_SERVER", raising=False)
    with fresh_engine() as engine:

        @contextmanager
        def opened(*_: Any, **__: Any) -> Iterator[Local]:
            yield Local(Context(engine, LONG, time.time_ns))

        monkeypatch.setattr("tracer.cli.pull.open_source", opened)
        monkeypatch.setattr("tracer.cli.services.open_source", opened)
        monkeypatch.setattr("tracer.cli.local.open_local", opened)
        with opened() as local:
            yield local


def spans_of(service: str) -> int:
    outcome = run("services", service, "--since", "2d", "--json")
    return sum(one["spans"] for one in json.loads(outcome.out)["operations"])


def pulled(*arguments: str) -> Any:
    outcome = run("pull", "jaeger", *arguments, "--json")
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def test_a_pull_stores_all_and_goes_on_where_it_ended(shop: FakeJaeger, store: Local) -> None:
    url = ("--url", shop.url)
    first = pulled(*url, "--since", "1h", "--page-traces", "5")
    assert (first["traces"], first["spans"], first["complete"]) == (31, 62, True)
    assert (spans_of("shop"), spans_of("db")) == (31, 31)
    asked = len(shop.asked)
    again = pulled(*url, "--since", "1h", "--page-traces", "5")
    assert (again["traces"], again["spans"]) == (0, 0)
    assert len(shop.asked) - asked < asked
    shop.spans += just_now(200)
    later = run("pull", "jaeger", *url, "--delay", "1s", "--json")
    assert json.loads(later.out)["spans"] == 2
    assert later.err.startswith("going on from ")
    assert spans_of("shop") == 32


def test_a_fault_in_the_middle_says_what_is_stored_and_the_next_run_ends_it(
    shop: FakeJaeger, store: Local
) -> None:
    flags = ("--url", shop.url, "--since", "1h", "--attempts", "1", "--service", "shop")

    with_fault = iter(range(100))

    class Later(list[Any]):
        """Answers well five times, then drops the connection once."""

        def __bool__(self) -> bool:
            return next(with_fault) == 5

        def pop(self, *_: Any) -> Any:
            return drops

    shop.faults = Later()
    outcome = run("pull", "jaeger", *flags)
    assert outcome.code == 4
    assert "broke before the answer was complete" in outcome.err
    assert "stored before it ended: " in outcome.err
    before = spans_of("shop")
    assert 0 < before < 31
    pulled(*flags)
    assert (spans_of("shop"), spans_of("db")) == (31, 31)


def test_following_outlasts_a_jaeger_that_is_away_and_says_so_once(
    shop: FakeJaeger, store: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        match len(pauses):
            case 1:
                shop.faults = [says(b"down", 503)] * 2
                shop.spans += just_now(300)
            case 3:
                assert shop.faults == []
            case 4:
                raise KeyboardInterrupt

    monkeypatch.setattr("tracer.cli.pull.time.sleep", pause)
    flags = ("--follow", "--since", "1h", "--interval", "2s", "--delay", "1s", "--attempts", "1")
    outcome = run("pull", "jaeger", "--url", shop.url, *flags)
    assert outcome.code == 130
    assert pauses == [2, 4, 8, 2]
    assert outcome.err.count("HTTP 503 (down)") == 1
    assert outcome.err.count("going on from") == 1
    assert "stored before it ended: 32 traces, 64 spans" in outcome.err
    assert spans_of("shop") == 32


def test_the_wrong_words_are_told() -> None:
    for arguments, said in (
        (("--url", "nowhere"), "is not a URL"),
        (("--url", "http://u:geheim@x"), "credentials in its URL"),
        (
            ("--url", "http://x", "--follow", "--end", "now", "--start", "-1h"),
            "--follow has no end",
        ),
        (("--url", "http://x", "--delay", "30"), "--delay: duration '30'"),
        (("--url", "http://x", "--source-header", "nonsense"), "a name and a value"),
    ):
        outcome = run("pull", "jaeger", *arguments)
        assert outcome.code == 2, arguments
        assert said in outcome.err
        assert "geheim" not in outcome.err


def test_slow_answers_about_a_jaeger_and_keeps_nothing(
    shop: FakeJaeger, store: Local, tmp_path: Path
) -> None:
    arguments = ("slow", "--source", f"jaeger:{shop.url}", "--service", "shop", "--since", "1h")
    outcome = run(*arguments, "--min-duration", "1s", "--limit", "3", "--json")
    assert outcome.code == 0, outcome.err
    document = json.loads(outcome.out)
    (trace,) = document["traces"]
    assert (trace["trace_id"], trace["duration_ns"]) == (f"{99:032x}", 2_000_000_000)
    assert document["bottlenecks"][0]["service"] == "db"
    assert document["affected"]["of"] == {"value": 31, "exact": True}
    source = document["source"]
    assert (source["complete"], source["traces"], source["spans"]) == (True, 31, 62)
    assert f"--source jaeger:{shop.url}" in document["reproduce"]
    text = run(*arguments, "--min-duration", "1s")
    assert "GET /buy" in text.out
    assert not (tmp_path / "data").exists()


def test_slow_says_when_it_saw_a_sample(shop: FakeJaeger, store: Local) -> None:
    flags = ("--service", "shop", "--since", "1h", "--min-duration", "1s", "--page-traces", "2")
    outcome = run("slow", "--source", f"jaeger:{shop.url}", *flags, "--json")
    assert outcome.code == 0, outcome.err
    document = json.loads(outcome.out)
    assert [one["trace_id"] for one in document["traces"]] == [f"{99:032x}"]
    assert not document["source"]["complete"]
    assert not document["quality"]["source_complete"]
    assert not document["affected"]["of"]["exact"]
    assert "not everything was read: " in outcome.err


def test_slow_names_the_services_there_are_and_a_jaeger_that_is_down(
    shop: FakeJaeger, store: Local
) -> None:
    where = f"jaeger:{shop.url}"
    outcome = run("slow", "--source", where, "--service", "shpo")
    assert (outcome.code, "no service 'shpo'; it knows 2 (db, shop)" in outcome.err) == (2, True)
    assert run("slow", "--source", "elsewhere:http://x").code == 2
    assert run("slow", "--source", where, "--data", "x").code == 2
    shop.faults = [says(b'{"services":["shop"]}')] * 2 + [says(b"no", 401)]
    outcome = run("slow", "--source", where)
    assert (outcome.code, "TRACER_SOURCE_TOKEN" in outcome.err) == (2, True)


def test_slow_does_not_take_a_failure_for_no_traces(store: Local) -> None:
    errors = [{"code": 500, "msg": "shard down"}]
    with jaeger(has_v3=False, errors=errors) as fake:
        outcome = run("slow", "--source", f"jaeger:{fake.url}", "--service", "shop")
    assert (outcome.code, "left something out (shard down)" in outcome.err) == (4, True)


class Kept:
    """A store that is a table of spans, and fails when it is told to."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str]] = []
        self.fails = 0

    def store(self, records: Any) -> dict[str, Any]:
        if self.fails:
            self.fails -= 1
            raise Unavailable("the store is away")
        batch = records.batch
        self.rows += zip(batch["TraceId"].to_pylist(), batch["SpanId"].to_pylist(), strict=True)
        return {"spans": len(batch), "rejected": 0, "reasons": []}


def one_round(fake: FakeJaeger, kept: Kept, path: Path, until_us: int, plan: Plan = SHOP) -> Pulled:
    """A run of its own: the cursor comes from the file."""
    counts = Pulled()
    at = begin(read_cursor(path, "x"), "x", (NOW_US - 60 * MINUTE_US) * 1000)
    with Connection(fake.url, patience=Patience(attempts=1)) as connection:
        pull(
            Jaeger(connection, page_traces=7),
            plan,
            at,
            until_us * 1000,
            store=kept.store,
            save=lambda cursor: write_cursor(path, cursor),
            pulled=counts,
        )
    return counts


def test_no_gap_and_nothing_twice_whatever_breaks_when(shop: FakeJaeger, tmp_path: Path) -> None:
    kept, path = Kept(), tmp_path / "cursor.json"
    for number in range(12):
        kept.fails = number % 3 == 1
        shop.faults = [drops] if number % 4 == 2 else []
        try:
            one_round(shop, kept, path, NOW_US - (11 - number) * 3 * MINUTE_US)
        except Unavailable:
            assert number % 3 == 1 or number % 4 == 2
    kept.fails, shop.faults = 0, []
    one_round(shop, kept, path, NOW_US)
    assert set(kept.rows) == {(one.trace_id, f"{one.span:016x}") for one in shop.spans}
    assert len(kept.rows) == len(set(kept.rows))


def test_a_span_that_comes_late_and_one_that_began_long_ago_are_fetched(tmp_path: Path) -> None:
    root, child = request(1, 30, 25 * MINUTE_US)
    early = Span(1, 3, NOW_US - 6 * MINUTE_US, 1000, parent=1)
    with jaeger(spans=[early]) as fake:
        kept, path = Kept(), tmp_path / "cursor.json"
        one_round(fake, kept, path, NOW_US - 4 * MINUTE_US)
        assert [span for _, span in kept.rows] == [f"{3:016x}"]
        fake.spans += [root, child, *request(2, 5)]  # the second within the overlap
        counts = one_round(fake, kept, path, NOW_US - 3 * MINUTE_US)
        assert counts.spans == 5  # the first trace again, as it is now: three, and two
        assert one_round(fake, kept, path, NOW_US - 2 * MINUTE_US).spans == 0
        cursor = read_cursor(path, "x")
    assert cursor is not None
    assert cursor.waiting == {}


def test_what_the_source_left_out_is_read_again(shop: FakeJaeger, tmp_path: Path) -> None:
    kept, path = Kept(), tmp_path / "cursor.json"
    shop.has_v3, shop.errors = False, [{"code": 500, "msg": "shard down"}]
    with pytest.raises(Unavailable, match=r"shard down.*read again next time"):
        one_round(shop, kept, path, NOW_US, Plan(("shop",), step_ns=120 * MINUTE_NS))
    assert set(kept.rows)
    assert read_cursor(path, "x") is None
    shop.errors = None
    one_round(shop, kept, path, NOW_US)
    assert set(kept.rows) == {(one.trace_id, f"{one.span:016x}") for one in shop.spans}


def test_a_cursor_is_for_one_question_and_damage_is_told(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "cursor.json"
    write_cursor(path, Cursor("a", 1, 2, {"t": 3}, {"u": 4}))
    assert read_cursor(path, "a") == Cursor("a", 1, 2, {"t": 3}, {"u": 4})
    with pytest.raises(Exception, match="of another pull"):
        read_cursor(path, "b")
    path.write_bytes(b"{")
    with pytest.raises(Exception, match=r"damaged .*counts once"):
        read_cursor(path, "a")
    assert list(path.parent.iterdir()) == [path]


def test_an_earlier_start_begins_anew_and_a_later_one_leaves_no_gap() -> None:
    known = Cursor("a", 100, 200)
    assert begin(known, "a", 150) is known
    assert begin(known, "a", 300) is known
    assert begin(known, "a", 50, is_asked=False) is known
    assert begin(known, "a", 50) == Cursor("a", 50, 50)
