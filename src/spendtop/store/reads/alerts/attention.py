"""What waits for a person: alerts, and the messages about them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, Literal

from msgspec import Struct, json
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Label,
    ScalarSelect,
    Select,
    Table,
    bindparam,
    func,
    or_,
    select,
)

from spendtop.domain.alerting.episode import AlertStage, Message, MessageKind, unusual_words
from spendtop.domain.alerting.silences import Silence
from spendtop.domain.limits.limit import Each, LimitState
from spendtop.domain.limits.measure import LimitedValue
from spendtop.domain.money import Usd
from spendtop.domain.untrusted import Untrusted
from spendtop.store.fixed_select import FixedSelect
from spendtop.store.reads.alerts.silences import Silencing
from spendtop.store.reads.configuration.applied import applied
from spendtop.store.reads.rows import outside
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.tokens.names import token_names
from spendtop.store.statements import table_of
from spendtop.store.tables import (
    AlertTable,
    DeliveryAlertTable,
    DeliveryAttemptTable,
    DeliveryTable,
    ProviderLimitTable,
    QuarantineTable,
)

LIMIT_RULE, BALANCE_RULE, STALE_RULE, ANOMALY_RULE, LOOP_RULE = "limit/", "balance/", "stale/", "anomaly/", "loop/"
STORE_RULE = "store/"
PROVIDER_RULE = "provider/"
"""What the rules of alerts begin with, by what they are about."""
AlertKind = Literal["limit", "anomaly", "loop", "balance", "source", "store"]
"""What alerts can be about."""
_KINDS: Mapping[str, AlertKind] = {
    LIMIT_RULE: "limit",
    PROVIDER_RULE: "limit",
    BALANCE_RULE: "balance",
    STALE_RULE: "source",
    ANOMALY_RULE: "anomaly",
    LOOP_RULE: "loop",
    STORE_RULE: "store",
}
_MOST_UNUSUAL = 50
"""Alerts about unusual spend among which one is looked for that no silence is about."""
_UNRESOLVED = (LimitState.APPROACHING.value, LimitState.EXCEEDED.value)


class Attention(Struct, frozen=True):
    """Counts for the status line."""

    unrecognized: int
    """Open events that were not understood."""
    tests: int
    """Test events, of all time."""
    dead_deliveries: int
    waiting_deliveries: int
    open_alerts: int
    unattended: int
    """Open alerts that nobody took on or put off."""
    critical: int
    """Those of them that are critical."""
    unusual: AlertRow | None = None
    """Who spent most, of those whose spend is unusual and whom nobody takes care of."""
    newest: int = 0
    """The id of the unattended alert that began last; 0 without any."""


class DeliveryRow(Struct, frozen=True):
    """One message to one channel."""

    id: int
    ref: str
    alert_id: int | None
    """The alert that it names."""
    kind: str
    channel: str
    severity: str
    message: Message
    state: str
    attempts: int
    next_at: int
    last_error: Untrusted | None
    created_at: int
    sent_at: int | None
    took_ms: int | None
    """How long the last try took."""


class AlertRow(Struct, frozen=True):
    """One episode of one rule for one entity and one window."""

    id: int
    rule: str
    """`limit/NAME`, `provider/` and which limit of a provider, `balance/ACCOUNT`, `stale/POLLER`, or `anomaly/` and
    whose spend is unusual."""
    limit_name: str
    """The whole rule where it is not about a limit."""
    entity: Untrusted
    name: Untrusted
    """What people read for the entity."""
    window_start: int
    window_end: int | None
    state: str
    severity: str
    announced: float
    """The highest threshold that stands announced, as a fraction of the limit."""
    used: Usd
    """When it spoke last."""
    limit: Usd
    """Of an anomaly: what is usual."""
    unpriced: int
    crossed_at: int
    late: bool
    falls: int
    """How often it fell back from a threshold."""
    below_since: int | None
    opened_at: int
    updated_at: int
    resolved_at: int | None
    acked_at: int | None
    acked_by: Untrusted | None
    snoozed_until: int | None
    snoozed_by: Untrusted | None
    silence: Silence | None
    """The one that keeps it from speaking, or did so last."""
    measure: LimitedValue
    """What its limit sums, as far as that is in force."""

    def stage(self, now: int) -> AlertStage:
        """What became of it by `now` (UTC µs)."""
        if self.state not in _UNRESOLVED:
            return AlertStage.RESOLVED
        if self.snoozed_until is not None and self.snoozed_until > now:
            return AlertStage.SNOOZED
        if self.silence is not None and self.silence.until > now:
            return AlertStage.SILENCED
        return AlertStage.OPEN if self.acked_at is None else AlertStage.ACKED

    @property
    def kind(self) -> AlertKind:
        return _KINDS[self._begin]

    @property
    def about(self) -> str:
        """The name of the limit, account or poller; of an anomaly all, user, model or token; of the store what is
        amiss."""
        return self.rule.removeprefix(self._begin)

    @property
    def whose(self) -> str:
        """Whose spend an anomaly is about: `user alice`, `everyone`."""
        return f"{self.about} {self.name}" if self.entity.raw else "everyone"

    @property
    def _begin(self) -> str:
        return next(begin for begin in _KINDS if self.rule.startswith(begin))

    @property
    def unusual_words(self) -> str:
        """Of an anomaly: `$14.40, 12 times the usual $1.20`."""
        return unusual_words(self.used, self.limit)


def attention(connection: Connection, now: int) -> Attention:
    """What waits at `now` (UTC µs), in numbers."""
    ((unrecognized, tests, dead, waiting, unresolved, unattended, critical, newest),) = _counts().tuples(
        connection, {"now": now}
    )
    silencing = Silencing(connection, now)
    if silencing:
        unattended, critical, newest = _unsilenced(connection, silencing, now)
    unusual = _unusual(connection, silencing, now) if unattended else None
    return Attention(unrecognized, tests, dead, waiting, unresolved, unattended, critical, unusual, newest or 0)


@cache
def _counts() -> FixedSelect:
    event, delivery, alert = table_of(QuarantineTable), table_of(DeliveryTable), table_of(AlertTable)
    unattended = _is_unattended(bindparam("now", 0, BigInteger()))
    return FixedSelect(
        select(
            _count(event, event.c.kind == "unrecognized", event.c.state == "open"),
            _count(event, event.c.kind == "test"),
            _count(delivery, delivery.c.state == "dead"),
            _count(delivery, delivery.c.state.in_(("pending", "sending"))),
            _count(alert, alert.c.state.in_(_UNRESOLVED)),
            _count(alert, *unattended),
            _count(alert, *unattended, alert.c.severity == "critical"),
            select(func.max(alert.c.id)).where(*unattended).scalar_subquery(),
        )
    )


def _unsilenced(connection: Connection, silencing: Silencing, now: int) -> tuple[int, int, int]:
    """How many unattended alerts no silence is about, how many of them are critical, and the newest one's id."""
    table = table_of(AlertTable)
    calling = select(table.c.id, table.c.rule, table.c.entity, table.c.severity).where(*_is_unattended(now))
    left = [row for row in connection.execute(calling) if not silencing.of(row.rule, row.entity, (row.severity,))]
    return len(left), sum(row.severity == "critical" for row in left), max((row.id for row in left), default=0)


