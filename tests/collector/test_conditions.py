"""What is amiss with a collector: since when, in which order, and logged once."""

from __future__ import annotations

import logging

import pytest

from spendtop.collector.conditions import Conditions
from spendtop.domain.condition import ConditionStatus

DEGRADED, DOWN = ConditionStatus.DEGRADED, ConditionStatus.DOWN


class Ticking:
    """A clock that a second passes on whenever it is read, from 0 on."""

    def __init__(self) -> None:
        self.now = -1_000_000

    def __call__(self) -> int:
        self.now += 1_000_000
        return self.now


def test_without_a_condition_it_is_healthy() -> None:
    conditions = Conditions(Ticking())
    assert (conditions.status, conditions.present) == ("healthy", ())


def test_what_stops_recording_comes_first_then_the_oldest() -> None:
    conditions = Conditions(Ticking())
    for name, status in (("channels", DEGRADED), ("loops", DEGRADED), ("store", DOWN)):
        conditions.begin(name, status, f"{name}.")
    assert [condition.name for condition in conditions.present] == ["store", "channels", "loops"]
    statuses = [conditions.status]
    conditions.end("store")
    statuses.append(conditions.status)
    assert statuses == ["down", "degraded"]


def test_a_notice_comes_last_and_leaves_the_collector_healthy() -> None:
    conditions = Conditions(Ticking())
    conditions.begin("refused", ConditionStatus.NOTICE, "Somebody is refused.")
    statuses = [conditions.status]
    conditions.begin("loops", DEGRADED, "A loop failed.")
    statuses.append(conditions.status)
    assert [condition.name for condition in conditions.present] == ["loops", "refused"]
    assert statuses == ["healthy", "degraded"]


def test_told_again_it_keeps_its_start_and_takes_the_new_words() -> None:
    conditions = Conditions(Ticking())
    conditions.begin("writer", DEGRADED, "It has waited 5 s.")
    conditions.begin("writer", DEGRADED, "It has waited 9 s.")
    (condition,) = conditions.present
    assert (condition.since, condition.sentence) == (0, "It has waited 9 s.")


def test_it_is_logged_when_it_begins_gets_worse_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    conditions = Conditions(Ticking())
    conditions.end("disk")
    for sentence in ("Little room.", "Less room."):
        conditions.begin("disk", DEGRADED, sentence)
    conditions.keep("disk", DOWN, "No room.")
    conditions.keep("disk", DOWN, None)
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.WARNING, "disk: Little room."),
        (logging.ERROR, "disk: No room."),
        (logging.INFO, "disk: well again after 1 s"),
    ]
