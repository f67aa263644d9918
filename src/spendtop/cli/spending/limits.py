"""`spendtop limit list`, `limit check`, `limit raise`, `limit unraise` and `limit backtest`."""

from __future__ import annotations

from collections.abc import Sequence
from getpass import getuser
from typing import NamedTuple

from msgspec.structs import replace

from spendtop.cli.effective_limits import ceilings, effective_limits, now
from spendtop.cli.meter import metered
from spendtop.cli.options import Options, load_readable, opened_store
from spendtop.cli.tables import local_time, say, table
from spendtop.domain.errors import ExitCode, UsageError
from spendtop.domain.ledger.amounts import typed
from spendtop.domain.limits.forecast import Forecast, reach_words
from spendtop.domain.limits.limit import LimitState
from spendtop.domain.limits.measure import LimitedValue
from spendtop.domain.limits.provider_limits import ProviderLimitUse
from spendtop.domain.limits.raises import Raise, amount_of, end_of
from spendtop.domain.money import ZERO, Usd
from spendtop.domain.untrusted import clean_line
from spendtop.domain.windows import Calendar, WindowKind
from spendtop.services.exchange.export import ascii_json
from spendtop.services.limits import raises
from spendtop.services.limits.backtests import LONGEST, backtest
from spendtop.store.reads.forecasts import forecast_of
from spendtop.store.reads.limits.provider_limits import provider_limits
from spendtop.store.reads.limits.uses import LimitUse, uses

_CODES = {
    LimitState.OK: ExitCode.OK,
    LimitState.APPROACHING: ExitCode.APPROACHING,
    LimitState.EXCEEDED: ExitCode.EXCEEDED,
}
_HEADERS = ("name", "entity", "window", ">used", ">limit", ">%", "state", ">unpriced", "resets", "reaches")
_TOLD_HEADERS = ("provider", "whose", "window", ">used", ">limit", ">%", "state", "enforced", "resets", "reaches")
_NOTHING_TOLD = "No provider told of limits. `spendtop check` says what is asked with which keys."
_NO_LIMITS = "No limits are configured. Add a [[limit]] to spendtop.toml; `spendtop init` writes one with examples."


def show(options: Options) -> int:
    standing = _read(options)
    if options.arguments.json:
        from spendtop.api.shapes.limits import ProviderLimitItem, ProviderLimitsAnswer
        from spendtop.api.shapes.spending import LimitItem, LimitsAnswer

        items = [LimitItem.of(each.use, each.forecast) for each in standing.limits]
        listed = LimitsAnswer(data=items).model_dump()
        if options.arguments.all:
            listed["provider_limits"] = ProviderLimitsAnswer(
                data=[*map(ProviderLimitItem.of, standing.told)]
            ).model_dump()["data"]
        say(ascii_json(listed))
        return ExitCode.OK
    say(_table(standing, standing.limits) if standing.limits else _NO_LIMITS)
    if options.arguments.all:
        say("")
        rows = [_told_row(each, standing) for each in standing.told]
        say(table(_TOLD_HEADERS, rows) if rows else _NOTHING_TOLD)
    return ExitCode.OK


def check(options: Options) -> int:
    """Print the limits that are not ok; the exit code says how the worst of them stands."""
    standing = _read(options)
    pressing = [each for each in standing.limits if each.use.state is not LimitState.OK]
    if pressing:
        say(_table(standing, pressing))
    elif standing.limits:
        fullest = standing.limits[0].use
        say(f"All limits are ok; the fullest is {_name(fullest)} at {fullest.percent}.")
    else:
        say(_NO_LIMITS)
    return max((_CODES[each.use.state] for each in pressing), default=ExitCode.OK)


def raise_for_a_while(options: Options) -> int:
    """Raise a limit until an instant, after which it holds as before."""
    settings, at = load_readable(options).settings, now()
    *named, amount = options.arguments.amount
    if len(named) > 1:
        raise UsageError("Say NAME [ENTITY] +20: a name with blanks in it stands in quotes.")
    with opened_store(settings) as store, store.writing() as connection:
        in_force = effective_limits(connection, settings)
        limit = raises.limit_named(in_force.limits, options.arguments.name)
        try:
            until = end_of(options.arguments.until, at, in_force.calendar)
        except ValueError as wrong:
            raise UsageError(f"--until: {wrong}") from None
        entity = named[0] if named else None
        raised = raises.raise_limit(connection, limit, entity, _amount(amount), until, at, getuser())
    ends = local_time(raised.until, in_force.calendar)
    say(f"{clean_line(limit.name)}{_whose(raised)}: {limit.amount} + {raised.amount} until {ends}, then as before.")
    return ExitCode.OK


def take_raises_back(options: Options) -> int:
    """End the raises of a limit now, for one entity or all of them."""
    settings, at, wanted = load_readable(options).settings, now(), options.arguments
    with opened_store(settings) as store, store.writing() as connection:
        in_force = effective_limits(connection, settings)
        limit = raises.limit_named(in_force.limits, wanted.name)
        taken = raises.unraise_limit(connection, limit, wanted.entity, at)
    for one in taken:
        ends = local_time(one.until, in_force.calendar)
        say(f"{clean_line(limit.name)}{_whose(one)}: + {one.amount} until {ends} is taken back.")
    return ExitCode.OK


