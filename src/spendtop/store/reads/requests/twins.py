"""How many requests probably are one call that two middlemen reported, and that counts twice."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from spendtop.domain.sources.records import Source, source_named
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable


@dataclass(frozen=True, slots=True)
class TwinCount:
    """How many calls two sources probably both reported, without knowing each other's ids."""

    source: Source
    """The more trusted one."""
    other: Source
    pairs: int
    newest_at: int
    """When the newest of them happened, UTC µs."""

    @property
    def advice(self) -> str:
        """What they are and what to do, as words that follow the source's name."""
        what = "1 probable twin (~twin)" if self.pairs == 1 else f"{self.pairs:,} probable twins (~twin)"
        return f"{what} with {self.other}, counted twice? Make the token of one of them --shadow"


def twin_counts(connection: Connection, span: Span) -> tuple[TwinCount, ...]:
    """By pairs of sources, the most first; the requests of the span."""
    request, other = table_of(RequestTable), table_of(RequestTable).alias("twin")
    pairs, newest = func.count().label("pairs"), func.max(request.c.occurred_at).label("newest")
    rows = connection.execute(
        select(request.c.source, other.c.source.label("other"), pairs, newest)
        .join(other, other.c.id == request.c.probable_twin_of)
        .where(request.c.probable_twin_of.is_not(None), request.c.id < other.c.id, span.holds(request.c.occurred_at))
        .group_by(request.c.source, other.c.source)
    )
    counted: dict[tuple[Source, Source], tuple[int, int]] = {}
    for row in rows:
        first, second = sorted((source_named(row.source), source_named(row.other)), key=lambda each: each.trust)
        number, at = counted.get((first, second), (0, 0))
        counted[first, second] = number + int(row.pairs), max(at, int(row.newest))
    counts = (TwinCount(first, second, *each) for (first, second), each in counted.items())
    return tuple(sorted(counts, key=lambda each: (-each.pairs, each.source.trust, each.other.trust)))
