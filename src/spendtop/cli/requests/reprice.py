"""`spendtop reprice`: what computed costs would be, or are, by the prices of now; `list` and `--undo`."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial

from sqlalchemy import Connection

from spendtop.cli.effective_limits import effective_limits, now
from spendtop.cli.imports.target import recording
from spendtop.cli.interruption import INTERRUPTED
from spendtop.cli.meter import show
from spendtop.cli.options import Options, load_readable, load_settings, opened_store
from spendtop.cli.request_selection import query_of
from spendtop.cli.run_task import follow, is_collected
from spendtop.cli.tables import local_time, say, table
from spendtop.collector.from_settings import pricer_of
from spendtop.collector.price_lists.kept_list import catalogue_of
from spendtop.config.settings import Settings
from spendtop.domain.clock import to_iso
from spendtop.domain.cost_words import known_cost
from spendtop.domain.counted import counted
from spendtop.domain.errors import ExitCode, UsageError
from spendtop.domain.filters.filters import FilterContext
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Basis
from spendtop.domain.untrusted import Untrusted, clean_line
from spendtop.services.recording.recorder import Recorder
from spendtop.services.repricing import current_costs, repricing
from spendtop.services.repricing.current_costs import (
    COMPUTED_HERE,
    CostComparison,
    DayOfModel,
    Difference,
    Page,
    as_read_now,
)
from spendtop.services.repricing.repricing import Run
from spendtop.services.tasks import TaskKind
from spendtop.store.engine import Store
from spendtop.store.reads.requests.lists import RequestQuery, refuse_unsearchable

_NAME = "reprice"
_WIDTH, _GAP = 80, 2
"""Of the table, and between two of its columns."""
_LEAST_OF_MODEL = 11
_HEADERS = ("day", "model", ">requests", ">before", ">after", ">difference", ">unpriced")

Step = Callable[[Recorder, FilterContext], Run]
"""Does one page and says how the run stands then."""


def run(options: Options) -> int:
    """Compare, or correct; with `--undo` take a run back."""
    arguments = options.arguments
    _require_one_thing(arguments)
    settings = load_settings(options).settings
    with opened_store(settings) as store:
        with store.reading() as connection:
            context = FilterContext(now(), effective_limits(connection, settings).calendar)
            if arguments.undo is not None:
                repricing.undoable(connection, arguments.undo)
            elif arguments.resume is not None:
                repricing.resumable(connection, arguments.resume)
            else:
                query = _query_of(arguments, context, connection)
        if arguments.undo is not None:
            return _carried_out(store, settings, context, arguments, arguments.undo, TaskKind.REPRICE_UNDO)
        if arguments.resume is not None:
            return _carried_out(store, settings, context, arguments, arguments.resume, TaskKind.REPRICE)
        if arguments.dry_run or arguments.reported:
            return _compared(store, settings, query, context, arguments)
        with store.writing() as connection:
            run_id = repricing.begin(
                connection, query, " ".join(arguments.filter), repricing.who_asks(), context.now_us
            )
        return _carried_out(store, settings, context, arguments, run_id, TaskKind.REPRICE)


def show_runs(options: Options) -> int:
    """Every run, the newest first."""
    settings = load_readable(options).settings
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
            f"{each.changed:,}",
            _signed(each.after - each.before),
            f"{_some(each.versions)} -> {each.version or '-'}",
        )
        for each in runs
    ]
    say(table((">id", "state", "begun", "by", ">changed", ">difference", "prices"), rows))
    for each in runs:
        if each.is_interrupted(now()):
            say(f"Reprice {each.id} was interrupted; `{repricing.how_to_go_on(each)}` goes on there.")
    return ExitCode.OK


def _require_one_thing(arguments: Namespace) -> None:
    """Raises UsageError for options that do not go together."""
    about_a_run = {"--undo": arguments.undo is not None, "--resume": arguments.resume is not None}
    other = {
        "--dry-run": arguments.dry_run,
        "--reported": arguments.reported,
        "--since": arguments.since is not None,
        "--until": arguments.until is not None,
        "a filter": bool(arguments.filter),
    }
    named = [name for name, is_set in about_a_run.items() if is_set]
    also = [*named[1:], *(name for name, is_set in other.items() if is_set)]
    if named and also:
        raise UsageError(f"{named[0]} takes the whole run that its number names; leave {also[0]} out.")


def _query_of(arguments: Namespace, context: FilterContext, connection: Connection) -> RequestQuery:
    query = query_of(arguments, context)
    if query.since is not None and query.since > context.now_us:
        raise UsageError("--since lies in the future.")
    refuse_unsearchable(connection, query)
    return query


def _compared(
    store: Store, settings: Settings, query: RequestQuery, context: FilterContext, arguments: Namespace
) -> int:
    """Show what would change; nothing does."""
    price = pricer_of(settings, catalogue_of(settings.pricing)).cost
    comparing, bases = (
        (current_costs.differing_reports, (Basis.REPORTED,))
        if arguments.reported
        else (current_costs.corrections, COMPUTED_HERE)
    )
    comparison, page, is_last = CostComparison(context.calendar), Page(None, ()), False
    while not is_last:
        with store.reading() as connection:
            page = current_costs.read_page(connection, query, context, page.end, bases)
        comparison.add(page, comparing(page.candidates, as_read_now, price))
        show(f"{counted(comparison.looked_at, 'request')} looked at")
        is_last = page.is_last
    show("")
    if arguments.json:
        say(json.dumps(_json_of_comparison(comparison), indent=2))
    else:
        _tell_comparison(comparison, arguments.reported)
    return ExitCode.OK


def _tell_comparison(comparison: CostComparison, is_of_reported: bool) -> None:
    kind = "Reported" if is_of_reported else "Computed and unknown"
    compared = f"{kind} costs compared: {comparison.looked_at:,}"
    if not comparison.whole.requests:
        say(f"{compared}; {'none differs' if is_of_reported else 'no cost would change'}.")
        return
    say(_table(comparison))
    say(f"{compared}. {'What was reported stays as it is.' if is_of_reported else 'Nothing was changed.'}")


def _table(comparison: CostComparison) -> str:
    """In 80 columns: models have the room that is left, and what is unpriced has a column only where something is."""
    compared = [*comparison.by_day_and_model, (DayOfModel("total", ""), comparison.whole)]
    has_unpriced = comparison.whole.unpriced_before or comparison.whole.unpriced_after
    figures = [_figures(each)[: None if has_unpriced else -1] for _, each in compared]
    heads = _HEADERS[: len(figures[0]) + 2]
    widths = [max(len(head) - 1, *map(len, column)) for head, *column in zip(heads[2:], *figures, strict=True)]
    room = _WIDTH - len("2026-11-01") - sum(widths) - _GAP * (len(heads) - 1)
    rows = [
        (named.day, _in(max(room, _LEAST_OF_MODEL), named.model) if named.model else None, *cells)
        for (named, _), cells in zip(compared, figures, strict=True)
    ]
    return table(heads, rows)


def _in(width: int, model: str) -> str:
    """With its end, as that tells two versions apart."""
    name = clean_line(model)
    return name if len(name) <= width else f"{name[: width - width // 2 - 1]}…{name[-(width // 2) :]}"


def _figures(each: Difference) -> tuple[str, ...]:
    return (
        f"{each.requests:,}",
        _known(each.before, each.requests, each.unpriced_before),
        _known(each.after, each.requests, each.unpriced_after),
        _signed(each.change),
        f"{each.unpriced_before:,} -> {each.unpriced_after:,}",
    )


def _known(cost: Usd, requests: int, unpriced: int) -> str:
    known = known_cost(cost, requests, unpriced)
    return "-" if known is None else str(known)


def _signed(difference: Usd) -> str:
    return str(difference) if difference.nano < 0 else f"+{difference}"


def _json_of_comparison(comparison: CostComparison) -> dict[str, object]:
    days = [
        {"day": named.day, "model": named.model or None, **_json_of_difference(each)}
        for named, each in comparison.by_day_and_model
    ]
    whole = _json_of_difference(comparison.whole)
    return {"dry_run": True, "looked_at": comparison.looked_at, **whole, "days": days}


def _json_of_difference(each: Difference) -> dict[str, object]:
    return {
        "requests": each.requests,
        "before_usd": float(each.before.dollars),
        "after_usd": float(each.after.dollars),
        "difference_usd": float(each.change.dollars),
        "difference_nanousd": each.change.nano,
        "unpriced_before": each.unpriced_before,
        "unpriced_after": each.unpriced_after,
    }


def _carried_out(
    store: Store, settings: Settings, context: FilterContext, arguments: Namespace, run_id: int, kind: TaskKind
) -> int:
    """Do it by the collector where one runs, else here; either can be interrupted, and resumed."""
    tell: Callable[[str], None] = (lambda sentence: None) if arguments.json else say
    if is_collected(store):
        code = follow(store, kind, {"run": run_id, "by": repricing.who_asks()}, _NAME, tell)
    else:
        step = _undo_step(run_id) if kind is TaskKind.REPRICE_UNDO else _step(store, run_id)
        code = _done_here(store, settings, context, run_id, step, tell)
    with store.reading() as connection:
        run = repricing.run_of(connection, run_id)
    if arguments.json:
        say(json.dumps(_json(run), indent=2))
    elif run.state == "done" and run.changed and code == ExitCode.OK:
        say(f"`spendtop reprice --undo {run_id}` takes it back.")
    return code


def _done_here(
    store: Store, settings: Settings, context: FilterContext, run_id: int, step: Step, tell: Callable[[str], None]
) -> int:
    with recording(settings, context.now_us) as target:
        try:
            while not (run := step(target.recorder, FilterContext(now(), context.calendar))).is_over:
                show(repricing.progress(run))
        except KeyboardInterrupt:
            show("")
            target.recorder.run(partial(repricing.leave, run_id=run_id)).result()
            with store.reading() as connection:
                run = repricing.run_of(connection, run_id)
            tell(f"Interrupted. `{repricing.how_to_go_on(run)}` goes on there.")
            return INTERRUPTED
    show("")
    tell(repricing.outcome(run))
    return ExitCode.OK


def _step(store: Store, run_id: int) -> Step:
    def step(recorder: Recorder, context: FilterContext) -> Run:
        with store.reading() as connection:
            page = repricing.next_page(connection, run_id, context.calendar)
        differing = list(current_costs.corrections(page.candidates, as_read_now, recorder.cost))
        return recorder.run(
            lambda connection: repricing.step(
                connection, run_id, page, differing, recorder.recording, context, as_read_now
            )
        ).result()

    return step


def _undo_step(run_id: int) -> Step:
    def step(recorder: Recorder, context: FilterContext) -> Run:
        return recorder.run(
            lambda connection: repricing.undo_step(
                connection, run_id, recorder.recording, context, repricing.who_asks()
            )
        ).result()

    return step


def _json(run: Run) -> dict[str, object]:
    return {
        "id": run.id,
        "state": "interrupted" if run.is_interrupted(now()) else run.state,
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
        "restored": run.restored,
        "skipped": run.skipped,
    }


def _some(versions: Sequence[str]) -> str:
    more = len(versions) - 1
    return f"{versions[0]} and {more} more" if more > 0 else "".join(versions) or "-"


def _state(run: Run) -> str:
    state = "interrupted" if run.is_interrupted(now()) else run.state
    return f"{state}, {run.skipped:,} left" if run.skipped else state
