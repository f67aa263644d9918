"""How it stands, in one word: never better than it is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendtop.domain.clock import HOUR, SECOND
from spendtop.domain.condition import Condition, ConditionStatus
from spendtop.domain.sight import OLD_AFTER, Sight, StandingWord

NOW = 1_794_000_000_000_000
STORE_GONE = Condition(name="store", status=ConditionStatus.DOWN, sentence="The store is gone.", since=NOW - 3)
LOCKED = Condition(name="writer", status=ConditionStatus.DEGRADED, sentence="The writer waits.", since=NOW - 2)
REFUSED = Condition(name="refused", status=ConditionStatus.NOTICE, sentence="2 refused.", since=NOW - 1)


def sight(**changes: Any) -> Sight:
    """Of one where all is well."""
    return Sight(**{"asked": True, "collects": True, "shown_at": NOW - SECOND, **changes})


def instants() -> st.SearchStrategy[int | None]:
    return st.none() | st.integers(NOW - HOUR, NOW)


SIGHTS = st.builds(
    Sight,
    asked=st.booleans(),
    collects=st.booleans(),
    stopping=st.booleans(),
    may_start=st.booleans(),
    last_sign=instants(),
    conditions=st.lists(st.sampled_from([STORE_GONE, LOCKED, REFUSED]), unique=True).map(
        lambda several: tuple(sorted(several, key=[STORE_GONE, LOCKED, REFUSED].index))
    ),
    upgraded=st.none() | st.floats(0, 1),
    shown_at=instants(),
    lost_since=instants(),
    unreadable_since=instants(),
    paused_since=instants(),
)


@given(SIGHTS)
def test_live_is_said_only_where_all_is_well(seen: Sight) -> None:
    standing = seen.standing(NOW)
    statuses = {condition.status for condition in seen.conditions}
    is_recorded = (seen.collects or not seen.asked) and not seen.stopping and ConditionStatus.DOWN not in statuses
    is_well = (
        is_recorded
        and ConditionStatus.DEGRADED not in statuses
        and seen.upgraded is None
        and seen.last_sign is None
        and seen.lost_since is None
        and seen.unreadable_since is None
        and seen.paused_since is None
        and seen.shown_at is not None
        and NOW - seen.shown_at <= OLD_AFTER
    )
    assert (standing.word is StandingWord.LIVE) == is_well
    if seen.upgraded is None:
        assert (standing.word is StandingWord.NOT_RECORDING) == (not is_recorded)


@given(SIGHTS)
def test_whatever_is_amiss_says_why_in_a_sentence(seen: Sight) -> None:
    standing = seen.standing(NOW)
    assert standing.sentence.endswith(".") == standing.is_amiss or standing.word is StandingWord.OPENING
    assert standing.since is None or standing.since <= NOW
    assert len(standing.sentence) <= 76


def test_a_notice_alone_leaves_it_live() -> None:
    assert sight(conditions=(REFUSED,)).standing(NOW).word is StandingWord.LIVE


@pytest.mark.parametrize(
    ("changes", "word", "since"),
    [
        ({}, StandingWord.LIVE, None),
        ({"shown_at": None, "asked": False, "collects": False}, StandingWord.OPENING, None),
        ({"upgraded": 0.4, "collects": False}, StandingWord.OPENING, None),
        ({"collects": False, "last_sign": NOW - 7}, StandingWord.NOT_RECORDING, NOW - 7),
        ({"collects": False, "paused_since": NOW - 9}, StandingWord.NOT_RECORDING, None),
        ({"conditions": (STORE_GONE, LOCKED)}, StandingWord.NOT_RECORDING, NOW - 3),
        ({"conditions": (LOCKED, REFUSED)}, StandingWord.DEGRADED, NOW - 2),
        ({"conditions": (LOCKED,), "paused_since": NOW - 9}, StandingWord.PAUSED, NOW - 9),
        ({"unreadable_since": NOW - 5}, StandingWord.DEGRADED, NOW - 5),
        ({"lost_since": NOW - 5}, StandingWord.DEGRADED, NOW - 5),
        ({"unreadable_since": NOW - 5, "shown_at": None}, StandingWord.DEGRADED, NOW - 5),
        ({"shown_at": NOW - OLD_AFTER - 1}, StandingWord.DEGRADED, NOW - OLD_AFTER - 1),
        ({"last_sign": NOW - HOUR}, StandingWord.DEGRADED, NOW - HOUR),
        ({"stopping": True}, StandingWord.NOT_RECORDING, None),
    ],
)
def test_the_worst_is_said_with_its_begin(changes: dict[str, Any], word: StandingWord, since: int | None) -> None:
    standing = sight(**changes).standing(NOW)
    assert (standing.word, standing.since) == (word, since)


@pytest.mark.parametrize(("may_start", "how"), [(True, "! starts one"), (False, "start `spendtop --no-ui`")])
def test_without_a_collector_it_says_how_to_get_one(may_start: bool, how: str) -> None:
    assert how in sight(collects=False, may_start=may_start).standing(NOW).sentence
