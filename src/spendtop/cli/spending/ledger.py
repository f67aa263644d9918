"""`spendtop ledger list`, `show`, `sync`, `deposit`, `refund`, `expire`, `adjust` and `explain`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from getpass import getuser

from sqlalchemy import Connection

from spendtop.cli.effective_limits import accounts_in_force, effective_limits, now
from spendtop.cli.options import Options, load_readable, opened_store
from spendtop.cli.request_selection import instant_of
from spendtop.cli.run_task import ask_and_wait
from spendtop.cli.tables import local_time, say, table
from spendtop.config.settings import Settings
from spendtop.domain.clock import DAY, to_datetime, to_micros
from spendtop.domain.cost_words import cost_words, known_cost
from spendtop.domain.errors import ExitCode, SpendtopError, UsageError
from spendtop.domain.ledger.amounts import typed
from spendtop.domain.ledger.balance import EntryKind
from spendtop.domain.ledger.differences import Explanation
from spendtop.domain.ledger.holders import HolderBill, holder_words
from spendtop.domain.ledger.used import used_words
from spendtop.domain.money import Usd
from spendtop.domain.shell_words import shell_word
from spendtop.domain.untrusted import clean_line
from spendtop.domain.windows import Calendar
from spendtop.services.exchange.export import ascii_json
from spendtop.services.ledger import differences as bill_differences
from spendtop.services.ledger import entries as ledger
from spendtop.services.tasks import TaskKind
from spendtop.store.engine import Store
from spendtop.store.reads.ledger.accounts import AccountNow, AccountState, LedgerDay, account_now, days, events
from spendtop.store.reads.ledger.balances import Account
from spendtop.store.reads.ledger.day_bills import DayBill, billed_until, day_bill
from spendtop.store.reads.ledger.imported import imported_requests

_DAYS, _EVENTS = 14, 20
_POLLED_WITHIN = 30.0
_NONE = (
    "There are no accounts. Set admin_key under [openai] or [anthropic], or add an [[account]] to spendtop.toml for"
    " any other balance."
)


def show_all(options: Options) -> int:
    settings = load_readable(options).settings
    at = now()
    with opened_store(settings) as store, store.reading() as connection:
        calendar = effective_limits(connection, settings).calendar
        accounts = [account_now(connection, each, at) for each in accounts_in_force(connection, settings)]
    if options.arguments.json:
        from spendtop.api.shapes.ledger import AccountItem, AccountsAnswer

        answer = AccountsAnswer(data=[AccountItem(**AccountItem.fields_of(each)) for each in accounts])
        say(ascii_json(answer.model_dump()))
        return ExitCode.OK
    rows = [
        (
            clean_line(each.account.name),
            each.account.provider,
            _balance(each),
            _state(each),
            each.account.low_balance,
            each.burn_per_day,
            local_time(each.run_out_at, calendar),
            local_time(each.calibrated_at, calendar),
            local_time(each.as_of, calendar),
        )
        for each in accounts
    ]
    headers = ("account", "provider", ">balance", "state", ">low at", ">per day", "runs out", "calibrated", "as of")
    say(table(headers, rows) if rows else _NONE)
    for each in accounts:
        if each.caution is not None:
            say(f"{clean_line(each.account.name)}: {each.caution}")
    return ExitCode.OK


def show(options: Options) -> int:
    """One account; with a day or a kind of holder, that day by key, user or project."""
    if options.arguments.day is not None or options.arguments.by is not None:
        return _show_day(options)
    settings = load_readable(options).settings
    at = now()
    with opened_store(settings) as store, store.reading() as connection:
        calendar = effective_limits(connection, settings).calendar
        account = _account_named(connection, settings, options.arguments.account)
        current = account_now(connection, account, at)
        entered = events(connection, account.name, _EVENTS)
        lately = days(connection, account, at // DAY - _DAYS + 1, at // DAY)
        until = billed_until(connection, account.name)
    if options.arguments.json:
        from spendtop.api.shapes.ledger import AccountAnswer

        say(ascii_json(AccountAnswer.of(current, entered, lately).model_dump()))
        return ExitCode.OK
    for line in _lines(current, calendar):
        say(line)
    if until is not None:
        say(f"billed until {local_time(until, calendar)}; what is later is not billed yet")
    if entered:
        rows = [
            (
                local_time(each.effective_at, calendar),
                each.kind.value,
                each.amount,
                each.observed,
                each.recorded_by,
                each.note,
            )
            for each in entered
        ]
        say("\n" + table(("when", "what", ">amount", ">balance read", "by", "note"), rows))
    if lately:
        say("\n" + table(("day (UTC)", ">billed", ">seen here", ">difference", "remarks"), [*map(_day, lately)]))
    return ExitCode.OK


def _show_day(options: Options) -> int:
    """A UTC day of an account by key, user or project."""
    settings, wanted = load_readable(options).settings, options.arguments
    day = _utc_day(wanted.day or "yesterday", now() // DAY)
    with opened_store(settings) as store, store.reading() as connection:
        calendar = effective_limits(connection, settings).calendar
        account = _account_named(connection, settings, wanted.account)
        found = day_bill(connection, account, day, wanted.by or "key")
    if wanted.json:
        from spendtop.api.shapes.ledger import DayBillItem

        say(ascii_json(DayBillItem.of(found).model_dump()))
        return ExitCode.OK
    date, whole = f"{to_datetime(day * DAY):%Y-%m-%d}", found.whole
    say(f"{clean_line(account.name)} on {date} (UTC) by {found.by}:")
    say(_holders(found))
    if beside := used_words(found.used):
        say(f"\nThe provider also counted {beside}.")
    if whole.later_requests and found.billed_until is not None:
        until = local_time(found.billed_until, calendar)
        say(f"\nBilled until {until}; {whole.later} of {whole.later_requests:,} requests since are not billed yet.")
    return ExitCode.OK


def _holders(found: DayBill) -> str:
    whole = found.whole

    def tokens(each: HolderBill) -> tuple[str, ...]:
        return (f"{each.billed_tokens:,}", f"{each.seen_tokens:,}") if found.counts_tokens else ()

    rows = [
        (
            holder_words(each.id, each.name, found.by, each.is_shared),
            each.billed if found.is_billed else None,
            cost_words(known_cost(each.seen, each.requests, each.unpriced), each.unpriced),
            each.difference if found.is_compared else None,
            *tokens(each),
            each.later if each.later_requests else None,
            "never passed here" if each.never_passed else None,
        )
        for each in found.holders
    ]
    rows.append(
        (
            "TOTAL",
            whole.billed if found.is_billed else None,
            cost_words(known_cost(whole.seen, whole.requests, whole.unpriced), whole.unpriced),
            whole.difference if found.is_compared else None,
            *tokens(whole),
            whole.later if whole.later_requests else None,
            None,
        )
    )
    headers = (
        *(found.by, ">billed", ">seen here", ">difference"),
        *((">tokens billed", ">seen") if found.counts_tokens else ()),
        *(">not billed yet", "remarks"),
    )
    return table(headers, rows)


def sync(options: Options) -> int:
    """Calibrate: enter what the provider's billing page says now."""
    settings = load_readable(options).settings
    observed = _usd(options.arguments.amount)
    with opened_store(settings) as store:
        with store.reading() as connection:
            account = _kept(connection, settings, options.arguments.account)
        stale = _polled(store, account)
        at = now()
        with store.writing() as connection:
            calibrated = ledger.calibrate(connection, account, observed, at, at, getuser())
    for line in _calibrated(account, calibrated):
        say(line)
    if stale:
        say(f"What was billed lately could not be read, and may be a part of that: {stale}")
    return ExitCode.OK


