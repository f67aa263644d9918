"""Refused posts as conditions and in the log."""

from __future__ import annotations

import asyncio
import logging

import pytest

from spendtop.api.refusals import Refusals
from spendtop.collector.conditions import Conditions
from spendtop.collector.refusal_watch import RefusalWatch
from spendtop.domain.sources.records import HELICONE, INGEST, LITELLM, OTLP
from spendtop.domain.sources.refusals import RefusalReason
from tests.conftest import SettableClock


@pytest.fixture
def refusals(clock: SettableClock) -> Refusals:
    return Refusals(clock)


@pytest.fixture
def conditions(clock: SettableClock) -> Conditions:
    return Conditions(clock)


def test_a_mistyped_secret_degrades_until_a_good_webhook_comes(refusals: Refusals, conditions: Conditions) -> None:
    watch = RefusalWatch(refusals, conditions)
    refusals.refuse(HELICONE, RefusalReason.BAD_SIGNATURE, "gateway")
    watch.examine()
    (condition,) = conditions.present
    assert condition.sentence.startswith("1 webhook refused: the signature does not match. Compare ")
    assert conditions.status == "degraded"
    refusals.take(HELICONE, "gateway")
    watch.examine()
    assert conditions.present == ()


def test_where_others_are_taken_it_is_a_notice(refusals: Refusals, conditions: Conditions) -> None:
    watch = RefusalWatch(refusals, conditions)
    refusals.take(HELICONE, "gateway")
    refusals.refuse(HELICONE, RefusalReason.BAD_SIGNATURE, "stranger")
    watch.examine()
    assert [condition.name for condition in conditions.present] == ["refused /webhook"]
    assert conditions.status == "healthy"


def test_who_pushes_is_told_and_degrades_nothing(refusals: Refusals, conditions: Conditions) -> None:
    watch = RefusalWatch(refusals, conditions)
    refusals.refuse(INGEST, RefusalReason.BAD_KEY, "bad")
    watch.examine()
    assert [condition.name for condition in conditions.present] == ["refused /ingest"]
    assert conditions.status == "healthy"


def test_who_shows_nothing_degrades_nothing(refusals: Refusals, conditions: Conditions) -> None:
    watch = RefusalWatch(refusals, conditions)
    refusals.refuse(HELICONE, RefusalReason.NO_SIGNATURE, "scanner")
    watch.examine()
    assert len(conditions.present) == 1
    assert conditions.status == "healthy"


async def test_the_log_has_one_line_for_all_that_was_refused_meanwhile(
    refusals: Refusals, conditions: Conditions, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    for _ in range(5_000):
        refusals.refuse(HELICONE, RefusalReason.BAD_SIGNATURE, "stranger")
    for source, count in ((INGEST, 40), (LITELLM, 30), (OTLP, 20)):
        for number in range(count):
            refusals.refuse(source, RefusalReason.BAD_KEY, f"10.0.0.{number}")
    stop = asyncio.Event()
    stop.set()
    await RefusalWatch(refusals, conditions).run(stop)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("5,000 webhooks refused: the signature does not match.")
    assert "40 pushes to /ingest refused" in line
    assert line.endswith("20 others refused for further reasons.")


async def test_where_nothing_was_refused_the_log_stays_silent(
    refusals: Refusals, conditions: Conditions, caplog: pytest.LogCaptureFixture
) -> None:
    stop = asyncio.Event()
    stop.set()
    await RefusalWatch(refusals, conditions).run(stop)
    assert caplog.records == []
