"""Taking an alert on and putting it off, on both databases."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.errors import UsageError
from spendtop.services.alerting import actions as alert_actions
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
        alert_actions.unack(connection, 1, "ana", clock())
    (row,) = exceeded.alerts()
    assert (row.acked_by, row.acked_at, row.snoozed_until) == (None, None, None)


def test_a_snoozed_alert_says_what_stands_when_it_wakes(
    exceeded: Collecting, store: Store, clock: SettableClock
) -> None:
    with store.writing() as connection:
        alert_actions.snooze(connection, 1, clock() + HOUR, "ana", clock())
    clock.advance(MINUTE)
    assert exceeded.spend(30) == []
    clock.advance(HOUR)
    assert [said.message.kind.value for said in exceeded.revisit()] == ["exceeded"]
    assert exceeded.revisit() == []


@pytest.mark.parametrize("length", [0, -HOUR, 7 * DAY + 1])
def test_a_snooze_lasts_up_to_a_week(exceeded: Collecting, store: Store, clock: SettableClock, length: int) -> None:
    with store.writing() as connection, pytest.raises(UsageError, match="7 days"):
        alert_actions.snooze(connection, 1, clock() + length, "ana", clock())


def test_unknown_and_resolved_alerts_are_refused_by_name(
    exceeded: Collecting, store: Store, clock: SettableClock
) -> None:
    with store.writing() as connection, pytest.raises(alert_actions.NoSuchAlert, match="no alert 9"):
        alert_actions.ack(connection, 9, "ana", clock())
    clock.advance(2 * DAY)
    exceeded.revisit()
    with store.writing() as connection, pytest.raises(alert_actions.AlertIsOver, match="Alert 1 is resolved"):
        alert_actions.snooze(connection, 1, clock() + HOUR, "ana", clock())


def undone(store: Store, by: str, now: int) -> str:
    with store.writing() as connection:
        return alert_actions.undo(connection, by, now)


def test_undo_takes_back_the_last_of_ones_own_that_still_stands(
    exceeded: Collecting, store: Store, clock: SettableClock
) -> None:
    now = clock()
    with store.writing() as connection:
        alert_actions.ack(connection, 1, "ana", now)
        alert_actions.ack(connection, 1, "bo", now + 1)
        alert_actions.snooze(connection, 1, now + HOUR, "bo", now + 2)
        alert_actions.silence(connection, "user:ci", now + HOUR, "bo", now + 3)
    assert "(user:ci) has ended" in undone(store, "bo", now + 4)
    assert "snoozed as it was before" in undone(store, "bo", now + 5)
    assert "taken on by ana again" in undone(store, "bo", now + 6)
    (row,) = exceeded.alerts()
    assert (row.acked_by, row.acked_at, row.snoozed_until) == ("ana", now, None)
    with pytest.raises(UsageError, match="nothing to undo"):
        undone(store, "bo", now + 7)
    assert "not taken on any more" in undone(store, "ana", now + 8)


def test_undo_leaves_what_is_over_or_was_changed_by_others(
    exceeded: Collecting, store: Store, clock: SettableClock
) -> None:
    now = clock()
    with store.writing() as connection:
        alert_actions.snooze(connection, 1, now + MINUTE, "ana", now)
        alert_actions.silence(connection, "user:ci", now + MINUTE, "ana", now)
    with pytest.raises(UsageError, match="nothing to undo"):
        undone(store, "ana", now + MINUTE)
    with store.writing() as connection:
        alert_actions.ack(connection, 1, "ana", now)
        alert_actions.ack(connection, 1, "bo", now + 1)
    with pytest.raises(UsageError, match="nothing to undo"):
        undone(store, "ana", now + MINUTE)
