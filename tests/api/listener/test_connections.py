from __future__ import annotations

import logging
from dataclasses import dataclass

import pytest

from spendtop.api.listener.connections import Allowance, ConnectionTable

NOW = 100.0


@dataclass(eq=False)
class Other:
    """A connection that a test steers."""

    address: str = "127.0.0.1"
    waits: bool = True
    waiting_since: float = 1.0
    is_claimed: bool = False
    is_ended: bool = False

    def abort(self) -> None:
        self.is_ended = True


def table_of(*connections: Other, **allowance: int) -> ConnectionTable:
    table = ConnectionTable(Allowance(**allowance))
    for each in connections:
        table.enter(each, NOW)
    return table


def test_who_has_waited_longest_makes_room_and_before_it_who_shows_no_key() -> None:
    claimed, patient, late = Other(waiting_since=1, is_claimed=True), Other(waiting_since=2), Other(waiting_since=3)
    idle, answered = Other(waiting_since=0), Other(waiting_since=0, waits=False)
    table = table_of(claimed, patient, late, idle, answered, connections=5, reserved=1)
    ended = []
    while table.make_room(NOW, 0):
        ended.append(
            next(each for each in (claimed, patient, late, idle, answered) if each.is_ended and each not in ended)
        )
        table.enter(Other(waits=False), NOW)
    assert ended == [idle, patient, late, claimed]
    assert len(table) == 5


def test_who_came_in_a_burst_is_not_ended_for_others() -> None:
    burst = [Other("203.0.113.1", waiting_since=NOW - 0.9) for _ in range(8)]
    table = table_of(*burst, connections=8, reserved=1, per_address=2)
    assert not table.make_room(NOW, 0)
    assert not any(each.is_ended for each in burst)
    assert table.make_room(NOW + 0.2, 0)
    assert sum(each.is_ended for each in burst) == 1


def test_one_address_has_few_that_wait_and_any_number_that_are_answered() -> None:
    waiting = [Other("203.0.113.1", waiting_since=NOW + 10 * number) for number in range(4)]
    answered = [Other("203.0.113.1", waits=False) for _ in range(50)]
    local = [Other() for _ in range(50)]
    others = [Other("203.0.113.2") for _ in range(2)]
    table = table_of(*answered, *local, *others, per_address=2)
    for each in waiting:
        table.enter(each, each.waiting_since)
    assert [each.is_ended for each in waiting] == [True, True, False, False]
    assert not any(each.is_ended for each in (*answered, *local, *others))
    assert len(table) == 50 + 50 + 2 + 2


def test_leaving_twice_is_leaving_once() -> None:
    one, other = Other("203.0.113.1"), Other("203.0.113.1")
    table = table_of(one, other)
    table.leave(one)
    table.leave(one)
    assert len(table) == 1


def test_it_is_crowded_once_all_but_the_reserved_are_being_answered() -> None:
    others = [Other(waits=False) for _ in range(3)]
    table = table_of(*others, Other(), connections=5, reserved=2)
    assert table.is_crowded
    others[0].waits = True
    assert not table.is_crowded


def test_the_refused_are_logged_once_a_minute_with_their_number(caplog: pytest.LogCaptureFixture) -> None:
    table = table_of()
    table.tell_refused(0.0)
    for now in (1.0, 2.0, 60.0, 61.5, 125.0):
        for _ in range(3):
            table.refuse("to make room for others")
        table.tell_refused(now)
    table.tell_refused(600.0)
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [line.split(":")[1].split(",")[0].split(";")[0].strip() for line in said] == [
        "3 to make room for others",
        "9 to make room for others",
        "3 to make room for others",
    ]
