"""Which coding agents keep files on a machine, and what is recorded of them, by cheap reads."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct
from sqlalchemy import Connection, func, select

from spendtop.domain.clock import HOUR
from spendtop.services import agent_files
from spendtop.services.agent_files import RootLook
from spendtop.store.reads.bucket_spans import Span
from spendtop.store.reads.spending import PLAN
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable, TotalTable

_REQUEST, _TOTAL = table_of(RequestTable), table_of(TotalTable)


class AgentFound(Struct, frozen=True, kw_only=True):
    """An agent with its folders on a machine together."""

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
        return f"{self.waiting:,} of {self.files:,} files are still to be read" if self.waiting else ""

    @property
    def left_out_words(self) -> str:
        """What could not be taken and why, or nothing."""
        return ", ".join(f"{count:,} {reason}" for reason, count in self.left_out)


def agents_found(connection: Connection, host: str) -> tuple[AgentFound, ...]:
    """Those with files on this machine, by name."""
    folders: dict[str, list[RootLook]] = {}
    for look in agent_files.looks(connection, host):
        if look.files or look.left_out:
            folders.setdefault(look.agent, []).append(look)
    return tuple(_found(connection, agent, looks) for agent, looks in folders.items())


def _found(connection: Connection, agent: str, looks: list[RootLook]) -> AgentFound:
    left_out: Counter[str] = Counter()
    for look in looks:
        left_out.update(look.left_out)
    calls, newest_hour = connection.execute(
        select(func.coalesce(func.sum(_TOTAL.c.requests), 0), func.max(_TOTAL.c.bucket)).where(
            _TOTAL.c.dimension.in_((PLAN, "source")), _TOTAL.c.key == agent
        )
    ).one()
    return AgentFound(
        agent=agent,
        files=sum(look.files for look in looks),
        waiting=sum(look.waiting for look in looks),
        left_out=tuple(left_out.items()),
        calls=int(calls),
        last_at=None if newest_hour is None else _newest_in(connection, agent, newest_hour),
    )


def _newest_in(connection: Connection, agent: str, hour: int) -> int:
    newest = select(func.max(_REQUEST.c.occurred_at)).where(
        _REQUEST.c.source == agent, Span(hour, hour + HOUR).holds(_REQUEST.c.occurred_at)
    )
    return connection.execute(newest).scalar() or hour
