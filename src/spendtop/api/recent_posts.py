"""The last posts that were taken, in this process's memory alone."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from itertools import count

from spendtop.domain.discreet import Discreet

BEGINNING = 64 * 1024
"""Bytes that are kept of a post."""
_MOST = 20
"""Posts of a source."""
_MOST_BYTES = 2 * 1024 * 1024
"""Of all sources."""


class TakenPost(Discreet, frozen=True):
    id: int
    """Since this process started."""
    at: int
    """UTC µs."""
    size: int
    """Of the whole post, in bytes."""
    beginning: bytes
    """As it was sent: with prompts, with secrets, and packed."""


class RecentPosts:
    """The last 20 of each source, as far as there is room for them; those make room whose source has most of it."""

    def __init__(self) -> None:
        self._by_source: defaultdict[str, deque[TakenPost]] = defaultdict(deque)
        self._bytes = 0
        self._ids = count(1)

    def add(self, source: str, at: int, size: int, beginning: bytes) -> None:
        posts = self._by_source[source]
        posts.append(TakenPost(next(self._ids), at, size, beginning))
        self._bytes += len(beginning)
        if len(posts) > _MOST:
            self._forget(posts)
        while self._bytes > _MOST_BYTES:
            self._forget(max(self._by_source.values(), key=_size))

    def of(self, source: str) -> Sequence[TakenPost]:
        """Those of a source by its name, the newest first."""
        return tuple(reversed(self._by_source[source])) if source in self._by_source else ()

    def _forget(self, posts: deque[TakenPost]) -> None:
        self._bytes -= len(posts.popleft().beginning)


def _size(posts: deque[TakenPost]) -> int:
    return sum(len(post.beginning) for post in posts)
