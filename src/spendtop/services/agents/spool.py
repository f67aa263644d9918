"""Calls of this machine's coding agents until another collector has taken them: kept with what is recorded of them, so
that neither is without the other."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import zstandard
from msgspec import Raw, Struct
from msgspec.structs import replace
from sqlalchemy import Connection, delete, func, select

from spendtop.domain.counted import counted
from spendtop.services.agents import files as agent_files
from spendtop.store import facts
from spendtop.store.statements import table_of
from spendtop.store.tables import AgentSpoolTable

MOST_BYTES = 100 * 10**6
"""As it is packed. What was kept first stays: the rest is in the files still."""
_SPOOL = table_of(AgentSpoolTable)
_SIZE = func.coalesce(func.sum(func.length(_SPOOL.c.packed)), 0)
_FACT = "agents push "


class PushState(Struct, frozen=True, kw_only=True):
    """How it stands with a machine's pushes. `to` is empty where it pushes nowhere."""

    to: str = ""
    sent: int = 0
    """Calls that were taken there."""
    refused: int = 0
    """Calls that were not, and never will be."""
    left: int = 0
    """Calls that found no room. All files are read again for them once there is some."""
    sent_at: int | None = None
    """When something was taken last, UTC µs."""
    problem: str = ""
    """Why the last try failed, as a sentence for people."""
    waiting: int = 0
    """Calls."""
    size: int = 0
    """Bytes that these take."""

    @property
    def is_amiss(self) -> bool:
        return bool(self.left or self.refused or self.problem)

    @property
    def words(self) -> str:
        """In one line, for people."""
        waiting = f"{counted(self.waiting, 'call')} to go" if self.waiting else "nothing waits"
        parts = [f"pushed to {self.to}: {counted(self.sent, 'call')}, {waiting}"]
        if self.left:
            parts.append(f"the spool of {MOST_BYTES // 10**6} MB is full, further calls are sent once there is room")
        if self.refused:
            parts.append(f"refused there: {self.refused:,}")
        if self.problem:
            parts.append(self.problem)
        return "; ".join(parts)


class Parcel(Struct, frozen=True):
    """What is pushed together."""

    id: int
    calls: int
    items: list[Raw]


def state(connection: Connection, host: str) -> PushState:
    noted = _noted(connection, host)
    waiting, size = connection.execute(
        select(
            func.coalesce(func.sum(_SPOOL.c.calls), 0), func.coalesce(func.sum(func.length(_SPOOL.c.packed)), 0)
        ).where(_SPOOL.c.host == host)
    ).one()
    return replace(noted, waiting=int(waiting), size=int(size))


def begin(connection: Connection, host: str, to: str) -> None:
    """Push everything to this address from now on, or nowhere: what waited for another one is gone, and all files are
    read again."""
    connection.execute(delete(_SPOOL).where(_SPOOL.c.host == host))
    _note(connection, host, PushState(to=to))
    if to:
        agent_files.forget(connection, host)


def append(connection: Connection, host: str, items: Sequence[bytes]) -> None:
    """Keep calls, each as JSON, where there is room."""
    packed = zstandard.compress(b"[" + b",".join(items) + b"]")
    size = connection.execute(select(_SIZE).where(_SPOOL.c.host == host)).scalar_one()
    if size + len(packed) > MOST_BYTES:
        noted = _noted(connection, host)
        _note(connection, host, replace(noted, left=noted.left + len(items)))
    else:
        connection.execute(_SPOOL.insert().values(host=host, calls=len(items), packed=packed))


def oldest(connection: Connection, host: str) -> Parcel | None:
    """What waits longest."""
    row = connection.execute(select(_SPOOL).where(_SPOOL.c.host == host).order_by(_SPOOL.c.id).limit(1)).first()
    if row is None:
        return None
    items = msgspec.json.decode(zstandard.decompress(row.packed), type=list[Raw])
    return Parcel(row.id, row.calls, items)


def taken(connection: Connection, host: str, parcel: Parcel, refused: int, now: int) -> None:
    """It was answered durably: it waits no more."""
    connection.execute(delete(_SPOOL).where(_SPOOL.c.id == parcel.id))
    noted = _noted(connection, host)
    sent = noted.sent + parcel.calls - refused
    _note(connection, host, replace(noted, sent=sent, refused=noted.refused + refused, sent_at=now, problem=""))


def failed(connection: Connection, host: str, problem: str) -> None:
    noted = _noted(connection, host)
    if noted.problem != problem:
        _note(connection, host, replace(noted, problem=problem))


def make_up_for_what_was_left(connection: Connection, host: str) -> None:
    """There is room again: read all files for what found none before."""
    _note(connection, host, replace(_noted(connection, host), left=0))
    agent_files.forget(connection, host)


def _noted(connection: Connection, host: str) -> PushState:
    return msgspec.json.decode(facts.get(connection, _FACT + host) or "{}", type=PushState)


def _note(connection: Connection, host: str, noted: PushState) -> None:
    facts.put(connection, _FACT + host, msgspec.json.encode(replace(noted, waiting=0, size=0)).decode())
