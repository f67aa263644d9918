"""Entities whose use cannot have reached a threshold are not looked at, and nobody notices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.limits.limit import Each
from spendtop.domain.money import Usd
from spendtop.domain.pricing.price import Price, Rate
from spendtop.domain.requests.request import Usage
from spendtop.domain.sources.records import HELICONE_API
from spendtop.services.limits.raises import raise_limit
from spendtop.store.reads.limits.entity_uses import EntityUses
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable
from tests.services.conftest import DOLLAR, Collecting, limit, request, said, sum_hours

Make = Callable[..., Collecting]
STEPS = 20
USERS, MODELS = ("ann", "Ann", "o'%s\\:x?", None), ("gpt-5", "gpt-5-2026-01-01", "claude-x")
A_DOLLAR_EACH = Price.of({"input_tokens": Rate(10**21), "output_tokens": Rate(10**21)})


def limits(usd: int) -> dict[str, Any]:
    """Of any kind, with amounts about this one, as a collector takes them."""
    return {
        "limits": (
            limit("day", usd=2 * usd, each=Each.USER, warn=(0.5, 0.8)),
            limit("half", "30m", usd=usd, each=Each.USER),
            limit("hour", "hour", usd=usd, each=Each.MODEL, warn=()),
            limit("days", "3d", usd=5 * usd, each=Each.MODEL_FAMILY),
            limit("ever", "lifetime", usd=6 * usd, each=Each.USER),
            limit("some", usd=usd, where="model:gpt-5 or user:ann", each=Each.USER),
            limit("kept", usd=2 * usd, each=Each.USER, reserve="gpt-5"),
            limit("all", "1h", usd=2 * usd),
        ),
        "reserves": {"kept": A_DOLLAR_EACH},
    }


class Traffic:
    """What requests, corrections, people and the clock do, at random."""

    def __init__(self, collecting: Make, seed: int) -> None:
        self.dice, self._make = Random(seed), collecting
        self._requests: list[tuple[int, dict[str, Any]]] = []
        self.configure()

    def configure(self) -> None:
        of = limits(self.dice.choice([4, 8, 12]))
        self.spending = self._make(*of["limits"], reserves=of["reserves"])

    def step(self) -> None:
        self.dice.choice([self._spend, self._spend, self._spend, self._correct, self._wait, self._raise, self._lower])()

    def _spend(self) -> None:
        for _ in range(self.dice.randint(1, 5)):
            late = self.dice.choice([0, 0, 0, 20 * MINUTE, 5 * HOUR, 2 * DAY])
            at = self.spending.clock() - late
            who = {"user_id": self.dice.choice(USERS), "model": self.dice.choice(MODELS), "usage": Usage(prompt=3)}
            self._requests.append((at, who))
            cost = self.dice.choice([None, 1, 2, 3, 5])
            number = len(self._requests)
            self.spending.record(request(number, at, None if cost is None else cost * DOLLAR, **who))

    def _correct(self) -> None:
        """Next to nothing, by a source that knows better."""
        if self._requests:
            number = self.dice.randrange(len(self._requests))
            at, who = self._requests[number]
            self.spending.record(request(number + 1, at, 1, source=HELICONE_API, verified=True, **who))

    def _wait(self) -> None:
        self.spending.clock.advance(self.dice.choice([MINUTE, 16 * MINUTE, HOUR, 9 * HOUR]))
        sum_hours(self.spending.store, self.spending.clock() // HOUR * HOUR)

    def _raise(self) -> None:
        now, raised = self.spending.clock(), self.dice.choice(self.spending.book.limits)
        with self.spending.store.writing() as connection:
            raise_limit(connection, raised, None, Usd.of(self.dice.randint(1, 9)), now + 2 * HOUR, now)

    def _lower(self) -> None:
        """The same limits with other amounts come into force."""
        self.configure()
        self.spending.take_over()


def decided(spending: Collecting, commits: bool) -> tuple[list[str], list[tuple[Any, ...]]]:
    """What a turn and a look at what is unresolved say, and the alerts behind them."""
    with spending.store.writing() as connection:
        told = spending.evaluator.evaluate(connection, spending.clock())
        told += spending.evaluator.revisit(connection, spending.clock())
        table = table_of(AlertTable)
        named = [column for column in table.columns if column.name != "id"]
        alerts = [tuple(row) for row in connection.execute(table.select().with_only_columns(*named))]
        if not commits:
            connection.rollback()
    return sorted(said(told)), sorted(alerts, key=repr)


def test_to_look_at_everybody_decides_the_same(collecting: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    traffic, spoken, left_out = Traffic(collecting, seed=2), 0, 0
    reaching = EntityUses.reaching

    def everybody(self: EntityUses, connection: Any, limit: Any, entities: Sequence[str], *rest: Any) -> set[str]:
        nonlocal left_out
        left_out += len(set(entities) - reaching(self, connection, limit, entities, *rest))
        return set(entities)

    for _ in range(STEPS):
        traffic.step()
        with monkeypatch.context() as patched:
            patched.setattr(EntityUses, "reaching", everybody)
            by_all = decided(traffic.spending, commits=False)
        assert decided(traffic.spending, commits=True) == by_all
        spoken += len(by_all[0])
    assert spoken
    assert left_out
