"""Providers' own limits as they stand: what was told of them, and what is used by bills or by what was seen."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select

from spendtop.domain.billers import biller_named
from spendtop.domain.clock import DAY
from spendtop.domain.limits.provider_limits import LimitMeasure, ProviderLimit, ProviderLimitUse
from spendtop.domain.money import Usd
from spendtop.domain.windows import Bounds
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.spend_sql import spent
from spendtop.store.reads.spending.sums import scoped_spend
from spendtop.store.statements import table_of
from spendtop.store.tables import BilledNameTable, DayCostPartTable, DayCostTable, ProviderLimitTable, RequestTable

_LIMIT, _REQUEST, _NAME = table_of(ProviderLimitTable), table_of(RequestTable), table_of(BilledNameTable)
_DAY, _PART = table_of(DayCostTable), table_of(DayCostPartTable)
_OF_ALL = frozenset({"organization", "usage_tier"})
"""Scopes that hold for the whole bill."""


def provider_limits(connection: Connection, now: int) -> tuple[ProviderLimitUse, ...]:
    """All of them at `now` (UTC µs), the fullest first."""
    rows = connection.execute(select(_LIMIT).order_by(_LIMIT.c.provider, _LIMIT.c.poller, _LIMIT.c.place))
    names = _names(connection)
    uses = [_use(connection, row, names, now) for row in rows]
    return tuple(sorted(uses, key=lambda use: (-use.fraction, use.used is None, use.key)))


def _names(connection: Connection) -> dict[tuple[str, str], str]:
    """What people call those whose limits come without a name, by account and id."""
    unnamed = select(_LIMIT.c.account, _LIMIT.c.subject).where(_LIMIT.c.name == "", _LIMIT.c.subject != "").subquery()
    same = (_NAME.c.account == unnamed.c.account) & (_NAME.c.holder == unnamed.c.subject)
    rows = connection.execute(select(_NAME.c.account, _NAME.c.holder, _NAME.c.name).join(unnamed, same))
    return {(row.account, row.holder): row.name for row in rows}


def _use(connection: Connection, row: Any, names: dict[tuple[str, str], str], now: int) -> ProviderLimitUse:
    told = ProviderLimit(
        scope=row.scope,
        subject=row.subject,
        name=row.name or names.get((row.account, row.subject), ""),
        amount=Usd.of_nano(row.amount_nano),
        used=Usd.of_nano(row.used_nano),
        measure=LimitMeasure(row.measure),
        interval=row.interval,
        resets_at=row.resets_at,
        enforced=bool(row.enforced),
    )
    window = told.bounds(now)
    match told.measure:
        case LimitMeasure.BILLED:
            used, as_of = _billed(connection, row.account, told, window), row.as_of
        case LimitMeasure.SEEN:
            used, as_of = _seen(connection, row.provider, window), now
        case _:
            used, as_of = told.used, row.as_of
            if window.start_us is not None and as_of < window.start_us:
                used = None  # of the window before
    return ProviderLimitUse(provider=row.provider, told=told, used=used, bounds=window, as_of=as_of)


def _billed(connection: Connection, account: str, told: ProviderLimit, window: Bounds) -> Usd | None:
    """What was billed since the UTC day on which the window began; None where no bill of it was read."""
    since = 0 if window.start_us is None else window.start_us // DAY
    days = (_DAY.c.account == account, _DAY.c.day >= since)
    whole, read = connection.execute(select(func.sum(_DAY.c.cost_nano), func.count()).where(*days)).one()
    if not read:
        return None
    if told.scope in _OF_ALL:
        return Usd(int(whole))
    parts = (_PART.c.account == account, _PART.c.day >= since, _PART.c.project == told.subject)
    return Usd(int(connection.execute(select(func.sum(_PART.c.cost_nano)).where(*parts)).scalar() or 0))


def _seen(connection: Connection, provider: str, window: Bounds) -> Usd | None:
    """What its requests cost that were seen here; None where the cost of none is known."""
    biller = biller_named(provider) or provider
    span = Span(window.start_us, window.end_us)
    return scoped_spend(connection, span, "provider", biller, spent().where(_REQUEST.c.provider == biller)).known_cost
