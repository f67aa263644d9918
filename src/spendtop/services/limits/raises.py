"""Raising a limit for a while, and taking that back. Each call is one transaction with the writer's."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from spendtop.domain.errors import UsageError, nearest
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.limits.raises import LONGEST, Raise
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.untrusted import clean_line, storable_name
from spendtop.domain.windows import WindowKind
from spendtop.store.reads.limits.raises import from_row, raises_in_force
from spendtop.store.reads.tokens.names import token_names
from spendtop.store.statements import table_of
from spendtop.store.tables import LimitRaiseTable

_RAISE = table_of(LimitRaiseTable)
_MOST = Usd.of(1_000_000_000)


class NoSuchLimit(UsageError):
    pass


class ImpossibleAmount(UsageError):
    pass


class ImpossibleEnd(UsageError):
    pass


class ImpossibleEntity(UsageError):
    pass


class NotRaised(UsageError):
    pass


def limit_named(limits: tuple[Limit, ...], name: str) -> Limit:
    """Raises NoSuchLimit, which names the nearest one."""
    for limit in limits:
        if limit.name == name:
            return limit
    near = nearest(name, [limit.name for limit in limits])
    hint = f" Did you mean '{clean_line(near)}'?" if near else " `spendtop limit list` has them all."
    raise NoSuchLimit(f"There is no limit '{clean_line(name, 60)}'.{hint}")


def raise_limit(
    connection: Connection, limit: Limit, entity: str | None, amount: Usd, until: int, now: int, by: str | None = None
) -> Raise:
    """Raise a limit by an amount until an instant (UTC µs), for one entity or for all of them.

    A tracking token may be given by its name. Raises ImpossibleAmount, ImpossibleEnd and ImpossibleEntity.
    """
    if not ZERO < amount <= _MOST:
        raise ImpossibleAmount(f"A limit is raised by more than $0 and at most {_MOST}. Say for example +20.")
    if not now < until <= now + LONGEST:
        raise ImpossibleEnd("A raise ends in the future, and within a year. Say for example tomorrow, 2h or a date.")
    row = {
        "limit_name": limit.name,
        "entity": None if entity is None else _entity(connection, limit, entity),
        "amount_nano": amount.nano,
        "since": now,
        "until": until,
        "meant_until": until,
        "raised_by": storable_name((by or "").strip()) or None,
    }
    return from_row(connection.execute(_RAISE.insert().values(row).returning(_RAISE)).one())


def take_back(connection: Connection, raise_id: int, now: int) -> None:
    """End a raise at once. Raises UsageError where it holds no more."""
    holding = update(_RAISE).where(_RAISE.c.id == raise_id, _RAISE.c.until > now)
    if not connection.execute(holding.values(until=now)).rowcount:
        raise UsageError("This raise has ended already; there is nothing to take back.")


def unraise_limit(connection: Connection, limit: Limit, entity: str | None, now: int) -> tuple[Raise, ...]:
    """End the raises of a limit at once, those made for one entity or without one all of them; the ones that were.

    Raises ImpossibleEntity, and NotRaised where there are none.
    """
    of = None if entity is None else _entity(connection, limit, entity)
    holding = raises_in_force(connection, now).all
    taken = tuple(one for one in holding if one.limit_name == limit.name and of in (None, one.entity))
    if not taken:
        whose = f" for {clean_line(entity, 60)}" if entity is not None else ""
        raise NotRaised(f"The limit '{clean_line(limit.name)}' is not raised{whose}; there is nothing to take back.")
    connection.execute(update(_RAISE).where(_RAISE.c.id.in_([one.id for one in taken])).values(until=now))
    return taken


def ended(connection: Connection, now: int) -> set[str]:
    """Names of the limits that are lower again and not judged since; from now on they count as judged."""
    over = (_RAISE.c.until <= now, _RAISE.c.judged_at.is_(None))
    names = set(connection.execute(select(_RAISE.c.limit_name).where(*over)).scalars())
    if names:
        connection.execute(update(_RAISE).where(*over).values(judged_at=now))
    return names


def _entity(connection: Connection, limit: Limit, entity: str) -> str:
    """The raw value of an entity as it was named."""
    if limit.each is None or limit.window.kind is WindowKind.REQUEST:
        name = clean_line(limit.name)
        raise ImpossibleEntity(f"The limit '{name}' is not counted by name: raise it without naming anybody.")
    if not entity:
        raise ImpossibleEntity("An entity has a name; leave it away to raise the limit for all of them.")
    if limit.each is Each.TOKEN:
        values = [value for value, name in token_names(connection).items() if name == entity]
        return values[0] if len(values) == 1 else entity
    return entity
