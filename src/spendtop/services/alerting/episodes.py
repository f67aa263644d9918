"""Alert rows: reading the episode that a crossing belongs to, and writing what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, select

from spendtop.domain.alerting.episode import Decision, Episode, EpisodeState, Reading, continues
from spendtop.domain.limits.limit import Limit
from spendtop.domain.money import Usd
from spendtop.domain.windows import CALENDAR_KINDS, ENDING_KINDS, Calendar, WindowKind, bounds
from spendtop.services.alerting import alert_rows
from spendtop.store.fixed_select import FixedSelect, any_of, named, size_for
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable

_ALERT = table_of(AlertTable)
_OF_LIMITS = "limit/"
_AT_ONCE = 500
"""Entities looked up by one statement."""


def rule_of(limit_name: str) -> str:
    """How alerts name their limit."""
    return f"{_OF_LIMITS}{limit_name}"


def current(
    connection: Connection, limit: Limit, entities: Sequence[str], window_start: int | None, now: int
) -> dict[str, Any]:
    """The alert rows that crossings in this window belong to, by entity; where there is none a new episode opens."""
    entities = _alerted(connection, limit, entities)
    if not entities:
        return {}
    same = (_ALERT.c.rule == rule_of(limit.name), _ALERT.c.entity.in_(entities))
    if limit.window.kind in ENDING_KINDS:
        query = select(_ALERT).where(*same, _ALERT.c.window_start == window_start)
    else:
        single = limit.window.kind is WindowKind.REQUEST
        fitting = _ALERT.c.window_end.is_not(None) if single else _ALERT.c.window_end.is_(None)
        newest = select(func.max(_ALERT.c.id)).where(*same, fitting).group_by(_ALERT.c.entity)
        query = select(_ALERT).where(_ALERT.c.id.in_(newest))
    rows = connection.execute(query)
    return {row.entity: row for row in rows if not _is_over(limit, row, now)}


def _alerted(connection: Connection, limit: Limit, entities: Sequence[str]) -> list[str]:
    """Those that were ever alerted about, mostly none."""
    found: list[str] = []
    for part in (entities[start : start + _AT_ONCE] for start in range(0, len(entities), _AT_ONCE)):
        rows = _alerted_of(size_for(part)).run(connection, {**named(part), "rule": rule_of(limit.name)})
        found += (entity for (entity,) in rows)
    return found


@cache
def _alerted_of(size: int) -> FixedSelect:
    return FixedSelect(
        select(_ALERT.c.entity).where(_ALERT.c.rule == bindparam("rule"), _ALERT.c.entity.in_(any_of(size))).distinct()
    )


def _is_over(limit: Limit, row: Any, now: int) -> bool:
    """Whether a crossing of a rolling window, that was resolved, is something new."""
    rolling = limit.window.kind is WindowKind.ROLLING
    return rolling and row.resolved_at is not None and not continues(limit, row.resolved_at, now)


def unresolved(connection: Connection, after: int, most: int) -> list[Any]:
    """The next alert rows of limits behind the id `after` that are not resolved."""
    rows: list[Any] = []
    for state in (EpisodeState.APPROACHING, EpisodeState.EXCEEDED):
        in_state = select(_ALERT).where(_of_limits(), _ALERT.c.state == state.value, _ALERT.c.id > after)
        rows += connection.execute(in_state.order_by(_ALERT.c.id).limit(most))
    return sorted(rows, key=lambda row: row.id)[:most]


def _of_limits() -> ColumnElement[bool]:
    return _ALERT.c.rule.startswith(_OF_LIMITS, autoescape=True)


def is_resolved() -> ColumnElement[bool]:
    return _ALERT.c.resolved_at.is_not(None)


def from_row(row: Any) -> Episode:
    return Episode(
        state=EpisodeState(row.state),
        window_start=row.window_start,
        window_end=row.window_end,
        announced=row.announced,
        crossed_at=row.crossed_at,
        late=bool(row.late),
        falls=row.falls,
        below_since=row.below_since,
        spoke=row.spoke,
        snoozed_until=row.snoozed_until,
    )


def fits(limit: Limit, episode: Episode) -> bool:
    """Whether an episode can be one of this limit, whose window may have been changed since."""
    ends = limit.window.kind in ENDING_KINDS or limit.window.kind is WindowKind.REQUEST
    return ends == (episode.window_end is not None)


def limit_name(row: Any) -> str:
    return str(row.rule).removeprefix(_OF_LIMITS)


def ended(connection: Connection, now: int, most: int) -> list[int]:
    """Ids of unresolved alerts whose window is over, the earliest first."""
    query = select(_ALERT.c.id).where(_of_limits(), ~is_resolved(), _ALERT.c.window_end <= now)
    return list(connection.execute(query.order_by(_ALERT.c.window_end).limit(most)).scalars())


def end(connection: Connection, ids: Sequence[int], now: int) -> None:
    """End episodes without a word: their window is over, or their limit is gone. What they announced stays known."""
    over = {"state": EpisodeState.RESOLVED.value, "resolved_at": now}
    for part in (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE)):
        alert_rows.change_all(connection, and_(_ALERT.c.id.in_(part), ~is_resolved()), over, now)


def resume(connection: Connection, limit: Limit, calendar: Calendar, now: int) -> None:
    """Go on, without a word, with the episodes that ended only because this limit was not in force for a while.

    Acks and snoozes stay with them. A single request speaks only once, so that there is nothing to go on with, and
    blocks are soon over.
    """
    if limit.window.kind in (WindowKind.REQUEST, WindowKind.BLOCK):
        return
    window = bounds(limit.window, now, calendar)
    same = [_ALERT.c.rule == rule_of(limit.name), is_resolved()]
    if limit.window.kind in CALENDAR_KINDS:
        same += [_ALERT.c.window_start == window.start_us, _ALERT.c.window_end == window.end_us]
    else:
        same += [_ALERT.c.window_end.is_(None)]
    if limit.window.kind is WindowKind.ROLLING:
        same += [_ALERT.c.resolved_at > now - (limit.window.length_us or 0)]
    standing = {EpisodeState.EXCEEDED: _ALERT.c.announced >= 1, EpisodeState.APPROACHING: _ALERT.c.announced < 1}
    for state, announced in standing.items():
        again = {"state": state.value, "resolved_at": None}
        alert_rows.change_all(connection, and_(*same, _ALERT.c.announced > 0, announced), again, now)


def write(
    connection: Connection,
    rule: str,
    amount: Usd,
    entity: str,
    row: Any | None,
    decision: Decision,
    reading: Reading,
) -> int | None:
    """Insert or update the alert about a limit of this amount by compare-and-set on its version; None when somebody
    else was faster.

    The use that it keeps is the one of when it spoke last, so that it is what the message says.
    """
    episode = decision.episode
    assert episode is not None
    said = {"used_nano": reading.used.nano, "limit_nano": amount.nano, "unpriced": reading.unpriced}
    values = {
        **(said if row is None or decision.announce is not None else {}),
        "window_end": episode.window_end,
        "state": episode.state.value,
        "severity": "critical" if episode.state is EpisodeState.EXCEEDED else "warning",
        "announced": episode.announced,
        "spoke": episode.spoke,
        "crossed_at": episode.crossed_at,
        "late": episode.late,
        "falls": episode.falls,
        "below_since": episode.below_since,
        "snoozed_until": episode.snoozed_until,
        "resolved_at": reading.at if episode.state is EpisodeState.RESOLVED else None,
    }
    if row is None:
        values |= {"rule": rule, "entity": entity, "window_start": episode.window_start}
        return alert_rows.begin(connection, values, reading.at)
    return int(row.id) if alert_rows.change(connection, row, values, reading.at) else None
