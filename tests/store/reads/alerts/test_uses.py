"""What alerts are about, as it stands now."""

from __future__ import annotations

from typing import Any

import pytest

from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.limits.limit import Limit
from spendtop.domain.money import Usd
from spendtop.domain.windows import Calendar, parse_window
from spendtop.services.ledger import entries as ledger
from spendtop.store.reads.alerts.attention import alerts
from spendtop.store.reads.alerts.uses import uses_now
from spendtop.store.reads.configuration.applied import Applied, CollectorInfo, keep
from spendtop.store.reads.limits.uses import Use
from spendtop.store.statements import table_of
from spendtop.store.tables import AlertTable
from tests.accounts import ROUTER
from tests.conftest import SettableClock
from tests.store.conftest import Recorded

LIMITS = tuple(
    Limit(name=name, window=parse_window(window), amount=Usd.of(1))
    for name, window in (("daily", "day"), ("hourly", "1h"), ("single", "request"))
)


@pytest.fixture
def spent(recorded: Recorded, clock: SettableClock) -> Recorded:
    """$2 ten minutes ago and $1 two hours ago, under three limits; and a balance."""
    info = CollectorInfo(version="0", host="h", pid=1, url="", started_at=clock())
    in_force = Applied(
        limits=LIMITS,
        calendar=Calendar(),
        channels=(),
        collector=info,
        at=clock(),
        config_digest="",
        accounts=(ROUTER,),
    )
    with recorded.store.writing() as connection:
        keep(connection, in_force)
        ledger.take_balance(connection, "router", Usd.of(4), clock())
    recorded.add(
        [
            recorded.request(clock() - 10 * MINUTE, 2_000_000_000),
            recorded.request(clock() - 2 * HOUR, 1_000_000_000),
        ],
        LIMITS,
    )
    return recorded


def used_now(spent: Recorded, clock: SettableClock, rule: str, **changes: Any) -> Use | None:
    """Of one alert, which said $7."""
    midnight = clock() // DAY * DAY
    values: dict[str, Any] = {
        "rule": rule,
        "entity": "",
        "window_start": midnight,
        "window_end": midnight + DAY,
        "state": "exceeded",
        "severity": "critical",
        "used_nano": 7_000_000_000,
        "limit_nano": 1_000_000_000,
        "crossed_at": clock(),
        "opened_at": clock(),
        "updated_at": clock(),
    }
    with spent.store.writing() as connection:
        connection.execute(table_of(AlertTable).insert().values(**{**values, **changes}))
        (alert,) = alerts(connection, False, 10)
        assert alert.used == Usd.of(7)
        return uses_now(connection, [alert], clock(), {}).get(alert.id)


def test_a_calendar_window_has_its_use_until_it_is_over(spent: Recorded, clock: SettableClock) -> None:
    assert used_now(spent, clock, "limit/daily") == Use(Usd.of(3), 0)


def test_nothing_is_said_of_a_window_that_is_over(spent: Recorded, clock: SettableClock) -> None:
    assert used_now(spent, clock, "limit/daily", window_end=clock()) is None


def test_a_rolling_window_has_its_use_until_the_alert_is_resolved(spent: Recorded, clock: SettableClock) -> None:
    assert used_now(spent, clock, "limit/hourly", window_end=None) == Use(Usd.of(2), 0)


def test_a_rolling_window_went_on_from_a_resolved_alert(spent: Recorded, clock: SettableClock) -> None:
    assert used_now(spent, clock, "limit/hourly", window_end=None, state="resolved", resolved_at=clock()) is None


def test_a_single_request_has_its_cost(spent: Recorded, clock: SettableClock) -> None:
    (number,) = spent.add([spent.request(clock(), 5_000_000_000)])
    assert used_now(spent, clock, "limit/single", entity=str(number)) == Use(Usd.of(5), 0)


def test_what_has_no_known_cost_is_counted_with_it(spent: Recorded, clock: SettableClock) -> None:
    spent.add([spent.request(clock(), None)], LIMITS)
    assert used_now(spent, clock, "limit/daily") == Use(Usd.of(3), 1)


@pytest.mark.parametrize("rule", ["limit/gone", "stale/openai-costs", "balance/gone"])
def test_what_is_no_longer_there_has_no_use(spent: Recorded, clock: SettableClock, rule: str) -> None:
    assert used_now(spent, clock, rule) is None


def test_a_limit_that_had_another_window_then_says_nothing_of_it(spent: Recorded, clock: SettableClock) -> None:
    assert used_now(spent, clock, "limit/hourly") is None


def test_a_balance_is_as_it_is_now(spent: Recorded, clock: SettableClock) -> None:
    assert used_now(spent, clock, "balance/router", window_end=None) == Use(Usd.of(4), 0)
