"""Transactions as an event loop awaits them: reads in a thread, writes in their turn at the single writer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from spendtop.store.engine import Store, named

T = TypeVar("T")


class WriteQueue(Protocol):
    """Runs write transactions one after the other: the writer, or the recorder in front of it."""

    def run(self, work: Callable[[Connection], T]) -> Future[T]:
        """The result of `work` once its transaction is committed."""
        ...


class OwnTransactions:
    """Write transactions in a thread and on a connection of their own, beside the writer. For PostgreSQL alone, as a
    SQLite file has one writer at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._thread = ThreadPoolExecutor(1, "beside the writer")

    def run(self, work: Callable[[Connection], T]) -> Future[T]:
        """The result of `work` once its transaction is committed; raises what `named` makes of failures."""
        return self._thread.submit(self._done, work)

    def _done(self, work: Callable[[Connection], T]) -> T:
        with named(self._store), self._store.writing() as connection:
            return work(connection)


async def read(store: Store, question: Callable[[Connection], T]) -> T:
    """The answer; raises what `named` makes of the database's failures."""
    return await asyncio.to_thread(_answered, store, question)


async def write(queue: WriteQueue, work: Callable[[Connection], T]) -> T:
    """The result of `work` once its transaction, its own, is committed; raises what it raises."""
    return await asyncio.wrap_future(queue.run(work))


def _answered(store: Store, question: Callable[[Connection], T]) -> T:
    with named(store), store.reading() as connection:
        return question(connection)
