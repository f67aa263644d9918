"""Which coding agents keep files on a machine, and what is recorded of them, by cheap reads."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct
from sqlalchemy import Connection, func, select

from spendtop.domain.clock import HOUR
from spendtop.domain.counted import counted
from spendtop.domain.sources.records import AGENTS
from spendtop.services.agents import files as agent_files
from spendtop.services.agents.files import RootLook, left_out_words
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.sums import PLAN
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable, TotalTable

_REQUEST, _TOTAL = table_of(RequestTable), table_of(TotalTable)


class AgentFound(Struct, frozen=True, kw_only=True):
    """An agent with its folders on this machine together. Of one that has none here another machine pushed calls."""

    agent: str
    files: int
    waiting: int
    """Files that are not read yet."""
    left_out: tuple[tuple[str, int], ...]
    """By reason, how often something was left out."""
    calls: int
    """Recorded under its name, whichever machine they were read on."""
    last_at: int | None
    """When the newest of them happened, UTC µs."""

    @property
    def reading(self) -> str:
        """What is still to be done, or nothing."""
        return f"still to be read: {self.waiting:,} of {counted(self.files, 'file')}" if self.waiting else ""

    @property
    def left_out_words(self) -> str:
        """What could not be taken and why, or nothing."""
        return left_out_words(dict(self.left_out))


def agents_found(connection: Connection, host: str) -> tuple[AgentFound, ...]:
    """Those with files on this machine, and those of which another one pushed calls, by name."""
    folders: dict[str, list[RootLook]] = {}
    for look in agent_files.looks(connection, host):
        if look.files or look.left_out:
            folders.setdefault(look.agent, []).append(look)
    of_agents = _TOTAL.c.dimension.in_((PLAN, "source")), _TOTAL.c.key.in_([agent.name for agent in AGENTS])
    columns = (_TOTAL.c.key, func.sum(_TOTAL.c.requests), func.max(_TOTAL.c.bucket))
    recorded = {
        name: (int(calls), int(hour))
        for name, calls, hour in connection.execute(select(*columns).where(*of_agents).group_by(_TOTAL.c.key))
    }
    names = sorted(folders.keys() | recorded.keys())
    return tuple(_found(connection, name, folders.get(name, []), recorded.get(name)) for name in names)


def _found(connection: Connection, agent: str, looks: list[RootLook], recorded: tuple[int, int] | None) -> AgentFound:
    """`recorded` is how many calls, and the newest hour with one."""
    left_out: Counter[str] = Counter()
    for look in looks:
        left_out.update(look.left_out)
    calls, newest_hour = recorded or (0, None)
    return AgentFound(
        agent=agent,
        files=sum(look.files for look in looks),
        waiting=sum(look.waiting for look in looks),
        left_out=tuple(left_out.items()),
        calls=calls,
        last_at=None if newest_hour is None else _newest_in(connection, agent, newest_hour),
    )


def _newest_in(connection: Connection, agent: str, hour: int) -> int:
    newest = select(func.max(_REQUEST.c.occurred_at)).where(
        _REQUEST.c.source == agent, Span(hour, hour + HOUR).holds(_REQUEST.c.occurred_at)
    )
    return connection.execute(newest).scalar() or hour
