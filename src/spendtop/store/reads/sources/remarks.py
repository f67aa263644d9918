"""What is amiss with what sources sent lately, in words: what was not read, taken or priced, and doubtful costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, func, select, text

from spendtop.domain.clock import DAY
from spendtop.domain.sources.remarks import RemarkKind, passed_over
from spendtop.domain.untrusted import clean_line
from spendtop.store.reads.requests.twins import twin_counts
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.statements import table_of
from spendtop.store.tables import RemarkTable, RequestTable

_LATELY = 7 * DAY
_REMARK, _REQUEST = table_of(RemarkTable), table_of(RequestTable)


@dataclass(frozen=True, slots=True)
class SourceRemark:
    """One sentence about one source."""

    at: int
    """When it was so last, UTC µs."""
    source: str
    words: str
    """Clean."""
    is_loss: bool
    """Whether a cost is wrong or missing for it."""


def source_remarks(connection: Connection, now: int) -> tuple[SourceRemark, ...]:
    """Of the last 7 days, the newest first; counts are since it was so first."""
    since = now - _LATELY
    twins = twin_counts(connection, Span(since, None))
    remarks = [
        *_sent(connection, since),
        *_doubtful(connection, since),
        *(SourceRemark(each.newest_at, each.source.name, each.advice, True) for each in twins),
    ]
    return tuple(sorted(remarks, key=lambda each: (-each.at, each.source, each.words)))


def _sent(connection: Connection, since: int) -> Iterator[SourceRemark]:
    """A count that nobody read has a remark of its own; what was not taken for one reason is one with an example."""
    columns = (_REMARK.c.source, _REMARK.c.kind, _REMARK.c.reason)
    order = (*columns, _REMARK.c.last_at.desc(), _REMARK.c.name)
    rows = connection.execute(select(_REMARK).where(_REMARK.c.last_at >= since).order_by(*order)).all()
    for (source, kind, reason), group in groupby(rows, key=lambda row: (row.source, row.kind, row.reason)):
        if kind == RemarkKind.UNREAD:
            for row in group:
                yield SourceRemark(row.last_at, source, _unread(row), True)
        elif kind == RemarkKind.UNKNOWN:
            yield _ignored(list(group), source)
        else:
            yield _untaken(list(group), source, kind, reason)


def _unread(row: Any) -> str:
    return f"{_requests(row.count)} had `{clean_line(row.name)}`, which {clean_line(row.reason)}"


def _untaken(newest_first: Sequence[Any], source: str, kind: str, reason: str) -> SourceRemark:
    newest, count = newest_first[0], sum(row.count for row in newest_first)
    example = ", such as" if len(newest_first) > 1 else ":"
    words = f"{count:,} {kind}{example} {clean_line(newest.name)}: {clean_line(reason)}"
    return SourceRemark(newest.last_at, source, words, kind == RemarkKind.REFUSED)


def _ignored(newest_first: Sequence[Any], source: str) -> SourceRemark:
    """How many names there are; how often each was sent says nothing."""
    words = passed_over([row.name for row in newest_first])
    return SourceRemark(newest_first[0].last_at, source, words, is_loss=False)


def _doubtful(connection: Connection, since: int) -> Iterator[SourceRemark]:
    """Told by an index of these requests alone, which needs its own condition."""
    at, source = _REQUEST.c.occurred_at, _REQUEST.c.source
    query = select(source, func.count(), func.max(at)).where(
        text("request.doubtful"), Span(since, None).holds(at), _REQUEST.c.counted.is_(True)
    )
    for name, count, newest in connection.execute(query.group_by(source)):
        costs = "1 cost (~doubtful) is" if count == 1 else f"{count:,} costs (~doubtful) are"
        words = f"{costs} far from what is computed"
        yield SourceRemark(int(newest), name, words, True)


def _requests(count: int) -> str:
    return f"{count:,} request{'' if count == 1 else 's'}"
