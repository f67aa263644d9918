"""The newest events of one source: requests as they were read, and what was set aside as it came."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from spendtop.domain.errors import StoreCorrupt
from spendtop.domain.filters.filters import FilterContext, parse_filter
from spendtop.domain.untrusted import Untrusted
from spendtop.store import bodies
from spendtop.store.reads.requests.lists import RequestQuery, page
from spendtop.store.reads.rows import RequestRow
from spendtop.store.reads.sources.quarantine import QuarantineRow, quarantine_row
from spendtop.store.statements import table_of
from spendtop.store.tables import QuarantineTable

_SHOWN = 4_000
"""Characters of an event."""


@dataclass(frozen=True, slots=True)
class EventAside:
    """An event that is not counted."""

    event: QuarantineRow
    raw: Untrusted | None
    """The beginning of its body, without the secrets that were recognised; None where it is not kept."""


@dataclass(frozen=True, slots=True)
class DoorEvents:
    """Both the newest first."""

    requests: tuple[RequestRow, ...]
    set_aside: tuple[EventAside, ...]


def door_events(
    connection: Connection, source: str, context: FilterContext, most_requests: int, most_aside: int
) -> DoorEvents:
    """Of one source by its name."""
    query = RequestQuery(filter=parse_filter(f"source:{source}"))
    event = table_of(QuarantineTable)
    aside = select(event).where(event.c.source == source).order_by(event.c.id.desc()).limit(most_aside)
    return DoorEvents(
        page(connection, query, context, None, most_requests).rows,
        tuple(EventAside(quarantine_row(row), _beginning(row.raw)) for row in connection.execute(aside)),
    )


def _beginning(raw: bytes | None) -> Untrusted | None:
    if raw is None:
        return None
    try:
        body = bodies.decode(raw)[0]
    except StoreCorrupt as damage:
        return Untrusted(str(damage))
    return None if body is None else Untrusted(body[: 4 * _SHOWN].decode("utf-8", "replace")[:_SHOWN])
