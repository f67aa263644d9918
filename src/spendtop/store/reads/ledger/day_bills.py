"""A UTC day of an account by key, user or project: what was billed, and what was seen of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Label, case, func, literal, select

from spendtop.domain.clock import DAY
from spendtop.domain.ledger.bill_kinds import BillKind
from spendtop.domain.ledger.holders import (
    KEY_PROPERTIES,
    PROJECT_PROPERTIES,
    HolderBill,
    HolderName,
    Names,
    SeenRequests,
    by_key,
    by_project,
    by_user,
)
from spendtop.domain.ledger.used import TOKENS, UsedPart, by_unit
from spendtop.domain.money import Usd
from spendtop.store import facts
from spendtop.store.reads.ledger.balances import Account
from spendtop.store.reads.ledger.differences import bill
from spendtop.store.reads.ledger.imported import imported_requests
from spendtop.store.reads.property_sql import property_items
from spendtop.store.reads.spending import spend_sql
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.tokens.names import token_names
from spendtop.store.statements import table_of
from spendtop.store.tables import BilledNameTable, DayCostUserTable, DayUsedTable, RequestTable

_NAME, _USER, _REQUEST = table_of(BilledNameTable), table_of(DayCostUserTable), table_of(RequestTable)
_USED = table_of(DayUsedTable)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayBill:
    """One UTC day (counted since 1970) by one kind of holder."""

    day: int
    by: BillKind
    billed_until: int | None
    """Up to when the provider has billed what was used, UTC µs; None where it does not say."""
    is_billed: bool
    """Whether a poll covers the day, and its provider tells whom of this kind it billed."""
    is_compared: bool
    """Whether both sides are of the same requests: not where imported files tell of a part of the day."""
    counts_tokens: bool
    """Whether the provider tells how many tokens these used."""
    used: Mapping[str, int]
    """What the provider counted of the whole day, by unit."""
    holders: tuple[HolderBill, ...]

    @property
    def whole(self) -> HolderBill:
        """All of them together."""
        total = HolderBill(id="")
        for each in self.holders:
            total.billed += each.billed
            total.seen += each.seen
            total.requests += each.requests
            total.unpriced += each.unpriced
            total.billed_tokens += each.billed_tokens
            total.seen_tokens += each.seen_tokens
            total.later += each.later
            total.later_requests += each.later_requests
        return total


def billed_until(connection: Connection, account: str) -> int | None:
    """Up to when an account's provider has billed what was used, UTC µs; None where it does not say."""
    written = facts.get(connection, facts.billed_until(account))
    return int(written) if written else None


def day_bill(connection: Connection, account: Account, day: int, by: BillKind) -> DayBill:
    return day_bills(connection, account, day)[by]


def day_bills(connection: Connection, account: Account, day: int) -> Mapping[BillKind, DayBill]:
    """The same day by each kind of holder."""
    billed, names = bill(connection, account.name, day), names_of(connection, account.name)
    parts = () if billed is None else billed.parts
    until = billed_until(connection, account.name)
    seen, users = _seen(connection, account, day, until), _users(connection, account.name, day)
    used = _used(connection, account.name, day)
    tokens = [part for part in used if part.unit in TOKENS]
    is_whole = not imported_requests(connection, account.biller, day, day)

    def of(by: BillKind, is_billed: bool, is_counted: bool, holders: tuple[HolderBill, ...]) -> DayBill:
        return DayBill(
            day=day,
            by=by,
            billed_until=until,
            is_billed=is_billed,
            is_compared=is_billed and is_whole,
            counts_tokens=is_counted,
            used=by_unit(used),
            holders=holders,
        )

    return {
        "key": of("key", billed is not None, any(part.api_key for part in tokens), by_key(parts, seen, names, tokens)),
        "user": of("user", bool(users), any(part.user for part in tokens), by_user(users, parts, seen, names, tokens)),
        "project": of(
            "project", billed is not None, any(part.project for part in tokens), by_project(parts, seen, names, tokens)
        ),
    }


def names_of(connection: Connection, account: str) -> Names:
    """What people call keys, users and projects of an account."""
    names: dict[BillKind, dict[str, HolderName]] = {"key": {}, "user": {}, "project": {}}
    for row in connection.execute(select(_NAME).where(_NAME.c.account == account).order_by(_NAME.c.holder)):
        if row.kind in names:
            names[row.kind][row.holder] = HolderName(name=row.name, project=row.project)
    return names


def _users(connection: Connection, account: str, day: int) -> list[tuple[str, Usd]]:
    """Whom of them the provider billed; nothing where it names none, as where service accounts alone were used."""
    rows = select(_USER).where(_USER.c.account == account, _USER.c.day == day).order_by(_USER.c.user_id)
    users = [(row.user_id, Usd(int(row.cost_nano))) for row in connection.execute(rows)]
    return users if any(user for user, _ in users) else []


def _used(connection: Connection, account: str, day: int) -> list[UsedPart]:
    rows = select(_USED).where(_USED.c.account == account, _USED.c.day == day)
    return [
        UsedPart(day, row.unit, int(row.quantity), row.project, row.api_key, row.user_id, row.model)
        for row in connection.execute(rows)
    ]


def _seen(connection: Connection, account: Account, day: int, until: int | None) -> list[SeenRequests]:
    """What was seen of the account's provider; hits in a gateway's cache reach no provider and are left out."""
    later = literal(False) if until is None else _REQUEST.c.occurred_at >= until
    groups: tuple[Label[str], ...] = (
        func.coalesce(_REQUEST.c.user_id, "").label("user"),
        func.coalesce(_REQUEST.c.token, "").label("token"),
        func.coalesce(_REQUEST.c.model, "").label("model"),
        _property(connection, KEY_PROPERTIES).label("key"),
        _property(connection, PROJECT_PROPERTIES).label("project"),
    )
    inner = select(
        *groups,
        case((later, 1), else_=0).label("later"),
        func.coalesce(_REQUEST.c.cost_nano, 0).label("nano"),
        case((spend_sql.is_unpriced(), 1), else_=0).label("unpriced"),
        (func.coalesce(_REQUEST.c.prompt_tokens, 0) + func.coalesce(_REQUEST.c.completion_tokens, 0)).label("tokens"),
    ).where(
        Span(day * DAY, (day + 1) * DAY).holds(_REQUEST.c.occurred_at),
        _REQUEST.c.counted.is_(True),
        _REQUEST.c.cached.is_(False),
        spend_sql.is_paid_to(account.biller),
    )
    each = inner.subquery()
    names = [each.c.user, each.c.token, each.c.model, each.c.key, each.c.project, each.c.later]
    sums = (
        func.sum(each.c.nano).label("nano"),
        func.count().label("requests"),
        func.sum(each.c.unpriced).label("un"),
        func.sum(each.c.tokens).label("tokens"),
    )
    called = token_names(connection)
    return [
        SeenRequests(
            user=row.user,
            token=called.get(row.token, row.token),
            key=row.key,
            project=row.project,
            model=row.model,
            cost=Usd(int(row.nano)),
            requests=int(row.requests),
            unpriced=int(row.un),
            tokens=int(row.tokens),
            is_later=bool(row.later),
        )
        for row in connection.execute(select(*names, *sums).group_by(*names).order_by(*names))
    ]


def _property(connection: Connection, names: Sequence[str]) -> ColumnElement[str]:
    """One of these properties that a request has; empty where it has none."""
    item = property_items(_REQUEST.c.properties, connection)
    return func.coalesce(select(item.c.value).where(item.c.key.in_(names)).limit(1).scalar_subquery(), "")
