from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from spendtop.domain.alerting.episode import Message, MessageKind
from spendtop.domain.clock import MINUTE
from spendtop.domain.limits.limit import Each
from spendtop.domain.sources.records import HELICONE_API
from spendtop.services.alerting import fallbacks
from spendtop.services.alerting import outbox as outbox_rules
from spendtop.services.alerting.announcements import Channel
from spendtop.services.alerting.fallbacks import Fallbacks
from spendtop.services.alerting.outbox import Attempt
from spendtop.store.tables import DeliveryTable
from tests.services.conftest import DOLLAR, Collecting, limit, request, rows

Make = Callable[..., Collecting]
EACH = limit("each user", each=Each.USER, usd=10, warn=(), notify=("ops",))
TO_PAGER = Fallbacks("pager")


@pytest.fixture
def spending(collecting: Make) -> Collecting:
    return collecting(EACH, channels=[Channel("ops"), Channel("pager", "critical")])


def spend(spending: Collecting, *users: str) -> None:
    spending.record(*(request(user, spending.clock(), 11 * DOLLAR, user_id=user) for user in users))
    spending.evaluate()


def take(spending: Collecting, channel: str, outcome: str, told: Fallbacks = TO_PAGER) -> list[Message]:
    """All that is due on this channel ends like this, for good."""
    messages: list[Message] = []
    while True:
        now = spending.clock()
        with spending.store.writing() as connection:
            claimed = outbox_rules.claim(connection, channel, now=now, lease_until=now + MINUTE)
            if claimed is None:
                return messages
            attempt = Attempt(at=now, outcome=outcome, detail="refused (HTTP 410)", elapsed_ms=1)
            outbox_rules.finish(connection, claimed, attempt, None)
            fallbacks.tell(connection, [claimed.id], told, now)
        messages.append(msgspec.json.decode(claimed.payload, type=Message))


def test_the_fallback_is_told_once_what_was_not_delivered_and_why(spending: Collecting) -> None:
    spend(spending, "ann")
    take(spending, "ops", "permanent")
    with spending.store.writing() as connection:
        fallbacks.tell(connection, [row.id for row in rows(spending.store, DeliveryTable)], TO_PAGER, 0)
    (told,) = take(spending, "pager", "sent")
    assert (told.kind, told.limit_name, told.lines) == (MessageKind.UNDELIVERED, "ops", ("refused (HTTP 410)",))
    assert told.lost is not None
    assert (told.lost.kind, told.lost.entity, told.lost.used_nano) == (MessageKind.EXCEEDED, "ann", 11 * DOLLAR)
    assert take(spending, "pager", "sent") == []


def test_a_fallback_that_fails_too_is_the_end_of_it(spending: Collecting) -> None:
    spend(spending, "ann")
    take(spending, "ops", "permanent")
    both_ways = Fallbacks("ops")
    assert len(take(spending, "pager", "permanent", both_ways)) == 1
    assert [(row.channel, row.state) for row in rows(spending.store, DeliveryTable)] == [
        ("ops", "dead"),
        ("pager", "dead"),
    ]


@pytest.mark.parametrize("told", [Fallbacks(), Fallbacks("ops")])
def test_without_another_channel_nobody_is_told(spending: Collecting, told: Fallbacks) -> None:
    spend(spending, "ann")
    take(spending, "ops", "permanent", told)
    assert [row.channel for row in rows(spending.store, DeliveryTable)] == ["ops"]


def test_a_limit_has_a_fallback_of_its_own(spending: Collecting) -> None:
    told = Fallbacks("nobody", {"limit/each user": "pager"})
    spend(spending, "ann")
    take(spending, "ops", "permanent", told)
    assert [row.channel for row in rows(spending.store, DeliveryTable)] == ["ops", "pager"]


def test_a_test_message_that_fails_is_told_to_nobody(spending: Collecting) -> None:
    with spending.store.writing() as connection:
        outbox_rules.enqueue(
            connection,
            alert_id=None,
            seq=1,
            message=Message(kind=MessageKind.TEST, limit_name=""),
            severity="info",
            channels=["ops"],
            now=spending.clock(),
        )
    take(spending, "ops", "permanent")
    assert take(spending, "pager", "sent") == []


def test_further_ones_of_the_minute_are_told_together(spending: Collecting) -> None:
    spend(spending, "ann", "bob", "eve")
    take(spending, "ops", "permanent")
    spending.clock.advance(MINUTE - 1)
    assert [message.others for message in take(spending, "pager", "sent")] == [0]
    spending.clock.advance(1)
    take(spending, "ops", "permanent")
    spend(spending, "zoe", "zac")
    take(spending, "ops", "permanent")
    spending.clock.advance(MINUTE)
    take(spending, "ops", "permanent")
    (first, second) = take(spending, "pager", "sent")
    assert first.lost is not None and second.lost is not None
    assert (first.lost.entity, first.lost.others, first.others) == ("bob", 1, 0)
    assert (second.lost.entity, second.others) == ("zac", 1)


def test_what_was_given_up_together_is_one_message(spending: Collecting) -> None:
    spend(spending, "ann", "bob")
    now = spending.clock()
    with spending.store.writing() as connection:
        dead = outbox_rules.give_up(connection, "ops", "gone", created_before=now + 1, now=now)
        fallbacks.tell(connection, dead, TO_PAGER, now)
    (told,) = take(spending, "pager", "sent")
    assert (told.others, told.lines) == (1, ("gone",))


def test_the_fallback_hears_too_when_it_is_over_and_the_dead_channel_does_not(spending: Collecting) -> None:
    began = spending.clock()
    spend(spending, "ann", "bob")
    take(spending, "ops", "permanent")
    spending.clock.advance(MINUTE)
    take(spending, "ops", "permanent")
    assert len(take(spending, "pager", "sent")) == 2
    for user in ("ann", "bob"):
        spending.record(request(user, began, 1, user_id=user, source=HELICONE_API, verified=True))
    spending.evaluate()
    spending.clock.advance(MINUTE)
    spending.revisit()
    spending.clock.advance(MINUTE)
    assert [(told.kind, told.entity) for told in take(spending, "pager", "sent")] == [
        (MessageKind.RESOLVED, "ann"),
        (MessageKind.RESOLVED, "bob"),
    ]
    assert take(spending, "ops", "sent") == []


def test_the_fallbacks_own_message_about_the_alert_stays(collecting: Make) -> None:
    spending = collecting(limit(usd=10, warn=()), channels=[Channel("ops"), Channel("pager")])
    spending.spend(10)
    take(spending, "ops", "permanent")
    assert [message.kind for message in take(spending, "pager", "sent")] == [
        MessageKind.EXCEEDED,
        MessageKind.UNDELIVERED,
    ]
