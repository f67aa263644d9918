"""How far this machine's files of coding agents are read, kept with what was read of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, case, delete, func, select

from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Basis
from spendtop.domain.sources.records import AGENTS
from spendtop.store import facts
from spendtop.store.statements import insert_or_replace, table_of
from spendtop.store.tables import AgentFileTable, AgentRootTable, RequestTable

_FILE, _ROOT, _REQUEST = table_of(AgentFileTable), table_of(AgentRootTable), table_of(RequestTable)
_RESCANS = "agents rescans"


class RootLook(Struct, frozen=True, kw_only=True):
    """How it stands with a folder of an agent."""

    agent: str
    root: str
    files: int
    waiting: int
    """Files that are not read yet."""
    size: int
    oldest: int | None
    """When the oldest file was changed last, UTC µs."""
    left_out: Mapping[str, int]
    """By reason, how often something was left out while reading since files were read for the first time, and what
    cannot be read now."""
    looked_at: int


def left_out_words(left_out: Mapping[str, int]) -> str:
    """What could not be taken and why, or nothing: `malformed lines (2), files that cannot be read (1)`."""
    return ", ".join(f"{reason} ({count:,})" for reason, count in left_out.items())


class AgentUse(Struct, frozen=True, kw_only=True):
    """What is recorded of an agent's files."""

    calls: int
    oldest: int | None
    newest: int | None
    cost: Usd
    """Of calls that are spend."""
    api_equivalent: Usd
    """Of calls under a plan."""
    unpriced: int
    """Calls of which neither is known."""
    lower_bounds: int
    """Calls of which only a part of the output is known."""


def bookmarks(connection: Connection, host: str) -> dict[str, str]:
    """How far each file is read, as its reader wrote it, by path."""
    rows = connection.execute(select(_FILE.c.path, _FILE.c.bookmark).where(_FILE.c.host == host))
    return {row.path: row.bookmark for row in rows}


def note_file(connection: Connection, host: str, agent: str, path: str, bookmark: str) -> None:
    insert_or_replace(AgentFileTable, connection.dialect).run_many(connection, [(host, path, agent, bookmark)])


def note_root(connection: Connection, host: str, look: RootLook, missed: Mapping[str, int]) -> None:
    """Note how it stands; `left_out` is added to what was left out before, `missed` replaces what was missed."""
    this = (_ROOT.c.host == host, _ROOT.c.agent == look.agent, _ROOT.c.root == look.root)
    before = connection.execute(select(_ROOT.c.left_out).where(*this)).scalar()
    known = msgspec.json.decode(before or '{"read":{},"missed":{}}', type=dict[str, dict[str, int]])
    read = Counter(known["read"])
    read.update(look.left_out)
    left_out = msgspec.json.encode({"read": dict(read), "missed": dict(missed)}).decode()
    row = (host, look.agent, look.root, look.files, look.waiting, look.size, look.oldest, left_out, look.looked_at)
    insert_or_replace(AgentRootTable, connection.dialect).run_many(connection, [row])


def looks(connection: Connection, host: str) -> list[RootLook]:
    """The folders on this machine that were looked through."""
    rows = connection.execute(select(_ROOT).where(_ROOT.c.host == host).order_by(_ROOT.c.agent, _ROOT.c.root))
    return [
        RootLook(
            agent=row.agent,
            root=row.root,
            files=row.files,
            waiting=row.waiting,
            size=row.size,
            oldest=row.oldest,
            left_out=_reasons(row.left_out),
            looked_at=row.looked_at,
        )
        for row in rows
    ]


def _reasons(left_out: str) -> dict[str, int]:
    kinds = msgspec.json.decode(left_out, type=dict[str, dict[str, int]])
    return {**kinds["read"], **kinds["missed"]}


def uses(connection: Connection) -> dict[str, AgentUse]:
    """What is recorded, by agent, whichever machine it was read on."""
    agents = select(_ROOT.c.agent).distinct()
    equivalent = func.coalesce(_REQUEST.c.computed_cost_nano, _REQUEST.c.reported_cost_nano)
    is_plan = _REQUEST.c.basis == Basis.PLAN.value
    unknown = case((is_plan, equivalent), else_=_REQUEST.c.cost_nano).is_(None)
    columns = (
        func.count().label("calls"),
        func.min(_REQUEST.c.occurred_at).label("oldest"),
        func.max(_REQUEST.c.occurred_at).label("newest"),
        func.coalesce(func.sum(_REQUEST.c.cost_nano), 0).label("cost"),
        func.coalesce(func.sum(equivalent).filter(is_plan), 0).label("equivalent"),
        func.count().filter(unknown).label("unpriced"),
        func.count().filter(_REQUEST.c.output_final.is_(False)).label("lower_bounds"),
    )
    query = select(_REQUEST.c.source, *columns).where(_REQUEST.c.source.in_(agents)).group_by(_REQUEST.c.source)
    return {
        row.source: AgentUse(
            calls=int(row.calls),
            oldest=row.oldest,
            newest=row.newest,
            cost=Usd(int(row.cost)),
            api_equivalent=Usd(int(row.equivalent)),
            unpriced=int(row.unpriced),
            lower_bounds=int(row.lower_bounds),
        )
        for row in connection.execute(query)
    }


class PushedUse(Struct, frozen=True):
    """What is recorded of an agent on another machine."""

    agent: str
    host: str
    calls: int
    newest: int
    """UTC µs."""


def pushed(connection: Connection, host: str) -> list[PushedUse]:
    """What came from other machines than `host`, by agent and machine."""
    columns = _REQUEST.c.source, _REQUEST.c.properties, func.count(), func.max(_REQUEST.c.occurred_at)
    agents = [agent.name for agent in AGENTS]
    query = select(*columns).where(_REQUEST.c.source.in_(agents)).group_by(_REQUEST.c.source, _REQUEST.c.properties)
    found: dict[tuple[str, str], PushedUse] = {}
    for agent, properties, calls, newest in connection.execute(query):
        elsewhere = msgspec.json.decode(properties or "{}", type=dict[str, str]).get("host", host)
        before = found.get((agent, elsewhere), PushedUse(agent, elsewhere, 0, 0))
        found[agent, elsewhere] = PushedUse(agent, elsewhere, before.calls + calls, max(before.newest, newest))
    return sorted((use for use in found.values() if use.host != host), key=lambda use: (use.agent, use.host))


def forget(connection: Connection, host: str) -> int:
    """Have all files of this machine read again; how many were read before."""
    facts.put(connection, _RESCANS, str(rescans(connection) + 1))
    connection.execute(delete(_ROOT).where(_ROOT.c.host == host))
    return connection.execute(delete(_FILE).where(_FILE.c.host == host)).rowcount


def rescans(connection: Connection) -> int:
    """How often that was asked for."""
    return int(facts.get(connection, _RESCANS) or 0)
