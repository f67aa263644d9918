"""A long span is read in slices that follow the time that reading takes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from sqlalchemy import Connection

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.store.reads.spending.bucket_spans import Span, in_slices
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import START


def slices(recorded: Recorded, seconds: float, newest_first: bool = True) -> list[Span]:
    """The slices of thirty days, when reading each takes so long."""
    now = 0.0

    def monotonic() -> float:
        return now

    def read(connection: Connection, part: Span) -> Span:
        nonlocal now
        now += seconds
        return part

    whole = Span(START, START + 30 * DAY + 1)
    return list(in_slices(recorded.store, whole, read, newest_first=newest_first, monotonic=monotonic))


def widths(spans: list[Span]) -> list[int]:
    return [(span.until or 0) - (span.since or 0) for span in spans]


@pytest.mark.parametrize("newest_first", [True, False])
def test_slices_meet_and_cover_what_there_is(recorded: Recorded, newest_first: bool) -> None:
    recorded.add([recorded.request(START + DAY), recorded.request(START + 20 * DAY)])
    found = slices(recorded, 0.0, newest_first)
    in_time = found[::-1] if newest_first else found
    assert (in_time[0].since, in_time[-1].until) == (START + DAY, START + 20 * DAY + 1)
    assert all(one.until == other.since for one, other in pairwise(in_time))


def test_slices_widen_while_reading_is_quick_and_narrow_when_it_is_slow(recorded: Recorded) -> None:
    recorded.add([recorded.request(START), recorded.request(START + 3 * DAY)])
    quick, slow = widths(slices(recorded, 0.001)), widths(slices(recorded, 0.2))
    assert quick[:5] == [HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 16 * HOUR] and max(quick) == DAY
    assert slow[:3] == [HOUR, HOUR // 2, HOUR // 4] and min(slow[:-1]) >= MINUTE


def test_an_empty_store_has_no_slices(recorded: Recorded) -> None:
    assert slices(recorded, 0.0) == []
