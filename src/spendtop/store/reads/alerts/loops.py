"""What the rule of loops compares: the last calls of the sessions and users that spend at the moment.

The cost grows with the requests of the last minutes; prompts are read of few of them.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, func, select

from spendtop.domain.alerting.loops import LoopCall, LoopRule, Repetition, find
from spendtop.domain.bodies.conversation import parse_conversation, turn_text
from spendtop.domain.clock import MINUTE
from spendtop.domain.errors import StoreCorrupt
from spendtop.domain.money import ZERO
from spendtop.store import bodies, dictionaries
from spendtop.store.reads.spending.bucket_spans import Span
from spendtop.store.reads.spending.sums import scope
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable, BodyTable, RequestTable

DIMENSIONS = ("session", "user")
LOOKED_BACK = 15 * MINUTE
"""How long before an instant a loop that ends there is looked for, in µs."""
_MOST_CALLS = 60
"""Calls of one session or user that are compared."""
_ANY = LoopRule(calls=2, least=ZERO)
_REQUEST, _BODY, _ALERT = table_of(RequestTable), table_of(BodyTable), table_of(AlertTable)


def busy(connection: Connection, dimension: str, rule: LoopRule, now: int, most: int) -> dict[str, int]:
    """The sessions, or users without one, that had enough calls and spend for a loop, and the id of the newest call of
    each; those that spent most."""
    key, nano = _key(dimension), func.sum(_REQUEST.c.cost_nano)
    recent = (_REQUEST.c.counted.is_(True), Span(now - LOOKED_BACK, now + 1).holds(_REQUEST.c.occurred_at))
    spenders = (
        select(key, func.max(_REQUEST.c.id))
        .where(*recent, key != "", _of(dimension))
        .group_by(key)
        .having(func.count() >= rule.calls, nano >= rule.least.nano)
        .order_by(nano.desc())
        .limit(most)
    )
    return {name: int(newest) for name, newest in connection.execute(spenders)}


def repetition(connection: Connection, dimension: str, key: str, rule: LoopRule, until: int) -> Repetition | None:
    """The loop that the calls of a session or user up to an instant (UTC µs) end in."""
    columns = (_REQUEST.c.occurred_at, _REQUEST.c.prompt_tokens, _REQUEST.c.cost_nano, _BODY.c.data)
    of_key = (scope(dimension, key), _of(dimension), Span(until - LOOKED_BACK, until + 1).holds(_REQUEST.c.occurred_at))
    newest = (
        select(*columns)
        .join(_BODY, _BODY.c.request_id == _REQUEST.c.id, isouter=True)
        .where(_REQUEST.c.counted.is_(True), *of_key)
        .order_by(_REQUEST.c.occurred_at.desc(), _REQUEST.c.id.desc())
        .limit(_MOST_CALLS)
    )
    rows = connection.execute(newest).all()
    dictionaries.learn_all(connection)
    return find(rule, [LoopCall(at, size, _text(data), nano) for at, size, nano, data in reversed(rows)])


def evidence(connection: Connection, dimension: str, key: str, until: int) -> str | None:
    """How many calls repeat one another, how fast and how alike, up to an instant (UTC µs); None where that is not to
    be seen any more."""
    found = repetition(connection, dimension, key, _ANY, until)
    return None if found is None else found.words


def looping_sessions(connection: Connection) -> frozenset[str]:
    """The sessions that look like loops."""
    loops = (_ALERT.c.rule == "loop/session", _ALERT.c.resolved_at.is_(None))
    return frozenset(connection.execute(select(_ALERT.c.entity).where(*loops)).scalars())


def _key(dimension: str) -> ColumnElement[str]:
    column: ColumnElement[str] = _REQUEST.c.session_id if dimension == "session" else _REQUEST.c.user_id
    return column


def _of(dimension: str) -> ColumnElement[bool]:
    """Of a user, only what belongs to no session."""
    return _REQUEST.c.session_id.is_not(None) if dimension == "session" else _REQUEST.c.session_id.is_(None)


def _text(data: bytes | None) -> str | None:
    """The last turn of a prompt; None where it is not kept, or holds no text."""
    if data is None:
        return None
    try:
        request, _ = bodies.decode(data)
    except StoreCorrupt:
        return None
    turns = parse_conversation(request, None).prompt
    return (turn_text(turns[-1]).strip() or None) if turns else None
