"""Finding requests by the provider's response id or by their counts, once a second kind of source is active."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from hashlib import blake2b

from sqlalchemy import Connection, Transaction, select, text

from spendtop.domain.reports.merging import StoredRequest
from spendtop.domain.reports.values import WITHIN, CallValue, value_of
from spendtop.domain.requests.request import Request
from spendtop.services.recording import twins
from spendtop.services.recording.equal_calls import calls_of
from spendtop.services.recording.rows import from_row
from spendtop.store import facts
from spendtop.store.statements import cursor_of, insert_or_ignore, table_of
from spendtop.store.tables import MetaTable, RequestTable

_SPACES = "source spaces"
_INDEX = "CREATE INDEX IF NOT EXISTS request_response ON request (response_id) WHERE response_id IS NOT NULL"
_IS_THERE = {
    "sqlite": "SELECT count(*) FROM sqlite_master WHERE name = 'request_counts'",
    "postgresql": "SELECT count(to_regclass('request_counts'))",
}
_IDS_PER_QUERY = 500
_AROUND = 5 * WITHIN
"""How far around a call those are looked for that may be nearer to what it is near to."""
_LOCKS = 256
_LOCK_CLASS = 0x5350

_REQUEST = table_of(RequestTable)


class Joining:
    """Joining is off, and costs next to nothing, while all requests come from one kind of source."""

    def __init__(self) -> None:
        self._seen: frozenset[str] = frozenset()
        """Kinds of source of which a committed transaction took note."""
        self._noting: Transaction | None = None
        """The last transaction that took note of a kind of source; it may be rolled back."""
        self._makes_searchable: Transaction | None = None
        self._is_searchable = False
        """Whether twins can be searched for, and a committed transaction saw to that."""

    def is_active(self, connection: Connection, spaces: AbstractSet[str]) -> bool:
        """Take note of which kinds of source report, and say whether there is more than one.

        The second one ever makes response ids and counts searchable, which takes a few seconds for a million stored
        requests, once in a store's life. On PostgreSQL collectors that found a single kind commit before another is
        taken note of, so that no request is missed.
        """
        is_seen = self._seen.issuperset(spaces)
        if is_seen and len(self._seen) > 1 and self._is_searchable:
            return True
        # Kinds are only ever added: whoever starts while others record needs no lock that these would wait for.
        is_noted = is_seen or _read(connection, "").issuperset(spaces)
        seen = _read(connection, "FOR SHARE") if is_noted else self._note(connection, spaces)
        if connection.get_transaction() is not self._noting:
            self._seen = seen
        if len(seen) > 1 and not self._is_searchable:
            self._make_searchable(connection)
        return len(seen) > 1

    def _make_searchable(self, connection: Connection) -> None:
        """Have the indexes of twins, which stores do not have in which an older version joined requests."""
        transaction = connection.get_transaction()
        if connection.execute(text(_IS_THERE[connection.dialect.name])).scalar():
            self._is_searchable = transaction is not self._makes_searchable
            return
        self._makes_searchable = transaction
        for index in twins.INDEXES:
            connection.execute(text(index))

    def _note(self, connection: Connection, spaces: AbstractSet[str]) -> frozenset[str]:
        insert_or_ignore(MetaTable, connection.dialect).run_many(connection, [(_SPACES, "")])
        seen = _read(connection, "FOR UPDATE")
        if seen.issuperset(spaces):
            return seen
        seen |= spaces
        facts.put(connection, _SPACES, " ".join(sorted(seen)))
        if len(seen) > 1:
            connection.execute(text(_INDEX))
        self._noting = connection.get_transaction()
        return seen

    def candidates(self, connection: Connection, reports: Iterable[Request]) -> list[StoredRequest]:
        """Stored requests with the response ids of reports, or with counts of calls that are known by these. On
        PostgreSQL other collectors wait with the same ones until the commit."""
        reports = list(reports)
        response_ids = sorted({each.response_id for each in reports if each.response_id is not None})
        valued: defaultdict[CallValue, set[int]] = defaultdict(set)
        for each in reports:
            if (value := value_of(each)) is not None:
                valued[value].add(each.occurred_at)
        if connection.dialect.name == "postgresql" and (response_ids or valued):
            _lock(connection, [*response_ids, *map(str, valued)])
        records: list[StoredRequest] = []
        for start in range(0, len(response_ids), _IDS_PER_QUERY):
            part = _REQUEST.c.response_id.in_(response_ids[start : start + _IDS_PER_QUERY])
            having = select(_REQUEST).where(part).order_by(_REQUEST.c.id)
            records += map(from_row, connection.execute(having.with_for_update()))
        return records + calls_of(connection, valued, _AROUND)


def _read(connection: Connection, lock: str) -> frozenset[str]:
    """The kinds of source seen so far; `lock` counts on PostgreSQL, where others may learn of more meanwhile."""
    lock = lock if connection.dialect.name == "postgresql" else ""
    row = cursor_of(connection, f"SELECT value FROM meta WHERE name = '{_SPACES}' {lock}").fetchone()
    return frozenset() if row is None else frozenset(row[0].split())


def _lock(connection: Connection, response_ids: Iterable[str]) -> None:
    numbers = sorted({blake2b(each.encode(), digest_size=1).digest()[0] % _LOCKS for each in response_ids})
    connection.execute(
        text("SELECT pg_advisory_xact_lock(:class, number) FROM unnest(CAST(:numbers AS int[])) AS number"),
        {"class": _LOCK_CLASS, "numbers": numbers},
    )
