"""What cannot be evaluated by its own doing: it keeps its marks, is told of, and holds nothing else up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from spendtop.domain.clock import HOUR, MINUTE
from spendtop.domain.limits.limit import Each, Limit
from spendtop.services.alerting import announcements, episodes
from spendtop.services.alerting.announcements import Announcement
from spendtop.services.alerting.postponed import Postponed
from spendtop.store.tables import LimitMarkTable
from tests.services.conftest import DOLLAR, Collecting, limit, request, rows, said

Make = Callable[..., Collecting]
EACH = limit("each", usd=1, each=Each.USER, warn=())


class Broken:
    """Reading whether somebody is alerted already fails for some, as a row does that cannot be read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *broken: str) -> None:
        self.broken = set(broken)
        """Names of limits, or entities."""
        self.tries = 0
        current = episodes.current

        def failing(connection: Connection, one: Limit, entities: list[str], *rest: Any) -> Any:
            if self.broken & {one.name, *entities}:
                self.tries += 1
                connection.exec_driver_sql("SELECT nothing")
            return current(connection, one, entities, *rest)

        monkeypatch.setattr(episodes, "current", failing)


def due(spending: Collecting) -> bool:
    with spending.store.reading() as connection:
        return spending.evaluator.has_marks(connection, spending.clock())


def words(spending: Collecting) -> str:
    return spending.evaluator.postponed_words(spending.clock()) or ""


