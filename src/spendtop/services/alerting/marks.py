"""Marks on limits, which commits leave: taken some of each limit in turn, and put back where nothing came of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, func, select, tuple_

from spendtop.services.alerting.postponed import Postponed
from spendtop.store.fixed_select import FixedSelect
from spendtop.store.statements import insert_into, table_of
from spendtop.store.tables import LimitMarkTable

_MARK = table_of(LimitMarkTable)
_NEXT = FixedSelect(select(func.min(_MARK.c.limit_name)).where(_MARK.c.limit_name > bindparam("after")))
_SOME = select(*_MARK.primary_key).where(_MARK.c.limit_name == bindparam("name")).order_by(*_MARK.primary_key)


def _taking(some: Select[Any]) -> Any:
    # Another collector's are left to it. Who marks again before our commit waits for that, and leaves a new mark. As a
    # subquery PostgreSQL may ask for them again and again, for others each time.
    free = some.limit(bindparam("most")).with_for_update(skip_locked=True).cte("free")
    return delete(_MARK).where(tuple_(*_MARK.primary_key).in_(select(free))).returning(_MARK)


_TAKEN = FixedSelect(_taking(_SOME))


class Marks:
    """Those that are due: what is postponed stays where it is."""

    def __init__(self, postponed: Postponed) -> None:
        self._postponed = postponed
        self._served = ""
        """The limit whose marks were taken last; the one behind it is next."""

    def take(self, connection: Connection, now: int, most: Callable[[], int]) -> Iterator[tuple[str, Sequence[Any]]]:
        """Some marks of each limit in turn, as many as `most` says, until none are left that nobody else holds."""
        some_left = True
        while some_left:
            some_left = self._served != ""
            while (name := self._next(connection, now)) is not None:
                self._served, at_once = name, most()
                for marks in map(sorted, self._taken(connection, name, at_once, now)):
                    some_left |= len(marks) == at_once
                    if marks:
                        yield name, marks
            self._served = ""

    def are_due(self, connection: Connection, now: int) -> bool:
        """Whether there are any that nobody has evaluated yet."""
        waiting = self._postponed.entities(now)
        if not waiting:
            return bool(connection.exec_driver_sql("SELECT EXISTS (SELECT 1 FROM limit_mark)").scalar())
        due = select(_MARK.c.limit_name).where(
            _MARK.c.limit_name.not_in(self._postponed.rules(now)),
            tuple_(_MARK.c.limit_name, _MARK.c.entity).not_in(waiting),
        )
        return connection.execute(due.limit(1)).first() is not None

    def _next(self, connection: Connection, now: int) -> str | None:
        """The first limit behind the one that was served, by name, that does not wait as a whole."""
        waiting, after = self._postponed.rules(now), self._served
        while True:
            ((name,),) = _NEXT.tuples(connection, {"after": after})
            if name is None or name not in waiting:
                return None if name is None else str(name)
            after = name

    def _taken(self, connection: Connection, name: str, most: int, now: int) -> Iterator[Sequence[Any]]:
        """Those who failed before come last: else the limit would wait for them each time before the others' turn."""
        values, failed = {"name": name, "most": most}, self._postponed.failed(name)
        if not failed:
            yield _TAKEN.run(connection, values)
            return
        sound = connection.execute(_taking(_SOME.where(_MARK.c.entity.not_in(failed))), values).all()
        yield sound
        if len(sound) < most:
            waiting = [entity for limit, entity in self._postponed.entities(now) if limit == name]
            yield connection.execute(_taking(_SOME.where(_MARK.c.entity.not_in(waiting))), values).all()


def put_back(connection: Connection, marks: Sequence[Any]) -> None:
    """Leave marks as they were before they were taken in the same transaction."""
    marking = insert_into(_MARK, connection.dialect).on_conflict_do_nothing()
    connection.execute(marking, [mark._asdict() for mark in marks])
