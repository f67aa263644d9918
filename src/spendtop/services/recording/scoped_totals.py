"""Hour totals of limits with a scope or a reserve of their own, or of families, made from what is stored when a limit
is new."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, bindparam, delete, select

from spendtop.domain.clock import HOUR
from spendtop.domain.limits.limit import OWN_DIMENSION, Each, Limit, family_of
from spendtop.domain.limits.measure import LimitedValue
from spendtop.domain.model_names import RULES
from spendtop.domain.windows import WindowKind
from spendtop.services.limits.limit_book import LimitBook
from spendtop.store import day_totals, facts
from spendtop.store.ids import SLOTS
from spendtop.store.reads.limits.uses import summed
from spendtop.store.reads.limits.whose import whose
from spendtop.store.reads.rows import from_row, selected
from spendtop.store.reads.spending import spend_sql
from spendtop.store.statements import table_of
from spendtop.store.tables import DayTotalTable, RequestTable, TotalTable

_REQUEST, _TOTAL = table_of(RequestTable), table_of(TotalTable)
_FACT = "scoped_totals"
"""The row of `meta` that says which dimensions are complete, and with which reserve price: JSON, one text each."""
FAILED_NOT_COUNTED = "scoped totals without failed"
"""The row of `meta` that says up to which id failed requests are not counted here yet, as only who knows the limits can
count them."""


def rebuild_changed(connection: Connection, book: LimitBook) -> list[str]:
    """Make totals for limits that have none yet or whose reserve has a new price; drop those of limits that are gone.

    Returns the names of the limits whose totals were made. One transaction with the new definitions in force, so that
    no request is missed or counted twice.
    """
    wanted = {
        limit.dimension: limit
        for limit in book.limits
        if limit.dimension.startswith(OWN_DIMENSION) and limit.window.kind is not WindowKind.REQUEST
    }
    made_of = {dimension: _made_of(limit, book) for dimension, limit in wanted.items()}
    before = msgspec.json.decode(facts.get(connection, _FACT) or "{}", type=dict[str, str])
    up_to = facts.get(connection, FAILED_NOT_COUNTED)
    if made_of == before and up_to is None:
        return []
    day_totals.keep_others_out(connection)
    kept = [dimension for dimension in wanted if made_of[dimension] == before.get(dimension)]
    for totals in (_TOTAL, table_of(DayTotalTable)):
        is_own = totals.c.dimension.startswith(OWN_DIMENSION)
        connection.execute(delete(totals).where(is_own, totals.c.dimension.not_in(kept)))
    new = [limit for dimension, limit in wanted.items() if dimension not in kept]
    summed = _TOTAL.c.bucket < day_totals.until(connection)
    if up_to is not None:
        for dimension in kept:
            _count_failed(connection, wanted[dimension], int(up_to))
        facts.drop(connection, FAILED_NOT_COUNTED)
    for limit in new:
        _build(connection, limit, book)
        day_totals.sum_by_day(connection, _TOTAL.c.dimension == limit.dimension, summed)
    facts.put(connection, _FACT, msgspec.json.encode(made_of).decode())
    return [limit.name for limit in new]


def _made_of(limit: Limit, book: LimitBook) -> str:
    """Another text when the same requests have other totals."""
    reserve = repr(book.reserves.get(limit.name))
    return f"{reserve} {RULES}" if limit.each is Each.MODEL_FAMILY else reserve


def _build(connection: Connection, limit: Limit, book: LimitBook) -> None:
    sums = _by_key(limit, connection.execute(_totals(connection, limit)))
    if not sums:
        return
    connection.execute(
        _TOTAL.insert(),
        [
            dict(
                zip(
                    ("dimension", "key", "bucket", "shard", *spend_sql.NAMES),
                    (limit.dimension, *of, *values),
                    strict=True,
                )
            )
            for of, values in sums.items()
        ],
    )
    add = (
        _TOTAL.update()
        .where(
            _TOTAL.c.dimension == limit.dimension,
            _TOTAL.c.key == bindparam("of_key"),
            _TOTAL.c.bucket == bindparam("of_bucket"),
            _TOTAL.c.shard == bindparam("of_shard"),
        )
        .values(cost_nano=_TOTAL.c.cost_nano + bindparam("reserved"))
    )
    reserved = list(_reserved(connection, limit, book))
    if reserved:
        connection.execute(add, reserved)


def _count_failed(connection: Connection, limit: Limit, up_to: int) -> None:
    """Count the failed requests up to an id in totals that were made before these were counted."""
    rows = connection.execute(_totals(connection, limit).where(_REQUEST.c.id <= up_to, spend_sql.is_failed()))
    failed = [(limit.dimension, row.key, row.bucket, row.shard, 0, 0, 0, 0, 0, 0, int(row.failed)) for row in rows]
    day_totals.TotalsAddition(connection.dialect).run(connection, sorted(failed))


def _by_key(limit: Limit, rows: Iterable[Any]) -> dict[tuple[str, int, int], list[int]]:
    """The sums of each key, bucket and shard."""
    sums: dict[tuple[str, int, int], list[int]] = {}
    for entity, bucket, shard, *values in rows:
        key = _key(limit, entity)
        if key is not None:
            before = sums.get((key, bucket, shard))
            sums[key, bucket, shard] = (
                values if before is None else [a + b for a, b in zip(before, values, strict=True)]
            )
    return sums


def _totals(connection: Connection, limit: Limit) -> Select[Any]:
    is_of_models = limit.each is Each.MODEL_FAMILY and limit.measure is LimitedValue.SPEND
    if is_of_models and not limit.where_text and limit.reserve is None:
        # Those of the models say it all, also of what is purged by now.
        kept = (_TOTAL.c.key, _TOTAL.c.bucket, _TOTAL.c.shard, *(_TOTAL.c[name] for name in spend_sql.NAMES))
        return select(*kept).where(_TOTAL.c.dimension == Each.MODEL.value)
    entity, part = whose(connection, limit), summed(connection, limit)
    bucket = _REQUEST.c.occurred_at - _REQUEST.c.occurred_at % HOUR
    shard = _REQUEST.c.id % SLOTS
    named = (entity.label("key"), bucket.label("bucket"), shard.label("shard"))
    return select(*named, *part.columns).where(part.condition, entity.is_not(None)).group_by("key", "bucket", "shard")


def _reserved(connection: Connection, limit: Limit, book: LimitBook) -> Iterator[dict[str, Any]]:
    """What the unpriced requests count for at the reserve price."""
    ceiling = book.ceilings.get(limit.name)
    if ceiling is None:
        return
    entity, part = whose(connection, limit), summed(connection, limit)
    query = select(*selected(), entity.label("entity")).where(part.condition, part.is_unpriced, entity.is_not(None))
    for row in connection.execute(query):
        key = _key(limit, row.entity)
        if key is None:
            continue
        hour = row.occurred_at - row.occurred_at % HOUR
        yield {
            "of_key": key,
            "of_bucket": hour,
            "of_shard": row.id % SLOTS,
            "reserved": ceiling(from_row(row)).nano,
        }


def _key(limit: Limit, entity: str) -> str | None:
    return family_of(entity) if limit.each is Each.MODEL_FAMILY else entity