def _whose(one: Raise) -> str:
    return f" for {clean_line(one.entity)}" if one.entity is not None else ""


def try_on_the_past(options: Options) -> int:
    """Say what a limit would have said over the last days."""
    settings, at, wanted = load_readable(options).settings, now(), options.arguments
    if not 1 <= wanted.days <= LONGEST:
        raise UsageError(f"--days: say from 1 to {LONGEST}.")
    with opened_store(settings) as store:
        with store.reading() as connection:
            in_force = effective_limits(connection, settings)
        limit = raises.limit_named(in_force.limits, wanted.name)
        if wanted.usd is not None:
            amount = _amount(wanted.usd)
            if amount <= ZERO:
                raise UsageError("--usd has to be more than $0.")
            limit = replace(limit, amount=amount)
        ceiling = ceilings((limit,), settings, at).get(limit.name)
        with metered("Trying it on stored requests") as tell:

            def goes_on(done: float) -> bool:
                tell(done)
                return True

            tried = backtest(store, limit, in_force.calendar, wanted.days, at, goes_on, ceiling)
    assert tried is not None
    if wanted.json:
        from spendtop.api.shapes.limits import BacktestAnswer

        say(ascii_json(BacktestAnswer.of(tried, in_force.calendar).model_dump()))
        return ExitCode.OK
    value = " of API-equivalent value" if limit.measure is LimitedValue.API_EQUIVALENT else ""
    say(f"{clean_line(limit.name)}, {limit.amount}{value} per {limit.window}, over the last {wanted.days} days:")
    for line in (tried.sentence(in_force.calendar), *tried.remarks(in_force.calendar)):
        say(line)
    return ExitCode.OK


def _amount(text: str) -> Usd:
    try:
        return typed(text.removeprefix("+"))
    except ValueError:
        raise UsageError(f"'{clean_line(text, 40)}' is no amount in US dollars such as +20.") from None


class _AheadLimit(NamedTuple):
    use: LimitUse
    forecast: Forecast | None


class _AllLimits(NamedTuple):
    """All limits as they stand at `at`, UTC µs."""

    limits: Sequence[_AheadLimit]
    told: Sequence[ProviderLimitUse]
    """What providers themselves put on spend."""
    calendar: Calendar
    at: int


def _read(options: Options) -> _AllLimits:
    settings = load_readable(options).settings
    at = now()
    with opened_store(settings) as store, store.reading() as connection:
        applied = effective_limits(connection, settings)
        prices = ceilings(applied.limits, settings, at)
        standing = uses(connection, applied.limits, applied.calendar, at, ceilings=prices)
        limits = [_AheadLimit(use, forecast_of(connection, use, applied.calendar, at)) for use in standing]
        told = provider_limits(connection, at)
    return _AllLimits(limits, told, applied.calendar, at)


def _table(standing: _AllLimits, limits: Sequence[_AheadLimit]) -> str:
    headers: Sequence[str] = _HEADERS
    rows = [_row(each, standing) for each in limits]
    if any(each.use.raises for each in limits):
        headers = (*_HEADERS, "raised")
        rows = [(*row, _raised(each.use, standing.calendar)) for row, each in zip(rows, limits, strict=True)]
    lines = [table(headers, rows)]
    if any(each.use.limit.measure is LimitedValue.API_EQUIVALENT for each in limits):
        lines.append("~ is the API-equivalent value of usage under a plan; it was not spent.")
    if any(each.use.limit.window.kind is WindowKind.BLOCK for each in limits):
        lines.append("5h-block is an estimate: no provider tells when its own begins.")
    return "\n".join(lines)


def _row(limit: _AheadLimit, standing: _AllLimits) -> tuple[object, ...]:
    use, calendar = limit.use, standing.calendar
    return (
        clean_line(use.limit.name),
        use.name if use.entity.raw else "everyone",
        use.limit.window,
        f"{use.limit.measure.sign}{use.used}",
        use.limit.amount,
        use.percent,
        use.state.value,
        use.unpriced or None,
        local_time(use.ends_at, calendar),
        None if limit.forecast is None else reach_words(limit.forecast, standing.at, calendar),
    )


def _told_row(told: ProviderLimitUse, standing: _AllLimits) -> tuple[object, ...]:
    calendar, forecast = standing.calendar, told.forecast()
    return (
        clean_line(told.provider),
        clean_line(told.holder),
        clean_line(told.told.interval),
        "unknown" if told.used is None else told.used,
        "unlimited" if told.told.amount is None else told.told.amount,
        None if told.limit is None or told.used is None else told.limit.percent(told.used),
        None if told.limit is None or told.used is None else told.state.value,
        "yes" if told.told.enforced else "no",
        local_time(told.bounds.end_us, calendar),
        None if forecast is None else reach_words(forecast, standing.at, calendar),
    )


def _raised(use: LimitUse, calendar: Calendar) -> str | None:
    """`+$20.00 until 2026-11-30 00:00`."""
    if not use.raises:
        return None
    return f"+{amount_of(use.raises)} until {local_time(use.raised_until, calendar)}"


def _name(use: LimitUse) -> str:
    return f"{clean_line(use.limit.name)} {use.name}".rstrip()