def test_a_limit_that_cannot_be_evaluated_keeps_its_marks_until_it_can_and_does_not_silence_the_others(
    collecting: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    spending = collecting(limit("daily", usd=1, warn=()), limit("sound", usd=1, warn=()))
    broken = Broken(monkeypatch, "daily")
    assert spending.spend(2) == ["exceeded sound"]
    assert [mark.limit_name for mark in rows(spending.store, LimitMarkTable)] == ["daily"]
    assert words(spending).startswith("Limits that cannot be evaluated: daily. ")
    assert not due(spending)
    assert spending.spend(1) == [] and broken.tries == 1
    spending.clock.advance(MINUTE)
    assert due(spending)
    assert said(spending.evaluate()) == [] and broken.tries == 2
    broken.broken.clear()
    spending.clock.advance(MINUTE)
    assert said(spending.evaluate()) == []
    spending.clock.advance(MINUTE)
    assert said(spending.evaluate()) == ["exceeded daily"]
    assert (rows(spending.store, LimitMarkTable), words(spending)) == ([], "")


def test_one_user_who_cannot_be_evaluated_keeps_no_other_waiting(
    collecting: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    spending = collecting(EACH)
    broken = Broken(monkeypatch, "user 07")
    spending.record(*(request(n, spending.clock(), 2 * DOLLAR, user_id=f"user {n:02}") for n in range(25)))
    assert sorted(said(spending.evaluate())) == [f"exceeded each user {n:02}" for n in range(25) if n != 7]
    assert [mark.entity for mark in rows(spending.store, LimitMarkTable)] == ["user 07"]
    assert "each for user 07." in words(spending)
    assert spending.spend(2, user_id="user 99") == ["exceeded each user 99"]
    assert spending.spend(2, user_id="user 07") == [] and not due(spending)
    broken.broken.clear()
    spending.clock.advance(MINUTE)
    assert said(spending.evaluate()) == ["exceeded each user 07"]


def test_a_limit_that_fails_for_everybody_waits_as_a_whole_and_costs_no_turn(
    collecting: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    spending = collecting(EACH, limit("sound", usd=1, warn=()))
    broken = Broken(monkeypatch, "each")
    spending.record(*(request(n, spending.clock(), 2 * DOLLAR, user_id=f"user {n:02}") for n in range(60)))
    assert said(spending.evaluate()) == ["exceeded sound"]
    tried = broken.tries
    assert tried < 40
    assert "7 more" in words(spending)
    spending.spend(2, user_id="user 99")
    assert broken.tries == tried and not due(spending)
    assert len(rows(spending.store, LimitMarkTable)) == 61
    broken.broken.clear()
    spending.clock.advance(MINUTE)
    assert len(spending.evaluate()) == 61


def test_those_who_can_be_evaluated_come_before_many_who_failed(
    collecting: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    spending = collecting(EACH)
    names = [f"user {n:02}" for n in range(14)]
    broken = Broken(monkeypatch, *names[:12])
    spending.record(*(request(n, spending.clock(), 2 * DOLLAR, user_id=name) for n, name in enumerate(names)))
    assert said(spending.evaluate()) == []
    spending.clock.advance(MINUTE)
    assert sorted(said(spending.evaluate())) == [f"exceeded each {name}" for name in names[12:]]
    assert not due(spending)
    assert "9 more" in words(spending)
    broken.broken.clear()
    spending.clock.advance(HOUR)
    assert len(said(spending.evaluate())) == 12


def test_an_alert_that_cannot_be_looked_at_again_does_not_keep_the_others_from_it(
    collecting: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    spending = collecting(EACH)
    spending.record(*(request(n, spending.clock(), 2 * DOLLAR, user_id=name) for n, name in enumerate(("ann", "bob"))))
    spending.evaluate()
    looked: list[str] = []
    from_row = episodes.from_row

    def noting(row: Any) -> Any:
        looked.append(row.entity)
        return from_row(row)

    def failing(connection: Connection, row: Any, *_rest: Any) -> None:
        connection.exec_driver_sql("SELECT nothing")

    monkeypatch.setattr(episodes, "from_row", noting)
    with monkeypatch.context() as patched:
        patched.setattr("spendtop.services.alerting.evaluator._LimitInTurn.decide_again", failing)
        assert spending.revisit() == []
    assert looked == ["ann", "bob"]
    assert "each for ann, each for bob." in words(spending)
    spending.clock.advance(MINUTE)
    spending.revisit()
    assert words(spending) == ""


def test_a_message_that_cannot_be_made_leaves_the_mark_and_no_alert(
    collecting: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    spending = collecting(limit("daily", usd=1, warn=()), limit("sound", usd=1, warn=()))
    queue = announcements.queue

    def failing(connection: Connection, told: list[Announcement], *rest: Any) -> None:
        if said(told) == ["exceeded daily"]:
            raise ValueError("no words for it")
        queue(connection, told, *rest)

    monkeypatch.setattr(announcements, "queue", failing)
    assert spending.spend(2) == ["exceeded sound"]
    assert [row.rule for row in spending.alerts()] == ["limit/sound"]
    monkeypatch.setattr(announcements, "queue", queue)
    spending.clock.advance(MINUTE)
    assert said(spending.evaluate()) == ["exceeded daily"]


def test_a_message_that_cannot_be_made_at_a_revisit_does_not_keep_the_others_from_it(
    collecting: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    spending = collecting(limit("each", "1h", usd=1, each=Each.USER, warn=()))
    spending.record(*(request(n, spending.clock(), 2 * DOLLAR, user_id=name) for n, name in enumerate(("ann", "bob"))))
    spending.evaluate()
    queue = announcements.queue

    def failing(connection: Connection, told: list[Announcement], *rest: Any) -> None:
        if "resolved each ann" in said(told):
            raise ValueError("no words for it")
        queue(connection, told, *rest)

    spending.clock.advance(2 * HOUR)
    assert spending.revisit() == []
    spending.clock.advance(15 * MINUTE)
    with monkeypatch.context() as patched:
        patched.setattr(announcements, "queue", failing)
        assert said(spending.revisit()) == ["resolved each bob"]
    assert "each for ann." in words(spending)
    spending.clock.advance(MINUTE)
    assert said(spending.revisit()) == ["resolved each ann"]


def test_it_is_tried_ever_more_seldom_and_what_nobody_tries_any_more_is_forgotten() -> None:
    postponed, now, waits = Postponed("Limits", of=" for "), 0, []
    for _ in range(6):
        postponed.add("daily", "", ValueError(), now)
        began = now
        while postponed.waits("daily", "", now):
            now += MINUTE
        waits.append((now - began) // MINUTE)
    assert waits == [1, 2, 4, 8, 16, 16]
    assert postponed.words(now) is not None
    assert postponed.words(now + HOUR) is None
    postponed.add("other", "", ValueError(), now + HOUR)
    assert [*postponed.failed("daily")] == []
