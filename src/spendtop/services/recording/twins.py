"""Finding probable twins among requests of a group and of the store; each has one at most, the nearest in time."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace
from sqlalchemy import Connection, select

from spendtop.domain.reports.merging import StoredRequest
from spendtop.domain.reports.twins import LONGEST, WITHIN, Counts, Distance, counts, distance, spaces, span
from spendtop.domain.sources.records import SOURCES
from spendtop.services.recording.rows import from_row
from spendtop.store.statements import placeholder, table_of
from spendtop.store.tables import RequestTable

INDEXES = (
    "CREATE INDEX IF NOT EXISTS request_twin ON request (occurred_at) WHERE probable_twin_of IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS request_counts ON request (prompt_tokens, coalesce(completion_tokens, 0), occurred_at)"
    " WHERE prompt_tokens > 0",
)
_REQUEST = table_of(RequestTable)
_PER_QUERY = 200
_CROWD = 1_000
"""So many calls with equal counts are not loaded together: of a crowd, each call is compared with those next to it."""
_MOST_COMPARED = 32
"""Calls before and after one that it is compared with."""
_STRIDE = 16
"""Of a crowd that is recorded at once, each of so many looks around for all between them."""
_MOST_ROUNDS = 8


class Twins:
    """Who is whose twin, of the requests that were looked at."""

    def __init__(self, connection: Connection, touched: Mapping[int, StoredRequest]) -> None:
        self._connection = connection
        self._records = dict(touched)
        self._before = {id: record.probable_twin_of for id, record in touched.items()}
        self._by_counts: defaultdict[Counts, list[tuple[int, int]]] = defaultdict(list)
        """Start and id of calls with equal counts."""
        for record in touched.values():
            self._note(record)

    def pair(self, changed: Collection[int]) -> list[tuple[int | None, StoredRequest]]:
        """The requests whose twin is another one now, with the former one; those of `changed` look for it anew."""
        self._load(twin for id in changed if (twin := self._before[id]) is not None)
        for id in changed:
            self._part(id)
        seeking = [id for id, record in self._records.items() if record.probable_twin_of is None]
        for _ in range(_MOST_ROUNDS):
            seeking = [id for id in seeking if counts(self._records[id]) is not None]
            if not seeking:
                break
            self._load_around(seeking)
            seeking = [left for id in sorted(seeking) for left in self._seek(id)]
        return [
            (self._before[id], each) for id, each in self._records.items() if each.probable_twin_of != self._before[id]
        ]

    def _part(self, id: int) -> None:
        twin = self._records[id].probable_twin_of
        self._link(id, None)
        if twin in self._records and self._records[twin].probable_twin_of == id:
            self._link(twin, None)

    def _link(self, id: int, twin: int | None) -> None:
        self._records[id] = replace(self._records[id], probable_twin_of=twin)

    def _seek(self, id: int) -> Iterator[int]:
        """Pair a request with the nearest one that has no nearer twin; gives those that lose theirs so."""
        for apart, other in sorted(self._near(id)):
            if self._is_nearer(id, apart):
                return
            if self._is_nearer(other, apart):
                continue
            for one in (id, other):
                former = self._records[one].probable_twin_of
                if former in self._records:
                    self._link(former, None)
                    yield former
            self._link(id, other)
            self._link(other, id)
            return

    def _is_nearer(self, id: int, apart: Distance) -> bool:
        """Whether the twin that a request has is at least so near."""
        twin = self._records[id].probable_twin_of
        known = distance(self._records[id], self._records[twin]) if twin in self._records else None
        return known is not None and known <= apart

    def _near(self, id: int) -> Iterator[tuple[Distance, int]]:
        record = self._records[id]
        alike = self._by_counts[counts(record) or (0, 0)]
        place = bisect_left(alike, (span(record.request)[0], id))
        for _, other in alike[max(0, place - _MOST_COMPARED) : place + _MOST_COMPARED]:
            apart = distance(record, self._records[other])
            if apart is not None:
                yield apart, other

    def _note(self, record: StoredRequest) -> None:
        known = counts(record)
        if known is not None:
            self._by_counts[known].append((span(record.request)[0], record.id))

    def _add(self, rows: Iterable[StoredRequest]) -> None:
        for record in rows:
            if record.id not in self._records:
                self._records[record.id] = record
                self._before[record.id] = record.probable_twin_of
                self._note(record)

    def _load(self, ids: Iterable[int]) -> None:
        """What another collector changes right now is left alone, so that two of them never wait for each other."""
        wanted = sorted({id for id in ids if id not in self._records})
        for start in range(0, len(wanted), _PER_QUERY):
            part = _REQUEST.c.id.in_(wanted[start : start + _PER_QUERY])
            rows = self._connection.execute(select(_REQUEST).where(part).with_for_update(skip_locked=True))
            self._add(map(from_row, rows))

    def _load_around(self, seeking: Iterable[int]) -> None:
        """The calls with equal counts at the times of these, and their twins."""
        sought: defaultdict[frozenset[str], list[_Sought]] = defaultdict(list)
        for id in seeking:
            record = self._records[id]
            start, end = span(record.request)
            until = end + (end - start) + WITHIN  # where another source only knows when it heard of a call as long
            prompt, completion = counts(record) or (0, 0)
            sought[spaces(record)].append(
                _Sought(prompt, completion, start - LONGEST - WITHIN, until, record.request.occurred_at)
            )
        for known_to, wanted in sought.items():
            own = [name for name, source in SOURCES.items() if source.space in known_to]
            self._load(_with_counts(self._connection, wanted, own))
        self._load(twin for record in list(self._records.values()) if (twin := record.probable_twin_of) is not None)
        for alike in self._by_counts.values():
            alike.sort()


class _Sought(NamedTuple):
    """Calls with these counts between two times (UTC µs), around one that is at `at`."""

    prompt: int
    completion: int
    since: int
    until: int
    at: int


def _with_counts(connection: Connection, wanted: Sequence[_Sought], own: Sequence[str]) -> Iterable[int]:
    """Ids of the requests that are sought, without those of these sources; of a crowd only those next to each."""
    spans: defaultdict[Counts, list[tuple[int, int]]] = defaultdict(list)
    for each in wanted:
        spans[each.prompt, each.completion].append((each.since, each.until))
    rows = [(*counted, *part) for counted, parts in spans.items() for part in united(parts)]
    for start in range(0, len(rows), _PER_QUERY):
        some = rows[start : start + _PER_QUERY]
        found = _between(connection, some, own)
        if len(found) < _CROWD:
            yield from found
            continue
        for counted in {(prompt, completion) for prompt, completion, _, _ in some}:
            alike = sorted((each for each in wanted if (each.prompt, each.completion) == counted), key=lambda it: it.at)
            for each in (*alike[::_STRIDE], alike[-1]):
                yield from _next_to(connection, each, own)


def _between(connection: Connection, rows: Sequence[tuple[int, int, int, int]], own: Sequence[str]) -> Sequence[int]:
    """Ids of requests with counts of prompt and completion between two times each, at most a crowd of them."""
    mark = placeholder(connection.dialect)
    row = f"({', '.join([f'CAST({mark} AS bigint)'] * 4)})"
    sql = (
        f"WITH sought (prompt, completion, since, until) AS (VALUES {', '.join([row] * len(rows))})"
        " SELECT request.id FROM sought CROSS JOIN request WHERE request.prompt_tokens > 0"
        " AND request.prompt_tokens = sought.prompt AND coalesce(request.completion_tokens, 0) = sought.completion"
        f" AND request.occurred_at BETWEEN sought.since AND sought.until{_others(mark, own)} LIMIT {_CROWD}"
    )
    values = (*(value for each in rows for value in each), *own)
    return connection.exec_driver_sql(sql, values).scalars().all()


def _next_to(connection: Connection, sought: _Sought, own: Sequence[str]) -> Iterator[int]:
    """Ids of those before and after it, as many as it is compared with."""
    mark = placeholder(connection.dialect)
    for low, high, order in ((sought.since, sought.at, "DESC"), (sought.at + 1, sought.until, "ASC")):
        sql = (
            f"SELECT id FROM request WHERE prompt_tokens > 0 AND prompt_tokens = {mark}"
            f" AND coalesce(completion_tokens, 0) = {mark} AND occurred_at BETWEEN {mark} AND {mark}"
            f"{_others(mark, own)} ORDER BY occurred_at {order} LIMIT {_MOST_COMPARED}"
        )
        yield from connection.exec_driver_sql(sql, (sought.prompt, sought.completion, low, high, *own)).scalars()


def _others(mark: str, own: Sequence[str]) -> str:
    return f" AND request.source NOT IN ({', '.join([mark] * len(own))})" if own else ""


def united(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same times in spans that do not overlap."""
    united: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if united and start <= united[-1][1]:
            united[-1] = united[-1][0], max(end, united[-1][1])
        else:
            united.append((start, end))
    return united
