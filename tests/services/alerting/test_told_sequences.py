"""Whatever is spent, corrected, taken on, delivered or not, and in whatever order: what people are told of an alert."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from random import Random

import pytest
from sqlalchemy import bindparam, select

from spendtop.domain.alerting.episode import MOST_FALLS, MessageKind
from spendtop.domain.clock import HOUR, MINUTE, SECOND
from spendtop.domain.errors import UsageError
from spendtop.domain.limits.limit import Each
from spendtop.domain.sources.records import HELICONE_API
from spendtop.services.alerting import actions as alert_actions
from spendtop.services.alerting import outbox as outbox_rules
from spendtop.services.alerting.announcements import Channel
from spendtop.services.alerting.outbox import Attempt
from spendtop.store.statements import table_of
from spendtop.store.tables import DeliveryAlertTable, DeliveryTable
from tests.services.conftest import DOLLAR, Collecting, limit, request, rows

Make = Callable[..., Collecting]
CHANNELS = ("ops", "mail")
USERS = "abcdef"
LIMITS = (
    limit("day", "day", each=Each.USER, usd=10, warn=(0.5,)),
    limit("hour", "1h", each=Each.USER, usd=8, warn=()),
    limit("all", "day", usd=30),
)


class Simulation:
    """A collector, its outbox, and what each channel was told of each alert, in order."""

    def __init__(self, collecting: Make, seed: int) -> None:
        self._dice = Random(seed)
        self._make = partial(collecting, *LIMITS, channels=[Channel(name) for name in CHANNELS])
        self.spending = self._make()
        self.spending.clock.advance(-10 * HOUR)  # the day is long enough for all of it
        self._requests: dict[int, tuple[str, int]] = {}
        self.told: defaultdict[tuple[str, int], list[str]] = defaultdict(list)

    def step(self) -> None:
        chosen = self._dice.choice(
            [self._spend, self._spend, self._correct, self._wait, self._deliver, self._take_on, self._silence]
        )
        chosen()
        if self._dice.random() < 0.05:  # it was killed, and started again
            self.spending = self._make()
            with self.spending.store.writing() as connection:
                outbox_rules.free_abandoned(connection)

    def end(self) -> None:
        """All that was spent turns out to be next to nothing, and all channels work."""
        for number in list(self._requests):
            self._lower(number)
        for _ in range(20):
            self.spending.clock.advance(2 * MINUTE)
            self.spending.revisit()
            self._deliver(outcomes=("sent",))

    def _spend(self) -> None:
        for _ in range(self._dice.randint(1, 4)):
            number = len(self._requests)
            user, at = self._dice.choice(USERS), self.spending.clock()
            self._requests[number] = user, at
            amount = self._dice.randint(1, 12) * DOLLAR
            self.spending.record(request(number, at, amount, user_id=user))
        self.spending.evaluate()

    def _correct(self) -> None:
        if self._requests:
            self._lower(self._dice.choice(list(self._requests)))

    def _lower(self, number: int) -> None:
        user, at = self._requests[number]
        self.spending.record(request(number, at, 1, user_id=user, source=HELICONE_API, verified=True))
        self.spending.evaluate()

    def _wait(self) -> None:
        self.spending.clock.advance(self._dice.choice([SECOND, 20 * SECOND, MINUTE, 3 * MINUTE]))
        self.spending.revisit()

    def _take_on(self) -> None:
        alerts = self.spending.alerts()
        if not alerts:
            return
        with self.spending.store.writing() as connection:
            try:
                alert_actions.ack(connection, self._dice.choice(alerts).id, "eve", self.spending.clock())
            except UsageError:
                return

    def _silence(self) -> None:
        """For a while nothing is said about somebody, or about a limit."""
        now, length = self.spending.clock(), self._dice.choice([MINUTE, 3 * MINUTE, 9 * MINUTE])
        text = self._dice.choice([f"user:{self._dice.choice(USERS)}", "limit:all", "sev:critical limit:hour"])
        with self.spending.store.writing() as connection:
            made = alert_actions.silence(connection, text, now + length, "eve", now)
            if self._dice.random() < 0.2:
                alert_actions.unsilence(connection, made.id, "eve", now)

    def _deliver(self, outcomes: tuple[str, ...] = ("sent", "sent", "sent", "transient", "dead")) -> None:
        told = table_of(DeliveryAlertTable)
        for channel in CHANNELS:
            while True:
                now, outcome = self.spending.clock(), self._dice.choice(outcomes)
                with self.spending.store.writing() as connection:
                    claimed = outbox_rules.claim(connection, channel, now=now, lease_until=now + MINUTE)
                    if claimed is None:
                        break
                    members = connection.execute(select(told.c.alert_id).where(told.c.delivery_id == claimed.id))
                    alerts = members.scalars().all()
                    attempt = Attempt(at=now, outcome=outcome, detail="", elapsed_ms=1)
                    retry_at = now + 10 * SECOND if outcome == "transient" else None
                    outbox_rules.finish(connection, claimed, attempt, retry_at)
                    kind = next(row.kind for row in connection.execute(KIND_OF, {"number": claimed.id}))
                if outcome == "sent":
                    for alert in alerts:
                        self.told[channel, alert].append(kind)


KIND_OF = select(table_of(DeliveryTable).c.kind).where(table_of(DeliveryTable).c.id == bindparam("number"))


@pytest.mark.parametrize("seed", [*range(2), *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 40))])
def test_nobody_hears_an_end_without_a_beginning_nor_an_end_twice_or_never(collecting: Make, seed: int) -> None:
    simulation = Simulation(collecting, seed)
    for _ in range(150):
        simulation.step()
    simulation.end()
    store = simulation.spending.store
    refs = [row.ref for row in rows(store, DeliveryTable)]
    assert len(refs) == len(set(refs)) > 5
    alerts = {row.id: row for row in simulation.spending.alerts()}
    over = MessageKind.RESOLVED.value
    for (channel, alert), kinds in simulation.told.items():
        story = (seed, channel, alerts[alert].rule, alerts[alert].entity, kinds)
        assert kinds[0] != over, story
        assert (over, over) not in pairwise(kinds), story
        if alerts[alert].falls <= MOST_FALLS and MessageKind.EXCEEDED.value in kinds:
            assert kinds[-1] == over, story
