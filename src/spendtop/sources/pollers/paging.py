"""Answers that come in pages behind cursors: all of them, or none."""

from __future__ import annotations

from typing import Protocol, TypeVar

from spendtop.sources.pollers import PollFailed
from spendtop.sources.pollers.http_client import Poll, Query, shaped

MOST_PAGES = 100


class Paged(Protocol):
    """What every page says of its place."""

    @property
    def has_more(self) -> bool:
        """Whether this is not the last page."""

    @property
    def next_page(self) -> str | None:
        """The cursor of the next one."""


_Page = TypeVar("_Page", bound=Paged)


async def all_pages(poll: Poll, path: str, query: Query, kind: type[_Page]) -> list[_Page]:
    """Every page from the first to the last.

    Raises PollFailed when one of them fails, when a cursor is missing or comes back, and after `MOST_PAGES`.
    """
    pages: list[_Page] = []
    seen: set[str] = set()
    cursor: tuple[tuple[str, str], ...] = ()
    while len(pages) < MOST_PAGES:
        page = shaped(poll.provider, await poll.json("GET", path, query=(*query, *cursor)), kind)
        pages.append(page)
        if not page.has_more:
            return pages
        if not page.next_page or page.next_page in seen:
            raise PollFailed(f"{poll.provider}'s pages do not lead on: a cursor is missing or came twice; {_DISCARDED}")
        seen.add(page.next_page)
        cursor = (("page", page.next_page),)
    raise PollFailed(f"{poll.provider}'s answer does not end after {MOST_PAGES} pages; {_DISCARDED}")


_DISCARDED = "nothing of this poll is kept"
