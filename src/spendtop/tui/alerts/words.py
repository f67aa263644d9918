"""What the screen of alerts says of one: what it is about, who takes care, and when it speaks again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spendtop.domain.alerting.episode import AlertStage
from spendtop.domain.alerting.speaking import Occasion, SpeaksAgain, speaks_again
from spendtop.domain.money import ZERO, Usd, side_by_side
from spendtop.domain.percent import exact_percent, times_of
from spendtop.domain.untrusted import clean_line
from spendtop.tui import formats
from spendtop.tui.widgets.canvas import fit_middle

if TYPE_CHECKING:
    from spendtop.domain.limits.limit import Limit
    from spendtop.domain.windows import Calendar
    from spendtop.store.reads.alerts.attention import AlertRow

_CONDITIONS = {
    "anomaly": "unusual",
    "loop": "looks like a loop",
    "balance": "low",
    "source": "no fresh data",
    "store": "amiss",
}
_OF_STORE = {
    "store": "the store cannot be used",
    "disk": "the store's disk is full",
    "writer": "writing is held up",
    "bodies": "the store's disk is short of room",
}
SEVERITIES = {"critical": "crit", "warning": "warn", "info": "info"}


def what(row: AlertRow, used: Usd | None, width: int) -> str:
    """`each user alice 145%`, in so many cells: names are cut, figures are not. `used` is the use now, where it is
    known."""
    name, figure = _name(row), _figure(row, used)
    return f"{fit_middle(name, width - len(figure) - 1).rstrip()} {figure}" if figure else fit_middle(name, width)


def _name(row: AlertRow) -> str:
    match row.kind:
        case "anomaly":
            return row.whose
        case "loop":
            return f"loop {row.whose}"
        case "source":
            return f"{clean_line(row.about)}: no fresh data"
        case "store":
            return _OF_STORE.get(row.about, clean_line(row.about))
    return " ".join(filter(None, (clean_line(row.about), str(row.name))))


def _figure(row: AlertRow, used: Usd | None) -> str:
    match row.kind:
        case "limit" if row.limit > ZERO:
            return formats.percent((used or row.used).nano, row.limit.nano)
        case "anomaly":
            return f"{times_of(row.used.nano, row.limit.nano).replace(' times', 'x')} usual"
        case "loop":
            return str(used or row.used)
        case "balance":
            left, least = side_by_side(used or row.used, row.limit)
            return f"{left} of {least}"
    return ""


def condition(row: AlertRow) -> str:
    """How it is with what the alert is about: `exceeded`, `unusual`, `low`."""
    return _CONDITIONS.get(row.kind, row.state)


def nobody_told(row: AlertRow) -> str:
    """Why no message is listed of an alert."""
    if row.kind == "store":
        is_told = "all channels, at once and without the store" if row.severity == "critical" else "nobody"
        return f"{is_told}; Sources says what to do"
    return "nobody: no channel hears of it"


def who(row: AlertRow, stage: AlertStage) -> str:
    """Who took it on, put it off, or silenced it."""
    match stage:
        case AlertStage.SNOOZED:
            return str(row.snoozed_by or "somebody")
        case AlertStage.SILENCED if row.silence is not None:
            return clean_line(row.silence.by) or "somebody"
        case AlertStage.ACKED:
            return str(row.acked_by or "somebody")
    return ""


def again(row: AlertRow, stage: AlertStage, limit: Limit | None, now: int, calendar: Calendar) -> str:
    """When it speaks again, in few words; `-` for one that is over."""
    if stage is AlertStage.RESOLVED:
        return formats.UNKNOWN
    if stage is AlertStage.SNOOZED and row.snoozed_until is not None:
        return f"in {formats.span(row.snoozed_until - now)}"
    if stage is AlertStage.SILENCED and row.silence is not None:
        return f"in {formats.span(row.silence.until - now)}"
    match row.kind:
        case "anomaly":
            return "at twice"
        case "loop":
            return "once over"
        case "balance":
            return "once up"
        case "source":
            return "once read"
        case "store":
            return "once well"
    if limit is None:
        return Occasion.NEVER.value
    return _occasion(speaks_again(limit, row.announced, row.window_end, row.falls), now, calendar)


def _occasion(coming: SpeaksAgain, now: int, calendar: Calendar) -> str:
    match coming.occasion:
        case Occasion.THRESHOLD if coming.fraction is not None:
            return f"at {exact_percent(coming.fraction)}"
        case Occasion.WINDOW if coming.at is not None:
            return f"from {formats.moment(coming.at, now, calendar)}"
        case Occasion.FALL if coming.fraction is not None:
            return f"under {exact_percent(coming.fraction)}"
        case Occasion.CALM:
            return "after calm"
    return Occasion.NEVER.value


def again_in_full(row: AlertRow, stage: AlertStage, limit: Limit | None, calendar: Calendar) -> str:
    """The same as a sentence, with its whole time."""
    if stage is AlertStage.RESOLVED:
        return "It is over; it begins anew when it happens again."
    if stage is AlertStage.SNOOZED and row.snoozed_until is not None:
        return f"Silent until {_time(row.snoozed_until, calendar)}; what stands then is said once."
    if stage is AlertStage.SILENCED and row.silence is not None:
        return f"Silenced until {_time(row.silence.until, calendar)}; what it has to say by then is said once."
    match row.kind:
        case "anomaly":
            return "When it has become twice as much, an hour later at the earliest."
        case "loop":
            return "When it is over."
        case "balance":
            return "After the balance was back at 110 % of it, or credit was entered."
        case "source":
            return "After it was read again."
        case "store":
            return "After it was well again."
    if limit is None:
        return "Never: its limit is not in force any more, or has another window now."
    coming = speaks_again(limit, row.announced, row.window_end, row.falls)
    match coming.occasion:
        case Occasion.THRESHOLD if coming.fraction is not None:
            return f"At {exact_percent(coming.fraction)} of the limit."
        case Occasion.WINDOW if coming.at is not None:
            return f"In the next window, from {_time(coming.at, calendar)} on."
        case Occasion.FALL if coming.fraction is not None:
            return f"Once use has stayed under {exact_percent(coming.fraction)} of the limit for a while."
        case Occasion.CALM:
            return f"It rises and falls too often: only after it has been over for {limit.window}."
    return "Never: it is told once."


def _time(at: int, calendar: Calendar) -> str:
    return f"{calendar.local(at):%Y-%m-%d %H:%M %Z}"
