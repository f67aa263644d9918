"""The exact names of families of models, for SQL cannot tell of which family a model is."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec
from sqlalchemy import JSON, ColumnElement, Connection, and_, cast, false, func, literal, or_, select

from spendtop.domain.clock import HOUR
from spendtop.domain.model_names import family
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable, TotalTable


def names_of(connection: Connection, families: Collection[str], spans: Sequence[Span]) -> list[str]:
    """The names that counted requests of these families can have within `spans`, as the totals by model know them."""
    if not spans:
        return []
    total = table_of(TotalTable)
    hours = or_(*(span.widened(HOUR).holds(total.c.bucket) for span in spans))
    names = select(total.c.key).where(total.c.dimension == "model", hours, total.c.key != "").distinct()
    return [name for name in connection.execute(names).scalars() if family(name) in families]


def is_one_of(connection: Connection, names: Sequence[str]) -> ColumnElement[bool]:
    """The condition that a request names one of these models exactly. One parameter holds them all, as there can be
    more of them than a statement takes parameters."""
    if not names:
        return false()
    array = literal(msgspec.json.encode(names).decode())
    if connection.dialect.name == "postgresql":
        value = func.json_array_elements_text(cast(array, JSON)).table_valued("value").c.value
    else:
        value = func.json_each(array).table_valued("value").c.value
    model = table_of(RequestTable).c.model
    # The index holds the lower case, for filters; the name itself is exact.
    return and_(func.lower(model).in_(select(func.lower(value))), model.in_(select(value)))
