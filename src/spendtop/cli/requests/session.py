"""`spendtop session`: what one session or job cost, by model and by path."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from spendtop.cli.options import Options, load_readable, opened_store
from spendtop.cli.run_task import follow
from spendtop.cli.tables import say, table
from spendtop.domain.counted import counted
from spendtop.domain.errors import ExitCode, UsageError
from spendtop.domain.untrusted import Untrusted
from spendtop.services.exchange.export import ascii_json
from spendtop.services.tasks import TaskKind
from spendtop.store.reads.rows import Spend
from spendtop.store.reads.sessions.paths import Branch, branches, path_plans, path_spends
from spendtop.store.reads.sessions.sessions import SessionCosts, extent_of, session_costs


def run(options: Options) -> int:
    session = options.arguments.session
    with opened_store(load_readable(options).settings) as store:
        if options.arguments.fetch:
            code = follow(store, TaskKind.FETCH_BODIES, {"session": session}, "fetching", _tell)
            if code != ExitCode.OK:
                return code
        costs = session_costs(store, session)
        with store.reading() as connection:
            span = extent_of(connection, session)
        if costs is None or span is None:
            raise UsageError("The store has no session with this id. `spendtop spend --by session` names them.")
        paths = path_plans if costs.is_plan else path_spends
        tree = branches(paths(store, session, span))
    if options.arguments.json:
        from spendtop.api.shapes.usage import SessionSums

        sums = SessionSums(**SessionSums.fields_of(costs))
        say(ascii_json({"session_id": session, **sums.model_dump()}))
        return ExitCode.OK
    say("\n\n".join(_parts(Untrusted(session), costs, tree)))
    return ExitCode.OK


def _tell(sentence: str) -> None:
    """Beside what the command prints, which may be read by a program."""
    sys.stderr.write(f"{sentence}\n")


def _parts(session: Untrusted, costs: SessionCosts, tree: Sequence[Branch]) -> Iterator[str]:
    whole = costs.whole
    failed = f" · {whole.failed:,} failed" if whole.failed else ""
    plan = costs.under_plan
    if costs.is_plan:
        yield f"{session}: ~{plan.words} API-equivalent under a plan, no spend · {counted(plan.requests, 'request')}"
    else:
        besides = f" · and ~{plan.words} under a plan" if plan.requests else ""
        requests = counted(whole.requests, "request")
        yield f"{session}: {whole.words} · {requests}{failed}{besides} · {_by_helicone(costs)}"
    columns = (">requests", ">API-equivalent" if costs.is_plan else ">cost", ">tokens")
    models = costs.plan if costs.is_plan else costs.by_model
    yield table(("model", *columns), [(model or "(none)", *_sums(spend)) for model, spend in models])
    if any(branch.path is not None for branch in tree):
        paths = [("  " * branch.depth + str(branch.name or "(no path)"), *_sums(branch.spend)) for branch in tree]
        yield table(("path", *columns), paths)


def _sums(spend: Spend) -> tuple[int, str, int]:
    return spend.requests, spend.words, spend.tokens


def _by_helicone(costs: SessionCosts) -> str:
    if costs.all_by_helicone:
        return "all costs are Helicone's own"
    priced = costs.whole.requests - costs.whole.unpriced
    return f"{costs.by_helicone:,} of {priced:,} costs are Helicone's own; the others as reported, or by their tokens"
