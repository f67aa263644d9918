"""`spendtop sessions`: what each session cost, whose it is and how it stands."""

from __future__ import annotations

from spendtop.cli.options import Options
from spendtop.cli.request_selection import selected
from spendtop.cli.requests.requests import nothing
from spendtop.cli.tables import local_time, say, table
from spendtop.domain.errors import ExitCode, UsageError
from spendtop.domain.untrusted import clean_line
from spendtop.services.exchange.export import ascii_json
from spendtop.store.reads.alerts.loops import looping_sessions
from spendtop.store.reads.sessions.sessions import sessions

_HEADERS = ("session", "state", "users", ">requests", ">cost", ">failed", "first", "last", "models")


def run(options: Options) -> int:
    """Those with the newest requests first."""
    arguments = options.arguments
    if arguments.limit < 1:
        raise UsageError("--limit takes a number from 1 on.")
    with selected(options) as (store, query, context):
        page = sessions(store, query, context, None, arguments.limit)
        with store.reading() as connection:
            looping = looping_sessions(connection)
    if arguments.json:
        from spendtop.api.shapes.usage import SessionItem

        listed = [SessionItem.of(row, row.state(context.now_us, looping)) for row in page.rows]
        say(ascii_json({"data": [item.model_dump() for item in listed]}))
        return ExitCode.OK
    rows = [
        (
            clean_line(row.session.raw),
            row.state(context.now_us, looping).value,
            ", ".join(map(str, row.users)),
            f"{row.spend.requests:,}",
            row.spend.words,
            row.spend.failed or None,
            local_time(row.first_at, context.calendar),
            local_time(row.last_at, context.calendar),
            ", ".join(map(str, row.models)),
        )
        for row in page.rows
    ]
    say(table(_HEADERS, rows) if rows else nothing(arguments))
    if page.next_cursor is not None:
        say(f"There are more; --limit {arguments.limit * 10} shows more of them.")
    return ExitCode.OK
