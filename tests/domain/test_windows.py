"""Windows cover time without a hole, in every zone and through every change of the clocks."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendtop.domain.clock import DAY, HOUR, MINUTE, SECOND, to_micros
from spendtop.domain.windows import (
    WEEKDAYS,
    Bounds,
    Calendar,
    Window,
    bounds,
    parse_duration,
    parse_window,
)

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/Santiago",
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Asia/Kathmandu",
    "America/Havana",
    "America/St_Johns",
    "Antarctica/Troll",
)
DAY_WINDOW = parse_window("day")

calendars = st.builds(
    Calendar,
    zone=st.sampled_from(ZONES),
    day_starts=st.sampled_from(("00:00", "02:30", "04:00", "23:45")),
    week_starts=st.sampled_from(WEEKDAYS),
)
calendar_windows = st.sampled_from(("hour", "day", "week", "month")).map(parse_window)
instants = st.integers(to_micros(datetime(2005, 1, 1, tzinfo=UTC)), to_micros(datetime(2037, 1, 1, tzinfo=UTC)))


def utc(text: str) -> int:
    return to_micros(datetime.fromisoformat(text).replace(tzinfo=UTC))


def closed(found: Bounds) -> tuple[int, int]:
    assert found.start_us is not None
    assert found.end_us is not None
    return found.start_us, found.end_us


@pytest.mark.parametrize(
    ("text", "length"),
    [("90s", 90 * SECOND), ("5m", 5 * MINUTE), ("1h", HOUR), ("24h", DAY), ("7d", 7 * DAY), (" 2W ", 14 * DAY)],
)
def test_a_rolling_window_ends_now_and_starts_its_length_before(text: str, length: int) -> None:
    window = parse_window(text)
    assert bounds(window, 10 * DAY, Calendar()) == Bounds(10 * DAY - length, None)
    assert str(window) == text.strip().lower()


def test_equal_windows_mean_the_same_span_however_they_are_spelled() -> None:
    assert parse_window("24h") == parse_window("1d")
    assert parse_window("24h") != parse_window("day")


@pytest.mark.parametrize("name", ["session", "lifetime"])
def test_sessions_and_lifetimes_are_open_at_both_ends(name: str) -> None:
    assert bounds(parse_window(name), 0, Calendar()) == Bounds(None, None)


def test_one_request_spans_no_time() -> None:
    with pytest.raises(ValueError, match="spans no time"):
        bounds(parse_window("request"), 0, Calendar())


@pytest.mark.parametrize(
    ("text", "hint"),
    [("dayly", "'day'"), ("monthly", "'month'"), ("sesion", "'session'"), ("5x", "such as 90s"), ("", "such as 90s")],
)
def test_an_unknown_window_names_the_nearest_or_the_valid_ones(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        parse_window(text)


@pytest.mark.parametrize("text", ["0s", "10ms", "40000d", "-1h", "1 h", "٣h", "9999999999999d"])
def test_windows_of_no_sensible_length_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_window(text)


def test_durations_may_have_a_fraction_and_milliseconds() -> None:
    assert parse_duration("1.5h") == 90 * MINUTE
    assert parse_duration("250ms") == SECOND // 4


@pytest.mark.parametrize(
    ("zone", "at", "start", "end"),
    [
        ("Europe/Berlin", "2026-03-29T12:00", "2026-03-28T23:00", "2026-03-29T22:00"),
        ("Europe/Berlin", "2026-10-25T12:00", "2026-10-24T22:00", "2026-10-25T23:00"),
        ("America/Santiago", "2026-09-06T12:00", "2026-09-06T04:00", "2026-09-07T03:00"),
        ("America/Santiago", "2026-04-05T03:30", "2026-04-04T03:00", "2026-04-05T04:00"),
        ("Africa/Cairo", "2026-04-24T12:00", "2026-04-23T22:00", "2026-04-24T21:00"),
        ("Australia/Lord_Howe", "2026-04-04T20:00", "2026-04-04T13:00", "2026-04-05T13:30"),
        ("Australia/Lord_Howe", "2026-10-03T20:00", "2026-10-03T13:30", "2026-10-04T13:00"),
        ("Pacific/Apia", "2011-12-30T09:59", "2011-12-29T10:00", "2011-12-30T10:00"),
        ("Pacific/Apia", "2011-12-30T10:00", "2011-12-30T10:00", "2011-12-31T10:00"),
        ("Asia/Kathmandu", "2026-06-01T18:14", "2026-05-31T18:15", "2026-06-01T18:15"),
        ("America/Havana", "2026-11-01T04:30", "2026-11-01T04:00", "2026-11-02T05:00"),
    ],
)
def test_days_follow_the_local_clock(zone: str, at: str, start: str, end: str) -> None:
    assert bounds(DAY_WINDOW, utc(at), Calendar(zone)) == Bounds(utc(start), utc(end))


def test_a_day_opens_at_the_hour_that_the_calendar_says() -> None:
    calendar = Calendar("Europe/Berlin", day_starts="04:00")
    assert bounds(DAY_WINDOW, utc("2026-06-02T01:59"), calendar) == Bounds(
        utc("2026-06-01T02:00"), utc("2026-06-02T02:00")
    )
    month = bounds(parse_window("month"), utc("2026-06-01T01:59"), calendar)
    assert month == Bounds(utc("2026-05-01T02:00"), utc("2026-06-01T02:00"))


def test_a_week_starts_on_its_weekday() -> None:
    friday = utc("2026-11-20T12:00")
    assert bounds(parse_window("week"), friday, Calendar()).start_us == utc("2026-11-16T00:00")
    assert bounds(parse_window("week"), friday, Calendar(week_starts="sunday")).start_us == utc("2026-11-15T00:00")


def test_the_hour_that_the_clocks_repeat_is_two_hours() -> None:
    calendar, hour = Calendar("Europe/Berlin"), parse_window("hour")
    first = bounds(hour, utc("2026-10-25T00:30"), calendar)
    assert first == Bounds(utc("2026-10-25T00:00"), utc("2026-10-25T01:00"))
    assert bounds(hour, utc("2026-10-25T01:00"), calendar) == Bounds(first.end_us, utc("2026-10-25T02:00"))


@given(calendar_windows, instants, calendars)
def test_a_calendar_window_holds_the_instant_it_was_asked_for(window: Window, now: int, calendar: Calendar) -> None:
    start, end = closed(bounds(window, now, calendar))
    assert start <= now < end


@given(calendar_windows, instants, calendars)
def test_calendar_windows_follow_each_other_without_hole_or_overlap(
    window: Window, now: int, calendar: Calendar
) -> None:
    start, end = closed(bounds(window, now, calendar))
    assert bounds(window, start, calendar) == bounds(window, end - 1, calendar) == Bounds(start, end)
    assert bounds(window, end, calendar).start_us == end
    assert bounds(window, start - 1, calendar).end_us == start


@given(calendar_windows, instants, st.floats(0, 1), calendars)
def test_every_instant_of_a_window_gives_the_same_window(
    window: Window, now: int, part: float, calendar: Calendar
) -> None:
    start, end = closed(bounds(window, now, calendar))
    other = start + int((end - 1 - start) * part)
    assert bounds(window, other, calendar) == Bounds(start, end)


@given(st.sampled_from(("hour", "day", "week", "month")), instants, calendars)
def test_calendar_windows_have_about_their_length(name: str, now: int, calendar: Calendar) -> None:
    start, end = closed(bounds(parse_window(name), now, calendar))
    shortest, longest = {
        "hour": (0, 2 * HOUR),
        "day": (21 * HOUR, 27 * HOUR),
        "week": (6 * DAY - 3 * HOUR, 7 * DAY + 3 * HOUR),
        "month": (27 * DAY, 31 * DAY + 3 * HOUR),
    }[name]
    assert shortest < end - start <= longest


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        ({"zone": "Europe/Berln"}, "'Europe/Berlin'"),
        ({"zone": "Mars/X"}, "unknown time zone 'Mars/X'; zones have names such as 'Europe/Berlin'"),
        ({"zone": "Europe"}, "unknown time zone"),
        ({"zone": "../etc/passwd"}, "unknown time zone"),
        ({"zone": ""}, "unknown time zone"),
        ({"day_starts": "24:00"}, "time of day"),
        ({"week_starts": "mondy"}, "'monday'"),
    ],
)
def test_a_calendar_refuses_what_it_does_not_know(fields: dict[str, str], hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        Calendar(**fields)


def test_bounds_hold_their_start_and_not_their_end() -> None:
    assert 5 in Bounds(5, 6)
    assert 6 not in Bounds(5, 6)
    assert 10**18 in Bounds(5, None)
    assert -1 in Bounds(None, None)
