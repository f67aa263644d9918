"""What sources sent that was not read or not taken: counted by name, so many names of each source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, func, select, update

from spendtop.domain.sources.remarks import Remark
from spendtop.store.statements import insert_or_ignore, table_of
from spendtop.store.tables import RemarkTable

MOST_NAMES = 200
"""Of one source; what has further ones is counted as `others`."""
_OTHERS = "others"
_REMARK = table_of(RemarkTable)


def note(connection: Connection, remarks: Mapping[str, Iterable[Remark]], now: int) -> None:
    """Count remarks, by the name of their source, within the open transaction."""
    for source in sorted(remarks):
        room = MOST_NAMES - _names_of(connection, source)
        for each in sorted(remarks[source], key=lambda each: (each.kind, each.name)):
            if _counted(connection, source, each.kind, each.name, each.count, now):
                continue
            name = each.name if room > 0 else _OTHERS
            if name != each.name and _counted(connection, source, each.kind, name, each.count, now):
                continue
            row = (source, each.kind.value, name, each.reason, 0, now, now)
            insert_or_ignore(RemarkTable, connection.dialect).run_many(connection, [row])
            _counted(connection, source, each.kind, name, each.count, now)
            room -= 1


def _counted(connection: Connection, source: str, kind: str, name: str, count: int, now: int) -> bool:
    """Whether there is a row of the name, which then counts more."""
    this = (_REMARK.c.source == source, _REMARK.c.kind == str(kind), _REMARK.c.name == name)
    counted = connection.execute(update(_REMARK).where(*this).values(count=_REMARK.c.count + count, last_at=now))
    return bool(counted.rowcount)


def _names_of(connection: Connection, source: str) -> int:
    named = select(func.count()).select_from(_REMARK).where(_REMARK.c.source == source)
    return int(connection.execute(named).scalar() or 0)
