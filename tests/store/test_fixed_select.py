"""Statements that are compiled once say what they say in SQLAlchemy's own way."""

from __future__ import annotations

import pytest
from sqlalchemy import bindparam, select, text
from sqlalchemy.exc import DBAPIError

from spendtop.store import facts
from spendtop.store.engine import Store
from spendtop.store.fixed_select import FixedSelect, any_of, named, size_for
from spendtop.store.statements import table_of
from spendtop.store.tables import MetaTable

_META = table_of(MetaTable)
_NAMED_SO = select(_META.c.name).where(_META.c.name.in_(any_of(2)), _META.c.value != "100 %")
_NAMES = [f"name {number}" for number in range(5)]


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_takes_as_many_names_as_there_are_and_its_other_values(store: Store, count: int) -> None:
    asked = _NAMES[:count]
    statement = select(_META.c.name).where(
        _META.c.name.in_(any_of(size_for(asked))), _META.c.value >= bindparam("least"), _META.c.value != "100%"
    )
    query = FixedSelect(statement.order_by(_META.c.name))
    with store.writing() as connection:
        for number, name in enumerate(_NAMES):
            facts.put(connection, name, str(number))
        for least in (0, 1):
            rows = query.run(connection, {**named(asked), "least": str(least)})
            assert [row.name for row in rows] == asked[least:]
            assert query.tuples(connection, {**named(asked), "least": str(least)}) == [
                (name,) for name in asked[least:]
            ]


def test_statements_are_for_powers_of_two() -> None:
    assert [size_for(_NAMES[:count]) for count in (1, 2, 3, 4, 5)] == [1, 2, 4, 4, 8]
    assert list(named(_NAMES[:3]).values()) == ["name 0", "name 1", "name 2", "name 2"]


def test_any_text_is_a_value_whether_it_changes_or_not(store: Store) -> None:
    changing = FixedSelect(_NAMED_SO)
    with store.writing() as connection:
        facts.put(connection, "something", "else")
        for some in ("%", "%s", "%(name)s", "?", ":least", "'", '"', "\\", "é𝄞", "", "NULL", "x' OR '1'='1"):
            facts.put(connection, some, "100%")
            is_text = (_META.c.name == some, _META.c.name.in_([some, "other"]), _META.c.value.is_not(None))
            fixed = FixedSelect(select(_META).where(*is_text))
            assert [row.name for row in fixed.run(connection, {})] == [some]
            assert fixed.tuples(connection, {}) == [(some, "100%")]
            for asked in ([some, "absent"], ["absent", some]):
                assert [row.name for row in changing.run(connection, named(asked))] == [some]


def test_a_failure_of_the_driver_comes_as_sqlalchemy_raises_it(store: Store) -> None:
    with store.reading() as connection, pytest.raises(DBAPIError):
        FixedSelect(text("SELECT 1 FROM nothing_of_this_name")).tuples(connection, {})
