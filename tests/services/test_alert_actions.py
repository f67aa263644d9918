"""Taking an alert on and putting it off, on both databases."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.errors import UsageError
from spendtop.services import alert_actions
from spendtop.store.engine import Store
from tests.conftest import SettableClock
from tests.services.conftest import Collecting, limit

Make = Callable[..., Collecting]


@pytest.fixture
def exceeded(collecting: Make) -> Collecting:
    """A daily limit of $100 that is approached."""
    one = collecting(limit(warn=(0.8,)))
    assert one.spend(85) == ["approaching daily"]
    return one


def test_an_ack_says_who_and_when_and_can_be_taken_back(
    exceeded: Collecting, store: Store, clock: SettableClock
) -> None:
    with store.writing() as connection:
        alert_actions.ack(connection, 1, " ana ", clock())
    (row,) = exceeded.alerts()
    assert (row.acked_by, row.acked_at) == ("ana", clock())
    with store.writing() as connection:
        alert_actions.unack(connection, 1, clock())
    (row,) = exceeded.alerts()
    assert (row.acked_by, row.acked_at, row.snoozed_until) == (None, None, None)


def test_a_snoozed_alert_says_what_stands_when_it_wakes(
    exceeded: Collecting, store: Store, clock: SettableClock
) -> None:
    with store.writing() as connection:
        alert_actions.snooze(connection, 1, clock() + HOUR, clock())
    clock.advance(MINUTE)
    assert exceeded.spend(30) == []
    clock.advance(HOUR)
    assert [said.message.kind.value for said in exceeded.revisit()] == ["exceeded"]
    assert exceeded.revisit() == []


@pytest.mark.parametrize("length", [0, -HOUR, 7 * DAY + 1])
def test_a_snooze_lasts_up_to_a_week(exceeded: Collecting, store: Store, clock: SettableClock, length: int) -> None:
    with store.writing() as connection, pytest.raises(UsageError, match="7 days"):
        alert_actions.snooze(connection, 1, clock() + length, clock())


def test_unknown_and_resolved_alerts_are_refused_by_name(
    exceeded: Collecting, store: Store, clock: SettableClock
) -> None:
    with store.writing() as connection, pytest.raises(alert_actions.NoSuchAlert, match="no alert 9"):
        alert_actions.ack(connection, 9, "ana", clock())
    clock.advance(2 * DAY)
    exceeded.revisit()
    with store.writing() as connection, pytest.raises(alert_actions.AlertIsOver, match="Alert 1 is resolved"):
        alert_actions.snooze(connection, 1, clock() + HOUR, clock())
