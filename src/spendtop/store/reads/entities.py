"""Users, models and tokens beside what they spent: when they were last seen, and the limits that hold for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, func, select

from spendtop.domain.clock import HOUR
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.windows import Calendar, WindowKind, bounds
from spendtop.store.reads.limits.entity_uses import EntityUses
from spendtop.store.reads.limits.raises import raises_in_force
from spendtop.store.reads.limits.uses import LimitUse, fullest_first, stands
from spendtop.store.reads.spending.sums import COLUMNS, FAMILY
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable, TotalTable

Names = Mapping[str, Sequence[str]]
"""What a key is made of: of a family its exact models, of all else itself."""
_TO_THE_MOMENT = 2
"""In so many of the newest hours it is told to the moment; before that, to the hour."""


def names_of_keys(dimension: str, keys: Sequence[str], models: Mapping[str, set[str]]) -> Names:
    return {key: sorted(models.get(key, ())) if dimension == FAMILY else [key] for key in keys}


def last_seen(connection: Connection, dimension: str, names: Names) -> dict[str, int]:
    """When each key had its last counted request (UTC µs); without those of which none is known."""
    raw = "model" if dimension == FAMILY else dimension
    key_of = {name: key for key, parts in names.items() for name in parts}
    total, request = table_of(TotalTable), table_of(RequestTable)
    latest = (
        select(total.c.key, func.max(total.c.bucket))
        .where(total.c.dimension == raw, total.c.key.in_(key_of), total.c.requests > 0)
        .group_by(total.c.key)
    )
    hours = {name: int(hour) for name, hour in connection.execute(latest)}
    seen: dict[str, int] = {}
    for name, hour in hours.items():
        seen[key_of[name]] = max(hour, seen.get(key_of[name], 0))
    column = func.coalesce(request.c[COLUMNS[raw]], "")
    for hour in sorted(set(hours.values()), reverse=True)[:_TO_THE_MOMENT]:
        moments = (
            select(column.label("key"), func.max(request.c.occurred_at))
            .where(request.c.counted.is_(True), request.c.occurred_at >= hour, request.c.occurred_at < hour + HOUR)
            .group_by("key")
        )
        for name, at in connection.execute(moments):
            if name in key_of:
                seen[key_of[name]] = max(int(at), seen.get(key_of[name], 0))
    return seen


def limits_of(
    connection: Connection, limits: Sequence[Limit], dimension: str, names: Names, calendar: Calendar, now: int
) -> dict[str, tuple[LimitUse, ...]]:
    """The limits that hold for each key alone, the fullest first; of a family also those of its models."""
    raises, reader = raises_in_force(connection, now), EntityUses()
    found: defaultdict[str, list[LimitUse]] = defaultdict(list)
    for limit in limits:
        of_parts = dimension == FAMILY and limit.each is Each.MODEL
        if limit.window.kind is WindowKind.REQUEST or not (of_parts or (limit.each and limit.each.value == dimension)):
            continue
        key_of = {part: key for key, parts in names.items() for part in (parts if of_parts else [key]) if part}
        window = bounds(limit.window, now, calendar)
        for entity, used in reader.uses(connection, limit, list(key_of), window).items() if key_of else ():
            found[key_of[entity]].append(stands(limit, entity, entity, window, used, raises))
    return {key: tuple(fullest_first(uses)) for key, uses in found.items()}
