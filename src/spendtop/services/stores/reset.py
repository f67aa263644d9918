"""Starting anew: the usage goes, after a backup; what keeps duplicates and clients in order stays."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct
from sqlalchemy import Connection, delete, func, or_, select, text

from spendtop.domain.clock import to_datetime
from spendtop.domain.errors import CannotCreate
from spendtop.domain.sources.records import AGENTS, OTLP
from spendtop.store.backup import back_up
from spendtop.store.engine import Store
from spendtop.store.new_file import new_file
from spendtop.store.statements import table_of
from spendtop.store.tables import (
    AlertActionTable,
    AlertTable,
    AlertTransitionTable,
    BodyTable,
    DayTotalTable,
    DeliveryAlertTable,
    DeliveryAttemptTable,
    DeliveryTable,
    DictionaryTable,
    HeldAnnouncementTable,
    LimitMarkTable,
    RepriceChangeTable,
    RepriceTable,
    RequestKeyTable,
    RequestTable,
    RevisionTable,
    TotalTable,
)

_USAGE = (
    BodyTable,
    DictionaryTable,
    RevisionTable,
    RepriceChangeTable,
    RepriceTable,
    TotalTable,
    DayTotalTable,
    LimitMarkTable,
    RequestTable,
)
_ALERTS = (
    DeliveryAttemptTable,
    DeliveryAlertTable,
    DeliveryTable,
    HeldAnnouncementTable,
    AlertActionTable,
    AlertTransitionTable,
    AlertTable,
)


class Reset(Struct, frozen=True):
    deleted: int
    """Requests."""
    backup: Path


def reset(store: Store, connection: Connection, folder: Path, now: int) -> Reset:
    """Back the store up into `folder`, then delete requests, totals and alerts. Keys, tokens and settings stay, so a
    request that comes again is still a duplicate. Of coding agents' calls that nobody else reported the keys go, too:
    their files are not read again by themselves, and when somebody asks for it all is there once more.

    Nothing is recorded between the two. Raises what `backup` raises; then nothing is gone.
    """
    tables = [table_of(each) for each in (*_USAGE, *_ALERTS)]
    if not store.is_sqlite:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        names = ", ".join(f'"{table.name}"' for table in tables)
        connection.execute(text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))
    written = backup(store, folder, now)
    _forget_agents(connection)
    deleted = connection.execute(select(func.count()).select_from(table_of(RequestTable))).scalar_one()
    for table in tables:
        connection.execute(delete(table))
    return Reset(deleted, written)


def _forget_agents(connection: Connection) -> None:
    """Delete the keys of calls that only agents' files and their telemetry tell of."""
    request, key = table_of(RequestTable), table_of(RequestKeyTable)
    names = [agent.name for agent in AGENTS]
    by_files = or_(*(("," + request.c.sources + ",").contains(f",{name},") for name in names))
    of_agents = select(request.c.id).where(request.c.source.in_([*names, OTLP.name]), by_files)
    connection.execute(delete(key).where(key.c.request_id.in_(of_agents)))


def backup(store: Store, folder: Path, now: int) -> Path:
    """Write a backup of what is committed into `folder`, named by the instant; returns its path.

    Raises CannotCreate or CannotWrite, and StoreCorrupt for a damaged store.
    """
    path = folder / f"spendtop-{to_datetime(now):%Y%m%dT%H%M%S.%fZ}.db"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as failure:
        raise CannotCreate(f"The folder {folder} cannot be made: {failure.strerror}. Make it, and try again.") from None
    with new_file(path) as part:
        back_up(store, part, lambda share: None)
    return path
