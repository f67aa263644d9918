"""`spendtop ledger explain`."""

from __future__ import annotations

from datetime import UTC, datetime

from spendtop.cli.effective_limits import now
from spendtop.cli.ledger import account_named
from spendtop.cli.options import Options, load_settings, opened_store
from spendtop.cli.tables import say, table
from spendtop.domain.clock import DAY, to_datetime, to_micros
from spendtop.domain.differences import Explanation
from spendtop.domain.errors import ExitCode, UsageError
from spendtop.domain.untrusted import clean_line
from spendtop.services.bill_differences import explain, sentence


def run(options: Options) -> int:
    """Print what accounts for the difference between bill and requests."""
    settings = load_settings(options).settings
    today = now() // DAY
    day = _day(options.arguments.day, today)
    with opened_store(settings) as store, store.reading() as connection:
        account = account_named(connection, settings, options.arguments.account)
        found = explain(connection, account.name, account.provider, day)
    name, date = clean_line(account.name), f"{to_datetime(day * DAY):%Y-%m-%d}"
    if found is None:
        raise UsageError(f"Nothing was billed to {name} for {date} as far as it was polled.")
    say(f"{name} on {date} (UTC): billed {found.billed}, seen here {found.ours}, difference {found.difference}")
    if day == today:
        say("The day is not over, and what was billed comes late; this is how it stands.")
    say(_shares(found))
    if len(found.projects) > 1:
        rows = [(clean_line(one.project) or "(none)", one.billed, one.unseen) for one in found.projects]
        say("\n" + table(("project", ">billed", ">never passed through us"), rows))
    return ExitCode.OK


def _shares(found: Explanation) -> str:
    if not found.shares:
        return "They agree to the last digit."
    rows = [(share.amount, share.kind.value, sentence(share)) for share in found.shares]
    return "\n" + table((">amount", "kind", "what"), rows)


def _day(text: str, today: int) -> int:
    """A UTC day, counted since 1970."""
    words = {"today": today, "yesterday": today - 1}
    if text in words:
        return words[text]
    try:
        return to_micros(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)) // DAY
    except ValueError:
        raise UsageError("DAY is a UTC day such as 2026-11-19, today or yesterday.") from None
