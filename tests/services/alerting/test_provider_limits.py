"""Limits of providers as they are kept, read and told of, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection

from spendtop.alerts.message_text import Dispatch, render
from spendtop.domain.clock import DAY, HOUR, to_micros
from spendtop.domain.ledger.amounts import BilledName, CostPart, Costs
from spendtop.domain.limits.limit import LimitState
from spendtop.domain.limits.provider_limits import LimitMeasure, ProviderLimit, ProviderLimitUse
from spendtop.domain.money import Usd
from spendtop.domain.windows import Bounds, Calendar
from spendtop.services.alerting.announcements import Channel
from spendtop.services.alerting.provider_limits import ProviderLimitAlerts, take_limits
from spendtop.services.ledger import entries as ledger
from spendtop.store.engine import Store
from spendtop.store.reads.alerts.attention import alerts
from spendtop.store.reads.limits.provider_limits import provider_limits
from tests.conftest import SettableClock
from tests.store.conftest import Recorded

MONTH = to_micros(datetime(2026, 11, 1, tzinfo=UTC))
NEXT_MONTH = to_micros(datetime(2026, 12, 1, tzinfo=UTC))
TODAY = to_micros(datetime(2026, 11, 16, tzinfo=UTC))


def limit(amount: int | None = 100, used: str | None = "50", **fields: Any) -> ProviderLimit:
    told = {"scope": "organization", "interval": "month", **fields}
    return ProviderLimit(
        amount=None if amount is None else Usd.of(amount), used=None if used is None else Usd.of(used), **told
    )


class Office:
    """Keeps limits in one store, and lets their alerts speak."""

    def __init__(self, store: Store, clock: SettableClock) -> None:
        self.store, self.clock = store, clock
        self.pollers = ["limits"]

    def tell(self, *limits: ProviderLimit) -> None:
        with self.store.writing() as connection:
            take_limits(connection, "limits", "openai", "openai", limits, self.clock())

    def read(self) -> tuple[ProviderLimitUse, ...]:
        with self.store.reading() as connection:
            return provider_limits(connection, self.clock())

    def look(self) -> list[str]:
        """What is said now."""
        watch = ProviderLimitAlerts(self.pollers, [Channel("ops")], Calendar())
        with self.store.writing() as connection:
            if not watch.changes(connection, self.clock()):
                return []
            told = watch.look(connection, self.clock())
        return [render(each.message, Dispatch(sender="here", ref="r")).title for each in told]


@pytest.fixture
def office(store: Store, clock: SettableClock) -> Office:
    clock.now = TODAY
    return Office(store, clock)


def test_what_is_told_is_read_back_the_fullest_first_and_replaced_by_the_next_poll(office: Office) -> None:
    office.tell(
        limit(used=None), limit(used="12.3456789"), limit(None, None), limit(used="90", scope="user", name="Al")
    )
    told = office.read()
    assert [(use.told.scope, use.used) for use in told] == [
        *[("user", Usd.of(90)), ("organization", Usd.of("12.3456789"))],
        *[("organization", None), ("organization", None)],
    ]
    assert (told[0].holder, told[0].remaining, told[0].state) == ("user Al", Usd.of(10), LimitState.APPROACHING)
    assert told[0].bounds == Bounds(MONTH, NEXT_MONTH)
    office.tell(limit())
    assert len(office.read()) == 1


def test_use_that_nobody_tells_is_what_was_billed_or_seen_since_the_window_began(office: Office) -> None:
    office.tell(
        limit(used=None, measure=LimitMeasure.BILLED),
        limit(used=None, measure=LimitMeasure.BILLED, scope="project", subject="p"),
        limit(used=None, measure=LimitMeasure.SEEN),
    )
    assert {use.told.measure: use.used for use in office.read()} == {
        LimitMeasure.BILLED: None,
        LimitMeasure.SEEN: Usd.of(0),
    }
    first = MONTH // DAY
    parts = [(first - 1, "p", "40"), (first, "p", "3"), (first + 2, "q", "4")]
    costs = Costs(
        names=(BilledName("project", "p", "Checkout"),),
        first_day=first - 1,
        last_day=TODAY // DAY,
        parts=tuple(CostPart(day=day, project=project, amount=Decimal(usd)) for day, project, usd in parts),
    )
    with office.store.writing() as connection:
        ledger.take_costs(connection, "openai", costs, office.clock())
    assert [use.holder for use in office.read() if use.told.scope == "project"] == ["project Checkout"]
    recorded = Recorded(office.store)
    for at in (MONTH - 1, MONTH + 1, TODAY - HOUR):
        recorded.add([recorded.request(at, 1_000_000_000, provider="openai")], [])
    assert {use.told.scope + use.told.measure: use.used for use in office.read()} == {
        "organizationbilled": Usd.of(7),
        "projectbilled": Usd.of(3),
        "organizationseen": Usd.of(2),
    }


def test_what_was_told_of_a_window_that_is_over_is_not_the_use_of_the_next(office: Office) -> None:
    office.tell(limit(), limit(interval="30d", resets_at=TODAY + DAY, scope="key"))
    assert [use.used for use in office.read()] == [Usd.of(50)] * 2
    assert [use.bounds.start_us for use in office.read() if use.told.scope == "key"] == [TODAY - 29 * DAY]
    office.clock.now = NEXT_MONTH
    assert [use.used for use in office.read()] == [None] * 2


def test_the_pace_of_the_window_says_when_a_limit_is_reached(office: Office) -> None:
    office.tell(limit(used="75"), limit(used="25", scope="key"), limit(interval="lifetime", scope="team"))
    by_scope = {use.told.scope: use.forecast() for use in office.read()}
    soon, never = by_scope["organization"], by_scope["key"]
    assert soon is not None and soon.reaches_at == TODAY + 5 * DAY and soon.linear == Usd.of(150)
    assert never is not None and never.reaches_at is None and never.linear == Usd.of(50)
    assert by_scope["team"] is None
    office.clock.now = MONTH + HOUR
    office.tell(limit())
    (early,) = (use.forecast() for use in office.read())
    assert early is not None and not early.has_enough


def test_an_alert_speaks_at_our_thresholds_and_once(office: Office) -> None:
    office.tell(limit(used="79"))
    assert office.look() == []
    office.tell(limit(used="80"), limit(used="99", scope="project", subject="p1", name="Checkout"))
    assert sorted(office.look()) == [
        "approaching: openai organization $80.00 of $100.00",
        "approaching: openai project Checkout $99.00 of $100.00",
    ]
    assert office.look() == []
    with office.store.reading() as connection:
        project = next(row for row in alerts(connection, True, 9) if row.entity.raw)
    assert (project.kind, project.about, str(project.name)) == ("limit", "openai project month", "Checkout")
    office.tell(limit(used="100"))
    assert office.look() == ["exceeded: openai organization $100.00 of $100.00"]
    assert [row.state for row in _alerts(office)] == ["exceeded"]  # what is told no more ends without a word


def _alerts(office: Office) -> list[Any]:
    def standing(connection: Connection) -> list[Any]:
        return [*alerts(connection, True, 9)]

    with office.store.reading() as connection:
        return standing(connection)


def test_the_next_window_speaks_anew_and_what_is_asked_no_more_is_dropped(office: Office) -> None:
    office.tell(limit(used="85"))
    assert len(office.look()) == 1
    office.clock.now = NEXT_MONTH + DAY
    office.look()
    assert _alerts(office) == []
    office.tell(limit(used="90"))
    assert len(office.look()) == 1
    office.pollers = []
    assert office.look() == []
    assert (office.read(), _alerts(office)) == ((), [])
