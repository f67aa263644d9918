"""`spendtop alert list`, `ack`, `snooze`, `silence` and what takes them back; `spendtop delivery list` and `retry`."""

from __future__ import annotations

from collections.abc import Callable
from getpass import getuser
from operator import itemgetter

from sqlalchemy import Connection

from spendtop.cli.effective_limits import ceilings, effective_limits, now
from spendtop.cli.options import Options, load_readable, opened_store
from spendtop.cli.run_task import ask_and_wait
from spendtop.cli.tables import local_time, say, table
from spendtop.domain.alerting.episode import AlertStage, Message
from spendtop.domain.clock import to_iso
from spendtop.domain.cost_words import cost_words
from spendtop.domain.errors import ExitCode, UsageError
from spendtop.domain.money import ZERO, Usd, side_by_side
from spendtop.domain.percent import times_of
from spendtop.domain.untrusted import clean_line
from spendtop.domain.windows import Calendar, parse_duration
from spendtop.services.alerting import actions as alert_actions
from spendtop.services.alerting.outbox import DeliveryState
from spendtop.services.exchange.export import ascii_json
from spendtop.services.tasks import TaskKind
from spendtop.store.reads.alerts.announcements import announcements_of
from spendtop.store.reads.alerts.anomalies import Contributors
from spendtop.store.reads.alerts.attention import AlertRow, DeliveryRow, alert, alerts, deliveries, deliveries_of
from spendtop.store.reads.alerts.deeds import AlertDeed, deeds_of
from spendtop.store.reads.alerts.silences import silences
from spendtop.store.reads.alerts.uses import evidence_of, most_of, uses_now
from spendtop.store.reads.limits.uses import Use

_MOST = 200
_UNSENT = (DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.DEAD)


def show(options: Options) -> int:
    settings, at = load_readable(options).settings, now()
    with opened_store(settings) as store, store.reading() as connection:
        in_force = effective_limits(connection, settings)
        calendar, prices = in_force.calendar, ceilings(in_force.limits, settings, at)
        listed = alerts(connection, not options.arguments.all, _MOST)
        if options.arguments.json:
            from spendtop.api.shapes.alerts import AlertsAnswer, alert_items

            say(ascii_json(AlertsAnswer(data=alert_items(connection, listed, at, prices)).model_dump()))
            return ExitCode.OK
        used = uses_now(connection, listed, at, prices)
        reasons = [_reason(alert, most) for alert in listed if (most := most_of(connection, alert, at))]
        evidence = [(alert, evidence_of(connection, alert, at)) for alert in listed]
        reasons += [_because(alert, words) for alert, words in evidence if words]
    rows = [
        (
            alert.id,
            alert.kind,
            clean_line(alert.about),
            alert.name if alert.entity.raw else "everyone",
            _state(alert, calendar, at),
            _amount(alert, alert.used, alert.unpriced),
            _used_now(alert, used.get(alert.id)),
            _limit(alert),
            local_time(alert.crossed_at, calendar),
            local_time(alert.resolved_at, calendar),
        )
        for alert in listed
    ]
    headers = (">id", "kind", "limit", "entity", "state", ">used when said", ">used now", ">limit", "since", "resolved")
    say(table(headers, rows) if rows else "There are no alerts." if options.arguments.all else "No alert is open.")
    for reason in reasons:
        say(reason)
    return ExitCode.OK


def show_one(options: Options) -> int:
    """One alert with what it had to say, its messages, and what people did about it."""
    settings, at, number = load_readable(options).settings, now(), options.arguments.id
    with opened_store(settings) as store, store.reading() as connection:
        in_force = effective_limits(connection, settings)
        calendar, prices = in_force.calendar, ceilings(in_force.limits, settings, at)
        row = alert(connection, number)
        if row is None:
            raise alert_actions.NoSuchAlert(f"There is no alert {number}. `spendtop alert list --all` names them.")
        if options.arguments.json:
            from spendtop.api.shapes.alerts import alert_items

            say(ascii_json(alert_items(connection, [row], at, prices)[0].model_dump()))
            return ExitCode.OK
        used = uses_now(connection, [row], at, prices).get(row.id)
        announced = announcements_of(connection, [row]).get(row.id, ())
        sent = deliveries_of(connection, [row.id]).get(row.id, ())
        deeds = deeds_of(connection, [row.id]).get(row.id, ())
        evidence = evidence_of(connection, row, at)
    facts = (
        ("alert", f"{row.id} {row.kind} {clean_line(row.about)}"),
        ("of", row.name if row.entity.raw else "everyone"),
        ("state", _state(row, calendar, at)),
        ("used when said", _amount(row, row.used, row.unpriced)),
        ("used now", _used_now(row, used)),
        ("limit", _limit(row)),
        ("since", local_time(row.crossed_at, calendar)),
        ("resolved", local_time(row.resolved_at, calendar)),
        ("why", evidence),
    )
    for name, value in facts:
        if value:
            say(f"{name:<15} {value}")
    history = [
        *((each.at, each.words) for each in announced),
        *((each.created_at, f"{each.kind} to {clean_line(each.channel)}: {each.state}") for each in sent),
        *((each.at, f"{each.words}{_until(each, calendar)} by {each.by or 'somebody'}") for each in deeds),
    ]
    rows = [(local_time(moment, calendar), words) for moment, words in sorted(history, key=itemgetter(0))]
    say(table(("when", "what"), rows) if rows else "Nobody was told, and nobody did anything about it.")
    return ExitCode.OK


