from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import pytest

from spendtop.domain.alerting.episode import Message, MessageKind
from spendtop.domain.clock import HOUR, MINUTE, SECOND
from spendtop.domain.limits.limit import Each
from spendtop.domain.sources.records import HELICONE_API
from spendtop.services.alerting import actions as alert_actions
from spendtop.services.alerting import outbox as outbox_rules
from spendtop.services.alerting.announcements import Channel
from spendtop.services.alerting.outbox import Attempt
from spendtop.store.tables import DeliveryTable, RequestTable
from tests.services.conftest import DOLLAR, Collecting, limit, request, rows

Make = Callable[..., Collecting]
EACH = limit("each user", each=Each.USER, usd=10, warn=())
BOTH = limit("each user", each=Each.USER, usd=10, warn=(0.5,))


@pytest.fixture
def spending(collecting: Make) -> Collecting:
    return collecting(EACH)


def spend(spending: Collecting, users: Iterable[str], dollars: int = 11, **fields: Any) -> None:
    """What each of the users spends, recorded together, and evaluated."""
    now, before = spending.clock(), len(rows(spending.store, RequestTable))
    spending.record(*(request(f"{user}-{before}", now, dollars * DOLLAR, user_id=user, **fields) for user in users))
    spending.evaluate()


def correct(spending: Collecting, user: str, at: int) -> None:
    """What a user spent first, at this instant, turns out to be next to nothing."""
    spending.record(request(f"{user}-0", at, 1, user_id=user, source=HELICONE_API, verified=True))
    spending.evaluate()


def sent(spending: Collecting, channel: str = "ops", outcome: str = "sent") -> list[tuple[str, str, int]]:
    """What the channel takes now: kind, whom it names, and how many others."""
    taken: list[tuple[str, str, int]] = []
    while True:
        now = spending.clock()
        with spending.store.writing() as connection:
            claimed = outbox_rules.claim(connection, channel, now=now, lease_until=now + MINUTE)
            if claimed is None:
                return taken
            outbox_rules.finish(connection, claimed, Attempt(at=now, outcome=outcome, detail="", elapsed_ms=1), None)
        message = msgspec.json.decode(claimed.payload, type=Message)
        taken.append((message.kind.value, message.entity, message.others))


def users(first: int, last: int) -> list[str]:
    return [f"user-{number:03}" for number in range(first, last)]


def test_the_first_is_told_at_once_and_further_ones_together_at_the_end_of_the_minute(spending: Collecting) -> None:
    spend(spending, users(0, 1))
    assert sent(spending) == [("exceeded", "user-000", 0)]
    spending.clock.advance(10 * SECOND)
    spend(spending, users(1, 40))
    spending.clock.advance(40 * SECOND)
    spend(spending, ["zoe"], dollars=99)
    spend(spending, users(40, 41))
    spending.clock.advance(10 * SECOND - 1)
    assert sent(spending) == []
    spending.clock.advance(1)
    assert sent(spending) == [("exceeded", "zoe", 40)]
    assert len(spending.alerts()) == 42
    spend(spending, users(41, 43))
    assert sent(spending) == [("exceeded", "user-041", 0)]
    spending.clock.advance(MINUTE)
    assert sent(spending) == [("exceeded", "user-042", 0)]


def test_many_that_cross_in_one_commit_are_two_messages(spending: Collecting) -> None:
    spend(spending, users(0, 300))
    assert sent(spending) == [("exceeded", "user-000", 0)]
    spending.clock.advance(MINUTE)
    assert sent(spending) == [("exceeded", "user-001", 298)]


def test_the_message_about_many_says_of_the_one_it_names_who_spent(spending: Collecting) -> None:
    spend(spending, users(0, 1))
    spend(spending, ["ann", "bob"], dollars=20, model="o3")
    (_, together) = spending.told()
    assert (together.entity, together.others, together.contributors) == ("ann", 1, (("model", "o3", 20 * DOLLAR),))


def test_each_limit_and_each_level_has_a_minute_of_its_own(collecting: Make) -> None:
    other = limit("other", each=Each.USER, usd=10, warn=())
    spending = collecting(BOTH, other)
    spend(spending, ["ann", "bob"], dollars=6)
    assert sent(spending) == [("approaching", "ann", 0)]
    spend(spending, ["ann", "bob"], dollars=6)
    assert sorted(sent(spending)) == [("exceeded", "ann", 0), ("exceeded", "ann", 0)]
    spending.clock.advance(MINUTE)
    assert sent(spending) == [("exceeded", "bob", 0), ("exceeded", "bob", 0)]  # and not that bob approaches


def test_each_channel_is_told(collecting: Make) -> None:
    spending = collecting(BOTH, channels=[Channel("ops"), Channel("pager", "critical")])
    spend(spending, users(0, 3), dollars=6)
    spend(spending, users(3, 6))
    spending.clock.advance(MINUTE)
    assert sent(spending) == [
        ("approaching", "user-000", 0),
        ("approaching", "user-001", 1),
        ("exceeded", "user-003", 0),
        ("exceeded", "user-004", 1),
    ]
    assert sent(spending, "pager") == [("exceeded", "user-003", 0), ("exceeded", "user-004", 1)]


def test_a_collector_that_died_within_the_minute_tells_it_once_after_its_start(
    spending: Collecting, collecting: Make
) -> None:
    spend(spending, users(0, 3))
    after = collecting(EACH)
    spend(after, users(3, 5))
    after.clock.advance(HOUR)
    assert sent(after) == [("exceeded", "user-000", 0), ("exceeded", "user-001", 3)]
    assert sent(after) == []


