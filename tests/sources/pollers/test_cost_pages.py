from __future__ import annotations

import pytest
from msgspec import Struct

from spendtop.sources.pollers import PollFailed
from spendtop.sources.pollers.cost_pages import MOST_PAGES, all_pages
from spendtop.sources.pollers.http_client import FetchBounds, Fetcher
from tests.sources.pollers.fake_provider import Answer, Asked, FakeProvider, answer, failed


class Numbers(Struct):
    data: list[int]
    has_more: bool
    next_page: str | None = None


class Pages(FakeProvider):
    """`total` pages of one number each; the cursor is the number of the page."""

    total = 3

    def good(self, asked: Asked) -> Answer:
        page = int(asked.one("page") or 0)
        more = page + 1 < self.total
        return answer({"data": [page], "has_more": more, "next_page": str(page + 1) if more else None})


async def numbers(fake: FakeProvider) -> list[int]:
    async with Fetcher("Acme", fake.url, {}, bounds=FetchBounds(attempts=1)).poll() as poll:
        pages = await all_pages(poll, "/numbers", (("limit", 1),), Numbers)
    return [number for page in pages for number in page.data]


async def test_all_pages_come_in_their_order_with_the_same_question() -> None:
    with Pages() as fake:
        assert await numbers(fake) == [0, 1, 2]
    assert [dict(asked.query) for asked in fake.asked] == [
        {"limit": ["1"]},
        {"limit": ["1"], "page": ["1"]},
        {"limit": ["1"], "page": ["2"]},
    ]


async def test_a_page_that_fails_leaves_nothing() -> None:
    with Pages() as fake:
        fake.script(None, failed(500))
        with pytest.raises(PollFailed, match=r"fault of its own \(500\)"):
            await numbers(fake)


@pytest.mark.parametrize("cursor", ['"a"', "null", '""'])
async def test_a_cursor_that_is_missing_or_comes_twice_is_no_answer(cursor: str) -> None:
    with FakeProvider() as fake:
        fake.always = lambda good: Answer(body=b'{"data": [1], "has_more": true, "next_page": %s}' % cursor.encode())
        with pytest.raises(PollFailed, match="a cursor is missing or came twice; nothing of this poll is kept"):
            await numbers(fake)
    assert len(fake.asked) <= 2


async def test_pages_without_end_are_given_up() -> None:
    with Pages() as fake:
        fake.total = 10**9
        with pytest.raises(PollFailed, match="does not end after 100 pages"):
            await numbers(fake)
    assert len(fake.asked) == MOST_PAGES


async def test_as_many_pages_as_there_may_be() -> None:
    with Pages() as fake:
        fake.total = MOST_PAGES
        assert len(await numbers(fake)) == MOST_PAGES


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"{}", "missing required field `data`"),
        (b'{"data": []}', "missing required field `has_more`"),
        (b'{"data": {"x": "canary"}, "has_more": false}', "Expected `array`"),
        (b'{"data": ["canary"], "has_more": false}', "Expected `int`"),
        (b"[]", "Expected `object`"),
        (b'"canary"', "Expected `object`"),
    ],
)
async def test_an_answer_without_its_fields_is_an_error(body: bytes, what: str) -> None:
    with FakeProvider() as fake:
        fake.always = lambda good: Answer(body=body)
        with pytest.raises(PollFailed, match=r"^Acme's answer is not as documented: ") as caught:
            await numbers(fake)
    assert what in str(caught.value) and "canary" not in str(caught.value)
