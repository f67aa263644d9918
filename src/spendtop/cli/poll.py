"""`spendtop poll`: have the collector ask a provider now."""

from __future__ import annotations

from spendtop.cli.options import Options, load_settings, opened_store
from spendtop.cli.run_task import ask_and_wait
from spendtop.cli.tables import say
from spendtop.collector.polling.poll_config import polled
from spendtop.domain.errors import ExitCode, UsageError
from spendtop.domain.untrusted import clean_line
from spendtop.services.tasks import TaskKind

_POLLED_WITHIN = 300.0
"""Seconds; a first poll reads a month."""


def run(options: Options) -> int:
    """Poll one poller, or all, and say what came."""
    settings, name = load_settings(options).settings, options.arguments.name
    known = [each.name for each in polled(settings)]
    if not known:
        raise UsageError("Nothing is polled: there is no key of a provider in the configuration.")
    if name is not None and name not in known:
        raise UsageError(f"There is no such poller. There are: {', '.join(map(clean_line, known))}.")
    with opened_store(settings) as store:
        say(ask_and_wait(store, TaskKind.POLL_NOW, {} if name is None else {"poller": name}, _POLLED_WITHIN))
    return ExitCode.OK
