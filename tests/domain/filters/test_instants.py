"""Instants as people type them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from spendtop.domain.clock import HOUR, to_micros
from spendtop.domain.errors import UsageError
from spendtop.domain.filters.instants import of_span, parse_instant
from spendtop.domain.windows import Calendar

BERLIN = Calendar("Europe/Berlin", "04:30")
NOW = to_micros(datetime(2026, 11, 20, 14, 3, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("02:40", "2026-11-20T01:40"),
        ("2:40", "2026-11-20T01:40"),
        ("15:02", "2026-11-20T14:02"),
        ("15:30", "2026-11-19T14:30"),
        ("yesterday 14:00", "2026-11-19T13:00"),
        ("yesterday", "2026-11-19T03:30"),
        ("2026-11-19 02:40", "2026-11-19T01:40"),
        ("2026-11-19T02:40Z", "2026-11-19T02:40"),
        ("2026-11-19", "2026-11-19T03:30"),
        ("-2h", "2026-11-20T12:03"),
    ],
)
def test_a_time_is_local_and_one_of_before(text: str, at: str) -> None:
    assert parse_instant(text, NOW, BERLIN) == to_micros(datetime.fromisoformat(at).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("noon", "'noon' is not a time. Say a time such as 02:40"),
        ("yesterday 25:00", "'yesterday 25:00' is not a time."),
        ("", "'' is not a time."),
        ("2026-11-21 10:00", "2026-11-21 10:00 has not been yet."),
    ],
)
def test_what_is_no_time_of_before_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_instant(text, NOW, BERLIN)


def test_a_span_is_local_time_and_utc_where_clocks_show_it_twice() -> None:
    autumn = to_micros(datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
    assert of_span(autumn - 2 * HOUR, autumn, BERLIN) == "t:2026-10-25T00:30..2026-10-25T02:30"
    assert of_span(autumn + HOUR, autumn + 2 * HOUR, BERLIN) == "t:2026-10-25T01:30:00Z..2026-10-25T03:30"
    assert of_span(autumn - 2 * HOUR, None, BERLIN) == "t:2026-10-25T00:30.."
    assert of_span(None, None, BERLIN) == ""