def _is_unattended(now: int | ColumnElement[int]) -> tuple[ColumnElement[bool], ...]:
    table = table_of(AlertTable)
    awake = or_(table.c.snoozed_until.is_(None), table.c.snoozed_until <= now)
    return table.c.state.in_(_UNRESOLVED), table.c.acked_at.is_(None), awake


def _unusual(connection: Connection, silencing: Silencing, now: int) -> AlertRow | None:
    table = table_of(AlertTable)
    anomalies = (*_is_unattended(now), table.c.rule.startswith(ANOMALY_RULE, autoescape=True))
    largest = select(table).where(*anomalies).order_by(table.c.used_nano.desc(), table.c.id)
    rows = _alerts(connection, largest.limit(_MOST_UNUSUAL if silencing else 1))
    return next((row for row in rows if row.stage(now) is AlertStage.OPEN), None)


def deliveries(connection: Connection, states: Collection[str], most: int) -> tuple[DeliveryRow, ...]:
    """The newest deliveries in any of `states`; all when it is empty."""
    delivery = table_of(DeliveryTable)
    statement = select(delivery, _took()).order_by(delivery.c.id.desc()).limit(most)
    if states:
        statement = statement.where(delivery.c.state.in_(sorted(states)))
    return tuple(map(_delivery, connection.execute(statement)))


def alerts(connection: Connection, open_only: bool, most: int) -> tuple[AlertRow, ...]:
    """The newest alerts; with `open_only` those that are not resolved."""
    table = table_of(AlertTable)
    statement = select(table).order_by(table.c.id.desc()).limit(most)
    if open_only:
        statement = statement.where(table.c.state.in_(_UNRESOLVED))
    return _alerts(connection, statement)


def alerts_of_limit(connection: Connection, limit: str, entity: str | None, most: int) -> tuple[AlertRow, ...]:
    """The newest alerts of a limit; where `entity` is not None only those of that entity."""
    table = table_of(AlertTable)
    statement = select(table).where(table.c.rule == f"{LIMIT_RULE}{limit}").order_by(table.c.id.desc()).limit(most)
    return _alerts(connection, statement if entity is None else statement.where(table.c.entity == entity))


def changed_alerts(connection: Connection, span: Span, most: int | None) -> tuple[AlertRow, ...]:
    """The first `most` alerts that changed last within `span`, in the order of their changes."""
    table = table_of(AlertTable)
    statement = select(table).where(span.holds(table.c.updated_at)).order_by(table.c.updated_at, table.c.id)
    return _alerts(connection, statement.limit(most))


def alert(connection: Connection, alert_id: int) -> AlertRow | None:
    table = table_of(AlertTable)
    return next(iter(_alerts(connection, select(table).where(table.c.id == alert_id))), None)


