"""The last posts that were taken, in this process's memory alone."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass

BEGINNING = 4096
"""Bytes that are kept of a post."""
_MOST = 20


@dataclass(frozen=True, slots=True)
class TakenPost:
    at: int
    """UTC µs."""
    size: int
    """Of the whole post, in bytes."""
    beginning: bytes
    """As it was sent: with prompts, and with secrets."""


class RecentPosts:
    """The beginnings of the last 20 of each source, so that at most 80 KB are held for one."""

    def __init__(self) -> None:
        self._by_source: defaultdict[str, deque[TakenPost]] = defaultdict(lambda: deque(maxlen=_MOST))

    def add(self, source: str, post: TakenPost) -> None:
        self._by_source[source].append(post)

    def of(self, source: str) -> Sequence[TakenPost]:
        """Those of a source by its name, the newest first."""
        return tuple(reversed(self._by_source[source])) if source in self._by_source else ()
