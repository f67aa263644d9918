"""Keeping what providers tell of their own limits, and the alerts about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace
from sqlalchemy import Connection, delete, exists, select

from spendtop.domain.alerting.episode import Decision, Message, Reading, decide
from spendtop.domain.limits.limit import Limit
from spendtop.domain.limits.provider_limits import ProviderLimit, ProviderLimitUse
from spendtop.domain.untrusted import storable_name
from spendtop.domain.windows import Calendar
from spendtop.services.alerting import announcements, episodes
from spendtop.services.alerting import messages as alert_messages
from spendtop.services.alerting.announcements import Announcement, Channel
from spendtop.store.reads.alerts.attention import PROVIDER_RULE
from spendtop.store.reads.limits.provider_limits import provider_limits
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable, ProviderLimitTable

_ALERT, _LIMIT = table_of(AlertTable), table_of(ProviderLimitTable)


def take_limits(
    connection: Connection, poller: str, provider: str, account: str, limits: Sequence[ProviderLimit], now: int
) -> None:
    """Store a whole poll in place of the last one. `account` is whose bills tell what is used where nobody else
    does."""
    connection.execute(delete(_LIMIT).where(_LIMIT.c.poller == poller))
    if limits:
        connection.execute(
            _LIMIT.insert(),
            [
                {
                    "poller": poller,
                    "place": place,
                    "provider": provider,
                    "account": account,
                    "scope": storable_name(each.scope),
                    "subject": storable_name(each.subject),
                    "name": storable_name(each.name),
                    "amount_nano": None if each.amount is None else each.amount.nano,
                    "used_nano": None if each.used is None else each.used.nano,
                    "measure": each.measure.value,
                    "interval": storable_name(each.interval),
                    "resets_at": each.resets_at,
                    "enforced": each.enforced,
                    "as_of": now,
                }
                for place, each in enumerate(limits)
            ],
        )


class ProviderLimitAlerts:
    """Speaks when a provider's limit is approached or exceeded, by the rules that our own limits have."""

    def __init__(self, pollers: Sequence[str], channels: Sequence[Channel], calendar: Calendar) -> None:
        """`pollers` are those that are asked for limits; what others told is dropped."""
        self._unasked = _LIMIT.c.poller.not_in(pollers)
        self._channels = channels
        self._calendar = calendar

    def changes(self, connection: Connection, now: int) -> bool:
        """Whether there is anything to write."""
        uses = provider_limits(connection, now)
        is_told = connection.execute(select(exists(select(_LIMIT.c.poller).where(self._unasked)))).scalar()
        return bool(is_told) or bool(_over(connection, uses, now)) or any(True for _ in _cases(connection, uses, now))

    def look(self, connection: Connection, now: int) -> list[Announcement]:
        """Write what begins, what gets worse and what is over, and queue the messages about it."""
        connection.execute(delete(_LIMIT).where(self._unasked))
        uses = provider_limits(connection, now)
        episodes.end(connection, _over(connection, uses, now), now)
        told: list[Announcement] = []
        for use, limit, row, decision, reading in list(_cases(connection, uses, now)):
            rule, entity = _identity(use)
            alert = episodes.write(connection, rule, limit.amount, entity, row, decision, reading)
            if alert is not None and decision.announce is not None and decision.episode is not None:
                message = alert_messages.message(limit, (), "", decision, reading, self._calendar)
                told.append(Announcement(None, alert, decision.episode.spoke, _about(use, message), rule))
        announcements.queue(connection, told, self._channels, now)
        return told


class _ChangedLimit(NamedTuple):
    """A limit about which something changes."""

    use: ProviderLimitUse
    limit: Limit
    row: Any | None
    decision: Decision
    reading: Reading


def _cases(connection: Connection, uses: Sequence[ProviderLimitUse], now: int) -> Iterator[_ChangedLimit]:
    for use in uses:
        limit = use.limit
        if limit is None or use.used is None:
            continue
        reading = Reading(
            used=use.used,
            window_start=use.bounds.start_us,
            window_end=use.bounds.end_us,
            at=now,
            happened_at=min(use.as_of, now),
        )
        row = _row(connection, *_identity(use), reading.window_start)
        before = None if row is None else episodes.from_row(row)
        decision = decide(limit, before, reading)
        if decision.episode is not None and decision.episode != before:
            yield _ChangedLimit(use, limit, row, decision, reading)


def _over(connection: Connection, uses: Sequence[ProviderLimitUse], now: int) -> list[int]:
    """Alerts that stand and whose window is over, or whose limit is told no more."""
    standing = {_identity(use) for use in uses if use.limit is not None}
    ours = _ALERT.c.rule.startswith(PROVIDER_RULE, autoescape=True)
    rows = connection.execute(select(_ALERT).where(ours, ~episodes.is_resolved())).all()
    return [
        row.id
        for row in rows
        if (row.rule, row.entity) not in standing or (row.window_end is not None and row.window_end <= now)
    ]


def _identity(use: ProviderLimitUse) -> tuple[str, str]:
    """Rule and entity of its alerts."""
    return PROVIDER_RULE + storable_name(use.kind), use.told.subject


def _row(connection: Connection, rule: str, entity: str, window_start: int | None) -> Any | None:
    """The alert of this window; of a window whose begin is not known the one that stands."""
    same = select(_ALERT).where(_ALERT.c.rule == rule, _ALERT.c.entity == entity)
    if window_start is None:
        same = same.where(~episodes.is_resolved())
    else:
        same = same.where(_ALERT.c.window_start == window_start)
    return connection.execute(same.order_by(_ALERT.c.id.desc()).limit(1)).one_or_none()


def _about(use: ProviderLimitUse, message: Message) -> Message:
    """The same, with whose limit it is."""
    told = use.told
    whose = told.name or told.subject
    if not whose:
        return replace(message, limit_name=f"{use.provider} {told.scope}")
    return replace(message, entity=whose, each=told.scope)
