"""The dictionaries that are trained on a store's own bodies, which then take about half the room.

They hold pieces of text that many prompts and responses share: of those of two days. One packs for a week, and goes
with the last body that it packed; so no text stays for much longer than bodies do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from itertools import pairwise
from random import Random
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, select

from spendtop.domain.clock import DAY
from spendtop.domain.errors import StoreCorrupt
from spendtop.store import bodies
from spendtop.store.day_totals import keep_others_out
from spendtop.store.ids import SLOTS, arrival
from spendtop.store.statements import insert_or_ignore, table_of
from spendtop.store.tables import BodyTable, DictionaryTable

SIZE = 384 * 1024
_SAMPLES = 1_000
_LARGEST_SAMPLE = 64 * 1024
_MOST_BYTES = 8 * 1024 * 1024
_HELD_OUT = 10
"""Every so many bodies are not trained on, but tried."""
_TAUGHT_BY, _LIFE = 2 * DAY, 7 * DAY
"""Bodies of how long are trained on, and how long a dictionary packs, µs."""
_FOLLOWS_WITHIN = 2 * DAY
"""After so long everybody who records has gone on to another one, µs."""
_IDS = range(2**16, 2**31)
"""Lower and higher ones are reserved."""
_IS_KEPT = "SELECT 1 FROM dictionary WHERE id = {:d}"
_BODY, _DICTIONARY = table_of(BodyTable), table_of(DictionaryTable)

Pair = tuple[bytes | None, bytes | None]


class Dictionary(NamedTuple):
    id: int
    made_at: int
    """UTC µs."""


class Trained(NamedTuple):
    content: bytes
    share: float
    """Of the room that bodies take with the dictionary before."""


def learn_all(connection: Connection) -> None:
    """Know every dictionary that the store's bodies may need; of one that is damaged its bodies tell."""
    for kept in connection.execute(select(_DICTIONARY.c.id)).scalars().all():
        if not bodies.knows(kept):
            content = connection.execute(select(_DICTIONARY.c.data).where(_DICTIONARY.c.id == kept)).scalar_one()
            with suppress(StoreCorrupt):
                bodies.learn(content)


def newest(connection: Connection, now: int) -> Dictionary | None:
    """The one by which bodies are to be packed, which is known from here on; None while there is none."""
    latest = select(_DICTIONARY.c.id, _DICTIONARY.c.made_at).order_by(_DICTIONARY.c.made_at.desc()).limit(1)
    latest = latest.where(_DICTIONARY.c.made_at > now - _LIFE)
    row = connection.execute(latest).one_or_none()
    learn_all(connection)
    return Dictionary(row.id, row.made_at) if row is not None and bodies.knows(row.id) else None


def samples(connection: Connection, now: int) -> list[Pair]:
    """The newest bodies, as far as there is room for them, if there are enough to train on; else none."""
    of_late = _BODY.c.request_id > (now - _TAUGHT_BY) * SLOTS
    latest = select(_BODY.c.data).where(of_late, func.length(_BODY.c.data) < _LARGEST_SAMPLE)
    packed = connection.execute(latest.order_by(_BODY.c.request_id.desc()).limit(_SAMPLES)).scalars().all()
    if len(packed) < _SAMPLES:
        return []
    learn_all(connection)
    pairs: list[Pair] = []
    room = _MOST_BYTES
    for data in packed:
        pair = bodies.decode(data)
        room -= sum(len(body) for body in pair if body is not None)
        if room < 0:
            break
        pairs.append(pair)
    return pairs


def train(pairs: list[Pair], before: int | None) -> Trained:
    """A dictionary made of these bodies, and how it does beside the one before. Takes a second or so.

    Raises ValueError for bodies of which none can be made.
    """
    tried = pairs[::_HELD_OUT]
    taught = [pair for place, pair in enumerate(pairs) if place % _HELD_OUT]
    content = bodies.train(taught, SIZE, Random().choice(_IDS))
    learnt = bodies.learn(content)
    return Trained(content, _size(tried, learnt) / _size(tried, before))


def _size(pairs: Iterable[Pair], dictionary: int | None) -> int:
    return sum(len(bodies.encode(*pair, dictionary)[1]) for pair in pairs)


def add(connection: Connection, content: bytes, now: int) -> Dictionary:
    """Keep a dictionary, by which bodies can be packed once that is committed."""
    dictionary = bodies.learn(content)
    newest_body = connection.execute(select(func.max(_BODY.c.request_id))).scalar() or 0
    made_at = max(now, arrival(newest_body))  # not before that, whatever the clock did
    insert_or_ignore(DictionaryTable, connection.dialect).run_many(connection, [(dictionary, made_at, content)])
    return Dictionary(dictionary, made_at)


def keep(connection: Connection, needed: Collection[int]) -> None:
    """Have the store hold what bodies need that the transaction wrote, whatever became of it since they were packed.

    On PostgreSQL to be called after something was written to the totals: whoever deletes dictionaries keeps such
    transactions out.
    """
    for each in sorted(needed):
        if each not in (0, bodies.shipped()) and not connection.exec_driver_sql(_IS_KEPT.format(each)).scalar():
            add(connection, bodies.content_of(each), 0)


def forget_unused(connection: Connection) -> bool:
    """Delete the dictionaries that no body needs any more: those that packed their last one before the oldest that is
    kept arrived. False, as there are no more."""
    made = connection.execute(select(_DICTIONARY.c.id, _DICTIONARY.c.made_at).order_by(_DICTIONARY.c.made_at)).all()
    if not made:
        return False
    keep_others_out(connection)
    oldest = connection.execute(select(func.min(_BODY.c.request_id))).scalar()
    ends = [min(row.made_at + _LIFE, following.made_at) for row, following in pairwise(made)]
    ends.append(made[-1].made_at + _LIFE)
    unused = [
        row.id
        for row, end in zip(made, ends, strict=True)
        if oldest is None or (end + _FOLLOWS_WITHIN) * SLOTS < oldest
    ]
    connection.execute(delete(_DICTIONARY).where(_DICTIONARY.c.id.in_(unused)))
    return False
