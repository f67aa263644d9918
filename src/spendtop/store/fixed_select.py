"""Statements that give rows, compiled once and run through the driver: for a third of the work, many times a second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Connection, Dialect, Text, bindparam
from sqlalchemy.sql import ClauseElement

from spendtop.store.statements import tuples_of

_NAME = "one_of_"


class FixedSelect:
    """One statement as the driver takes it, with the values that do not change."""

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def run(self, connection: Connection, values: Mapping[str, object]) -> Sequence[Any]:
        """The rows for `values` by name."""
        return connection.exec_driver_sql(*self._with(connection.dialect, values)).all()

    def tuples(self, connection: Connection, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """The same rows without names for their columns, for half of the time."""
        return tuples_of(connection, *self._with(connection.dialect, values))

    def _with(self, dialect: Dialect, values: Mapping[str, object]) -> tuple[str, tuple[object, ...]]:
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = _compiled(self._statement, dialect)
        if compiled.constants:
            values = {**compiled.constants, **values}
        return compiled.sql, tuple([values[name] for name in compiled.names])


class _Compiled(NamedTuple):
    sql: str
    names: Sequence[str]
    constants: Mapping[str, object]


def _compiled(statement: ClauseElement, dialect: Dialect) -> _Compiled:
    compiled = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    return _Compiled(str(compiled), getattr(compiled, "positiontup", None) or (), compiled.params)


def size_for(texts: Sequence[str]) -> int:
    """For how many texts a statement is made that takes these: a power of two, so that there are few statements."""
    return 1 << (len(texts) - 1).bit_length()


def any_of(size: int) -> list[BindParameter[str]]:
    """What a column is compared with by `in_`."""
    return [bindparam(f"{_NAME}{number}", type_=Text()) for number in range(size)]


def named(texts: Sequence[str]) -> dict[str, object]:
    """The values of `any_of` for these texts, of which the last stands for those that are missing."""
    last = len(texts) - 1
    return {f"{_NAME}{number}": texts[min(number, last)] for number in range(size_for(texts))}
