"""Everything about one request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from spendtop.domain.request import Source
from spendtop.store import bodies
from spendtop.store.ids import identity
from spendtop.store.reads.rows import RequestRow, from_row
from spendtop.store.statements import table_of
from spendtop.store.tables import BodyTable, RequestKeyTable, RequestTable, RevisionTable


@dataclass(frozen=True, slots=True)
class Revision:
    """What a later report changed: field name to (old, new)."""

    at: int
    source: str
    changes: dict[str, tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class RequestDetail:
    """One request with its bodies as stored (redacted JSON), or None where they are not kept."""

    row: RequestRow
    request_body: bytes | None
    response_body: bytes | None
    revisions: tuple[Revision, ...]
    """Oldest first."""


def detail(connection: Connection, request_id: int) -> RequestDetail | None:
    """One request, or None when the store does not have it (any more).

    Raises StoreCorrupt when its bodies cannot be unpacked.
    """
    request, body, revision = table_of(RequestTable), table_of(BodyTable), table_of(RevisionTable)
    row = connection.execute(select(request).where(request.c.id == request_id)).one_or_none()
    if row is None:
        return None
    data = connection.execute(select(body.c.data).where(body.c.request_id == request_id)).scalar()
    sent, received = (None, None) if data is None else bodies.decode(data)
    revisions = connection.execute(
        select(revision).where(revision.c.request_id == request_id).order_by(revision.c.at, revision.c.id)
    )
    return RequestDetail(from_row(row), sent, received, tuple(map(_revision, revisions)))


def find_external(connection: Connection, external_id: str) -> int | None:
    """Our id of the request to which a source gave this id, the most trusted source first."""
    key = table_of(RequestKeyTable)
    digests = [identity(source, external_id) for source in Source]
    found = connection.execute(select(key.c.digest, key.c.request_id).where(key.c.digest.in_(digests)))
    by_digest = {bytes(row.digest): int(row.request_id) for row in found}
    return next((by_digest[digest] for digest in digests if digest in by_digest), None)


def _revision(row: Any) -> Revision:
    changes = {field: (old, new) for field, (old, new) in json.loads(row.changes).items()}
    return Revision(row.at, row.source, changes)
