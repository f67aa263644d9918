"""Rows of one query as far as they were read, in pages that can be let go and read again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from spendtop.store.reads.requests.lists import RequestPage
    from spendtop.store.reads.rows import RequestRow

PAGE = 100
_KEPT = 12
"""Pages in memory at most."""


class _Slot(Struct):
    cursor: str | None
    size: int
    rows: tuple[RequestRow, ...] | None


class Listing:
    """Positions count from top to bottom, as the rows stand on screen. Pages count in reading order."""

    def __init__(self, from_end: bool = False) -> None:
        self.from_end = from_end
        """Whether it is read from the bottom up."""
        self.read = False
        """Whether the first page has come."""
        self._slots: list[_Slot] = []
        self._next: str | None = None

    def __len__(self) -> int:
        return sum(slot.size for slot in self._slots)

    def __iter__(self) -> Iterator[RequestRow]:
        for slot in self._slots:
            yield from slot.rows or ()

    @property
    def in_memory(self) -> Iterator[tuple[int, RequestRow]]:
        """The rows whose pages are in memory, with their positions, from top to bottom."""
        slots = list(enumerate(self._slots))
        for number, slot in reversed(slots) if self.from_end else slots:
            rows = list(enumerate(slot.rows or ()))
            for offset, row in reversed(rows) if self.from_end else rows:
                yield self._turned(number * PAGE + offset), row

    @property
    def complete(self) -> bool:
        """Whether the last page was read."""
        return self.read and self._next is None

    def __getitem__(self, position: int, /) -> RequestRow | None:
        """The request there; None when its page is not in memory."""
        number, offset = divmod(self._turned(position), PAGE)
        if not 0 <= number < len(self._slots):
            return None
        rows = self._slots[number].rows
        return rows[offset] if rows is not None and offset < len(rows) else None

    def position_of(self, request_id: int) -> int | None:
        """Where the request is, if its page is in memory."""
        for number, slot in enumerate(self._slots):
            for offset, row in enumerate(slot.rows or ()):
                if row.id == request_id:
                    return self._turned(number * PAGE + offset)
        return None

    @property
    def start(self) -> int:
        """Position of the request that is read first."""
        return max(self._turned(0), 0)

    def _turned(self, position: int) -> int:
        """From a position on screen to one in reading order, or back."""
        return len(self) - 1 - position if self.from_end else position

    def wanted(self, first: int, last: int) -> list[tuple[int, str | None]]:
        """Number and cursor of the pages to read, so that these positions can be shown and scrolled on from."""
        first, last = sorted((self._turned(first), self._turned(last)))
        numbers = range(max(first, 0) // PAGE, max(last, 0) // PAGE + 1)
        if not self.read:
            return [(0, None)]
        missing = [number for number in numbers if number < len(self._slots) and self.lacks(number)]
        pages = [(number, self._slots[number].cursor) for number in missing]
        if last + PAGE // 2 >= len(self) and self._next is not None:
            pages.append((len(self._slots), self._next))
        return pages

    def shown(self, first: int, last: int) -> list[tuple[int, str | None]]:
        """Number and cursor of the pages that these positions lie on."""
        first, last = sorted((self._turned(first), self._turned(last)))
        numbers = range(max(first, 0) // PAGE, max(last, 0) // PAGE + 1)
        return [(number, self._slots[number].cursor) for number in numbers if number < len(self._slots)] or [(0, None)]

    def put(self, pages: Mapping[int, RequestPage]) -> None:
        """Take in pages that were asked for by `wanted`."""
        for number, page in sorted(pages.items()):
            if number < len(self._slots):
                self._slots[number].rows = page.rows[: self._slots[number].size]
            elif number == len(self._slots):
                cursor = self._next if number else None
                if page.rows or not number:
                    self._slots.append(_Slot(cursor, len(page.rows), page.rows))
                self._next = page.next_cursor
            self.read = True
        self._let_go(keep=pages)

    def restart(self, page: RequestPage) -> None:
        self._slots = [_Slot(None, len(page.rows), page.rows)]
        self._next = page.next_cursor
        self.read = True

    def renew(self, pages: Iterable[RequestPage]) -> None:
        """Take the newer facts of requests that are listed already; nothing moves."""
        newer = {row.id: row for page in pages for row in page.rows}
        for slot in self._slots:
            if slot.rows is not None:
                slot.rows = tuple(newer.get(row.id, row) for row in slot.rows)

    def lacks(self, number: int) -> bool:
        """Whether the page is not in memory."""
        return number >= len(self._slots) or self._slots[number].rows is None

    def _let_go(self, keep: Iterable[int]) -> None:
        """Drop the rows of the pages that are farthest from the ones just read."""
        kept = list(keep)
        resident = [number for number, slot in enumerate(self._slots) if slot.rows is not None]
        resident.sort(key=lambda number: min((abs(number - near) for near in kept), default=0))
        for number in resident[_KEPT:]:
            self._slots[number].rows = None
