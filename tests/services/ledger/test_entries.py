"""Keeping an account's ledger, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from spendtop.domain.clock import DAY, HOUR, MINUTE, to_datetime
from spendtop.domain.errors import UsageError
from spendtop.domain.ledger.amounts import CostPart, Costs
from spendtop.domain.ledger.balance import EntryKind
from spendtop.domain.money import Usd
from spendtop.services import checkpoints
from spendtop.services.ledger import entries as ledger
from spendtop.store.engine import Store
from spendtop.store.reads.ledger.accounts import AccountNow, AccountState, account_now, days, events
from spendtop.store.tables import DayCostPartTable, DayCostRevisionTable, LedgerEventTable
from tests.accounts import OPENAI
from tests.conftest import SettableClock
from tests.services.conftest import Collecting, request, rows


def bill(first: int, last: int, *parts: tuple[int, str], **fields: Any) -> Costs:
    """A whole poll of these days: (day, dollars) for each part."""
    found = tuple(CostPart(day=day, amount=Decimal(amount), **fields) for day, amount in parts)
    return Costs(first_day=first, last_day=last, parts=found)


class Keeping:
    """One account whose costs come poll by poll."""

    def __init__(self, store: Store, clock: SettableClock) -> None:
        self.store, self.clock = store, clock
        self.today = clock() // DAY

    def poll(self, *parts: tuple[int, str], first: int | None = None, **fields: Any) -> None:
        self.take(bill(self.today - 30 if first is None else first, self.today, *parts, **fields))

    def take(self, costs: Costs) -> None:
        with self.store.writing() as connection:
            ledger.take_costs(connection, "openai", costs, self.clock())
            checkpoints.succeeded(connection, "openai-costs", self.clock())

    def sync(self, dollars: str) -> ledger.Calibrated:
        with self.store.writing() as connection:
            return ledger.calibrate(connection, OPENAI, Usd.of(dollars), self.clock(), self.clock(), "ana")

    def record(self, kind: EntryKind, dollars: str, ago: int = 0) -> None:
        now = self.clock()
        with self.store.writing() as connection:
            ledger.record(connection, "openai", kind, Usd.of(dollars), now - ago, now)

    def now(self) -> AccountNow:
        with self.store.reading() as connection:
            return account_now(connection, OPENAI, self.clock())


@pytest.fixture
def keeping(store: Store, clock: SettableClock) -> Keeping:
    return Keeping(store, clock)


@pytest.mark.replaces("credit/balance")
def test_the_balance_is_calibrated_credit_minus_what_is_billed_since(keeping: Keeping) -> None:
    keeping.poll((keeping.today, "4.20"))
    keeping.sync("25.00")
    assert keeping.now().balance == Usd.of("25.00")
    keeping.poll((keeping.today, "5.05"))
    assert keeping.now().balance == Usd.of("24.15")


@pytest.mark.replaces("credit/restated")
def test_a_poll_replaces_days_and_keeps_what_was_restated(keeping: Keeping, store: Store) -> None:
    yesterday = keeping.today - 1
    keeping.poll((yesterday, "10"), (keeping.today, "1"))
    keeping.sync("50")
    keeping.poll((yesterday, "12"), (keeping.today, "2"))
    keeping.poll((yesterday, "11"), (keeping.today, "2"))
    found = [(row.day, row.old_nano // 10**9, row.new_nano // 10**9) for row in rows(store, DayCostRevisionTable)]
    assert found == [(yesterday, 10, 12), (yesterday, 12, 11)]
    assert keeping.now().balance == Usd.of("48")
    with store.reading() as connection:
        (today, before) = days(connection, OPENAI, yesterday, keeping.today)
    assert (before.billed, before.restated, today.restated) == (Usd.of(11), 2, 0)


def test_the_same_poll_again_changes_nothing(keeping: Keeping, store: Store) -> None:
    for _ in range(2):
        keeping.poll((keeping.today, "1.50"), (keeping.today, "0.25"), project="p")
    (part,) = rows(store, DayCostPartTable)
    assert (part.project, part.cost_nano) == ("p", 1_750_000_000)
    assert rows(store, DayCostRevisionTable) == []


def test_empty_answers_change_no_settled_day_however_many_they_are(keeping: Keeping, store: Store) -> None:
    month = [(keeping.today - ago, "3") for ago in range(5, 30)]
    keeping.poll(*month)
    keeping.sync("8.52")
    for _ in range(40):
        keeping.clock.advance(HOUR)
        keeping.poll()
        assert keeping.now().balance == Usd.of("8.52")
    assert len(rows(store, DayCostPartTable)) == len(month)
    assert rows(store, DayCostRevisionTable) == []
    assert keeping.now().caution == (
        "The provider's answers do not have 25 days that had cost $75.00: what was billed before stands."
    )
    keeping.poll(*month)
    assert (keeping.now().balance, keeping.now().caution) == (Usd.of("8.52"), None)


def test_a_day_of_yesterday_that_vanishes_stands_for_a_day_and_says_so(keeping: Keeping, store: Store) -> None:
    yesterday = keeping.today - 1
    keeping.poll((yesterday, "3"))
    keeping.sync("20")
    keeping.clock.advance(HOUR)
    since = f"{to_datetime(keeping.clock()):%Y-%m-%d %H:%M} UTC"
    for _ in range(23):
        keeping.poll()
        assert keeping.now().balance == Usd.of("20")
        caution = keeping.now().caution
        assert caution is not None and caution.startswith(f"Since {since} the provider's answers lack")
        keeping.clock.advance(HOUR)
    assert len(rows(store, DayCostPartTable)) == 1
    keeping.clock.advance(HOUR)
    keeping.poll()
    assert (keeping.now().balance, keeping.now().caution) == (Usd.of("23"), None)
    assert rows(store, DayCostPartTable) == []


def test_a_day_that_lost_a_part_stands_with_all_its_parts(keeping: Keeping, store: Store) -> None:
    settled = keeping.today - 9
    whole = bill(settled, keeping.today, (settled, "2"), project="a").parts
    whole += bill(settled, keeping.today, (settled, "1"), project="b").parts
    keeping.take(Costs(first_day=settled, last_day=keeping.today, parts=whole))
    keeping.sync("20")
    keeping.take(Costs(first_day=settled, last_day=keeping.today, parts=whole[:1]))
    assert keeping.now().balance == Usd.of("20")
    assert [row.project for row in rows(store, DayCostPartTable)] == ["a", "b"]


def test_a_zero_that_is_told_replaces_a_settled_day_at_once(keeping: Keeping) -> None:
    settled = keeping.today - 9
    keeping.poll((settled, "3"))
    keeping.sync("20")
    keeping.poll((settled, "0"))
    assert keeping.now().balance == Usd.of("23")


def test_a_second_calibration_is_appended_and_deposits_stay(keeping: Keeping, store: Store) -> None:
    keeping.record(EntryKind.DEPOSIT, "100")
    keeping.poll((keeping.today, "37.654321"))
    first = keeping.sync("57.35")
    assert (first.predicted, first.drift) == (Usd.of("62.345679"), Usd.of("-4.995679"))
    keeping.clock.advance(HOUR)
    second = keeping.sync("57.00")
    assert second.drift == Usd.of("-0.35")
    assert [row.kind for row in rows(store, LedgerEventTable)] == ["deposit", "calibration", "calibration"]
    with store.reading() as connection:
        assert [event.recorded_by for event in events(connection, "openai", 2)] == ["ana", "ana"]


def test_the_first_calibration_of_an_account_without_entries_finds_no_drift(keeping: Keeping, store: Store) -> None:
    keeping.poll((keeping.today, "4.20"))
    first = keeping.sync("25.00")
    assert (first.predicted, first.drift, keeping.now().drift) == (None, None, None)
    with store.reading() as connection:
        (event,) = events(connection, "openai", 9)
    assert (event.observed, event.predicted, event.amount) == (Usd.of(25), None, None)
    keeping.clock.advance(HOUR)
    assert (keeping.sync("24.50").drift, keeping.now().drift) == (Usd.of("-0.50"), Usd.of("-0.50"))


def test_days_before_a_calibration_that_are_read_only_after_it_are_not_deducted(keeping: Keeping) -> None:
    keeping.poll((keeping.today, "1"), first=keeping.today)
    keeping.sync("50")
    keeping.clock.advance(MINUTE)
    keeping.poll((keeping.today - 3, "30"), (keeping.today, "3"))
    assert keeping.now().balance == Usd.of("48")
    keeping.clock.advance(MINUTE)
    keeping.poll((keeping.today - 3, "31"), (keeping.today, "3"))
    assert keeping.now().balance == Usd.of("48")
    assert keeping.sync("48").drift == Usd(0)
    keeping.clock.advance(MINUTE)
    keeping.poll((keeping.today - 3, "32"), (keeping.today, "4"))
    assert keeping.now().balance == Usd.of("46")


def test_days_that_are_read_only_after_a_calibration_settled_are_not_deducted(keeping: Keeping, store: Store) -> None:
    at = keeping.clock()
    keeping.poll((keeping.today, "1"), first=keeping.today)
    keeping.sync("50")
    keeping.clock.advance(MINUTE)
    keeping.poll((keeping.today - 2, "5"), (keeping.today, "2"), first=keeping.today - 2)
    keeping.clock.advance(MINUTE)
    with store.writing() as connection:
        ledger.settle(connection, "openai", at, Usd.of("6.50"), keeping.clock())
    assert keeping.now().balance == Usd.of("49.50")
    keeping.clock.advance(MINUTE)
    keeping.poll((keeping.today - 9, "30"), (keeping.today - 2, "5"), (keeping.today, "2"))
    assert keeping.now().balance == Usd.of("49.50")


def test_what_was_in_the_observed_balance_already_is_not_added_again(keeping: Keeping) -> None:
    keeping.poll()
    keeping.sync("50")
    keeping.clock.advance(MINUTE)
    keeping.record(EntryKind.DEPOSIT, "25", ago=HOUR)
    assert keeping.now().balance == Usd.of("50")
    keeping.record(EntryKind.DEPOSIT, "25")
    keeping.record(EntryKind.EXPIRY, "5")
    assert keeping.now().balance == Usd.of("70")


@pytest.mark.parametrize(
    ("kind", "dollars"), [(EntryKind.DEPOSIT, "0"), (EntryKind.DEPOSIT, "-5"), (EntryKind.CALIBRATION, "5")]
)
def test_entries_that_cannot_be_are_refused(keeping: Keeping, kind: EntryKind, dollars: str) -> None:
    with pytest.raises(UsageError):
        keeping.record(kind, dollars)


def test_nothing_is_recorded_for_the_future(keeping: Keeping) -> None:
    with pytest.raises(UsageError, match="future"):
        keeping.record(EntryKind.DEPOSIT, "5", ago=-MINUTE)


def test_nothing_is_recorded_for_a_time_that_no_calendar_can_show(keeping: Keeping) -> None:
    with pytest.raises(UsageError, match="1970"):
        keeping.record(EntryKind.DEPOSIT, "5", ago=keeping.clock() + 1)


def test_a_balance_says_how_far_it_can_be_believed(keeping: Keeping) -> None:
    assert (keeping.now().state, keeping.now().balance) == (AccountState.STALE, None)
    keeping.poll((keeping.today, "1"))
    assert keeping.now().state is AccountState.UNCALIBRATED
    keeping.sync("5")
    assert keeping.now().state is AccountState.OK
    keeping.clock.advance(HOUR + 1)
    assert keeping.now().state is AccountState.STALE
    assert keeping.now().balance == Usd.of(5)


def test_a_failed_poll_says_why_and_leaves_the_figures(keeping: Keeping, store: Store, clock: SettableClock) -> None:
    keeping.poll((keeping.today, "1"))
    keeping.sync("5")
    with store.writing() as connection:
        assert checkpoints.failed(connection, "openai-costs", "OpenAI answered 500.", clock()) == 1
        assert checkpoints.failed(connection, "openai-costs", "OpenAI answered 500.", clock()) == 2
    assert (keeping.now().failure, keeping.now().balance) == ("OpenAI answered 500.", Usd.of(5))
    keeping.poll((keeping.today, "1"))
    assert keeping.now().failure is None


@pytest.mark.replaces("credit/burn")
def test_the_end_is_foreseen_from_the_last_whole_days(keeping: Keeping) -> None:
    keeping.poll(*((keeping.today - ago, "7") for ago in range(1, 8)))
    keeping.sync("14")
    now = keeping.now()
    assert (now.burn_per_day, now.run_out_at) == (Usd.of(7), keeping.clock() + 2 * DAY)


def test_days_show_what_we_saw_beside_the_bill(
    keeping: Keeping, collecting: Callable[..., Collecting], store: Store, clock: SettableClock
) -> None:
    seen = collecting()
    seen.record(
        request(1, clock(), 2 * 10**9, provider="openai"),
        request(2, clock(), None, provider="openai"),
        request(3, clock(), 10**9, provider="anthropic"),
        request(4, clock() - 2 * DAY, 10**9, provider="openai"),
    )
    keeping.poll((keeping.today, "2.80"), first=keeping.today - 1)
    with store.reading() as connection:
        found = days(connection, OPENAI, keeping.today - 3, keeping.today)
    assert [(day.day, day.billed, day.ours, day.unpriced) for day in found] == [
        (keeping.today, Usd.of("2.80"), Usd.of(2), 1),
        (keeping.today - 1, Usd(0), Usd(0), 0),
        (keeping.today - 2, None, Usd.of(1), 0),
    ]
