"""When somebody says otherwise how an agent is paid: what is recorded of it moves into the spend, or out of it, by
difference. Saying the former again takes it back."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, select

from spendtop.domain.agents.calls import billing_of
from spendtop.domain.reports.merging import StoredRequest, differences, of_reports
from spendtop.domain.requests.request import Billing, Request
from spendtop.domain.sources.records import OTLP, Source
from spendtop.services.recording.rows import from_row
from spendtop.services.recording.totals import TotalsByDifference, open_windows
from spendtop.services.recording.transaction import Recording
from spendtop.store import facts
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable, RevisionTable

PAGE = 300
"""Requests of one transaction, so that a webhook never waits long behind them."""
_REQUEST = table_of(RequestTable)
_FACT = "agents billing"
"""The row of `meta` with what was said last of each agent on each machine: JSON."""


def said_before(connection: Connection, host: str) -> dict[str, Billing]:
    """What was said last, by agent."""
    every = msgspec.json.decode(facts.get(connection, _FACT) or "{}", type=dict[str, dict[str, Billing]])
    return every.get(host, {})


def note_said(connection: Connection, host: str, said: dict[str, Billing]) -> None:
    every = msgspec.json.decode(facts.get(connection, _FACT) or "{}", type=dict[str, dict[str, Billing]])
    facts.put(connection, _FACT, msgspec.json.encode({**every, host: said}).decode())


def reclassify(
    connection: Connection, recording: Recording, agent: Source, host: str, said: Billing, after: int, now: int
) -> int | None:
    """Have the next page of an agent's calls on a machine paid as is said; the id to go on after, None at the end."""
    of_agent = ("," + _REQUEST.c.sources + ",").contains(f",{agent.name},")
    wanted = select(_REQUEST).where(of_agent, _REQUEST.c.id > after).order_by(_REQUEST.c.id).limit(PAGE)
    stored = [from_row(row) for row in connection.execute(wanted.with_for_update())]
    changed = [(each, new) for each in stored if (new := _paid(each, recording, agent, host, said)) != each]
    if changed:
        recording.book.look_up(connection)
        totals = TotalsByDifference(recording.book, open_windows(now, recording.book.calendar))
        for old, new in changed:
            totals.replace(old.request, new.request, old.id)
        recording.correct(connection, totals, {new.id: new for _, new in changed})
        connection.execute(
            table_of(RevisionTable).insert(),
            [
                {
                    "request_id": old.id,
                    "at": now,
                    "source": f"billing of {agent.name}",
                    "changes": msgspec.json.encode(differences(old.request, new.request)).decode(),
                }
                for old, new in changed
            ],
        )
    return stored[-1].id if len(stored) == PAGE else None


def _paid(stored: StoredRequest, recording: Recording, agent: Source, host: str, said: Billing) -> StoredRequest:
    """The request where its agent says so; what it exported says the same as its files."""
    by_file = stored.statements[agent]
    if (by_file.properties or {}).get("host") != host:
        return stored
    billing = billing_of(said, by_file.properties)

    def paid(source: Source, report: Request) -> Request:
        is_of_agent = source is agent or (source is OTLP and report.billing is not None)
        return replace(report, billing=billing, counted=billing is Billing.API) if is_of_agent else report

    reports = {source: paid(source, report) for source, report in stored.statements.items()}
    return of_reports(stored, reports, stored.external_ids, recording.price)
