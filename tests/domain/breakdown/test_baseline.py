from __future__ import annotations

from datetime import UTC, datetime

import pytest

from spendtop.domain.breakdown.baseline import Baseline, earlier
from spendtop.domain.clock import HOUR, to_micros
from spendtop.domain.windows import Bounds, Calendar

BERLIN = Calendar("Europe/Berlin")


def local(text: str) -> int:
    return BERLIN.instant(datetime.fromisoformat(f"2026-{text}"))


def compared(since: str, until: str | None, baseline: Baseline, now: str) -> tuple[int | None, int | None]:
    bounds = Bounds(local(since), None if until is None else local(until))
    found = earlier(bounds, baseline, local(now), BERLIN)
    assert found is not None
    return found.start_us, found.end_us


@pytest.mark.parametrize(
    ("since", "until", "baseline", "now", "expected"),
    [
        # half of today against half of yesterday
        ("11-20T00:00", "11-21T00:00", "before", "11-20T14:30", ("11-19T00:00", "11-19T14:30")),
        ("11-20T00:00", "11-21T00:00", "a week ago", "11-20T14:30", ("11-13T00:00", "11-13T14:30")),
        # yesterday, which is over, against the whole day before it
        ("11-19T00:00", "11-20T00:00", "before", "11-20T14:30", ("11-18T00:00", "11-19T00:00")),
        # the day on which the clocks go back has 25 hours and is held against one of 24
        ("10-25T00:00", "10-26T00:00", "before", "10-30T00:00", ("10-24T00:00", "10-25T00:00")),
        ("10-26T00:00", "10-27T00:00", "before", "10-30T00:00", ("10-25T00:00", "10-26T00:00")),
        # rolling spans
        ("11-20T13:30", None, "before", "11-20T14:30", ("11-20T12:30", "11-20T13:30")),
        ("11-13T14:30", None, "before", "11-20T14:30", ("11-06T14:30", "11-13T14:30")),
        ("11-20T13:30", None, "a week ago", "11-20T14:30", ("11-13T13:30", "11-13T14:30")),
    ],
)
def test_like_is_held_against_like(
    since: str, until: str | None, baseline: str, now: str, expected: tuple[str, str]
) -> None:
    assert compared(since, until, Baseline(baseline), now) == tuple(map(local, expected))


def test_all_time_has_nothing_before_it() -> None:
    assert earlier(Bounds(None, None), Baseline.BEFORE, to_micros(datetime(2026, 11, 20, tzinfo=UTC)), BERLIN) is None


def test_the_other_baseline_is_one_key_away() -> None:
    assert Baseline.BEFORE.other.other is Baseline.BEFORE


def test_a_span_that_begins_later_has_an_empty_counterpart() -> None:
    found = earlier(Bounds(10 * HOUR, 11 * HOUR), Baseline.BEFORE, 9 * HOUR, BERLIN)
    assert found is not None and found.start_us == 9 * HOUR