def deposit(options: Options) -> int:
    return _enter(options, EntryKind.DEPOSIT)


def refund(options: Options) -> int:
    return _enter(options, EntryKind.REFUND)


def expire(options: Options) -> int:
    return _enter(options, EntryKind.EXPIRY)


def adjust(options: Options) -> int:
    return _enter(options, EntryKind.ADJUSTMENT)


def explain(options: Options) -> int:
    """Print what accounts for the difference between bill and requests."""
    settings = load_readable(options).settings
    today = now() // DAY
    day = _utc_day(options.arguments.day, today)
    with opened_store(settings) as store, store.reading() as connection:
        account = _account_named(connection, settings, options.arguments.account)
        explanation = bill_differences.explain(connection, account.name, account.biller, day)
        imported = imported_requests(connection, account.biller, day, day).get(day, 0)
    name, date = clean_line(account.name), f"{to_datetime(day * DAY):%Y-%m-%d}"
    if imported:
        raise UsageError(f"{name} on {date} is not compared: {_imported(imported)}.")
    if explanation is None:
        raise UsageError(f"Nothing was billed to {name} for {date} as far as it was polled.")
    sums = f"billed {explanation.billed}, seen here {explanation.ours}, difference {explanation.difference}"
    say(f"{name} on {date} (UTC): {sums}")
    if day == today:
        say("The day is not over, and what was billed comes late; this is how it stands.")
    say(_shares(explanation))
    if len(explanation.projects) > 1:
        rows = [(clean_line(one.project) or "(none)", one.billed, one.unseen) for one in explanation.projects]
        say("\n" + table(("project", ">billed", ">never passed through us"), rows))
    return ExitCode.OK


def _enter(options: Options, kind: EntryKind) -> int:
    arguments, settings = options.arguments, load_readable(options).settings
    entered, at = _usd(arguments.amount), now()
    with opened_store(settings) as store:
        with store.reading() as connection:
            account = _kept(connection, settings, arguments.account)
            calendar = effective_limits(connection, settings).calendar
        when = at if arguments.at is None else instant_of(arguments.at, at, calendar)
        with store.writing() as connection:
            ledger.record(connection, account.name, kind, entered, when, at, note=arguments.note, by=getuser())
        with store.reading() as connection:
            current = account_now(connection, account, at)
    say(f"Entered: {kind.value} of {entered} on {local_time(when, calendar)}.")
    say(f"{clean_line(account.name)} is at {_balance(current)} now{_how_sure(current)}.")
    if current.calibrated_at is not None and when <= current.calibrated_at:
        say("It took effect before the last calibration, which holds it already; the balance is as it was.")
    return ExitCode.OK