def _until(deed: AlertDeed, calendar: Calendar) -> str:
    return "" if deed.until is None else f" until {local_time(deed.until, calendar)}"


def ack(options: Options) -> int:
    """Say that somebody takes care of an alert."""
    by = options.arguments.by or getuser()
    _change(options, lambda connection, at: alert_actions.ack(connection, options.arguments.id, by, at))
    say("Acked: it speaks again only when it gets worse or begins anew.")
    return ExitCode.OK


def snooze(options: Options) -> int:
    try:
        length = parse_duration(options.arguments.time)
    except ValueError:
        raise UsageError("Say for how long as 30m, 4h or 2d.") from None
    _change(
        options,
        lambda connection, at: alert_actions.snooze(connection, options.arguments.id, at + length, getuser(), at),
    )
    say(f"Silent for {options.arguments.time}; what stands then is said once.")
    return ExitCode.OK


def unack(options: Options) -> int:
    _change(options, lambda connection, at: alert_actions.unack(connection, options.arguments.id, getuser(), at))
    say("Nobody takes care of it any more, and it is not snoozed.")
    return ExitCode.OK


def silence(options: Options) -> int:
    """Keep the alerts that a filter selects from speaking for a while."""
    try:
        length = parse_duration(options.arguments.length)
    except ValueError:
        raise UsageError("Say for how long as --for 30m, --for 4h or --for 2d.") from None
    text, by, at = options.arguments.filter, options.arguments.by or getuser(), now()
    with opened_store(load_readable(options).settings) as store, store.writing() as connection:
        made = alert_actions.silence(connection, text, at + length, by, at)
    say(f"Silence {made.id} lasts {options.arguments.length}; what they had to say and still stands is said once then.")
    return ExitCode.OK


def unsilence(options: Options) -> int:
    _change(options, lambda connection, at: alert_actions.unsilence(connection, options.arguments.id, getuser(), at))
    say("It has ended; what it kept back and still stands is said now.")
    return ExitCode.OK


def show_silences(options: Options) -> int:
    settings, at = load_readable(options).settings, now()
    with opened_store(settings) as store, store.reading() as connection:
        in_force, calendar = silences(connection, at), effective_limits(connection, settings).calendar
    if options.arguments.json:
        from spendtop.api.shapes.alerts import SilenceItem, SilencesAnswer

        say(ascii_json(SilencesAnswer(data=[SilenceItem.of(each) for each in in_force]).model_dump()))
        return ExitCode.OK
    rows = [
        (
            each.id,
            clean_line(each.text),
            clean_line(each.by),
            local_time(each.created_at, calendar),
            local_time(each.until, calendar),
        )
        for each in in_force
    ]
    say(table((">id", "filter", "by", "since", "until"), rows) if rows else "No silence is in force.")
    return ExitCode.OK


def undo(options: Options) -> int:
    """Take back the last ack, snooze or silence that still stands."""
    by = options.arguments.by or getuser()
    with opened_store(load_readable(options).settings) as store, store.writing() as connection:
        said = alert_actions.undo(connection, by, now())
    say(said)
    return ExitCode.OK


