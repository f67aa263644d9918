"""`spendtop poll` and `spendtop helicone backfill`: have the collector ask providers."""

from __future__ import annotations

from spendtop.cli.effective_limits import effective_limits, now
from spendtop.cli.options import Options, load_readable, opened_store
from spendtop.cli.request_selection import span_of
from spendtop.cli.run_task import ask_and_wait, follow, require_collector
from spendtop.cli.tables import say
from spendtop.collector.polling.poll_config import polled
from spendtop.domain.errors import ExitCode, UsageError
from spendtop.domain.untrusted import clean_line
from spendtop.services.tasks import TaskKind
from spendtop.store.reads.configuration.applied import applied

_POLLED_WITHIN = 300.0
"""Seconds; a first poll reads a month."""


def run(options: Options) -> int:
    """Poll one poller, or all, and say what came."""
    settings, name = load_readable(options).settings, options.arguments.name
    with opened_store(settings) as store:
        with store.reading() as connection:
            by_collector = applied(connection)
        names = [each.name for each in (polled(settings) if by_collector is None else by_collector.pollers)]
        if not names:
            raise UsageError("Nothing is polled: there is no key of a provider in the configuration.")
        if name is not None and name not in names:
            raise UsageError(f"There is no such poller. There are: {', '.join(map(clean_line, names))}.")
        say(ask_and_wait(store, TaskKind.POLL_NOW, {} if name is None else {"poller": name}, _POLLED_WITHIN))
    return ExitCode.OK


def backfill(options: Options) -> int:
    """Ask, and show how far it is until it is done; Ctrl+C stops it."""
    settings = load_readable(options).settings
    with opened_store(settings) as store:
        require_collector(store)
        at = now()
        with store.reading() as connection:
            calendar = effective_limits(connection, settings).calendar
        span = span_of(options.arguments.since, options.arguments.until, at, calendar)
        until = at if span.until is None else min(span.until, at)
        if span.since is None or span.since >= until:
            raise UsageError("--since lies in the future.")
        return follow(store, TaskKind.BACKFILL, {"since": span.since, "until": until}, "back-fill")
