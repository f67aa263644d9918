"""Curves of use end at what is used, and each of their points is what the window held then."""

from __future__ import annotations

import pytest

from spendtop.domain.clock import HOUR, MINUTE
from spendtop.domain.limits.limit import Each, Limit
from spendtop.domain.money import Usd
from spendtop.domain.windows import Bounds, Calendar, bounds, parse_window
from spendtop.store.reads.limits.curves import curve
from spendtop.store.reads.limits.entities import limit_entities
from spendtop.store.reads.limits.uses import use
from tests.store.conftest import Recorded
from tests.store.reads.random_requests import START

CALENDAR = Calendar()


def limit(window: str, each: Each | None = None) -> Limit:
    return Limit(name="any", window=parse_window(window), amount=Usd(100), each=each)


@pytest.mark.parametrize("window", ["1h", "7d", "day", "lifetime"])
@pytest.mark.parametrize("each", [None, Each.USER])
def test_every_point_is_what_its_window_held_and_the_last_one_is_the_use(
    recorded: Recorded, window: str, each: Each | None
) -> None:
    now = START + 50 * HOUR + 27 * MINUTE
    ages = (0, 3 * MINUTE, 61 * MINUTE, 5 * HOUR, 26 * HOUR, 49 * HOUR)
    rule, entity = limit(window, each), "alice" if each else ""
    recorded.add([recorded.request(now - age, 10 + n, user_id="alice") for n, age in enumerate(ages)], [rule])
    now += 1
    with recorded.store.reading() as connection:
        span = bounds(rule.window, now, CALENDAR)
        used = use(connection, rule, entity, span).used
        points = curve(connection, rule, entity, span, used, now)
        assert points[-1] == (now, used)
        for at, then in points[:-1:11]:
            start = span.start_us if rule.window.length_us is None else at - rule.window.length_us
            assert then == use(connection, rule, entity, Bounds(start, at)).used
    assert used.nano > 0
    assert len(points) > 12


def test_entities_that_are_too_many_are_counted(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spendtop.store.reads.limits.entities.MOST_ENTITIES", 2)
    rules = [limit("day", Each.USER), limit("day")]
    users = ("alice", "bob", "carol")
    recorded.add([recorded.request(START + 5, 10 * n, user_id=user) for n, user in enumerate(users)], rules)
    with recorded.store.reading() as connection:
        each, whole = limit_entities(connection, rules, CALENDAR, START + HOUR)
    assert [(one.entity.raw, one.used.nano) for one in each.uses] == [("carol", 20), ("bob", 10)]
    assert each.others == 1
    assert [one.used.nano for one in whole.uses] == [30]