def _account_named(connection: Connection, settings: Settings, name: str) -> Account:
    """An account in force. Raises UsageError, with the names that there are."""
    accounts = accounts_in_force(connection, settings)
    for account in accounts:
        if account.name == name:
            return account
    names = ", ".join(clean_line(account.name) for account in accounts)
    raise UsageError(f"There is no account {clean_line(name)!r}. {f'There are: {names}.' if names else _NONE}")


def _kept(connection: Connection, settings: Settings, name: str) -> Account:
    """An account whose balance is kept here."""
    account = _account_named(connection, settings, name)
    if account.tells_balance:
        raise UsageError(
            f"{clean_line(name)} has a balance that its provider tells; there is nothing to enter."
            " `spendtop ledger show` has it."
        )
    return account


def _polled(store: Store, account: Account) -> str:
    """Have costs read that are older than one interval; why that could not be done, else nothing."""
    with store.reading() as connection:
        if not account_now(connection, account, now()).wants_poll(now()):
            return ""
    try:
        ask_and_wait(store, TaskKind.POLL_NOW, {"poller": account.poller}, _POLLED_WITHIN)
    except SpendtopError as failure:
        return str(failure)
    return ""


def _usd(text: str) -> Usd:
    try:
        return typed(text)
    except ValueError:
        raise UsageError("AMOUNT is a number of US dollars, such as 42.93.") from None


def _lines(current: AccountNow, calendar: Calendar) -> Iterator[str]:
    account = current.account
    yield f"{clean_line(account.name)} ({account.provider}): {_balance(current)}{_how_sure(current)}"
    if current.caution is not None:
        yield current.caution
    if current.as_of is not None:
        yield f"as of {local_time(current.as_of, calendar)}"
    if current.failure is not None:
        yield f"The last poll gave nothing: {current.failure}"
    if current.calibrated_at is not None:
        drift = "-" if current.drift is None else current.drift
        yield f"calibrated {local_time(current.calibrated_at, calendar)}, drift {drift}"
    elif not account.tells_balance:
        yield (
            f"`spendtop ledger sync {shell_word(account.name)} AMOUNT` enters what the provider's page says;"
            " no alert is told before."
        )
    if current.burn_per_day is not None:
        runs_out = f", runs out {local_time(current.run_out_at, calendar)}" if current.run_out_at is not None else ""
        yield f"{current.burn_per_day} per day{runs_out}"


def _balance(current: AccountNow) -> str:
    return "unknown" if current.balance is None else current.balance.floored


def _state(current: AccountNow) -> str:
    return "estimate" if current.is_estimate and current.state is AccountState.OK else current.state.value


def _how_sure(current: AccountNow) -> str:
    return f" ({_state(current)})" if current.is_estimate or current.state is not AccountState.OK else ""


def _calibrated(account: Account, calibrated: ledger.Calibrated) -> Iterator[str]:
    stands = f"{clean_line(account.name)} is at {calibrated.observed.floored} now."
    if calibrated.predicted is None or calibrated.drift is None:
        yield f"{stands} The next calibration tells how far the ledger was off."
    else:
        yield f"{stands} The ledger had {calibrated.predicted.floored}."
        yield _drift(calibrated.drift)


def _drift(drift: Usd) -> str:
    if drift.nano == 0:
        return "They agree to the last digit."
    if drift.nano > 0:
        return f"Drift {drift}: credit that nobody entered, or costs that came late."
    return f"Drift {drift}: spend or an expiry that the ledger does not know."


def _day(day: LedgerDay) -> tuple[object, ...]:
    remarks = [
        *(["the last poll lacks a part of it"] if day.doubted else []),
        *([_restated(day.restated)] if day.restated else []),
        *([f"not compared: {_imported(day.imported)}"] if day.imported else []),
    ]
    return (
        f"{to_datetime(day.day * DAY):%Y-%m-%d}",
        day.billed,
        cost_words(day.known_ours, day.unpriced),
        day.difference,
        ", ".join(remarks),
    )


def _imported(requests: int) -> str:
    return f"{requests:,} {'request was' if requests == 1 else 'requests were'} imported, perhaps of a part of the day"


def _restated(times: int) -> str:
    return "restated once" if times == 1 else f"restated {times} times"


def _shares(explanation: Explanation) -> str:
    if not explanation.shares:
        return "They agree to the last digit."
    rows = [(share.amount, share.kind.value, bill_differences.sentence(share)) for share in explanation.shares]
    return "\n" + table((">amount", "kind", "what"), rows)


def _utc_day(text: str, today: int) -> int:
    """A UTC day, counted since 1970."""
    words = {"today": today, "yesterday": today - 1}
    if text in words:
        return words[text]
    try:
        return to_micros(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)) // DAY
    except ValueError:
        raise UsageError("DAY is a UTC day such as 2026-11-19, today or yesterday.") from None
