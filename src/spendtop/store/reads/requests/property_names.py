"""Which properties requests have."""

from __future__ import annotations

from collections import Counter

import msgspec
from sqlalchemy import Connection, select

from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable

_LOOKED_AT = 500
_MOST = 8


def property_names(connection: Connection) -> tuple[str, ...]:
    """The most frequent ones of the newest requests; raw, as they came from outside."""
    request = table_of(RequestTable)
    newest = select(request.c.properties).order_by(request.c.id.desc()).limit(_LOOKED_AT)
    names: Counter[str] = Counter()
    for text in connection.execute(newest).scalars():
        if text is not None:
            names.update([*msgspec.json.decode(text, type=dict[str, str])])
    return tuple(name for name, _ in names.most_common(_MOST))
