"""Looking through the files of all agents: what changed is read, the newest first."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from spendtop.domain.agents.calls import AgentCall
from spendtop.domain.agents.plan_windows import PlanWindow
from spendtop.sources.agents import AgentReader, TextTeller, WindowTeller
from spendtop.sources.agents.bookmark import Bookmark, FileStamp, Tally
from spendtop.sources.agents.call_book import CallBook
from spendtop.sources.agents.files import stamp_at
from spendtop.sources.agents.talk import Talks

PART = 25
"""Calls that are handed on in one piece: few, as a webhook may wait for the transaction that records them."""
_MOST_LINES = 3000
"""What is said of calls before what is known of them is handed on."""


class AgentRoot(Struct, frozen=True):
    """A folder in which an agent keeps its files."""

    agent: str
    folder: str


class FileRead(Struct, frozen=True):
    """What was new in a part of a file, and how far it is read with that."""

    root: AgentRoot
    path: str
    bookmark: Any
    calls: list[AgentCall]


class RootState(Struct, frozen=True):
    """How it stands with a root."""

    root: AgentRoot
    files: int
    waiting: int
    size: int
    oldest: int | None
    """UTC µs."""
    left_out: dict[str, int]
    """While reading, since the last state."""
    missed: dict[str, int]
    """What cannot be looked at now."""
    windows: list[PlanWindow] = []
    """What the provider was told to say last of its plan's windows."""


class ChangedFile(Struct, frozen=True):
    root: AgentRoot
    path: str
    stamp: FileStamp


def readers_of(makers: Mapping[str, Callable[[], AgentReader]], *, texts: bool) -> dict[str, AgentReader]:
    """A reader of each agent, by name; `texts` is whether they read what was said, too, as far as they can."""
    readers = {name: make() for name, make in makers.items()}
    for reader in readers.values():
        if texts and isinstance(reader, TextTeller):
            reader.talks = Talks()
    return readers


class Scan:
    """What is known of the files of these roots. Reading a file never fails: what cannot be read is counted."""

    def __init__(
        self, readers: Mapping[str, AgentReader], roots: Sequence[AgentRoot], bookmarks: Mapping[str, Bookmark]
    ) -> None:
        self._readers = readers
        self._roots = roots
        self._bookmarks = dict(bookmarks)
        self._left_out = {root: Tally() for root in roots}
        """While reading, since that was told last."""
        self._missed = {root: Tally() for root in roots}
        """In the last look at all files."""
        self._unreadable: dict[AgentRoot, set[str]] = {root: set() for root in roots}
        self._files: dict[AgentRoot, dict[str, FileStamp]] = {root: {} for root in roots}
        self._tried: dict[str, FileStamp] = {}
        """Files as they were when they were read last; what could not be taken then is not tried again."""

    def changed(self) -> list[ChangedFile]:
        """Files that changed since they were read, the newest first."""
        for root in self._roots:
            tally, files = Tally(), {}
            for file in self._readers[root.agent].files(Path(root.folder), tally):
                with suppress(OSError):
                    files[str(file)] = stamp_at(file)
            self._files[root], self._missed[root] = files, tally
        return self._newest_first(root_and_path for root in self._roots for root_and_path in self._of(root))

    def changed_among(self, paths: Iterable[str]) -> list[ChangedFile]:
        """The same, where only these files may have changed."""
        named = {path.removesuffix("-wal").removesuffix("-shm") for path in paths}
        known = [(root, path) for root in self._roots for path in named & self._files[root].keys()]
        if {path for _, path in known} != named:
            return self.changed()
        for root, path in known:
            with suppress(OSError):
                self._files[root][path] = stamp_at(Path(path))
        return self._newest_first(known)

    def _of(self, root: AgentRoot) -> Iterator[tuple[AgentRoot, str]]:
        return ((root, path) for path in self._files[root])

    def _newest_first(self, files: Iterable[tuple[AgentRoot, str]]) -> list[ChangedFile]:
        changed = []
        for root, path in files:
            stamp, bookmark = self._files[root][path], self._bookmarks.get(path)
            if self._tried.get(path) != stamp and (bookmark is None or not bookmark.is_current(stamp)):
                changed.append(ChangedFile(root, path, stamp))
        return sorted(changed, key=lambda each: -each.stamp.modified)

    def read(self, changed: ChangedFile) -> Iterator[FileRead]:
        """What is new in a file, in parts."""
        root, path = changed.root, changed.path
        bookmark = self._bookmarks.setdefault(path, Bookmark())
        book, lines = CallBook(), 0
        self._tried[path] = changed.stamp
        self._unreadable[root].discard(path)
        try:
            for call in self._readers[root.agent].calls(Path(path), Path(root.folder), bookmark, self._left_out[root]):
                book.add(call)
                lines += 1
                if lines % _MOST_LINES == 0:
                    yield from self._parts(changed, book, bookmark)
                    book = CallBook()
        except OSError:
            self._unreadable[root].add(path)
            self._tried.pop(path)  # who is let in later finds the file as it was
            if not lines:
                return
        yield from self._parts(changed, book, bookmark)

    def _parts(self, changed: ChangedFile, book: CallBook, bookmark: Bookmark) -> Iterator[FileRead]:
        calls = list(book)
        *first, last = [calls[at : at + PART] for at in range(0, len(calls), PART)] or [[]]
        for part in first:
            yield FileRead(changed.root, changed.path, None, part)
        yield FileRead(changed.root, changed.path, msgspec.to_builtins(bookmark), last)

    def states(self, waiting: Sequence[ChangedFile]) -> list[RootState]:
        """How it stands with all roots; what was left out while reading is told once."""
        states = []
        for root in self._roots:
            files = self._files[root].values()
            missed = Tally(self._missed[root])
            missed["files that cannot be read"] += len(self._unreadable[root])
            states.append(
                RootState(
                    root,
                    files=len(files),
                    waiting=sum(each.root == root for each in waiting),
                    size=sum(stamp.size for stamp in files),
                    oldest=min((stamp.modified // 1000 for stamp in files), default=None),
                    left_out=dict(self._left_out[root]),
                    missed=dict(+missed),
                    windows=self._windows(root),
                )
            )
            self._left_out[root].clear()
        return states

    def _windows(self, root: AgentRoot) -> list[PlanWindow]:
        reader = self._readers[root.agent]
        return reader.windows if isinstance(reader, WindowTeller) else []


def roots_of(
    readers: Mapping[str, AgentReader], homes: Mapping[str, Sequence[Path]], environment: Mapping[str, str]
) -> list[AgentRoot]:
    """The folders that are there, of each agent in its homes; two names of one folder are one."""
    roots: dict[tuple[str, str], AgentRoot] = {}
    for agent, folders in homes.items():
        for home in folders:
            for folder in readers[agent].roots(home, environment):
                if folder.exists():
                    real = os.path.realpath(folder)
                    roots[agent, real] = AgentRoot(agent, real)
    return list(roots.values())
