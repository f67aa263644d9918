"""Pages of a list: read on demand, let go, and read again at the same place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from spendtop.store.reads.requests.lists import RequestPage
from spendtop.store.reads.rows import RequestRow
from spendtop.tui.listing import PAGE, Listing


@dataclass(frozen=True)
class Row:
    """What a listing knows of a request."""

    id: int
    fact: str = ""


def page(start: int, size: int = PAGE, more: bool = True, fact: str = "") -> RequestPage:
    """Requests from `start` on; the next cursor is where they end."""
    rows = tuple(cast(RequestRow, Row(number, fact)) for number in range(start, start + size))
    return RequestPage(rows, str(start + size) if more else None)


def read(listing: Listing, wanted: list[tuple[int, str | None]], total: int) -> None:
    """Answer a question as the store would."""
    pages = {}
    for number, cursor in wanted:
        start = int(cursor or 0)
        size = min(PAGE, total - start)
        pages[number] = page(start, size, more=start + size < total)
    listing.put(pages)


NOTHING_IN_VIEW = 0, -1


def test_the_first_question_is_for_the_first_page() -> None:
    assert Listing().wanted(0, 20) == [(0, None)]


def test_scrolling_asks_for_the_next_page_before_the_end_comes_into_view() -> None:
    listing = Listing()
    read(listing, listing.wanted(0, 20), 1_000)
    assert listing.wanted(0, 20) == []
    assert listing.wanted(40, 60) == [(1, "100")]


def test_a_million_rows_keep_a_dozen_pages_and_come_back() -> None:
    listing = Listing()
    total = 5_000
    for position in range(0, total, 50):
        read(listing, listing.wanted(position, position + 40), total)
    assert len(listing) == total
    assert listing.complete
    assert sum(1 for _ in listing) <= 12 * PAGE
    assert listing[0] is None
    assert listing.wanted(0, 40) == [(0, None)]
    read(listing, listing.wanted(0, 40), total)
    first, last = listing[0], listing[99]
    assert first is not None and last is not None and (first.id, last.id) == (0, 99)
    assert len(listing) == total


def test_a_request_is_found_by_its_id() -> None:
    listing = Listing()
    read(listing, listing.wanted(0, 20), 250)
    read(listing, listing.wanted(60, 90), 250)
    assert listing.position_of(150) == 150
    assert listing.position_of(220) is None


def test_newer_facts_replace_older_ones_in_place() -> None:
    listing = Listing()
    read(listing, listing.wanted(0, 20), 50)
    listing.renew([page(-3, 10, fact="new")])
    facts = [cast(Any, row).fact for row in listing]
    assert facts[:7] == ["new"] * 7
    assert len(listing) == 50


def test_an_empty_answer_is_an_answer() -> None:
    listing = Listing()
    listing.put({0: RequestPage((), None)})
    assert listing.read and listing.complete and len(listing) == 0


def test_read_from_its_end_a_list_stands_the_right_way_up() -> None:
    listing = Listing(from_end=True)
    read(listing, listing.wanted(*NOTHING_IN_VIEW), 250)
    assert [cast(Any, listing[position]).id for position in (0, 99)] == [99, 0]
    assert (listing.start, listing.position_of(0)) == (99, 99)
    assert listing.wanted(80, 99) == []
    assert listing.shown(80, 99) == [(0, None)]
    assert listing.wanted(10, 30) == [(1, "100")]
    read(listing, listing.wanted(10, 30), 250)
    assert (len(listing), listing.position_of(99), listing.shown(110, 130)) == (200, 100, [(0, None)])
    assert listing.shown(90, 110) == [(0, None), (1, "100")]
