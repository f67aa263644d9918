from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from spendtop.store.engine import Store
from spendtop.store.statements import insert_row, table_of
from spendtop.store.tables import RequestKeyTable, RequestTable
from tests.services.conftest import rows


@pytest.mark.parametrize("many", [1, 100])
def test_few_rows_and_many_arrive_alike(store: Store, many: int) -> None:
    keys = [(bytes([number]) * 16, number, None if number % 2 else b"\t\\N\n") for number in range(many)]
    with store.writing() as connection:
        insert_row(RequestKeyTable, connection.dialect).run_many(connection, keys)
    assert sorted((row.digest, row.request_id, row.content) for row in rows(store, RequestKeyTable)) == keys


@pytest.mark.parametrize(
    "given", [set(), {"model", "quantities", "latency_ms", "provider_usage"}, {"model", "ttft_ms"}]
)
def test_columns_without_any_value_are_as_empty_as_others(store: Store, given: set[str]) -> None:
    columns = {column.name: column for column in table_of(RequestTable).columns}
    least = {"INTEGER": 0, "BIGINT": 0, "TEXT": "", "BOOLEAN": False, "BLOB": b"", "BYTEA": b""}
    with store.writing() as connection:
        insert = insert_row(RequestTable, connection.dialect)
        kinds = {name: str(each.type.compile(connection.dialect)) for name, each in columns.items()}
        made = [
            {
                name: None if each.nullable and not (name in given and number == 99) else least[kinds[name]]
                for name, each in columns.items()
            }
            | {"id": number}
            for number in range(100)
        ]
        insert.run_many(connection, [tuple(row[name] for name in insert.names) for row in made])
        stored = [dict(row._mapping) for row in connection.execute(select(table_of(RequestTable)).order_by("id"))]
    assert stored == made


@pytest.mark.parametrize("many", [2, 100])
def test_a_row_that_is_there_is_refused_with_all_of_its_group(store: Store, many: int) -> None:
    keys = [(bytes([number // 2]) * 16, number, None) for number in range(many)]
    with pytest.raises(IntegrityError), store.writing() as connection:
        insert_row(RequestKeyTable, connection.dialect).run_many(connection, keys)
    assert rows(store, RequestKeyTable) == []
