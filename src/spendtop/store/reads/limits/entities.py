"""Every limit with the entities that it holds for, so that thousands of them can be looked through."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.windows import Bounds, Calendar, WindowKind, bounds, widest
from spendtop.store.reads.limits.entity_uses import EntityUses
from spendtop.store.reads.limits.raises import raises_in_force
from spendtop.store.reads.limits.uses import (
    LimitUse,
    costliest_request,
    entity_count,
    fullest_first,
    largest_entities,
    stands,
    use,
)
from spendtop.store.reads.limits.whose import windows_of
from spendtop.store.reads.tokens.names import token_names

MOST_ENTITIES = 300
"""Entities of one limit whose use is read exactly."""


@dataclass(frozen=True, slots=True)
class LimitEntities:
    """One limit, and how each entity that spent in its window stands."""

    limit: Limit
    uses: tuple[LimitUse, ...]
    """The fullest first; of a limit for everyone the only one."""
    others: int = 0
    """How many more entities spent, each of them less by whole hours than all of `uses`."""


def limit_entities(
    connection: Connection, limits: Sequence[Limit], calendar: Calendar, now: int
) -> tuple[LimitEntities, ...]:
    """Every limit as it stands at `now` (UTC µs), in the order of the configuration."""
    return tuple(_each(connection, limits, calendar, now))


def _each(connection: Connection, limits: Sequence[Limit], calendar: Calendar, now: int) -> Iterator[LimitEntities]:
    names = token_names(connection) if any(limit.each is Each.TOKEN for limit in limits) else {}
    raises, reader = raises_in_force(connection, now), EntityUses()
    for limit in limits:
        if limit.window.kind is WindowKind.REQUEST:
            yield LimitEntities(limit, (costliest_request(connection, limit, now, None, raises),))
            continue
        if limit.each is None:
            window = bounds(limit.window, now, calendar)
            yield LimitEntities(limit, (stands(limit, "", "", window, use(connection, limit, "", window), raises),))
            continue
        span = widest(limit.window, now, calendar)
        entities = largest_entities(connection, limit, span, now, MOST_ENTITIES)
        are_all = len(entities) < MOST_ENTITIES
        others = 0 if are_all else entity_count(connection, limit, span, now) - len(entities)
        called = names if limit.each is Each.TOKEN else {}
        each = (
            stands(limit, entity, called.get(entity, entity), window, used, raises)
            for window, some in _by_window(windows_of(connection, limit, entities, now, calendar))
            for entity, used in reader.uses(connection, limit, some, window).items()
        )
        yield LimitEntities(limit, tuple(fullest_first(each)), others)


def _by_window(windows: Mapping[str, Bounds]) -> Iterable[tuple[Bounds, list[str]]]:
    entities: defaultdict[Bounds, list[str]] = defaultdict(list)
    for entity, window in windows.items():
        entities[window].append(entity)
    return entities.items()
