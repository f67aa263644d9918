"""`spendtop alert list`."""

from __future__ import annotations

from spendtop.cli.in_force import in_force
from spendtop.cli.options import Options, load_settings, opened_store
from spendtop.cli.tables import amount, local_time, say, table
from spendtop.domain.errors import ExitCode
from spendtop.domain.untrusted import clean_line
from spendtop.store.reads.attention import alerts

_MOST = 200


def show(options: Options) -> int:
    """Print open alerts, or all."""
    settings = load_settings(options).settings
    with opened_store(settings) as store, store.reading() as connection:
        calendar = in_force(connection, settings).calendar
        found = alerts(connection, not options.arguments.all, _MOST)
    rows = [
        (
            alert.id,
            clean_line(alert.limit_name),
            alert.entity if alert.entity.raw else "everyone",
            alert.state,
            amount(alert.used, alert.unpriced),
            alert.limit,
            local_time(alert.crossed_at, calendar),
            local_time(alert.resolved_at, calendar),
        )
        for alert in found
    ]
    headers = (">id", "limit", "entity", "state", ">used", ">limit", "since", "resolved")
    say(table(headers, rows) if rows else "There are no alerts." if options.arguments.all else "No alert is open.")
    return ExitCode.OK
