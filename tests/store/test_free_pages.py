"""Room that is free in a SQLite file goes back to the disk, in steps."""

from __future__ import annotations

from sqlalchemy import Connection, text

from spendtop.store.engine import Store
from spendtop.store.free_pages import give_back_some


def pages(connection: Connection) -> int:
    return int(connection.execute(text("PRAGMA page_count")).scalar_one())


def test_a_step_gives_back_as_much_as_is_asked_for_and_the_last_one_leaves_a_twentieth(sqlite_store: Store) -> None:
    with sqlite_store.writing() as connection:
        connection.execute(text("CREATE TABLE filling (data)"))
        connection.execute(text("INSERT INTO filling VALUES (zeroblob(4000000))"))
        connection.execute(text("DROP TABLE filling"))
    sizes, more = [], True
    while more:
        with sqlite_store.writing() as connection:
            sizes.append(pages(connection))
            more = give_back_some(connection, most=200)
    with sqlite_store.writing() as connection:
        sizes.append(pages(connection))
        free = connection.execute(text("PRAGMA freelist_count")).scalar_one()
        assert 0 < free <= sizes[0] // 20
    assert sizes[0] - sizes[1] == sizes[1] - sizes[2] == 200
    assert len(sizes) == 4 and sizes[3] < sizes[2]
    sqlite_store.checkpoint()
    assert sqlite_store.path is not None and sqlite_store.path.stat().st_size == sizes[3] * 8192
    sqlite_store.close()
