"""`spendtop quarantine list` and `quarantine retry`."""

from __future__ import annotations

from spendtop.cli.effective_limits import effective_limits
from spendtop.cli.options import Options, load_readable, opened_store
from spendtop.cli.run_task import ask_and_wait
from spendtop.cli.tables import local_time, say, table
from spendtop.domain.clock import to_iso
from spendtop.domain.errors import ExitCode
from spendtop.services.exchange.export import ascii_json
from spendtop.services.tasks import TaskKind
from spendtop.store.reads.sources.quarantine import QuarantineRow, quarantined

_MOST = 200


def show(options: Options) -> int:
    settings = load_readable(options).settings
    with opened_store(settings) as store, store.reading() as connection:
        calendar = effective_limits(connection, settings).calendar
        events = quarantined(connection, _MOST)
    if options.arguments.json:
        say(ascii_json({"data": [_event(each) for each in events]}))
        return ExitCode.OK
    rows = [
        (
            event.id,
            local_time(event.received_at, calendar),
            event.source,
            event.kind,
            event.state,
            event.size,
            event.reason,
        )
        for event in events
    ]
    headers = (">id", "received", "source", "kind", "state", ">bytes", "reason")
    say(table(headers, rows) if rows else "No event is in quarantine.")
    return ExitCode.OK


def _event(event: QuarantineRow) -> dict[str, object]:
    return {
        "id": event.id,
        "received_at": to_iso(event.received_at),
        "source": event.source,
        "kind": event.kind,
        "state": event.state,
        "bytes": event.size,
        "reason": str(event.reason),
    }


def retry(options: Options) -> int:
    wanted = options.arguments.id
    with opened_store(load_readable(options).settings) as store:
        say(ask_and_wait(store, TaskKind.QUARANTINE_RETRY, {} if wanted is None else {"ids": [wanted]}))
    return ExitCode.OK