def show_deliveries(options: Options) -> int:
    settings = load_readable(options).settings
    states = () if options.arguments.all else tuple(state.value for state in _UNSENT)
    with opened_store(settings) as store, store.reading() as connection:
        calendar = effective_limits(connection, settings).calendar
        listed = deliveries(connection, states, _MOST)
    if options.arguments.json:
        say(ascii_json({"data": [_delivery(each) for each in listed]}))
        return ExitCode.OK
    rows = [
        (
            delivery.id,
            clean_line(delivery.channel),
            _about(delivery.message),
            delivery.state,
            delivery.attempts,
            local_time(delivery.created_at, calendar),
            local_time(delivery.next_at if delivery.state == DeliveryState.PENDING else None, calendar),
            delivery.last_error,
        )
        for delivery in listed
    ]
    headers = (">id", "channel", "message", "state", ">tries", "since", "next try", "last failure")
    say(table(headers, rows) if rows else "No message waits, none is dead.")
    return ExitCode.OK


def retry_deliveries(options: Options) -> int:
    """Ask the collector to send dead messages again."""
    wanted = options.arguments.id
    with opened_store(load_readable(options).settings) as store:
        say(ask_and_wait(store, TaskKind.DELIVERY_RETRY, {} if wanted is None else {"id": wanted}))
    return ExitCode.OK


def _change(options: Options, change: Callable[[Connection, int], None]) -> None:
    with opened_store(load_readable(options).settings) as store, store.writing() as connection:
        change(connection, now())


def _amount(alert: AlertRow, used: Usd, unpriced: int) -> str | None:
    """How much of a limit is used, left of a balance, or spent within the span that was unusual; nothing for stale
    data."""
    match alert.kind:
        case "limit":
            return f"{alert.measure.sign}{cost_words(used, unpriced)}"
        case "anomaly" | "loop":
            return cost_words(used, unpriced)
    return used.floored if alert.limit > ZERO else None


def _reason(alert: AlertRow, most: Contributors) -> str:
    """`12: user alice, most of it model o3 $12.00, model gpt-4o $1.20`."""
    costs = side_by_side(*(Usd(nano) for *_, nano in most))
    each = (f"{other} {clean_line(key) or '(none)'} {cost}" for (other, key, _), cost in zip(most, costs, strict=True))
    return f"{alert.id}: {alert.whose}, most of it {', '.join(each)}"


def _because(alert: AlertRow, evidence: str) -> str:
    """`12: session fix-1, 14 calls within 1 min`; of a source its sentence alone."""
    return f"{alert.id}: {evidence}" if alert.kind == "source" else f"{alert.id}: {alert.whose}, {evidence}"


def _limit(alert: AlertRow) -> str | None:
    """The amount that it is held against: `$50.00`; of an anomaly `12 times the usual $1.20`."""
    if alert.kind == "anomaly":
        return f"{times_of(alert.used.nano, alert.limit.nano)} the usual {alert.limit}"
    return str(alert.limit) if alert.limit > ZERO else None


def _used_now(alert: AlertRow, now_used: Use | None) -> str | None:
    """The same now; nothing where the window is over."""
    return None if now_used is None else _amount(alert, now_used.used, now_used.unpriced)


def _state(alert: AlertRow, calendar: Calendar, now: int) -> str:
    words = {"anomaly": "unusual", "loop": "looks like a loop"}
    state = words.get(alert.kind, alert.state) if alert.resolved_at is None else alert.state
    match alert.stage(now):
        case AlertStage.SNOOZED:
            return f"{state}, snoozed until {local_time(alert.snoozed_until, calendar)}"
        case AlertStage.SILENCED if alert.silence is not None:
            return f"{state}, silenced until {local_time(alert.silence.until, calendar)}"
        case AlertStage.ACKED:
            return f"{state}, acked by {alert.acked_by or 'somebody'}"
    return state


def _delivery(delivery: DeliveryRow) -> dict[str, object]:
    return {
        "id": delivery.id,
        "ref": delivery.ref,
        "alert_id": delivery.alert_id,
        "channel": delivery.channel,
        "kind": delivery.message.kind.value,
        "limit": delivery.message.limit_name or None,
        "entity": delivery.message.entity or None,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "created_at": to_iso(delivery.created_at),
        "next_at": to_iso(delivery.next_at) if delivery.state == DeliveryState.PENDING else None,
        "sent_at": None if delivery.sent_at is None else to_iso(delivery.sent_at),
        "last_error": None if delivery.last_error is None else str(delivery.last_error),
    }


def _about(message: Message) -> str:
    more = f"and {message.others:,} more" if message.others else ""
    names = (clean_line(message.limit_name), str(message.request or "") or clean_line(message.entity))
    return " ".join(filter(None, (message.kind.value, *names, more)))
