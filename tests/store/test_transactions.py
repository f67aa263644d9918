from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from spendtop.domain.errors import StoreCorrupt
from spendtop.store import facts
from spendtop.store.engine import Store
from spendtop.store.transactions import OwnTransactions, read, write
from spendtop.store.writer import Writer


@pytest.fixture
def writer(store: Store) -> Iterator[Writer[None, None]]:
    made: Writer[None, None] = Writer(store, lambda connection, events: [])
    made.start()
    yield made
    made.stop()


def put(connection: Connection) -> str:
    facts.put(connection, "colour", "green")
    return threading.current_thread().name


async def test_what_is_written_is_committed_by_the_writer_and_read_in_a_thread(
    store: Store, writer: Writer[None, None]
) -> None:
    readers: list[threading.Thread] = []

    def colour(connection: Connection) -> str | None:
        readers.append(threading.current_thread())
        return facts.get(connection, "colour")

    assert await write(writer, put) == "writer"
    assert await read(store, colour) == "green"
    assert threading.main_thread() not in readers


async def test_a_write_that_fails_raises_and_leaves_nothing(store: Store, writer: Writer[None, None]) -> None:
    def fail(connection: Connection) -> None:
        facts.put(connection, "shape", "round")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await write(writer, fail)
    assert await read(store, lambda connection: facts.get(connection, "shape")) is None


async def test_what_is_written_beside_the_writer_waits_for_none_of_its_transactions(postgres_store: Store) -> None:
    beside = OwnTransactions(postgres_store)
    with postgres_store.writing() as connection:
        facts.put(connection, "shape", "round")
        assert (await write(beside, put)).startswith("beside the writer")
        assert await read(postgres_store, lambda reader: facts.get(reader, "colour")) == "green"
    with pytest.raises(StoreCorrupt):
        await write(beside, lambda other: other.execute(text("SELECT 1 FROM nowhere")))
