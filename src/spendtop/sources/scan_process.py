"""The process that reads the files of coding agents: `python -m spendtop.sources.scan_process`.

One line of JSON on stdin says what to read; on stdout comes what was read, each piece of JSON behind its length. A
process of its own, at low priority, so that a webhook never waits behind a history; it waits where nobody reads what it
writes.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NoReturn

import msgspec
from msgspec import Struct

from spendtop.domain.money import read_amount, written_amount
from spendtop.sources.agents.bookmark import Bookmark
from spendtop.sources.agents.scan import AgentRoot, ChangedFile, FileRead, RootState, Scan, readers_of
from spendtop.sources.registry import READERS

LENGTH_BYTES = 8
"""Of the number before each piece."""
SETTLE_MS = 50
LOOK_AGAIN_MS = 15_000
"""How often all files are looked at without a notice, for file systems that send none."""
_LOWEST = 10
_TOGETHER = 100
"""Calls that are told in one piece."""
_STATES_EVERY = 50
"""Files that are read between two words on how it stands, and told in one piece at most."""


class ScanJob(Struct, frozen=True):
    roots: list[AgentRoot]
    bookmarks: dict[str, Bookmark]
    """By file, how far it is read."""
    texts: bool = False
    """Whether what was said is read, too."""


class ScanNews(Struct, frozen=True):
    """One piece of what the process says."""

    reads: list[FileRead] = []
    """Of one file or several."""
    states: list[RootState] | None = None


ENCODER = msgspec.json.Encoder(enc_hook=written_amount)
DECODER = msgspec.json.Decoder(ScanNews, dec_hook=read_amount)


def main() -> NoReturn:
    """Read until nobody listens any more."""
    os.nice(_LOWEST)
    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=ScanJob)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    scan = Scan(readers_of(READERS.agents, texts=job.texts), job.roots, job.bookmarks)
    with suppress(BrokenPipeError):
        for changed in _changes(scan, job.roots):
            for news in look_through(scan, changed):
                told = ENCODER.encode(news)
                sys.stdout.buffer.write(len(told).to_bytes(LENGTH_BYTES, "big") + told)
                sys.stdout.buffer.flush()
    os._exit(0)


def look_through(scan: Scan, changed: Sequence[ChangedFile]) -> Iterator[ScanNews]:
    """What is new in the files that changed, and how it stands before, in between and at the end."""
    yield ScanNews(states=scan.states(changed))
    together: list[FileRead] = []
    for number, each in enumerate(changed, start=1):
        for part in scan.read(each):
            together.append(part)
            if sum(len(one.calls) for one in together) >= _TOGETHER:
                yield ScanNews(together)
                together = []
        if number % _STATES_EVERY == 0 or number == len(changed):
            yield ScanNews(together, scan.states(changed[number:]))
            together = []


def _changes(scan: Scan, roots: Sequence[AgentRoot]) -> Iterator[list[ChangedFile]]:
    """What changed since it was read: at once, with each notice, and now and then."""
    from watchfiles import watch

    watching = watch(
        *(root.folder for root in roots),
        watch_filter=None,
        step=SETTLE_MS,
        rust_timeout=LOOK_AGAIN_MS,
        yield_on_timeout=True,
        raise_interrupt=False,
        ignore_permission_denied=True,
    )
    yield scan.changed()
    for notices in watching:
        yield scan.changed_among([path for _, path in notices]) if notices else scan.changed()


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
