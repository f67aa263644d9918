"""Single facts about the store, in the table `meta`."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, delete, select

from spendtop.store.fixed_select import FixedSelect
from spendtop.store.statements import insert_or_replace, table_of
from spendtop.store.tables import MetaTable

FIRST_START = "first start"
"""When a collector first started on the store, UTC µs."""
VERIFIED_FROM = "verified_from"
"""Start of the month of arrival (UTC µs) from which on requests are kept; what came before is in the totals only."""
_COMPLETE_SINCE = "complete since "
_BILLED_UNTIL, _SPLIT = "billed until ", "split of "
_IMPORTED = "imported "
_META = table_of(MetaTable)
_VALUE = FixedSelect(select(_META.c.value).where(_META.c.name == bindparam("name")))


def complete_since(poller: str) -> str:
    """The name of the fact from when on a poller has compared what it reads, UTC µs."""
    return _COMPLETE_SINCE + poller


def billed_until(account: str) -> str:
    """The name of the fact up to when an account's provider has billed, UTC µs; empty where it does not say."""
    return _BILLED_UNTIL + account


def split(account: str) -> str:
    """The name of the fact by what an account's days are split."""
    return _SPLIT + account


def imported_at(connection: Connection, source: str) -> int | None:
    """When files of a source were read last, UTC µs."""
    value = get(connection, _IMPORTED + source)
    return None if value is None else int(value)


def note_import(connection: Connection, source: str, at: int) -> None:
    put(connection, _IMPORTED + source, str(at))


def put(connection: Connection, name: str, value: str) -> None:
    insert_or_replace(MetaTable, connection.dialect).run_many(connection, [(name, value)])


def get(connection: Connection, name: str) -> str | None:
    """A fact, or None when it was never set."""
    found = _VALUE.tuples(connection, {"name": name})
    return str(found[0][0]) if found else None


def beginning(connection: Connection, with_: str) -> dict[str, str]:
    """Value by the rest of the name, of all facts whose names begin so."""
    rows = connection.execute(select(_META).where(_META.c.name.startswith(with_, autoescape=True)))
    return {row.name.removeprefix(with_): row.value for row in rows}


def drop(connection: Connection, name: str) -> None:
    connection.execute(delete(_META).where(_META.c.name == name))


def first_start(connection: Connection, now: int) -> int:
    """When a collector first started on this store, UTC µs; `now` where none ever did.

    What happened before is history, not something that was missed.
    """
    before = get(connection, FIRST_START)
    if before is not None:
        return int(before)
    put(connection, FIRST_START, str(now))
    return now
