"""When limits will be reached, as the store has it, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from spendtop.domain.clock import HOUR, MINUTE, SECOND, to_micros
from spendtop.domain.filters.filters import parse_filter
from spendtop.domain.limits.forecast import Forecast
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.money import Usd
from spendtop.domain.windows import Calendar, parse_window
from spendtop.store.reads.forecasts import forecast_of
from spendtop.store.reads.limits.uses import uses
from tests.store.conftest import Recorded

NOON = to_micros(datetime(2026, 11, 18, 12, tzinfo=UTC))
CALENDAR = Calendar()
DIME = 100_000_000


def limit(name: str, where: str = "", each: Each | None = None, amount: int = 18 * DIME, window: str = "day") -> Limit:
    tree = parse_filter(where) if where else None
    return Limit(name=name, window=parse_window(window), amount=Usd(amount), where=tree, where_text=where, each=each)


LIMITS = (limit("all"), limit("each", each=Each.USER), limit("where", where="user:alice"), limit("short", window="1h"))


@pytest.fixture
def hourly(recorded: Recorded) -> Recorded:
    """A dime an hour by alice for two weeks, and by bob since yesterday, not counting the hour of now."""
    requests = [
        recorded.request(NOON - hour * HOUR, DIME, user_id=user)
        for user, hours in (("alice", 14 * 24), ("bob", 24))
        for hour in range(1, hours + 1)
    ]
    recorded.add(requests, LIMITS)
    return recorded


def forecasts(hourly: Recorded, now: int) -> dict[tuple[str, str], Forecast | None]:
    with hourly.store.reading() as connection:
        return {
            (use.limit.name, use.entity.raw): forecast_of(connection, use, CALENDAR, now)
            for use in uses(connection, LIMITS, CALENDAR, now)
        }


def test_a_limit_is_looked_ahead_by_its_own_past(hourly: Recorded) -> None:
    found = forecasts(hourly, NOON)
    scoped, of_alice, of_bob = found["where", ""], found["each", "alice"], found["each", "bob"]
    assert scoped is not None and scoped.reaches_at == pytest.approx(NOON + 6 * HOUR, abs=SECOND)
    assert scoped == of_alice
    assert of_bob == Forecast(has_enough=False)
    assert found["short", ""] is None
    everyone = found["all", ""]
    assert everyone is not None and everyone.likely == 0, "24 dimes are more than 18 already"


def test_an_answer_is_kept_for_a_minute_but_not_beyond_the_limit(hourly: Recorded) -> None:
    key = ("where", "")
    first = forecasts(hourly, NOON)[key]
    hourly.add([hourly.request(NOON + SECOND, 3 * DIME, user_id="alice")], LIMITS)
    assert forecasts(hourly, NOON + 2 * SECOND)[key] is first
    later = forecasts(hourly, NOON + 2 * MINUTE)[key]
    assert later is not None and later.reaches_at is not None and first is not None and first.reaches_at is not None
    assert later.reaches_at < first.reaches_at - HOUR
    hourly.add([hourly.request(NOON + 2 * MINUTE, 9 * DIME, user_id="alice")], LIMITS)
    reached = forecasts(hourly, NOON + 2 * MINUTE + SECOND)[key]
    assert reached is not None and reached.reaches_at is None
