"""Everything about one request."""

from __future__ import annotations

import json
import re
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, select

from spendtop.domain.discreet import Discreet
from spendtop.domain.usage import contradiction
from spendtop.store import bodies, dictionaries
from spendtop.store.reads.requests.identities import known_as
from spendtop.store.reads.rows import RequestRow, from_row, selected
from spendtop.store.statements import table_of
from spendtop.store.tables import BodyTable, RequestTable, RevisionTable

_OURS = re.compile(r"\d{1,19}", re.ASCII)
_LARGEST_ID = 2**63 - 1


class Revision(Struct, frozen=True):
    """What a later report changed: field name to (old, new)."""

    at: int
    source: str
    changes: dict[str, tuple[Any, Any]]
    refused: dict[str, tuple[Any, Any]]
    """What it said against an earlier one of the same source, and what was not taken: field name to (kept, said)."""


class RequestDetail(Discreet, frozen=True):
    """One request with its bodies as stored (redacted JSON), or None where they are not kept."""

    row: RequestRow
    request_body: bytes | None
    response_body: bytes | None
    revisions: tuple[Revision, ...]
    """Oldest first."""
    twin_source: str | None = None
    """The most trusted source of its probable twin, where that is still there."""
    contradiction: str | None = None
    """Why its counts cannot be true together, where that is why its cost is not known."""


def detail(connection: Connection, request_id: int) -> RequestDetail | None:
    """One request, or None when the store does not have it (any more).

    Raises StoreCorrupt when its bodies cannot be unpacked.
    """
    request, body, revision = table_of(RequestTable), table_of(BodyTable), table_of(RevisionTable)
    row = connection.execute(select(*selected()).where(request.c.id == request_id)).one_or_none()
    if row is None:
        return None
    data = connection.execute(select(body.c.data).where(body.c.request_id == request_id)).scalar()
    dictionaries.learn_all(connection)
    sent, received = (None, None) if data is None else bodies.decode(data)
    revisions = connection.execute(
        select(revision).where(revision.c.request_id == request_id).order_by(revision.c.at, revision.c.id)
    )
    known = from_row(row)
    twin = select(request.c.source).where(request.c.id == known.probable_twin_of)
    return RequestDetail(
        row=known,
        request_body=sent,
        response_body=received,
        revisions=tuple(map(_revision, revisions)),
        twin_source=None if known.probable_twin_of is None else connection.execute(twin).scalar(),
        contradiction=contradiction(known.usage) if known.cost.amount is None else None,
    )


def find(connection: Connection, reference: str) -> RequestDetail | None:
    """One request by our id or by one that a source gave it, the most trusted source first; None for an unknown one.

    Raises what `detail` raises.
    """
    ours = [int(reference)] if _OURS.fullmatch(reference) and int(reference) <= _LARGEST_ID else []
    candidates = (detail(connection, request_id) for request_id in [*ours, *known_as(connection, reference)])
    return next((one for one in candidates if one is not None), None)


def _revision(row: Any) -> Revision:
    changes: dict[str, tuple[Any, Any]] = {}
    refused: dict[str, tuple[Any, Any]] = {}
    for field, (old, new, *rest) in json.loads(row.changes).items():
        (refused if rest else changes)[field] = (old, new)
    return Revision(row.at, row.source, changes, refused)
