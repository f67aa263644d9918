"""The ledger's rules, by worked examples to the last digit."""

from __future__ import annotations

import pytest

from spendtop.domain.clock import DAY, HOUR
from spendtop.domain.ledger import (
    Calibration,
    DayCost,
    Drift,
    Entry,
    EntryKind,
    LowBalance,
    balance,
    runs_out_at,
    settled_spend,
    take_poll,
    watch,
)
from spendtop.domain.money import ZERO, Usd

AT = 14 * HOUR


def usd(text: str) -> Usd:
    return Usd.of(text)


def calibrated(
    observed: str, spent: str, predicted: str = "0", settled: str | None = None, at: int = AT
) -> Calibration:
    return Calibration(
        at=at,
        observed=usd(observed),
        predicted=usd(predicted),
        spent=usd(spent),
        settled=None if settled is None else usd(settled),
    )


def moved(amount: str, effective_at: int, kind: EntryKind = EntryKind.DEPOSIT) -> Entry:
    return Entry(kind=kind, effective_at=effective_at, amount=usd(amount))


@pytest.mark.parametrize(("spent", "left"), [("4.20", "25.00"), ("5.05", "24.15"), ("6.15", "23.05")])
def test_the_part_of_the_day_before_a_calibration_cancels(spent: str, left: str) -> None:
    anchor = calibrated("25.00", "4.20")
    assert anchor.credit == usd("29.20")
    assert balance(anchor, [], usd(spent)) == usd(left)


def test_restated_days_flow_through() -> None:
    anchor = calibrated("60.00", "40")
    assert anchor.credit == usd("100.00")
    days = [usd(each) for each in ("10", "20.75", "13.50")]
    assert sum(days, ZERO) == usd("44.25")
    assert balance(anchor, [], sum(days, ZERO)) == usd("55.75")


def test_a_second_calibration_measures_the_drift() -> None:
    first = calibrated("62.345678", "0")
    predicted = balance(first, [], usd("31.987654"))
    assert predicted == usd("30.358024")
    second = calibrated("29.91", "31.987654", predicted="30.358024")
    assert second.drift == usd("-0.448024")
    assert second.credit == usd("61.897654")


def test_the_first_calibration_is_measured_against_the_deposits() -> None:
    spent = usd("37.654321")
    predicted = balance(None, [moved("100", 0)], spent)
    assert predicted == usd("62.345679")
    anchor = Calibration(at=AT, observed=usd("57.35"), predicted=predicted, spent=spent)
    assert (anchor.drift, anchor.credit) == (usd("-4.995679"), usd("95.004321"))


@pytest.mark.parametrize(
    ("settled", "left", "later"), [(None, "58.40", "56.20"), ("40.80", "59.20", "57.00")], ids=["same lag", "settled"]
)
def test_costs_that_came_late_are_deducted_twice_until_settled(settled: str | None, left: str, later: str) -> None:
    anchor = calibrated("59.20", "40.00", settled=settled)
    assert balance(anchor, [], usd("40.80")) == usd(left)
    assert balance(anchor, [], usd("43.00")) == usd(later)


def test_only_what_took_effect_after_a_calibration_is_added() -> None:
    anchor = calibrated("100.00", "0")
    before = moved("25", AT - 1)
    assert balance(anchor, [before, moved("25", AT)], usd("92.10")) == usd("7.90")
    assert balance(anchor, [before, moved("25", AT + 1)], usd("92.10")) == usd("32.90")


def test_an_expiry_takes_away() -> None:
    anchor = calibrated("30.00", "0")
    assert balance(anchor, [], usd("3.75")) == usd("26.25")
    assert balance(anchor, [moved("-1.25", AT + 1, EntryKind.EXPIRY)], usd("3.75")) == usd("25.00")


def test_a_low_balance_fires_once_and_again_only_from_110_per_cent_on() -> None:
    state, fired = LowBalance(), []
    for left in ("10.40", "10.00", "9.99", "9.70", "10.20", "10.99", "11.00", "9.50", "34.50", "9.99"):
        state, fires = watch(state, usd(left), usd("10"))
        fired.append(fires)
    assert fired == [False, False, True, False, False, False, False, True, False, True]


def test_settling_takes_the_share_of_the_day_that_had_been_used() -> None:
    settled = settled_spend(usd("30.00"), usd("2.52"), usd("1.44"), usd("2.40"))
    assert settled == usd("31.512")
    anchor = calibrated("41.00", "31.00", settled="31.512")
    assert anchor.credit == usd("72.512")
    assert balance(anchor, [], usd("32.52")) == usd("39.992")
    assert balance(calibrated("41.00", "31.00"), [], usd("32.52")) == usd("39.48")


def test_a_day_without_usage_settles_nothing() -> None:
    assert settled_spend(usd("30"), usd("1"), ZERO, ZERO) is None


def test_a_balance_may_be_negative() -> None:
    left = balance(calibrated("5.00", "0"), [], usd("5.37"))
    assert left == usd("-0.37")
    assert watch(LowBalance(), left, usd("10")) == (LowBalance(False), True)


def test_days_are_replaced_never_added_to() -> None:
    known = {1: DayCost(usd("10")), 2: DayCost(usd("20"))}
    assert take_poll(known, {2: usd("20.75"), 3: usd("1")}) == {2: DayCost(usd("20.75")), 3: DayCost(usd("1"))}
    again = take_poll({2: DayCost(usd("20.75"))}, {2: usd("20.75")})
    assert again == {2: DayCost(usd("20.75"))}


def test_a_day_that_falls_to_nothing_stands_until_the_next_poll_says_so_too() -> None:
    first = take_poll({5: DayCost(usd("3"))}, {5: ZERO})
    assert first == {5: DayCost(usd("3"), doubted=True)}
    assert take_poll(first, {5: ZERO}) == {5: DayCost(ZERO)}
    assert take_poll(first, {5: usd("3")}) == {5: DayCost(usd("3"))}


def test_the_end_is_foreseen_from_what_was_billed() -> None:
    assert runs_out_at(usd("30"), usd("10"), 2 * DAY, now=0) == 6 * DAY
    assert runs_out_at(usd("30"), ZERO, DAY, now=0) is None
    assert runs_out_at(usd("-1"), usd("1"), DAY, now=7) == 7


def test_what_lasts_longer_than_a_century_has_no_end_in_sight() -> None:
    assert runs_out_at(usd("36500"), usd("1"), DAY, now=DAY) == 36_501 * DAY
    assert runs_out_at(usd("36500.01"), usd("1"), DAY, now=DAY) is None


@pytest.mark.parametrize(
    ("predicted", "observed", "is_large", "suggests_deposit"),
    [
        ("100", "100", False, False),
        ("100", "100.99", False, False),
        ("100", "99", True, False),
        ("10", "10.19", False, False),
        ("10", "9.80", True, False),
        ("100", "104.999999999", True, False),
        ("100", "105", True, True),
        ("100", "90", True, False),
        ("0", "0", False, False),
        ("0", "0.000000001", True, False),
        ("-2", "-1.96", True, False),
    ],
)
def test_a_drift_of_a_dollar_or_two_per_cent_is_large_and_one_of_five_suggests_a_deposit(
    predicted: str, observed: str, is_large: bool, suggests_deposit: bool
) -> None:
    drift = Drift(usd(predicted), usd(observed))
    assert (drift.is_large, drift.suggests_deposit) == (is_large, suggests_deposit)
