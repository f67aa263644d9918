"""Which refused posts stand, by whom, and until when."""

from __future__ import annotations

import pytest

from spendtop.api.refusals import MOST_SENDERS, Refusals
from spendtop.domain.clock import DAY, HOUR, MINUTE, SECOND
from spendtop.domain.sources.records import HELICONE, INGEST, LITELLM, PushedSource
from spendtop.domain.sources.refusals import RefusalReason
from tests.conftest import SettableClock

BAD, KEY, OFF = RefusalReason.BAD_SIGNATURE, RefusalReason.BAD_KEY, RefusalReason.DISABLED_TOKEN


@pytest.fixture
def refusals(clock: SettableClock) -> Refusals:
    return Refusals(clock)


def standing(refusals: Refusals) -> list[tuple[PushedSource, RefusalReason, int, str]]:
    return [(each.source, each.reason, each.count, each.token) for each in refusals.standing()]


def refuse(refusals: Refusals, source: PushedSource, reason: RefusalReason, times: int, sender: str = "here") -> None:
    for _ in range(times):
        refusals.refuse(source, reason, sender)


def test_they_stand_until_a_good_one_comes(refusals: Refusals) -> None:
    refusals.take(HELICONE, "here")
    refuse(refusals, HELICONE, BAD, 5)
    assert standing(refusals) == [(HELICONE, BAD, 5, "")]
    refusals.take(HELICONE, "here")
    assert standing(refusals) == []


def test_a_good_webhook_proves_the_secret_wherever_it_comes_from(refusals: Refusals) -> None:
    refuse(refusals, HELICONE, BAD, 2, "one")
    refusals.take(HELICONE, "another")
    assert standing(refusals) == []


def test_a_good_push_of_one_program_says_nothing_of_another(refusals: Refusals) -> None:
    refuse(refusals, INGEST, KEY, 2, "one")
    refusals.take(INGEST, "another")
    refusals.take(LITELLM, "one")
    assert standing(refusals) == [(INGEST, KEY, 2, "")]
    refusals.take(INGEST, "one")
    assert standing(refusals) == []


def test_programs_at_one_address_are_told_apart_by_their_turns(refusals: Refusals, clock: SettableClock) -> None:
    for _ in range(5):
        refusals.take(INGEST, "proxy")
        refusals.refuse(INGEST, OFF, "proxy", "Batch")
    refusals.take(INGEST, "proxy")
    assert [posts[0:2] + posts[3:] for posts in standing(refusals)] == [(INGEST, OFF, "Batch")]
    clock.now += 11 * MINUTE
    refusals.take(INGEST, "proxy")
    assert standing(refusals) == []


def test_strangers_among_good_webhooks_are_no_matter(refusals: Refusals, clock: SettableClock) -> None:
    for _ in range(5):
        refusals.take(HELICONE, "gateway")
        refuse(refusals, HELICONE, BAD, 50, "stranger")
    assert standing(refusals) == []
    clock.now += MINUTE
    refuse(refusals, HELICONE, BAD, 1, "gateway")
    assert standing(refusals) != []


def test_after_a_day_without_any_they_are_forgotten(refusals: Refusals, clock: SettableClock) -> None:
    refuse(refusals, HELICONE, BAD, 1)
    clock.now += DAY - SECOND
    assert standing(refusals) != []
    clock.now += SECOND
    assert standing(refusals) == []


def test_a_flood_from_everywhere_takes_no_more_room_than_so_many_senders(refusals: Refusals) -> None:
    for number in range(MOST_SENDERS * 4):
        refusals.refuse(INGEST, KEY, f"10.0.{number // 256}.{number % 256}")
    assert standing(refusals) == [(INGEST, KEY, MOST_SENDERS, "")]
    assert [each.count for each in refusals.untold()] == [MOST_SENDERS * 4]


def test_what_is_told_is_told_once(refusals: Refusals) -> None:
    refuse(refusals, HELICONE, BAD, 3)
    refuse(refusals, INGEST, KEY, 4)
    assert [(each.source, each.count) for each in refusals.untold()] == [(INGEST, 4), (HELICONE, 3)]
    assert refusals.untold() == ()


def test_a_source_misses_what_it_had_an_hour_ago(refusals: Refusals, clock: SettableClock) -> None:
    assert refusals.misses(HELICONE)
    refusals.take(HELICONE, "here")
    assert not refusals.misses(HELICONE)
    assert refusals.misses(INGEST)
    clock.now += HOUR
    assert refusals.misses(HELICONE)
