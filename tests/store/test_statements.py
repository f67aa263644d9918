from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from spendtop.store.engine import Store
from spendtop.store.statements import insert_row
from spendtop.store.tables import RequestKeyTable
from tests.services.conftest import rows


@pytest.mark.parametrize("many", [1, 100])
def test_few_rows_and_many_arrive_alike(store: Store, many: int) -> None:
    keys = [(bytes([number]) * 16, number, None if number % 2 else b"\t\\N\n") for number in range(many)]
    with store.writing() as connection:
        insert_row(RequestKeyTable, connection.dialect).run_many(connection, keys)
    assert sorted((row.digest, row.request_id, row.content) for row in rows(store, RequestKeyTable)) == keys


@pytest.mark.parametrize("many", [2, 100])
def test_a_row_that_is_there_is_refused_with_all_of_its_group(store: Store, many: int) -> None:
    keys = [(bytes([number // 2]) * 16, number, None) for number in range(many)]
    with pytest.raises(IntegrityError), store.writing() as connection:
        insert_row(RequestKeyTable, connection.dialect).run_many(connection, keys)
    assert rows(store, RequestKeyTable) == []