def test_who_is_taken_on_or_put_off_within_the_minute_is_left_out_and_so_is_that_it_is_over(
    spending: Collecting,
) -> None:
    spend(spending, users(0, 5))
    began = spending.clock()
    ids = {row.entity: row.id for row in spending.alerts()}
    with spending.store.writing() as connection:
        alert_actions.ack(connection, ids["user-001"], "eve", spending.clock())
        alert_actions.ack(connection, ids["user-002"], "eve", spending.clock())
        alert_actions.unack(connection, ids["user-002"], "eve", spending.clock())
        alert_actions.snooze(connection, ids["user-003"], began + 2 * HOUR, "eve", spending.clock())
    spending.clock.advance(MINUTE)
    assert sent(spending) == [("exceeded", "user-000", 0), ("exceeded", "user-002", 1)]
    spending.clock.advance(2 * HOUR)
    spending.revisit()
    assert sent(spending) == [("exceeded", "user-003", 0)]
    correct(spending, "user-001", began)
    spending.clock.advance(MINUTE)
    spending.revisit()
    assert sent(spending) == []


def test_all_that_were_told_are_told_to_be_over_by_the_same_rule(spending: Collecting) -> None:
    spend(spending, users(0, 30))
    began = spending.clock()
    spending.clock.advance(MINUTE)
    assert sent(spending) == [("exceeded", "user-000", 0), ("exceeded", "user-001", 28)]
    spend(spending, ["zoe"])
    for user in users(0, 30):
        correct(spending, user, began)
    spending.clock.advance(MINUTE)
    spending.revisit()
    assert sent(spending) == [("exceeded", "zoe", 0), ("resolved", "user-000", 0)]
    spending.clock.advance(MINUTE)
    assert sent(spending) == [("resolved", "user-001", 28)]
    spending.clock.advance(HOUR)
    spending.revisit()
    assert sent(spending) == []


def test_what_is_over_before_it_was_told_is_not_told_at_all(collecting: Make) -> None:
    spending = collecting(EACH, channels=[Channel("ops"), Channel("late")])
    spend(spending, users(0, 3))
    began = spending.clock()
    spending.clock.advance(MINUTE)
    assert sent(spending) == [("exceeded", "user-000", 0), ("exceeded", "user-001", 1)]
    for user in users(0, 2):
        correct(spending, user, began)
    spending.clock.advance(MINUTE)
    spending.revisit()
    assert sent(spending, "late") == [("exceeded", "user-002", 0)]
    spending.clock.advance(MINUTE)
    assert sent(spending) == [("resolved", "user-000", 0), ("resolved", "user-001", 0)]
    assert sent(spending, "late") == []


def test_what_was_given_up_is_not_told_to_be_over(spending: Collecting) -> None:
    spend(spending, users(0, 3))
    began = spending.clock()
    spending.clock.advance(MINUTE)
    assert len(sent(spending, outcome="permanent")) == 2
    for user in users(0, 3):
        correct(spending, user, began)
    spending.clock.advance(MINUTE)
    spending.revisit()
    assert [row.state for row in rows(spending.store, DeliveryTable)] == ["dead", "dead"]


def test_a_message_that_waits_for_its_channel_takes_in_what_comes_meanwhile(spending: Collecting) -> None:
    spend(spending, users(0, 2))
    for minute in range(1, 60):
        spending.clock.advance(MINUTE)
        spend(spending, users(2 * minute, 2 * minute + 2))
    assert sent(spending) == [("exceeded", "user-000", 0), ("exceeded", "user-001", 118)]


def test_a_window_that_ends_within_the_minute_does_not_swallow_what_crossed_in_it(collecting: Make) -> None:
    spending = collecting(limit("hourly", "hour", each=Each.USER, usd=10, warn=()))
    spending.clock.advance(HOUR - spending.clock() % HOUR - SECOND)
    spend(spending, users(0, 3))
    spending.clock.advance(MINUTE)
    spending.revisit()
    assert {row.state for row in spending.alerts()} == {"resolved"}
    assert sent(spending) == [("exceeded", "user-000", 0), ("exceeded", "user-001", 1)]


def test_requests_above_a_request_limit_are_told_by_the_same_rule(collecting: Make) -> None:
    spending = collecting(limit("one", "request", usd=10))
    for number in range(45):
        spending.record(request(number, spending.clock(), (11 + number) * DOLLAR, user_id="ann"))
        spending.evaluate()
    spending.clock.advance(MINUTE)
    assert [(message.used_nano, message.others) for message in spending.told()] == [(11 * DOLLAR, 0), (55 * DOLLAR, 43)]
    assert sent(spending) == [("exceeded", "", 0), ("exceeded", "", 43)]


def test_the_one_that_is_named_is_still_one_that_stands(spending: Collecting) -> None:
    spend(spending, users(0, 1))
    spend(spending, ["ann"], dollars=50)
    spend(spending, ["bob"], dollars=20)
    spend(spending, ["eve"], dollars=30)
    ids = {row.entity: row.id for row in spending.alerts()}
    with spending.store.writing() as connection:
        alert_actions.ack(connection, ids["ann"], "me", spending.clock())
    spending.clock.advance(MINUTE)
    assert sent(spending) == [("exceeded", "user-000", 0), ("exceeded", "eve", 1)]
    together = spending.told()[1]
    assert (together.used_nano, together.kind) == (30 * DOLLAR, MessageKind.EXCEEDED)
    assert [row.alert_id for row in rows(spending.store, DeliveryTable)] == [ids["user-000"], ids["eve"]]


def test_a_channel_that_works_again_leaves_the_minute_its_time(spending: Collecting) -> None:
    spend(spending, users(0, 3))
    with spending.store.writing() as connection:
        outbox_rules.make_due(connection, "ops", spending.clock())
    assert sent(spending) == [("exceeded", "user-000", 0)]
