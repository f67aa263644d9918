"""Lists that providers give a page at a time, to be asked for again behind the last entry."""

from __future__ import annotations

from typing import Generic, TypeVar

from msgspec import Struct

from spendtop.sources.pollers import KeyRefused, PollFailed
from spendtop.sources.pollers.http_client import Poll, Query, Rejected, shaped

_MOST_PAGES = 50
_Entry = TypeVar("_Entry")


class Listed(Struct, Generic[_Entry]):
    """One page; what else it holds is left aside."""

    data: list[_Entry]
    has_more: bool = False
    last_id: str | None = None
    next_page: str | None = None


async def all_listed(
    poll: Poll, path: str, kind: type[_Entry], query: Query = (), *, headers: dict[str, str] | None = None
) -> list[_Entry]:
    """Every entry: pages lead on by `next_page`, else by the last id behind which more is asked for, as `after` at
    OpenAI and `after_id` at Anthropic.

    Raises PollFailed when a page fails, and for pages that lead back to one that was read or never end.
    """
    entries: list[_Entry] = []
    seen: set[str] = set()
    behind = "after_id" if path.startswith("/v1/organizations/") else "after"
    further: tuple[tuple[str, str], ...] = ()
    for _ in range(_MOST_PAGES):
        answer = await poll.json("GET", path, query=(*query, *further), headers=headers)
        page = shaped(poll.provider, answer, Listed[kind])  # type: ignore[valid-type]
        entries += page.data
        cursor = page.next_page or (page.last_id if page.has_more else None)
        if not cursor:
            return entries
        if cursor in seen:
            break
        seen.add(cursor)
        further = (("page" if page.next_page else behind, cursor),)
    raise PollFailed(f"{poll.provider}'s list does not end: {path} leads back to what was read")


async def told_or_none(poll: Poll, path: str, kind: type[_Entry], query: Query = ()) -> list[_Entry]:
    """Every entry; none where this key may not know them. Raises PollFailed for what may work the next time."""
    try:
        return await all_listed(poll, path, kind, query)
    except (KeyRefused, Rejected):
        return []
