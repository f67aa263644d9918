"""`spendtop poll` and `spendtop helicone backfill`: have the collector ask providers."""

from __future__ import annotations

import sys
import time

from spendtop.cli.effective_limits import effective_limits, now
from spendtop.cli.options import Options, load_settings, opened_store
from spendtop.cli.request_selection import span_of
from spendtop.cli.run_task import ask_and_wait, look, require_collector, result_of
from spendtop.cli.tables import say
from spendtop.collector.polling.poll_config import polled
from spendtop.domain.errors import ExitCode, SpendtopError, UsageError
from spendtop.domain.untrusted import clean_line
from spendtop.services import tasks
from spendtop.services.tasks import Task, TaskKind, TaskState
from spendtop.store.engine import Store

_POLLED_WITHIN = 300.0
"""Seconds; a first poll reads a month."""
_LOOK = 0.2
_INTERRUPTED = 130
_STOPS_WITHIN = 30.0
"""Seconds; one page takes no longer as a rule."""


def run(options: Options) -> int:
    """Poll one poller, or all, and say what came."""
    settings, name = load_settings(options).settings, options.arguments.name
    names = [each.name for each in polled(settings)]
    if not names:
        raise UsageError("Nothing is polled: there is no key of a provider in the configuration.")
    if name is not None and name not in names:
        raise UsageError(f"There is no such poller. There are: {', '.join(map(clean_line, names))}.")
    with opened_store(settings) as store:
        say(ask_and_wait(store, TaskKind.POLL_NOW, {} if name is None else {"poller": name}, _POLLED_WITHIN))
    return ExitCode.OK


def backfill(options: Options) -> int:
    """Ask, and show how far it is until it is done; Ctrl+C stops it."""
    settings = load_settings(options).settings
    with opened_store(settings) as store:
        require_collector(store)
        at = now()
        with store.reading() as connection:
            calendar = effective_limits(connection, settings).calendar
        span = span_of(options.arguments.since, options.arguments.until, at, calendar)
        until = at if span.until is None else min(span.until, at)
        if span.since is None or span.since >= until:
            raise UsageError("--since lies in the future.")
        with store.writing() as connection:
            task_id = tasks.ask(connection, TaskKind.BACKFILL, {"since": span.since, "until": until}, at)
        try:
            say(result_of(_followed(store, task_id)))
        except KeyboardInterrupt:
            return _stop(store, task_id)
    return ExitCode.OK


def _followed(store: Store, task_id: int) -> Task:
    """The task once it has ended; until then its progress is on stderr, where that is a terminal."""
    shown = ""
    try:
        while not (task := look(store, task_id)).finished:
            if (words := _progress(task)) != shown:
                shown = words
                _show(words)
            _require_goes_on(store)
            time.sleep(_LOOK)
        return task
    finally:
        _show("")


def _progress(task: Task) -> str:
    if task.state is TaskState.QUEUED:
        return "Back-fill: waits for the collector."
    return f"Back-fill: {task.progress or 'has begun'}. Ctrl+C stops it."


def _show(words: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{words}")
        sys.stderr.flush()


def _require_goes_on(store: Store) -> None:
    try:
        require_collector(store)
    except UsageError:
        raise SpendtopError(
            "The collector ended. The back-fill goes on as soon as one runs: start `spendtop`."
        ) from None


def _stop(store: Store, task_id: int) -> int:
    with store.writing() as connection:
        tasks.stop(connection, task_id, now())
    deadline = time.monotonic() + _STOPS_WITHIN
    while not (task := look(store, task_id)).finished:
        if time.monotonic() > deadline:
            say("It stops once the page that is being asked for is there. Asked for again, it goes on there.")
            return _INTERRUPTED
        time.sleep(_LOOK)
    say(result_of(task))
    return ExitCode.OK if task.state is TaskState.DONE else _INTERRUPTED
