"""`spendtop reprice`: what computed costs would be, or are, by the prices of now; `list` and `--undo`."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from getpass import getuser
from typing import Any, NamedTuple

from spendtop.cli.effective_limits import effective_limits, now
from spendtop.cli.imports.target import recording
from spendtop.cli.options import Options, load_settings, opened_store
from spendtop.cli.request_selection import query_of
from spendtop.cli.run_task import follow, is_collected, show
from spendtop.cli.tables import local_time, say, table
from spendtop.collector.from_settings import pricer_of
from spendtop.collector.price_lists.kept_list import catalogue_of
from spendtop.config.settings import Settings
from spendtop.domain.clock import to_iso
from spendtop.domain.cost_words import cost_words, known_cost
from spendtop.domain.errors import ExitCode
from spendtop.domain.filters import FilterContext
from spendtop.domain.money import Usd
from spendtop.domain.request import Basis
from spendtop.domain.untrusted import Untrusted
from spendtop.services import repricing
from spendtop.services.recorder import Recorder
from spendtop.services.repricing import Candidate, Correction, Difference, Run
from spendtop.services.tasks import TaskKind
from spendtop.store.engine import Store
from spendtop.store.reads.requests import RequestQuery

_NAME = "reprice"
_INTERRUPTED = 130
_HEADERS = ("day", "model", ">requests", ">before", ">after", ">difference")


class _Group(NamedTuple):
    day: str
    """Local date."""
    model: str


class Comparison(NamedTuple):
    """What pricing anew makes of the requests that were looked at."""

    looked_at: int
    groups: Mapping[_Group, Difference]
    """Of those whose cost is another one."""


def run(options: Options) -> int:
    """Compare, or correct; with `--undo` take a run back."""
    arguments, settings = options.arguments, load_settings(options).settings
    with opened_store(settings) as store:
        with store.reading() as connection:
            calendar = effective_limits(connection, settings).calendar
        context = FilterContext(now(), calendar)
        if arguments.undo is not None:
            undo = partial(repricing.undo_step, run_id=arguments.undo, asked_by=_asked_by())
            return _carried_out(store, settings, context, arguments.undo, TaskKind.REPRICE_UNDO, undo, arguments.json)
        if arguments.resume is None:
            query = query_of(arguments, context)
            if arguments.dry_run or arguments.reported:
                return _compared(store, settings, query, context, arguments)
            with store.writing() as connection:
                run_id = repricing.begin(connection, query, " ".join(arguments.filter), _asked_by(), now())
        else:
            run_id = arguments.resume
        step = partial(repricing.step, run_id=run_id, reread=repricing.as_read_now)
        return _carried_out(store, settings, context, run_id, TaskKind.REPRICE, step, arguments.json)


def show_runs(options: Options) -> int:
    """Every run, the newest first."""
    settings = load_settings(options).settings
    with opened_store(settings) as store, store.reading() as connection:
        calendar, runs = effective_limits(connection, settings).calendar, repricing.runs(connection)
    if options.arguments.json:
        say(json.dumps({"data": [_json(each) for each in runs]}, indent=2))
        return ExitCode.OK
    if not runs:
        say("Nothing was priced anew yet. `spendtop reprice --since 7d --dry-run` shows what that would change.")
        return ExitCode.OK
    rows = [
        (
            each.id,
            _state(each),
            local_time(each.started_at, calendar),
            Untrusted(each.asked_by),
            each.changed,
            _signed(each.after - each.before),
            f"{', '.join(each.versions) or '-'} -> {each.version or '-'}",
        )
        for each in runs
    ]
    say(table((">id", "state", "begun", "by", ">changed", ">difference", "prices"), rows))
    return ExitCode.OK


def _compared(store: Store, settings: Settings, query: RequestQuery, context: FilterContext, arguments: Any) -> int:
    """Show what would change; nothing does."""
    price = pricer_of(settings, catalogue_of(settings.pricing)).cost
    comparing, bases = (
        (repricing.as_computed, (Basis.REPORTED,)) if arguments.reported else (repricing.corrections, repricing.TOUCHED)
    )
    groups: defaultdict[_Group, Difference] = defaultdict(Difference)
    looked_at = 0
    for page in _pages(store, query, context, bases):
        for each in comparing(page, repricing.as_read_now, price):
            if each.old.request.counted:
                groups[_group(each, context)].add(each.old.request.cost, each.new.request.cost)
        looked_at += len(page)
        show(f"{looked_at:,} requests looked at")
    show("")
    _tell_comparison(Comparison(looked_at, groups), arguments)
    return ExitCode.OK


def _pages(
    store: Store, query: RequestQuery, context: FilterContext, bases: Iterable[Basis]
) -> Iterator[list[Candidate]]:
    after: tuple[int, int] | None = None
    while True:
        with store.reading() as connection:
            page = repricing.candidates(connection, query, context, after, bases)
        yield page
        if len(page) < repricing.PAGE:
            return
        after = page[-1].stored.request.occurred_at, page[-1].stored.id


def _group(correction: Correction, context: FilterContext) -> _Group:
    request = correction.old.request
    return _Group(context.calendar.local(request.occurred_at).date().isoformat(), request.model or "")


def _tell_comparison(comparison: Comparison, arguments: Any) -> None:
    groups = sorted(comparison.groups.items())
    whole = Difference()
    for _, each in groups:
        whole.requests += each.requests
        whole.before += each.before
        whole.after += each.after
        whole.unpriced_before += each.unpriced_before
        whole.unpriced_after += each.unpriced_after
    if arguments.json:
        days = [{"day": group.day, "model": group.model or None, **_sums(each)} for group, each in groups]
        answer = {"dry_run": True, "looked_at": comparison.looked_at, **_sums(whole), "days": days}
        say(json.dumps(answer, indent=2))
        return
    kind = "with a reported cost" if arguments.reported else "whose cost is computed or unknown"
    if not groups:
        say(f"{comparison.looked_at:,} requests {kind} were looked at; no cost would change.")
        return
    rows = [(group.day, Untrusted(group.model) or None, *_cells(each)) for group, each in groups]
    say(table(_HEADERS, [*rows, ("total", None, *_cells(whole))]))
    would = "What was reported stays as it is." if arguments.reported else "Nothing was changed."
    say(f"{comparison.looked_at:,} requests {kind} were looked at. {would}")


def _cells(each: Difference) -> tuple[object, ...]:
    return (
        each.requests,
        _sum(each.before, each.unpriced_before, each.requests),
        _sum(each.after, each.unpriced_after, each.requests),
        _signed(each.after - each.before),
    )


def _sum(cost: Usd, unpriced: int, requests: int) -> str:
    return cost_words(known_cost(cost, requests, unpriced), unpriced)


def _signed(difference: Usd) -> str:
    return str(difference) if difference.nano < 0 else f"+{difference}"


def _sums(each: Difference) -> dict[str, object]:
    return {
        "requests": each.requests,
        "before_usd": float(each.before.dollars),
        "after_usd": float(each.after.dollars),
        "difference_usd": float((each.after - each.before).dollars),
        "difference_nanousd": (each.after - each.before).nano,
        "unpriced_before": each.unpriced_before,
        "unpriced_after": each.unpriced_after,
    }


def _carried_out(
    store: Store,
    settings: Settings,
    context: FilterContext,
    run_id: int,
    kind: TaskKind,
    step: Callable[..., Run],
    as_json: bool,
) -> int:
    """Do it by the collector where one runs, else here; either can be interrupted, and resumed."""
    tell: Callable[[str], None] = (lambda sentence: None) if as_json else say
    if is_collected(store):
        code = follow(store, kind, {"run": run_id, "by": _asked_by()}, _NAME, tell)
        if code != ExitCode.OK:
            return code
        with store.reading() as connection:
            run = repricing.run_of(connection, run_id)
    else:
        with recording(settings, context.now_us) as target:
            try:
                run = _stepped(target.recorder, context, step)
            except KeyboardInterrupt:
                show("")
                say(f"Interrupted. `spendtop reprice --resume {run_id}` goes on there.")
                return _INTERRUPTED
        tell(repricing.told(run))
    if as_json:
        say(json.dumps(_json(run), indent=2))
    return ExitCode.OK


def _stepped(recorder: Recorder, context: FilterContext, step: Callable[..., Run]) -> Run:
    while True:
        run = recorder.run(lambda connection: step(connection, recording=recorder.recording, context=context)).result()
        show(f"{run.looked_at:,} requests looked at, {run.changed:,} changed")
        if run.is_over:
            show("")
            return run


def _json(run: Run) -> dict[str, object]:
    return {
        "id": run.id,
        "state": run.state,
        "by": run.asked_by,
        "started_at": to_iso(run.started_at),
        "since": None if run.since is None else to_iso(run.since),
        "until": None if run.until is None else to_iso(run.until),
        "filter": run.filter,
        "looked_at": run.looked_at,
        "changed": run.changed,
        "before_usd": float(run.before.dollars),
        "after_usd": float(run.after.dollars),
        "difference_usd": float((run.after - run.before).dollars),
        "difference_nanousd": (run.after - run.before).nano,
        "unpriced_before": run.unpriced_before,
        "unpriced_after": run.unpriced_after,
        "versions_before": list(run.versions),
        "version": run.version or None,
        "undone_by": run.undone_by,
        "skipped": run.skipped,
    }


def _state(run: Run) -> str:
    return f"{run.state}, {run.skipped:,} left" if run.skipped else run.state


def _asked_by() -> str:
    try:
        return getuser()
    except (KeyError, OSError):
        return "shell"
