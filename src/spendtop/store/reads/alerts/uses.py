"""What alerts are about, as it stands now, beside what they said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, select

from spendtop.domain.clock import HOUR
from spendtop.domain.limits.limit import Limit
from spendtop.domain.windows import ENDING_KINDS, Bounds, WindowKind, bounds
from spendtop.store.reads.alerts import anomalies, loops
from spendtop.store.reads.alerts.attention import ANOMALY_RULE, BALANCE_RULE, LIMIT_RULE, LOOP_RULE, AlertRow
from spendtop.store.reads.configuration.applied import Applied, applied
from spendtop.store.reads.ledger.balances import balance_now
from spendtop.store.reads.limits.uses import Ceiling, Use, use
from spendtop.store.reads.rows import from_row, selected
from spendtop.store.reads.sources.completeness import pollers
from spendtop.store.reads.spending.sums import spend
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable


def uses_now(
    connection: Connection, alerts: Iterable[AlertRow], now: int, ceilings: Mapping[str, Ceiling]
) -> dict[int, Use]:
    """By alert, what counts against its limit at `now` (UTC µs), what is left of its balance, or what was spent since
    spend is unusual.

    Alerts whose window is over, or whose limit or account is no longer there, are left out. `ceilings` is by name of
    limit, for those with a `reserve`.
    """
    in_force = applied(connection)
    if in_force is None:
        return {}
    amounts = ((each.id, _amount(connection, each, in_force, now, ceilings)) for each in alerts)
    return {alert: amount for alert, amount in amounts if amount is not None}


def most_of(connection: Connection, alert: AlertRow, now: int) -> anomalies.Contributors:
    """Who or what spends most while spend is unusual, within the last hour at most; nothing for other alerts."""
    if alert.kind != "anomaly" or alert.resolved_at is not None:
        return ()
    return anomalies.contributors(connection, alert.about, alert.entity.raw, max(alert.window_start, now - HOUR))


def evidence_of(connection: Connection, alert: AlertRow, now: int) -> str | None:
    """Why it is a loop; why nothing comes of a source, with the way back, as long as that stands; None for other
    alerts."""
    match alert.kind:
        case "loop":
            return loops.evidence(connection, alert.about, alert.entity.raw, alert.resolved_at or now)
        case "source" if alert.resolved_at is None:
            return next((each.amiss for each in pollers(connection) if each.name == alert.about), "") or None
    return None


def _amount(
    connection: Connection, alert: AlertRow, in_force: Applied, now: int, ceilings: Mapping[str, Ceiling]
) -> Use | None:
    if alert.rule.startswith(BALANCE_RULE):
        name = alert.rule.removeprefix(BALANCE_RULE)
        account = next((each for each in in_force.accounts if each.name == name), None)
        left = None if account is None else balance_now(connection, account, now).amount
        return None if left is None else Use(left, 0)
    if alert.rule.startswith((ANOMALY_RULE, LOOP_RULE)):
        if alert.resolved_at is not None:
            return None
        spent = spend(connection, alert.window_start, None, alert.about, alert.entity.raw)
        return Use(spent.cost, spent.unpriced)
    if not alert.rule.startswith(LIMIT_RULE):
        return None
    limit = next((each for each in in_force.limits if each.name == alert.limit_name), None)
    if limit is None or (alert.window_end is not None and alert.window_end <= now):
        return None
    kind = limit.window.kind
    if kind is WindowKind.REQUEST:
        return _cost(connection, limit, alert.entity.raw, ceilings.get(limit.name))
    if (kind in ENDING_KINDS) is not (alert.window_end is not None):  # the limit had another window then
        return None
    if alert.window_end is not None:
        window = Bounds(alert.window_start, alert.window_end)
    elif alert.resolved_at is None:
        window = bounds(limit.window, now, in_force.calendar)
    else:  # a rolling window went on, away from what the alert was about
        return None
    return use(connection, limit, alert.entity.raw, window, ceilings.get(limit.name))


def _cost(connection: Connection, limit: Limit, request_id: str, ceiling: Ceiling | None) -> Use | None:
    request = table_of(RequestTable)
    if not (request_id.isascii() and request_id.isdigit()):
        return None
    row = connection.execute(select(*selected()).where(request.c.id == int(request_id))).one_or_none()
    if row is None:
        return None
    stored = from_row(row)
    known = limit.measure.amount_of(stored.cost)
    cost = known if known is not None or ceiling is None else ceiling(stored)
    return None if cost is None else Use(cost, int(known is None or stored.cost.partial))
