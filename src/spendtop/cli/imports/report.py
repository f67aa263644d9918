"""What an import says: progress while it runs, what it skipped, and what came of it."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from spendtop.cli.tables import say, table
from spendtop.config.types import duration_text
from spendtop.domain.clock import month_of, to_datetime
from spendtop.domain.cost_words import cost_words, known_cost
from spendtop.domain.errors import UsageError
from spendtop.domain.requests.request import Request, Restored
from spendtop.domain.sources.remarks import passed_over
from spendtop.domain.untrusted import clean_line
from spendtop.services.exchange.imports import Tally
from spendtop.sources.skipped import NoCall, Skipped

_SHOWN = 20
"""Skipped lines that are shown; the rest are counted by their reasons."""
_NAME = 40


class Part:
    """One file or table of an import."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tally = Tally()
        self.skipped = 0
        self.others: Counter[str] = Counter()
        """Rows that are about something else than a call, by what they are about."""
        self.unknown: Mapping[str, int] = {}
        """Columns that are not known here, with how many rows had them."""


class Report:
    """Says on stderr what happens, and at the end on stdout what came of it."""

    def __init__(self, strict: bool, keeps: int, now: int) -> None:
        """`strict` ends the import at the first line that cannot be taken; requests are kept for `keeps` µs."""
        self._strict = strict
        self._keeps = keeps
        self._forgotten_before = month_of(now - keeps)
        self._has_warned = False
        self._parts: list[Part] = []
        self._unshown: Counter[str] = Counter()
        """Skipped lines beyond those that are shown, by the reason."""
        self._started = time.monotonic()
        self._is_live = sys.stderr.isatty()

    @property
    def took_nothing(self) -> bool:
        """Whether there was something to take, and none of it could be."""
        return any(part.skipped for part in self._parts) and not any(part.tally.taken for part in self._parts)

    def part(self, name: str) -> Part:
        self._parts.append(Part(name))
        return self._parts[-1]

    def taken(self, part: Part, read: Iterable[Request | Restored | Skipped | NoCall]) -> Iterator[Request | Restored]:
        """What can be recorded; the rest is said and counted. Raises UsageError for it where that ends the import."""
        for each in read:
            if isinstance(each, Skipped):
                self._skip(part, each)
            elif isinstance(each, NoCall):
                part.others[each.kind] += 1
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
        for reason, count in self._unshown.most_common(_SHOWN):
            sys.stderr.write(f"... and {count:,} more were skipped: {reason}\n")
        for part in self._parts:
            if part.others:
                kinds = ", ".join(f"{clean_line(kind, _NAME)} {count:,}" for kind, count in part.others.most_common(5))
                rows = "1 row is no call" if part.others.total() == 1 else f"{part.others.total():,} rows are no calls"
                sys.stderr.write(f"{clean_line(part.name)}: {rows} ({kinds})\n")
        for part in self._parts:
            if part.unknown:
                sys.stderr.write(f"{clean_line(part.name)}: {passed_over([*part.unknown])}\n")
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
        else:
            self._unshown[clean_line(skipped.reason)] += 1
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
