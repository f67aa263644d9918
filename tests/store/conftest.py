"""Requests in a store, written by the recording transaction itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import delete
from sqlmodel import SQLModel

from spendtop.domain.limits.limit import Limit
from spendtop.domain.money import Usd
from spendtop.domain.pricing.pricer import Pricer
from spendtop.domain.requests.request import Basis, Cost, Request, TimeSource
from spendtop.domain.sources.records import HELICONE
from spendtop.domain.windows import Calendar
from spendtop.services.limits.limit_book import LimitBook
from spendtop.services.recording.preparation import Prepared
from spendtop.services.recording.transaction import Recording
from spendtop.store import bodies
from spendtop.store.engine import Store
from spendtop.store.ids import RequestIds, identity
from spendtop.store.statements import table_of
from spendtop.store.tables import BodyTable, RequestTable


class Recorded:
    """Puts requests into a store as a collector does, and takes them out again."""

    def __init__(self, store: Store, slot: int = 3) -> None:
        self.store = store
        self._ids = RequestIds(slot)
        self._numbers = count(1)

    def request(self, occurred_at: int, cost: int | None = 1_000, **fields: Any) -> Request:
        """A request with an id of its own; `cost` in nano-USD."""
        amount = None if cost is None else Usd(cost)
        values: dict[str, Any] = {
            "source": HELICONE,
            "external_id": f"external-{next(self._numbers)}",
            "received_at": occurred_at,
            "occurred_at": occurred_at,
            "time_source": TimeSource.CLIENT,
            "cost": Cost(amount=amount, basis=Basis.UNKNOWN if amount is None else Basis.REPORTED, reported=amount),
        }
        return Request(**{**values, **fields})

    def add(
        self, requests: Iterable[Request], limits: Sequence[Limit] = (), dictionary: int | None = None
    ) -> list[int]:
        """Record them in one transaction under these limits, their bodies packed by a dictionary; their ids."""
        pricer = Pricer({}, None, lambda provider, model, terms, at: None)
        book = LimitBook(limits, Calendar(), {})
        recording = Recording(self.store.write_engine.dialect, self._ids, book, pricer.cost)
        with self.store.writing() as connection:
            return [
                outcome.id
                for outcome in recording.record(connection, [_prepared(each, dictionary) for each in requests])
            ]

    def clear_requests(self) -> None:
        """Take requests and bodies out."""
        with self.store.writing() as connection:
            for table in (table_of(BodyTable), table_of(RequestTable)):
                connection.execute(delete(table))

    def clear(self) -> None:
        """Empty all tables."""
        with self.store.writing() as connection:
            for table in SQLModel.metadata.sorted_tables:
                connection.execute(delete(table))


def _prepared(request: Request, dictionary: int | None) -> Prepared:
    has_body = request.request_body is not None or request.response_body is not None
    body = bodies.encode(request.request_body, request.response_body, dictionary) if has_body else None
    digest = identity(request.source, request.external_id, request.scope)
    return Prepared(digest, replace(request, request_body=None, response_body=None), body)


@pytest.fixture
def recorded(store: Store) -> Recorded:
    """Requests on both databases."""
    return Recorded(store)
