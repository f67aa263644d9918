"""Finding requests by the ids that sources gave them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, select

from spendtop.domain.requests.request import FAILED_TRY
from spendtop.domain.sources.records import by_trust
from spendtop.store.ids import former_identity, identity
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestKeyTable, RequestTable, TokenTable, TotalTable

_BY_TOKEN = ("token", "shadow")
"""Dimensions of the totals whose keys are tracking tokens."""
_PER_QUERY = 500
SHORT_ID = 8
"""Last digits of our ids that lists show."""
_SHORT_ID = re.compile(rf"\d{{{SHORT_ID}}}", re.ASCII)


def known_as(connection: Connection, external_id: str) -> list[int]:
    """Our ids of all requests to which a source gave this id, those of the most trusted source first.

    The same id under two tracking tokens is two requests. A request that was purged is still known.
    """
    digests = list(dict.fromkeys(_digests(connection, external_id)))
    ids = _ids(connection, digests)
    homes = _ids(connection, [former_identity(each) for each in ids.values()])
    found = (ids[digest] for digest in digests if digest in ids)
    return list(dict.fromkeys(homes.get(former_identity(each), each) for each in found))


def _ids(connection: Connection, digests: Sequence[bytes]) -> dict[bytes, int]:
    key = table_of(RequestKeyTable)
    ids: dict[bytes, int] = {}
    for start in range(0, len(digests), _PER_QUERY):
        part = digests[start : start + _PER_QUERY]
        rows = connection.execute(select(key.c.digest, key.c.request_id).where(key.c.digest.in_(part)))
        ids.update({bytes(row.digest): int(row.request_id) for row in rows})
    return ids


def ending_in(connection: Connection, digits: str) -> list[int]:
    """Our ids that end in what lists show of an id, the newest first; none for other texts."""
    if _SHORT_ID.fullmatch(digits) is None:
        return []
    request = table_of(RequestTable)
    alike = request.c.id % 10**SHORT_ID == int(digits)
    return list(connection.execute(select(request.c.id).where(alike).order_by(request.c.id.desc())).scalars())


def _digests(connection: Connection, external_id: str) -> Iterator[bytes]:
    for source in by_trust():
        yield identity(source, external_id)
        if source.tries_share_ids:
            yield identity(source, external_id, FAILED_TRY)
    by_hand = [source for source in by_trust() if source.written_by_hand]
    for token in _tokens(connection):
        yield from (identity(source, external_id, token) for source in by_hand)


def _tokens(connection: Connection) -> list[str]:
    """All tracking tokens, also deleted ones under which something was counted."""
    token, total = table_of(TokenTable), table_of(TotalTable)
    kept = connection.execute(select(token.c.token).order_by(token.c.id)).scalars()
    counted = connection.execute(select(total.c.key).where(total.c.dimension.in_(_BY_TOKEN)).distinct()).scalars()
    return list(dict.fromkeys([*kept, *counted]))
