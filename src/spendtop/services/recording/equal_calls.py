"""Finding stored calls by their value, also where a home has very many with equal counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, select

from spendtop.domain.reports.merging import StoredRequest
from spendtop.domain.reports.values import CallValue
from spendtop.domain.sources.records import OTLP
from spendtop.services.recording.rows import from_row
from spendtop.services.recording.twins import united
from spendtop.store.statements import placeholder, table_of
from spendtop.store.tables import RequestTable

_PER_QUERY = 100
_MOST = 64
"""Calls of one value and time that are loaded: so many tell nothing (see `alike.MOST`)."""
_REQUEST = table_of(RequestTable)
_TYPES = ("bigint", "text", "text", "bigint", "bigint", "bigint", "bigint", "bigint", "bigint")
_IDS = """
WITH sought (place, agent, session, prompt, completion, cached, reasoning, since, until) AS (VALUES {rows}),
alike AS (
    SELECT request.id, request.sources <> request.source AS is_joined,
        row_number() OVER (PARTITION BY sought.place, request.sources <> request.source ORDER BY request.id) AS number
    FROM sought CROSS JOIN request
    WHERE request.prompt_tokens > 0 AND request.prompt_tokens = sought.prompt
        AND coalesce(request.completion_tokens, 0) = sought.completion
        AND request.occurred_at BETWEEN sought.since AND sought.until
        AND (
            request.sources <> request.source
            OR request.source IN (sought.agent, '{telemetry}') AND request.session_id = sought.session
            AND coalesce(request.cached_tokens, 0) = sought.cached
            AND coalesce(request.reasoning_tokens, 0) = sought.reasoning
        )
)
SELECT DISTINCT id FROM alike WHERE is_joined OR number <= {most} ORDER BY id
"""


def calls_of(connection: Connection, times: Mapping[CallValue, Iterable[int]], around: int) -> list[StoredRequest]:
    """Requests that may have these values, within `around` of one of their times (UTC µs). What several sources
    reported is found by its counts alone, as each of them may have said something else."""
    sought = [
        (value.agent, value.session, value.prompt, value.completion, value.cache_read, value.reasoning, *span)
        for value in sorted(times, key=str)
        for span in united((at - around, at + around) for at in times[value])
    ]
    ids = {
        id for start in range(0, len(sought), _PER_QUERY) for id in _ids(connection, sought[start : start + _PER_QUERY])
    }
    records: list[StoredRequest] = []
    for start in range(0, len(ids), _PER_QUERY):
        part = _REQUEST.c.id.in_(sorted(ids)[start : start + _PER_QUERY])
        query = select(_REQUEST).where(part).order_by(_REQUEST.c.id).with_for_update()
        records += map(from_row, connection.execute(query))
    return records


def _ids(connection: Connection, sought: Sequence[tuple[str | int, ...]]) -> Iterable[int]:
    mark = placeholder(connection.dialect)
    row = f"({', '.join(f'CAST({mark} AS {kind})' for kind in _TYPES)})"
    sql = _IDS.format(rows=", ".join([row] * len(sought)), telemetry=OTLP.name, most=_MOST)
    values = [value for place, each in enumerate(sought) for value in (place, *each)]
    return connection.exec_driver_sql(sql, tuple(values)).scalars()
