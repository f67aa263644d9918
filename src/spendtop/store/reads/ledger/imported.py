"""Days of which a part is known from imported files alone."""

from __future__ import annotations

from sqlalchemy import BigInteger, Connection, exists, func, literal_column, select

from spendtop.domain.clock import DAY
from spendtop.domain.sources.records import IMPORTED
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable, TotalTable

_NAMES = tuple(source.name for source in IMPORTED)
_TOTAL, _REQUEST = table_of(TotalTable), table_of(RequestTable)


def imported_requests(connection: Connection, provider: str, first: int, last: int) -> dict[int, int]:
    """How many of a provider's requests only imported files tell of, by UTC day (counted since 1970, both inclusive).

    Files may begin and end within a day, so no bill is compared with what was seen of such a day.
    """
    since, until = first * DAY, (last + 1) * DAY
    in_totals = exists().where(
        _TOTAL.c.dimension == "source",
        _TOTAL.c.key.in_(_NAMES),
        _TOTAL.c.bucket >= since,
        _TOTAL.c.bucket < until,
    )
    if not connection.execute(select(in_totals)).scalar():
        return {}
    day = (_REQUEST.c.occurred_at // literal_column(str(DAY), BigInteger)).label("day")
    query = (
        select(day, func.count().label("requests"))
        .where(
            _REQUEST.c.occurred_at >= since,
            _REQUEST.c.occurred_at < until,
            _REQUEST.c.source.in_(_NAMES),
            _REQUEST.c.provider == provider,
            _REQUEST.c.counted.is_(True),
        )
        .group_by(day)
    )
    return {int(row.day): int(row.requests) for row in connection.execute(query)}
