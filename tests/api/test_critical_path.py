"""`/api/v1/critical-path`: the document and its two other forms."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api import schemas
from tests.api.running import Client, FakeService, client_of, context_with, shop
from tests.report.test_flame import stacks, stacks_of
from tests.support.engine import fresh_engine

PATH = "/api/v1/critical-path"


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with fresh_engine() as engine:
        yield client_of(FakeService(context_with(engine, shop())))


def test_the_three_forms_say_the_same(client: Client) -> None:
    asked = {"service": "stock", "band": "50-95", "metric": "critical"}
    document = client.get(PATH, params=asked)
    schemas.CriticalPath.model_validate(document.json())
    assert document.json()["schema"] == "tracer.critical-path/1"
    assert document.json()["reproduce"].endswith(
        "--service stock --metric critical --band 50-95 --limit 100"
    )
    text = client.get(PATH, params={**asked, "format": "folded"})
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    assert text.text == "shop·GET / 80000000\nshop·GET /;stock·SELECT stock 1000000000\n"
    file = client.get(PATH, params={**asked, "format": "speedscope"})
    assert file.headers["content-type"] == "application/json"
    assert stacks_of(file.json(), file.json()["activeProfileIndex"]) == stacks(text.text)


def test_a_list_is_bounded(client: Client) -> None:
    answer = client.get(PATH, params={"limit": 1}).json()
    assert (len(answer["paths"]), answer["total"]["value"]) == (1, 2)
    assert answer["paths"][0]["paths_hidden"] == 1


def test_an_unquoted_plus_is_understood(client: Client) -> None:
    assert client.get(f"{PATH}?band=99+").json()["band"] == "99-100"


def test_who_is_not_there(client: Client) -> None:
    answer = client.get(PATH, params={"service": "nobody"})
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:tracer:not-found")


WRONG = ["band=p95", "metric=wall", "format=svg", "limit=0", "limit=1001", "since=1"]


@pytest.mark.parametrize("word", WRONG)
def test_a_wrong_word_is_named(client: Client, word: str) -> None:
    answer = client.get(f"{PATH}?{word}")
    assert answer.status_code == 400
    assert word.partition("=")[0] in answer.json()["detail"]
