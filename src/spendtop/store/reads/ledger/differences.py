"""Both sides of one UTC day: what a provider billed an account, part by part, and what we saw by model."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, and_, case, func, not_, or_, select

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.ledger.differences import BilledPart, SeenModel
from spendtop.domain.money import Usd
from spendtop.store.reads.spending import spend_sql
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.statements import table_of
from spendtop.store.tables import DayCostPartTable, DayCostTable, RequestTable

_NEAR, _NEAR_IF_SUSPECT = 5 * MINUTE, HOUR
"""How near to midnight a request may be billed on its other side: any, and one whose time is suspect."""
_DAY, _PART, _REQUEST = table_of(DayCostTable), table_of(DayCostPartTable), table_of(RequestTable)


@dataclass(frozen=True, slots=True)
class Bill:
    """A billed day, as the last poll said."""

    cost: Usd
    parts: tuple[BilledPart, ...]
    doubted: bool
    """The last poll said nothing of it; it stands until the next one says so again."""


def bill(connection: Connection, account: str, day: int) -> Bill | None:
    """What an account was billed for a UTC day (counted since 1970); None where no poll covers it."""
    row = connection.execute(select(_DAY).where(_DAY.c.account == account, _DAY.c.day == day)).one_or_none()
    if row is None:
        return None
    parts = connection.execute(
        select(_PART)
        .where(_PART.c.account == account, _PART.c.day == day)
        .order_by(_PART.c.project, _PART.c.api_key, _PART.c.line_item)
    )
    return Bill(
        Usd(row.cost_nano),
        tuple(
            BilledPart(project=one.project, api_key=one.api_key, line_item=one.line_item, cost=Usd(one.cost_nano))
            for one in parts
        ),
        bool(row.doubted),
    )


def seen(connection: Connection, provider: str, day: int) -> tuple[SeenModel, ...]:
    """What we saw of a provider's models on a UTC day. Hits in a gateway's cache reach no provider and are left out."""
    start, end = day * DAY, (day + 1) * DAY
    at, cost = _REQUEST.c.occurred_at, func.coalesce(_REQUEST.c.cost_nano, 0)
    within = Span(start, end).holds(at)
    near = or_(
        Span(start - _NEAR, start + _NEAR).holds(at),
        Span(end - _NEAR, end + _NEAR).holds(at),
        and_(
            _REQUEST.c.time_suspect.is_(True),
            or_(
                Span(start - _NEAR_IF_SUSPECT, start + _NEAR_IF_SUSPECT).holds(at),
                Span(end - _NEAR_IF_SUSPECT, end + _NEAR_IF_SUSPECT).holds(at),
            ),
        ),
    )
    unpriced = spend_sql.is_unpriced()
    query = (
        select(
            func.coalesce(_REQUEST.c.model, "").label("name"),
            func.sum(case((within, cost), else_=0)).label("cost"),
            func.sum(case((and_(within, or_(unpriced, cost > 0)), 1), else_=0)).label("requests"),
            func.sum(case((and_(within, unpriced), 1), else_=0)).label("unpriced"),
            func.max(case((within, cost), else_=0)).label("dearest"),
            func.sum(case((and_(within, near), cost), else_=0)).label("leaving"),
            func.sum(case((and_(not_(within), near), cost), else_=0)).label("coming"),
        )
        .where(
            Span(start - _NEAR_IF_SUSPECT, end + _NEAR_IF_SUSPECT).holds(at),
            _REQUEST.c.counted.is_(True),
            _REQUEST.c.cached.is_(False),
            spend_sql.is_paid_to(provider),
        )
        .group_by("name")
        .order_by("name")
    )
    return tuple(
        SeenModel(
            model=row.name,
            cost=Usd(int(row.cost)),
            requests=int(row.requests),
            unpriced=int(row.unpriced),
            dearest=Usd(int(row.dearest)),
            leaving=Usd(int(row.leaving)),
            coming=Usd(int(row.coming)),
        )
        for row in connection.execute(query)
        if row.requests or row.coming
    )
