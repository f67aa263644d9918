"""What an import says: progress while it runs, what it skipped, and what came of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator

from spendtop.cli.tables import say, table
from spendtop.config.types import duration_text
from spendtop.domain.clock import to_datetime
from spendtop.domain.cost_words import cost_words, known_cost
from spendtop.domain.errors import UsageError
from spendtop.domain.request import Request, Restored
from spendtop.domain.untrusted import clean_line
from spendtop.services.request_import import Tally
from spendtop.services.retention import month_of
from spendtop.sources.files import Skipped

_SHOWN = 20
"""Skipped lines that are shown; the rest are counted."""


class Part:
    """One file or table of an import."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tally = Tally()
        self.skipped = 0


class Report:
    """Says on stderr what happens, and at the end on stdout what came of it."""

    def __init__(self, strict: bool, keeps: int, now: int) -> None:
        """`strict` ends the import at the first line that cannot be taken; requests are kept for `keeps` µs."""
        self._strict = strict
        self._keeps = keeps
        self._forgotten_before = month_of(now - keeps)
        self._has_warned = False
        self._parts: list[Part] = []
        self._started = time.monotonic()
        self._is_live = sys.stderr.isatty()

    def part(self, name: str) -> Part:
        self._parts.append(Part(name))
        return self._parts[-1]

    def taken(self, part: Part, read: Iterable[Request | Restored | Skipped]) -> Iterator[Request | Restored]:
        """What can be recorded; the rest is said and counted. Raises UsageError for it where that ends the import."""
        for each in read:
            if isinstance(each, Skipped):
                self._skip(part, each)
            else:
                yield each

    def progress(self) -> None:
        """Say how far it is, and what retention will make of it."""
        for part in self._parts:
            arrived = part.tally.arrived
            if not self._has_warned and arrived is not None and arrived < self._forgotten_before:
                self._has_warned = True
                self._warn()
        if self._is_live:
            rows = sum(part.tally.taken + part.skipped for part in self._parts)
            rate = rows / max(time.monotonic() - self._started, 0.001)
            sys.stderr.write(f"\r{rows:,} rows, {rate:,.0f}/s \x1b[K")
            sys.stderr.flush()

    def summary(self, stored: str) -> None:
        """Say what came of each part and of all; `stored` names what became of new ones."""
        if self._is_live:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        skipped = sum(part.skipped for part in self._parts)
        if skipped > _SHOWN and not self._strict:
            sys.stderr.write(f"... and {skipped - _SHOWN:,} more that were skipped\n")
        parts = [(clean_line(part.name), *_cells(part.tally, part.skipped)) for part in self._parts]
        if len(parts) > 1:
            parts.append(("total", *_cells(_sum([part.tally for part in self._parts]), skipped)))
        if parts:
            say(table(("from", f">{stored}", ">cost", ">joined", ">duplicates", ">skipped"), parts))

    def _skip(self, part: Part, skipped: Skipped) -> None:
        sentence = clean_line(f"{part.name}, {skipped}")
        if self._strict:
            part.skipped += 1
            raise UsageError(f"{sentence}. What came before is recorded; correct it and repeat.")
        if sum(each.skipped for each in self._parts) < _SHOWN:
            self._say(f"skipped {sentence}")
        part.skipped += 1

    def _warn(self) -> None:
        self._say(
            f"note: some of these requests arrived before {to_datetime(self._forgotten_before):%Y-%m-%d}. Requests are"
            f" kept for {duration_text(self._keeps)} from their arrival, so a collector deletes them soon; raise"
            " requests under [retention] to keep them."
        )

    def _say(self, sentence: str) -> None:
        sys.stderr.write(f"{chr(13) + chr(27) + '[K' if self._is_live else ''}{sentence}\n")


def _cells(tally: Tally, skipped: int) -> tuple[object, ...]:
    cost = known_cost(tally.cost, tally.stored, tally.unpriced)
    return (
        f"{tally.stored:,}",
        cost_words(cost, tally.unpriced) if tally.stored else None,
        (tally.joined and f"{tally.joined:,}") or None,
        f"{tally.duplicates:,}" if tally.duplicates else None,
        f"{skipped + tally.refused:,}" if skipped + tally.refused else None,
    )


def _sum(tallies: Iterable[Tally]) -> Tally:
    whole = Tally()
    for tally in tallies:
        whole.stored += tally.stored
        whole.joined += tally.joined
        whole.duplicates += tally.duplicates
        whole.refused += tally.refused
        whole.unpriced += tally.unpriced
        whole.cost += tally.cost
    return whole
