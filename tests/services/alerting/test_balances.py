"""Low balances and stale data, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec
import pytest
from msgspec.structs import replace

from spendtop.alerts.message_text import Dispatch, render
from spendtop.domain.alerting.episode import Message, MessageKind
from spendtop.domain.clock import DAY, HOUR, MINUTE
from spendtop.domain.ledger.amounts import CostPart, Costs
from spendtop.domain.ledger.balance import EntryKind
from spendtop.domain.money import Usd
from spendtop.domain.sources import push_health
from spendtop.domain.sources.push_health import PushHealth
from spendtop.services import checkpoints
from spendtop.services.alerting.announcements import Announcement, Channel
from spendtop.services.alerting.balances import BalanceAlerts, WatchedAccount, WatchedPoller
from spendtop.services.ledger import entries as ledger
from spendtop.store.engine import Store
from spendtop.store.reads.alerts.attention import alerts
from spendtop.store.reads.alerts.uses import evidence_of
from spendtop.store.reads.ledger.balances import Account
from spendtop.store.tables import AlertTable, DeliveryTable
from tests.accounts import OPENAI, ROUTER, WALLET
from tests.conftest import SettableClock
from tests.services.conftest import DOLLAR, Collecting, request, rows

COSTS = WatchedPoller("openai-costs", 15 * MINUTE)


class DayBill(NamedTuple):
    day: int
    dollars: str


class Watching:
    """A watch over one store."""

    def __init__(self, store: Store, clock: SettableClock) -> None:
        self.store, self.clock = store, clock
        self.watch = self.over([ROUTER, OPENAI])

    def over(
        self,
        accounts: Sequence[Account] = (),
        pollers: Sequence[WatchedPoller] = (),
        channels: Sequence[Channel] = (Channel("ops"),),
        notify: tuple[str, ...] | None = None,
    ) -> BalanceAlerts:
        watched = [WatchedAccount(each, notify) for each in accounts]
        self.watch = BalanceAlerts(watched, pollers, channels, "UTC", self.clock())
        return self.watch

    def look(self) -> list[Announcement]:
        """What is said now, a minute later than before."""
        self.clock.advance(MINUTE)
        with self.store.writing() as connection:
            return self.watch.look(connection, self.clock())

    def told(self, dollars: str) -> list[str]:
        with self.store.writing() as connection:
            ledger.take_balance(connection, "router", Usd.of(dollars), self.clock())
        return said(self.look())

    def enter(self, kind: EntryKind, dollars: str) -> list[str]:
        now = self.clock()
        with self.store.writing() as connection:
            ledger.record(connection, "openai", kind, Usd.of(dollars), now, now)
        return said(self.look())

    def calibrate(self, dollars: str, account: Account = OPENAI) -> list[str]:
        self.clock.advance(MINUTE)
        with self.store.writing() as connection:
            ledger.calibrate(connection, account, Usd.of(dollars), self.clock(), self.clock())
        return said(self.look())

    def bill(self, *days: DayBill) -> None:
        """A whole poll of the last ten days and today."""
        today = self.clock() // DAY
        parts = tuple(CostPart(day=each.day, amount=Decimal(each.dollars)) for each in days)
        with self.store.writing() as connection:
            ledger.take_costs(
                connection, "openai", Costs(first_day=today - 10, last_day=today, parts=parts), self.clock()
            )

    def doubts(self) -> str | None:
        with self.store.reading() as connection:
            return self.watch.doubts(connection, self.clock())

    def poll(self, failure: str = "") -> None:
        now = self.clock()
        with self.store.writing() as connection:
            if failure:
                checkpoints.failed(connection, "openai-costs", failure, now)
            else:
                checkpoints.succeeded(connection, "openai-costs", now)

    def messages(self) -> list[Message]:
        return [msgspec.json.decode(row.payload, type=Message) for row in rows(self.store, DeliveryTable)]

    def alerts(self) -> list[tuple[str, str, str]]:
        return [(row.rule, row.state, row.severity) for row in rows(self.store, AlertTable)]


def said(announcements: list[Announcement]) -> list[str]:
    return [f"{each.message.kind} {each.message.limit_name}" for each in announcements]


@pytest.fixture
def watching(store: Store, clock: SettableClock) -> Watching:
    return Watching(store, clock)


@pytest.mark.replaces("credit/low")
def test_a_low_balance_speaks_once_and_again_after_110_per_cent(watching: Watching) -> None:
    balances = ["10.40", "10.00", "9.99", "9.70", "10.20", "10.99", "11.00", "9.50", "34.50", "9.99"]
    fires = ["low balance router" in watching.told(each) for each in balances]
    assert fires == [False, False, True, False, False, False, False, True, False, True]
    assert [state for _, state, _ in watching.alerts()] == ["resolved", "resolved", "exceeded"]


def test_that_it_spoke_outlives_the_process(watching: Watching) -> None:
    assert watching.told("9.99") == ["low balance router"]
    watching.over([ROUTER])
    assert watching.told("9.50") == []


def test_below_zero_is_low_too(watching: Watching) -> None:
    assert watching.told("-0.37") == ["low balance router"]


def test_credit_that_is_entered_arms_it_again_as_soon_as_it_lifts_the_balance(watching: Watching) -> None:
    assert watching.calibrate("9.50") == ["low balance openai"]
    assert watching.enter(EntryKind.DEPOSIT, "0.40") == []
    assert watching.enter(EntryKind.DEPOSIT, "0.20") == ["resolved openai"]
    assert watching.enter(EntryKind.EXPIRY, "0.20") == ["low balance openai"]


def test_a_calibration_that_lifts_it_arms_it_again_too(watching: Watching) -> None:
    assert watching.calibrate("9.50") == ["low balance openai"]
    assert watching.calibrate("10.05") == ["resolved openai"]


def test_a_balance_that_was_never_calibrated_alerts_nobody(watching: Watching) -> None:
    assert watching.enter(EntryKind.DEPOSIT, "9.50") == []
    assert watching.calibrate("9.50") == ["low balance openai"]


def test_a_balance_without_bills_falls_by_what_is_seen_and_its_message_says_so(
    watching: Watching, collecting: Callable[..., Collecting]
) -> None:
    watching.over([WALLET])
    assert watching.calibrate("12", WALLET) == []
    collecting().record(request(1, watching.clock(), 2 * DOLLAR + DOLLAR // 2, provider="openai"))
    assert said(watching.look()) == ["low balance wallet"]
    (message,) = watching.messages()
    text = render(message, Dispatch(sender="build-7", ref="12345678"))
    assert text.title == "low balance: wallet est. $9.50 of $10.00"
    assert "Account wallet: an estimated $9.50 is left, less than $10.00." in text.body
    assert "An estimate: no bills are read, so what was seen here is taken off (1 request)." in text.body


def test_answers_that_lack_what_was_billed_neither_begin_nor_end_an_alert(watching: Watching) -> None:
    today = watching.clock() // DAY
    watching.bill(DayBill(today - 1, "20"))
    assert watching.calibrate("9.50") == ["low balance openai"]
    watching.bill()
    assert watching.doubts() is not None
    assert watching.enter(EntryKind.DEPOSIT, "50") == []
    watching.bill(DayBill(today - 1, "20"))
    assert watching.doubts() is None
    assert said(watching.look()) == ["resolved openai"]


def test_an_absence_that_lasted_for_a_day_lets_alerts_go_on(watching: Watching) -> None:
    watching.bill(DayBill(watching.clock() // DAY - 9, "20"))
    assert watching.calibrate("12") == []
    watching.bill()
    assert watching.enter(EntryKind.EXPIRY, "3") == []
    watching.clock.advance(DAY)
    watching.bill()
    assert said(watching.look()) == ["low balance openai"]


def test_a_low_balance_is_told_with_what_a_day_costs_and_when_it_runs_out(watching: Watching) -> None:
    today = watching.clock() // DAY
    watching.bill(*(DayBill(today - before, "2") for before in range(1, 8)))
    assert watching.calibrate("9.00") == ["low balance openai"]
    (message,) = watching.messages()
    assert message.burn_nano == 2 * DOLLAR
    assert message.runs_out_at is not None
    assert message.runs_out_at - message.at == 4 * DAY + DAY // 2


def test_an_account_of_which_nothing_is_known_is_not_low(watching: Watching) -> None:
    assert watching.look() == []


@pytest.mark.parametrize("left", [[], [replace(ROUTER, low_balance=None)]], ids=["account", "threshold"])
def test_a_threshold_that_vanishes_and_comes_back_is_told_once(watching: Watching, left: list[Account]) -> None:
    watching.told("9.99")
    watching.over(left)
    for _ in range(2):
        assert watching.look() == []
        assert watching.alerts() == [("balance/router", "resolved", "critical")]
    watching.over([ROUTER])
    for _ in range(2):
        assert watching.look() == []
        assert watching.alerts() == [("balance/router", "exceeded", "critical")]
    assert watching.told("11.00") == ["resolved router"]
    assert watching.told("9.99") == ["low balance router"]


def test_a_balance_that_recovered_while_nobody_watched_is_over(watching: Watching) -> None:
    watching.told("9.99")
    watching.over([])
    assert watching.told("20.00") == []
    watching.over([ROUTER])
    assert said(watching.look()) == ["resolved router"]
    assert watching.told("9.99") == ["low balance router"]


def test_a_higher_threshold_speaks_at_once(watching: Watching) -> None:
    assert watching.told("12") == []
    watching.over([replace(ROUTER, low_balance=Usd.of(20))])
    assert said(watching.look()) == ["low balance router"]


@pytest.mark.parametrize(
    ("notify", "channels", "told"),
    [
        (None, [Channel("ops"), Channel("mail", "critical")], ["ops", "mail"]),
        (("mail",), [Channel("ops"), Channel("mail")], ["mail"]),
        ((), [Channel("ops")], []),
    ],
)
def test_the_accounts_channels_are_told(
    watching: Watching, notify: tuple[str, ...] | None, channels: list[Channel], told: list[str]
) -> None:
    watching.over([ROUTER], channels=channels, notify=notify)
    watching.told("1")
    assert [row.channel for row in rows(watching.store, DeliveryTable)] == told


@pytest.mark.replaces("credit/stale")
def test_stale_data_are_a_warning_once_and_over_with_the_next_good_poll(watching: Watching) -> None:
    watching.over([], [COSTS], channels=[Channel("ops", "warning"), Channel("pager", "critical")])
    watching.poll()
    watching.clock.advance(HOUR - MINUTE)
    assert watching.look() == []
    watching.poll("OpenAI refused the key (401). Check it.")
    assert said(watching.look()) == ["stale data openai-costs"]
    assert watching.look() == []
    assert watching.alerts() == [("stale/openai-costs", "approaching", "warning")]
    (message,) = watching.messages()
    assert (message.kind, message.lines) == (MessageKind.STALE, ("OpenAI refused the key (401). Check it.",))
    watching.poll()
    assert said(watching.look()) == ["resolved openai-costs"]
    assert watching.alerts() == [("stale/openai-costs", "resolved", "warning")]
    assert {row.channel for row in rows(watching.store, DeliveryTable)} == {"ops"}


def test_what_nobody_polled_while_no_collector_ran_is_not_stale_yet(watching: Watching) -> None:
    watching.poll()
    watching.clock.advance(48 * HOUR)
    watching.over([], [COSTS])
    assert watching.look() == []
    watching.clock.advance(HOUR)
    assert said(watching.look()) == ["stale data openai-costs"]


def test_a_destination_that_is_off_is_told_at_once_and_over_when_it_delivers_again(watching: Watching) -> None:
    """Polls go on answering all the while."""
    push = WatchedPoller("anthropic-push", 5 * MINUTE)
    watching.over([], [push])

    def polled(health: PushHealth) -> list[Announcement]:
        with watching.store.writing() as connection:
            checkpoints.succeeded(connection, push.name, watching.clock(), cursor=push_health.packed(health))
        return watching.look()

    assert polled(PushHealth()) == []
    amiss = "Anthropic's destination is off: the address answered with a redirect."
    assert said(polled(PushHealth(amiss=amiss))) == ["stale data anthropic-push"]
    assert polled(PushHealth(amiss=amiss)) == []
    (message,) = watching.messages()
    assert message.lines == (amiss,)
    with watching.store.reading() as connection:
        (alert,) = alerts(connection, open_only=True, most=9)
        assert (alert.kind, evidence_of(connection, alert, watching.clock())) == ("source", amiss)
    assert said(polled(PushHealth())) == ["resolved anthropic-push"]
    with watching.store.reading() as connection:
        (over,) = alerts(connection, open_only=False, most=9)
        assert evidence_of(connection, over, watching.clock()) is None


def test_a_restart_does_not_end_stale_data(watching: Watching) -> None:
    watching.over([], [COSTS])
    watching.clock.advance(HOUR)
    assert said(watching.look()) == ["stale data openai-costs"]
    watching.over([], [COSTS])
    assert watching.look() == []
    assert watching.alerts() == [("stale/openai-costs", "approaching", "warning")]


def test_stale_data_that_nobody_watched_for_a_while_are_told_once(watching: Watching) -> None:
    watching.over([], [COSTS])
    watching.clock.advance(HOUR)
    assert said(watching.look()) == ["stale data openai-costs"]
    watching.over()
    assert watching.look() == []
    assert watching.alerts() == [("stale/openai-costs", "resolved", "warning")]
    watching.over([], [COSTS])
    watching.clock.advance(2 * HOUR)
    assert watching.look() == []
    assert watching.alerts() == [("stale/openai-costs", "approaching", "warning")]
    watching.poll()
    assert said(watching.look()) == ["resolved openai-costs"]


def test_looking_at_what_is_as_it_was_changes_nothing(watching: Watching) -> None:
    watching.told("9.99")
    with watching.store.reading() as connection:
        assert watching.watch.changes(connection, watching.clock()) == []


def test_who_evaluates_limits_leaves_accounts_alone(watching: Watching, collecting: Callable[..., Collecting]) -> None:
    watching.told("9.99")
    assert collecting().revisit() == []
    assert watching.alerts() == [("balance/router", "exceeded", "critical")]


def test_many_at_once_are_told_one_by_one(watching: Watching) -> None:
    names = ["a", "b", "c", "d"]
    watching.over([replace(ROUTER, name=name) for name in names])
    with watching.store.writing() as connection:
        for name in names:
            ledger.take_balance(connection, name, Usd.of("9.996"), watching.clock())
    assert len(watching.look()) == 4
    assert sorted(message.limit_name for message in watching.messages()) == names
