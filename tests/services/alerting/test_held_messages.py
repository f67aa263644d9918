"""What silences keep back, on both databases: nothing is said while one lasts, and what still stands once after it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest

from spendtop.domain.clock import HOUR, MINUTE, SECOND
from spendtop.domain.limits.limit import Each
from spendtop.domain.windows import Calendar
from spendtop.services.alerting import actions as alert_actions
from spendtop.services.alerting.announcements import Channel
from spendtop.store.engine import Store
from spendtop.store.reads.alerts.attention import alerts, attention
from spendtop.store.reads.configuration.applied import Applied, CollectorInfo, keep
from spendtop.store.tables import DeliveryAlertTable, DeliveryTable, HeldAnnouncementTable
from tests.conftest import SettableClock
from tests.services.conftest import Collecting, limit, rows

Make = Callable[..., Collecting]
HOURLY = limit("hour", "1h", usd=10, warn=())
EACH = limit("each user", each=Each.USER, usd=10, warn=(0.5,))


@pytest.fixture(autouse=True)
def _in_force(store: Store, clock: SettableClock) -> None:
    """A collector has applied the limits."""
    info = CollectorInfo(version="0", host="here", pid=1, url="http://127.0.0.1:8000", started_at=clock())
    facts: dict[str, Any] = {
        "calendar": Calendar(),
        "channels": ("ops",),
        "collector": info,
        "at": clock(),
        "config_digest": "",
    }
    with store.writing() as connection:
        keep(connection, Applied(limits=(EACH, HOURLY), **facts))


def silence(house: Collecting, text: str, length: int) -> int:
    with house.store.writing() as connection:
        now = house.clock()
        return alert_actions.silence(connection, text, now + length, "eve", now).id


def queued(store: Store) -> list[str]:
    """What was put into the outbox, in order."""
    return [row.kind for row in rows(store, DeliveryTable)]


def test_what_stands_at_the_end_of_a_silence_is_said_once(collecting: Make, store: Store, clock: SettableClock) -> None:
    house = collecting(EACH)
    silence(house, "user:ann", HOUR)
    house.spend(6, user_id="ann")
    house.spend(6, user_id="ann")
    house.spend(12, user_id="bob")
    assert queued(store) == ["exceeded"]
    with store.reading() as connection:
        by_user = {row.entity.raw: row.stage(clock()) for row in alerts(connection, True, 9)}
        assert by_user == {"ann": "silenced", "bob": "open"}
        assert attention(connection, clock()).unattended == 1
    clock.advance(HOUR - 1)
    house.revisit()
    assert queued(store) == ["exceeded"]
    clock.advance(1)
    for _ in range(3):
        house.revisit()
    assert queued(store) == ["exceeded", "exceeded"]
    assert "kept back by a silence" in rows(store, DeliveryTable)[-1].payload
    assert rows(store, HeldAnnouncementTable) == []


def test_what_was_acked_or_is_over_by_then_is_not_said(collecting: Make, store: Store, clock: SettableClock) -> None:
    house = collecting(EACH, HOURLY)
    silence(house, "*", 4 * HOUR)
    house.spend(12, user_id="ann")
    (acked,) = [row.id for row in house.alerts() if row.entity == "ann"]
    with store.writing() as connection:
        alert_actions.ack(connection, acked, "eve", clock())
    for _ in range(5):  # use of the rolling hour falls, for long enough
        clock.advance(HOUR)
        house.revisit()
    assert queued(store) == []


def test_a_silence_that_is_taken_back_lets_what_stands_be_said_at_once(collecting: Make, store: Store) -> None:
    house = collecting(EACH)
    number = silence(house, "limit:each*", HOUR)
    house.spend(12, user_id="ann")
    with store.writing() as connection:
        alert_actions.unsilence(connection, number, "eve", house.clock())
    house.revisit()
    assert queued(store) == ["exceeded"]
    with store.writing() as connection, pytest.raises(alert_actions.NoSuchSilence, match=f"No silence {number} "):
        alert_actions.unsilence(connection, number, "eve", house.clock())


def test_a_silence_of_warnings_lets_what_becomes_critical_speak(collecting: Make, store: Store) -> None:
    house = collecting(EACH)
    silence(house, "sev:warning", HOUR)
    house.spend(6, user_id="ann")
    assert queued(store) == []
    house.spend(6, user_id="ann")
    assert queued(store) == ["exceeded"]


def test_silences_overlap(collecting: Make, store: Store, clock: SettableClock) -> None:
    house = collecting(EACH)
    silence(house, "user:ann", HOUR)
    house.spend(12, user_id="ann")
    silence(house, "sev:critical", 2 * HOUR)
    clock.advance(HOUR)
    house.revisit()
    assert queued(store) == []
    clock.advance(HOUR)
    house.revisit()
    assert queued(store) == ["exceeded"]


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_spent_nothing_leaves_within_a_silence_and_nothing_that_stands_is_lost(
    collecting: Make, store: Store, clock: SettableClock, seed: int
) -> None:
    dice, house = Random(seed), collecting(EACH, channels=[Channel("ops")])
    clock.advance(-12 * HOUR)
    silent: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for _ in range(80):
        clock.advance(SECOND)
        user = dice.choice("abc")
        match dice.choice(("spend", "spend", "wait", "silence")):
            case "spend":
                house.spend(dice.randint(1, 4), user_id=user)
            case "wait":
                clock.advance(dice.randint(1, 20) * MINUTE)
                house.revisit()
            case "silence":
                length = dice.randint(1, 40) * MINUTE
                silence(house, f"user:{user}", length)
                silent[user].append((clock(), clock() + length))
    clock.advance(HOUR)
    for _ in range(4):
        clock.advance(2 * MINUTE)
        house.revisit()
    entities = {row.id: row.entity for row in house.alerts()}
    joined = rows(store, DeliveryAlertTable)
    told: defaultdict[str, list[int]] = defaultdict(list)
    for link in joined:
        told[entities[link.alert_id]].append(link.joined_at)
    for entity, instants in told.items():
        assert not _within(instants, silent[entity]), (seed, entity)
    last = {row.id: row.kind for row in rows(store, DeliveryTable)}
    newest = {link.alert_id: last[link.delivery_id] for link in sorted(joined, key=lambda link: link.delivery_id)}
    assert newest == {row.id: row.state for row in house.alerts()}, seed


def _within(instants: Sequence[int], spans: Sequence[tuple[int, int]]) -> bool:
    return any(start <= at < end for at in instants for start, end in spans)