def deliveries_of(connection: Connection, alert_ids: Collection[int]) -> Mapping[int, tuple[DeliveryRow, ...]]:
    """The messages about these alerts, the oldest first, by alert."""
    delivery, told = table_of(DeliveryTable), table_of(DeliveryAlertTable)
    deliveries: defaultdict[int, tuple[DeliveryRow, ...]] = defaultdict(tuple)
    of_alerts = select(told.c.alert_id.label("told_of"), delivery, _took()).join(
        told, told.c.delivery_id == delivery.c.id
    )
    for row in connection.execute(of_alerts.where(told.c.alert_id.in_(alert_ids)).order_by(delivery.c.id)):
        deliveries[row.told_of] += (_delivery(row),)
    return deliveries


def newest_tests(connection: Connection, since: int) -> tuple[DeliveryRow, ...]:
    """The last test message of each channel that was asked for since then (UTC µs), by channel."""
    delivery = table_of(DeliveryTable)
    tests = (delivery.c.kind == MessageKind.TEST.value, delivery.c.created_at >= since)
    newest = select(func.max(delivery.c.id)).where(*tests).group_by(delivery.c.channel)
    rows = connection.execute(select(delivery, _took()).where(delivery.c.id.in_(newest)).order_by(delivery.c.channel))
    return tuple(map(_delivery, rows))


def _count(table: Table, *conditions: ColumnElement[bool]) -> ScalarSelect[int]:
    return select(func.count()).select_from(table).where(*conditions).scalar_subquery()


def _delivery(row: Any) -> DeliveryRow:
    return DeliveryRow(
        id=row.id,
        ref=row.ref,
        alert_id=row.alert_id,
        kind=row.kind,
        channel=row.channel,
        severity=row.severity,
        message=json.decode(row.payload, type=Message),
        state=row.state,
        attempts=row.attempts,
        next_at=row.next_at,
        last_error=outside(row.last_error),
        created_at=row.created_at,
        sent_at=row.sent_at,
        took_ms=row.took_ms,
    )


def _took() -> Label[Any]:
    """How long the last try of a delivery took."""
    delivery, attempt = table_of(DeliveryTable), table_of(DeliveryAttemptTable)
    of_delivery = select(attempt.c.elapsed_ms).where(attempt.c.delivery_id == delivery.c.id)
    return of_delivery.order_by(attempt.c.id.desc()).limit(1).scalar_subquery().label("took_ms")


def _alerts(connection: Connection, statement: Select[Any]) -> tuple[AlertRow, ...]:
    rows = connection.execute(statement).all()
    in_force = applied(connection) if any(row.rule.startswith(LIMIT_RULE) or row.entity for row in rows) else None
    limits = in_force.limits if in_force else ()
    measures = {LIMIT_RULE + limit.name: limit.measure for limit in limits}
    of_tokens = {
        f"{ANOMALY_RULE}{Each.TOKEN}",
        *(LIMIT_RULE + limit.name for limit in limits if limit.each is Each.TOKEN),
    }
    names = token_names(connection) if any(row.rule in of_tokens for row in rows) else {}
    called = provider_names(connection) if any(row.rule.startswith(PROVIDER_RULE) for row in rows) else {}
    silencing = Silencing(connection, min((row.updated_at for row in rows), default=0))
    return tuple(
        _alert(
            row,
            (names if row.rule in of_tokens else called if row.rule.startswith(PROVIDER_RULE) else {}).get(row.entity),
            silencing.of(row.rule, row.entity, (row.severity,)),
            measures.get(row.rule, LimitedValue.SPEND),
        )
        for row in rows
    )


def provider_names(connection: Connection) -> Mapping[str, str]:
    """What providers call those whom their limits hold for, by id."""
    limit = table_of(ProviderLimitTable)
    rows = connection.execute(select(limit.c.subject, limit.c.name).where(limit.c.subject != "", limit.c.name != ""))
    return {row.subject: row.name for row in rows}


def _alert(row: Any, name: str | None, silence: Silence | None, measure: LimitedValue) -> AlertRow:
    return AlertRow(
        id=row.id,
        rule=row.rule,
        limit_name=row.rule.removeprefix(LIMIT_RULE).removeprefix(PROVIDER_RULE),
        entity=Untrusted(row.entity),
        name=Untrusted(name or row.entity),
        window_start=row.window_start,
        window_end=row.window_end,
        state=row.state,
        severity=row.severity,
        announced=row.announced,
        used=Usd(row.used_nano),
        limit=Usd(row.limit_nano),
        unpriced=row.unpriced,
        crossed_at=row.crossed_at,
        late=bool(row.late),
        falls=row.falls,
        below_since=row.below_since,
        opened_at=row.opened_at,
        updated_at=row.updated_at,
        resolved_at=row.resolved_at,
        acked_at=row.acked_at,
        acked_by=outside(row.acked_by),
        snoozed_until=row.snoozed_until,
        snoozed_by=outside(row.snoozed_by),
        silence=silence,
        measure=measure,
    )
