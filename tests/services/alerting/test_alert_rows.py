"""Whatever an alert goes through, the past has it as it stood."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import Row, select

import spendtop
from spendtop.domain.clock import HOUR, MINUTE
from spendtop.domain.errors import UsageError
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.money import Usd
from spendtop.domain.windows import parse_window
from spendtop.services.alerting import actions, episodes
from spendtop.services.limits.raises import raise_limit
from spendtop.store.engine import Store
from spendtop.store.past import PastStore
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable
from tests.conftest import SettableClock
from tests.services.conftest import Collecting

LIMITS = (
    Limit(name="hour", window=parse_window("1h"), amount=Usd.of(10), warn=(0.5, 0.8)),
    Limit(name="each", window=parse_window("day"), amount=Usd.of(10), warn=(0.8,), each=Each.USER),
)
STEPS = 30


def rows_of(store: Store) -> list[Row[Any]]:
    table = table_of(AlertTable)
    with store.reading() as connection:
        return [*connection.execute(select(table).order_by(table.c.id))]


class Life:
    """What collectors and people do, at random."""

    def __init__(self, collecting: Collecting, clock: SettableClock) -> None:
        self.collecting, self.clock, self.random = collecting, clock, Random(4)

    def step(self) -> None:
        self.clock.advance(self.random.choice([0, 1, MINUTE, MINUTE, 7 * MINUTE, 20 * MINUTE, HOUR]))
        doing = self.random.choice([self.spend, self.spend, self.spend, self.revisit, self.act, self.act, self.limits])
        doing()

    def spend(self) -> None:
        self.collecting.spend(self.random.choice([2, 5, 9]), user_id=self.random.choice(["ann", "ben"]))

    def revisit(self) -> None:
        self.collecting.revisit()

    def act(self) -> None:
        at, who, alert = self.clock(), self.random.choice(["ann", "ben"]), self.random.randint(1, 3)
        with self.collecting.store.writing() as connection:
            try:
                match self.random.randrange(4):
                    case 0:
                        actions.ack(connection, alert, who, at)
                    case 1:
                        actions.snooze(connection, alert, at + self.random.choice([MINUTE, 3 * HOUR]), who, at)
                    case 2:
                        actions.unack(connection, alert, who, at)
                    case _:
                        actions.undo(connection, who, at)
            except UsageError:
                pass

    def limits(self) -> None:
        at, limit = self.clock(), self.random.choice(LIMITS)
        with self.collecting.store.writing() as connection:
            match self.random.randrange(3):
                case 0:
                    raise_limit(connection, limit, None, Usd.of(5), at + 2 * HOUR, at)
                case 1:
                    episodes.end(connection, [1, 2, 3], at)
                case _:
                    episodes.resume(connection, limit, self.collecting.book.calendar, at)


def test_every_instant_has_what_the_rows_were_then(
    store: Store,
    clock: SettableClock,
    collecting: Callable[..., Collecting],
) -> None:
    life = Life(collecting(*LIMITS), clock)
    stood: dict[int, list[Row[Any]]] = {}
    for _ in range(STEPS):
        life.step()
        stood[clock()] = rows_of(store)
    assert len({repr(rows) for rows in stood.values()}) > STEPS // 3
    for at, rows in stood.items():
        past = PastStore(store.url, at)
        assert rows_of(past) == rows
        past.close()


def test_alerts_are_written_in_one_place() -> None:
    """Else the past would lack what was written elsewhere."""
    writes = re.compile(
        r"(insert|update)\((_?alert|table_of\(AlertTable\))\)|\b_?alert\.(insert|update)\(", re.IGNORECASE
    )
    source = Path(spendtop.__file__).parent
    writers = [module.name for module in source.rglob("*.py") if writes.search(module.read_text())]
    assert writers == ["alert_rows.py"]
