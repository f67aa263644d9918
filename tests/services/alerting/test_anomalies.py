"""Unusual spend as it is found in a store, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection

from spendtop.alerts.message_text import Dispatch, render
from spendtop.domain.alerting.anomaly import AGAIN, CALM, AnomalyRule
from spendtop.domain.alerting.episode import MessageKind
from spendtop.domain.clock import DAY, HOUR, MINUTE, SECOND
from spendtop.domain.money import Usd
from spendtop.domain.requests.request import Request
from spendtop.domain.windows import Calendar
from spendtop.services.alerting import actions as alert_actions
from spendtop.services.alerting import alert_rows
from spendtop.services.alerting.announcements import Announcement, Channel
from spendtop.services.alerting.anomalies import AnomalyAlerts, WatchedSpend
from spendtop.store.engine import Store
from spendtop.store.reads.alerts import anomalies
from tests.conftest import SettableClock
from tests.services.conftest import DOLLAR, Collecting, request, said

EVERYONE = ("all", "user", "model", "token")
DAYS = 9
DIME = DOLLAR // 10


class Watching:
    """A store in which alice has spent $12 an hour around this time of day for some days, and who looks at it."""

    def __init__(self, collecting: Collecting, days: int = DAYS) -> None:
        self.collecting, self.clock = collecting, collecting.clock
        self.watched = self.watch()
        for day in range(days, 0, -1):
            at = self.clock() - day * DAY
            self.spend(DIME * 8, *range(at - HOUR, at + HOUR, 4 * MINUTE))
        self.spend(DIME * 8, *range(self.clock() - HOUR, self.clock(), 4 * MINUTE))

    def watch(self, *notify: str, each: tuple[str, ...] = EVERYONE, **rule: Any) -> AnomalyAlerts:
        watched = WatchedSpend(rule=AnomalyRule(**rule), each=each, notify=notify, calendar=Calendar())
        self.watched = AnomalyAlerts(watched, [Channel("ops"), Channel("boss")])
        return self.watched

    def spend(self, nano: int, *at: int, **fields: Any) -> None:
        values = {"user_id": "alice", "model": "gpt-4o", "token": "web", **fields}
        self.collecting.record(*(self._request(nano, when, values) for when in at))

    def _request(self, nano: int, at: int, values: dict[str, Any]) -> Request:
        return request(next(_numbers), at, nano, **values)

    def look(self, after: int = 10 * SECOND) -> list[Announcement]:
        self.clock.advance(after)
        with self.collecting.store.reading() as connection:
            changes = self.watched.look(connection, self.clock())
        with self.collecting.store.writing() as connection:
            return self.watched.write(connection, changes, self.clock())

    def spike(self, minutes: int = 3, nano: int = DOLLAR, **fields: Any) -> list[str]:
        """Spends five times the usual, and says what is told meanwhile."""
        told: list[str] = []
        for _ in range(minutes):
            self.clock.advance(50 * SECOND)
            self.spend(nano // 2, self.clock() - 40 * SECOND, self.clock() - 10 * SECOND, **fields)
            told += said(self.look())
        return told


_numbers: Iterator[int] = iter(range(10**9))


@pytest.fixture
def watching(store: Store, clock: SettableClock) -> Watching:
    return Watching(Collecting(store, clock))


def test_the_usual_says_nothing(watching: Watching) -> None:
    assert watching.spike(nano=DIME * 2) == []
    assert watching.collecting.alerts() == []


@pytest.mark.replaces("flow/spikes")
def test_five_times_the_usual_is_found_within_three_minutes_for_everyone_user_model_and_token(
    watching: Watching,
) -> None:
    assert watching.spike() == [
        "unusual spend everyone",
        "unusual spend user alice alice",
        "unusual spend model gpt-4o gpt-4o",
        "unusual spend token web web",
    ]
    alerts = watching.collecting.alerts()
    assert {(row.rule, row.entity) for row in alerts} == {
        ("anomaly/all", ""),
        ("anomaly/user", "alice"),
        ("anomaly/model", "gpt-4o"),
        ("anomaly/token", "web"),
    }
    assert {(row.state, row.severity) for row in alerts} == {("approaching", "warning")}
    assert all(row.used_nano > 3 * row.limit_nano > 0 for row in alerts)


def test_after_one_user_another_has_to_stand_out_farther_for_a_day(watching: Watching) -> None:
    for day in range(DAYS, 0, -1):
        at = watching.clock() - day * DAY
        watching.spend(DIME * 8, *range(at - HOUR, at + HOUR, 4 * MINUTE), user_id="bob")
    watching.watch(each=("user",))
    watching.clock.advance(DAY)
    modest = DIME * 10
    assert watching.spike(nano=modest) == ["unusual spend user alice alice"]
    assert watching.spike(nano=modest, user_id="bob") == []
    assert watching.spike(nano=DOLLAR * 2, user_id="bob") == ["unusual spend user bob bob"]


def test_nobody_is_told_by_default_and_those_named_once_with_who_spent_it(watching: Watching) -> None:
    watching.spike()
    assert watching.collecting.told() == []


def test_those_named_are_told_once_in_numbers_of_all_that_began_together(watching: Watching) -> None:
    watching.watch("ops")
    watching.spike(minutes=6)
    [message] = watching.collecting.told("ops")
    assert watching.collecting.told("boss") == []
    rendered = render(message, Dispatch(sender="here", ref="0123456789"))
    assert rendered.title.startswith("unusual spend: everyone $")
    assert "times the usual $0." in rendered.title
    assert rendered.title.endswith(" and 3 more")
    assert "Top: user alice $" in rendered.body
    assert "median of 7 samples" in rendered.body


def test_it_is_over_an_hour_after_the_last_of_it_and_that_is_told_where_it_was_told(watching: Watching) -> None:
    watching.watch("ops", each=("user",))
    watching.spike()
    with watching.collecting.store.writing() as connection:
        connection.exec_driver_sql("UPDATE delivery SET state = 'sent'")
    watching.look(after=5 * MINUTE)
    assert watching.look(after=CALM - MINUTE) == []
    [over] = watching.look(after=MINUTE)
    assert over.message.resolves is MessageKind.UNUSUAL
    [row] = watching.collecting.alerts()
    assert (row.state, row.resolved_at, row.window_end) == ("resolved", watching.clock(), watching.clock())
    title = render(watching.collecting.told("ops")[-1], Dispatch(sender="here", ref="0123456789")).title
    assert title == "resolved: unusual spend user alice"


def test_what_comes_again_within_a_day_goes_on_with_the_same_alert_and_says_so_only_where_it_is_worse(
    watching: Watching,
) -> None:
    watching.watch(each=("user",))
    watching.spike()
    watching.look(after=MINUTE * 5)
    watching.look(after=CALM)
    watching.clock.advance(DAY - HOUR - 10 * MINUTE)
    assert watching.spike() == []
    [row] = watching.collecting.alerts()
    assert (row.state, row.resolved_at, row.falls) == ("approaching", None, 1)
    assert watching.spike(nano=8 * DOLLAR) == ["unusual spend user alice alice"]
    watching.look(after=5 * MINUTE)
    watching.look(after=CALM)
    watching.clock.advance(AGAIN + DAY)
    watching.spike(nano=20 * DOLLAR, minutes=8)
    assert len(watching.collecting.alerts()) == 2


def test_a_store_that_is_new_says_nothing(store: Store, clock: SettableClock) -> None:
    assert Watching(Collecting(store, clock), days=6).spike(nano=20 * DOLLAR) == []


def test_somebody_new_in_an_old_store_is_not_unusual_but_everyone_together_is(watching: Watching) -> None:
    assert watching.spike(user_id="bob", model="o3", token="batch") == ["unusual spend everyone"]


def test_a_burst_that_comes_every_day_at_this_time_is_usual(watching: Watching) -> None:
    for day in range(1, DAYS + 1):
        at = watching.clock() - day * DAY + 20 * MINUTE
        watching.spend(DOLLAR, *range(at, at + 3 * MINUTE, 30 * SECOND))
    assert watching.spike() == []


def test_less_than_the_least_is_not_worth_a_word(watching: Watching) -> None:
    watching.watch(least=Usd(100 * DOLLAR))
    assert watching.spike() == []


def test_only_those_are_looked_at_that_the_configuration_names_and_others_end_by_themselves(
    watching: Watching,
) -> None:
    assert watching.watch(each=("model",)) and watching.spike() == ["unusual spend model gpt-4o gpt-4o"]
    watching.watch(each=())
    watching.look(after=MINUTE)
    watching.look(after=CALM)
    assert [row.state for row in watching.collecting.alerts()] == ["resolved"]


def test_a_snoozed_one_is_silent_and_an_acked_one_stays_acked(watching: Watching) -> None:
    watching.watch(each=("user",))
    watching.spike()
    [row] = watching.collecting.alerts()
    with watching.collecting.store.writing() as connection:
        alert_actions.ack(connection, row.id, "ana", watching.clock())
        alert_actions.snooze(connection, row.id, watching.clock() + HOUR, "ana", watching.clock())
    assert watching.spike(nano=20 * DOLLAR) == []
    [row] = watching.collecting.alerts()
    assert row.acked_by == "ana" and row.snoozed_until is not None


def test_what_somebody_changed_since_the_look_stays_as_it_is(watching: Watching) -> None:
    watching.watch(each=("user",))
    watching.spike()
    store, now = watching.collecting.store, watching.clock() + 30 * MINUTE
    with store.reading() as connection:
        changes = watching.watched.look(connection, now)
    [row] = watching.collecting.alerts()
    with store.writing() as connection:
        alert_actions.ack(connection, row.id, "ana", now)
        assert watching.watched.write(connection, changes, now) == []
    assert watching.collecting.alerts()[0].below_since is None


def test_one_whose_past_cannot_be_read_keeps_no_other_from_being_looked_at_and_is_said(
    watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    spent_by_hour = anomalies.spent_by_hour

    def failing(connection: Connection, dimension: str, key: str, *rest: Any) -> Any:
        if key == "alice":
            connection.exec_driver_sql("SELECT nothing")
        return spent_by_hour(connection, dimension, key, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(anomalies, "spent_by_hour", failing)
        assert watching.spike() == [
            "unusual spend everyone",
            "unusual spend model gpt-4o gpt-4o",
            "unusual spend token web web",
        ]
        words = watching.watched.postponed_words(watching.clock()) or ""
    assert words.startswith("Unusual spend that cannot be evaluated: user alice. The log says why")
    assert watching.spike(minutes=4) == ["unusual spend user alice alice"]
    assert watching.watched.postponed_words(watching.clock()) is None


def test_one_that_cannot_be_written_keeps_no_other_from_it(watching: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = alert_rows.begin

    def failing(connection: Connection, values: dict[str, Any], now: int) -> int:
        return begin(connection, {**values, "entity": None} if values["entity"] == "alice" else values, now)

    monkeypatch.setattr(alert_rows, "begin", failing)
    assert "unusual spend user alice alice" not in (told := watching.spike()) and len(told) == 3
    assert "user alice. " in (watching.watched.postponed_words(watching.clock()) or "")
