"""The blocks of five hours that are open, by agent and user."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, func, select

from spendtop.domain.agents.blocks import last_begin
from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.money import Usd
from spendtop.domain.sources.records import AGENTS
from spendtop.domain.untrusted import Untrusted
from spendtop.domain.windows import BLOCK_LENGTH, Bounds
from spendtop.store.statements import table_of
from spendtop.store.tables import RequestTable

_REQUEST = table_of(RequestTable)
_FIRST_LOOK, _LONGEST_LOOK = 2 * DAY, 32 * DAY
"""How far back a pause is looked for that a block surely begins after."""
_LEAST = 10 * MINUTE
"""Of a younger block the pace is as if it were so old."""
_NAMES = frozenset(agent.name for agent in AGENTS)


@dataclass(frozen=True, slots=True)
class OpenBlock:
    """Calls of one agent and user since a block began."""

    agent: str
    user: Untrusted
    begins_at: int
    """UTC µs."""
    calls: int
    unpriced: int
    equivalent: Usd
    """What they cost, or would have cost."""

    @property
    def ends_at(self) -> int:
        return self.begins_at + BLOCK_LENGTH

    @property
    def bounds(self) -> Bounds:
        return Bounds(self.begins_at, self.ends_at)

    def pace(self, now: int) -> Usd:
        """Of an hour, as it went so far."""
        return Usd(self.equivalent.nano * HOUR // max(now - self.begins_at, _LEAST))


def open_blocks(connection: Connection, now: int) -> tuple[OpenBlock, ...]:
    """The largest first."""
    recent = _REQUEST.c.occurred_at > now - BLOCK_LENGTH, _REQUEST.c.occurred_at <= now
    if (
        connection.execute(select(_REQUEST.c.id).where(_REQUEST.c.billing.is_not(None), *recent).limit(1)).first()
        is None
    ):
        return ()
    look = _FIRST_LOOK
    while True:
        calls = _calls(connection, now - look, now)
        if look >= _LONGEST_LOOK or all(_has_pause([at for at, _ in each], now - look) for each in calls.values()):
            break
        look *= 4
    blocks = (_block(agent, user, each) for (agent, user), each in calls.items())
    return tuple(sorted((block for block in blocks if block.ends_at > now), key=lambda block: -block.equivalent.nano))


def _calls(connection: Connection, since: int, now: int) -> Mapping[tuple[str, str], list[tuple[int, int | None]]]:
    """Instant and nano-USD of each, in order, by agent and user."""
    nano = func.coalesce(_REQUEST.c.computed_cost_nano, _REQUEST.c.reported_cost_nano, _REQUEST.c.cost_nano)
    columns = (_REQUEST.c.occurred_at, nano, _REQUEST.c.sources, _REQUEST.c.properties, _REQUEST.c.user_id)
    statement = select(*columns).where(
        _REQUEST.c.billing.is_not(None), _REQUEST.c.occurred_at > since, _REQUEST.c.occurred_at <= now
    )
    calls: defaultdict[tuple[str, str], list[tuple[int, int | None]]] = defaultdict(list)
    for at, cost, sources, properties, user in connection.execute(statement.order_by(_REQUEST.c.occurred_at)):
        calls[_agent(sources, properties), user or ""].append((int(at), None if cost is None else int(cost)))
    return calls


def _agent(sources: str, properties: str | None) -> str:
    """By whose files tell of the call, else by what its telemetry says."""
    named = next((each for each in sources.split(",") if each in _NAMES), None)
    if named is not None:
        return named
    return msgspec.json.decode(properties or "{}", type=dict[str, str]).get("agent", "agent")


def _has_pause(times: list[int], since: int) -> bool:
    return any(after - before >= BLOCK_LENGTH for before, after in zip([since, *times], times, strict=False))


def _block(agent: str, user: str, calls: list[tuple[int, int | None]]) -> OpenBlock:
    begin = last_begin(at for at, _ in calls)
    assert begin is not None
    costs = [cost for at, cost in calls if at >= begin]
    known = sum(cost for cost in costs if cost is not None)
    return OpenBlock(agent, Untrusted(user), begin, len(costs), costs.count(None), Usd(known))
