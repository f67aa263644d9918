"""`spendtop limit list` and `limit check`."""

from __future__ import annotations

from spendtop.cli.effective_limits import ceilings, effective_limits, now
from spendtop.cli.options import Options, load_readable, opened_store
from spendtop.cli.tables import local_time, say, table
from spendtop.domain.errors import ExitCode
from spendtop.domain.limits import LimitState
from spendtop.domain.untrusted import clean_line
from spendtop.domain.windows import Calendar
from spendtop.services.request_export import ascii_json
from spendtop.store.reads.limits import LimitUse, uses

_CODES = {
    LimitState.OK: ExitCode.OK,
    LimitState.APPROACHING: ExitCode.APPROACHING,
    LimitState.EXCEEDED: ExitCode.EXCEEDED,
}
_HEADERS = ("name", "entity", "window", ">used", ">limit", ">%", "state", ">unpriced", "resets")
_NO_LIMITS = "No limits are configured. Add a [[limit]] to spendtop.toml; `spendtop init` writes one with examples."


def show(options: Options) -> int:
    limit_uses, calendar = _read(options)
    if options.arguments.json:
        from spendtop.api.shapes import LimitItem, LimitsAnswer

        say(ascii_json(LimitsAnswer(data=[LimitItem.of(use) for use in limit_uses]).model_dump()))
    else:
        say(_table(limit_uses, calendar) if limit_uses else _NO_LIMITS)
    return ExitCode.OK


def check(options: Options) -> int:
    """Print the limits that are not ok; the exit code says how the worst of them stands."""
    limit_uses, calendar = _read(options)
    pressing = [use for use in limit_uses if use.state is not LimitState.OK]
    if pressing:
        say(_table(pressing, calendar))
    elif limit_uses:
        say(f"All limits are ok; the fullest is {_name(limit_uses[0])} at {limit_uses[0].percent}.")
    else:
        say(_NO_LIMITS)
    return max((_CODES[use.state] for use in pressing), default=ExitCode.OK)


def _read(options: Options) -> tuple[tuple[LimitUse, ...], Calendar]:
    settings = load_readable(options).settings
    at = now()
    with opened_store(settings) as store, store.reading() as connection:
        applied = effective_limits(connection, settings)
        prices = ceilings(applied.limits, settings, at)
        return uses(connection, applied.limits, applied.calendar, at, ceilings=prices), applied.calendar


def _table(limit_uses: tuple[LimitUse, ...] | list[LimitUse], calendar: Calendar) -> str:
    return table(_HEADERS, [_row(use, calendar) for use in limit_uses])


def _row(use: LimitUse, calendar: Calendar) -> tuple[object, ...]:
    return (
        clean_line(use.limit.name),
        use.name if use.entity.raw else "everyone",
        use.limit.window,
        use.used,
        use.limit.amount,
        use.percent,
        use.state.value,
        use.unpriced or None,
        local_time(use.ends_at, calendar),
    )


def _name(use: LimitUse) -> str:
    return f"{clean_line(use.limit.name)} {use.name}".rstrip()
